"""Cox regression on a risk table: ties, strata, delayed entry, competing causes, jackknife."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cxresearch.checks import arguments, fraction, having, instance, names, one_of, whole
from cxresearch.errors import EstimationError, NotTestable, UnknownInTableError
from cxresearch.estimators.design import Design, design
from cxresearch.estimators.intervals import log_interval
from cxresearch.estimators.jackknife import enough_groups, jackknife_error
from cxresearch.estimators.partial_likelihood import Likelihood, Sums, Ties, likelihood, score, sums
from cxresearch.estimators.results import CoxFit, Estimate, references
from cxresearch.estimators.risk_sets import Array, Customers, Everyone, Others
from cxresearch.risk.table import RiskTable

if TYPE_CHECKING:
    from cxresearch.estimators.rates import RateFit

DIVERGED = (
    12.0  # a log hazard ratio no one will observe: the likelihood is climbing a slope without a top
)
_STEPS, _HALVINGS = 50, 30
_FAR = 5.0  # no step changes a log hazard ratio by more: weights could become zero, and a top be leapt over


@dataclass(frozen=True, slots=True, eq=False)
class Top:
    """Where a likelihood is largest.

    Attributes:
        beta: shape (p,).
        information: shape (p, p).
        loglik: of the partial likelihood, without a penalty.
        penalised: whether Firth's penalty was used.
    """

    beta: Array
    information: NDArray[np.float64]
    loglik: float
    penalised: bool


def reach(x: Array, beta: Array) -> Array:
    """The largest log hazard ratio that coefficients make; of shape (K, p), each for itself."""
    return np.asarray(np.abs(beta @ x.T).max(axis=-1, initial=0.0))


def solve(information: NDArray[np.float64], score: Array) -> Array:
    """Newton steps, shape (K, p); none along directions of which the data say nothing."""
    return np.asarray(
        (np.linalg.pinv(information, rcond=1e-12, hermitian=True) @ score[..., None])[..., 0]
    )


def maximise(x: Array, customers: Customers, ties: Ties, start: Array) -> Top:
    """The maximum; with Firth's penalty where there is none.

    Args:
        x: shape (P, p): covariates of each pattern.
        customers: who is at risk and who leaves.
        ties: Efron's or Breslow's method.
        start: shape (p,).
    """
    result = climb(x, customers, ties, start)
    return firth(x, customers, ties) if result is None else result


def climb(x: Array, customers: Customers, ties: Ties, start: Array) -> Top | None:
    """Newton with step halving; args as `maximise`, None where the likelihood has no maximum."""
    beta = start.copy()
    here = likelihood(x, customers, ties, beta[None])
    for _ in range(_STEPS):
        step = solve(here.information, here.score)[0]
        step = step * min(1.0, _FAR / max(float(reach(x, step)), _FAR))
        for _ in range(_HALVINGS):
            new = likelihood(x, customers, ties, (beta + step)[None])
            if np.isfinite(new.loglik[0]) and new.loglik[0] >= here.loglik[0] - 1e-12 * abs(
                here.loglik[0]
            ):
                break
            step = step / 2
        beta, here = beta + step, new
        spread = float(np.abs(step).max())
        if reach(x, beta) > DIVERGED and spread > 0.1:
            return None
        if spread < 1e-4:  # Newton doubles the digits: one step more leaves less than 1e-13
            last = solve(here.information, here.score)[0]
            loglik = float(here.loglik[0] + 0.5 * here.score[0] @ last)
            return Top(beta + last, here.information[0], loglik, penalised=False)
    return None


def firth(x: Array, customers: Customers, ties: Ties, start: Array | None = None) -> Top:
    """Maximise loglik + log|information| / 2; the penalty's slope by central differences.

    References:
        Heinze & Schemper (2001), Biometrics 57, 114-119.
    """
    p = x.shape[1]
    beta = np.zeros(p) if start is None else start.copy()
    h = 1e-4 * np.eye(p)
    here = likelihood(x, customers, ties, beta[None])
    for _ in range(200):
        around = _penalty(likelihood(x, customers, ties, np.concatenate([beta + h, beta - h])))
        slope = (around[:p] - around[p:]) / 2e-4
        step = np.clip(solve(here.information, here.score + slope)[0], -1.0, 1.0)
        current = here.loglik[0] + _penalty(here)[0]
        for _ in range(_HALVINGS):
            new = likelihood(x, customers, ties, (beta + step)[None])
            value = new.loglik[0] + _penalty(new)[0]
            if np.isfinite(value) and value >= current - 1e-10:
                break
            step = step / 2
        beta, here = beta + step, new
        if float(np.abs(step).max()) < 1e-8:
            break
    return Top(beta, here.information[0], float(here.loglik[0]), penalised=True)


def _penalty(result: Likelihood) -> Array:
    return np.asarray(0.5 * np.linalg.slogdet(result.information)[1])


_NEAR = (
    1e-3  # a last Newton step that moves no log hazard by more leaves an error of about its square
)
_CLOSE = 0.5  # a longer step may lead away from the top: better to begin again with care
_STEPS_DELETIONS = (
    4  # from the second on they are exact: where these do not lead to the top, something is amiss
)
_AT_ONCE = 300_000  # numbers in the largest array of a batch of groups


def deletions(d: Design, ties: Ties, top: Top, groups: int) -> tuple[NDArray[np.float64], Array]:
    """The coefficients and log likelihoods without each group.

    Sums over customers subtract, so a first step from the whole fit costs no more than the group's own customers; exact
    Newton steps from there leave an error of the square of the last one's length. Where the whole fit has a maximum
    and this one has none, since all events of some level are in the group, the first step stands, as in the
    infinitesimal jackknife: a penalty would move all coefficients for the sake of one. A term that no other group
    touches keeps its value.

    Args:
        d: the arrays of the fit.
        ties: as in the fit.
        top: of the fit with all customers.
        groups: G, how many there are.

    Returns:
        Shapes (G, p) and (G,).
    """
    if top.penalised:
        result = [_penalised(d, ties, top, g) for g in range(groups)]
    else:
        whole = sums(d.x, d.everyone, top.beta[None])
        result = [
            t
            for first, last in _batches(d, groups)
            for t in _stepped(d, ties, top, whole, first, last)
        ]
    return np.array([t.beta for t in result]).reshape(groups, -1), np.array(
        [t.loglik for t in result]
    )


def _batches(d: Design, groups: int) -> Iterator[tuple[int, int]]:
    rows, patterns = d.events.shape
    size = max(
        1,
        _AT_ONCE
        // (rows * max(1 + d.x.shape[1], patterns if isinstance(d.events, np.ndarray) else 0)),
    )
    return ((g, min(g + size, groups)) for g in range(0, groups, size))


def _stepped(d: Design, ties: Ties, top: Top, whole: Sums, first: int, last: int) -> list[Top]:
    """Newton steps without each of the groups from `first` to before `last`."""
    own = d.groups(first, last)
    others = Others(d.everyone, own)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # where there is no top, steps lead anywhere
        slope = score(whole.less(sums(d.x, own, top.beta[None])), ties)[1]
    near = top.beta + _step(
        np.broadcast_to(top.information, (last - first, *top.information.shape)), slope
    )
    beta = near
    for _ in range(_STEPS_DELETIONS):
        with np.errstate(divide="ignore", invalid="ignore"):
            there = likelihood(d.x, others, ties, beta)
        step = _step(there.information, there.score)
        beta = beta + step
        sound = np.isfinite(np.column_stack([there.loglik, step])).all(axis=1)
        moved = np.where(sound, reach(d.x, step), np.inf)
        close = np.logical_and(moved < _CLOSE, reach(d.x, beta) < DIVERGED)
        if not (close & (moved >= _NEAR)).any():
            break
    loglik = there.loglik + 0.5 * (there.score * step).sum(axis=1)
    result = []
    for i in range(last - first):
        part = Top(beta[i], there.information[i], float(loglik[i]), penalised=False)
        if not (close[i] and moved[i] < _NEAR):
            again = _again(d, ties, first + i, beta[i] if close[i] else top.beta)
            part = replace(part, beta=near[i]) if again is None else again
        result.append(part)
    return result


def _step(information: NDArray[np.float64], slope: Array) -> Array:
    """Newton steps; not a number where there is none."""
    sound: NDArray[np.bool_] = np.logical_and(
        np.isfinite(information).all(axis=(1, 2)), np.isfinite(slope).all(axis=1)
    )
    step = solve(
        np.where(sound[:, None, None], information, 0.0), np.where(sound[:, None], slope, 0.0)
    )
    return np.where(sound[:, None], step, np.nan)


def _again(d: Design, ties: Ties, group: int, start: Array) -> Top | None:
    """The fit without a group from its start; None where there is no maximum."""
    others, live = _without(d, group)
    result = climb(d.x[:, live], others, ties, start[live])
    return None if result is None else _whole(result, live, start)


def _penalised(d: Design, ties: Ties, top: Top, group: int) -> Top:
    """The fit with Firth's penalty without a group."""
    others, live = _without(d, group)
    return _whole(firth(d.x[:, live], others, ties, top.beta[live]), live, top.beta)


