"""Which definitions of a study a number rests on, and others that somebody else might have chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from msgspec import structs

from cxresearch.claims.adjusted_model import Variant, proneness_entries, uses_cohorts
from cxresearch.claims.kinds import (
    AnyReading,
    AttributableShareReading,
    ExcessReading,
    FadingReading,
    HazardContrastReading,
    IncidenceReading,
    ModelReading,
)
from cxresearch.claims.rivals.apply import rival_entries
from cxresearch.claims.schema import Claim
from cxresearch.engines import Engine
from cxresearch.engines import engine as engine_named
from cxresearch.errors import ArgumentError, nearest
from cxresearch.records.contacts import log_columns
from cxresearch.records.redefine import neighbours_of_bad
from cxresearch.study import Study
from cxresearch.utils.checks import names, rows_of, whole_number

NOTHING, SEGMENT, CALENDAR, CONTACTS, TEMPERAMENT = (
    "nothing",
    "segment",
    "segment, calendar",
    "segment, calendar, contacts",
    "all these and temperament",
)
MATCHING, STANDARDISED = "matched customers", "matched customers, contacts standardised"
AS_CLAIMED = "as the claim says"
AS_GRADED = "as the study grades"
BLACKOUTS = (0, 7, 14)  # of a study without a blackout
Adjustment = tuple[AnyReading, Variant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What a number rests on that somebody else might have defined otherwise.

    Attributes:
        bad: condition under which a contact is bad; ``as the study grades`` where no rule defines it.
        blackout_days: moments take effect so many days later.
        window_days: histories go back so many days; 0 for all that is known.
        horizon_days: how many days ahead the claim looks; 0 where the number has no horizon, or one of its own.
        adjustment: what is held equal.
    """

    bad: str
    blackout_days: int
    window_days: int
    horizon_days: int
    adjustment: str

    def changes(self, own: Definitions) -> tuple[str, ...]:
        """The definitions that differ from `own`, such as ``bad = 'stars <= 3'``."""
        return tuple(
            f"{f.name} = {getattr(self, f.name)!r}"
            for f in fields(self)
            if getattr(self, f.name) != getattr(own, f.name)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternatives:
    """The values that each definition takes, the study's own first.

    Attributes:
        bad: shape (A,): conditions.
        blackout_days: shape (B,).
        window_days: shape (C,).
        horizon_days: shape (D,).
        adjustment: shape (E,): what is held equal to the reading and the variant that do so.
    """

    bad: tuple[str, ...]
    blackout_days: tuple[int, ...]
    window_days: tuple[int, ...]
    horizon_days: tuple[int, ...]
    adjustment: Mapping[str, Adjustment]

    @property
    def own(self) -> Definitions:
        """What the study itself defines."""
        return Definitions(
            bad=self.bad[0],
            blackout_days=self.blackout_days[0],
            window_days=self.window_days[0],
            horizon_days=self.horizon_days[0],
            adjustment=next(iter(self.adjustment)),
        )

    def combined(self) -> tuple[Definitions, ...]:
        """Every combination, those with the same contacts and tables next to each other."""
        return tuple(
            Definitions(
                bad=bad, blackout_days=late, window_days=window, horizon_days=ahead, adjustment=held
            )
            for bad in self.bad
            for late in self.blackout_days
            for window in self.window_days
            for ahead in self.horizon_days
            for held in self.adjustment
        )


def find_alternatives(
    study: Study,
    claim: Claim,
    reading: AnyReading,
    *,
    log_days: int,
    looks_back: bool,
    engine: Engine | str,
    bad: Sequence[str] | None = None,
    blackout_days: Sequence[int] | None = None,
    window_days: Sequence[int] | None = None,
    horizon_days: Sequence[int] | None = None,
    adjustments: Sequence[str] | None = None,
    with_rivals: bool = False,
) -> Alternatives:
    """The definitions to be tried: those that are given, or neighbours of the study's own.

    Args:
        study: as it is declared.
        claim: the claim.
        reading: of the claim, as it is adapted to the study.
        log_days: the length of the log.
        looks_back: whether the study's histories go back over `lookback_days` only.
        engine: where the log is opened.
        bad: conditions; when not given, a step narrower and a step wider.
        blackout_days: when not given, none, half and twice as many; 7 and 14 where there is none.
        window_days: when not given, ``lookback_days`` where the log is twice as long.
        horizon_days: when not given, half and twice as far where the claim is about a direction. Of a threshold, such
            as "a third leave", another horizon is another question.
        adjustments: names of `adjustments_of`; all when not given.
        with_rivals: leave out what a rival explanation holds equal anyway.

    Raises:
        ArgumentError: a definition that the reading does not have, or of the wrong kind.
    """
    own_late = study.moments.blackout_days
    has_window = isinstance(reading, ModelReading) and not (
        reading.time_origin or reading.time_fixed
    )
    own_window = study.moments.lookback_days if looks_back and has_window else 0
    has_horizon = (
        isinstance(reading, IncidenceReading | ExcessReading) and reading.horizon_days == "study"
    )
    own_ahead = study.info.horizon_days if has_horizon else 0
    if bad is None:
        opened = engine_named(engine) if isinstance(engine, str) else engine
        bad = neighbours_of_bad(study, log_columns(study, opened))
    if blackout_days is None:
        near = (0, own_late // 2, 2 * own_late) if own_late else BLACKOUTS
        blackout_days = near if _has_blackout(reading) else ()
    elif not _has_blackout(reading):
        raise ArgumentError(
            "blackout_days",
            list(blackout_days),
            f"left out: the number of {claim.id} knows no blackout",
        )
    if window_days is None:
        window_days = _default_windows(study, log_days, looks_back) if has_window else ()
    elif not has_window and any(window_days):
        raise ArgumentError(
            "window_days", list(window_days), f"left out: histories of {claim.id} have no window"
        )
    if horizon_days is None:
        is_direction = has_horizon and 0.0 in reading.claimed_region.edges
        horizon_days = (own_ahead // 2, 2 * own_ahead) if is_direction else ()
        horizon_days = tuple(h for h in horizon_days if h < log_days)
    elif not has_horizon:
        raise ArgumentError(
            "horizon_days", list(horizon_days), f"left out: the number of {claim.id} has no horizon"
        )
    known = adjustments_of(study, claim, reading, with_rivals=with_rivals)
    return Alternatives(
        bad=_distinct(study.moments.bad or AS_GRADED, names("bad", bad)),
        blackout_days=_distinct(own_late, _days("blackout_days", blackout_days, 0)),
        window_days=_distinct(own_window, _days("window_days", window_days, 0)),
        horizon_days=_distinct(own_ahead, _days("horizon_days", horizon_days, 1)),
        adjustment=known if adjustments is None else _chosen(known, adjustments),
    )


def adjustments_of(
    study: Study, claim: Claim, reading: AnyReading, *, with_rivals: bool = False
) -> dict[str, Adjustment]:
    """What can be held equal, the claim's own first: name to the reading and the variant that do so.

    Of a hazard model each holds equal what the one before it does, and more: nothing, the segment, the calendar, how
    much a customer is in touch, how many of a customer's moments so far were such. Of an excess, customers are matched,
    or weighted as well.

    Args:
        study: as it is declared.
        claim: the claim.
        reading: of the claim, as it is adapted to the study.
        with_rivals: leave out temperament, which is a rival explanation.
    """
    own = {_own_name(reading): (reading, Variant())}
    result: dict[str, Adjustment] = {}
    if isinstance(reading, ExcessReading) and reading.compare.standardise_by:
        alone = structs.replace(reading.compare, standardise_by=())
        result[MATCHING] = (structs.replace(reading, compare=alone), Variant())
    elif (
        isinstance(reading, HazardContrastReading | AttributableShareReading)
        and not reading.time_fixed
    ):
        model = reading.model
        loose = structs.replace(model, held_equal="nothing", calendar=False)
        result[NOTHING] = (
            structs.replace(reading, model=structs.replace(loose, strata=())),
            Variant(),
        )
        if study.described_by.segment and reading.strata:
            result[SEGMENT] = (structs.replace(reading, model=loose), Variant())
        months = structs.replace(loose, calendar=model.calendar)
        result[CALENDAR] = (structs.replace(reading, model=months), Variant())
        is_possible = rival_entries(claim)["temperament"].status in ("required", "shown")
        if not with_rivals and is_possible and proneness_entries(claim, reading):
            result[TEMPERAMENT] = (reading, Variant(proneness=True))
    others = {name: how for name, how in result.items() if how != (reading, Variant())}
    return own | {name: how for name, how in others.items() if name not in own}


def _own_name(reading: AnyReading) -> str:
    """What a claim's own reading holds equal."""
    if isinstance(reading, ExcessReading):
        return STANDARDISED if reading.compare.standardise_by else MATCHING
    if not isinstance(reading, ModelReading) or not uses_cohorts(reading):
        return AS_CLAIMED
    return {"contacts": CONTACTS, "nothing": CALENDAR}.get(reading.model.held_equal, AS_CLAIMED)


def _has_blackout(reading: AnyReading) -> bool:
    """Whether moments take effect later in it: not where time begins with the moment itself, nor in plain shares."""
    if isinstance(reading, IncidenceReading):
        return reading.time_origin is None
    return isinstance(reading, ModelReading | FadingReading) and not (
        isinstance(reading, ModelReading) and reading.time_fixed
    )


def _default_windows(study: Study, log_days: int, looks_back: bool) -> tuple[int, ...]:
    days = study.moments.lookback_days
    if looks_back:
        return tuple(d for d in (days // 2, 2 * days) if 30 <= d < log_days)
    return (days,) if log_days >= 2 * days else ()


def _chosen(known: Mapping[str, Adjustment], wanted: Sequence[str]) -> dict[str, Adjustment]:
    own = next(iter(known))
    for name in names("adjustments", wanted):
        if name not in known:
            raise ArgumentError(
                "adjustments",
                name,
                f"what the claim's number can hold equal{nearest(name, known)}; there are: {'; '.join(known)}",
            )
    return {name: known[name] for name in (own, *(w for w in wanted if w != own))}


def _days(argument: str, given: Sequence[int], low: int) -> tuple[int, ...]:
    """Whole numbers of days, in any order."""
    return tuple(whole_number(argument, days, low) for days in rows_of(argument, given))


def _distinct(own: Any, others: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((own, *others)))
