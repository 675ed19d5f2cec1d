"""What a claim can be read as: one structure per kind of number, with its keys, bounds and checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

import msgspec

from cxresearch.claims.readings import (
    Comparison,
    CompetingEvent,
    EventReading,
    Levels,
    Model,
    Reading,
    TimeOrigin,
    distinct_names,
    kind_of,
    own_keys,
    required_keys,
)
from cxresearch.claims.units import Unit
from cxresearch.claims.validation import (
    Scope,
    check_contrast,
    check_days,
    check_distinct,
    check_strata,
    check_terms,
    check_weights,
    features,
)
from cxresearch.errors import ClaimError, nearest
from cxresearch.records.follow_up import CAUSES

Whom = Literal["agent", "owner", "channel", "touchpoint"]
_SMALLEST_FRACTION = 0.001


class IncidenceReading(EventReading, frozen=True, kw_only=True, tag="incidence"):
    """A share of customers to whom the event has happened by a day, others competing.

    Attributes:
        time_origin: days since a history reached a level; else the clock of the study.
        competing_event: a transition that ends the follow-up as well.
        horizon_days: a number, ``study``, or ``support`` for as far as the data reach.
        ratio_to: report incidence / (incidence + incidence of this cause).
        subset: only time spent in these levels.
    """

    time_origin: TimeOrigin | None = None
    competing_event: CompetingEvent | None = None
    horizon_days: Any = "study"
    ratio_to: str | None = None
    subset: Levels = msgspec.field(default_factory=dict)

    def _subjects(self) -> tuple[str, ...]:
        ends = (self.time_origin, self.competing_event)
        return (*self.subset, *(e.history for e in ends if e))

    def _check(self, scope: Scope) -> None:
        check_days(f"{scope.where}.horizon_days", self.horizon_days, 1, ("study", "support"))
        scope.check_levels("subset", self.subset)
        causes: tuple[str, ...] = CAUSES[1:]
        if origin := self.time_origin:
            scope.check_reached("time_origin", origin.history, origin.level, origin.exclude_from)
        if competing := self.competing_event:
            scope.check_reached("competing_event", competing.history, competing.level)
            scope.check_new_cause("competing_event.cause", competing.cause)
            causes = (*causes, competing.cause)
        scope.check_cause("event", self.event, causes)
        if self.ratio_to is not None:
            scope.check_cause("ratio_to", self.ratio_to, causes)
        if self.ratio_to == self.event:
            raise ClaimError(
                f"{scope.where}.ratio_to is the event itself, {self.event!r}; name another cause: {', '.join(causes)}"
            )


class ExcessReading(EventReading, frozen=True, kw_only=True, tag="excess"):
    """How many more left after an exposure than of comparable customers.

    Attributes:
        compare: who is exposed, and who is comparable.
        measure: the difference of the two shares, or one of them alone.
        horizon_days: a number, or ``study``.
    """

    compare: Comparison
    measure: Literal["excess", "exposed", "comparators"] = "excess"
    horizon_days: Any = "study"

    @property
    def unit(self) -> Unit:
        """A difference, or a share."""
        return Unit.DIFFERENCE if self.measure == "excess" else Unit.SHARE

    def _subjects(self) -> tuple[str, ...]:
        compare = self.compare
        held = (*compare.active_within, *compare.matched_on, *compare.standardise_by)
        return distinct_names((compare.history, *held))

    def _check(self, scope: Scope) -> None:
        super()._check(scope)
        check_days(f"{scope.where}.horizon_days", self.horizon_days, 1, ("study",))
        compare = self.compare
        scope.check_reached("compare", compare.history, compare.level, compare.exclude_from)
        for key in ("active_within", "matched_on", "standardise_by"):
            names = getattr(compare, key)
            check_distinct(f"{scope.where}.compare.{key}", names)
            for name in names:
                scope.history(f"compare.{key}", name)
        if not compare.active_within:
            raise ClaimError(f"{scope.where}.compare.active_within must name at least one history")


class ModelReading(EventReading, frozen=True, kw_only=True):
    """A number out of a regression of the hazard.

    Attributes:
        model: terms, and strata where the study has them.
        time_origin: days since a history reached a level; else the clock of the study.
        after_days: only the time after so many days on the clock.
        subset: only time spent in these levels.
        time_fixed: last levels as covariates that were known from the start, as naive analyses take them.
        level: confidence level of its interval, where it is not the study's.
    """

    model: Model
    time_origin: TimeOrigin | None = None
    after_days: int | None = None
    subset: Levels = msgspec.field(default_factory=dict)
    time_fixed: bool = False
    level: float | None = None

    def names(self) -> tuple[str, ...]:
        """Those that the number is about, and those of the model."""
        held = (name for term in self.model.terms for name in features(term))
        return distinct_names((*self._subjects(), *held))

    def _subjects(self) -> tuple[str, ...]:
        return (*self.subset, *((self.time_origin.history,) if self.time_origin else ()))

    @property
    def strata(self) -> tuple[str, ...]:
        """Fixed covariates with a baseline hazard each."""
        if self.model.strata is not None:
            return self.model.strata
        used = {name for term in self._terms() for name in features(term)}
        return () if "segment" in used else ("segment",)

    def _terms(self) -> tuple[str, ...]:
        """All terms of all its models."""
        return self.model.terms

    def _check(self, scope: Scope) -> None:
        super()._check(scope)
        if self.after_days is not None:
            check_days(f"{scope.where}.after_days", self.after_days, 0)
        if origin := self.time_origin:
            scope.check_reached("time_origin", origin.history, origin.level, origin.exclude_from)
        scope.check_levels("subset", self.subset)
        check_terms(f"{scope.where}.model.terms", self.model.terms)
        check_strata(scope, "model.strata", self.strata, self._terms())


class _HazardRatio:
    """What readings have whose number is a hazard ratio."""

    default_effect: ClassVar[float | None] = 1.10
    largest_effect: ClassVar[float] = math.inf

    @property
    def unit(self) -> Unit:
        """A hazard ratio."""
        return Unit.HAZARD_RATIO

    def bounds(self) -> tuple[float, float]:
        """Above zero."""
        return 0.0, math.inf


class HazardContrastReading(
    _HazardRatio, ModelReading, frozen=True, kw_only=True, tag="hazard_contrast"
):
    """A hazard ratio: a contrast of the coefficients of a model.

    Attributes:
        contrast: weights by coefficient, such as ``bad[1+]`` or ``linear(bad)``.
        over_range: a history that counts moments: the ratio is that of k moments against none, where k is the 90th
            percentile of the count over customer-days at risk, at least 1 and at most 5.
    """

    contrast: dict[str, float]
    over_range: str = ""

    def weighted(self) -> tuple[str, ...]:
        """The coefficients of the contrast."""
        return tuple(self.contrast)

    def _check(self, scope: Scope) -> None:
        super()._check(scope)
        check_contrast(scope, self.contrast, self.model.terms)
        held = {name for term in self.model.terms for name in features(term)}
        if self.over_range and self.over_range not in held:
            raise ClaimError(
                f"{scope.where}.over_range: {self.over_range!r} is in no term of the model"
                f"{nearest(self.over_range, held)}"
            )


class FadingReading(_HazardRatio, EventReading, frozen=True, kw_only=True, tag="fading"):
    """How much more the effect of a moment fades than selection by frailty alone would give, as a hazard ratio.

    Attributes:
        age: a history of fine ages of the last such moment.
        subset: only time spent in these levels.
        strata: fixed covariates with a baseline hazard each, where the study has them.
    """

    age: str
    subset: Levels = msgspec.field(default_factory=dict)
    strata: tuple[str, ...] = ()

    def _subjects(self) -> tuple[str, ...]:
        return (*self.subset, self.age)

    def _check(self, scope: Scope) -> None:
        super()._check(scope)
        scope.history("age", self.age)
        scope.check_levels("subset", self.subset)
        check_strata(scope, "strata", self.strata)


class AttributableShareReading(ModelReading, frozen=True, kw_only=True, tag="attributable_share"):
    """A share of those who left that goes with moments in place of others, or a difference of such shares.

    Attributes:
        weights: of the share of each term.
        reference_grade: the grade that moments are put in the place of; it must occur.
    """

    weights: dict[str, float]
    reference_grade: Literal["bad", "neutral", "good", "unknown"] | None = None

    @property
    def unit(self) -> Unit:
        """One share, or a difference."""
        return Unit.SHARE if len(self.weights) == 1 else Unit.DIFFERENCE

    def bounds(self) -> tuple[float, float]:
        """A fraction is below one, and below zero where moments protect."""
        weights = self.weights.values()
        top = sum(weights) if all(w >= 0 for w in weights) else math.inf
        return -math.inf if any(w > 0 for w in weights) else sum(weights), top

    def weighted(self) -> tuple[str, ...]:
        """The terms whose shares are added."""
        return tuple(self.weights)

    def _check(self, scope: Scope) -> None:
        super()._check(scope)
        where, terms = f"{scope.where}.weights", self.model.terms
        check_weights(where, self.weights)
        for name in self.weights:
            if name not in terms or features(name) != (name,):
                raise ClaimError(
                    f"{where}: {name!r} must be a term of the model by itself{nearest(name, terms)}; "
                    f"it has: {', '.join(terms)}"
                )


class ModelComparisonReading(ModelReading, frozen=True, kw_only=True, tag="model_comparison"):
    """How much more probable one description of the past makes each departure than another.

    Attributes:
        a: terms of the first description; `model` holds what is equal in both.
        b: terms of the second.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]

    largest_effect = math.inf

    @property
    def unit(self) -> Unit:
        """A log likelihood per departure."""
        return Unit.LOG_LIKELIHOOD

    def bounds(self) -> tuple[float, float]:
        """Any number."""
        return -math.inf, math.inf

    def _subjects(self) -> tuple[str, ...]:
        compared = (name for term in (*self.a, *self.b) for name in features(term))
        origin = (self.time_origin.history,) if self.time_origin else ()
        return (*self.subset, *compared, *origin)

    def _terms(self) -> tuple[str, ...]:
        return (*self.model.terms, *self.a, *self.b)

    def _check(self, scope: Scope) -> None:
        super()._check(scope)
        check_terms(f"{scope.where}.a", self.a)
        check_terms(f"{scope.where}.b", self.b)
        for term in (*self.a, *self.b):
            if sum(term in terms for terms in (self.a, self.b, self.model.terms)) > 1:
                raise ClaimError(
                    f"{scope.where}: {term!r} is in two of a, b and model.terms; it is compared or held equal, not both"
                )


