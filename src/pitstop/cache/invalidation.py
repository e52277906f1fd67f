"""Invalidation: the protocol of a writer, as flows; by hand, and around a commit."""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from pitstop.cache.changes import ChangeLog
from pitstop.cache.clock import clock
from pitstop.cache.coherence import Coherence
from pitstop.cache.commands import FENCE_SECONDS, Command, Commands
from pitstop.cache.driver import AsyncDriver, BlockingDriver
from pitstop.cache.effects import Steps, Wait, checked
from pitstop.cache.memory import Memory
from pitstop.cache.messages import EVERYTHING, Announcement, encode_announcement
from pitstop.cache.request import KEY_TAG, key_tag
from pitstop.errors import RedisUnavailable

__all__ = ["FENCE_SECONDS", "Fence", "Invalidation"]

log = logging.getLogger("pitstop.cache")

_TOKEN_SECONDS = 86_400.0
# of a lease, so that a writer waits no longer than one in all; a holder stops sooner (see Policy), by more
# than clocks of two machines differ in that time
_WAITED = 0.95
_JOIN_SECONDS = 1.0
_AT_ONCE = 500  # tags in one exchange


@dataclass(frozen=True, slots=True)
class Fence:
    """A fence that stands.

    Attributes:
        id: 16 characters.
        tags: internal names of what it fences.
        until: when it runs out, by :data:`pitstop.cache.clock.clock`.
    """

    id: bytes
    tags: tuple[str, ...]
    until: float


