"""Whether hazard ratios stay the same over time: the score test of coefficients that change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.disclosure.counts import MIN_CELL, about
from cxresearch.errors import NotTestable
from cxresearch.estimators.design import Design, design, identify
from cxresearch.estimators.distributions import chi2_above
from cxresearch.estimators.incidence import curve_of
from cxresearch.estimators.intervals import quantile
from cxresearch.estimators.newton import maximise
from cxresearch.estimators.partial_likelihood import (
    Ties,
    information,
    sums,
    tie_terms,
)
from cxresearch.estimators.results import Result, Vector
from cxresearch.risk.table import RiskTable, at_risk
from cxresearch.utils.checks import arguments, fraction, instance, names, one_of, whole_number
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import DISPLAY_ONLY, value_fields

Transform = Literal["km", "identity", "rank", "event_rank"]
TRANSFORMS: tuple[Transform, ...] = ("km", "identity", "rank", "event_rank")
_RANK = 1e-9  # of a variance, what is taken for nothing
_WORDS = {
    "km": "one minus Kaplan–Meier",
    "identity": "time itself",
    "rank": "rank of the time among all ends of rows",
    "event_rank": "rank of the time among the events",
}


@dataclass(frozen=True, slots=True, eq=False, repr=False, kw_only=True)
class Proportionality(Result):
    """Score tests of coefficients that change with time, and how they do.

    Attributes:
        terms: shape (k,): the terms, as they were given.
        chisq: shape (k,): of each term, with all of its columns.
        df: shape (k,): degrees of freedom: the columns of the term, less those whose change nothing is known of.
        p: shape (k,): p-value; NaN without a degree of freedom.
        global_chisq: of all terms together.
        global_df: degrees of freedom.
        global_p: p-value.
        columns: shape (p,): names of the coefficients, such as ``bad[1+]``.
        column_chisq: shape (p,): of each coefficient by itself, with one degree of freedom.
        column_p: shape (p,): p-value; NaN where nothing is known.
        coef: shape (p,): log hazard ratios of the model in which they do not change.
        slope: shape (p,): of the scaled Schoenfeld residuals on the transformed time, by least squares: by how much a
            log hazard ratio rises in a unit of it, approximately.
        covariance: shape (p, p): of `coef`, the inverse information.
        times: shape (T,): times with an event.
        transformed: shape (T,): the same, transformed.
        events: shape (T,): how many.
        residuals: shape (T, p): Schoenfeld residuals, summed over the events of a time.
        transform: ``km``, ``identity``, ``rank`` or ``event_rank``.
        ties: ``efron`` or ``breslow``.
        strata: features the baseline hazard may differ by.
        cause: the event.
        clock: what time counts.
        min_cell: the smallest count that may be shown of it, set by the study.
    """

    terms: tuple[str, ...]
    chisq: Vector
    df: NDArray[np.int64]
    p: Vector
    global_chisq: float
    global_df: int
    global_p: float
    columns: tuple[str, ...]
    column_chisq: Vector
    column_p: Vector
    coef: Vector
    slope: Vector
    covariance: NDArray[np.float64]
    times: NDArray[np.int64]
    transformed: Vector
    events: NDArray[np.int64]
    residuals: NDArray[np.float64]
    transform: str
    ties: str
    strata: tuple[str, ...]
    cause: str
    clock: str
    min_cell: int = field(default=MIN_CELL, metadata=DISPLAY_ONLY)

    @property
    def scaled_residuals(self) -> NDArray[np.float64]:
        """Shape (T, p): mean scaled Schoenfeld residual at each time plus the coefficient, whose course it shows."""
        total = self.events.sum()
        scaled = self.residuals @ self.covariance * total / self.events[:, None]
        return np.asarray(self.coef + scaled)

    def by_time(self, bins: int = 10, *, level: float = 0.95) -> pl.DataFrame:
        """Coefficients averaged over spans of time with about as many events each, for a chart.

        Args:
            bins: how many spans; fewer where a span would have less than `min_cell` events, or times are tied.
            level: confidence level of the limits, which rest on the model.

        Returns:
            Rows term (the name of a coefficient), start, stop (events in (start, stop]), events, coef, low, high, from
            averages of the scaled Schoenfeld residuals; on the log scale.

        Raises:
            ArgumentError: `bins` is no whole number from 1 on, or `level` not between 0 and 1.
        """
        bins, level = whole_number("bins", bins, 1), fraction("level", level)
        total = int(self.events.sum())
        share = total / max(1, min(bins, total // self.min_cell))
        ends: list[int] = []
        upto = np.concatenate([[0], np.cumsum(self.events)])
        for i, reached in enumerate(upto[1:].tolist()):  # ties stay together
            before = int(upto[ends[-1] + 1]) if ends else 0
            if reached - before >= share and total - reached >= self.min_cell:
                ends.append(i)
        ends.append(len(self.times) - 1)
        starts = [0, *(i + 1 for i in ends[:-1])]
        scaled = self.scaled_residuals * self.events[:, None]
        n = np.add.reduceat(self.events, starts)
        mean = np.add.reduceat(scaled, starts, axis=0) / n[:, None]
        error = np.sqrt(np.diag(self.covariance) * total / n[:, None])
        half = quantile(level, 0) * error
        first = np.concatenate([[self.times[0] - 1], self.times[ends[:-1]]]).astype(np.int64)
        size = len(self.columns)
        return pl.DataFrame(
            {
                "term": [c for c in self.columns for _ in ends],
                "start": np.tile(first, size),
                "stop": np.tile(self.times[ends], size),
                "events": np.tile(n, size),
                "coef": mean.T.ravel(),
                "low": (mean - half).T.ravel(),
                "high": (mean + half).T.ravel(),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values; without what is known of each time, which is as confidential as the data."""
        hidden = {"times", "transformed", "events", "residuals"}
        values = Result.to_dict(self)
        return {f.name: values[f.name] for f in value_fields(self) if f.name not in hidden}

    def to_polars(self) -> pl.DataFrame:
        """One row per term, per coefficient, and for the model: of, name, chisq, df, p, slope (of coefficients)."""
        k, size = len(self.terms), len(self.columns)
        known = (~np.isnan(self.column_p)).astype(np.int64)
        return pl.DataFrame(
            {
                "of": ["term"] * k + ["column"] * size + ["model"],
                "name": [*self.terms, *self.columns, ""],
                "chisq": np.concatenate([self.chisq, self.column_chisq, [self.global_chisq]]),
                "df": np.concatenate([self.df, known, [self.global_df]]),
                "p": np.concatenate([self.p, self.column_p, [self.global_p]]),
                "slope": np.concatenate([np.full(k, np.nan), self.slope, [np.nan]]),
            }
        ).with_columns(pl.col(pl.Float64).fill_nan(None))

    def __repr__(self) -> str:
        tests = ", ".join(f"{t} p = {p:.3g}" for t, p in zip(self.terms, self.p, strict=True))
        return f"Proportionality(all terms p = {self.global_p:.3g}; {tests})"

    def _repr_html_(self) -> str:
        tests = [
            *zip(self.terms, self.chisq, self.df, self.p, strict=True),
            ("all terms", self.global_chisq, self.global_df, self.global_p),
        ]
        rows = [
            (name, f"{chisq:.2f}", f"{df:,}", "–" if np.isnan(p) else f"{p:.3f}")
            for name, chisq, df, p in tests
        ]
        within = f"Compared within {', '.join(self.strata)}." if self.strata else ""
        notes = (
            f"Transform of time: {_WORDS[self.transform]}. Ties by {self.ties.title()}.",
            within,
            "A small p-value says that the hazard ratio changes over time; the tests take customers as independent.",
        )
        caption = (
            f"Do hazard ratios of {self.cause} change on the {self.clock} clock? "
            f"{about(int(self.events.sum()), self.min_cell)} events"
        )
        heads = ("term", "chi-squared", "degrees of freedom", "p-value")
        return html_table(caption, heads, rows, notes)


