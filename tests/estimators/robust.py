"""The package against R on clustered data: every number of the committed files, and how far ours is from it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.cox import cox
from cxresearch.estimators.discrete import grouped_hazards
from cxresearch.estimators.incidence import aalen_johansen, curve_influence, incidence_at, step
from cxresearch.estimators.rate_ratios import rate_ratios
from cxresearch.estimators.results import CoxFit
from cxresearch.risk.from_rows import from_rows
from cxresearch.risk.table import RiskTable
from tests.estimators.golden import CAUSES, cohort_table, read

TEXT = ("bad", "segment")
STUDIES = (
    "heart: Stanford heart transplants",
    "jasa1: the same with other covariates",
    "cgd: chronic granulomatous disease, infections that recur",
    "pbcseq: visits in primary biliary cirrhosis, with a competing exit",
    "small and large: simulated, with heavy ties, late entries and households that share a risk",
    "contacts: simulated, on a grouped clock",
    "cohort: 20,000 simulated customers",
)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Numbers of the package and of R.

    Attributes:
        quantity: what they are.
        function: of R, that made them.
        ours: any shape.
        theirs: the same shape.
    """

    quantity: str
    function: str
    ours: NDArray[np.float64]
    theirs: NDArray[np.float64]

    @property
    def difference(self) -> float:
        """The largest difference."""
        return float(np.abs(self.ours - self.theirs).max())


@cache
def rows_of(data: str) -> pl.DataFrame:
    """The (start, stop] rows of a golden study."""
    return read(f"robust/data_{data}.csv", **dict.fromkeys(TEXT, pl.String))


@cache
def table_of(data: str, features: tuple[str, ...], cluster: str = "id") -> RiskTable:
    """The risk table of a golden study, its clusters in ascending order."""
    return from_rows(rows_of(data), features, cause="cause", causes=CAUSES, cluster=cluster)


def features_of(model: str, strata: str | None) -> tuple[str, ...]:
    """The features that a model and its strata name."""
    words = re.findall(r"\w+", f"{model} {strata or ''}")
    return tuple(dict.fromkeys(w for w in words if w != "linear"))


def numbers_of(name: str) -> list[int]:
    """The numbers of the fits, or of the curves, in a golden file."""
    frame = read(f"robust/{name}.csv")
    return frame[frame.columns[0]].unique().sort().to_list()


def fit_of(number: int) -> CoxFit:
    """The fit of the package that has a number in ``coxph.csv``."""
    data, model, ties, strata, cluster = (
        read("robust/coxph.csv")
        .filter(pl.col("fit") == number)
        .select("data", "model", "ties", "strata", "cluster")
        .row(0)
    )
    table = table_of(data, features_of(model, strata), cluster)
    return cox(table, model.split(" + "), strata=(strata,) if strata else (), ties=ties)


def of_cox(number: int) -> Iterator[Comparison]:
    """A fit of ``coxph.csv``: coefficients, errors, covariances and, where they are kept, influences."""
    wanted = read("robust/coxph.csv").filter(pl.col("fit") == number)
    fit = fit_of(number)
    yield Comparison("Cox: coefficients", "coxph", fit.coef, wanted["coef"].to_numpy())
    yield Comparison("Cox: model-based errors", "coxph", fit.se_model, wanted["se"].to_numpy())
    per_event = np.array([fit.loglik, wanted["loglik"][0]]) / fit.events
    yield Comparison("Cox: log-likelihood per event", "coxph", per_event[:1], per_event[1:])
    robust = "coxph(cluster = )"
    yield Comparison("Cox: robust errors", robust, fit.se, wanted["robust_se"].to_numpy())
    single = [contrast(fit, {term: 1}).se for term in fit.terms]
    yield Comparison("Cox: robust errors", robust, np.array(single), wanted["robust_se"].to_numpy())
    both = read("robust/coxph_covariance.csv").filter(pl.col("fit") == number)
    p = len(fit.terms)
    model, wide = (both[c].to_numpy().reshape(p, p) for c in ("covariance", "robust_covariance"))
    yield Comparison("Cox: model-based covariance", "coxph", fit.covariance, model)
    yield Comparison("Cox: robust covariance", robust, fit.influence.T @ fit.influence, wide)
    influences = read(f"robust/dfbeta_{wanted['data'][0]}.csv").filter(pl.col("fit") == number)
    if influences.height:
        yield Comparison(
            "Cox: influence of each cluster",
            'residuals(type = "dfbeta", collapse = )',
            fit.influence,
            influences["dfbeta"].to_numpy().reshape(-1, p),
        )


def of_cohort() -> Iterator[Comparison]:
    """Fits of 20,000 customers: Cox models and Poisson regressions."""
    for (ties, strata), wanted in read("cohort_coxph.csv").group_by("ties", "strata"):
        fit = cox(
            cohort_table(), ["bad", "contacts"], strata=(strata,) if strata else (), ties=ties
        )
        yield Comparison("Cox: coefficients", "coxph", fit.coef, wanted["coef"].to_numpy())
        yield Comparison(
            "Cox: robust errors", "coxph(cluster = )", fit.se, wanted["robust_se"].to_numpy()
        )
    rates = read("rate_ratios.csv").filter(pl.col("data") == "cohort")
    for (strata,), wanted in rates.group_by("strata"):
        regression = rate_ratios(
            cohort_table(),
            ["bad", "contacts"],
            breaks=(0, 30, 90, 180, 365, 730),
            strata=(strata,) if strata else (),
        )
        yield Comparison(
            "rate ratios: robust errors",
            "glm(family = poisson)",
            regression.se,
            wanted["robust_se"].to_numpy(),
        )


