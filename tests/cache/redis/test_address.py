"""URLs of Redis."""

import pytest

from pitstop.cache.redis.address import Address, parse_url
from pitstop.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", Address()),
        ("redis://", Address()),
        ("redis://h:7000/3", Address(host="h", port=7000, db=3)),
        ("redis://h?db=4", Address(host="h", db=4)),
        ("redis://:p%40ss@h/", Address(host="h", password="p@ss")),
        ("redis://us%3Aer:p@h", Address(host="h", username="us:er", password="p")),
        ("redis://[::1]:7000", Address(host="::1", port=7000)),
        ("rediss://h?ssl_cert_reqs=none", Address(host="h", ssl=True, verify=False)),
        ("unix:///run/redis%20.sock?db=1", Address(path="/run/redis .sock", db=1)),
        ("unix://:secret@/run/s", Address(path="/run/s", password="secret")),
    ],
)
def test_one_server(url: str, address: Address) -> None:
    """Each form of an address of one server is read."""
    target = parse_url(url)
    assert (target.kind, target.seeds) == ("direct", (address,))


def test_cluster_and_sentinels() -> None:
    """Several hosts make the seeds of a Cluster, or Sentinels with the name of their master."""
    cluster = parse_url("redis+cluster://u:p@a:7000,b:7001")
    assert [(seed.host, seed.port, seed.username, seed.password) for seed in cluster.seeds] == [
        ("a", 7000, "u", "p"),
        ("b", 7001, "u", "p"),
    ]
    sentinel = parse_url("rediss+sentinel://:p@a,b:5/shop/2?sentinel_password=q")
    assert (sentinel.kind, sentinel.master, sentinel.sentinel_password) == ("sentinel", "shop", "q")
    assert [(seed.host, seed.port, seed.db, seed.ssl) for seed in sentinel.seeds] == [
        ("a", 26379, 2, True),
        ("b", 5, 2, True),
    ]


def test_passwords_are_not_shown() -> None:
    """Neither an address nor a target shows what must stay secret."""
    target = parse_url("redis+sentinel://user:hunter2@h/m?sentinel_password=hunter3")
    for shown in (repr(target), str(target), repr(target.seeds[0]), str(target.seeds[0])):
        assert "hunter" not in shown


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://h", "scheme 'http' is unknown"),
        ("redis+x://h", "scheme 'redis\\+x' is unknown"),
        ("unix+cluster://h", "scheme"),
        ("localhost:6379", "scheme"),
        ("redis://a,b", "several hosts"),
        ("redis://h/x", "'x' is no number"),
        ("redis://h/1/2", "too many parts"),
        ("redis://h:99999999/", "out of range"),
        ("redis+cluster://h/1", "database 0 only"),
        ("redis+sentinel://h", "no name of a master"),
        ("redis://h?decode_responses=1", "'decode_responses' is unknown"),
        ("redis://:pa/ss@h", "must be percent-encoded"),
        ("unix://", "no path"),
    ],
)
def test_other_urls_are_refused(url: str, complaint: str) -> None:
    """What cannot be read is told with the forms that can."""
    with pytest.raises(SettingsError, match=rf"{complaint}.*write redis://user:password@host:6379/0"):
        parse_url(url)


def test_missing_certificates() -> None:
    """A file of certificates that is not there is named."""
    with pytest.raises(SettingsError, match="ssl_ca_certs='/nowhere' cannot be read"):
        parse_url("rediss://h?ssl_ca_certs=/nowhere").seeds[0].tls()
