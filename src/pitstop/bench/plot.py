"""Plots as SVG text, drawn here so that a report needs no script and no network. Pure.

Colours are classes (``f0``, ``f1``, ... by form); the page's style gives them, for light and dark.
"""

import math
from collections.abc import Sequence
from html import escape

from pitstop.bench.amount import milliseconds, number, times
from pitstop.bench.result import FormFigures, Measurement
from pitstop.bench.rows import busiest_endpoints
from pitstop.statistics import Estimate

__all__ = ["endpoint_plot", "latency_plot", "throughput_plot"]

WIDTH = 760
LEFT = 130
RIGHT = 110
STEP = 44  # height of a row
LABEL_CHARS = 38
LETTER = 7.2  # width of one at the label's size, about

_Shape = list[str]


class LogAxis:
    """A logarithmic x axis in milliseconds, one tick a decade and two between where there is room."""

    def __init__(self, low: float, high: float, *, left: float, right: float) -> None:
        self.low = math.log10(max(low, 1e-3) / 1.15)
        self.high = max(math.log10(max(high, 1e-3) * 1.15), self.low + 0.3)
        self.left, self.right = left, right

    def at(self, value: float) -> float:
        """The x of a value."""
        share = (math.log10(max(value, 1e-3)) - self.low) / (self.high - self.low)
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left)

    def ticks(self) -> list[float]:
        """Round values within the axis."""
        multiples = (1, 2, 5) if self.high - self.low < 3.2 else (1,)
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        values = [multiple * 10.0**decade for decade in decades for multiple in multiples]
        return [value for value in values if self.low <= math.log10(value) <= self.high]

    def draw(self, top: float, bottom: float) -> _Shape:
        """Grid lines with their values below."""
        return [shape for tick in self.ticks() for shape in _grid(self.at(tick), tick, top, bottom)]


def _grid(x: float, tick: float, top: float, bottom: float) -> _Shape:
    value = f"{tick / 1000:g} s" if tick >= 1000 else f"{tick:g} ms"
    return [_line(x, top, x, bottom, "grid"), _text(x, bottom + 18, value, "tick", anchor="middle")]


def throughput_plot(measurement: Measurement) -> str:
    """Requests a second of each form: a bar, its interval, and a dot for each repeat."""
    rates = [form.all.requests_per_s for form in measurement.forms]
    top = max((max(rate.values) for rate in rates if rate), default=1.0)
    shapes: _Shape = []
    for row, (form, rate) in enumerate(zip(measurement.forms, rates, strict=True)):
        if rate:
            shapes += _bar(row, form.form, rate, top=top * 1.02)
    summary = "; ".join(
        f"{form.form} {number(rate.value)}"
        for form, rate in zip(measurement.forms, rates, strict=True)
        if rate
    )
    return _svg(shapes, height=len(rates) * STEP + 8, title=f"Requests per second: {summary}")


def _bar(row: int, form: str, rate: Estimate, *, top: float) -> _Shape:
    span = WIDTH - LEFT - RIGHT
    y = row * STEP + 8
    width = max(rate.value / top * span, 1.5)
    middle = y + 14
    shapes = [
        _text(LEFT - 12, middle + 5, form, "label", anchor="end"),
        f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="28" rx="3" class="fill f{row}"/>',
    ]
    reach = width
    if rate.low is not None and rate.high is not None:
        ends = [LEFT + min(end / top, 1.0) * span for end in (rate.low, rate.high)]
        shapes.append(_line(ends[0], middle, ends[1], middle, "whisker"))
        shapes += [_line(end, middle - 5, end, middle + 5, "whisker") for end in ends]
        reach = max(reach, ends[1] - LEFT)
    shapes += [_dot(LEFT + value / top * span, middle, 3.0, "each") for value in rate.values]
    shapes.append(_text(LEFT + reach + 10, middle + 5, f"{number(rate.value)}/s", f"value t{row}"))
    return shapes


