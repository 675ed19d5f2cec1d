"""The share of defections that goes with bad moments at each touchpoint, from one model of all of them.

A bad moment here often comes with bad moments elsewhere: some customers are prone to them. With one touchpoint at a
time, those that do no harm would be blamed for those that do. So all enter one model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cxresearch.claims.context import MIN_EXPECTED
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.estimators.attributable import attributable
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.discrete import fit_hazards
from cxresearch.estimators.rates import expected_events
from cxresearch.estimators.results import CoxFit, Estimate
from cxresearch.histories import contacts_within
from cxresearch.histories.counts import moments_at
from cxresearch.journey.touchpoints import TouchpointGroup, counted, strata_of
from cxresearch.records.records import Records
from cxresearch.risk.episodes import clock_of
from cxresearch.risk.table import RiskTable

_CONTACTS = "contacts"
_CAUSE = "defection"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contributions:
    """What goes with bad moments at each of some places.

    Attributes:
        table: the risk table; feature ``at0`` is about bad moments at the first place, and so on.
        fit: the model; None if there can be none.
        shares: share of the defections, by place; None where the data cannot give it.
        ratios: hazard ratio of a bad moment there so far against none, by place; None where the data
            cannot give it.
        lacks: what the study lacks for a place; empty where it lacks nothing.
        level: confidence level of all intervals together.
        level_each: confidence level of each.
    """

    table: RiskTable
    fit: CoxFit | None
    shares: tuple[Estimate | None, ...]
    ratios: tuple[Estimate | None, ...]
    lacks: tuple[str, ...]
    level: float
    level_each: float

    @property
    def events(self) -> int:
        """Defections."""
        return self.table.events(_CAUSE)

    def more(self, one: int, than: int) -> Estimate:
        """By how much the share of one place is larger than that of another; at the level of a single interval."""
        if self.fit is None:
            raise NotTestable("other_kind", "a model of its touchpoints")
        return attributable(
            self.table, replace(self.fit, level=self.level), {_name(one): 1, _name(than): -1}
        )


def contributions(records: Records, places: Sequence[TouchpointGroup]) -> Contributions:
    """Weigh places against each other.

    The model holds the contacts of the last 90 days equal and compares within the segment: Cox on days, the model for
    grouped time on contacts. A place enters it where enough defections would be expected with and without a bad moment
    there. Intervals are made wide enough to hold together, since one place will be picked among them.

    Args:
        records: read with ``touchpoint``.
        places: of the touchpoints.

    References:
        Bruzzi et al. (1985), American Journal of Epidemiology 122, 904-914; Dunn (1961), Multiple comparisons among
        means, Journal of the American Statistical Association 56, 52-64.
    """
    settings, strata = records.study.decision, strata_of(records)
    histories = {_name(i): moments_at(place.positions) for i, place in enumerate(places)}
    clock = clock_of(records.study)
    table = counted(records, {**histories, _CONTACTS: contacts_within(90)}, clock, strata)
    lacks = [_lacking(table, name, strata, records.study.info.min_cell) for name in histories]
    weighed = [name for name, lack in zip(histories, lacks, strict=True) if not lack]
    each = 1 - (1 - settings.level) / max(len(weighed), 1)
    nothing: tuple[None, ...] = (None,) * len(places)
    if not weighed:
        return Contributions(
            table=table,
            fit=None,
            shares=nothing,
            ratios=nothing,
            lacks=tuple(lacks),
            level=settings.level,
            level_each=each,
        )
    try:
        fit = fit_hazards(
            table,
            [*weighed, _CONTACTS],
            held=[_CONTACTS],
            strata=strata,
            cause=_CAUSE,
            level=each,
        )
    except (NotTestable, EstimationError) as e:
        why = (
            e.lacks
            if isinstance(e, NotTestable)
            else "bad moments at its touchpoints that come apart"
        )
        lacks = [lack or why for lack in lacks]
        return Contributions(
            table=table,
            fit=None,
            shares=nothing,
            ratios=nothing,
            lacks=tuple(lacks),
            level=settings.level,
            level_each=each,
        )
    shares = [
        attributable(table, fit, {name: 1}) if name in weighed else None for name in histories
    ]
    ratios = [contrast(fit, {f"{name}[1+]": 1}) if name in weighed else None for name in histories]
    return Contributions(
        table=table,
        fit=fit,
        shares=tuple(shares),
        ratios=tuple(ratios),
        lacks=tuple(lacks),
        level=settings.level,
        level_each=each,
    )


def _name(place: int) -> str:
    return f"at{place}"


def _lacking(table: RiskTable, name: str, strata: tuple[str, ...], min_cell: int) -> str:
    """Why a place cannot be weighed; empty if it can."""
    if table.events(_CAUSE) == 0:
        return "defections among customers seen from their start"
    by = {
        level: (expected, n)
        for level, expected, n in expected_events(table, name, _CAUSE, strata).iter_rows()
    }
    for level, where in (("1+", "after a bad moment there"), ("0", "without a bad moment there")):
        expected, observed = by[level]
        if expected < MIN_EXPECTED:
            return f"defections enough {where}: {expected:.1f} would be expected, {MIN_EXPECTED} are needed"
        if 0 < observed < min_cell:
            return f"defections enough {where}: fewer than {min_cell} cannot be shown"
    return ""
