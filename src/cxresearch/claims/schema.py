"""What an entry of the catalogue, or of `[[claims]]` in a study file, holds: a claim and its readings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from cxresearch import histories
from cxresearch.claims.decide import Region, parse_region
from cxresearch.errors import ArgumentError, ClaimError, EstimationError, nearest
from cxresearch.histories import History
from cxresearch.html_tables import html_table
from cxresearch.risk.episodes import check_name
from cxresearch.study.settings import Section

HISTORIES: dict[str, Callable[..., History]] = {
    name: getattr(histories, name) for name in histories.__all__ if name[0].islower()
}
LARGEST = 100_000  # days or hours, longer than anybody is followed
_LIMITS = {"cap": 1_000}  # a level for each number up to it
_LONGEST = 1_000  # list


def history_of(where: str, says: Mapping[str, Any]) -> History:
    """The history that an entry describes.

    Args:
        where: its path, for messages.
        says: ``use`` and the parameters of that function.

    Raises:
        ClaimError: an unknown function or parameter, or a value that it does not take.
    """
    use = says.get("use")
    if not isinstance(use, str) or use not in HISTORIES:
        was = "" if use is None else f", was {use!r}"
        raise ClaimError(
            f"{where}: use must name a history{was}{nearest(str(use), HISTORIES)}; there are: {', '.join(HISTORIES)}"
        )
    kinds, required = _parameters(use)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in says.items() if k != "use"}
    for key, value in given.items():
        if key not in kinds:
            has = "; it has: " + ", ".join(kinds) if kinds else "; it has none"
            raise ClaimError(f"{where}: {use} has no parameter {key!r}{nearest(key, kinds) or has}")
        if not any(_is(value, kind, _LIMITS.get(key, LARGEST)) for kind in kinds[key]):
            said = " or ".join(_said(kind, _LIMITS.get(key, LARGEST)) for kind in kinds[key] if kind is not type(None))
            raise ClaimError(f"{where}.{key} must be {said}, was {says[key]!r}")
    for key in required:
        if key not in given:
            raise ClaimError(f"{where}: {use} needs {key}")
    try:
        return HISTORIES[use](**given)
    except (ArgumentError, EstimationError) as e:
        raise ClaimError(f"{where}: {e}") from None


def check_called(where: str, name: str) -> None:
    """Refuse a name that is that of a column, or none.

    Raises:
        ClaimError: no history, and no cause, can be called so.
    """
    if name == "self":  # of methods that take levels by name
        raise ClaimError(f"{where}: 'self' cannot be the name of a history: call it something else")
    try:
        check_name(name)
    except (ArgumentError, EstimationError) as e:
        raise ClaimError(f"{where}: {e}") from None


@cache
def _parameters(use: str) -> tuple[dict[str, tuple[Any, ...]], tuple[str, ...]]:
    """The kinds of values that each parameter takes, and the parameters that must be given."""
    signature = inspect.signature(HISTORIES[use]).parameters
    hints = get_type_hints(HISTORIES[use])
    kinds = {k: get_args(hints[k]) if get_origin(hints[k]) in (Union, UnionType) else (hints[k],) for k in signature}
    return kinds, tuple(k for k, p in signature.items() if p.default is inspect.Parameter.empty)


def _is(value: object, kind: Any, largest: int) -> bool:
    if get_origin(kind) is tuple:
        each = get_args(kind)[0]
        return isinstance(value, tuple) and 0 < len(value) <= _LONGEST and all(_is(v, each, largest) for v in value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest
    return isinstance(value, kind)


def _said(kind: Any, largest: int) -> str:
    if get_origin(kind) is tuple:
        each = "words" if get_args(kind)[0] is str else f"whole numbers between 0 and {largest:,}"
        return f"a list of {each}, with at least one"
    numbers = f"a whole number between 0 and {largest:,}"
    return {int: numbers, bool: "true or false", str: "a word"}.get(kind, str(kind))


class Since(Section, frozen=True):
    """A clock that starts when a history reaches a level."""

    since: str
    level: str
    below: str | None = None


class Until(Section, frozen=True):
    """A transition that ends the follow-up, as a cause of its own."""

    history: str
    level: str
    cause: str


class Model(Section, frozen=True):
    """A regression: terms, and strata where the study has them."""

    terms: tuple[str, ...]
    strata: tuple[str, ...] = ()


class Contestants(Section, frozen=True):
    """Two descriptions of the past, as terms: which says more about who leaves."""

    first: tuple[str, ...]
    second: tuple[str, ...]


class Comparators(Section, frozen=True):
    """Whom the exposed are compared with: at risk, same stratum, below `level`, with a recent contact.

    Attributes:
        history: a cumulative history.
        level: reaching it is the exposure.
        recent: a history of contacts in a window; comparators have at least one.
        below: exposed customers who stood at this level or above at once are left out.
        alike: a history in which comparators are at the same level on that day.
    """

    history: str
    level: str
    recent: str
    below: str | None = None
    alike: str | None = None


class Requirement(Section, frozen=True):
    """Another reading without which a verdict does not stand.

    Attributes:
        reading: its id.
        otherwise: why the claim is open without it, in plain words.
        contradicts: whether its being contradicted contradicts the claim; else the claim is undecided.
        control: a negative control: only its being contradicted counts, and leaves the claim undecided.
        asked_of: the verdict that it must share: ``supported``, ``contradicted`` or ``either``; one that it does not
            share becomes undecided.
    """

    reading: str
    otherwise: str
    contradicts: bool = False
    control: bool = False
    asked_of: Literal["supported", "contradicted", "either"] = "supported"


class Published(Section, frozen=True):
    """A number somebody else has published."""

    value: str
    says: str
    source: str


class Text(Section, frozen=True):
    """The plain sentence of each verdict; names in braces are filled in.

    `caution` says why the naive answer is no verdict; it is shown where the naive answer decides otherwise.
    """

    supported: str
    contradicted: str
    undecided: str
    not_testable: str
    caution: str = ""


class AtRisk(Section, frozen=True):
    """Beside those who left: customers at risk on the same day.

    Attributes:
        alike: a history in which they are at the same level.
        strata: further ones, or fixed covariates.
        part: the difference of the two shares, or theirs alone.
    """

    alike: str
    strata: tuple[str, ...] = ()
    part: Literal["excess", "comparators"] = "excess"


class Worst(Section, frozen=True):
    """The share of bad moments at the worst of those whom contacts were with.

    Attributes:
        of: who they are: ``agent``, ``owner``, ``channel`` or ``touchpoint``.
        within: what is held equal: other such columns, and ``month``.
        part: how much of all contacts the worst have.
        chance: what chance alone would give, instead.
    """

    of: Literal["agent", "owner", "channel", "touchpoint"] = "agent"
    within: tuple[Literal["agent", "owner", "channel", "touchpoint", "month"], ...] = ("touchpoint", "month")
    part: float = 0.1
    chance: bool = False


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
    result = [*subjects(reading, contrasts=False)]
    for term in reading.model.terms if reading.model else ():
        result += features(term)
    return tuple(dict.fromkeys(result))


def subjects(reading: Reading, *, contrasts: bool = True) -> tuple[str, ...]:
    """The histories a reading is about; others of its model are only held equal."""
    result = [*reading.count, *reading.among]
    if reading.contest:
        result += [name for term in (*reading.contest.first, *reading.contest.second) for name in features(term)]
    result += [reading.frailty] if reading.frailty else []
    result += [reading.at_risk.alike, *reading.at_risk.strata] if reading.at_risk else []
    if reading.clock:
        result.append(reading.clock.since)
    if reading.until:
        result.append(reading.until.history)
    if reading.compare:
        result += [n for n in (reading.compare.history, reading.compare.recent, reading.compare.alike) if n]
    if contrasts:
        result += [name for term in (*reading.contrast, *reading.combine) for name in features(term)]
    return tuple(dict.fromkeys(result))


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