def proportionality(
    table: RiskTable,
    terms: Sequence[str],
    *,
    strata: Sequence[str] = (),
    ties: Ties = "efron",
    cause: str = "defection",
    transform: Transform = "km",
) -> Proportionality:
    """Test whether the hazard ratios of a Cox model stay the same over time.

    The alternative is that a log hazard ratio is a straight line in a transform of time. The score test compares it
    with the fit in which nothing changes, for each term and for all terms together, as `cox.zph` of R's survival 3.
    It needs moments of the information and of the Schoenfeld residuals over the event times; a risk table gives them.

    Args:
        table: the risk table.
        terms: as of `cox`.
        strata: features with a baseline hazard each.
        ties: Efron's (default) or Breslow's method.
        cause: the event; other causes leave the risk set.
        transform: of time; all strata together.

            - ``km`` (default): one minus the Kaplan–Meier estimate just before the time; the few late events weigh
              little;
            - ``identity``: time itself;
            - ``rank``: the mean rank of the time among the ends of all rows of the table, also those at a change of
              state, as in R; it depends on how follow-up is cut into rows;
            - ``event_rank``: the mean rank of the time among the events, which does not.

    Returns:
        The tests. They rest on the model: households and events that recur in a customer are taken as independent.

    Raises:
        ArgumentError: an argument of the wrong type, or an unknown transform or method of ties.
        EstimationError: an unknown feature or cause, no events, or collinear terms.
        NotTestable: the likelihood has no maximum, or all events come at one time.

    References:
        Grambsch & Therneau (1994), Proportional hazards tests and diagnostics based on weighted residuals, Biometrika
        81, 515-526; Therneau (2020), the score test of `cox.zph` in R's survival from version 3.0 on.

    Example:
        >>> import cxresearch as cx
        >>> import polars as pl
        >>> from cxresearch.risk.from_rows import from_rows
        >>> rows = pl.DataFrame(
        ...     {
        ...         "id": range(8),
        ...         "start": [0] * 8,
        ...         "stop": [1, 2, 3, 4, 5, 6, 7, 8],
        ...         "bad": [1, 1, 0, 1, 0, 0, 1, 0],
        ...         "event": [1, 1, 1, 1, 1, 1, 1, 0],
        ...     }
        ... )
        >>> result = cx.estimators.proportionality(from_rows(rows, ["bad"]), ["bad"])
        >>> print(f"chi-squared {result.global_chisq:.3f}, p = {result.global_p:.3f}")
        chi-squared 0.455, p = 0.500
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    terms, strata = names("terms", terms), names("strata", strata)
    arguments(cause=cause)
    one_of("ties", ties, ("efron", "breslow"))
    one_of("transform", transform, TRANSFORMS)
    d = design(table, terms, strata, cause)
    identify(d)
    fitted = maximise(d.x, d.everyone, ties, start=np.zeros(len(d.terms)))
    if fitted.is_penalised:
        raise NotTestable(
            "no_fit", "a level at which some leave and some stay: its hazard ratio is 0 or infinite"
        )
    time = transformed_times(table, cause, d.times, transform)
    counts = np.asarray(d.everyone.events_by_row)[0]
    total = counts.sum()
    g = time - counts @ time / total
    sd = float(np.sqrt(counts @ g**2 / total))
    if sd <= _RANK * max(1.0, float(np.abs(time).max())):
        raise NotTestable("too_few", "events at more than one time")
    g /= sd  # no test depends on the unit, and the numbers below stay near one
    residuals, moments = _moments(d, ties, fitted.beta, g)
    covariance = np.asarray(np.linalg.pinv(moments[0], hermitian=True))
    left = moments[2] - moments[1] @ covariance @ moments[1]
    u, scale = g @ residuals, np.diag(moments[2])
    tests = [_quadratic(u, left, scale, d.term == i) for i in range(len(terms))]
    every = np.arange(len(d.terms))
    by_column = [_quadratic(u, left, scale, every == i) for i in every]
    global_chisq, global_df = _quadratic(u, left, scale, every >= 0)
    times, place = np.unique(d.times, return_inverse=True)
    by_time = np.zeros((len(times), len(every)))
    np.add.at(by_time, place, residuals)
    chisq, df = (np.array(v) for v in zip(*tests, strict=True))
    column_chisq, column_df = (np.array(v) for v in zip(*by_column, strict=True))
    return Proportionality(
        terms=terms,
        chisq=chisq,
        df=df,
        p=_p(chisq, df),
        global_chisq=global_chisq,
        global_df=global_df,
        global_p=float(_p(np.array([global_chisq]), np.array([global_df]))[0]),
        columns=d.terms,
        column_chisq=column_chisq,
        column_p=_p(column_chisq, column_df),
        coef=fitted.beta,
        slope=u @ covariance / sd,
        covariance=covariance,
        times=times,
        transformed=transformed_times(table, cause, times, transform),
        events=np.bincount(place, counts).astype(np.int64),
        residuals=by_time,
        transform=transform,
        ties=ties,
        strata=strata,
        cause=cause,
        clock=table.clock,
        min_cell=table.min_cell,
    )


def transformed_times(
    table: RiskTable, cause: str, times: NDArray[np.int64], transform: Transform
) -> Vector:
    """A transform of times with an event; arguments as of `proportionality`, `times` and result of shape (R,)."""
    if transform == "identity":
        return times.astype(np.float64)
    if transform == "km":
        all_ = at_risk(table, [cause])
        used = all_.at_risk > 0
        km = curve_of(all_.times[used], all_.at_risk[used], all_.events[:, used])
        before = np.concatenate([[1.0], km.survival])
        return np.asarray(1 - before[np.searchsorted(km.times, times)])
    column = "left" if transform == "rank" else cause
    ends = (
        table.flows.group_by("time")
        .agg(n=pl.col(column).cast(pl.Int64).sum())
        .filter(pl.col("n") > 0)
        .sort("time")
    )
    n, at = ends["n"].to_numpy(), np.searchsorted(ends["time"].to_numpy(), times)
    return np.asarray((np.cumsum(n) - n)[at] + (n[at] + 1) / 2)


def _moments(
    d: Design, ties: Ties, beta: Vector, g: Vector
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Schoenfeld residuals summed by row, shape (R, p), and Σ information · g^k over rows for k = 0, 1, 2."""
    at = beta[None]
    s = sums(d.x, d.everyone, at)
    over = tie_terms(s, ties)
    expected = s.risk[0][:, 1:] * over.A[0][:, None] - s.event[0][:, 1:] * over.B[0][:, None]
    residuals = d.everyone.leaving(d.x[None])[0] - expected
    powers = np.array([np.ones_like(g), g, g**2])
    return residuals, information(d.x, d.everyone, at, s, over.weighted(powers))


def _quadratic(
    u: Vector, variance: NDArray[np.float64], scale: Vector, part: NDArray[np.bool_]
) -> tuple[float, int]:
    """The square of `u` in the metric of the inverse variance, of some columns, and its rank."""
    kept = np.flatnonzero(part & (scale > 0))
    unit = np.sqrt(scale[kept])
    values, vectors = np.linalg.eigh(variance[np.ix_(kept, kept)] / np.outer(unit, unit))
    along = vectors.T @ (u[kept] / unit)
    used = values > _RANK
    return float((along[used] ** 2 / values[used]).sum()), int(used.sum())


def _p(chisq: Vector, df: NDArray[np.int64]) -> Vector:
    """The p-values of chi-squared statistics; NaN without a degree of freedom."""
    return np.where(df > 0, chi2_above(chisq, np.maximum(df, 1)), np.nan)
