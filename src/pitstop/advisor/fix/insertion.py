"""Where the text of new options goes, in the style of what stands around it."""

from collections.abc import Iterator, Sequence

import libcst as cst

from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.source import Edit, indentation
from pitstop.advisor.fix.statement import Site
from pitstop.errors import FixRefused

__all__ = ["Element", "elements", "insert_options"]

Element = cst.Arg | cst.BaseElement


def elements(site: Site) -> Iterator[Element]:
    """The options that a site has already, each as the argument or list element it is."""
    if site.chain is None:
        keyword = _options_keyword(site.at)
        if keyword is not None and isinstance(keyword.value, cst.List | cst.Tuple):
            yield from keyword.value.elements
    for call in site.options:
        yield from call.args


def insert_options(module: Module, site: Site, texts: Sequence[str]) -> list[Edit]:
    """The edits that give a site these options beside those it has.

    Raises:
        FixRefused: its options are made somewhere else.
    """
    if site.chain is None:
        return _into_get(module, site.at, texts)
    own = [call for call in site.options if call in site.chain.options]
    if own and own[-1].args:
        return _appended(module, own[-1].args, close=module.end(own[-1]) - 1, texts=texts)
    if own:
        close = module.end(own[-1]) - 1
        return [Edit(close, close, ", ".join(texts))]
    return [_new_link(module, site.at, texts)]


def _options_keyword(call: cst.BaseExpression) -> cst.Arg | None:
    args = call.args if isinstance(call, cst.Call) else ()
    return next((each for each in args if each.keyword and each.keyword.value == "options"), None)


def _into_get(module: Module, call: cst.BaseExpression, texts: Sequence[str]) -> list[Edit]:
    assert isinstance(call, cst.Call)
    if any(each.star == "**" for each in call.args):
        raise FixRefused(f"{module.code(call)} takes keywords from elsewhere")
    keyword = _options_keyword(call)
    if keyword is None:
        line = module.line_text(module.end(call))
        text = f"options=[{', '.join(texts)}]"
        if len(line) + len(text) + 2 > _width(module, line):
            text = f"options=[{_lines(module, texts, indent=indentation(line))}]"
        return _appended(module, call.args, close=module.end(call) - 1, texts=[text])
    if not isinstance(keyword.value, cst.List | cst.Tuple):
        raise FixRefused(f"the options come from elsewhere: {module.code(keyword.value)}")
    close = module.end(keyword.value) - isinstance(keyword.value, cst.List)
    if not keyword.value.elements:
        return [Edit(module.start(keyword.value), module.end(keyword.value), f"[{', '.join(texts)}]")]
    return _appended(module, keyword.value.elements, close=close, texts=texts)


def _appended(module: Module, args: Sequence[Element], *, close: int, texts: Sequence[str]) -> list[Edit]:
    last = args[-1]
    comma = last.comma if isinstance(last.comma, cst.Comma) else None
    line = module.line_start(close)
    if line > module.start(last) and not module.data[line:close].strip():
        indent = indentation(module.line_text(module.start(last)))
        if module.data[module.line_start(module.start(last)) : module.start(last)].strip():
            indent = indentation(module.line_text(close)) + module.tree.default_indent
        edits = [] if comma else [Edit(module.end(last), module.end(last), ",")]
        lines = "".join(f"{indent}{text},{module.source.newline}" for text in texts)
        return [*edits, Edit(line, line, lines)]
    if comma is not None:
        place = module.end(comma)
        return [Edit(place, place, " " + ", ".join(texts))]
    return [Edit(module.end(last), module.end(last), "".join(f", {text}" for text in texts))]


def _new_link(module: Module, base: cst.BaseExpression, texts: Sequence[str]) -> Edit:
    after = module.parent(base)
    if isinstance(after, cst.Attribute) and after.value is base:
        dot = module.start(after.dot)
        if b"\n" in module.data[module.end(base) : dot]:
            return _own_line(module, dot, texts)
    place = module.end(base)
    line = module.line_text(place)
    short = f".options({', '.join(texts)})"
    if len(line) + len(short) <= _width(module, line):
        return Edit(place, place, short)
    return Edit(place, place, _wrapped(module, texts, indent=indentation(line)))


def _own_line(module: Module, dot: int, texts: Sequence[str]) -> Edit:
    start = module.line_start(dot)
    indent = module.data[start:dot].decode()
    text = f".options({', '.join(texts)})"
    if len(indent) + len(text) > module.source.width:
        text = _wrapped(module, texts, indent=indent)
    # a chain held together by backslashes needs one more
    continued = module.data[:start].rstrip(b"\r\n").endswith(b"\\")
    return Edit(dot, dot, f"{text}{' ' + chr(92) if continued else ''}{module.source.newline}{indent}")


def _wrapped(module: Module, texts: Sequence[str], *, indent: str) -> str:
    return f".options({_lines(module, texts, indent=indent)})"


def _lines(module: Module, texts: Sequence[str], *, indent: str) -> str:
    """What stands between brackets, each text on a line of its own."""
    newline, deeper = module.source.newline, indent + module.tree.default_indent
    return newline + "".join(f"{deeper}{text},{newline}" for text in texts) + indent


def _width(module: Module, line: str) -> int:
    return max(module.source.width, len(line))
