"""What happens on a miss: the protocol of a load, as generators that send nothing themselves.

They yield what they need (commands for Redis, the call of the function, a wait, a barrier) and are given the
outcome; :mod:`pitstop.cache.loads` drives them in async and in sync code.
"""

import logging
import os
import time
from typing import Any

from pitstop.cache import ttl
from pitstop.cache.annotations import is_used_up, mapped_in
from pitstop.cache.changes import ChangeLog
from pitstop.cache.clock import clock
from pitstop.cache.coherence import Coherence
from pitstop.cache.commands import Command, Commands, is_clean, may_have_run_out
from pitstop.cache.compression import compress
from pitstop.cache.effects import Barrier, Call, Called, Flow, Outcome, Steps, Wait, checked
from pitstop.cache.entry import COMPRESSED, NEGATIVE, TOKEN_BYTES, pack
from pitstop.cache.look import PYTHON_SIZE, Looks, Sight
from pitstop.cache.memory import Held, Memory, size_of
from pitstop.cache.notes import Notes
from pitstop.cache.request import Request
from pitstop.cache.stats import Stats
from pitstop.cache.watch import look_at_arguments
from pitstop.errors import RedisUnavailable, UncacheableValue

__all__ = ["LOCK_SECONDS", "Flows"]

log = logging.getLogger("pitstop.cache")

LOCK_SECONDS = 5.0
_KEPT_TAGS = 64
_CHANGED = "what it read was changed meanwhile"


