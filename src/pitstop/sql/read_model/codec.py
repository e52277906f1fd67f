"""How each type is written: SQL expressions whose JSON is what pydantic and msgspec would have written."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Double,
    Enum,
    Numeric,
    Text,
    case,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import BYTEA, INTERVAL, JSON, aggregate_order_by
from sqlalchemy.types import TypeEngine

from pitstop.sql.read_model.family import family_of, settle
from pitstop.sql.read_model.shape import Many, Scalar, Value

__all__ = ["constant", "json_constant", "written"]

Expression = ColumnElement[Any]

_DATE_TIME = 'YYYY-MM-DD"T"HH24:MI:SS.US'
_DAY_US, _HOUR_US, _MINUTE_US, _SECOND_US = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000
_EXACT_SCALE = 6  # up to here Python writes a decimal without an exponent


def constant(text: str) -> Expression:
    """Text of the program's own as a literal: a key, a label, a format. Never a value from outside."""
    return literal_column("'{}'".format(text.replace("'", "''")), Text)


def json_constant(text: str) -> Expression:
    """JSON text of the program's own as a value of type json."""
    return cast(constant(text), JSON)


def written(expression: Expression, value: Value) -> Expression:
    """The expression that PostgreSQL turns into the JSON that Python would have written for a value."""
    if isinstance(value, Many):
        return _array(expression, value)
    if not isinstance(value, Scalar):
        return expression
    value = settle(value, expression.type)
    writer = _WRITERS.get(value.kind)
    return expression if writer is None else writer(expression, value)


def _array(expression: Expression, value: Many) -> Expression:
    item = value.item
    type_ = expression.type
    if not isinstance(type_, ARRAY) or not isinstance(item, Scalar) or _is_natural(type_.item_type, item):
        return expression
    elements = func.unnest(expression).table_valued(
        column("value", type_.item_type), with_ordinality="position", name="elements"
    )
    elements = elements.render_derived()
    each = written(elements.c.value, item)
    rows = select(func.json_agg(aggregate_order_by(each, elements.c.position))).select_from(elements)
    array = func.coalesce(rows.scalar_subquery(), json_constant("[]"))
    return case((expression.is_not(None), array))


def _is_natural(type_: TypeEngine[Any], item: Scalar) -> bool:
    """Whether PostgreSQL writes such an element as Python does, by itself."""
    kind = settle(item, type_).kind
    return kind not in _WRITERS or (kind in ("str", "enum") and not isinstance(type_, Enum))


def _decimal(expression: Expression, value: Scalar) -> Expression:
    """As ``str(Decimal)``: scientific where the exponent is small."""
    text = cast(expression, Text)
    scale = getattr(expression.type, "scale", None)
    if family_of(expression.type) == "int" or (scale is not None and scale <= _EXACT_SCALE):
        return text
    written_out = func.replace(cast(func.abs(expression), Text), constant("."), constant(""))
    digits = case((expression == 0, constant("0")), else_=func.ltrim(written_out, constant("0")))
    exponent = func.length(digits) - 1 - func.scale(expression)
    rest = case(
        (func.length(digits) > 1, func.concat(constant("."), func.substr(digits, 2))), else_=constant("")
    )
    sign = case((expression < 0, constant("-")), else_=constant(""))
    small = (func.abs(expression) < literal_column("0.000001", Numeric)) & (
        func.scale(expression) > _EXACT_SCALE
    )
    return case((small, func.concat(sign, func.left(digits, 1), rest, constant("E"), exponent)), else_=text)


def _float(expression: Expression, value: Scalar) -> Expression:
    if family_of(expression.type) == "int":
        return expression
    number = expression if isinstance(expression.type, Double) else cast(expression, Double)
    if value.style == "strings":
        return number
    for each in ("NaN", "Infinity", "-Infinity"):
        number = func.nullif(number, constant(each), type_=Double())
    return number


def _datetime(expression: Expression, value: Scalar) -> Expression:
    if isinstance(expression.type, DateTime) and expression.type.timezone:
        utc = func.timezone(constant("UTC"), expression)
        return _without_zero_fraction(func.to_char(utc, constant(f'{_DATE_TIME}"Z"')))
    return _without_zero_fraction(func.to_char(expression, constant(_DATE_TIME)))


def _time(expression: Expression, value: Scalar) -> Expression:
    return _without_zero_fraction(func.to_char(cast(expression, INTERVAL), constant("HH24:MI:SS.US")))