class CountedShareReading(Reading, frozen=True, kw_only=True):
    """A share of customers, by the levels that they were in last.

    Attributes:
        numerator: the levels that count.
        exit_causes: ends of follow-up in the denominator; all when not given.
        subset: only customers in these levels.
    """

    numerator: Levels
    exit_causes: tuple[str, ...] = ()
    subset: Levels = msgspec.field(default_factory=dict)

    def _subjects(self) -> tuple[str, ...]:
        return (*self.numerator, *self.subset)

    def _check(self, scope: Scope) -> None:
        for cause in self.exit_causes:
            scope.check_cause("exit_causes", cause, CAUSES)
        check_distinct(f"{scope.where}.exit_causes", self.exit_causes)
        scope.check_levels("numerator", self.numerator)
        scope.check_levels("subset", self.subset)


class ShareReading(CountedShareReading, frozen=True, kw_only=True, tag="share"):
    """A share of customers, stayed or gone."""


class ShareAtRiskReading(CountedShareReading, frozen=True, kw_only=True, tag="share_at_risk"):
    """A share of those who left, compared with that of customers at risk on the same day.

    Attributes:
        matched_on: a history in which they are at the same level.
        strata: further ones, or fixed covariates.
        measure: the difference of the two shares, or that of those at risk alone.
    """

    matched_on: str
    strata: tuple[str, ...] = ()
    measure: Literal["excess", "comparators"] = "excess"

    @property
    def unit(self) -> Unit:
        """A difference, or a share."""
        return Unit.DIFFERENCE if self.measure == "excess" else Unit.SHARE

    def _subjects(self) -> tuple[str, ...]:
        return (*self.numerator, *self.subset, self.matched_on, *self.strata)

    def _check(self, scope: Scope) -> None:
        super()._check(scope)
        equal = (self.matched_on, *self.strata)
        check_distinct(f"{scope.where}.strata", equal)
        for name in equal:
            if name in self.numerator:
                raise ClaimError(
                    f"{scope.where}.matched_on: {name!r} cannot count and be held equal at once"
                )


