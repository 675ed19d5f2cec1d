"""What a page may tell of planning and of other definitions: counts and shares rounded, small ones hidden."""

from __future__ import annotations

from dataclasses import replace

from cxresearch.claims.specification_results import Specification, SpecificationCurve
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import MIN_CELL, rests_on_enough, round_count, round_estimate
from cxresearch.planning.results import Plan

_FEW = "customers enough to be shown"


def publishable_plan(plan: Plan, min_cell: int = MIN_CELL) -> Plan:
    """A plan with the study's own number of customers rounded.

    Args:
        plan: from `cxresearch.power`.
        min_cell: the smallest count that may be shown.
    """
    shown = round_count(plan.customers, min_cell)
    points = (
        replace(p, customers=shown) if p.customers == plan.customers else p for p in plan.points
    )
    return replace(plan, customers=shown, points=tuple(points))


def publishable_curve(curve: SpecificationCurve, min_cell: int = MIN_CELL) -> SpecificationCurve:
    """A specification curve without numbers of too few customers, and with shares rounded.

    Args:
        curve: from `cxresearch.specification_curve`.
        min_cell: the smallest count that may be shown.
    """
    return replace(
        curve, specifications=tuple(_shown(curve, s, min_cell) for s in curve.specifications)
    )


def _shown(curve: SpecificationCurve, s: Specification, min_cell: int) -> Specification:
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
        min_cell=min_cell,
        customers=s.customers,
        events=s.events,
    )
    if not is_enough:
        return replace(s, estimate=None, verdict="not testable", lacks=_FEW, events=0, customers=0)
    customers = round_count(s.customers, min_cell)
    if is_share:
        edges = [edge for edge in (curve.low, curve.high) if 0 < edge < 1]
        value, low, high = round_estimate(
            e.value, e.low, e.high, customers=customers, edges=edges, min_cell=min_cell
        )
        e = replace(e, value=value, low=low, high=high)
    return replace(s, estimate=e, customers=customers, events=round_count(s.events, min_cell))
