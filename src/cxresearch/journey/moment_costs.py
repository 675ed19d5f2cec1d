"""What a first bad moment costs: customer-days lost within the horizon, a month's worth of them, and money.

Of all bad moments the comparison is that of the claim three-strikes: customers after their first bad moment against
comparable ones without one so far. At a touchpoint, customers after their first bad moment there are compared with
those without one there so far, who have had as many elsewhere. Nothing of it is what could be saved: it goes with bad
moments, as far as the comparison is fair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.compute_incidence import MOST_UNMATCHED, Comparisons, testable_horizon
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.kinds import ExcessReading
from cxresearch.claims.readings import Comparison
from cxresearch.claims.schema import Claim
from cxresearch.claims.table_specs import TableSpec, cohorts_spec, compared_specs
from cxresearch.claims.tables import TableStore
from cxresearch.disclosure.counts import about, round_count
from cxresearch.engines import Engine
from cxresearch.errors import NotTestable
from cxresearch.estimators.days_lost import DaysLost
from cxresearch.estimators.results import Estimate
from cxresearch.histories import History
from cxresearch.histories.counts import moments_at
from cxresearch.journey.touchpoints import MOST, TouchpointGroup, places_of
from cxresearch.records.records import Records, study_of
from cxresearch.study import Study
from cxresearch.utils.checks import arguments
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Result, limits_of

MONTH = 365.25 / 12  # days
_CLAIM, _READING = "three-strikes", "excess"  # whose comparison it is
_THERE, _ELSEWHERE = "there", "elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentCost(Result):
    """What goes with a first bad moment, of all or at one touchpoint.

    Attributes:
        touchpoint: its name; empty for all bad moments.
        lost: days lost and the two curves; None where the data cannot give them.
        first_moments: customers with such a first moment, of those seen from their start.
        per_month: first moments a month.
        days_per_month: customer-days, what is lost per moment times moments a month; None where the data
            cannot give it.
        money_per_moment: in the currency of the study; None where it gives no value, or there are no days.
        money_per_month: the same for all moments of a month.
        lacks: what the study lacks; empty where it lacks nothing.
    """

    touchpoint: str
    lost: DaysLost | None
    first_moments: int = field(repr=False)
    per_month: float
    days_per_month: Estimate | None
    money_per_moment: Estimate | None
    money_per_month: Estimate | None
    lacks: str

    def to_polars(self) -> pl.DataFrame:
        """One row, as of `MomentCosts.to_polars`."""
        return _table((self,))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MomentCosts(Result):
    """What goes with first bad moments, in customer-days and in money.

    Attributes:
        overall: of all bad moments.
        touchpoints: by the number of moments there; empty where the log names none. Their intervals hold together.
        horizon: days after a moment within which days are counted.
        currency: of the money; empty where the study gives no value of a day.
        min_cell: the smallest count shown.
    """

    overall: MomentCost
    touchpoints: tuple[MomentCost, ...]
    horizon: int
    currency: str
    min_cell: int

    def to_polars(self) -> pl.DataFrame:
        """One row per touchpoint below that of all: days and money with limits, counts, what is lacking."""
        return _table((self.overall, *self.touchpoints))

    def __repr__(self) -> str:
        lost = self.overall.lost
        return f"MomentCosts({lost if lost else f'the study lacks {self.overall.lacks}'})"

    def _repr_html_(self) -> str:
        rows = []
        for cost in (self.overall, *self.touchpoints):
            monthly = round_count(cost.first_moments, self.min_cell) * _share_per_month(cost)
            more = (
                _numbers(cost.lost.more, 1)
                if cost.lost
                else f"lacks {cost.lacks.partition(':')[0]}"
            )
            row = [cost.touchpoint or "anywhere", f"{monthly:,.0f}", more]
            row.append(_numbers(cost.days_per_month, 0))
            rows.append([*row, *([_numbers(cost.money_per_month, 0)] if self.currency else [])])
        heads = ["first bad moment", "a month", "days lost per moment", "days lost a month"]
        notes = [
            f"Of about {about(self.overall.first_moments, self.min_cell).removeprefix('about ')} customers with a "
            "first bad moment.",
            "Days lost beyond those of comparable customers without one. What goes with the moment, not what could be "
            "saved.",
        ]
        return html_table(
            f"What a first bad moment goes with, within {self.horizon:,} days",
            [*heads, *([f"{self.currency} a month"] if self.currency else [])],
            rows,
            notes,
        )


def moment_costs(
    study: Study | Records, *, engine: Engine | str = "polars", most: int = MOST
) -> MomentCosts:
    """Count the customer-days that are lost after a first bad moment, beyond those of comparable customers.

    The days are those between leaving and the horizon. A month's worth is what is lost per first bad moment times first
    bad moments a month; a later bad moment of the same customer is part of what came of the first. Money is days times
    ``moments.value_per_customer_day``.

    Args:
        study: a study, or its records, read with ``touchpoint`` where the log has it.
        engine: where the tables are read; ignored for records.
        most: no more touchpoints than so many; the rarest are put together.

    Raises:
        ArgumentError: an argument of the wrong type.
        SourceError, DataError: as `cxresearch.audit`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 2, 3, 4)), 1000, seed=1).study()
        >>> costs = cx.journey.moment_costs(study)
        >>> costs.overall.lost.more.low > 0
        True
        >>> costs.to_polars().columns[:4]
        ['touchpoint', 'days', 'days_low', 'days_high']
    """
    arguments(engine=engine, most=most)
    study_of(study)
    store = TableStore(study, engine, required_columns=("touchpoint",))
    context, claim = EvaluationContext(store), catalogue()[_CLAIM]
    moments, window = store.study.moments, store.window
    months = (window.last - window.first + 1) / MONTH
    value, level = moments.value_per_customer_day, store.study.decision.level
    reading = claim.reading(_READING)
    assert isinstance(reading, ExcessReading)
    own = {name: claim.history(name) for name in reading.names()}
    places = _places(store, most)
    ways = {"": (own, reading)} | {
        place.name: (_histories(own, place, places), _there(reading)) for place in places
    }
    specs = {
        n: tuple(compared_specs(store.setting, r, tuple(h.items()))) for n, (h, r) in ways.items()
    }
    store.prepare([*(s for of in specs.values() for s in of), cohorts_spec()])
    each = 1 - (1 - level) / max(len(places), 1)
    costs = [
        _cost(
            name,
            _comparisons(context, claim, ways[name][1], specs[name]),
            months=months,
            value=value,
            level=each if name else level,
        )
        for name in ways
    ]
    return MomentCosts(
        overall=costs[0],
        touchpoints=tuple(costs[1:]),
        horizon=store.study.info.horizon_days,
        currency=(moments.currency or "") if value is not None else "",
        min_cell=store.study.info.min_cell,
    )


def _places(store: TableStore, most: int) -> tuple[TouchpointGroup, ...]:
    """The touchpoints with a name of their own; none where the log names none that is frequent enough."""
    if "touchpoint" not in store.available:
        return ()
    try:
        return tuple(p for p in places_of(store.records, "touchpoint", most=most) if p.single)
    except NotTestable:
        return ()


def _histories(
    own: Mapping[str, History], place: TouchpointGroup, places: tuple[TouchpointGroup, ...]
) -> dict[str, History]:
    others = tuple(p for other in places if other is not place for p in other.positions)
    bad = {_THERE: moments_at(place.positions)}
    if others:
        bad[_ELSEWHERE] = moments_at(others, edges=(1, 2, 3))
    return bad | {name: history for name, history in own.items() if name != "bad"}


def _there(reading: ExcessReading) -> ExcessReading:
    compare = reading.compare
    held = (*compare.standardise_by, _ELSEWHERE)
    there = Comparison(
        history=_THERE, level="1+", active_within=compare.active_within, standardise_by=held
    )
    return ExcessReading(id=_THERE, label=_THERE, compare=there, horizon_days=reading.horizon_days)


def _comparisons(
    context: EvaluationContext,
    claim: Claim,
    reading: ExcessReading,
    specs: tuple[TableSpec, ...],
) -> Comparisons | NotTestable:
    """The ways to compare, or why there are none."""
    try:
        if reading.id == _READING:
            context.adapt(claim, reading)
        horizon = testable_horizon(context, reading)
    except NotTestable as e:
        return e
    return Comparisons(
        context=context, reading=reading, specs=specs, cohorts=cohorts_spec(), horizon=horizon
    )


def _cost(
    name: str,
    compared: Comparisons | NotTestable,
    *,
    months: float,
    value: float | None,
    level: float,
) -> MomentCost:
    lost: DaysLost | None = None
    lacks, first = "", 0
    try:
        if isinstance(compared, NotTestable):
            raise compared
        table = compared.context.store.matched(compared.specs[0])
        first = int(table.exposed["customers"].sum())
        lost = compared.days_lost(level)
        if lost.unmatched_share > MOST_UNMATCHED:
            lacks = (
                f"comparable customers for {lost.unmatched_share:.0%} of those with such a moment"
            )
            lost = None
    except NotTestable as e:
        lacks = e.lacks
    more = lost.more if lost else None
    monthly = first / months
    return MomentCost(
        touchpoint=name,
        lost=lost,
        first_moments=first,
        per_month=monthly,
        days_per_month=times(more, monthly),
        money_per_moment=times(more, value),
        money_per_month=times(times(more, monthly), value),
        lacks=lacks,
    )


def times(estimate: Estimate | None, factor: float | None) -> Estimate | None:
    """An estimate in another unit; None where one of the two is missing."""
    if estimate is None or factor is None:
        return None
    numbers = {n: getattr(estimate, n) * factor for n in ("value", "low", "high", "se", "se_model")}
    return replace(estimate, **numbers)


def _share_per_month(cost: MomentCost) -> float:
    return cost.per_month / cost.first_moments if cost.first_moments else 0.0


def _numbers(e: Estimate | None, digits: int) -> str:
    if e is None:
        return "–"
    value, low, high = (f"{v:,.{digits}f}".replace("-", "−") for v in (e.value, e.low, e.high))
    return f"{value} ({low} to {high})"


def _table(costs: tuple[MomentCost, ...]) -> pl.DataFrame:
    rows = [
        {
            "touchpoint": c.touchpoint,
            **limits_of("days", c.lost.more if c.lost else None),
            **limits_of("days_per_month", c.days_per_month),
            **limits_of("money_per_moment", c.money_per_moment),
            **limits_of("money_per_month", c.money_per_month),
            "first_moments": c.first_moments,
            "per_month": c.per_month,
            "lacks": c.lacks,
        }
        for c in costs
    ]
    kinds: dict[str, pl.DataType] = {
        c: pl.Float64() for c in rows[0] if c.startswith(("days", "money", "per_"))
    }
    return pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None)
