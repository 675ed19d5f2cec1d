"""A sentence as a template and its values: what may be shown is decided on the values, then it becomes text."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from string import Formatter

from cxresearch.claims.units import Unit
from cxresearch.errors import ClaimError


@dataclass(frozen=True, slots=True)
class Words:
    """Text: a reason, or what a study lacks."""

    text: str

    def __format__(self, spec: str) -> str:
        """The text."""
        return self.text


@dataclass(frozen=True, slots=True)
class Headcount:
    """A number of customers or cases.

    Attributes:
        count: how many.
        is_rounded: whether the exact number may not be shown; then it reads ``about 2,730``.
    """

    count: int
    is_rounded: bool = False

    def __format__(self, spec: str) -> str:
        """The number, with commas."""
        return f"about {self.count:,}" if self.is_rounded else f"{self.count:,}"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number in its unit.

    Attributes:
        value: the number.
        unit: as `ReadingResult.unit`.
    """

    value: float
    unit: Unit

    def __format__(self, spec: str) -> str:
        """The number as it is printed everywhere."""
        return self.unit.text(self.value)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of an interval.

    Attributes:
        value: the limit.
        unit: as `ReadingResult.unit`.
        edges: what it is compared with, see `Region.thresholds`.
        other: the other limit of the interval, which has as many decimals; None if there is none.
    """

    value: float
    unit: Unit
    edges: tuple[float, ...] = ()
    other: float | None = None

    def __format__(self, spec: str) -> str:
        """The limit, with decimals enough."""
        return self.unit.limit_text(self.value, self.edges, self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The number of a reading; ``{name:low}`` and ``{name:high}`` are its limits.

    Attributes:
        value: the number.
        low: lower limit.
        high: upper limit.
        unit: as `ReadingResult.unit`.
        edges: what the limits are compared with.
    """

    value: float
    low: float
    high: float
    unit: Unit
    edges: tuple[float, ...] = ()

    def __format__(self, spec: str) -> str:
        """The number, or one of its limits."""
        if spec:
            limits = {"low": (self.low, self.high), "high": (self.high, self.low)}
            limit, other = limits[spec]
            return self.unit.limit_text(limit, self.edges, other)
        if self.unit is Unit.DIFFERENCE:
            return f"{abs(100 * self.value):.1f} points {'more' if self.value >= 0 else 'fewer'}"
        return self.unit.text(self.value)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The number of a reading that could not be computed; `Sentence.drop_clauses` leaves out what names it.

    Raises:
        ClaimError: it is to be made text.
    """

    def __format__(self, spec: str) -> str:
        """Refuse: a sentence with a hole in it is none."""
        raise ClaimError("a sentence names a number that could not be computed")


Value = Words | Headcount | Amount | Limit | Interval | Unknown


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template and its values; ``str()`` puts them together.

    Attributes:
        template: with names in braces.
        values: (name, value); there may be more of them than the template names.
    """

    template: str = ""
    values: tuple[tuple[str, Value], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """What the template names."""
        return _names(self.template)

    def extend(self, template: str, name: str, value: Value) -> Sentence:
        """The sentence with one more part, and one more value in it."""
        return Sentence(self.template + template, (*self.values, (name, value)))

    def replace_values(self, values: Collection[tuple[str, Value]]) -> Sentence:
        """The sentence with other values of the same names."""
        new = dict(values)
        return replace(
            self, values=tuple((name, new.get(name, value)) for name, value in self.values)
        )

    def drop_clauses(self, names: Collection[str], otherwise: str = "") -> Sentence:
        """The sentence without the clauses that name something, such as a number that is unknown or not shown.

        A clause goes with those after it up to the full stop, since they go on from it; where the first one goes, all
        of them do. What comes after a gap may refer to what stood in it ("the second number"). So the text is kept
        only if the gap comes after `{estimate}`; else `otherwise` takes its place.

        Args:
            names: of what may not be named.
            otherwise: the template that replaces a text that cannot be shortened.
        """
        if not self.names & set(names):
            return self
        kept: list[str] = []
        is_given = False  # whether the number of the claim stands in what is kept so far
        for part in _SENTENCES.split(self.template):
            clauses = _CLAUSES.split(part)
            gap = next((i for i, c in enumerate(clauses) if _names(c) & set(names)), len(clauses))
            begun = " ".join(clauses[:gap])
            is_given = is_given or "estimate" in _names(begun)
            if gap < len(clauses):
                if not is_given:
                    return replace(self, template=otherwise)
                begun = begun and f"{begun.rstrip(';:,')}."
            kept += [begun] if begun else []
        return replace(self, template=" ".join(kept))

    def __bool__(self) -> bool:
        return bool(self.template)

    def __str__(self) -> str:
        return self.template.format_map(_Values(self.values))


_SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z{(])")
_CLAUSES = re.compile(r"(?<=[;:]) ")


def _names(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)


class _Values(dict[str, Value]):
    def __missing__(self, key: str) -> Value:
        raise ClaimError(
            f"the sentence of a verdict names {{{key}}}; it may name: {', '.join(self)}"
        )
