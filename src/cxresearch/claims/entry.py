"""What an entry of the catalogue, or of `[[claims]]` in a study file, holds: a claim and its readings."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from cxresearch.claims.grammar import (
    AtRisk,
    Comparators,
    Contestants,
    Model,
    Published,
    Requirement,
    Since,
    Text,
    Until,
    Worst,
)
from cxresearch.claims.named import history_of
from cxresearch.claims.verdict import Region, parse_region
from cxresearch.errors import ClaimError, nearest
from cxresearch.histories import History
from cxresearch.html_tables import html_table
from cxresearch.study.strict import Section


class Reading(Section, frozen=True):
    """One number that a claim can be read as.

    Attributes:
        id: short name, unique in its claim.
        label: what the number is, in plain words.
        shape: how it is computed.
        primary: whether the verdict rests on it; one per claim.
        describes: a number shown beside others and not tried itself.
        event: the cause that counts.
        clock: the study's own, or days since a history reached a level.
        until: a competing transition.
        horizon_days: a number, ``study``, or ``support`` for as far as the data reach.
        ratio_to: report incidence / (incidence + incidence of this cause).
        contest: of a contest; its `model` holds what is equal in both.
        model, contrast, final: of a hazard contrast; `final` takes last levels as fixed covariates, as naive
            analyses do.
        frailty: of a hazard contrast; a history of fine ages of the last bad moment: the number is the ratio beyond
            what selection by frailty would give if the effect were constant.
        after_days: only the time after so many days on the clock.
        combine: of an attributable share; feature to weight.
        against: the grade that moments are put in the place of; it must occur.
        compare, part: of an excess; `part` is ``excess``, ``exposed`` or ``comparators``.
        count, ends: of a share; levels that count, and ends of follow-up in the denominator.
        among: only customers, or time spent, in these levels.
        at_risk: of a share; who it is compared with.
        worst: of a share of moments instead of customers.
        region: where the claim says the number lies.
        smallest_effect: the smallest hazard ratio above one (or its inverse below) that matters; of an excess, the
            smallest difference of shares.
        alternative: the value at which more data are planned for.
        not_contradicted: why a number outside the region leaves the claim undecided, where it cannot contradict.
        requires: readings that must be supported too.
        ladder: rungs of adjustment, as readings; two that contradict each other leave the claim undecided.
    """

    id: str
    label: str
    shape: Literal["incidence", "excess", "hazard_contrast", "attributable", "share", "contest"]
    primary: bool = False
    describes: bool = False
    event: str = "defection"
    clock: Since | None = None
    until: Until | None = None
    horizon_days: Any = "study"
    ratio_to: str | None = None
    model: Model | None = None
    contest: Contestants | None = None
    contrast: dict[str, float] = msgspec.field(default_factory=dict)
    final: bool = False
    frailty: str | None = None
    after_days: int | None = None
    combine: dict[str, float] = msgspec.field(default_factory=dict)
    against: Literal["bad", "neutral", "good", "unknown"] | None = None
    compare: Comparators | None = None
    part: Literal["excess", "exposed", "comparators"] = "excess"
    count: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    among: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    ends: tuple[str, ...] = ()
    at_risk: AtRisk | None = None
    worst: Worst | None = None
    region: str | None = None
    smallest_effect: float | None = None
    alternative: float | None = None
    not_contradicted: str = ""
    requires: tuple[Requirement, ...] = ()
    ladder: tuple[str, ...] = ()


class Claim(Section, frozen=True):
    """An entry of the catalogue.

    Attributes:
        id: short name.
        statement: the claim in our own words.
        source: who says so.
        retention: kinds of retention on which it makes sense.
        cell: the history whose levels must all have enough expected events.
        histories: name to function and parameters.
        covariates: names of fixed covariates, such as ``segment``, that readings name as terms.
        readings: the numbers it can be read as.
        base_rate: the reading that says what happens anyway.
        naive: the reading a naive analysis would report.
        activity: whether a caution shows who has bad moments and who leaves, by number of contacts.
        change_our_mind: what would.
        notes: what the number does not say.
        published: what others found.
        text: the four sentences.
    """

    id: str
    statement: str
    source: str
    histories: dict[str, dict[str, Any]]
    readings: tuple[Reading, ...]
    text: Text
    retention: tuple[str, ...] = ("contract", "activity")
    covariates: tuple[str, ...] = ()
    cell: str | None = None
    base_rate: str | None = None
    naive: str | None = None
    activity: bool = False
    change_our_mind: str = ""
    notes: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()

    def __repr__(self) -> str:
        return f"Claim({self.id!r}: {self.statement!r})"

    def _repr_html_(self) -> str:
        rows = [(r.label, r.shape.replace("_", " "), r.region or "shown beside") for r in self.readings]
        notes = (f"Said by: {self.source}", f"The verdict rests on: {self.primary.label}.")
        return html_table(f"{self.id}: {self.statement}", ("reading", "is a", "the claim"), rows, notes)

    @property
    def primary(self) -> Reading:
        """The reading the verdict rests on."""
        return next(r for r in self.readings if r.primary)

    def reading(self, reading_id: str) -> Reading:
        """The reading of that id.

        Raises:
            ClaimError: there is none.
        """
        for r in self.readings:
            if r.id == reading_id:
                return r
        ids = [r.id for r in self.readings]
        raise ClaimError(f"{self.id}: no reading {reading_id!r}{nearest(reading_id, ids)}")

    def history(self, name: str) -> History:
        """The history behind a name.

        Raises:
            ClaimError: unknown name, function or parameter.
        """
        if name not in self.histories:
            raise ClaimError(f"claims.{self.id}: no history {name!r}{nearest(name, self.histories)}")
        return history_of(f"claims.{self.id}.histories.{name}", self.histories[name])


def names_used(reading: Reading) -> tuple[str, ...]:
    """The histories and covariates a reading mentions, in order."""
    found = [*subjects(reading, contrasts=False)]
    for term in reading.model.terms if reading.model else ():
        found += features(term)
    return tuple(dict.fromkeys(found))


def subjects(reading: Reading, *, contrasts: bool = True) -> tuple[str, ...]:
    """The histories a reading is about; others of its model are only held equal."""
    found = [*reading.count, *reading.among]
    if reading.contest:
        found += [name for term in (*reading.contest.first, *reading.contest.second) for name in features(term)]
    found += [reading.frailty] if reading.frailty else []
    found += [reading.at_risk.alike, *reading.at_risk.strata] if reading.at_risk else []
    if reading.clock:
        found.append(reading.clock.since)
    if reading.until:
        found.append(reading.until.history)
    if reading.compare:
        found += [n for n in (reading.compare.history, reading.compare.recent, reading.compare.alike) if n]
    if contrasts:
        found += [name for term in (*reading.contrast, *reading.combine) for name in features(term)]
    return tuple(dict.fromkeys(found))


def features(term: str) -> tuple[str, ...]:
    """The features of a term such as ``bad``, ``bad[1+]``, ``linear(bad)`` or ``bad:contacts``."""
    return tuple(part.removeprefix("linear(").removesuffix(")").partition("[")[0] for part in term.split(":"))


def region(claim: Claim, reading: Reading) -> Region:
    """Where the claim says the number of a reading lies.

    Raises:
        ClaimError: the region cannot be read.
    """
    effect = reading.smallest_effect
    if effect is None and reading.shape == "hazard_contrast":
        effect = 1.10
    try:
        return parse_region(reading.region or "", effect)
    except ValueError as e:
        raise ClaimError(f"claims.{claim.id}.readings.{reading.id}.region: {e}") from None