class Flows(Looks):
    """The flows of one cache.

    Args:
        commands: names and scripts.
        changes: the change log.
        memory: of this process.
        coherence: the lease; None without Redis.
        stats: what is counted.
        keeping: load locks that are held, by load: the key, and since when; 0 for one to be given back.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        changes: ChangeLog,
        memory: Memory,
        coherence: Coherence | None,
        stats: Stats,
        keeping: dict[bytes, tuple[str, float]],
    ) -> None:
        super().__init__(commands, changes=changes, memory=memory, coherence=coherence, stats=stats)
        self._keeping = keeping
        self._unstorable: set[str] = set()

    def fetch(self, request: Request) -> Flow:
        """The value of a call that is not in memory."""
        start = self._changes.changes
        coherence = self._coherence
        if coherence is None:
            return (yield from self._load_alone(request, start))
        if not coherence.is_up:
            return (yield from self._bypass(request, start, "redis is away"))
        try:
            missed = self._missed(request)
            if missed is None:
                sight = yield from self._look(request)
            else:
                sight, start = missed
        except RedisUnavailable:
            coherence.pause()
            return (yield from self._bypass(request, start, "redis is away"))
        found = self._take(request, sight, start)
        if found is not None:
            return found
        if request.private:
            return (yield from self._bypass(request, start, request.private))
        return (yield from self._load_locked(request, sight, start, coherence))

    def prepared(self, request: Request, value: Any, tags: tuple[str, ...]) -> Steps[list[Command]]:
        """The commands that store a value given by hand; none while a writer is at work on its tags."""
        sight = yield from self._look(request)
        yield from self._renewed(request, sight)
        notes = Notes(self._changes, start=0, track=False)
        notes.depend(tags)
        every, tokens = yield from self._captured(request, sight, notes, self._changes.changes)
        if not all(map(is_clean, tokens)):
            return []
        called = Called(value, None, 0.0)
        payload = request.recipe.codec.checked_encode(value)
        fresh = self._fresh_seconds(request, called)
        stored = self._packed(request, called, payload, every, tokens, fresh)
        renewed = [self._commands.renew_token(tag, seconds=self._token_seconds(request)) for tag in every]
        return [self._commands.put(request.key, stored, seconds=fresh), *renewed]

    def _renewed(self, request: Request, sight: Sight) -> Steps[None]:
        """Have the tokens made that are missing or whose fences have run out."""
        asked = _to_be_made(sight)
        if asked:
            replies = yield self._making(request, asked)
            for at, reply in zip(asked, checked(replies), strict=True):
                sight.tokens[at] = reply

    def _making(self, request: Request, asked: list[int]) -> list[Command]:
        if not asked:
            return []
        seconds = self._token_seconds(request)
        return [self._commands.ask_token(request.tags[at - 1], seconds=seconds) for at in asked]

    def _load_locked(self, request: Request, sight: Sight, start: int, coherence: Coherence) -> Flow:
        """Load as the only one of all processes, or take what another has loaded meanwhile."""
        load = os.urandom(8).hex().encode()
        try:
            for waited in (False, True):
                asked = _to_be_made(sight)
                why = _obstacle(sight, asked, coherence.epoch)
                if why:
                    return (yield from self._bypass(request, start, why))
                woken = coherence.signals.expect(request.key)
                try:
                    # who has waited for nothing does not wait again: callers would load one after the other
                    taken = yield from self._take_lock(request, sight, asked, load, coherence, seize=waited)
                    if taken and not sight.clean:
                        self._keeping[load] = (request.key, 0.0)  # to be given back
                        return (yield from self._bypass(request, start, "a writer is at work"))
                    if taken:
                        return (yield from self._load_and_fill(request, sight, start, load))
                    if request.mode == "renew":
                        return Outcome(None, (), missing=True)
                    if taken is not None:
                        yield Wait(woken, LOCK_SECONDS)
                finally:
                    coherence.signals.forget(request.key, woken)
                start = self._changes.changes
                sight = yield from self._look(request)
                request = request.to("read") if request.mode == "early" else request  # another has loaded it
                found = self._take(request, sight, start)
                if found is not None:
                    return found
        except RedisUnavailable:
            coherence.pause()
        return (yield from self._bypass(request, start, "redis is away"))

    def _take_lock(
        self,
        request: Request,
        sight: Sight,
        asked: list[int],
        load: bytes,
        coherence: Coherence,
        *,
        seize: bool,
    ) -> Steps[bool | None]:
        """Take the load lock, or be woken when it is given back; see the tokens of tags that are likely, and
        have those made that are missing.

        Returns:
            whether it was taken; None if another has stored something since it was looked at.
        """
        seize = seize or request.mode == "refresh"
        lock = self._commands.take_lock(
            request.key, load, coherence.holder, seconds=LOCK_SECONDS, seize=seize, stored=sight.stored
        )
        look = [(b"MGET", *map(self._commands.token, sight.likely))] if sight.likely else []
        try:
            replies = checked((yield [*self._making(request, asked), lock, *look]))
        except BaseException:  # cancelled, or no reply in time: it may have been taken
            self._keeping[load] = (request.key, 0.0)
            raise
        for at, token in zip(asked, replies, strict=False):
            sight.tokens[at] = token
        taken, *seen = replies[len(asked) :]
        sight.early = dict(zip(sight.likely, seen[0], strict=True)) if seen else {}
        return None if taken == 2 else bool(taken == 1)

    def _load_and_fill(self, request: Request, sight: Sight, start: int, load: bytes) -> Flow:
        notes = self._notes(request, start)
        self._keeping[load] = (request.key, clock())
        self._stats.of(request.recipe.namespace).loads += 1
        begun = self._changes.changes
        try:
            called: Called = yield Call(request.call, notes)
        except GeneratorExit:  # cancelled: nothing can be sent from here
            self._keeping[load] = (request.key, 0.0)
            raise
        self._keeping.pop(load, None)
        tags = request.tags
        held = self._answer(request, called, notes, start)
        unproven = held is not None
        try:
            if called.error is None and notes.obstacle == _CHANGED:
                tags += tuple(sorted(notes.tags.difference(tags)))
                self._may_keep(request, called, notes)
            elif called.error is None:
                tags, tokens = yield from self._captured(request, sight, notes, begun)
                payload = self._encoded(request, called, notes)
                if self._may_keep(request, called, notes):
                    unproven = False
                    return (yield from self._fill(request, called, payload, tags, tokens, start, load, held))
            yield [self._commands.fill(request.key, load, b"", seconds=1.0)]
        except RedisUnavailable:
            self.pause()
        finally:
            if unproven:  # a fence from before our lease is not in the log, and its writer may have died
                self._memory.drop(request.key)
        return Outcome(called.value, tags, error=called.error, private=notes.private)

    def _answer(self, request: Request, called: Called, notes: Notes, start: int) -> Held | None:
        """Let go who waits for the load, before Redis has it: the change log alone says whether it holds.

        A lease makes every writer wait until this log has what it is about to commit.
        """
        tags = request.tags + tuple(sorted(notes.tags.difference(request.tags)))
        fresh = self._fresh_seconds(request, called)
        if request.answered is None or called.error or notes.obstacle or len(tags) > _KEPT_TAGS or fresh <= 0:
            return None
        since = min(start, notes.since)
        held = self._hold(request, called.value, tags, since, fresh, called.seconds, size_of(called.value))
        shareable = self._holds(request, tags, since)
        request.answered(Outcome(called.value, tags, held, shareable=shareable))
        if not shareable:  # the next load waits for this one's lock
            notes.refuse(_CHANGED)
        return held

    def _encoded(self, request: Request, called: Called, notes: Notes) -> bytes:
        """The value as Redis keeps it; a value that cannot be kept is only returned."""
        if notes.obstacle:
            return b""
        try:
            return request.recipe.codec.checked_encode(called.value)
        except UncacheableValue as error:
            self._refuse_value(request, notes, error)
            return b""

    def _refuse_value(self, request: Request, notes: Notes, error: UncacheableValue) -> None:
        notes.refuse("its value cannot be stored")
        if request.recipe.name not in self._unstorable:
            self._unstorable.add(request.recipe.name)
            log.error("a value is not kept: %s", error)

    def _notes(self, request: Request, start: int) -> Notes:
        notes = Notes(self._changes, start=start, track=request.recipe.track)
        look_at_arguments(notes, request.given)
        if request.private:
            notes.keep_private(request.private)
        return notes

    def _captured(
        self, request: Request, sight: Sight, notes: Notes, begun: int
    ) -> Steps[tuple[tuple[str, ...], list[bytes | None]]]:
        """All tags and their tokens. Those that only the load made known are asked for after it: that is
        right only if nothing was announced for them since it began, which the barrier lets the log know.
        Of the others the tokens tell, unless the server has lost a fence: what the log knows counts as well.
        """
        more = tuple(sorted(notes.tags.difference(request.tags)))
        known = {tag: token for tag, token in sight.early.items() if is_clean(token)}
        asked = [tag for tag in more if tag not in known]
        if len(more) > _KEPT_TAGS:
            notes.refuse(f"it depends on {len(more)} tags")
        elif asked:
            seconds = self._token_seconds(request)
            replies = checked((yield [self._commands.ask_token(tag, seconds=seconds) for tag in asked]))
            known.update(zip(asked, replies, strict=True))
        tokens = [*sight.tokens, *[known[tag] for tag in more if tag in known]]
        late = bool(asked) or notes.since < notes.start
        if late and not notes.obstacle and not (yield Barrier()):
            notes.refuse("redis is away")
        tags = request.tags + more
        if not self._is_up():  # without a lease the log may not know
            notes.refuse("redis is away")
        if not all(map(is_clean, tokens)):
            notes.refuse("a writer is at work")
        late_tags = tags if notes.since < notes.start else asked
        if not (self._changes.unchanged(tags, begun) and self._changes.unchanged(late_tags, notes.since)):
            notes.refuse(_CHANGED)
        return tags, tokens

    def _may_keep(self, request: Request, called: Called, notes: Notes) -> bool:
        if self._fresh_seconds(request, called) <= 0:
            notes.refuse("its time to live is 0")
        if notes.obstacle:
            self._stats.of(request.recipe.namespace).refuse(notes.obstacle)
        return not notes.obstacle

    def _fill(
        self,
        request: Request,
        called: Called,
        payload: bytes,
        tags: tuple[str, ...],
        tokens: list[bytes | None],
        start: int,
        load: bytes,
        held: Held | None,
    ) -> Flow:
        fresh = self._fresh_seconds(request, called)
        stored = self._packed(request, called, payload, tags, tokens, fresh)
        renewed = [self._commands.renew_token(tag, seconds=self._token_seconds(request)) for tag in tags]
        fill = self._commands.fill(request.key, load, stored, seconds=fresh + request.recipe.stale_for)
        names = [self._commands.epoch, *map(self._commands.token, tags)]
        _, now, *_ = checked((yield [fill, (b"MGET", *names), *renewed]))
        now[0] = now[0][:TOKEN_BYTES] if now[0] else None
        size = PYTHON_SIZE * len(payload)
        held = held or self._hold(request, called.value, tags, start, fresh, called.seconds, size)
        shareable = now == tokens and self._holds(request, tags, start)
        return Outcome(called.value, tags, held, shareable=shareable)

    def _packed(
        self,
        request: Request,
        called: Called,
        payload: bytes,
        tags: tuple[str, ...],
        tokens: list[bytes | None],
        fresh: float,
    ) -> bytes:
        recipe = request.recipe
        until = time.time() + fresh
        self._stats.encoded_bytes += len(payload)
        compressed, payload = compress(payload, level=recipe.level)
        self._stats.stored_bytes += len(payload)
        return pack(
            payload,
            tokens=[token or b"" for token in tokens],
            tags=tags[len(request.tags) :] or None,
            fresh_until=until,
            stale_until=until + recipe.stale_for,
            load_ms=called.seconds * 1000,
            flags=(COMPRESSED if compressed else 0) | (NEGATIVE if called.value is None else 0),
        )

    def _load_alone(self, request: Request, start: int) -> Flow:
        """Without Redis: memory is all there is."""
        notes = self._notes(request, start)
        self._stats.of(request.recipe.namespace).loads += 1
        called: Called = yield Call(request.call, notes)
        tags = request.tags + tuple(sorted(notes.tags.difference(request.tags)))
        kind = mapped_in(called.value)
        if kind is not None:
            self._refuse_value(request, notes, request.recipe.codec.of_session(kind))
        elif is_used_up(called.value):
            self._refuse_value(request, notes, request.recipe.codec.used_up(type(called.value)))
        if called.error is not None or not self._may_keep(request, called, notes):
            return Outcome(called.value, tags, error=called.error, private=notes.private)
        fresh = self._fresh_seconds(request, called)
        size = size_of(called.value) if self._memory.max_items else 0
        held = self._hold(request, called.value, tags, notes.since, fresh, called.seconds, size)
        return Outcome(called.value, tags, held, shareable=self._changes.unchanged(tags, notes.since))

    def _bypass(self, request: Request, start: int, why: str) -> Flow:
        """Only call the function: what it gives must not be kept."""
        counts = self._stats.of(request.recipe.namespace)
        counts.refuse(why)
        counts.loads += 1
        notes = self._notes(request, start)
        notes.refuse(why)
        called: Called = yield Call(request.call, notes)
        tags = request.tags + tuple(notes.tags.difference(request.tags))
        return Outcome(called.value, tags, error=called.error, private=notes.private)

    def _fresh_seconds(self, request: Request, called: Called) -> float:
        recipe = request.recipe
        if called.value is None and recipe.negative_ttl is not None:
            return recipe.negative_ttl
        if isinstance(recipe.ttl, ttl.Adaptive):
            hits, fills = self._stats.of(recipe.namespace).popularity()
            return ttl.jitter(recipe.ttl.ttl(hits, fills=fills))
        return ttl.jitter(recipe.ttl)

    def _token_seconds(self, request: Request) -> float:
        """Longer than any value that carries the token, by so much that it is not renewed for nothing."""
        longest = request.recipe.ttl
        fresh = ttl.seconds(longest.cap) if isinstance(longest, ttl.Adaptive) else longest
        return 2 * (fresh + request.recipe.stale_for) + 60


def _to_be_made(sight: Sight) -> list[int]:
    """Where tokens are missing, or fences have run out; the epoch is made by who joins."""
    if sight.clean:
        return []
    now = time.time()
    return [at for at, token in enumerate(sight.tokens) if at and may_have_run_out(token, now)]


def _obstacle(sight: Sight, asked: list[int], epoch: bytes) -> str:
    """Why no load may be kept now."""
    if sight.tokens[0] != epoch:  # another Redis, where nothing is known to us yet
        return "redis is away"
    fenced = not all(is_clean(token) or at in asked for at, token in enumerate(sight.tokens))
    return "a writer is at work" if fenced else ""