def latency_plot(measurement: Measurement) -> str:
    """The share of requests answered within a time, each form a line; its 95% marked."""
    top, bottom, left, right = 12.0, 300.0, 56.0, WIDTH - 24.0
    known = [ms for form in measurement.forms for ms in form.curve]
    axis = LogAxis(min(known), max(known), left=left, right=right)
    shapes = axis.draw(top, bottom)
    for share in (0, 25, 50, 75, 95, 100):
        y = bottom - share / 100 * (bottom - top)
        shapes += [
            _line(left, y, right, y, "grid strong" if share == 95 else "grid"),
            _text(left - 8, y + 4, f"{share}%", "tick", anchor="end"),
        ]
    for index, form in enumerate(measurement.forms):
        shapes += _curve(axis, index, form, top=top, bottom=bottom)
    return _svg(shapes, height=328, title="Share of requests answered within a time, by form")


def _curve(axis: LogAxis, index: int, form: FormFigures, *, top: float, bottom: float) -> _Shape:
    steps = len(form.curve)
    points = [f"{axis.at(form.curve[0]):.1f},{bottom:.1f}"] + [
        f"{axis.at(ms):.1f},{bottom - (step + 1) / steps * (bottom - top):.1f}"
        for step, ms in enumerate(form.curve)
    ]
    return [
        f'<polyline points="{" ".join(points)}" class="curve s{index}"/>',
        _dot(axis.at(_at_share(form, 0.95)), bottom - 0.95 * (bottom - top), 4.5, f"fill f{index}"),
        _curve_name(axis, index, form, top=top, bottom=bottom),
    ]


def _curve_name(axis: LogAxis, index: int, form: FormFigures, *, top: float, bottom: float) -> str:
    """Beside the middle of the curve: right of it and below, or left and above where there is no room."""
    share = 0.6 - 0.12 * (index % 4)  # staggered, for curves that lie on each other
    x, y = axis.at(_at_share(form, share)), bottom - share * (bottom - top)
    if x + 14 + len(form.form) * LETTER < axis.right:
        return _text(x + 14, y + 12, form.form, f"value t{index}")
    return _text(x - 14, y - 4, form.form, f"value t{index}", anchor="end")


def _at_share(form: FormFigures, share: float) -> float:
    return form.curve[math.ceil(len(form.curve) * share) - 1]


def endpoint_plot(measurement: Measurement) -> str:
    """p95 of each endpoint: a dot for each form on a common axis, the last form's gain beside it."""
    names = busiest_endpoints(measurement)
    dots = {name: _endpoint_dots(measurement, name) for name in names}
    known = [ms for each in dots.values() for _, ms in each]
    if not known:
        return ""
    left = max(len(_short(name)) for name in names) * LETTER + 24
    axis = LogAxis(min(known), max(known), left=left, right=WIDTH - RIGHT)
    bottom = len(names) * STEP
    shapes = axis.draw(0, bottom)
    for row, name in enumerate(names):
        shapes += _dumbbell(axis, row, name, dots[name], measurement)
    return _svg(shapes, height=bottom + 28, title="95th percentile by endpoint and form")


def _endpoint_dots(measurement: Measurement, name: str) -> list[tuple[int, float]]:
    found = [(index, form.endpoints.get(name)) for index, form in enumerate(measurement.forms)]
    return [(index, each.p95_ms.value) for index, each in found if each and each.p95_ms]


def _dumbbell(
    axis: LogAxis, row: int, name: str, dots: Sequence[tuple[int, float]], measurement: Measurement
) -> _Shape:
    y = row * STEP + STEP / 2
    ends = [axis.at(ms) for _, ms in dots]
    shapes = [_text(axis.left - 14, y + 5, _short(name), "label", anchor="end")]
    if ends:
        shapes.append(_line(min(ends), y, max(ends), y, "span"))
    shapes += [_dot(axis.at(ms), y, 7, f"fill f{index}", hint=milliseconds(ms)) for index, ms in dots]
    gain = measurement.gain(measurement.forms[-1].form, "p95_ms", endpoint=name)
    if gain:
        shapes.append(_text(axis.right + 14, y + 5, f"{times(gain.value)}x", "value"))
    return shapes


def _short(name: str) -> str:
    return name if len(name) <= LABEL_CHARS else name[: LABEL_CHARS - 1] + "\u2026"


def _svg(shapes: _Shape, *, height: float, title: str) -> str:
    inner = "".join(shapes)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{inner}</svg>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _dot(x: float, y: float, radius: float, kind: str, *, hint: str = "") -> str:
    inside = f"<title>{escape(hint)}</title>" if hint else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}">{inside}</circle>'


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}"{where}>{escape(text)}</text>'
