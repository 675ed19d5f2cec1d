"""The chance that a customer stays, with and without each group, and what a hazard ratio makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from cxresearch.errors import NotTestable
from cxresearch.estimators.estimates import estimate
from cxresearch.estimators.incidence import aalen_johansen, first_time, support
from cxresearch.estimators.jackknife import jackknife_error
from cxresearch.estimators.results import Estimate, Vector
from cxresearch.risk.table import AtRisk, RiskTable, at_risk, at_risk_in_groups

_CAUSE = "defection"
_LEAST = 1e-9  # a chance that is not nothing, so that it has powers


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """The chance to stay, from all groups and without each.

    Attributes:
        every: shape (1 + G,): to be still there, whatever others leave for.
        own: shape (1 + G,): the same if defection were all there is to leave for.
        meaning: what staying is.
    """

    every: Vector
    own: Vector
    meaning: str

    def moved(self, logs: Vector) -> Vector:
        """By how much `every` changes where the hazard of defection is exp(logs) times as high, and no other hazard.

        Without other causes that is S^exp(b) - S.

        Args:
            logs: shape (1 + G,).
        """
        power = np.maximum(self.own, _LEAST) ** np.expm1(logs)
        return np.asarray(self.every * (power - 1), dtype=np.float64)

    def estimate(self, level: float) -> Estimate:
        """The chance itself."""
        inside = np.clip(self.every, _LEAST, 1 - _LEAST)
        se = float(jackknife_error(np.log(inside[1:] / (1 - inside[1:]))))
        return estimate(float(inside[0]), se, scale="logit", level=level, groups=len(self.every) - 1)


def still_there(table: RiskTable, horizon: int, groups: int, min_cell: int) -> Chance:
    """The chance to be there after so many days of tenure.

    Args:
        table: on the tenure clock; its features are summed over.
        horizon: days.
        groups: of the jackknife; as many as the model has that it goes with.
        min_cell: from where on as many are at risk, days count.

    Raises:
        NotTestable: a horizon beyond the follow-up.
    """
    grouped = table.only().coarsen(groups)
    causes = (_CAUSE, *(c for c in grouped.causes[1:] if c != _CAUSE))
    start = first_time(grouped, min_cell)
    end = support(aalen_johansen(grouped, causes, start), min_cell)
    if horizon > end:
        raise NotTestable(f"follow-up to {horizon} days (it ends at {end})")
    whole, parts = at_risk(grouped, causes), at_risk_in_groups(grouped, causes)
    both = [_kept(whole, start, horizon), *(_kept(whole.without(p), start, horizon) for p in parts)]
    every, own = np.array(both).T
    return Chance(every, own, f"still there after {horizon:,} days")


def comes_back(table: RiskTable, gap_days: int, groups: int) -> Chance:
    """The chance that another contact follows a contact within the gap.

    Args:
        table: on the contact clock; its features are summed over.
        gap_days: days.
        groups: as `still_there`.
    """
    grouped = table.only().coarsen(groups)
    time, flow = pl.col("time").cast(pl.Int64), {c: pl.col(c).cast(pl.Int64) for c in ("entered", "left", _CAUSE)}
    per = grouped.flows.group_by("group").agg(
        contacts=(time * (flow["left"] - flow["entered"])).sum(), lapsed=flow[_CAUSE].sum()
    )
    contacts, lapsed = (per.sort("group")[c].to_numpy().astype(np.float64) for c in ("contacts", "lapsed"))
    stays = 1 - np.append(lapsed.sum(), lapsed.sum() - lapsed) / np.append(contacts.sum(), contacts.sum() - contacts)
    return Chance(stays, stays, f"back within {gap_days:,} days of a contact")


def _kept(found: AtRisk, start: int, horizon: int) -> tuple[float, float]:
    """Still there for all causes, and for the first alone."""
    used = (found.times > start) & (found.times <= horizon) & (found.at_risk > 0)
    hazards = found.events[:, used] / found.at_risk[used]
    every = np.prod(1 - np.minimum(hazards.sum(axis=0), 1))
    return float(every), float(np.prod(1 - np.minimum(hazards[0], 1)))
