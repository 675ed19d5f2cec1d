"""Whether an effect is the same whatever the age of the moment, and in every band of the clock, with a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from cxresearch.errors import EstimationError
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.discrete import fit_hazards
from cxresearch.estimators.distributions import chi2_above
from cxresearch.estimators.influence import robust_error
from cxresearch.estimators.results import CoxFit, Estimate
from cxresearch.estimators.risk_sets import Array
from cxresearch.risk.table import RiskTable
from cxresearch.utils.checks import arguments, edges, fraction, instance, names, text, weights
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Drawable, Result

SELECTION = (
    "Where customers differ in a way that is not in the data, any effect seems to fade: those whom it drives away "
    "soonest are gone. A constant effect can give a ratio of 1.3 between recent and older moments."
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EffectOverTime(Result, Drawable):
    """A hazard ratio in several bands, and whether it is the same in all.

    Attributes:
        by: what the bands are of: ``age of the moment``, or the clock.
        bands: shape (K,): such as ``0-30``.
        ratios: shape (K,): the hazard ratio in each.
        chisq: Wald test that all are equal, with robust errors.
        df: degrees of freedom, K - 1.
        p: p-value.
        cause: the event.
    """

    by: str
    bands: tuple[str, ...]
    ratios: tuple[Estimate, ...]
    chisq: float
    df: int
    p: float
    cause: str

    @property
    def sentence(self) -> str:
        """The result of the test in words."""
        said = "differs between the bands" if self.p < 0.05 else "may be the same in all bands"
        return f"The hazard ratio {said} (Wald's test: {self.chisq:.1f} on {self.df}, p = {self.p:.2g})."

    def to_polars(self) -> pl.DataFrame:
        """One row per band: its name, the hazard ratio, limits, the error of its logarithm."""
        return pl.DataFrame(
            {
                "by": [self.by] * len(self.bands),
                "band": list(self.bands),
                "hazard_ratio": [e.value for e in self.ratios],
                "low": [e.low for e in self.ratios],
                "high": [e.high for e in self.ratios],
                "se": [e.se for e in self.ratios],
            }
        )

    def __repr__(self) -> str:
        numbers = ", ".join(
            f"{b} {e.value:.2f}" for b, e in zip(self.bands, self.ratios, strict=True)
        )
        return f"EffectOverTime(by {self.by}: {numbers}; p = {self.p:.2g})"

    def _repr_html_(self) -> str:
        rows = (
            (b, f"{e.value:.2f}", f"{e.low:.2f}", f"{e.high:.2f}")
            for b, e in zip(self.bands, self.ratios, strict=True)
        )
        heads = (self.by, "hazard ratio", "from", "to")
        return html_table(f"Hazard ratios of {self.cause}", heads, rows, (self.sentence, SELECTION))


def effect_by_age(
    table: RiskTable,
    age: str,
    *,
    terms: Sequence[str] = (),
    held: Sequence[str] = (),
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
) -> EffectOverTime:
    """The hazard ratio by how long ago the last such moment was, and a test of whether age matters.

    Args:
        table: with a history of ages, such as ``cx.histories.age_of_last("bad", (30, 90, 365))``.
        age: its name; its first level, no such moment, is what the others are compared with.
        terms: what else is in the model, as `cxresearch.cox`.
        held: as `cxresearch.cox`.
        strata: features with a baseline hazard each.
        cause: the event.
        level: confidence level of the limits.

    Raises:
        EstimationError: fewer than two ages, and as `cxresearch.cox`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(recent_ratio=2.5), 2000, seed=1).study()
        >>> ages = cx.histories.age_of_last("bad", (30, 90))
        >>> table = cx.risk_table(study, age=ages, observed_from_start=True)
        >>> effect = cx.estimators.effect_by_age(table, "age")
        >>> effect.bands, effect.p < 0.001
        (('0-30', '31-90', '91+'), True)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    age, terms = text("age", age), names("terms", terms)
    arguments(cause=cause)
    fit = fit_hazards(
        table,
        (age, *(t for t in terms if t != age)),
        held=held,
        strata=strata,
        cause=cause,
        level=fraction("level", level),
    )
    columns = [t for t in fit.terms if t.startswith(f"{age}[") and ":" not in t]
    if len(columns) < 2:
        raise EstimationError(f"{age} has fewer than two ages in which somebody is at risk")
    picked = np.array([fit.terms.index(t) for t in columns])
    ratios = tuple(contrast(fit, {t: 1.0}) for t in columns)
    bands = tuple(t.partition("[")[2].removesuffix("]") for t in columns)
    return _tested("age of the moment", bands, ratios, fit.influence[:, picked], cause)


