"""Coherence: the thread of a process that holds its lease, hears what others change, and acknowledges it.

One connection carries the renewals and the announcements, so that they keep their order: when a renewal
is answered, everything announced before it has been written into the change log.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from hiredis import PushNotification

from pitstop.cache.changes import ChangeLog
from pitstop.cache.clock import clock
from pitstop.cache.commands import FENCE_SECONDS, TOKEN_BYTES, Commands
from pitstop.cache.messages import EVERYTHING, Announcement, decode_announcement
from pitstop.cache.redis.script import in_full
from pitstop.cache.redis.topology import Client
from pitstop.cache.redis.wire import Wire
from pitstop.cache.request import KEY_TAG
from pitstop.cache.signals import Acknowledgements, Signals, complete
from pitstop.errors import CacheError, RedisUnavailable

__all__ = ["Coherence", "Policy"]

log = logging.getLogger("pitstop.cache")

_TICKS = 3  # renewals within one lease
_HELD = 0.9  # of a lease
_CONNECT_SECONDS = 1.0
_PAUSES = (0.02, 0.05, 0.1, 0.2)  # seconds between attempts to join; the last goes on


class Policy:
    """How long what is remembered may be trusted.

    Args:
        lease: seconds after which nobody waits for a holder any more.
        memory: seconds for which its memory may be served; more than a lease only where reads may be stale.

    Attributes:
        lease, memory: seconds after its last renewal for which a holder does so: a little less, so that who
            waits for the lease to be over has waited no longer than it.
    """

    __slots__ = ("lease", "memory")

    def __init__(self, *, lease: float, memory: float) -> None:
        self.lease = lease * _HELD
        self.memory = memory * _HELD


class Coherence:
    """The lease of this process.

    Args:
        client: the Redis.
        commands: the cache's names and scripts.
        changes: the change log that announcements are written into.
        policy: the times.
        recover: called in the thread before each lease that does not continue the one before: replays
            what could not be told to Redis. Raises to be tried again.
        trusts: asked in the thread when a lease has begun, with its holder: whether what is in Redis may be
            trusted at once, or only after :meth:`approve`.
        tick: called in the thread at each renewal.
        drop: called in the thread with each key that another process has dropped or set.

    Attributes:
        until: what Redis says may be trusted until then, by :data:`pitstop.cache.clock.clock`.
        memory_until: memory may be served until then.
        held_until: a lease is held until then, whether or not it is approved: enough for a writer.
        contact: when the last renewal that was answered had been sent.
        answered: when Redis last answered one.
        holder: the present id of this process; empty before the first lease.
        epoch: the token of the epoch that it belongs to.
        young_until: until then a writer may commit whose fence was lost before that epoch.
        signals: wakes those who wait for another's load, by digest.
        trouble: why the latest attempt to hold a lease failed; empty if none has.
    """

    def __init__(
        self,
        client: Client,
        *,
        commands: Commands,
        changes: ChangeLog,
        policy: Policy,
        recover: Callable[[], None],
        trusts: Callable[[bytes], bool],
        tick: Callable[[], None],
        drop: Callable[[str], None],
    ) -> None:
        self._client = client
        self._commands = commands
        self._changes = changes
        self._policy = policy
        self._recover = recover
        self._trusts = trusts
        self._tick = tick
        self._drop = drop
        self.until = self.memory_until = 0.0
        self.held_until = 0.0
        self.contact = self.answered = clock()
        self.holder, self.trouble = b"", ""
        self.epoch, self.young_until = b"", 0.0
        self._approved = self._trusted = b""
        self.signals = Signals()
        self.paused = False
        self._distrusted = False
        self._failed = False
        self._acknowledgements: dict[bytes, Acknowledgements] = {}
        self._asked: deque[Future[None]] = deque()
        self._expected: deque[Callable[[Any], None]] = deque()
        self._wire: Wire | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def start(self) -> None:
        """Start the thread, unless it runs; also after :meth:`close`."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stop = threading.Event()
                self.contact = clock()
                self._thread = threading.Thread(target=self._run, name="pitstop-cache", daemon=True)
                self._thread.start()

    def close(self, *, seconds: float = 2.0) -> None:
        """Give the lease back and end the thread."""
        self._stop.set()
        self.until = self.memory_until = self.held_until = 0.0
        wire, thread = self._wire, self._thread
        if wire is not None:
            wire.wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)
        with self._lock:
            self._thread = None

    def reset_after_fork(self) -> None:
        """In a child process: the lease and the thread are the parent's."""
        self.until = self.memory_until = self.held_until = 0.0
        self.holder = self._approved = b""
        wire, self._wire, self._thread = self._wire, None, None
        if wire is not None:
            wire.close()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.signals = Signals()
        self._acknowledgements.clear()
        self._asked.clear()
        self._expected.clear()

    @property
    def is_up(self) -> bool:
        """Whether Redis may be used: a lease is held and approved, and nobody waits in vain for an answer."""
        return not self.paused and clock() < self.until

    @property
    def is_held(self) -> bool:
        """Whether others can be told of changes, and can tell us: a lease is held."""
        return clock() < self.held_until

    def pause(self) -> None:
        """Do without Redis until it answers the next renewal: it did not answer somebody in time.

        Memory is served on: the lease tells when that has to end.
        """
        self.paused = True

    def lapse(self) -> None:
        """Trust nothing until the next renewal."""
        self.until = self.memory_until = 0.0

    def distrust(self) -> None:
        """End this lease, and :meth:`recover` before the next: something could not be told to Redis."""
        self._distrusted = True  # before the lapse: a renewal that comes between looks at it last
        self.lapse()
        wire = self._wire
        if wire is not None:
            wire.wake()

    def joined(self) -> "Future[None]":
        """Completes with the next lease; at once if there is one."""
        future = self.signals.expect("joined")
        if self.is_up:
            self.signals.send("joined")
        return future

    def renewed(self) -> "Future[None]":
        """Completes when Redis answers next, or the connection is lost: look at ``answered``."""
        return self.signals.expect("renewed")

    def approve(self, holder: bytes) -> bool:
        """Trust this holder's lease: what others could not tell Redis was told to it under this lease.

        False if it was lost meanwhile: all has to be done again under the next.
        """
        if not holder or holder != self.holder:
            return False
        self._changes.forget()  # before it is trusted: what is in memory may be what was changed
        self._approved = holder
        wire = self._wire
        if wire is not None:
            wire.wake()
        return True

    def barrier(self) -> "Future[None]":
        """Completes when all that was announced before now is in the change log; fails if it is not known."""
        future: Future[None] = Future()
        wire = self._wire
        if wire is None or not self.is_up:
            future.set_exception(RedisUnavailable("no lease is held"))
            return future
        self._asked.append(future)
        wire.wake()
        return future

    def gather(self, fence: bytes) -> Acknowledgements:
        """Begin to collect the acknowledgements of an announcement; before it is sent."""
        gathered = self._acknowledgements[fence] = Acknowledgements()
        return gathered

    def settle(self, fence: bytes) -> None:
        """Collect them no longer."""
        self._acknowledgements.pop(fence, None)

    def _run(self) -> None:
        attempt, said = 0, ""
        while not self._stop.is_set():
            try:
                self._hold()
            except RedisUnavailable as error:
                self.trouble = str(error)
                if self.holder or not attempt:
                    log.warning("the cache goes on without Redis: %s", error)
            except CacheError as error:
                if str(error) != said:  # it may stay so for long
                    log.error("the cache does not use Redis: %s", error)
                said = self.trouble = str(error)
                attempt = len(_PAUSES)
            except Exception:
                log.exception("the cache's connection to Redis failed")
            if self.holder:
                attempt, said = 0, ""
            else:
                attempt += 1
            self._lose()
            self._stop.wait(_PAUSES[min(attempt, len(_PAUSES) - 1)])

    def _lose(self) -> None:
        self.until = self.memory_until = self.held_until = 0.0
        self.holder = self._approved = b""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        self._expected.clear()
        while self._asked:
            complete(self._asked.popleft(), RedisUnavailable("the lease was lost"))
        self._changes.forget()
        self.signals.send_all()

    def _hold(self) -> None:
        """Join, and hold the lease until it is lost or given back."""
        address = self._client.coordination_address(self._commands.epoch, fresh=self._failed)
        self._failed = True
        wire = Wire(address, connect_seconds=_CONNECT_SECONDS)
        self._wire = wire
        holder = os.urandom(8).hex().encode()
        run_id = self._client.trust_servers(self._inspect(wire), seconds=self._policy.lease)
        wire.send((b"SUBSCRIBE", self._commands.channel, self._commands.inbox(holder)))
        self._distrusted = False
        self._recover()
        self._join(wire, holder, run_id)
        while not self._stop.is_set():
            self._renew(wire)
            self._listen(wire, clock() + self._policy.lease / _TICKS)
            self._changes.expire(clock())
            self._tick()
        wire.blocking([self._commands.leave(holder)], _CONNECT_SECONDS)

    def _inspect(self, wire: Wire) -> bytes:
        """The run id of the server, which must not evict what the cache cannot do without."""
        (text,) = wire.blocking([(b"INFO",)], self._policy.lease)
        if not isinstance(text, bytes):
            raise CacheError(f"the server refuses INFO, which the cache needs: {text}")
        facts = dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)
        policy = facts.get(b"maxmemory_policy", b"").decode()
        if policy.startswith("allkeys"):
            raise CacheError(
                f"the server's maxmemory-policy is {policy}, which evicts what keeps the cache from serving "
                "stale data: set noeviction or one of the volatile policies"
            )
        return facts[b"run_id"]

    def _join(self, wire: Wire, holder: bytes, run_id: bytes) -> None:
        join = self._commands.join(holder, run_id, lease=self._policy.lease)
        sent = clock()
        (joined,) = wire.blocking([in_full(join) or join], self._policy.lease)
        if not isinstance(joined, list):
            raise CacheError(f"the server refuses the cache's scripts: {joined}")
        self._failed = False
        self.holder = holder
        self._changes.forget()
        epoch, age_ms, *standing = joined
        self.epoch, self.young_until = epoch[:TOKEN_BYTES], clock() + FENCE_SECONDS - max(0, age_ms) / 1000
        for message in standing:  # announced before we could hear it
            self._write_down(decode_announcement(message))
        self._grant(sent)
        if self._trusts(holder):
            self._approved = holder
            self._trust()

    def _grant(self, sent: float) -> None:
        self._client.retry()  # it answers: who paused after a failure need not wait
        # counted from when it was sent: Redis counts from when it came, which is later
        self.contact = sent
        if self._distrusted:  # this lease ends now
            return
        self.held_until = sent + self._policy.lease
        self.answered = clock()
        self.paused = False
        self.signals.send("renewed")
        if self._approved == self.holder:
            self._trust()

    def _trust(self) -> None:
        self._trusted = self._approved
        self.until = self.contact + self._policy.lease
        self.memory_until = self.contact + self._policy.memory
        if self._distrusted:  # it came between
            self.lapse()
        else:
            self.signals.send("joined")

    def _renew(self, wire: Wire) -> None:
        sent = clock()

        def renewed(reply: Any) -> None:
            if reply != 1:
                raise RedisUnavailable("the lease or its epoch is over; everything in memory is dropped")
            self._grant(sent)

        renew = self._commands.renew(self.holder, self.epoch, lease=self._policy.lease)
        self._send(wire, in_full(renew) or renew, renewed)

    def _send(self, wire: Wire, command: tuple[bytes, ...], heard: Callable[[Any], None]) -> None:
        self._expected.append(heard)
        wire.send(command)

    def _listen(self, wire: Wire, until: float) -> None:
        while (left := until - clock()) > 0 and not self._stop.is_set():
            if self._distrusted:
                raise RedisUnavailable("something waits to be told to Redis")
            if self._client.servers.strange:
                raise RedisUnavailable("another server has taken the place of one: what it holds may be old")
            for frame in wire.receive(left):
                self._hear(wire, frame)
            if self._approved == self.holder != self._trusted:
                self._trust()
            while self._asked:
                self._send(wire, (b"PING",), _completing(self._asked.popleft()))
        if self._expected and clock() - self.contact > 2 * self._policy.lease:
            raise RedisUnavailable(f"no answer within {2 * self._policy.lease:g} s")

    def _hear(self, wire: Wire, frame: Any) -> None:
        if not isinstance(frame, PushNotification):
            self._expected.popleft()(frame)
        elif frame[0] == b"message" and frame[1] == self._commands.channel:
            self._change(wire, frame[2])
        elif frame[0] == b"message":
            self._read(frame[2])

    def _change(self, wire: Wire, message: bytes) -> None:
        announced = decode_announcement(message)
        if announced.sender == self.holder:
            return  # written down when it was sent
        self._write_down(announced)
        if announced.waits:
            inbox = self._commands.inbox(announced.sender)
            self._send(wire, (b"PUBLISH", inbox, b"a" + announced.fence + self.holder), _ignore)

    def _write_down(self, announced: Announcement) -> None:
        if EVERYTHING in announced.tags:
            self._changes.forget()
        elif announced.seconds:
            self._changes.open(announced.fence, announced.tags, until=clock() + announced.seconds)
        else:
            self._changes.close(announced.fence, announced.tags)
            for tag in announced.tags:
                if tag.startswith(KEY_TAG):
                    self._drop(tag.removeprefix(KEY_TAG))

    def _read(self, message: bytes) -> None:
        if message[:1] == b"f":
            self.signals.send(message[1:].decode())
            return
        fence, holder = message[1:17], message[17:]
        gathered = self._acknowledgements.get(fence)
        if gathered is not None:
            gathered.hear(holder)


def _completing(future: "Future[None]") -> Callable[[Any], None]:
    return lambda reply: complete(future)


def _ignore(reply: Any) -> None:
    """The number of receivers of an acknowledgement."""
