"""The client: one URL, whatever stands behind it; for asynchronous and synchronous code."""

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from hiredis import ReplyError

from pitstop.cache.redis.address import Address, Target, parse_url
from pitstop.cache.redis.backoff import Backoff
from pitstop.cache.redis.blocking import BlockingConnection, Sent
from pitstop.cache.redis.discovery import Topology, discover
from pitstop.cache.redis.errand import Errand, wire_form
from pitstop.cache.redis.handshake import Command
from pitstop.cache.redis.pool import LoopPool
from pitstop.cache.redis.servers import QUESTION, Servers, run_id_in
from pitstop.cache.redis.wire import Wire
from pitstop.errors import PitstopError, RedisUnavailable

__all__ = ["Client"]

REFRESH_SECONDS = 0.1  # the topology is asked for no more often than this

_CLIENTS: "weakref.WeakSet[Client]" = weakref.WeakSet()
_PARENTS: list[LoopPool] = []  # kept for ever: their end would speak to the loop of the parent


class Client:
    """Commands to a Redis, to the master that Sentinels name, or to a Cluster. It connects when first used.

    In a Cluster each command goes to the owner of its key: the first argument, or the first of ``KEYS``; an
    MGET is split and joined again, other commands must have their keys in one slot. Redirections and
    fail-overs are followed. A script that a server does not know is sent again in full. What is sent again is
    carried out after the rest of its call: give commands that must keep an order to calls of their own, or to
    one script. Usable from every thread and event loop; each loop has connections of its own, which end
    with it.

    Args:
        url: see :func:`~pitstop.cache.redis.address.parse_url`.
        connect_seconds: to wait for each connection and its greeting.

    Attributes:
        servers: which are trusted.

    Raises:
        SettingsError: the URL cannot be read.
    """

    def __init__(self, url: str, *, connect_seconds: float = 1.0) -> None:
        self.target: Target = parse_url(url)
        self._connect_seconds = connect_seconds
        self._topology: Topology | None = None
        self._pools: dict[asyncio.AbstractEventLoop, LoopPool] = {}
        self._blocking: dict[Address, BlockingConnection] = {}
        self.servers = Servers()
        self._begin()
        _CLIENTS.add(self)

    def ask(self, packed: bytes, *, seconds: float) -> "asyncio.Future[list[Any]] | None":
        """Send one packed command the shortest way: to one server that is known and connected; else None.

        Args:
            packed: by ``hiredis.pack_command``.
            seconds: to wait for the reply.
        """
        topology = self._topology
        if topology is None or topology.owners or self._stale:
            return None
        pool = self._pools.get(asyncio.get_running_loop())
        link = None if pool is None else pool.connection(topology.masters[0]).link
        return None if link is None or link.lost is not None else link.ask_packed((packed,), seconds)

    async def run(
        self,
        commands: Sequence[Command],
        *,
        seconds: float,
        key: bytes | None = None,
        address: Address | None = None,
    ) -> list[Any]:
        """Send commands and wait for their replies, in order.

        Args:
            commands: what to send; in a Cluster those for different servers run side by side.
            seconds: to wait for all of it.
            key: commands without a key go to the owner of this one; else to one that is the same for all.
            address: send everything to this server instead.

        Raises:
            RedisUnavailable: a server cannot be reached, is lost meanwhile, or does not answer in time.
                Commands may have been carried out.
            SettingsError: the URL names another kind of server than is there.
        """
        topology = self._topology
        if topology is None or topology.owners or address is not None or self._stale:
            deadline = time.monotonic() + seconds
            topology = await self._known(seconds)
            errand = Errand(commands, key=key, address=address, split=bool(topology.owners))
            return await self._carry(errand, deadline)
        pool = self._pools.get(asyncio.get_running_loop()) or await self._pool()
        try:
            replies = await pool.connection(topology.masters[0]).run(commands, seconds=seconds)
        except RedisUnavailable:
            self._changed()
            raise
        for reply in replies:
            if type(reply) is ReplyError:
                return await self._mend(commands, replies, topology.masters[0], seconds)
        return replies

    def run_blocking(
        self,
        commands: Sequence[Command],
        *,
        seconds: float,
        key: bytes | None = None,
        address: Address | None = None,
    ) -> list[Any]:
        """The same as :meth:`run` for synchronous code, in any thread."""
        deadline = time.monotonic() + seconds
        topology = self._known_blocking()
        errand = Errand(commands, key=key, address=address, split=bool(topology.owners))
        while errand.pieces:
            _pause_blocking(errand, deadline)
            self._refresh_if_stale()
            batches = errand.batches(self._topology or topology)
            try:
                for (where, pieces), replies in zip(batches, self._ask_all(batches, deadline), strict=True):
                    errand.take(where, pieces, replies)
            except RedisUnavailable:
                self._changed()
                raise
            if errand.stale:
                self._changed()
            for where in errand.demoted:  # its name may lead to another server by now
                self._blocking[where].close()
        return errand.replies

    def retry(self) -> None:
        """A server answers: wait for no pause that failures have begun. For any thread."""
        self._backoff.succeeded()
        for pool in list(self._pools.values()):
            pool.retry()
        for connection in list(self._blocking.values()):
            connection.retry()

    async def masters(self, *, seconds: float) -> tuple[Address, ...]:
        """Every server that takes writes, for commands that concern each of them.

        Raises:
            RedisUnavailable: nobody answers within ``seconds``.
        """
        return (await self._known(seconds)).masters

    def masters_blocking(self) -> tuple[Address, ...]:
        """The same as :meth:`masters` for synchronous code."""
        return self._known_blocking().masters

    def coordination_address(self, key: bytes, *, fresh: bool = False) -> Address:
        """The server that owns a key; blocks while it is asked for.

        Args:
            key: the key.
            fresh: ask again, because the former answer did not lead to a master.

        Raises:
            RedisUnavailable: nobody answers.
        """
        if fresh:
            self._discover(self._topology)
        return self._known_blocking().owner(key)

    def trust_servers(self, run_id: bytes, *, seconds: float) -> bytes:
        """Trust the servers that are there now, and no others; blocks while they are asked.

        Args:
            run_id: of the server that coordinates.
            seconds: to wait for each.

        Returns:
            what stands for all of them together: of one server, its run id.

        Raises:
            RedisUnavailable: one does not answer.
        """
        topology, run_ids = self._known_blocking(), {run_id}
        if topology.owners:
            topology = self._discover(topology)
            run_ids.update(self.run_id(each, seconds=seconds) for each in topology.masters)
        if self.servers.trust(frozenset(run_ids)):
            for pool in list(self._pools.values()):
                pool.drop_all()
            for connection in list(self._blocking.values()):
                connection.close()
        if not topology.owners:
            return run_id
        return blake2b(b" ".join(sorted(run_ids)), digest_size=20).hexdigest().encode()

    def run_id(self, address: Address, *, seconds: float = 1.0) -> bytes:
        """What a server calls the time since its start; blocks.

        Raises:
            RedisUnavailable: it does not answer.
        """
        wire = Wire(address, connect_seconds=min(seconds, self._connect_seconds))
        try:
            return run_id_in(address, wire.blocking([QUESTION], seconds)[0])
        finally:
            wire.close()

    async def close(self) -> None:
        """Close every connection; of other loops without waiting. The next call connects again."""
        here = asyncio.get_running_loop()
        with self._pools_lock:
            pools, self._pools = self._pools, {}
        for loop, pool in pools.items():
            if loop is here:
                await pool.close()
            else:
                pool.abandon()
        self.close_blocking()

    def close_blocking(self) -> None:
        """Close the connections of synchronous code."""
        for connection in list(self._blocking.values()):
            connection.close()

    def reset_after_fork(self) -> None:
        """In a child process: forget all connections: they are the parent's. ``os.fork`` calls it."""
        for pool in self._pools.values():
            pool.reset_after_fork()
        _PARENTS.extend(self._pools.values())
        self._pools = {}
        for connection in self._blocking.values():
            connection.reset_after_fork()
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()  # held while servers are asked: never taken by an event loop
        self._pools_lock = threading.Lock()
        self._backoff = Backoff()
        self._stale = False
        self._refreshing = False
        self._refresh_at = 0.0

    async def _carry(self, errand: Errand, deadline: float) -> list[Any]:
        """Rounds until every command has its reply."""
        while errand.pieces:
            if errand.pause:
                await asyncio.sleep(min(errand.pause, max(0.0, deadline - time.monotonic())))
            batches = errand.batches(await self._known(deadline - time.monotonic()))
            pool = self._pools.get(asyncio.get_running_loop()) or await self._pool()
            seconds = deadline - time.monotonic()
            results = await asyncio.gather(
                *[
                    pool.connection(where).run(wire_form(pieces), seconds=seconds)
                    for where, pieces in batches
                ],
                return_exceptions=True,
            )
            for (where, pieces), result in zip(batches, results, strict=True):
                if isinstance(result, BaseException):
                    self._changed()
                    raise result
                errand.take(where, pieces, result)
            if errand.stale:
                self._changed()
            pool.drop(errand.demoted)
        return errand.replies

    async def _mend(
        self, commands: Sequence[Command], replies: list[Any], address: Address, seconds: float
    ) -> list[Any]:
        """Go on after replies that hold errors, some of which another round may cure."""
        errand = Errand(commands, key=None, address=None, split=False)
        pieces, errand.pieces = errand.pieces, []
        errand.take(address, pieces, replies)
        return await self._carry(errand, time.monotonic() + seconds)

    def _ask_all(self, batches: Sequence[tuple[Address, Any]], deadline: float) -> list[list[Any]]:
        """Send to every server, then wait for every one."""
        sent: list[Sent] = []
        try:
            for where, pieces in batches:
                connection = self._blocking.get(where)
                if connection is None:
                    fresh = BlockingConnection(
                        where, connect_seconds=self._connect_seconds, servers=self.servers
                    )
                    connection = self._blocking.setdefault(where, fresh)
                sent.append(connection.send(wire_form(pieces), seconds=deadline - time.monotonic()))
            return [each.replies() for each in sent]
        finally:
            for each in sent:
                each.abandon()

    async def _pool(self) -> LoopPool:
        """The connections of the running loop; those of loops that were closed are dropped."""
        loop = asyncio.get_running_loop()
        pool = LoopPool(connect_seconds=self._connect_seconds, servers=self.servers)
        with self._pools_lock:
            self._pools = {each: kept for each, kept in self._pools.items() if not each.is_closed()}
            self._pools[loop] = pool
        return await pool.start()  # without a turn of the loop

    async def _known(self, seconds: float) -> Topology:
        """The topology: at once if there is one, however old."""
        topology = self._topology
        if topology is not None:
            self._refresh_if_stale()
            return topology
        pool = self._pools.get(asyncio.get_running_loop()) or await self._pool()
        await pool.share(self._find, seconds)
        if self._topology is None:
            raise RedisUnavailable(f"redis at {self.target} is unavailable: no answer within {seconds:g} s")
        return self._topology

    async def _find(self) -> PitstopError | None:
        """Discover; an error is returned and not raised: perhaps nobody waits for it any more."""
        try:
            await asyncio.to_thread(self._discover, None)
        except PitstopError as error:
            return error
        return None

    def _known_blocking(self) -> Topology:
        topology = self._topology
        if topology is None:
            return self._discover(None)
        self._refresh_if_stale()
        return topology

    def _discover(self, former: Topology | None) -> Topology:
        """Ask for the topology, unless another thread has done so since ``former``."""
        with self._lock:
            if self._topology is not None and self._topology is not former:
                return self._topology
            self._backoff.check()
            known = former.masters if former is not None and former.owners else ()
            try:
                found = discover(self.target, connect_seconds=self._connect_seconds, known=known)
            except RedisUnavailable as error:
                raise self._backoff.failed(error) from error
            self._backoff.succeeded()
            self._stale = False
            self._refresh_at = time.monotonic() + REFRESH_SECONDS
            if found != former:
                self._topology = found
            return found

    def _changed(self) -> None:
        """Have the topology asked for again, if there is anything to ask."""
        topology = self._topology
        self._stale = self.target.kind == "sentinel" or (topology is not None and bool(topology.owners))

    def _refresh_if_stale(self) -> None:
        """Ask again in a thread: meanwhile the former topology serves, since most of it still holds."""
        if self._stale and not self._refreshing and time.monotonic() >= self._refresh_at:
            self._refreshing = True
            threading.Thread(target=self._refresh, name="pitstop-topology", daemon=True).start()

    def _refresh(self) -> None:
        try:
            self._discover(self._topology)
        except PitstopError:  # still stale: asked again by a later call
            self._refresh_at = time.monotonic() + REFRESH_SECONDS
        finally:
            self._refreshing = False


def _pause_blocking(errand: Errand, deadline: float) -> None:
    if errand.pause:
        time.sleep(min(errand.pause, max(0.0, deadline - time.monotonic())))


def _reset_clients() -> None:
    for client in list(_CLIENTS):
        client.reset_after_fork()


os.register_at_fork(after_in_child=_reset_clients)
