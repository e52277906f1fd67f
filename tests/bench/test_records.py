"""The file between the generator and the run."""

from pitstop.bench.records import (
    ENDPOINTS,
    MESSAGE_CHARS,
    MESSAGES,
    OTHER_ENDPOINTS,
    Records,
    read_records,
    write_records,
)


def test_round_trip(tmp_path):
    """Everything that is written is read again, and no unfinished file stays."""
    records = Records(users=3, window_s=1.5, stuck=1, generator_cpu=0.25)
    records.add("GET /a", started=0.25, ms=12.5)
    records.add("GET /글", started=0.5, ms=1.25, error="HTTP 500: ä")
    records.add("GET /a", started=0.75, ms=2.5)
    write_records(tmp_path / "records", records)
    assert read_records(tmp_path / "records") == records
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_messages_are_bounded():
    """A server that never fails twice with the same words cannot fill the memory."""
    records = Records()
    for number in range(10_000):
        records.add("GET /", started=0.0, ms=1.0, error=f"{number} " + "x" * 10_000)
    assert len(records.outcomes) == MESSAGES + 1
    assert all(len(message) <= MESSAGE_CHARS for message in records.outcomes)
    assert len(records) == 10_000
    assert all(records.outcome)


def test_endpoints_are_bounded():
    """A locustfile that names no request does not make a column of each id."""
    records = Records()
    for number in range(1000):
        records.add(f"GET /posts/{number}", started=0.0, ms=1.0)
    assert len(records.endpoints) == ENDPOINTS + 1
    assert records.endpoints[records.endpoint[-1]] == OTHER_ENDPOINTS
    assert records.endpoints[records.endpoint[7]] == "GET /posts/7"