def _whole(result: Top, live: NDArray[np.bool_], start: Array) -> Top:
    """All terms again; those that are not live keep their values."""
    beta = start.copy()
    beta[live] = result.beta
    return replace(result, beta=beta)


def _without(d: Design, group: int) -> tuple[Everyone, NDArray[np.bool_]]:
    """All customers but those of a group, and the terms that somebody of them is at risk with."""
    own, events = d.of(group)
    others = Everyone(d.sets.without(own), d.events - events)
    seen = others.sets.by_pattern(np.ones(len(d.sets.block))) > 0
    return others, np.asarray(seen @ np.abs(d.x) > 0)


def cox(
    table: RiskTable,
    terms: Sequence[str],
    *,
    strata: Sequence[str] = (),
    ties: Ties = "efron",
    cause: str = "defection",
    level: float = 0.95,
    errors: Literal["jackknife", "model"] = "jackknife",
    groups: int = 100,
) -> CoxFit:
    """Fit a Cox model.

    Args:
        table: the risk table.
        terms: feature names (dummies), ``linear(name)``, or products ``a:b``.
        strata: features with a baseline hazard each.
        ties: Efron's (default) or Breslow's method.
        cause: the event; other causes leave the risk set.
        level: confidence level of the limits.
        errors: delete-a-group jackknife (default), or model-based only.
        groups: most groups to use; fewer where 20 clusters and 5 events in each need it.

    Returns:
        The fit. Where the likelihood has no maximum (a level with all or none of the events), Firth's penalty is used
        and `penalised` is true.

    Raises:
        ArgumentError: an argument of the wrong type, or a level not between 0 and 1.
        EstimationError: an unknown feature or cause, no events, or terms that cannot be told apart.
        NotTestable: too few customers or events for a jackknife.

    References:
        Efron (1977), JASA 72, 557-565; Andersen & Gill (1982), Annals of Statistics 10, 1100-1120; Heinze & Schemper
        (2001), Biometrics 57, 114-119.
    """
    arguments(cause=cause, errors=errors)
    one_of("ties", ties, ("efron", "breslow"))
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    terms, strata = names("terms", terms), names("strata", strata)
    level, groups = fraction("level", level), whole("groups", groups, 1)
    if errors == "jackknife":
        table = enough_groups(table, cause, groups)
    d = design(table, terms, strata, cause)
    _check_rank(d)
    p = len(d.terms)
    try:
        top = maximise(d.x, d.everyone, ties, np.zeros(p))
        se, replicates, logliks = np.full(p, np.nan), np.empty((0, p)), np.empty(0)
        if errors == "jackknife":
            replicates, logliks = deletions(d, ties, top, table.groups)
            se = jackknife_error(replicates)
    except np.linalg.LinAlgError as e:
        raise EstimationError(
            f"the model with {', '.join(d.terms)} cannot be fitted: {e}"
        ) from None
    covariance = np.asarray(np.linalg.pinv(top.information), dtype=np.float64)
    return CoxFit(
        terms=d.terms,
        coef=top.beta,
        se_model=np.sqrt(np.maximum(np.diag(covariance), 0)),
        se=se,
        covariance=covariance,
        loglik=top.loglik,
        events=int(d.events.sum()),
        ties=ties,
        strata=tuple(strata),
        cause=cause,
        penalised=top.penalised,
        level=level,
        groups=len(replicates),
        replicates=replicates,
        references=references(table, d.terms),
        logliks=logliks,
    )


