"""Which of two descriptions of a customer's past predicts better who leaves.

Both enter the same hazard model in turn, with whatever is held equal. The one under which the departures that
happened were more likely predicts better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxresearch.disclosure.counts import about
from cxresearch.errors import EstimationError
from cxresearch.estimators.cox import fit_design
from cxresearch.estimators.design import belongs, design
from cxresearch.estimators.discrete import fit_grouped_design
from cxresearch.estimators.distributions import f_above
from cxresearch.estimators.influence import clusters_of, places, robust_error
from cxresearch.estimators.results import CoxFit, Estimate, Result, Vector, estimate
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, instance
from cxresearch.utils.html_tables import html_table


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class ModelComparison(Result):
    """Two descriptions of the past against each other.

    Attributes:
        difference: maximised log partial likelihood with the first less that with the second, per event, corrected for
            the number of parameters; above zero, the first predicts better.
        a: terms of the first.
        b: terms of the second.
        p_a: whether the first adds to a model that has the second: p of a robust Wald test.
        p_b: whether the second adds to a model that has the first: p of a robust Wald test.
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
    def adds_information(self) -> bool:
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
                f"{d.value:+z.4f}",
                f"{d.low:+z.4f}",
                f"{d.high:+z.4f}",
            ),
            (f"{names[0]} added to the other: p", f"{self.p_a:.3g}", "", ""),
            (f"{names[1]} added to the other: p", f"{self.p_b:.3g}", "", ""),
        ]
        heads = ("which says more about who leaves", "log likelihood", f"{d.level:.0%} from", "to")
        return html_table(
            f"{about(self.events, self.joint.min_cell).capitalize()} events", heads, rows
        )


def compare_models(
    table: RiskTable,
    a: Sequence[str],
    b: Sequence[str],
    common: Sequence[str] = (),
    *,
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
) -> ModelComparison:
    """Compare the maximised log likelihoods of two models, per event: of Cox models, or for grouped time on contacts.

    A model with more parameters fits better by chance: its maximised log likelihood is too high by tr(J⁻¹V)/2, where J
    is its information and V the sum of squares of what clusters add to its score (half a unit per parameter where the
    model holds). That is taken off, so that two descriptions which say nothing differ by nothing on average, however
    many parameters they have.

    Args:
        table: a risk table with all features named.
        a: terms of the first, as `cxresearch.cox` takes them.
        b: terms of the second; none of the first.
        common: terms in both models.
        strata: features with a baseline hazard each; no compared term may be one.
        cause: the event.
        level: confidence level.

    Returns:
        The comparison; its difference is a log likelihood per event.

    Raises:
        EstimationError: a term in two places, or collinear terms.
        NotTestable: all events are those of one customer.

    References:
        Takeuchi (1976), Suri-Kagaku 153, 12-18; Stone (1977), JRSS B 39, 44-47; Vuong (1989), Econometrica 57, 307-333.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(3), last=cx.histories.last_grade(), observed_from_start=True)
        >>> cx.estimators.compare_models(table, ["bad"], ["last"])
        ModelComparison(bad less last: 0.0551 (0.0278 to 0.0823) per event)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(a=a, b=b, common=common, strata=strata, cause=cause, level=level)
    twice = {*a} & {*b, *common} | {*b} & {*common}
    if twice or not a or not b:
        raise EstimationError(
            f"{sorted(twice)[0]!r} is in two places: a term is compared or held equal"
            if twice
            else "there are no terms to compare"
        )

    every = [*a, *b, *common]
    is_grouped = table.clock == "contact"
    laid_out = design(table, every, strata, cause, every_time=is_grouped)
    clusters = clusters_of(table, [cause])

    def fitted(terms: Sequence[str]) -> CoxFit:
        kept = np.isin(laid_out.term, [every.index(t) for t in terms])
        fit = fit_grouped_design if is_grouped else fit_design
        return fit(
            laid_out.only(kept),
            table,
            common,
            strata=strata,
            cause=cause,
            level=level,
            clusters=clusters,
        )

    of_a, of_b, joint = (fitted([*terms, *common]) for terms in (a, b, [*a, *b]))
    total = joint.events
    difference = of_a.loglik - of_b.loglik
    # the number of events is what the likelihood of one cluster is held against, and falls out of the difference
    between = of_a.loglik_influence - of_b.loglik_influence
    events = _events_of(table, cause)
    influence = (between - events * difference / total) / total
    corrected = (difference - (_optimism(of_a) - _optimism(of_b))) / total
    return ModelComparison(
        difference=estimate(
            corrected,
            float(robust_error(influence)),
            scale="identity",
            level=level,
            clusters=joint.clusters,
        ),
        a=tuple(a),
        b=tuple(b),
        p_a=_adds(joint, a),
        p_b=_adds(joint, b),
        joint=joint,
        events=total,
    )


def _optimism(fit: CoxFit) -> float:
    """By how much a maximised likelihood is higher than at the true coefficients, by chance: tr(J⁻¹V)/2."""
    information = np.linalg.pinv(fit.covariance)
    return 0.5 * float(
        np.einsum("gi,ij,gj->", fit.influence, information, fit.influence, optimize=True)
    )


def _events_of(table: RiskTable, cause: str) -> Vector:
    """Events by cluster."""
    place = places(table.population, table.flows["group"])
    return np.bincount(place, table.flows[cause].to_numpy(), table.groups).astype(np.float64)


def _adds(joint: CoxFit, terms: Sequence[str]) -> float:
    """The p of a robust Wald test that all coefficients of some terms are zero."""
    places_of = [
        i for i, column in enumerate(joint.terms) if any(belongs(column, term) for term in terms)
    ]
    p = len(places_of)
    if not p or p > joint.df:
        return 1.0
    moves = joint.influence[:, places_of]
    wald = float(joint.coef[places_of] @ np.linalg.pinv(moves.T @ moves) @ joint.coef[places_of])
    df = joint.df
    return f_above(wald * (df - p + 1) / (p * df), p, df - p + 1)
