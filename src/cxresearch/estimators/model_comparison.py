"""Which of two descriptions of a customer's past says more about who leaves.

Both enter the same hazard model in turn, beside whatever is held equal. The one under which the departures that
happened were more likely says more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from cxresearch.errors import EstimationError
from cxresearch.estimators.cox import cox
from cxresearch.estimators.jackknife import enough_groups, jackknife
from cxresearch.estimators.results import CoxFit, Estimate, Result, Vector, estimate
from cxresearch.html_tables import html_table
from cxresearch.risk.table import RiskTable


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ModelComparison(Result):
    """Two descriptions of the past against each other.

    Attributes:
        difference: maximised log partial likelihood with the first less that with the second, per event, corrected for
            the number of parameters by the jackknife; above zero, the first says more.
        a: terms of the first.
        b: terms of the second.
        p_a: whether the first adds to a model that has the second: p of a jackknife Wald test.
        p_b: likewise the second beside the first.
        joint: the model with both.
        events: how many.
    """

    difference: Estimate
    a: tuple[str, ...]
    b: tuple[str, ...]
    p_a: float
    p_b: float
    joint: CoxFit
    events: int

    @property
    def says_something(self) -> bool:
        """Whether either adds to the other at the level of the intervals; if not, there is nothing to compare."""
        return 2 * min(self.p_a, self.p_b) < 1 - self.difference.level

    def __repr__(self) -> str:
        return f"ModelComparison({' + '.join(self.a)} less {' + '.join(self.b)}: {self.difference} per event)"

    def _repr_html_(self) -> str:
        names = (" + ".join(self.a), " + ".join(self.b))
        d = self.difference
        rows = [
            (
                f"{names[0]} less {names[1]}, per event",
                f"{d.value:+.4f}",
                f"{d.low:+.4f}",
                f"{d.high:+.4f}",
            ),
            (f"{names[0]} beside the other: p", f"{self.p_a:.3g}", "", ""),
            (f"{names[1]} beside the other: p", f"{self.p_b:.3g}", "", ""),
        ]
        heads = ("which says more about who leaves", "log likelihood", f"{d.level:.0%} from", "to")
        return html_table(f"{self.events:,} events", heads, rows)


def compare_models(
    table: RiskTable,
    a: Sequence[str],
    b: Sequence[str],
    common: Sequence[str] = (),
    *,
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
    groups: int = 100,
) -> ModelComparison:
    """Compare the maximised log partial likelihoods of two Cox models, per event.

    A model with more parameters fits better by chance, by half a unit per parameter. The delete-a-group jackknife takes
    that off: it extrapolates from what happens to the difference when groups are left out.

    Args:
        table: a risk table with all features named, in days.
        a: terms of the first, as `cxresearch.cox` takes them.
        b: terms of the second; none of the first.
        common: terms in both models.
        strata: features with a baseline hazard each; no compared term may be one.
        cause: the event.
        level: confidence level.
        groups: most groups to use.

    Returns:
        The comparison; its difference is on its own scale, log likelihood per event.

    Raises:
        EstimationError: a term in two places, or terms that cannot be told apart.
        NotTestable: too few customers or events for a jackknife.

    References:
        Quenouille (1956), Notes on bias in estimation, Biometrika 43, 353-360.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(3), last=cx.histories.last_grade(), whole=True)
        >>> cx.estimators.compare_models(table, ["bad"], ["last"])
        ModelComparison(bad less last: 0.054 (0.0189 to 0.0892) per event)
    """
    twice = {*a} & {*b, *common} | {*b} & {*common}
    if twice or not a or not b:
        raise EstimationError(
            f"{sorted(twice)[0]!r} is in two places: a term is compared or held equal"
            if twice
            else "there are no terms to compare"
        )
    grouped = enough_groups(table, cause, groups)

    def fitted(terms: Sequence[str]) -> CoxFit:
        return cox(grouped, terms, strata=strata, cause=cause, level=level, groups=grouped.groups)

    of_a, of_b, joint = (fitted([*terms, *common]) for terms in (a, b, [*a, *b]))
    by_group = (
        grouped.flows.group_by("group").agg(events=pl.col(cause).cast(pl.Int64).sum()).sort("group")
    )
    events = by_group["events"].to_numpy()
    total, count = int(events.sum()), grouped.groups
    whole = (of_a.loglik - of_b.loglik) / total
    without = (of_a.logliks - of_b.logliks) / (total - events)
    result = jackknife(np.array([whole]), lambda g: without[g : g + 1], count)
    corrected = count * whole - (count - 1) * float(without.mean())
    return ModelComparison(
        estimate(corrected, float(result.se[0]), scale="identity", level=level, groups=count),
        tuple(a),
        tuple(b),
        _adds(joint, a),
        _adds(joint, b),
        joint,
        total,
    )


def _adds(joint: CoxFit, terms: Sequence[str]) -> float:
    """The p of a Wald test that all coefficients of some terms are zero, their covariance from the jackknife."""
    places = [
        i for i, column in enumerate(joint.terms) if any(_is_of(column, term) for term in terms)
    ]
    g, p = joint.groups, len(places)
    if not p or p >= g:
        return 1.0
    own: Vector = joint.replicates[:, places]
    apart = own - own.mean(axis=0)
    covariance = (g - 1) / g * apart.T @ apart
    wald = float(joint.coef[places] @ np.linalg.pinv(covariance) @ joint.coef[places])
    return float(stats.f.sf(wald * (g - p) / (p * (g - 1)), p, g - p))


def _is_of(column: str, term: str) -> bool:
    """Whether a coefficient, such as ``a[1]:b[2]``, belongs to a term, such as ``a:b``."""
    own, wanted = column.split(":"), [part.strip() for part in term.split(":")]
    return len(own) == len(wanted) and all(
        part == name or part.startswith(f"{name}[") for part, name in zip(own, wanted, strict=True)
    )
