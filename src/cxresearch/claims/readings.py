"""What all readings of a claim have, and the parts that they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import ClassVar, Literal

from msgspec.structs import fields

from cxresearch.claims.decide import Region, parse_region
from cxresearch.claims.units import Unit
from cxresearch.claims.validation import (
    Scope,
    check_alternative,
    check_region,
    check_smallest_effect,
    features,
)
from cxresearch.errors import ClaimError
from cxresearch.study.settings import Section

Levels = dict[str, tuple[str, ...]]


class TimeOrigin(Section, frozen=True):
    """A clock that starts when a history reaches a level.

    Attributes:
        history: a history that only rises.
        level: reaching it is day 0.
        exclude_from: customers who come to this level or above at once are left out.
    """

    history: str
    level: str
    exclude_from: str | None = None


class CompetingEvent(Section, frozen=True):
    """A transition that ends the follow-up, as a separate cause.

    Attributes:
        history: a history that only rises.
        level: reaching it ends the follow-up.
        cause: what that end is called.
    """

    history: str
    level: str
    cause: str


class Model(Section, frozen=True):
    """A regression.

    Attributes:
        terms: names, ``linear(name)``, or products such as ``a:b``.
        strata: fixed covariates with a baseline hazard each, where the study has them; the segment when not given,
            unless it is a term.
        held_equal: what else is held equal: ``contacts`` (in the last 90 days, so far, and how long ago the last one
            was), ``earlier contacts`` (the same as they stood 90 days before, where the claim is about recent contacts
            themselves) or ``nothing``.
        calendar: whether customers are compared with those whose clock began in the same month.
    """

    terms: tuple[str, ...]
    strata: tuple[str, ...] | None = None
    held_equal: Literal["contacts", "earlier contacts", "nothing"] = "contacts"
    calendar: bool = True


class Comparison(Section, frozen=True):
    """Exposed customers and their comparators: at risk that day, of the same segment and cohort, below the level.

    Attributes:
        history: a history that only rises.
        level: reaching it is the exposure.
        active_within: histories of contacts in a window, of which comparators have at least one; the first of them that
            leaves at most a tenth of the exposed without a comparator, or the last one.
        exclude_from: exposed customers who come to this level or above at once are left out.
        matched_on: histories in which comparators are at the same level on that day.
        standardise_by: histories in which comparators are weighted to be as the exposed are.
    """

    history: str
    level: str
    active_within: tuple[str, ...]
    exclude_from: str | None = None
    matched_on: tuple[str, ...] = ()
    standardise_by: tuple[str, ...] = ()


class Requirement(Section, frozen=True):
    """Another reading without which a verdict does not stand.

    Attributes:
        reading: its id.
        reason: why the claim is open without it, in plain words.
        contradicts: whether its being contradicted contradicts the claim; else the claim is undecided.
        negative_control: only its being contradicted counts, and leaves the claim undecided.
        includes: only this counts: whether its interval, at the level of that reading, includes the number; without
            that, a support leaves the claim undecided.
        applies_to: the verdict that it must share: ``supported``, ``contradicted`` or ``either``; one that it does not
            share becomes undecided.
    """

    reading: str
    reason: str
    contradicts: bool = False
    negative_control: bool = False
    includes: float | None = None
    applies_to: Literal["supported", "contradicted", "either"] = "supported"


class Reading(Section, frozen=True, kw_only=True, tag_field="kind"):
    """One number that a claim can be read as: what all kinds have.

    Attributes:
        id: short name, unique in its claim.
        label: what the number is, in plain words.
        primary: whether the verdict rests on it; one per claim.
        descriptive: a number shown next to others and not decided itself.
        region: where the claim places the number.
        smallest_effect: the smallest effect that matters: a ratio above one, or a difference of shares.
        alternative: the value at which more data are planned for.
        why_not_contradicted: why a number outside the region leaves the claim undecided, where it cannot contradict.
        requires: other readings that limit the verdict: that must be supported or contradicted too, or show nothing.
        sensitivity: readings that hold other things equal; two that contradict each other leave the claim undecided.
    """

    id: str
    label: str
    primary: bool = False
    descriptive: bool = False
    region: str | None = None
    smallest_effect: float | None = None
    alternative: float | None = None
    why_not_contradicted: str = ""
    requires: tuple[Requirement, ...] = ()
    sensitivity: tuple[str, ...] = ()

    default_effect: ClassVar[float | None] = None
    largest_effect: ClassVar[float] = 1.0

    @property
    def kind(self) -> str:
        """What the entry calls it, such as ``hazard_contrast``."""
        return kind_of(type(self))

    @property
    def unit(self) -> Unit:
        """What the number is measured in."""
        return Unit.SHARE

    @property
    def claimed_region(self) -> Region:
        """Where the claim places the number.

        Raises:
            ValueError: there is no region, or it cannot be read; not of a reading that has been validated.
        """
        effect = self.default_effect if self.smallest_effect is None else self.smallest_effect
        return parse_region(self.region or "", effect)

    def bounds(self) -> tuple[float, float]:
        """Between which the number lies, and its region must."""
        return (-1.0, 1.0) if self.unit is Unit.DIFFERENCE else (0.0, 1.0)

    def weighted(self) -> tuple[str, ...]:
        """The terms that have a weight in the number."""
        return ()

    def subjects(self) -> tuple[str, ...]:
        """The histories and covariates that the number is about; others are only held equal."""
        return distinct_names(
            (*self._subjects(), *(name for term in self.weighted() for name in features(term)))
        )

    def names(self) -> tuple[str, ...]:
        """All histories and covariates that are counted for it, in the order of its table."""
        return distinct_names(self._subjects())

    def contact_columns(self) -> tuple[str, ...]:
        """What it reads of a contact besides what histories read."""
        return ()

    def validate(self, scope: Scope) -> None:
        """Refuse a reading that could not be computed, or whose number would not be what its keys declare.

        Raises:
            ClaimError: the message names the key and what is allowed.
        """
        where = scope.where
        if self.primary and self.descriptive:
            raise ClaimError(
                f"{where}.descriptive: the primary reading is decided; it cannot only describe"
            )
        for key in required_keys(type(self)):
            if getattr(self, key) in ((), {}):
                raise ClaimError(f"{where}: the kind {self.kind} needs {key}")
        self._check_region(where)
        scope.check_known(self.names())
        self._check(scope)

    def _check_region(self, where: str) -> None:
        if self.region is None:
            if not self.descriptive:
                raise ClaimError(
                    f'{where}: needs a region, such as region = "> 1", or descriptive = true'
                )
            for key in ("smallest_effect", "alternative", "why_not_contradicted"):
                if getattr(self, key) not in (None, ""):
                    raise ClaimError(
                        f"{where}.{key} says something about a region, and the reading has none"
                    )
            return
        try:
            region = self.claimed_region
        except ValueError as e:
            raise ClaimError(f"{where}.region: {e}") from None
        if self.smallest_effect is not None:
            check_smallest_effect(
                where,
                self.smallest_effect,
                region,
                is_ratio=self.unit.is_ratio,
                largest=self.largest_effect,
            )
        check_region(where, region, self.bounds(), is_ratio=self.unit.is_ratio)
        if self.alternative is not None:
            check_alternative(where, self.alternative, self.bounds())

    def _subjects(self) -> tuple[str, ...]:
        return ()

    def _check(self, scope: Scope) -> None:
        """What only this kind has."""


class EventReading(Reading, frozen=True, kw_only=True):
    """A number of those who leave, or to whom something else happens.

    Attributes:
        event: the cause that counts.
    """

    event: str = "defection"

    def _check(self, scope: Scope) -> None:
        scope.check_cause("event", self.event)


def kind_of(reading: type[Reading]) -> str:
    """What an entry calls readings of this type."""
    return str(reading.__struct_config__.tag)


@cache
def own_keys(reading: type[Reading]) -> tuple[str, ...]:
    """The keys that say how a number of this type is computed; the others are those of every reading."""
    return tuple(field.name for field in fields(reading) if field.name not in _COMMON)


@cache
def required_keys(reading: type[Reading]) -> tuple[str, ...]:
    """Those of them without which there is no number."""
    return tuple(
        field.name for field in fields(reading) if field.required and field.name not in _COMMON
    )


_COMMON = frozenset(field.name for field in fields(Reading))


def distinct_names(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, in order."""
    return tuple(dict.fromkeys(names))