def effect_by_clock(
    table: RiskTable,
    ratio: Mapping[str, float],
    bands: Sequence[int],
    *,
    terms: Sequence[str],
    held: Sequence[str] = (),
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
) -> EffectOverTime:
    """A hazard ratio in bands of the clock, each with a model of its own, and a test of whether they differ.

    A customer in several bands counts in the errors of all of them together.

    Args:
        table: the risk table.
        ratio: weights by coefficient, as `cxresearch.contrast`: ``{"bad[1+]": 1}``.
        bands: last times of the bands but the last, rising: ``(180, 365)`` for up to 180, to 365, and later.
        terms: of the models, as `cxresearch.cox`.
        held: as `cxresearch.cox`.
        strata: features with a baseline hazard each.
        cause: the event.
        level: confidence level of the limits.

    Raises:
        ArgumentError: bands that do not rise.
        EstimationError, NotTestable: as `cxresearch.cox` and `cxresearch.contrast`, of any band.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 2, 2, 2)), 2000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> effect = cx.estimators.effect_by_clock(table, {"bad[1+]": 1}, (180, 365), terms=["bad"])
        >>> effect.bands, effect.p > 0.05
        (('1-180', '181-365', '366+'), True)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(terms=terms, held=held, strata=strata, cause=cause, level=level)
    asked, last = weights("ratio", ratio), edges("bands", bands)
    starts, labels, ratios, influence = (0, *last), [], [], []
    for first, stop in zip(starts, (*last, None), strict=True):
        part = table.after(first) if first else table
        if stop is not None:
            part = replace(part, flows=part.flows.filter(pl.col("time") <= stop))
        fit = fit_hazards(
            part,
            names("terms", terms),
            held=held,
            strata=strata,
            cause=cause,
            level=fraction("level", level),
        )
        ratios.append(contrast(fit, asked))
        influence.append(fit.influence @ _vector(fit, asked))
        labels.append(f"{first + 1}+" if stop is None else f"{first + 1}-{stop}")
    clock = "contact" if table.clock == "contact" else f"{table.clock} in days"
    return _tested(clock, tuple(labels), tuple(ratios), np.column_stack(influence), cause)


def _vector(fit: CoxFit, asked: Mapping[str, float]) -> Array:
    return np.array([asked.get(t, 0.0) for t in fit.terms])


def _tested(
    by: str,
    bands: tuple[str, ...],
    ratios: tuple[Estimate, ...],
    influence: Array,
    cause: str,
) -> EffectOverTime:
    """Wald's test of equality; `influence` has shape (G, K)."""
    beta = np.log([e.value for e in ratios])
    apart = np.diff(beta)
    steps = np.diff(influence, axis=1)
    covariance = steps.T @ steps
    if not robust_error(steps).all():
        raise EstimationError("a band has no error of its own: nobody leaves in it")
    chisq = float(apart @ np.linalg.solve(covariance, apart))
    df = len(apart)
    return EffectOverTime(
        by=by,
        bands=bands,
        ratios=ratios,
        chisq=chisq,
        df=df,
        p=float(chi2_above(chisq, df)),
        cause=cause,
    )
