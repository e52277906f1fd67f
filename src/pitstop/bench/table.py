"""The result on a terminal: the verdict first, then a table for each measurement."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pitstop.bench.amount import factor, times
from pitstop.bench.result import Gain, Measurement, Result
from pitstop.bench.rows import Row, heading, table_rows

__all__ = ["render_table"]


def render_table(result: Result) -> RenderableType:
    """What a person reads at a glance; print it with a rich console."""
    return Group(*_parts(result))


def _parts(result: Result) -> Iterator[RenderableType]:
    for number, sentence in enumerate(result.verdict):
        yield Text(sentence, style=_verdict_style(sentence, failed=result.failed, first=number == 0))
    for measurement in result.measurements:
        yield Padding(_table(measurement, result), (1, 0, 0, 0))
    if result.notes:
        yield Text()
    for note in result.notes:
        yield Text(f"note: {note}", style="yellow")
    yield Text(f"{result.machine}; took {result.took_s:.0f} s", style="dim")


def _verdict_style(sentence: str, *, failed: bool, first: bool) -> str:
    if failed and " failed " in sentence:
        return "bold red"
    if "SLOWER" in sentence:
        return "bold red" if first else "red"
    if sentence.startswith("No difference"):
        return "bold yellow" if first else "yellow"
    return "bold green" if first else "green"


def _table(measurement: Measurement, result: Result) -> Table:
    brief = len(measurement.forms) > 2  # intervals would not fit; the sentences above have them
    table = Table(title=heading(measurement), title_justify="left", title_style="bold", box=None)
    table.padding = (0, 1 if brief else 2, 0, 0)
    table.add_column("")
    for number, form in enumerate(measurement.forms):
        table.add_column(form.form, justify="right", no_wrap=True)
        if number:
            kind = f" [{result.interval}]" if result.interval and not brief else ""
            table.add_column(Text(f"better{'' if brief else ' by'}{kind}"), no_wrap=True)
    for row in table_rows(measurement):
        table.add_row(*_cells(row, brief=brief), style="bold" if row.important else None)
    return table


def _cells(row: Row, *, brief: bool) -> Iterator[Text]:
    yield Text(row.label)
    style = "bold red" if row.failed else ""
    for number, cell in enumerate(row.cells):
        yield Text(cell, style=style if cell != "0" else "")
        if number:
            yield _gain(row.gains[number - 1], brief=brief)


def _gain(gain: Gain | None, *, brief: bool) -> Text:
    if gain is None:
        return Text()
    decided = gain.low is not None and gain.high is not None and not gain.low <= 1.0 <= gain.high
    style = "dim" if not decided else "green" if gain.value > 1.0 else "red"
    return Text(f"{times(gain.value)}x" if brief else factor(gain), style=style)
