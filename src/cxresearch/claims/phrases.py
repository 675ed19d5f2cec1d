"""A sentence as a template and its values: what may be shown is decided on the values, then it becomes text."""

from __future__ import annotations

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
        unit: as `Evidence.unit`.
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
        unit: as `Evidence.unit`.
        edges: what it is compared with, see `Region.thresholds`.
    """

    value: float
    unit: Unit
    edges: tuple[float, ...] = ()

    def __format__(self, spec: str) -> str:
        """The limit, with decimals enough."""
        return self.unit.limit_text(self.value, self.edges)


@dataclass(frozen=True, slots=True)
class Interval:
    """The number of a reading; ``{name:low}`` and ``{name:high}`` are its limits.

    Attributes:
        value: the number.
        low: lower limit.
        high: upper limit.
        unit: as `Evidence.unit`.
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
            return self.unit.limit_text({"low": self.low, "high": self.high}[spec], self.edges)
        if self.unit is Unit.DIFFERENCE:
            return f"{abs(100 * self.value):.1f} points {'more' if self.value >= 0 else 'fewer'}"
        return self.unit.text(self.value)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The number of a reading that could not be computed."""

    def __format__(self, spec: str) -> str:
        """Whatever is asked for."""
        return "unknown" if spec else "an unknown number"


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
        return frozenset(name for _, name, _, _ in Formatter().parse(self.template) if name)

    def extend(self, template: str, name: str, value: Value) -> Sentence:
        """The sentence with one more part, and one more value in it."""
        return Sentence(self.template + template, (*self.values, (name, value)))

    def replace_values(self, values: Collection[tuple[str, Value]]) -> Sentence:
        """The sentence with other values of the same names."""
        new = dict(values)
        return replace(
            self, values=tuple((name, new.get(name, value)) for name, value in self.values)
        )

    def __bool__(self) -> bool:
        return bool(self.template)

    def __str__(self) -> str:
        return self.template.format_map(_Values(self.values))


class _Values(dict[str, Value]):
    def __missing__(self, key: str) -> Value:
        raise ClaimError(
            f"the sentence of a verdict names {{{key}}}; it may name: {', '.join(self)}"
        )
