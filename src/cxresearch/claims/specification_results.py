"""What a specification curve is: a number under each combination of definitions, and what turns its verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from cxresearch.claims.decide import Verdict
from cxresearch.claims.results import SYMBOLS
from cxresearch.claims.rivals.outcomes import finite
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import MIN_CELL, rests_on_enough, round_count, round_estimate
from cxresearch.estimators.results import Estimate
from cxresearch.utils.checks import lookup
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY, Drawable, Result, plain

OWN = "as the study says"
_FEW = "customers enough to be shown"
_DAYS = ("blackout_days", "window_days", "horizon_days")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Specification(Result):
    """The number of a claim under one combination of definitions.

    Attributes:
        bad: condition under which a contact is bad; ``as the study grades`` where no rule defines it.
        blackout_days: moments take effect so many days later.
        window_days: histories go back so many days; 0 for all that is known.
        horizon_days: how many days ahead the claim looks; 0 where the number has no horizon, or one of its own.
        adjustment: what is held equal.
        changes: the definitions that differ from the study's own, such as ``bad = 'stars <= 3'``; empty for that.
        estimate: the number and its interval; None if not testable.
        verdict: of the interval by itself or, with rivals, by the whole rule; in both cases of the claim alone, at a
            single look.
        unit: what the number is measured in.
        customers: in the table behind the number.
        events: that count.
        lacks: what the study lacks, if not testable; else empty.
    """

    bad: str
    blackout_days: int
    window_days: int
    horizon_days: int
    adjustment: str
    changes: tuple[str, ...]
    estimate: Estimate | None
    verdict: Verdict
    unit: Unit
    customers: int = field(repr=False)
    events: int = field(repr=False)
    lacks: str

    @property
    def name(self) -> str:
        """The definitions that differ from the study's own, in one text."""
        return ", ".join(self.changes) or OWN

    @property
    def text(self) -> str:
        """The number with its interval, or that there is none."""
        e = self.estimate
        if e is None:
            return "not computed"
        return f"{self.unit.text(e.value)} ({self.unit.interval_text(e.low, e.high)})"

    def __repr__(self) -> str:
        return f"Specification({self.name!r}: {self.verdict}, {self.text})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SpecificationCurve(Result, Drawable, Mapping[str, Specification]):
    """The number of a claim under many combinations of definitions; by name, the study's own first.

    Attributes:
        study: its name.
        claim: id.
        statement: the claim in words.
        label: what the number is, in plain words.
        unit: what it is measured in.
        region: where the claim places the number, as written.
        low: lower edge of that region.
        high: upper edge.
        level: confidence level.
        with_rivals: whether verdicts are those of the whole rule, rival explanations included.
        specifications: one per combination.
        min_cell: the smallest count that may be shown of it, set by the study.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> curve = cx.specification_curve(study, "bad-moments-drive-away", blackout_days=[0, 30], window_days=[])
        >>> list(curve)[:2]
        ['as the study says', "adjustment = 'nothing'"]
        >>> curve["bad = 'stars <= 3'"].verdict
        'undecided'
    """

    study: str
    claim: str
    statement: str
    label: str
    unit: Unit
    region: str
    low: float
    high: float
    level: float
    with_rivals: bool
    specifications: tuple[Specification, ...]
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def publishable(self) -> SpecificationCurve:
        """As it may be shown: without numbers of too few customers, and with shares and counts rounded."""
        return replace(
            self, specifications=tuple(self._publishable(s) for s in self.specifications)
        )

    def _publishable(self, s: Specification) -> Specification:
        e = s.estimate
        if e is None:
            return replace(s, events=0)
        is_share = s.unit is Unit.SHARE
        is_enough = rests_on_enough(
            e.value,
            e.low,
            e.high,
            is_share=is_share,
            level=e.level,
            min_cell=self.min_cell,
            customers=s.customers,
            events=s.events,
        )
        if not is_enough:
            return replace(
                s, estimate=None, verdict="not testable", lacks=_FEW, events=0, customers=0
            )
        customers = round_count(s.customers, self.min_cell)
        if is_share:
            edges = [edge for edge in (self.low, self.high) if 0 < edge < 1]
            value, low, high = round_estimate(
                e.value, e.low, e.high, customers=customers, edges=edges, min_cell=self.min_cell
            )
            e = replace(e, value=value, low=low, high=high)
        events = round_count(s.events, self.min_cell)
        return replace(s, estimate=e, customers=customers, events=events)

    def __getitem__(self, name: str) -> Specification:
        """The specification of that name: the definitions that differ from the study's own."""
        return lookup({s.name: s for s in self.specifications}, name, "specification")

    def __iter__(self) -> Iterator[str]:
        return iter([s.name for s in self.specifications])

    def __len__(self) -> int:
        return len(self.specifications)

    @property
    def own(self) -> Specification:
        """With the study's own definitions."""
        return self.specifications[0]

    @property
    def verdict(self) -> Verdict:
        """With the study's own definitions, of the claim alone at a single look."""
        return self.own.verdict

    @property
    def computed(self) -> int:
        """How many combinations have a number."""
        return sum(s.estimate is not None for s in self.specifications)

    @property
    def held(self) -> int:
        """How many of these have the verdict of the study's own definitions."""
        return sum(
            s.estimate is not None and s.verdict == self.verdict for s in self.specifications
        )

    @property
    def share(self) -> float:
        """The share of the combinations with a number that have the verdict of the study's own; NaN without any."""
        return self.held / self.computed if self.computed else float("nan")

    @property
    def turning(self) -> tuple[Specification, ...]:
        """The specifications with another verdict that differ in the fewest definitions; empty if none has another."""
        others = [s for s in self.specifications if s.estimate and s.verdict != self.verdict]
        least = min((len(s.changes) for s in others), default=0)
        return tuple(s for s in others if len(s.changes) == least)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict of the study's own definitions, how often it holds, and which change turns it."""
        own = self.own
        if own.estimate is None:
            return (f"With the study's own definitions it is not testable: it lacks {own.lacks}.",)
        result = [f"With the study's own definitions it is {own.verdict} by itself: {own.text}."]
        lost = len(self) - self.computed
        left_out = f"; {lost} have no number" if lost else ""
        result.append(
            f"It is so under {self.held} of {self.computed} combinations of definitions"
            f" ({self.share:.0%}){left_out}."
        )
        turning = self.turning
        if not turning:
            result.append("No definition that was tried turns it.")
        elif len(turning[0].changes) > 1:
            result.append(
                "No change of a single definition turns it; that of several does: "
                f"{_turned(turning[0])}."
            )
        else:
            result += [f"{s[0].upper()}{s[1:]}." for s in map(_turned, turning)]
        return tuple(result)

    @property
    def note(self) -> str:
        """What verdicts rest on here."""
        if self.with_rivals:
            return (
                "Verdicts are those of the whole rule, rival explanations included, of this claim alone at a single "
                "look: the number of claims and earlier looks are not allowed for."
            )
        return (
            "Verdicts are of the interval alone at a single look: rival explanations, the number of claims and "
            "earlier looks are not allowed for."
        )

    def to_polars(self) -> pl.DataFrame:
        """One row per specification: definitions, how many of them differ, number, limits, verdict."""
        rows = [
            {
                "claim": self.claim,
                "bad": s.bad,
                **{name: getattr(s, name) for name in _DAYS},
                "adjustment": s.adjustment,
                "changes": len(s.changes),
                "estimate": finite(s.estimate, "value"),
                "low": finite(s.estimate, "low"),
                "high": finite(s.estimate, "high"),
                "unit": plain(s.unit),
                "verdict": s.verdict,
                "events": s.events,
                "lacks": s.lacks,
            }
            for s in self.specifications
        ]
        numbers = dict.fromkeys(("estimate", "low", "high"), pl.Float64)
        return pl.DataFrame(rows, schema_overrides=numbers, infer_schema_length=None)

    def to_dict(self) -> dict[str, Any]:
        """As JSON: the verdict, how often it holds, what turns it, and a row per specification."""
        return {
            "study": self.study,
            "claim": self.claim,
            "statement": self.statement,
            "label": self.label,
            "region": self.region,
            "level": self.level,
            "with_rivals": self.with_rivals,
            "verdict": self.verdict,
            "combinations": len(self),
            "computed": self.computed,
            "held": self.held,
            "share": plain(self.share),
            "turning": [s.name for s in self.turning],
            "sentences": list(self.sentences),
            "specifications": [
                {**row, "changes": list(s.changes)}
                for row, s in zip(self.to_polars().to_dicts(), self.specifications, strict=True)
            ],
        }

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"

    def __str__(self) -> str:
        rows = [_HEADS, *self._rows()]
        wide = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
        lines = [
            "  ".join(f"{c:<{w}}" for c, w in zip(row, wide, strict=True)).rstrip() for row in rows
        ]
        return "\n".join(
            [f"{self.study}: {self.claim}", *self.sentences, "", *lines, "", self.note]
        )

    def _rows(self) -> list[tuple[str, ...]]:
        """The study's own, then those that differ in one definition, in two, and so on; each by its number."""
        ordered = sorted(
            self.specifications,
            key=lambda s: (
                len(s.changes),
                s.estimate is None,
                s.estimate.value if s.estimate else 0,
            ),
        )
        return [(s.name, s.text, f"{SYMBOLS[s.verdict]} {s.verdict}") for s in ordered]

    def _repr_html_(self) -> str:
        shown = self.publishable()
        return html_table(
            f"{self.claim}: {self.label}", _HEADS, shown._rows(), (*shown.sentences, shown.note)
        )

    def __repr__(self) -> str:
        return (
            f"SpecificationCurve({self.claim!r}: {self.verdict} by itself, at a single look, under {self.held} of "
            f"{self.computed} combinations of definitions)"
        )


_HEADS = ("definitions", "number", "verdict")


def _turned(s: Specification) -> str:
    return f"with {' and '.join(s.changes)} it is {s.verdict}: {s.text}"
