"""What an entry of the catalogue, or of `[[claims]]` in a study file, holds: a claim and its readings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import structs

from cxresearch import histories
from cxresearch.claims.kinds import AnyReading, ExcessReading, IncidenceReading
from cxresearch.claims.rivals.descriptions import RivalEntry, descriptions
from cxresearch.claims.validation import (
    ALWAYS,
    LARGEST,
    NUMBERS,
    Scope,
    check_distinct,
    check_sentences,
    check_usable,
    find_history,
)
from cxresearch.errors import ArgumentError, ClaimError, EstimationError, nearest
from cxresearch.histories import History
from cxresearch.study.settings import Section
from cxresearch.utils.html_tables import html_table

HISTORIES: dict[str, Callable[..., History]] = {
    name: getattr(histories, name) for name in histories.__all__ if name[0].islower()
}
_LIMITS = {"cap": 1_000}  # a level for each number up to it
_LONGEST = 1_000  # list


def make_history(where: str, entry: Mapping[str, Any]) -> History:
    """The history that an entry describes.

    Args:
        where: its path, for messages.
        entry: ``use`` and the parameters of that function.

    Raises:
        ClaimError: an unknown function or parameter, or a value that it does not take.
    """
    use = entry.get("use")
    if not isinstance(use, str) or use not in HISTORIES:
        was = "" if use is None else f", was {use!r}"
        raise ClaimError(
            f"{where}: use must name a history{was}{nearest(str(use), HISTORIES)}; there are: {', '.join(HISTORIES)}"
        )
    kinds, required = _parameters(use)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items() if k != "use"}
    for key, value in given.items():
        if key not in kinds:
            has = "; it has: " + ", ".join(kinds) if kinds else "; it has none"
            raise ClaimError(f"{where}: {use} has no parameter {key!r}{nearest(key, kinds) or has}")
        if not any(_is(value, kind, _LIMITS.get(key, LARGEST)) for kind in kinds[key]):
            said = " or ".join(
                _said(kind, _LIMITS.get(key, LARGEST))
                for kind in kinds[key]
                if kind is not type(None)
            )
            raise ClaimError(f"{where}.{key} must be {said}, was {entry[key]!r}")
    for key in required:
        if key not in given:
            raise ClaimError(f"{where}: {use} needs {key}")
    try:
        return HISTORIES[use](**given)
    except (ArgumentError, EstimationError) as e:
        raise ClaimError(f"{where}: {e}") from None


@cache
def _parameters(use: str) -> tuple[dict[str, tuple[Any, ...]], tuple[str, ...]]:
    """The kinds of values that each parameter takes, and the parameters that must be given."""
    signature = inspect.signature(HISTORIES[use]).parameters
    hints = get_type_hints(HISTORIES[use])
    kinds = {
        k: get_args(hints[k]) if get_origin(hints[k]) in (Union, UnionType) else (hints[k],)
        for k in signature
    }
    return kinds, tuple(k for k, p in signature.items() if p.default is inspect.Parameter.empty)


def _is(value: object, kind: Any, largest: int) -> bool:
    if get_origin(kind) is tuple:
        each = get_args(kind)[0]
        return (
            isinstance(value, tuple)
            and 0 < len(value) <= _LONGEST
            and all(_is(v, each, largest) for v in value)
        )
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest
    return isinstance(value, kind)


def _said(kind: Any, largest: int) -> str:
    if get_origin(kind) is tuple:
        each = "words" if get_args(kind)[0] is str else f"whole numbers between 0 and {largest:,}"
        return f"a list of {each}, with at least one"
    numbers = f"a whole number between 0 and {largest:,}"
    return {int: numbers, bool: "true or false", str: "a word"}.get(kind, str(kind))


class Published(Section, frozen=True):
    """A number that somebody else has published.

    Attributes:
        value: the number, as published.
        statement: what it is said of.
        source: whose claim it is.
    """

    value: str
    statement: str
    source: str


class Text(Section, frozen=True):
    """What is said with each verdict; names in braces are filled in.

    Attributes:
        finding: the number in a plain sentence; it begins the text of every verdict but `not_testable`.
        supported: what follows the finding where it supports the claim; may be empty.
        contradicted: what follows it where it contradicts the claim; may be empty.
        undecided: what follows it where it does neither.
        not_testable: said in place of a finding.
        caution: why the naive answer is no verdict; shown where the naive answer decides otherwise.
    """

    finding: str
    supported: str = ""
    contradicted: str = ""
    undecided: str = "That does not decide the claim: {reason}."
    not_testable: str = "This study cannot say: it lacks {lacks}."
    caution: str = ""

    def template(self, verdict: str) -> str:
        """The sentence of a verdict: the finding and what the verdict adds.

        Args:
            verdict: ``supported``, ``contradicted``, ``undecided`` or ``not testable``.
        """
        if verdict == "not testable":
            return self.not_testable
        endings = {
            "supported": self.supported,
            "contradicted": self.contradicted,
            "undecided": self.undecided,
        }
        return " ".join(part for part in (self.finding, endings[verdict]) if part)


AtLead = Literal["delayed", "set back", "as it is"]


_RETENTION = ("contract", "activity")


class Claim(Section, frozen=True):
    """An entry of the catalogue.

    Attributes:
        id: short name.
        statement: the claim in our words.
        source: whose claim it is.
        histories: name to function and parameters.
        readings: the numbers it can be read as.
        text: what is said with each verdict.
        retention: kinds of retention on which it makes sense.
        without_contracts: why it makes no sense where retention is derived from contacts, and what would open it.
        covariates: names of fixed covariates, such as ``segment``, that readings name as terms.
        exposure: the history whose levels must all have enough expected events.
        at_lead: name of a history to what becomes of it when the last days are left aside (a lead): ``delayed``, it
            takes effect so many days later, as is usual for what a reading asks about; ``set back``, it is looked at as
            it stood so many days before, as is usual for what is held equal, and right for what the last days can end
            or keep from ending, such as a silence; ``as it is``.
        proneness: what customers may be prone to that the claim asks about, as shares of graded moments so far; taken
            from the histories that the primary reading asks about when not given.
        rivals: by rival explanation, whether it applies, and why; see `claims.rivals.explanations`.
        base_rate: the reading of what happens anyway.
        naive: the reading that a naive analysis would report.
        show_by_contacts: whether a caution shows who has bad moments and who leaves, by number of contacts.
        change_our_mind: what would.
        notes: what the number does not say.
        published: what others have published.
    """

    id: str
    statement: str
    source: str
    histories: dict[str, dict[str, Any]]
    readings: tuple[AnyReading, ...]
    text: Text
    retention: tuple[str, ...] = _RETENTION
    without_contracts: str = ""
    covariates: tuple[str, ...] = ()
    exposure: str | None = None
    at_lead: dict[str, AtLead] = msgspec.field(default_factory=dict)
    proneness: tuple[dict[str, Any], ...] = ()
    rivals: dict[str, RivalEntry] = msgspec.field(default_factory=dict)
    base_rate: str | None = None
    naive: str | None = None
    show_by_contacts: bool = False
    change_our_mind: str = ""
    notes: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()

    def __repr__(self) -> str:
        return f"Claim({self.id!r}: {self.statement!r})"

    def _repr_html_(self) -> str:
        rows = [
            (r.label, r.kind.replace("_", " "), r.region or "shown as well") for r in self.readings
        ]
        notes = (f"Said by: {self.source}", f"The verdict rests on: {self.primary.label}.")
        return html_table(
            f"{self.id}: {self.statement}", ("reading", "is a", "the claim"), rows, notes
        )

    @property
    def primary(self) -> AnyReading:
        """The reading the verdict rests on."""
        return next(r for r in self.readings if r.primary)

    def reading(self, reading_id: str) -> AnyReading:
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
            raise ClaimError(
                f"claims.{self.id}: no history {name!r}{nearest(name, self.histories)}"
            )
        return make_history(f"claims.{self.id}.histories.{name}", self.histories[name])

    def validate(self) -> None:
        """Refuse a claim that could not be tried, or whose numbers would not be what it declares.

        Raises:
            ClaimError: the message names the field and what is allowed.
        """
        where = f"claims.{self.id}"
        if not self.id.strip():
            raise ClaimError("claims: the id of a claim must not be empty")
        self._check_ids(where)
        wrong = next((kind for kind in self.retention if kind not in _RETENTION), None)
        if wrong is not None or not self.retention:
            hint = nearest(wrong, _RETENTION) if wrong else ""
            raise ClaimError(
                f"{where}.retention must hold one or both of contract and activity, was {list(self.retention)}{hint}"
            )
        check_distinct(f"{where}.covariates", self.covariates)
        histories = self._checked_histories(where)
        for named in (self.base_rate, self.naive):
            if named is not None:
                self.reading(named)
        if self.exposure is not None:
            find_history(f"{where}.exposure", histories, self.exposure)
        for r in self.readings:
            at = f"{where}.readings.{r.id}"
            r.validate(Scope(at, histories, self.covariates))
            self._check_other_readings(at, r)
        self._check_rivals(where)
        self._check_text(where)

    def _check_ids(self, where: str) -> None:
        ids = [r.id for r in self.readings]
        if any(not i.strip() for i in ids):
            raise ClaimError(f"{where}.readings: the id of a reading must not be empty")
        if len(set(ids)) < len(ids):
            raise ClaimError(f"{where}.readings: two readings share an id")
        for i in ids:
            if i in (*ALWAYS, *NUMBERS):
                raise ClaimError(
                    f"{where}.readings.{i}: {{{i}}} says something else in sentences; give another id"
                )
        if sum(r.primary for r in self.readings) != 1:
            raise ClaimError(f"{where}.readings: exactly one reading must say primary = true")

    def _checked_histories(self, where: str) -> dict[str, History]:
        for name in self.histories:
            check_usable(f"{where}.histories", name)
            if name in self.covariates:
                raise ClaimError(
                    f"{where}.histories.{name}: {name!r} is a covariate too; call the history something else"
                )
        return {name: self.history(name) for name in self.histories}

    def _check_other_readings(self, where: str, r: AnyReading) -> None:
        """The readings that a verdict looks at, too."""
        for key, others in (
            ("requires", [q.reading for q in r.requires]),
            ("sensitivity", r.sensitivity),
        ):
            if others and not r.primary:
                raise ClaimError(
                    f"{where}.{key}: only the primary reading, {self.primary.id}, looks at others"
                )
            check_distinct(f"{where}.{key}", others)
            for other in others:
                result = self.reading(other)
                if result.primary:
                    raise ClaimError(
                        f"{where}.{key}: {other} is the reading itself; name another one"
                    )
                if result.region is None:
                    raise ClaimError(
                        f"{where}.{key}: {other} has no region, so that it is never decided"
                    )

    def _check_rivals(self, where: str) -> None:
        """What is said of rival explanations, and of how histories and proneness are looked at under them."""
        for name, rival in self.rivals.items():
            if name not in descriptions():
                raise ClaimError(
                    f"{where}.rivals: no rival {name!r}{nearest(name, descriptions())}; "
                    f"there are: {', '.join(descriptions())}"
                )
            if not rival.reason.strip():
                raise ClaimError(f"{where}.rivals.{name}.reason must say why, in a sentence")
            check_distinct(f"{where}.rivals.{name}.readings", rival.readings)
            for other in rival.readings:
                self.reading(other)
        for name in self.at_lead:
            self.history(name)
        for i, entry in enumerate(self.proneness):
            make_history(f"{where}.proneness.{i}", entry)

    def _check_text(self, where: str) -> None:
        missing = [] if self.base_rate else ["base"]
        if not isinstance(self.primary, IncidenceReading | ExcessReading):
            missing.append("horizon")
        check_sentences(
            f"{where}.text", structs.asdict(self.text), [r.id for r in self.readings], missing
        )
