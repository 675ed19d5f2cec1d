"""How long customers are silent between contacts, and how many of the silent come back: what a gap is chosen by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cxresearch.engines import engine, framed, read_errors

TIDY_DAYS = (1, 2, 3, 5, 7, 14, 30, 60, 90, 120, 180, 270, 365, 540, 730)
FEW_RETURN = 0.05  # of those who have been silent for so long, within as long again


@dataclass(frozen=True, slots=True)
class Silences:
    """How often a silence ends.

    Attributes:
        days: shape (G,): lengths of silence.
        returned: shape (G,): of those who have been silent so long, the share that comes back within as long again, by
            Kaplan-Meier; customers who are silent at the log's end are censored.
        span: days from the first to the last contact.
        gap_days: the shortest length from which on fewer than one in twenty come back, at most a third of the span.
        is_short: whether more than that come back even after it.
    """

    days: tuple[int, ...]
    returned: tuple[float, ...]
    span: int
    gap_days: int
    is_short: bool

    def describe(self) -> str:
        """The shares on one line."""
        return ", ".join(
            f"{d} days: {r:.0%}" for d, r in zip(self.days, self.returned, strict=True)
        )


def measure_silences(
    table: pl.LazyFrame, customer: str, at: str, at_format: str | None
) -> Silences | None:
    """The silences of a log; None if its times cannot be read, or no customer comes twice.

    Args:
        table: the log.
        customer: column of customers.
        at: column of times.
        at_format: how they are written.
    """
    eng = engine("polars")
    try:
        timed = eng.instant(framed(table.select(customer, at)), at, fmt=at_format, zone="UTC")
        days = (
            timed.to_native()
            .lazy()
            .select(pl.col(customer).alias("who"), pl.col("cx_day").alias("day"))
            .drop_nulls()
            .unique()
            .sort("who", "day")
            .collect()
        )
    except read_errors():
        return None
    if days.is_empty():
        return None
    gaps = days.select(
        gap=pl.col("day").shift(-1).over("who") - pl.col("day"),
        last=pl.lit(days["day"].max()) - pl.col("day"),
    )
    span = int(days["day"].max() - days["day"].min())
    ended = gaps["gap"].drop_nulls().to_numpy()
    open_ = gaps.filter(pl.col("gap").is_null())["last"].to_numpy()
    if not len(ended) or span < 3:
        return None
    return _silences(ended, open_, span)


def _silences(ended: npt.NDArray[np.int64], unended: npt.NDArray[np.int64], span: int) -> Silences:
    """Kaplan-Meier of the lengths of silence; those that last at the log's end are censored."""
    counts = np.bincount(ended, minlength=span + 1)[: span + 1]
    censored = np.bincount(unended, minlength=span + 1)[: span + 1]
    at_risk = np.cumsum((counts + censored)[::-1])[::-1]
    silent = np.cumprod(1 - counts / np.maximum(at_risk, 1))
    days = [d for d in TIDY_DAYS if 2 * d <= span] or [1]
    returned = [float(1 - silent[2 * d] / silent[d]) if silent[d] > 0 else 0.0 for d in days]
    usable = [d for d in days if d <= span / 3] or days[:1]
    still = [i for i, r in enumerate(returned) if r >= FEW_RETURN]
    enough = [d for d in days[still[-1] + 1 if still else 0 :] if d in usable]
    return Silences(
        tuple(days), tuple(returned), span, enough[0] if enough else usable[-1], not enough
    )