def contrast(fit: CoxFit | RateFit, weights: Mapping[str, float]) -> Estimate:
    """A hazard ratio for a weighted sum of coefficients.

    Args:
        fit: from `cox`, `grouped_hazards` or `rate_ratios`, whose ratios are of rates.
        weights: term to weight; ``{"bad[1+]": 1}`` is the hazard ratio of that level against the reference.

    Raises:
        EstimationError: no such term.
        NotTestable: nobody was ever at risk in a level named.
    """
    having("fit", fit, ("terms", "coef", "replicates"), "a fit, as cox and rate_ratios give it")
    arguments(weights=weights)
    w = np.zeros(len(fit.terms))
    for term, weight in weights.items():
        if term not in fit.terms:
            feature = term.partition("[")[0]
            if any(t.startswith(f"{feature}[") for t in fit.terms):
                raise NotTestable("nobody_at_risk", f"customers at risk in {term}")
            raise UnknownInTableError(term, fit.terms, what="term")
        w[fit.terms.index(term)] = weight
    value = float(w @ fit.coef)
    model = float(np.sqrt(w @ fit.covariance @ w))
    se = float(jackknife_error(fit.replicates @ w)) if fit.groups else model
    low, high = log_interval(value, se, fit.level, fit.groups)
    return Estimate(float(np.exp(value)), low, high, fit.level, se, model, "log", fit.groups)


def _check_rank(d: Design) -> None:
    """Terms that are sums of others within every risk set cannot be told apart."""
    if not d.terms:
        raise EstimationError("a Cox model needs at least one term")
    sums = d.sets.total(np.column_stack([np.ones(len(d.x)), d.x]))
    total = np.maximum(sums[:, 0], 1)
    mean = sums[:, 1:] / total[:, None]
    spread = (d.x * d.sets.by_pattern(1 / total)[:, None]).T @ d.x - mean.T @ mean
    scale = np.sqrt(np.maximum(np.diag(spread), 1e-300))
    rank = np.linalg.matrix_rank(spread / np.outer(scale, scale), tol=1e-9)
    if rank < len(d.terms):
        raise EstimationError(
            f"the terms cannot be told apart: {', '.join(d.terms)} span only {rank} dimensions"
        )