def part_of(data: str, strata: str | None, stratum: str | None, cluster: str) -> RiskTable:
    """The risk table of one stratum, or of all; all clusters keep their places."""
    if strata is None:
        return table_of(data, (), cluster)
    return table_of(data, (strata,), cluster).where(**{strata: [str(stratum)]})


def of_curves(name: str, number: int) -> Iterator[Comparison]:
    """A curve of ``incidence.csv`` or ``kaplan_meier.csv``: values, robust errors at all times, influences at three."""
    wanted = read(f"robust/{name}.csv", stratum=pl.String).filter(pl.col("curve") == number)
    data, strata, stratum, cluster = wanted.select("data", "strata", "stratum", "cluster").row(0)
    table = part_of(data, strata, stratum, cluster)
    members = rows_of(data)[cluster].unique().sort()
    influences = read(f"robust/{name}_influence.csv").filter(pl.col("curve") == number)
    times = wanted["time"].to_numpy().astype(np.int64)
    one, other = CAUSES[1:]
    if name == "incidence":
        what, function = "Aalen-Johansen", "survfit(id = , influence = TRUE)"
        parts = [("incidence", (one, other), 1.0), ("incidence_other", (other, one), 1.0)]
        errors = {c: f"{c}_robust_se" for c, _, _ in parts}
    else:
        what, function = "Kaplan-Meier", "survfit(cluster = )"
        parts, errors = [("survival", (one,), -1.0)], {"survival": "robust_se"}
    for column, causes, sign in parts:
        curve = aalen_johansen(table, causes)
        value = step(curve.times, curve.incidence[0], times)
        value = value if sign > 0 else 1 - value
        yield Comparison(f"{what}: curve", "survfit", value, wanted[column].to_numpy())
        moves = sign * curve_influence(table, causes, 0, times)
        error = np.sqrt((moves**2).sum(axis=0))
        robust = wanted[errors[column]].to_numpy()
        yield Comparison(f"{what}: robust errors", function, error, robust)
        for (time,), part in influences.group_by("time"):
            here = members.is_in(part["member"].implode()).to_numpy()
            yield Comparison(
                f"{what}: influence of each cluster",
                "survfit(influence = TRUE)",
                moves[here, np.searchsorted(times, time)],
                part.sort("member")[column].to_numpy(),
            )
            assert not moves[~here].any(), "who is in another stratum moves nothing"
        if name == "incidence":
            yield from _at_horizons(table, causes, times, value, robust)


def _at_horizons(
    table: RiskTable,
    causes: tuple[str, ...],
    times: NDArray[np.int64],
    value: NDArray[np.float64],
    robust: NDArray[np.float64],
) -> Iterator[Comparison]:
    """The number that a claim takes, on its scale log(-log(1 - p)); shares of few cases have other limits."""
    for i in range(0, len(times), max(1, len(times) // 5)):
        at = incidence_at(table, int(times[i]), causes[0], min_at_risk=1)
        if at.scale == "cloglog":
            error = at.se * -np.log1p(-value[i]) * (1 - value[i])
            yield Comparison(
                "incidence at a horizon: robust error",
                "survfit(id = , influence = TRUE)",
                np.array([error]),
                robust[i : i + 1],
            )


def of_grouped(number: int) -> Iterator[Comparison]:
    """A fit of ``grouped.csv``: robust errors take the observed information, model-based ones the expected."""
    wanted = read("robust/grouped.csv").filter(pl.col("fit") == number)
    data, model, strata, cluster = wanted.select("data", "model", "strata", "cluster").row(0)
    fit = grouped_hazards(
        table_of(data, features_of(model, strata), cluster),
        model.split(" + "),
        strata=(strata,) if strata else (),
        min_events=1,
    )
    both = read("robust/grouped_covariance.csv").filter(pl.col("fit") == number)
    p, function = len(fit.terms), 'glm(binomial("cloglog"))'
    expected, robust = (
        both[c].to_numpy().reshape(p, p)
        for c in ("covariance_expected", "robust_covariance_observed")
    )
    for name, ours, theirs in (
        ("coefficients", fit.coef, wanted["coef"].to_numpy()),
        ("model-based covariance", fit.covariance, expected),
        ("robust errors", fit.se, wanted["robust_se_observed"].to_numpy()),
        ("robust covariance", fit.influence.T @ fit.influence, robust),
    ):
        yield Comparison(f"grouped hazards: {name}", function, ours, theirs)
    influences = read("robust/grouped_influence.csv").filter(pl.col("fit") == number)
    if influences.height:
        yield Comparison(
            "grouped hazards: influence of each cluster",
            function,
            fit.influence,
            influences["influence_observed"].to_numpy().reshape(-1, p),
        )


def comparisons() -> Iterator[Comparison]:
    """All of them."""
    for number in numbers_of("coxph"):
        yield from of_cox(number)
    yield from of_cohort()
    for name in ("incidence", "kaplan_meier"):
        for number in numbers_of(name):
            yield from of_curves(name, number)
    for number in numbers_of("grouped"):
        yield from of_grouped(number)
