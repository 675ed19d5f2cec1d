"""What planning gives: how probable the right verdict is, by the number of customers."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import MIN_CELL, round_count
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY, Drawable, Result, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPoint(Result):
    """How probable the right verdict is in companies of one size.

    Attributes:
        truth: the number that holds there, such as a hazard ratio of 1.10.
        right: the verdict that is right.
        days: length of the log.
        customers: who start within it.
        events: departures to be expected behind the number.
        probability: of the right headline verdict, by the whole rule: with the number of claims allowed for.
        low: lower limit, at 95%, of what the simulated companies leave uncertain.
        high: upper limit.
        probability_alone: that the claim by itself, at the level of the study, is decided rightly by the whole rule.
        by_interval: probability that the interval of the number alone would say so.
    """

    truth: float
    right: str
    days: int
    customers: int
    events: int
    probability: float
    low: float
    high: float
    probability_alone: float
    by_interval: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Result, Drawable):
    """How much data would decide a claim.

    Attributes:
        study: its name.
        claim: id.
        statement: the claim in words.
        unit: what its number is measured in.
        customers: of the study, who start within its log.
        days: length of its log.
        wanted: the probability that is wanted, such as 0.8.
        companies: how many were simulated for each truth and length.
        claims: how many claims the verdict allows for; 1 where the study asks for no allowance.
        seed: of the first of them.
        lacks: columns that the study lacks for the claim; empty if none.
        needed: shape (T,): for each truth and length, in the order of `points`, how many customers give the wanted
            probability; -1 where even the most that are looked at do not.
        points: the curve; for each truth and length, by rising customers.
        se_study: standard error of the study's own number; NaN where it has none.
        se_simulated: the same in simulated companies of its size, a check of the rates.
        min_cell: the smallest count that may be shown of it, set by the study.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_household=1.5), 1500, seed=1).study()
        >>> plan = cx.power(study, "household-contagion", truths=[1.6], companies=4, pilot_customers=1000)
        >>> plan.points[0].probability < plan.points[-1].probability
        True
    """

    study: str
    claim: str
    statement: str
    unit: Unit
    customers: int
    days: int
    wanted: float
    companies: int
    claims: int
    seed: int
    lacks: str
    needed: tuple[int, ...]
    points: tuple[PowerPoint, ...]
    se_study: float
    se_simulated: float
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    def publishable(self) -> Plan:
        """As it may be shown: the study's own number of customers is rounded."""
        own = round_count(self.customers, self.min_cell)
        points = (
            replace(p, customers=own) if p.customers == self.customers else p for p in self.points
        )
        return replace(self, customers=own, points=tuple(points))

    @property
    def groups(self) -> tuple[tuple[PowerPoint, ...], ...]:
        """The points of each truth and length of the log."""
        kinds = dict.fromkeys((p.truth, p.right, p.days) for p in self.points)
        return tuple(
            tuple(p for p in self.points if (p.truth, p.right, p.days) == kind) for kind in kinds
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """For each truth and length, how many customers it takes, and what the study's own number gives."""
        result = []
        for needed, points in zip(self.needed, self.groups, strict=True):
            first = points[0]
            truth, months = self.unit.text(first.truth), months_of(first.days)
            own = next((p for p in points if p.customers == self.customers), None)
            most = max(p.customers for p in points)
            amount = (
                f"more than {most:,} customers" if needed < 0 else f"about {needed:,} customers"
            )
            have = ""
            if own is not None and first.days == self.days:
                have = f"; the study has {self.customers:,}: {own.probability:.0%}"
            result.append(
                f"If the truth is {truth}, {amount} who start within {months} months of log give "
                f"{first.right!r} with a probability of {self.wanted:.0%}, {included(self.claims)}{have}."
            )
        if self._is_unlike:
            result.append(
                f"The standard error of the number is {self.se_study:.3f} in the study and {self.se_simulated:.3f} in "
                "simulated companies of its size: they are not alike, and more or fewer customers may be needed."
            )
        if self.lacks:
            result.append(f"The study lacks {self.lacks}.")
        return tuple(result)

    @property
    def note(self) -> str:
        """What the numbers rest on."""
        family = (
            f"Verdicts allow for {self.claims:,} claims: each must hold at the error of the study divided by their "
            "number, which is the most that they can be asked for"
            if self.claims > 1
            else "The number of claims is not allowed for"
        )
        return (
            f"By {self.companies} companies simulated by the study's own rates for each truth and length; limits are "
            f"those of what so few leave uncertain. {family}. One look at the data is planned for."
        )

    @property
    def _is_unlike(self) -> bool:
        """Whether simulated companies tell more or less of the number than the study does; not if it has none."""
        errors = (self.se_study, self.se_simulated)
        if not all(math.isfinite(e) and e > 0 for e in errors):
            return False
        return not 1 / _UNLIKE <= self.se_simulated / self.se_study <= _UNLIKE

    def to_polars(self) -> pl.DataFrame:
        """One row per truth, length and number of customers."""
        return pl.concat([p.to_polars() for p in self.points]).insert_column(
            0, pl.lit(self.claim).alias("claim")
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON: what is needed, in sentences as well, and a row per point."""
        needed = [
            {
                "truth": g[0].truth,
                "right": g[0].right,
                "days": g[0].days,
                "customers": n if n >= 0 else None,
            }
            for n, g in zip(self.needed, self.groups, strict=True)
        ]
        return {
            "study": self.study,
            "claim": self.claim,
            "statement": self.statement,
            "unit": plain(self.unit),
            "customers": self.customers,
            "days": self.days,
            "wanted": self.wanted,
            "companies": self.companies,
            "claims": self.claims,
            "seed": self.seed,
            "lacks": self.lacks or None,
            "needed": needed,
            "sentences": list(self.sentences),
            "se_study": plain(self.se_study),
            "se_simulated": plain(self.se_simulated),
            "points": [p.to_dict() for p in self.points],
        }

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"

    def __str__(self) -> str:
        rows = [_HEADS, *self._rows()]
        wide = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
        lines = [
            "  ".join(c.rjust(w) for c, w in zip(row, wide, strict=True)).rstrip() for row in rows
        ]
        return "\n".join(
            [f"{self.study}: {self.claim}", *self.sentences, "", *lines, "", self.note]
        )

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                self.unit.text(p.truth),
                str(months_of(p.days)),
                f"{p.customers:,}",
                f"{p.events:,}",
                f"{p.probability:.0%} ({p.low:.0%} to {p.high:.0%})",
                f"{p.probability_alone:.0%}",
                f"{p.by_interval:.0%}",
            )
            for p in self.points
        ]

    def _repr_html_(self) -> str:
        title = f"{self.claim}: how much data would decide it"
        shown = self.publishable()
        return html_table(title, _HEADS, shown._rows(), (*shown.sentences, shown.note))

    def __repr__(self) -> str:
        needed = ", ".join("more" if n < 0 else f"{n:,}" for n in self.needed)
        return f"Plan({self.claim!r}: {needed} customers for {self.wanted:.0%})"


_HEADS = (
    "truth",
    "months",
    "customers",
    "events",
    "decided rightly",
    "as the only claim",
    "by its interval alone",
)
_UNLIKE = 1.25  # times the standard error of the study, from which on companies are not like it


def included(claims: int) -> str:
    """What a probability allows for, as a phrase."""
    family = f" and {claims:,} claims allowed for" if claims > 1 else ""
    return f"all required rivals included{family}"


def months_of(days: int) -> int:
    """A length in months, as people say it."""
    return round(days / 30.44)
