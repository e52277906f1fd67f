"""TLS, through a proxy that speaks it in front of a real server (the server of the wheel does not)."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pitstop.cache.redis.topology import Client
from pitstop.errors import RedisUnavailable
from tests.cache.server import OwnRedis


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody has signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on the PATH to make a certificate with")
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-nodes"]
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        *subject,
        "-out",
        files[0],
        "-keyout",
        files[1],
    ]
    subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture
async def tls_port(own_redis: OwnRedis, certificate: tuple[Path, Path]) -> AsyncIterator[int]:
    """The port of the proxy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    tasks: set[asyncio.Task[None]] = set()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", own_redis.port)
        ways = [
            asyncio.create_task(pump(reader, server_writer)),
            asyncio.create_task(pump(server_reader, writer)),
        ]
        tasks.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for each in (server_writer, writer):
            each.transport.abort()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield proxy.sockets[0].getsockname()[1]
    proxy.close()
    await asyncio.wait(tasks, timeout=5.0) if tasks else None
    await asyncio.sleep(0.05)


async def test_tls(tls_port: int, certificate: tuple[Path, Path]) -> None:
    """Both worlds speak TLS, big values included."""
    client = Client(f"rediss://localhost:{tls_port}/0?ssl_ca_certs={certificate[0]}")
    value = bytes(range(256)) * 4000
    commands = [(b"SET", b"k", value), (b"GET", b"k")]
    assert await client.run(commands, seconds=20.0) == [b"OK", value]
    for _ in range(3):
        assert await asyncio.to_thread(client.run_blocking, commands, seconds=20.0) == [b"OK", value]
    ids = [await asyncio.to_thread(client.run_blocking, [(b"CLIENT", b"ID")], seconds=5.0) for _ in range(3)]
    assert ids[0] == ids[1] == ids[2]
    await client.close()


async def test_unknown_certificate(tls_port: int) -> None:
    """A certificate that nobody vouches for is refused, unless checks are switched off."""
    with pytest.raises(RedisUnavailable, match="certificate verify failed"):
        await Client(f"rediss://localhost:{tls_port}").run([(b"PING",)], seconds=5.0)
    client = Client(f"rediss://localhost:{tls_port}?ssl_cert_reqs=none")
    assert await client.run([(b"PING",)], seconds=5.0) == [b"PONG"]
    await client.close()
