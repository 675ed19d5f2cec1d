"""Looks at growing data: what is fixed at the first of them, and what each one leaves for the next.

With `looks = "anytime"` the intervals of a study hold at all runs of its reports together. That needs a plan that does
not follow the numbers: which claims are judged together, how everything is defined, and how wide intervals are for the
information there is (r of each number, from its first look). A `LookState` holds it, signed, in the study's ledger. A
run that publishes verdicts adds a look; `evaluate` computes what the next one would use, and records nothing.

When the plan changes, or rows that an earlier look has used, another sequence of looks begins. The k-th has the error
α/(k(k+1)): these add up to α, however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec

from cxresearch.claims.adjusted_model import Variant
from cxresearch.claims.decide import Verdict
from cxresearch.claims.family import Family
from cxresearch.claims.kinds import AnyReading
from cxresearch.claims.look_state import LookState, looks_file, read_state
from cxresearch.claims.schema import Claim
from cxresearch.claims.tables import TableStore
from cxresearch.estimators.looks import at_every_look, tune
from cxresearch.estimators.results import Estimate

MIN_EVENTS = 50  # of a number at its first look: the intervals are right for many events


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look has made of a claim.

    Attributes:
        claim: its id.
        verdict: by itself.
        p: as `ReadingResult.p`.
        tuned: as `Trial.tuned`.
    """

    claim: str
    verdict: Verdict
    p: float | None
    tuned: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at a study's data, as a report would record it.

    Attributes:
        number: which look of its sequence it is, from 1; unchanged data are no new look.
        alpha: the error of the sequence.
        state: before this look.
        until: the last day of the data.
        rows: digest of the rows until then.
    """

    number: int
    alpha: float
    state: LookState
    until: int
    rows: str

    @property
    def note(self) -> str:
        """What the intervals hold for, as sentences."""
        level = f"{100 * (1 - self.alpha):.4g}%"
        lead = f"Intervals hold at all looks together, at {level}; this is look {self.number}"
        if not self.state.why:
            return f"{lead}."
        return (
            f"{lead} of the study's sequence {self.state.sequence}, which has so much less error and began when "
            f"this changed: {self.state.why}."
        )

    @property
    def name(self) -> str:
        """What numbers of this look depend on besides the data, as a digest."""
        content = repr((self.alpha, sorted(self.state.r.items())))
        return blake2b(content.encode(), digest_size=8).hexdigest()

    def to_dict(self) -> dict[str, object]:
        """As in the documented JSON."""
        return {
            "sequence": self.state.sequence,
            "number": self.number,
            "why": self.state.why,
            "level": 1 - self.alpha,
        }

    def widen(
        self, key: str, estimate: Estimate, events: int, times: float = 1.0
    ) -> tuple[Estimate, str]:
        """An estimate with limits that hold at every look.

        Of a hazard ratio they rest on the larger of its robust and its model's own error: where few are at risk
        together, robust errors are too small (decision 40).

        Args:
            key: of the number, see `key_of`.
            estimate: as it would be at one look.
            events: behind it.
            times: how many moments it is about, where the data say how many: r is that of one moment, so that what
                is estimated stays the same.

        Returns:
            The estimate, and why it cannot decide yet; empty if it can.
        """
        if not (math.isfinite(estimate.se) and estimate.se > 0):
            return estimate, "its error cannot be given, so that no interval holds at every look"
        if estimate.scale == "log" and estimate.se_model > estimate.se:
            estimate = replace(estimate, se=estimate.se_model)
        known = self.state.r.get(key)
        r = tune(estimate.se, self.alpha) if known is None else known / times**2
        wide = at_every_look(estimate, r, 1 - self.alpha)
        is_early = known is None and events < MIN_EVENTS
        why = f"a first look needs {MIN_EVENTS} cases, and there are {events:,}" if is_early else ""
        return wide, why

    def least_p(self, claim: str, verdict: Verdict, p: float | None) -> float:
        """The smallest p of a claim over all looks up to this one, for the verdict that it has now by itself.

        Args:
            claim: its id.
            verdict: by itself, at this look.
            p: at this look; None if there is none.
        """
        now = 1.0 if p is None else p
        seen = self.state.least.get(claim, {})
        if verdict in ("supported", "contradicted"):
            return min(now, seen.get(verdict, 1.0))
        return min((now, *seen.values()))

    def record(self, seen: Iterable[Seen]) -> LookState:
        """What the next look will find; `seen` is what this one has made of each claim."""
        r = dict(self.state.r)
        least = {claim: dict(ps) for claim, ps in self.state.least.items()}
        for one in seen:
            r |= {key: float(value) for key, value in one.tuned if key not in r}
            if one.verdict in ("supported", "contradicted") and one.p is not None:
                ps = least.setdefault(one.claim, {})
                ps[one.verdict] = float(min(one.p, ps.get(one.verdict, 1.0)))
        return msgspec.structs.replace(
            self.state, looks=self.number, until=self.until, rows=self.rows, r=r, least=least
        )


_ERRORS = "which standard error intervals rest on"
_BEFORE = {_ERRORS: "the robust one"}  # where a sequence has not kept it


def next_look(store: TableStore, family: Family, known: Sequence[Claim]) -> Look:
    """The look that the next report of a study will record, on the data that there are.

    Args:
        store: the study and its tables.
        family: the claims that are judged together.
        known: all claims of the catalogue and of the study.
    """
    plan = _plan(store, family, known)
    old = read_state(looks_file(store.study.state, store.study.info.id or store.study.name))
    until = store.window.last
    rows = store.digest_until(until)
    state = old or LookState(sequence=1, why="", plan=plan)
    before = _BEFORE | state.plan
    changed = [name for name, value in plan.items() if before.get(name, value) != value]
    if state.looks and (until < state.until or store.digest_until(state.until) != state.rows):
        changed.append("rows that an earlier look had used")
    if changed:
        state = LookState(sequence=state.sequence + 1, why=", ".join(changed), plan=plan)
    is_same = state.looks > 0 and (state.until, state.rows) == (until, rows)
    k = state.sequence
    return Look(
        number=state.looks + (not is_same),
        alpha=(1 - store.study.decision.level) / (k * (k + 1)),
        state=state,
        until=until,
        rows=rows,
    )


def key_of(claim: Claim, reading: AnyReading, variant: Variant) -> str:
    """What a number is called in the ledger."""
    how = "" if variant == Variant() else f" {variant!r}"
    return f"{claim.id} {reading.id}{how}"


def _plan(store: TableStore, family: Family, known: Sequence[Claim]) -> dict[str, str]:
    """What must not change between the looks of a sequence, by its name in words."""
    study = store.study
    moments = study.moments
    by = {c.id: c for c in known}
    entries = {
        f"the definition of {c}": _digest(msgspec.json.encode(by[c], order="deterministic"))
        for c in family.claims
    }
    sources = {"source", "query", "format", "sheet", "encoding", "log_until", "widths", "columns"}
    columns, leaving = (
        {k: v for k, v in msgspec.to_builtins(section).items() if k not in sources}
        for section in (study.interactions, study.retention)
    )
    rules = (moments.bad, moments.neutral, moments.good, moments.exclude)
    return {
        "the claims judged together": ", ".join(family.claims),
        "how several claims are allowed for": family.method,
        _ERRORS: "the larger of the robust one and the model's own",
        **entries,
        "which moments are bad, neutral or good": repr(rules),
        "blackout_days": str(moments.blackout_days),
        "lead_days": str(moments.lead_days),
        "grades": moments.grades,
        "how far histories go back": f"{moments.lookback_days} {store.lookback}",
        "horizon_days": str(study.info.horizon_days),
        "the confidence level": str(study.decision.level),
        "the columns of the log": _digest(sorted(columns.items())),
        "who counts as having left": _digest(sorted(leaving.items())),
        "the silence that is a lapse": str(store.lapse.days if store.lapse else 0),
        "the first day of the log": str(store.window.first),
    }


def _digest(content: object) -> str:
    return blake2b(repr(content).encode(), digest_size=8).hexdigest()