class ConcentrationReading(Reading, frozen=True, kw_only=True, tag="concentration"):
    """The share of bad moments at the worst of those whom contacts were with.

    Attributes:
        of: who they are: ``agent``, ``owner``, ``channel`` or ``touchpoint``.
        adjust_for: what is held equal: other such columns, and ``month``.
        top_fraction: how much of all contacts the worst have.
        measure: what is observed, or what chance alone would give.
    """

    of: Whom
    adjust_for: tuple[Literal["agent", "owner", "channel", "touchpoint", "month"], ...] = (
        "touchpoint",
        "month",
    )
    top_fraction: float = 0.1
    measure: Literal["observed", "by_chance"] = "observed"

    def contact_columns(self) -> tuple[str, ...]:
        """Whom contacts were with, and what is held equal."""
        return (self.of, *(name for name in self.adjust_for if name != "month"))

    def _check(self, scope: Scope) -> None:
        where = scope.where
        if self.of in self.adjust_for:
            raise ClaimError(
                f"{where}.adjust_for holds {self.of!r}, whose moments are counted; hold something else equal"
            )
        check_distinct(f"{where}.adjust_for", self.adjust_for)
        if not _SMALLEST_FRACTION <= self.top_fraction < 1:
            raise ClaimError(
                f"{where}.top_fraction must be at least {_SMALLEST_FRACTION} and below 1, was {self.top_fraction!r}"
            )


