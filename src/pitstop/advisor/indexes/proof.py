"""The proof of index advice: built on a copy with the rows, each statement timed with it and without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pitstop.advisor.indexes.advice import Advice, AdvisedIndex
from pitstop.advisor.indexes.harm import Harm
from pitstop.advisor.indexes.proven import IndexEffect, Proof, ProvenIndex, ProvenStatement, Verdict
from pitstop.advisor.indexes.scan import read_scans
from pitstop.advisor.indexes.search import geometric_mean
from pitstop.advisor.indexes.table import read_tables
from pitstop.advisor.indexes.trial import Comparison, Subject, compare, names_read_whole, uses
from pitstop.advisor.indexes.values import find_values
from pitstop.advisor.whatif import BuiltIndex, Replica
from pitstop.errors import WhatIfError

__all__ = ["prove"]

Others = Callable[[Sequence[Harm]], Advice]

_TIMEOUT_S = 20.0
_WORTH = 10  # times what an index costs a statement, to stay all the same
_MOST_TRIED = 5  # times that others are looked for
_SLOWER_MS = 1.0
_HARM = 1.05


def prove(
    advice: Advice,
    replica: Replica,
    *,
    others: Others | None = None,
    timeout_s: float = _TIMEOUT_S,
    progress: Callable[[str], None] | None = None,
) -> Proof:
    """Build what was advised, time the workload, and say which of it is worth having.

    What goes: an index that makes none of the statements faster; one that takes more time than it saves; and
    one that makes a statement slower by more than 5% and a millisecond, unless the workload would lose ten
    times as much without it, whatever else is advised in its place.

    Args:
        advice: of the database that the replica is a copy of.
        replica: nobody else uses it.
        others: advises anew without what did harm, to find indexes that may take its place.
        timeout_s: of one execution; what takes longer counts as that long.
        progress: gets a line for each step.
    """
    return _Prover(advice, replica, timeout_s, progress or (lambda line: None), others).prove()


@dataclass(slots=True)
class _Prover:
    advice: Advice
    replica: Replica
    timeout_s: float
    say: Callable[[str], None]
    others: Others | None = None
    kept: list[BuiltIndex] = field(default_factory=list)
    advised: list[AdvisedIndex] = field(default_factory=list)
    built: dict[str, BuiltIndex] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    subjects: list[Subject] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)
    results: dict[int, Comparison] = field(default_factory=dict)
    effects: dict[str, dict[int, Comparison]] = field(default_factory=dict)
    stale: set[int] = field(default_factory=set)
    harms: list[Harm] = field(default_factory=list)  # in whose place others were looked for
    accepted: set[int] = field(default_factory=set)  # statements that may be slower

    def prove(self) -> Proof:
        self.kept = self._build(self.advice.indexes)
        self._read_subjects()
        self._measure([each.number for each in self.subjects], "before and after")
        for each in reversed(list(self.kept)):
            self._judge(each)
        self._reconsider()
        self._measure_changed()
        while (harm := self._harmful()) is not None:
            self._replace(*harm)
        return self._told()

    def _build(self, advised: Sequence[AdvisedIndex]) -> list[BuiltIndex]:
        for first in dict.fromkeys(one for each in advised for one in each.prerequisites):
            self.replica.connection.execute(first.encode())
        made = []
        for number, each in enumerate(advised):
            self.say(f"build {number + 1} of {len(advised)}: {each.ddl}")
            (built,) = self.replica.build([each.ddl.replace(" CONCURRENTLY", "", 1)])
            self.advised.append(each)
            if isinstance(built, WhatIfError):
                self.reasons[each.ddl] = f"cannot be built: {built}"
            else:
                self.built[each.ddl] = built
                made.append(built)
        self.say("vacuum and analyse")
        self.replica.settle()
        return made

    def _read_subjects(self) -> None:
        self.replica.show([])
        found: list[Subject] = []
        for number, each in enumerate(self.advice.statements):
            try:
                if each.problem:
                    raise WhatIfError(each.problem)
                values = find_values(self.replica, each.text)
                found.append(Subject(number, each.text, each.weight, tuple(values)))
            except WhatIfError as error:
                self.problems[number] = str(error)
        self.subjects = found

    def _measure(self, numbers: Sequence[int], what: str) -> None:
        """Time statements without any advised index and with those that are kept."""
        wanted = [each for each in self.subjects if each.number in numbers]
        for place, subject in enumerate(wanted):
            self.say(f"time {what}, statement {place + 1} of {len(wanted)}")
            found = self._compare(subject, [])
            if found is None:
                continue
            if not found.before and not found.after:
                self._leave_out(subject, f"it takes longer than {self.timeout_s:g} s with and without")
                continue
            if found.is_slower:  # once more, and longer: of many comparisons some are slower by chance
                found = self._compare(subject, [], patience=2) or found
            self.results[subject.number] = found

    def _compare(
        self, subject: Subject, before: Sequence[BuiltIndex], *, patience: int = 1
    ) -> Comparison | None:
        try:
            return compare(
                self.replica, subject, before, self.kept, timeout_s=self.timeout_s, patience=patience
            )
        except WhatIfError as error:
            self._leave_out(subject, str(error))
            return None

    def _leave_out(self, subject: Subject, problem: str) -> None:
        self.problems[subject.number] = problem
        self.subjects = [each for each in self.subjects if each.number != subject.number]

    def _judge(self, index: BuiltIndex) -> None:
        """Time what an index is for without it, and let it go if nobody misses it."""
        users = [each for each in self.subjects if self._is_touched(each.number, index)]
        unproven = self._unproven_users(index)
        rest = [each for each in self.kept if each is not index]
        self.say(f"time {len(users)} of its statements without {index.ddl}")
        found = {}
        for subject in users:
            effect = self._compare(subject, rest)
            if effect is not None and not effect.is_faster and (effect.ratio.value < 1 or effect.is_unclear):
                effect = self._compare(subject, rest, patience=2)
            if effect is not None:
                found[subject.number] = effect
        self.effects[index.ddl] = found
        if unproven:
            self.reasons[index.ddl] = f"not proven: statement {unproven[0] + 1} could not be run"
        elif not found:
            self._drop(index, "no statement uses it")
        elif not any(each.is_faster for each in found.values()):
            noisy = next((number for number, each in found.items() if each.is_unclear), None)
            if noisy is None:
                self._drop(index, "no statement is faster for it")
            else:
                self.reasons[index.ddl] = f"not proven: statement {noisy + 1}: {found[noisy].noise}"
        elif self._saved(index) < 0:
            self._drop(index, self._cost(found))

    def _is_touched(self, number: int, index: BuiltIndex) -> bool:
        return number in self.results and uses(self.results[number].after, index)

    def _unproven_users(self, index: BuiltIndex) -> list[int]:
        advised = next(each for each in self.advised if self.built.get(each.ddl) is index)
        return [each for each in advised.statements if each in self.problems]

    def _saved(self, index: BuiltIndex) -> float:
        weights = {each.number: each.weight for each in self.subjects}
        found = self.effects.get(index.ddl, {})
        return sum(weights.get(number, 0.0) * each.saved_ms for number, each in found.items())

    def _cost(self, found: dict[int, Comparison]) -> str:
        """The statement that loses most of an index that costs more than it saves."""
        weights = {each.number: each.weight for each in self.subjects}
        number = min(found, key=lambda each: weights.get(each, 0.0) * found[each].saved_ms)
        times = f"{found[number].before_ms:,.1f} to {found[number].after_ms:,.1f} ms"
        return f"it takes more than it saves, most of statement {number + 1}: {times}"

    def _drop(self, index: BuiltIndex, reason: str) -> None:
        self.kept = [each for each in self.kept if each is not index]
        self.reasons[index.ddl] = reason
        self.stale |= {number for number in self.results if self._is_touched(number, index)}
        self.say(f"drop {index.ddl}: {reason}")

    def _measure_changed(self) -> None:
        """Time once more what used an index that is gone."""
        changed, self.stale = sorted(self.stale), set()
        self._measure(changed, "again")

    def _replace(self, index: BuiltIndex, number: int) -> None:
        """Do without a harmful index, with others in its place, or take it back if all is worse then."""
        harm = self.results[number]
        told = f"statement {number + 1} slower: {harm.before_ms:,.1f} to {harm.after_ms:,.1f} ms"
        before, results, cost = list(self.kept), dict(self.results), self._total()
        self._drop(index, f"it makes {told}")
        found = self._instead(self._harm_done(index, number))
        self._measure_changed()
        spared = self._weight(number) * (harm.after_ms - harm.before_ms)
        if self._total() - cost <= _WORTH * spared:
            return
        for each in found:
            self.reasons[each.ddl] = f"does less than {index.ddl}"
        self.kept, self.results, self.stale = before, results, set()
        self.reasons[index.ddl] = f"it makes {told}, and saves others more"
        self.accepted.add(number)
        self.say(f"keep {index.ddl}: {self.reasons[index.ddl]}")

    def _harm_done(self, index: BuiltIndex, number: int) -> Harm:
        ddl = next(ddl for ddl, built in self.built.items() if built is index)
        if not index.names & set(names_read_whole(self.results[number].after)):
            return Harm(ddl, index.table)
        tables = read_tables(self.replica.connection)
        plan = self.replica.logical_plan(self.advice.statements[number].text)
        scans = read_scans(plan, {name: list(table.columns) for name, table in tables.items()})
        own = {name for name, table in tables.items() if table.name == index.table}
        read = {one for each in scans if f"{each.schema}.{each.table}" in own for one in each.needed}
        return Harm(ddl, index.table, tuple(sorted(read)))

    def _instead(self, harm: Harm) -> list[BuiltIndex]:
        """What is advised in the place of a harmful index, of its table, and does good."""
        if self.others is None or len(self.harms) == _MOST_TRIED:
            return []
        self.harms.append(harm)
        self.say(f"look for others in the place of {harm.ddl}")
        fresh = [each for each in self.others(self.harms).indexes if each.ddl not in self.built]
        made = self._build([each for each in fresh if f" ON {harm.table} " in each.ddl])
        self.kept += made
        changed = self.stale.union(*(each.statements for each in fresh))
        self.stale = set()
        self._measure(sorted(changed), "with what is built instead")
        for each in made:
            self._judge(each)
        return [each for each in made if each in self.kept]

    def _total(self) -> float:
        """Milliseconds of the whole workload, as often as it runs each statement."""
        return sum(self._weight(number) * each.after_ms for number, each in self.results.items())

    def _weight(self, number: int) -> float:
        return self.advice.statements[number].weight

    def _harmful(self) -> tuple[BuiltIndex, int] | None:
        """The index that makes a statement slower, of several the one that is missed least; and which."""
        for number, result in sorted(self.results.items()):
            if result.is_write or number in self.accepted or not _is_worse(result):
                continue
            used = [each for each in self.kept if uses(result.after, each)]
            harms = {each.ddl: self._harm(each, number) for each in used}
            guilty = [each for each in used if harms[each.ddl] > _HARM]
            if used:
                chosen = (
                    min(guilty, key=self._saved) if guilty else max(used, key=lambda each: harms[each.ddl])
                )
                return chosen, number
        return None

    def _harm(self, index: BuiltIndex, number: int) -> float:
        """How many times longer a statement takes with an index, beside those that are kept now."""
        subject = next((each for each in self.subjects if each.number == number), None)
        rest = [each for each in self.kept if each is not index]
        found = self._compare(subject, rest) if subject is not None else None
        return found.ratio.value if found is not None else 1.0

    def _reconsider(self) -> None:
        """Take back what was dropped beside others that are gone too, where it does good and no harm now."""
        for index in [each for each in self.built.values() if each not in self.kept]:
            users = [each for each in self.subjects if each.number in self.effects.get(index.ddl, {})]
            before = list(self.kept)
            self.kept = [*before, index]
            self.say(f"time {len(users)} of its statements once more with {index.ddl}")
            found = {
                subject.number: effect
                for subject in users
                if (effect := self._compare(subject, before)) is not None
            }
            helps = any(each.is_faster for each in found.values())
            harms = any(_is_worse(each) and not each.is_write for each in found.values())
            self.effects[index.ddl] = found
            if harms or not helps or self._saved(index) < 0:
                self.kept = before
            else:
                self.reasons.pop(index.ddl, None)
                self.stale |= set(found)

    def _told(self) -> Proof:
        known = [each for each in self.subjects if each.number in self.results]
        results = [self.results[each.number] for each in known]
        weights = [each.weight for each in known]
        return Proof(
            statements=tuple(self._statement(each) for each in range(len(self.advice.statements))),
            indexes=tuple(self._index(each.ddl) for each in self.advised),
            mean_before_ms=round(geometric_mean([each.before_ms for each in results], weights), 3),
            mean_after_ms=round(geometric_mean([each.after_ms for each in results], weights), 3),
            copied_bytes=self.replica.copied_bytes,
        )

    def _statement(self, number: int) -> ProvenStatement:
        found = self.results.get(number)
        if found is None or number in self.problems:
            return ProvenStatement("not proven", problem=self.problems.get(number, "it was not run"))
        if found.is_unclear:
            times = (round(found.before_ms, 3), round(found.after_ms, 3))
            return ProvenStatement("not proven", *times, found.ratio, found.noise)
        verdict: Verdict = "faster" if found.is_faster else "slower" if _is_worse(found) else "same"
        return ProvenStatement(verdict, round(found.before_ms, 3), round(found.after_ms, 3), found.ratio)

    def _index(self, ddl: str) -> ProvenIndex:
        built = self.built.get(ddl)
        if built is None:
            return ProvenIndex(ddl, False, self.reasons[ddl], 0, 0.0, 0.0, ())
        found = sorted(self.effects.get(built.ddl, {}).items())
        return ProvenIndex(
            ddl=ddl,
            is_kept=built in self.kept,
            reason=self.reasons.get(built.ddl, ""),
            size_bytes=built.size_bytes,
            build_ms=round(built.build_ms, 1),
            saved_ms=round(self._saved(built), 3),
            effects=tuple(
                IndexEffect(number, round(each.before_ms, 3), round(each.after_ms, 3))
                for number, each in found
            ),
        )


def _is_worse(result: Comparison) -> bool:
    return result.is_slower and result.after_ms - result.before_ms > _SLOWER_MS
