"""Cox regression on a risk table: ties, strata, delayed entry, competing causes, robust errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from cxresearch.errors import EstimationError
from cxresearch.estimators.design import Design, belongs, design, identify
from cxresearch.estimators.influence import Clusters, clusters_of, robust_error
from cxresearch.estimators.newton import maximise
from cxresearch.estimators.partial_likelihood import (
    Ties,
    relative_hazards,
    sums,
    tie_terms,
)
from cxresearch.estimators.results import CoxFit, references
from cxresearch.estimators.risk_sets import Array, Ints, run_back
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, fraction, instance, names, one_of

_BATCH = 1_000_000  # flows worked on at a time


def score_residuals(d: Design, ties: Ties, beta: Array) -> tuple[Array, Array]:
    """What each cluster adds to the score and to the log partial likelihood, by the derivative in its case weight.

    The residuals are those of R's `coxph`, also for Efron's ties, where all who leave at once weigh alike.

    Args:
        d: the arrays of the fit.
        ties: as in the fit.
        beta: shape (p,).

    Returns:
        Shapes (G, p) and (G,). The first sums to the score.
    """
    s = sums(d.x, d.everyone, beta[None])
    over = tie_terms(s, ties)
    r, eta = (v[0] for v in relative_hazards(d.x, beta[None]))
    A, B, C, D, E, L = (getattr(over, n)[0] for n in "ABCDEL")
    S1, Q1 = s.risk[0][:, 1:], s.event[0][:, 1:]
    events = np.maximum(s.events[0], 1)[:, None]
    block = d.sets.block
    # a customer loses, at each risk set, relative hazard times the distance from the mean of those at risk; the last
    # row is of who comes after every event
    rate = run_back(np.column_stack([A, S1 * C[:, None] - Q1 * D[:, None]]), block)
    of_none, of_terms = np.append(rate[:, 0], 0.0), np.vstack([rate[:, 1:], np.zeros(len(beta))])
    mean = (S1 * A[:, None] - Q1 * B[:, None]) / events
    back = np.column_stack([B, S1 * D[:, None] - Q1 * E[:, None]])
    flows = d.flows
    total = np.zeros((flows.groups, len(beta) + 1))

    def residuals_of(part: slice) -> Array:
        """The residuals of a batch of flows, as weights of patterns and of risk sets: most of them are shared."""
        pattern, enter, row = flows.pattern[part], flows.enter_row[part], flows.event_row[part]
        out = flows.net[part] * r[pattern]
        of_pattern = -out * of_none[enter]
        enter = np.where(enter >= 0, enter, len(rate))
        loglik = of_pattern.copy()
        left = np.flatnonzero((row >= 0) & (flows.events[part] > 0))
        n, row, hazard = flows.events[part][left], row[left], r[pattern[left]]
        of_pattern[left] += n * (1 + hazard * back[row, 0])
        loglik[left] += n * (eta[pattern[left]] - L[row] / events[row, 0] + hazard * B[row])
        group = flows.place[part]
        score = _by_group(group, pattern, of_pattern, (flows.groups, len(d.x))) @ d.x
        score += _by_group(group, enter, out, (flows.groups, len(of_terms))) @ of_terms
        lost = n[:, None] * (mean[row] + hazard[:, None] * back[row, 1:])
        leavers = _by_group(
            group[left], np.arange(len(left)), np.ones(len(left)), (flows.groups, len(left))
        )
        score -= leavers @ lost
        return np.column_stack([score, np.bincount(group, loglik, minlength=flows.groups)])

    for start in range(0, len(flows.place), _BATCH):
        total += residuals_of(slice(start, start + _BATCH))
    return total[:, :-1], total[:, -1]


def _by_group(group: Ints, column: Ints, weight: Array, shape: tuple[int, int]) -> csr_array:
    """Weights summed by group and column; `group` ascending."""
    begins = np.searchsorted(group, np.arange(shape[0] + 1))
    return csr_array((weight, column, begins), shape=shape)


def cox(
    table: RiskTable,
    terms: Sequence[str],
    *,
    held: Sequence[str] = (),
    strata: Sequence[str] = (),
    ties: Ties = "efron",
    cause: str = "defection",
    level: float = 0.95,
    errors: Literal["robust", "model"] = "robust",
) -> CoxFit:
    """Fit a Cox model.

    Args:
        table: the risk table.
        terms: feature names (dummies), ``linear(name)``, or products ``a:b``.
        held: terms among them that are only held equal: of their columns, those which others make superfluous are left
            out, and a contrast that they make so cannot be had.
        strata: features with a baseline hazard each.
        ties: Efron's (default) or Breslow's method.
        cause: the event; other causes leave the risk set.
        level: confidence level of the limits.
        errors: by influence functions, clustered (default), or model-based only.

    Returns:
        The fit. Where the likelihood has no maximum in the terms that are not held (a level with all or none of the
        events), Firth's penalty is used and `penalised` is true. A held level without events runs off as R's `coxph`
        lets it, which leaves the other coefficients at their limits.

    Raises:
        ArgumentError: an argument of the wrong type, or a level not between 0 and 1.
        EstimationError: an unknown feature or cause, no events, or collinear terms.
        NotTestable: all events are those of one customer.

    References:
        Efron (1977), JASA 72, 557-565; Andersen & Gill (1982), Annals of Statistics 10, 1100-1120; Lin & Wei (1989),
        JASA 84, 1074-1078; Heinze & Schemper (2001), Biometrics 57, 114-119.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> fit = cx.cox(table, ["bad"])
        >>> fit
        CoxFit(hazard ratios of defection: bad[1+] 1.86; about 580 events)
        >>> fit.to_polars().columns
        ['term', 'coef', 'hazard_ratio', 'low', 'high', 'se', 'se_model']
    """
    arguments(cause=cause, errors=errors)
    one_of("ties", ties, ("efron", "breslow"))
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    terms, strata = names("terms", terms), names("strata", strata)
    level = fraction("level", level)
    d = design(table, terms, strata, cause)
    clusters = clusters_of(table, [cause]) if errors == "robust" else None
    return fit_design(
        d,
        table,
        names("held", held),
        strata=strata,
        ties=ties,
        cause=cause,
        level=level,
        clusters=clusters,
    )


def fit_design(
    d: Design,
    table: RiskTable,
    held: Sequence[str],
    *,
    strata: Sequence[str],
    ties: Ties = "efron",
    cause: str,
    level: float,
    clusters: Clusters | None,
) -> CoxFit:
    """Fit a Cox model that is laid out already; several models of one table can share what is laid out.

    Args:
        d: with all columns of the terms.
        table: that it was made of.
        held: terms that are only held equal, as in `cox`.
        strata: those of the design.
        ties: as in `cox`.
        cause: the event of the design.
        level: confidence level of the limits.
        clusters: whom robust errors go over; None for model-based ones only.
    """
    identified = identify(d, held)
    d = d.only(identified.kept)
    p = len(d.terms)
    only_held = np.array([any(belongs(t, h) for h in held) for t in d.terms])
    try:
        fitted = maximise(d.x, d.everyone, ties, start=np.zeros(p), held=only_held)
    except np.linalg.LinAlgError as e:
        raise EstimationError(
            f"the model with {', '.join(d.terms)} cannot be fitted: {e}"
        ) from None
    covariance = np.asarray(np.linalg.pinv(fitted.information), dtype=np.float64)
    influence, contributions = np.empty((0, p)), np.empty(0)
    if clusters:
        residuals, contributions = score_residuals(d, ties, fitted.beta)
        influence = residuals @ covariance
    return CoxFit(
        terms=d.terms,
        coef=fitted.beta,
        se_model=np.sqrt(np.maximum(np.diag(covariance), 0)),
        se=robust_error(influence) if clusters else np.full(p, np.nan),
        covariance=covariance,
        loglik=fitted.loglik,
        events=int(d.events.sum()),
        ties=ties,
        strata=tuple(strata),
        cause=cause,
        penalised=fitted.is_penalised,
        level=level,
        influence=influence,
        loglik_influence=contributions,
        clusters=clusters,
        references=references(table, d.terms),
        unidentified=identified.unidentified[identified.kept],
        min_cell=table.min_cell,
    )