def _without_zero_fraction(text: Expression) -> Expression:
    return func.replace(text, constant(".000000"), constant(""))


def _microseconds(interval: Expression) -> Expression:
    """As the drivers read an interval: a year has 365 days and a month 30."""
    parts = (
        ("year", 365 * _DAY_US),
        ("month", 30 * _DAY_US),
        ("day", _DAY_US),
        ("hour", _HOUR_US),
        ("minute", _MINUTE_US),
        ("microseconds", 1),
    )
    total = sum(
        (
            func.date_part(constant(part), interval) * literal_column(f"{factor}::numeric", Numeric)
            for part, factor in parts[1:]
        ),
        start=func.date_part(constant("year"), interval) * literal_column(f"{parts[0][1]}::numeric", Numeric),
    )
    return cast(total, BigInteger)


def _timedelta(expression: Expression, value: Scalar) -> Expression:
    us = _microseconds(expression)
    if value.style == "seconds":
        return cast(us, Double) / literal_column("1000000", Double)
    size = func.abs(us, type_=BigInteger())
    days, rest = _div(size, _DAY_US), _mod(size, _DAY_US)
    spelled = _hours(days, rest) if value.style == "iso" else _seconds(days, rest)
    sign = case((us < 0, constant("-")), else_=constant(""))
    zero = constant("PT0S" if value.style == "iso" else "P0D")
    return case(
        (expression.is_(None), None), (us == 0, zero), else_=func.concat(sign, constant("P"), *spelled)
    )


def _hours(days: Expression, rest: Expression) -> list[Expression]:
    """As pydantic writes a duration."""
    return [
        _part(_div(days, 365), "Y"),
        _part(_mod(days, 365), "D"),
        case((rest > 0, constant("T")), else_=constant("")),
        _part(_div(rest, _HOUR_US), "H"),
        _part(_div(_mod(rest, _HOUR_US), _MINUTE_US), "M"),
        _part(_fraction(_mod(rest, _MINUTE_US)), "S"),
    ]


def _seconds(days: Expression, rest: Expression) -> list[Expression]:
    """As msgspec writes a duration."""
    return [
        _part(days, "D"),
        case((rest > 0, constant("T")), else_=constant("")),
        _part(_fraction(rest), "S"),
    ]


def _part(number: Expression, unit: str) -> Expression:
    return case((number > 0, func.concat(number, constant(unit))), else_=constant(""))


def _fraction(us: Expression) -> Expression:
    return func.trim_scale(cast(us, Numeric) / literal_column(str(_SECOND_US), Numeric), type_=Numeric())


def _div(number: Expression, by: int) -> Expression:
    return number.op("/")(literal_column(str(by), BigInteger))


def _mod(number: Expression, by: int) -> Expression:
    return func.mod(number, literal_column(str(by), BigInteger), type_=BigInteger())


def _bytes(expression: Expression, value: Scalar) -> Expression:
    raw = cast(expression, BYTEA) if family_of(expression.type) == "unknown" else expression
    if value.style == "utf8":
        return func.convert_from(raw, constant("UTF8"))
    if value.style == "hex":
        return func.encode(raw, constant("hex"))
    text = func.encode(raw, constant("base64"))
    breaks = literal_column(r"E'\n'", Text)  # after every 76 characters
    if value.style == "base64":
        return func.replace(text, breaks, constant(""))
    return func.translate(text, constant("+/").op("||")(breaks), constant("-_"))


def _enum(expression: Expression, value: Scalar) -> Expression:
    """By value, where the column holds names."""
    type_ = expression.type
    if not isinstance(type_, Enum):
        return expression
    text = cast(expression, Text)
    if type_.enum_class is None:
        return text
    find = type_.result_processor(postgresql.dialect(), None)  # type: ignore[no-untyped-call]
    values = {label: find(label).value if find else label for label in type_.enums}
    if all(label == found for label, found in values.items()):
        return text
    branches = [(text == constant(label), _member(found)) for label, found in values.items()]
    return case(*branches)


def _member(value: Any) -> Expression:
    return constant(value) if isinstance(value, str) else literal_column(str(int(value)), BigInteger)


def _str(expression: Expression, value: Scalar) -> Expression:
    return _enum(expression, value)


_WRITERS: dict[str, Callable[[Expression, Scalar], Expression]] = {
    "bytes": _bytes,
    "datetime": _datetime,
    "decimal": _decimal,
    "enum": _enum,
    "float": _float,
    "str": _str,
    "time": _time,
    "timedelta": _timedelta,
}