class Invalidation:
    """Makes every process drop what has changed.

    Args:
        commands, changes, memory, coherence: of the cache; no coherence without Redis.
        driver, blocking: drive the flows.
        lease: seconds.
        strict: whether to wait until every process has dropped it.
        forgives: whether to go on when Redis cannot be told (it is told later), or to raise.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        changes: ChangeLog,
        memory: Memory,
        coherence: Coherence | None,
        driver: AsyncDriver,
        blocking: BlockingDriver,
        lease: float,
        strict: bool,
        forgives: bool,
    ) -> None:
        self._commands = commands
        self._changes = changes
        self._memory = memory
        self._coherence = coherence
        self._driver = driver
        self._blocking = blocking
        self._lease = lease
        self._strict = strict
        self._forgives = forgives
        self._lock = threading.Lock()
        self._pending: dict[str, None] = {}
        self._away_since: float | None = None
        self._unfenced = 0
        self.standing: dict[bytes, Fence] = {}
        self._vain: dict[bytes, tuple[str, ...]] = {}

    async def tags(self, tags: Iterable[str]) -> None:
        """Invalidate tags, by their internal names. When it returns, nobody serves what carried them.

        Raises:
            RedisUnavailable: Redis cannot be told now; it is told as soon as it is back.
        """
        await self._driver.drive(self._tags(tuple(tags)))

    def tags_blocking(self, tags: Iterable[str]) -> None:
        """The same in blocking code."""
        self._blocking.drive(self._tags(tuple(tags)))

    async def drop(self, keys: Iterable[str]) -> None:
        """Drop the values of keys, as :meth:`tags` does those of tags."""
        await self._driver.drive(self._drop(tuple(keys)))

    def drop_blocking(self, keys: Iterable[str]) -> None:
        """The same in blocking code."""
        self._blocking.drive(self._drop(tuple(keys)))

    async def forget_everything(self) -> None:
        """Have every process drop what it has in memory; nobody waits for acknowledgements.

        Raises:
            RedisUnavailable: they cannot be told.
        """
        if self._coherence is not None:
            message = Announcement(_new_id(), b"", False, (EVERYTHING,))
            checked(await self._driver.run([self._commands.publish(encode_announcement(message))]))

    @property
    def has_unfenced(self) -> bool:
        """Whether commits are under way without a fence, which somebody may read before Redis is told."""
        return self._unfenced > 0

    @property
    def pending(self) -> tuple[str, ...]:
        """What Redis is still to be told."""
        return tuple(self._pending)

    def _tags(self, tags: tuple[str, ...]) -> Steps[None]:
        """As a writer does it, without a commit between fence and release. To replace the tokens and then to
        tell is not enough: a load that learns its tags from what it reads asks for their tokens after it.
        """
        if not tags:
            return
        try:
            yield from self.release((yield from self.fence(tags)))
        except RedisUnavailable:
            yield from self._told_late_or_refused(tags)

    def _drop(self, keys: tuple[str, ...]) -> Steps[None]:
        tags = tuple(map(key_tag, keys))
        if not tags:
            return
        if self._coherence is None:
            self._write_down(tags)
            return
        try:
            yield from self._joined(self._coherence)
            checked((yield [self._voiding(tag) for tag in tags]))
            self._write_down(tags)
            yield from self._announce(tags, self._coherence, fence=_new_id())
        except RedisUnavailable:
            yield from self._told_late_or_refused(tags)

    def _told_late_or_refused(self, tags: tuple[str, ...]) -> Steps[None]:
        told = yield from self._told_late(tags)
        if not told and not self._forgives:
            raise RedisUnavailable(
                f"redis cannot be told that {len(tags)} tags changed; it is told when it is back"
            )

    def _told_late(self, tags: tuple[str, ...]) -> Steps[bool]:
        """What could not be told is told after all, or when it ends nobody else relies on Redis any more.

        Returns:
            whether it is told, and known to everybody.
        """
        self._write_down(tags)
        self.remember(tags)
        yield from self.wait_out()
        try:
            yield from self._replayed(tags)
        except RedisUnavailable:
            yield from self.wait_out()
            return False
        if self._strict:
            # there may be no lease to be acknowledged to; who does not hear of it within one has none either
            yield Wait(Future(), self._lease * _WAITED)
        return True

    def _write_down(self, tags: tuple[str, ...]) -> None:
        self._changes.record(tags)
        for tag in tags:
            if tag.startswith(KEY_TAG):
                self._memory.drop(tag.removeprefix(KEY_TAG))

    def _voiding(self, tag: str) -> Command:
        if tag.startswith(KEY_TAG):
            return self._commands.drop(tag.removeprefix(KEY_TAG))
        return self._commands.release(tag, b"", seconds=_TOKEN_SECONDS)

    def _joined(self, coherence: Coherence) -> Steps[None]:
        """A lease, which is needed to be acknowledged to."""
        coherence.start()
        until = clock() + self._patience()
        while not coherence.is_held:
            renewed, left = coherence.renewed(), until - clock()
            if not coherence.is_held and (left <= 0 or not (yield Wait(renewed, left))):
                raise RedisUnavailable("no lease could be had")

    def _patience(self) -> float:
        """Seconds to wait for a lease: none if Redis has been away for a while."""
        return _JOIN_SECONDS if self._away_since is None else 0.0

    def replaced(self, keys: tuple[str, ...], commands: list[Command]) -> Steps[bool]:
        """Store new values of keys and have every process drop the old ones; False if Redis is away."""
        tags = tuple(map(key_tag, keys))
        if self._coherence is None:
            return False
        try:
            yield from self._joined(self._coherence)
            checked((yield commands))
            self._write_down(tags)
            yield from self._announce(tags, self._coherence, fence=_new_id())
        except RedisUnavailable:
            self._write_down(tags)
            self.remember(tags)
            return False
        return True

    def fence(self, tags: tuple[str, ...]) -> Steps[Fence]:
        """Fence tags and have everybody know: after it nobody serves or keeps what carries them.

        Raises:
            RedisUnavailable: the fence cannot be written.
        """
        coherence, fence = self._coherence, _new_id()
        if coherence is None:
            self._changes.open(fence, tags, until=clock() + FENCE_SECONDS)
            return Fence(fence, tags, clock() + FENCE_SECONDS)
        yield from self._joined(coherence)
        until = clock() + FENCE_SECONDS  # by our clock it ends sooner than by that of Redis
        standing = Fence(fence, tags, until)
        # in one exchange: all that matters is that both are done, and written down here, before COMMIT
        fenced = [self._commands.fence(tag, fence, seconds=FENCE_SECONDS) for tag in tags]
        try:
            yield from self._announce(
                tags, coherence, fence=fence, first=fenced, told=lambda: self._fenced(standing)
            )
        except BaseException:
            self.standing.pop(fence, None)
            self._changes.close(fence, tags)
            self._vain[fence] = tags
            raise
        self._away_since = None
        return standing

    def _fenced(self, fence: Fence) -> None:
        self._changes.open(fence.id, fence.tags, until=fence.until)
        self.standing[fence.id] = fence

    def renewals(self) -> list[Command]:
        """The commands that keep the fences of commits that take long; in the coherence thread."""
        now = clock()
        commands = []
        for fence in list(self.standing.values()):
            if fence.until - now > FENCE_SECONDS * 2 / 3:
                continue
            renewed = replace(fence, until=now + FENCE_SECONDS)
            if self.standing.get(fence.id) is fence:
                self.standing[fence.id] = renewed
                self._changes.open(fence.id, fence.tags, until=renewed.until)
                commands += self._renewed(renewed)
        return commands

    def _renewed(self, fence: Fence) -> list[Command]:
        assert self._coherence is not None, "fences are renewed by the holder of a lease"
        message = Announcement(fence.id, self._coherence.holder, False, fence.tags, FENCE_SECONDS)
        fenced = [self._commands.fence(tag, fence.id, seconds=FENCE_SECONDS) for tag in fence.tags]
        announced = self._commands.announce(encode_announcement(message), fence.id, seconds=FENCE_SECONDS)
        return [*fenced, announced]

    def release(self, fence: Fence) -> Steps[None]:
        """Take a fence off: what it fenced has changed, or may have.

        Raises nothing: what cannot be told now is told later, and the fence runs out by itself.
        """
        self.standing.pop(fence.id, None)
        self._changes.close(fence.id, fence.tags)
        coherence = self._coherence
        if coherence is None:
            return
        try:
            message = encode_announcement(Announcement(fence.id, coherence.holder, False, fence.tags))
            commands = [self._commands.release(tag, fence.id, seconds=_TOKEN_SECONDS) for tag in fence.tags]
            *stood, _ = checked((yield [*commands, self._commands.tell(message, fence.id)]))
            if not all(stood):  # the server has lost it: somebody may have kept what was before the commit
                yield from self._announce(fence.tags, coherence, fence=_new_id())
        except RedisUnavailable:  # it may be away because it was started anew, without the fence
            yield from self._told_late(fence.tags)

    def abandon(self, fence: Fence) -> None:
        """Let a fence run out: nobody knows whether what it fenced was committed, or will be."""
        self.standing.pop(fence.id, None)

    def sweep(self) -> None:
        """Take off the fences that were put up in vain; in the coherence thread, at each renewal."""
        for fence, tags in list(self._vain.items()):
            try:
                self._blocking.drive(self._taken_off(fence, tags))
            except RedisUnavailable:
                return  # next time; or it runs out by itself
            del self._vain[fence]

    def _taken_off(self, fence: bytes, tags: tuple[str, ...]) -> Steps[None]:
        checked((yield [self._commands.release(tag, fence, seconds=_TOKEN_SECONDS) for tag in tags]))
        message = Announcement(fence, b"", False, tags)
        checked((yield [self._commands.tell(encode_announcement(message), fence)]))

    def _announce(
        self,
        tags: tuple[str, ...],
        coherence: Coherence,
        *,
        fence: bytes,
        first: Sequence[Command] = (),
        told: Callable[[], None] | None = None,
    ) -> Steps[None]:
        """Tell all holders, and in strict mode wait until each has acknowledged or lost its lease.

        Args:
            first: the commands that put the fence up; none if there is no fence.
            told: called when all is sent, before anybody is waited for.
        """
        own, seconds = coherence.holder, FENCE_SECONDS if first else 0.0
        gathered = coherence.gather(fence)
        try:
            message = encode_announcement(Announcement(fence, own, self._strict, tags, seconds))
            announce = self._commands.announce(message, fence, seconds=seconds)
            *_, (age, flat) = checked((yield [*first, announce]))
            if told is not None:
                told()
            holders = dict(zip(flat[::2], flat[1::2], strict=True))
            holders.pop(own, None)
            gathered.expect(holders)
            if not self._strict:
                return
            lease = self._lease * _WAITED
            if not (yield Wait(gathered.done, lease)):
                yield [self._commands.remove(gathered.silent())]
            elif age < lease * 1000:  # who held a lease before this epoch began is not among the holders
                yield Wait(Future(), lease - max(0, age) / 1000)
        finally:
            coherence.settle(fence)

    def wait_out(self, *, whole: bool = False) -> Steps[bool]:
        """Wait until everybody else who has lost Redis must have noticed; less if Redis answers meanwhile.

        Args:
            whole: wait so long from now, whether or not it answers.

        Returns:
            whether nothing is heard of Redis any more: who depends on it has stopped.
        """
        coherence = self._coherence
        if coherence is None or not self._strict:
            return True
        if whole or self._away_since is None or coherence.answered > self._away_since:
            self._away_since = clock()  # from the failure: others may have renewed just before it
        since = self._away_since
        while (left := since + self._lease * _WAITED - clock()) > 0:
            yield Wait(coherence.renewed(), left)
            if coherence.answered > since and not whole:
                return False
        return True

    def begin_unfenced(self) -> None:
        """A commit goes on without a fence: this process does without Redis until it is over and told."""
        with self._lock:
            self._unfenced += 1
        if self._coherence is not None:
            self._coherence.distrust()

    def end_unfenced(self, tags: tuple[str, ...]) -> Steps[None]:
        """That commit is over; tell Redis what it changed now, should it just be back, or later."""
        with self._lock:
            self._unfenced -= 1
        if tags:
            yield from self._told_late(tags)
        elif self._coherence is not None:
            self._coherence.distrust()  # the next lease may be approved

    def remember(self, tags: Iterable[str]) -> None:
        """Tell Redis later; until then this process does without it."""
        with self._lock:
            self._pending.update(dict.fromkeys(tags))
        if self._coherence is not None:
            self._coherence.distrust()

    def replay(self) -> None:
        """Tell Redis what it is still to be told; in the coherence thread, before a lease.

        Raises:
            RedisUnavailable: it cannot be told.
        """
        with self._lock:
            tags = tuple(self._pending)
        if not tags:
            return
        self._blocking.drive(self._replayed(tags))
        with self._lock:
            for tag in tags:
                self._pending.pop(tag, None)
        log.info("told redis of %d tags that changed while it was away", len(tags))

    def telling(self, tags: tuple[str, ...]) -> Steps[None]:
        """Tell of changes that were written down elsewhere; nobody waits for acknowledgements.

        Raises:
            RedisUnavailable: it cannot be told, or only a part.
        """
        for at in range(0, len(tags), _AT_ONCE):
            yield from self._replayed(tags[at : at + _AT_ONCE])

    def _replayed(self, tags: tuple[str, ...]) -> Steps[None]:
        """Told before and after: whoever asks for a new token has heard of it."""
        fence = _new_id()
        opening = encode_announcement(Announcement(fence, b"", False, tags, FENCE_SECONDS))
        checked((yield [self._commands.tell(opening, fence)]))
        checked((yield [self._voiding(tag) for tag in tags]))
        closing = encode_announcement(Announcement(fence, b"", False, tags))
        checked((yield [self._commands.tell(closing, fence)]))


def _new_id() -> bytes:
    return os.urandom(8).hex().encode()
