"""Whether an entry makes sense: what is written wrongly is said when the entry is read, not when it is tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cxresearch.claims.aims import check_aim
from cxresearch.claims.entry import Claim, Reading, names_used
from cxresearch.claims.grammar import Since, Worst
from cxresearch.claims.keys import check_keys, kind_of
from cxresearch.claims.named import LARGEST, check_called
from cxresearch.claims.terms import check_terms
from cxresearch.claims.wording import ALWAYS, NUMBERS, check_sentences
from cxresearch.errors import ClaimError, nearest
from cxresearch.tables.retention import CAUSES

_RETENTION = ("contract", "activity")
_SMALLEST_PART = 0.001
_NEEDED = {
    "hazard contrast": ("contrast", "model"),
    "hazard contrast with frailty": ("model",),
    "attributable share": ("combine", "model"),
    "contest": ("contest", "model"),
    "excess": ("compare",),
    "share": ("count",),
}


def check(claim: Claim) -> None:
    """Refuse a claim that could not be tried, or whose numbers would not be what it says.

    Raises:
        ClaimError: the message names the field and what is allowed.
    """
    where = f"claims.{claim.id}"
    if not claim.id.strip():
        raise ClaimError("claims: the id of a claim must not be empty")
    _check_ids(where, claim)
    wrong = next((kind for kind in claim.retention if kind not in _RETENTION), None)
    if wrong is not None or not claim.retention:
        hint = nearest(wrong, _RETENTION) if wrong else ""
        raise ClaimError(
            f"{where}.retention must hold one or both of contract and activity, was {list(claim.retention)}{hint}"
        )
    _once(f"{where}.covariates", claim.covariates)
    for name in claim.histories:
        check_called(f"{where}.histories", name)
        if name in claim.covariates:
            raise ClaimError(f"{where}.histories.{name}: {name!r} is a covariate too; call the history something else")
        claim.history(name)
    for named in (claim.base_rate, claim.naive):
        if named is not None:
            claim.reading(named)
    if claim.cell is not None:
        _history(f"{where}.cell", claim, claim.cell)
    for r in claim.readings:
        _check_reading(claim, r)
    nothing = ["base"] * (claim.base_rate is None) + ["horizon"] * (kind_of(claim.primary) not in _WITH_HORIZON)
    check_sentences(where, claim.text, [r.id for r in claim.readings], nothing)


_WITH_HORIZON = ("incidence", "excess")


def _check_ids(where: str, claim: Claim) -> None:
    ids = [r.id for r in claim.readings]
    if any(not i.strip() for i in ids):
        raise ClaimError(f"{where}.readings: the id of a reading must not be empty")
    if len(set(ids)) < len(ids):
        raise ClaimError(f"{where}.readings: two readings share an id")
    for i in ids:
        if i in (*ALWAYS, *NUMBERS):
            raise ClaimError(f"{where}.readings.{i}: {{{i}}} says something else in sentences; give another id")
    if sum(r.primary for r in claim.readings) != 1:
        raise ClaimError(f"{where}.readings: exactly one reading must say primary = true")


def _check_reading(claim: Claim, r: Reading) -> None:
    where = f"claims.{claim.id}.readings.{r.id}"
    if r.primary and r.describes:
        raise ClaimError(f"{where}.describes: the primary reading is tried; it cannot only describe")
    if r.region is None and not r.describes:
        raise ClaimError(f'{where}: needs a region, such as region = "> 1", or describes = true')
    check_keys(where, r)
    for needed in _NEEDED.get(kind_of(r), ()):
        if not getattr(r, needed):
            raise ClaimError(f"{where}: the shape {r.shape} needs {needed}")
    check_aim(claim, r)
    _check_others(where, claim, r)
    for name in names_used(r):
        if name not in claim.histories and name not in claim.covariates:
            raise ClaimError(f"{where}: no history {name!r}{nearest(name, [*claim.histories, *claim.covariates])}")
    _check_days(where, r)
    _check_moments(where, claim, r)
    _check_causes(where, claim, r)
    for key in ("count", "among"):
        _check_levels(f"{where}.{key}", claim, getattr(r, key))
    _check_share(where, r)
    if r.frailty is not None:
        _history(f"{where}.frailty", claim, r.frailty)
        if r.model and r.model.terms:
            raise ClaimError(f"{where}.model.terms: beside frailty nothing but strata can be held equal")
    check_terms(where, claim, r)


def _check_others(where: str, claim: Claim, r: Reading) -> None:
    """The readings that a verdict looks at, too."""
    for key, others in (("requires", [q.reading for q in r.requires]), ("ladder", r.ladder)):
        if others and not r.primary:
            raise ClaimError(f"{where}.{key}: only the primary reading, {claim.primary.id}, looks at others")
        _once(f"{where}.{key}", others)
        for other in others:
            found = claim.reading(other)
            if found.primary:
                raise ClaimError(f"{where}.{key}: {other} is the reading itself; name another one")
            if found.region is None:
                raise ClaimError(f"{where}.{key}: {other} has no region, so that it is never decided")


def _check_days(where: str, r: Reading) -> None:
    support = r.shape != "excess"
    words = ("study", "support") if support else ("study",)
    if r.horizon_days not in words:
        _days(f"{where}.horizon_days", r.horizon_days, 1, " or ".join(repr(w) for w in words))
    if r.after_days is not None:
        _days(f"{where}.after_days", r.after_days, 0)


def _days(where: str, days: object, least: int, otherwise: str = "") -> None:
    if isinstance(days, bool) or not isinstance(days, int) or not least <= days <= LARGEST:
        other = f", or {otherwise}" if otherwise else ""
        raise ClaimError(f"{where} must be a number of days between {least} and {LARGEST:,}{other}, was {days!r}")


def _check_moments(where: str, claim: Claim, r: Reading) -> None:
    """What is reached at one moment in time: where a clock starts, a follow-up ends, an exposure begins."""
    if isinstance(r.clock, Since):
        _reached(f"{where}.clock", claim, "since", r.clock.since, r.clock.level, r.clock.below)
    if r.until:
        _reached(f"{where}.until", claim, "history", r.until.history, r.until.level, None)
    if r.compare:
        _reached(f"{where}.compare", claim, "history", r.compare.history, r.compare.level, r.compare.below)
        _history(f"{where}.compare.recent", claim, r.compare.recent)
        if r.compare.alike is not None:
            _history(f"{where}.compare.alike", claim, r.compare.alike)


def _reached(where: str, claim: Claim, key: str, name: str, level: str, below: str | None) -> None:
    _history(f"{where}.{key}", claim, name)
    history = claim.history(name)
    if not history.cumulative:
        rising = [n for n in claim.histories if claim.history(n).cumulative]
        known = f"; those that only rise: {', '.join(rising)}" if rising else ""
        raise ClaimError(
            f"{where}.{key}: {name} can fall as well as rise, so reaching {level!r} is not one moment in time{known}"
        )
    _level(f"{where}.level", name, history.levels, level)
    place = history.levels.index(level)
    if place in (0, len(history.levels) - 1):
        allowed = ", ".join(history.levels[1:-1])
        raise ClaimError(f"{where}.level: {name} never comes to {level!r}; it can come to: {allowed}")
    if below is not None:
        _level(f"{where}.below", name, history.levels, below)
        if history.levels.index(below) <= place:
            raise ClaimError(f"{where}.below must be a level of {name} above {level!r}, was {below!r}")


def _check_causes(where: str, claim: Claim, r: Reading) -> None:
    causes: tuple[str, ...] = CAUSES[1:]
    if r.until:
        cause = r.until.cause
        if not cause.strip():
            raise ClaimError(f"{where}.until.cause must say what the transition is called, was {cause!r}")
        if cause in (*CAUSES, *claim.histories, *claim.covariates):
            raise ClaimError(f"{where}.until.cause: there is a {cause!r} already; call the cause something else")
        check_called(f"{where}.until.cause", cause.replace(" ", "_"))
        causes = (*causes, cause)
    for key, named in (("event", r.event), ("ratio_to", r.ratio_to)):
        if named is not None and named not in causes:
            raise ClaimError(f"{where}.{key}: no cause {named!r}{nearest(named, causes)}; there are: {_list(causes)}")
    if r.ratio_to == r.event:
        raise ClaimError(f"{where}.ratio_to is the event itself, {r.event!r}; name another cause: {_list(causes)}")
    for cause in r.ends:
        if cause not in CAUSES:
            raise ClaimError(f"{where}.ends: no cause {cause!r}{nearest(cause, CAUSES)}; there are: {_list(CAUSES)}")
    _once(f"{where}.ends", r.ends)


def _check_levels(where: str, claim: Claim, wanted: Mapping[str, Sequence[str]]) -> None:
    for name, levels in wanted.items():
        if not levels:
            raise ClaimError(f"{where}.{name} must name at least one level")
        _once(f"{where}.{name}", levels)
        for level in levels:
            if name in claim.histories:
                _level(f"{where}.{name}", name, claim.history(name).levels, level)


def _check_share(where: str, r: Reading) -> None:
    """What a share is of, or is compared with."""
    if r.at_risk:
        alike = (r.at_risk.alike, *r.at_risk.strata)
        _once(f"{where}.at_risk", alike)
        for name in alike:
            if name in r.count:
                raise ClaimError(f"{where}.at_risk: {name!r} cannot count and make comparators alike at once")
    if r.worst:
        _check_worst(f"{where}.worst", r.worst)


def _check_worst(where: str, worst: Worst) -> None:
    if worst.of in worst.within:
        raise ClaimError(f"{where}.within holds {worst.of!r}, whose moments are counted; hold something else equal")
    _once(f"{where}.within", worst.within)
    if not _SMALLEST_PART <= worst.part < 1:
        raise ClaimError(f"{where}.part must be at least {_SMALLEST_PART} and below 1, was {worst.part!r}")


def _history(where: str, claim: Claim, name: str) -> None:
    if name not in claim.histories:
        has = ", ".join(claim.histories) or "none"
        raise ClaimError(f"{where}: no history {name!r}{nearest(name, claim.histories) or '; there are: ' + has}")


def _level(where: str, name: str, levels: Sequence[str], level: str) -> None:
    if level not in levels:
        raise ClaimError(f"{where}: {name} has no level {level!r}{nearest(level, levels)}; it has: {', '.join(levels)}")


def _once(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ClaimError(f"{where}: {name!r} is named twice; name it once")
        seen.add(name)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
