"""The files, the page and the table."""

import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from rich.console import Console

from pitstop.bench import load_result, render_table, write_report
from pitstop.errors import BenchError
from tests.bench.made import pairs, result, window


def made(**how):
    how = {"before_ms": 100, "after_ms": 10, **how}
    return result(("throughput", pairs(**how)), ("latency", pairs(**how)), repeat=3)


class Balance(HTMLParser):
    """Notes elements that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_json_round_trip(tmp_path):
    """What is written is read again, as a file or by its directory."""
    found = made()
    write_report(found, tmp_path / "out")
    assert load_result(tmp_path / "out") == load_result(tmp_path / "out" / "result.json") == found
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "result.json"]


def test_page_needs_no_network(tmp_path):
    """The page refers to nothing outside itself and runs nothing."""
    page = write_report(made(), tmp_path).read_text()
    outside = re.sub(r'xmlns="[^"]*"', "", page)
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", outside)


def test_page_is_well_formed(tmp_path):
    """Every element is closed, and every plot is an image that parses."""
    page = write_report(made(), tmp_path).read_text()
    balance = Balance()
    balance.feed(page)
    assert (balance.wrong, balance.open) == ([], [])
    plots = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(plots) == 3
    assert all(ElementTree.fromstring(plot).get("aria-label") for plot in plots)
    assert "nan" not in "".join(plots)


def test_page_escapes_what_servers_say(tmp_path):
    """An error message with markup in it is text on the page."""
    page = write_report(made(errors=2), tmp_path).read_text()
    assert "<b>oops" not in page
    assert "500 &lt;b&gt;oops" in page
    assert 'class="card"' not in page


def test_large_figures_are_gains_that_were_shown(tmp_path):
    """What may be no difference at all, or a loss, is not praised at the head of the page."""
    assert write_report(made(), tmp_path / "gain").read_text().count('class="card"') == 3
    page = write_report(made(before_ms=10, after_ms=10), tmp_path / "none").read_text()
    assert page.count('class="card"') == 1  # the statements


def test_more_than_two_forms(tmp_path):
    """Each form after the first has its figures and its gains."""
    windows = [window(form, ms=[ms] * 20) for form, ms in (("a", 90), ("b", 30), ("c", 10)) for _ in range(3)]
    found = result(("latency", windows), repeat=3, forms=("a", "b", "c"))
    page = write_report(found, tmp_path).read_text()
    assert page.count("better by [95% interval]") == 2
    assert len(found.verdict) == 2
    assert "9.00x" in drawn(found)


def test_four_forms_fit_a_terminal(tmp_path):
    """On 80 columns nothing of the table is cut off; the intervals stand in the sentences."""
    forms = ("naive", "naive-peers", "read-models", "tuned")
    windows = [window(form, ms=[90 - 20 * n] * 20) for n, form in enumerate(forms) for _ in range(3)]
    found = result(("latency", windows), repeat=3, forms=forms)
    text = drawn(found, width=80)
    assert "…" not in text
    assert "read-models" in text


def test_one_form_alone(tmp_path):
    """A single form is measured and shown; nothing is compared."""
    windows = [window("tuned", ms=[10] * 20) for _ in range(3)]
    found = result(("throughput", windows), ("latency", windows), repeat=3, forms=("tuned",))
    assert "better by" not in write_report(found, tmp_path).read_text()
    assert drawn(found).startswith("tuned serves 10 requests/s with 4 users who do not wait.")


def test_hundreds_of_endpoints_stay_readable(tmp_path):
    """Only the busiest endpoints have rows, and the cure for so many names is said."""
    crowd = window("tuned", ms=[10] * 20)
    for number in range(300):
        crowd.records.add(f"GET /posts/{number}", started=0.0, ms=5.0)
    found = result(("latency", [crowd]), repeat=1, forms=("tuned",))
    assert drawn(found).count("p95 of") == 12
    assert any("more than 100 request names" in note for note in found.notes)
    assert write_report(found, tmp_path).read_text().count("p95 of") == 12


def drawn(found, *, width=120):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render_table(found))
    return console.file.getvalue()


def test_table_begins_with_the_verdict():
    """The first line of the table is the finding, and the figures follow."""
    text = drawn(made())
    assert text.startswith("tuned serves 10.")
    assert re.search(r"queries/request +165 +2 +82\.5x", text)
    assert re.search(r"errors +0 +0", text)


def test_table_fits_a_narrow_terminal():
    """On eighty columns no figure is cut."""
    text = drawn(made(), width=80)
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "not a bench result"),
        ("nonsense", "not a bench result"),
        ('{"schema": 99}', "has schema 99 and this pitstop reads 1"),
    ],
)
def test_foreign_files_are_refused(tmp_path, content, message):
    """A file that is no result of this version is named, with what to do."""
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(BenchError, match=message):
        load_result(tmp_path)


def test_no_result(tmp_path):
    """A directory without a result is named."""
    with pytest.raises(BenchError, match="no result at"):
        load_result(tmp_path)


def test_directory_that_cannot_be(tmp_path):
    """A report that cannot be written says where."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write the report to"):
        write_report(made(), tmp_path / "file" / "out")