AnyReading = (
    IncidenceReading
    | ExcessReading
    | HazardContrastReading
    | FadingReading
    | AttributableShareReading
    | ModelComparisonReading
    | ShareReading
    | ShareAtRiskReading
    | ConcentrationReading
)


KINDS: dict[str, type[Reading]] = {kind_of(reading): reading for reading in get_args(AnyReading)}


def type_of(where: str, raw: Mapping[str, Any]) -> type[Reading]:
    """The type of a reading as it is written, by its `kind`.

    Args:
        where: its path, for messages.
        raw: its keys and values.

    Raises:
        ClaimError: no such kind, a key that this kind does not have, or one that it needs is missing.
    """
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        was = "" if kind is None else f", was {kind!r}{nearest(str(kind), KINDS)}"
        raise ClaimError(f"{where}.kind must be one of {', '.join(KINDS)}{was}")
    result = KINDS[kind]
    others = {key for other in KINDS.values() for key in own_keys(other)}
    for key in raw:
        if key in others and key not in own_keys(result):
            article = "an" if kind[0] in "aeiou" else "a"
            name, takes = kind.replace("_", " "), ", ".join(own_keys(result))
            raise ClaimError(f"{where}.{key}: {article} {name} has no {key}; it takes: {takes}")
    for key in required_keys(result):
        if key not in raw:
            raise ClaimError(f"{where}: the kind {kind} needs {key}")
    return result
