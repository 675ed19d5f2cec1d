"""What of a docket a page may tell: numbers that rest on too few are taken out, the verdicts stay.

A page goes to many readers, and a count of three customers follows from a share of 1.5% and a total of 200. The docket
itself, its JSON and the log of a run are for the analyst and stay exact.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from cxresearch.claims.phrases import Amount, Headcount, Interval, Limit, Sentence, Value, Words
from cxresearch.claims.results import Docket, ReadingResult, ReferenceValue, Trial
from cxresearch.claims.rivals.apply import readings_with_rivals
from cxresearch.claims.rivals.outcomes import RivalOutcome
from cxresearch.claims.schema import Claim
from cxresearch.claims.sentences import short_finding
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import rests_on_enough, round_count, round_estimate
from cxresearch.estimators.looks import at_one_look
from cxresearch.estimators.results import Estimate
from cxresearch.records.warnings import publishable_warnings

_OWN = {
    "estimate",
    "low",
    "high",
    "events",
    "customers",
}  # what a sentence may name of the primary reading
_ABOUT_THE_STUDY = ("missing_column", "no_such_data", "other_kind")


def publishable(docket: Docket) -> Docket:
    """A docket as a page may tell it; one that is so already comes back equal."""
    warnings = publishable_warnings(docket.audit.warnings, docket.min_cell)
    return replace(
        docket,
        trials=tuple(publishable_trial(t, docket.min_cell) for t in docket.values()),
        audit=replace(docket.audit, warnings=warnings),
    )


def publishable_trial(trial: Trial, min_cell: int) -> Trial:
    """A trial as a page may tell it.

    Where a number rests on fewer than `min_cell` customers or cases, the estimate and its curve go, with a word why,
    and so do sentences that repeat it and its numbers under rival explanations. Counts are rounded, and so are shares
    of customers: no difference of two numbers of a page is a small count.

    Args:
        trial: a claim, tried.
        min_cell: the smallest count that may be shown.
    """
    level = next((e.estimate.level for e in trial.results if e.estimate), 0.95)
    gone = {
        e.reading_id
        for e in trial.results
        if e.estimate is not None and not _result_rests_on_enough(e, trial.claim, min_cell)
    }
    besides = [
        (name, b)
        for name, b in ((trial.claim.base_rate, trial.base_rate), (trial.claim.naive, trial.naive))
        if b
    ]
    few = {
        name
        for name, b in besides
        if name in gone or not _reference_rests_on_enough(name, b, trial.claim, level, min_cell)
    }
    hidden = gone | {name for name in few if name}
    reason = f"fewer than {min_cell} customers or cases stand behind the number, which is therefore not shown"
    results = tuple(
        _without_details(_rounded_result(e, hidden, reason, trial.claim, min_cell), trial)
        for e in trial.results
    )
    base_rate, naive = (
        b and _reference(name, b, trial, min_cell)
        for name, b in (
            (trial.claim.base_rate, trial.base_rate),
            (trial.claim.naive, trial.naive),
        )
    )
    known = {e.reading_id for e in trial.results} | {n for n, _ in besides if n}
    unsaid = _hidden_names(trial, hidden, known)
    sentence, caution = trial.sentence, trial.caution
    if trial.primary.reading_id in hidden and sentence.names & unsaid:
        sentence = Sentence("{hidden}.", (("hidden", Words(f"{reason[0].upper()}{reason[1:]}")),))
    else:  # the number itself may be shown: only what names another one goes
        sentence = sentence.drop_clauses(unsaid, short_finding(trial.primary))
    caution = caution.drop_clauses(unsaid)
    sentence, caution = (_shortened(part, trial) for part in (sentence, caution))
    disclosed = partial(
        _disclosed,
        shown={e.reading_id: e for e in results},
        primary=results[0],
        base=base_rate,
        is_hiding=bool(hidden),
        is_rounding=min_cell > 1,
    )
    return replace(
        trial,
        results=results,
        base_rate=None if trial.claim.base_rate in few else base_rate,
        naive=None if trial.claim.naive in few else naive,
        sentence=disclosed(sentence),
        caution=disclosed(caution),
        rivals=tuple(_rival(r, trial, hidden) for r in trial.rivals),
    )


def what_is_missing(lacks: str, code: str) -> str:
    """What a study lacks as a page may tell it: the details after the colon may hold counts and levels.

    Args:
        lacks: as `ReadingResult.lacks`.
        code: as `ReadingResult.code`; what is said of columns and of the study's settings holds nothing of the data.
    """
    return lacks if code in _ABOUT_THE_STUDY else lacks.partition(":")[0]


def _without_details(e: ReadingResult, trial: Trial) -> ReadingResult:
    return replace(e, lacks=what_is_missing(e.lacks, e.code), reason=_cut(e.reason, trial))


def _shortened(sentence: Sentence, trial: Trial) -> Sentence:
    """A sentence without the details of what the study lacks."""
    return sentence.replace_values(
        [(n, Words(_cut(v.text, trial))) for n, v in sentence.values if isinstance(v, Words)]
    )


def _cut(said: str, trial: Trial) -> str:
    rows = (row for rival in trial.rivals for row in rival.rows)
    named = [(e.lacks, e.code) for e in trial.results] + [(row.lacks, row.code) for row in rows]
    for lacks, code in named:
        if lacks:
            said = said.replace(lacks, what_is_missing(lacks, code))
    return said


def _rival(rival: RivalOutcome, trial: Trial, hidden: Collection[str]) -> RivalOutcome:
    """A rival as a page may tell it: where a reading is hidden that it acts on, without its numbers."""
    acted_on = readings_with_rivals(trial.claim)
    is_hidden = any(name in hidden for name in acted_on)
    rows = tuple(
        replace(
            row,
            estimate=None if is_hidden else row.estimate,
            lacks=what_is_missing(row.lacks, row.code),
        )
        for row in rival.rows
    )
    is_number = is_hidden and rival.status == "shown"  # how strong it would have to be
    return replace(rival, rows=rows, reason="" if is_number else _cut(rival.reason, trial))


def _result_rests_on_enough(e: ReadingResult, claim: Claim, min_cell: int) -> bool:
    result = e.estimate
    if result is None:
        return True
    if result.interval == "anytime":  # how many customers there are shows in the limits of one look
        result = at_one_look(result, result.level)
    return rests_on_enough(
        result.value,
        result.low,
        result.high,
        is_share=_is_share(e.unit, e.reading_id, claim),
        level=result.level,
        min_cell=min_cell,
        customers=e.customers,
        events=e.events,
    )


def _reference_rests_on_enough(
    name: str | None, result: ReferenceValue, claim: Claim, level: float, min_cell: int
) -> bool:
    return rests_on_enough(
        result.value,
        result.low,
        result.high,
        is_share=_is_share(result.unit, name or "", claim),
        level=level,
        min_cell=min_cell,
    )


def _is_share(unit: Unit, reading: str, claim: Claim) -> bool:
    """Whether a number is a share of customers or moments; a share of the hazard is no share of anybody."""
    kinds = {r.id: r.kind for r in claim.readings}
    return unit is Unit.SHARE and kinds.get(reading) != "attributable_share"


def _rounded_result(
    e: ReadingResult, hidden: Collection[str], reason: str, claim: Claim, min_cell: int
) -> ReadingResult:
    if e.estimate is not None:
        customers, events = (
            n if n < min_cell else round_count(n, min_cell) for n in (e.customers, e.events)
        )
        if e.unit is Unit.SHARE:
            edges = claim.reading(e.reading_id).claimed_region.thresholds if e.region else ()
            # a share of moments is of those, which are more than the people whom they were with
            of = max(customers, events)
            e = replace(e, estimate=_rounded(e.estimate, of, edges, min_cell))
        e = replace(e, customers=customers, events=events)
    if e.reading_id in hidden and e.estimate is not None:
        return replace(e, estimate=None, series=(), reason=reason, p=None, p_family=None)
    return (
        replace(e, reason=e.reason.partition(":")[0]) if hidden else e
    )  # its numbers come after it


def _reference(
    name: str | None, result: ReferenceValue, trial: Trial, min_cell: int
) -> ReferenceValue:
    """A reference value, rounded as the reading of that name or, where it is none, as the primary one."""
    if result.unit is not Unit.SHARE:
        return result
    behind = next((e for e in trial.results if e.reading_id == name), trial.primary)
    of = max(behind.customers, behind.events)
    return _rounded(result, round_count(of, min_cell), (), min_cell)


Limits = TypeVar("Limits", Estimate, ReferenceValue)


def _rounded(result: Limits, customers: int, edges: tuple[float, ...], min_cell: int) -> Limits:
    value, low, high = round_estimate(
        result.value, result.low, result.high, customers=customers, edges=edges, min_cell=min_cell
    )
    return replace(result, value=value, low=low, high=high)


def _disclosed(
    sentence: Sentence,
    shown: Mapping[str, ReadingResult],
    primary: ReadingResult,
    base: ReferenceValue | None,
    *,
    is_hiding: bool,
    is_rounding: bool,
) -> Sentence:
    """A sentence with rounded numbers and, where a number is hidden, without the numbers of its remark.

    Args:
        sentence: its text.
        shown: id of a reading to what a page shows of it.
        primary: the reading the verdict rests on, as a page shows it.
        base: the base rate, as a page shows it.
        is_hiding: whether a number is hidden.
        is_rounding: whether counts are rounded.
    """
    values: list[tuple[str, Value]] = []
    for name, value in sentence.values:
        numbers = _numbers_of(name, shown, primary, base)
        match value:
            case Headcount() if is_rounding:
                count = primary.customers if name == "customers" else primary.events
                values.append((name, Headcount(count, True)))
            case Amount() if numbers:
                values.append((name, replace(value, value=numbers.value)))
            case Limit() if numbers:
                low, high = numbers.low, numbers.high
                limit, other = (low, high) if name == "low" else (high, low)
                values.append((name, replace(value, value=limit, other=other)))
            case Interval() if numbers:
                number, low, high = numbers.value, numbers.low, numbers.high
                values.append((name, replace(value, value=number, low=low, high=high)))
            case Words() if is_hiding and name in ("remark", "reason"):
                values.append((name, Words(value.text.partition(":")[0])))  # numbers come after it
            case _:
                pass
    return sentence.replace_values(values)


def _numbers_of(
    name: str,
    shown: Mapping[str, ReadingResult],
    primary: ReadingResult,
    base: ReferenceValue | None,
) -> Estimate | ReferenceValue | None:
    """The number, as a page shows it, that a sentence calls by a name; None if it has none."""
    if name == "base":
        return base
    e = primary if name in _OWN else shown.get(name)
    return e.estimate if e else None


def _hidden_names(trial: Trial, hidden: Collection[str], known: Collection[str]) -> set[str]:
    """What no sentence may name: hidden numbers, and while there are any, those of which the counts are not known."""
    if not hidden:
        return set()
    uncounted = {r.id for r in trial.claim.readings} - set(known)
    names = set(hidden) | uncounted
    if trial.primary.reading_id in hidden:
        names |= _OWN | {"reason"}
    if trial.claim.base_rate in hidden:
        names.add("base")
    return names
