"""Verdicts as a compact table for a terminal, and as tables for a spreadsheet."""

from __future__ import annotations

import textwrap
from collections import Counter

import polars as pl

from cxresearch.claims.evaluate_by import SegmentDockets
from cxresearch.claims.evaluate_change import ChangeDockets
from cxresearch.claims.results import SYMBOLS, Docket, Trial, estimate_text
from cxresearch.records.audit import warning_lines

_LEAST, _MOST = 24, 100  # letters for the last column, however narrow or wide the terminal


def verdict_table(docket: Docket, width: int | None = None) -> str:
    """One line per claim: verdict, number with its interval, base rate, and why. Testable claims come first.

    Args:
        docket: the verdicts.
        width: letters of a line, to which the last column is cut; a hundred letters of that column when not given.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> docket = cx.evaluate(study, ["bad-moments-drive-away"], alone=True, verdicts_only=True)
        >>> print(verdict_table(docket).splitlines()[1])
        1 claim: 1 undecided
    """
    ordered = sorted(docket.trials, key=lambda t: t.verdict == "not testable")
    rows = [("", "claim", "verdict", "number", "base rate", "why")]
    rows += [_row(t) for t in ordered]
    wide = [max(len(row[i]) for row in rows) for i in range(5)]
    room = _MOST if width is None else max(_LEAST, width - sum(wide) - 2 * len(wide))
    lines = [
        f"{docket.study}: data from {docket.data_from} to {docket.data_until}",
        count_verdicts(docket),
        "",
        *warning_lines(docket.audit.warnings),
    ]
    for *cells, why in rows:
        cut = textwrap.shorten(why, room, placeholder=" …")
        line = "  ".join(f"{c:<{w}}" for c, w in zip(cells, wide, strict=True))
        lines.append(f"{line}  {cut}".rstrip())
    return "\n".join([*lines, "", docket.note])


def count_verdicts(docket: Docket) -> str:
    """How many claims there are of each verdict, in words."""
    counted = Counter(str(t.verdict) for t in docket.trials)
    parts = [f"{counted[v]} {v}" for v in SYMBOLS if v in counted]
    n = len(docket.trials)
    return f"{n} claim{'s' * (n != 1)}: {', '.join(parts)}"


def spreadsheet_tables(
    result: Docket | SegmentDockets | ChangeDockets,
) -> dict[str, pl.DataFrame]:
    """The verdicts, one row per claim (and segment), and all readings behind them.

    Args:
        result: the verdicts; of segments, the first column of both tables names the segment, and of a change, that of
            the readings the period.
    """
    if isinstance(result, Docket):
        readings = [t.to_polars() for t in result.trials]
    else:
        name = "period" if isinstance(result, ChangeDockets) else result.by
        parts = (
            {"before": result.before, "after": result.after}
            if isinstance(result, ChangeDockets)
            else result
        )
        readings = [
            trial.to_polars().insert_column(0, pl.lit(part).alias(name))
            for part, docket in parts.items()
            for trial in docket.trials
        ]
    return {
        "verdicts": result.to_polars(),
        "readings": pl.concat(readings, how="vertical_relaxed") if readings else pl.DataFrame(),
    }


def _row(trial: Trial) -> tuple[str, str, str, str, str, str]:
    base = trial.base_rate
    return (
        SYMBOLS[trial.verdict],
        trial.claim.id,
        trial.verdict,
        estimate_text(trial.primary),
        base.unit.text(base.value) if base is not None else "–",
        explain_verdict(trial),
    )


def explain_verdict(trial: Trial) -> str:
    """Why the verdict is what it is, in a few words."""
    e = trial.primary
    if trial.verdict == "not testable":
        return f"lacks {e.lacks}"
    parts = []
    is_open = [r.title for r in trial.rivals_with("keeps it open")]
    survived = [r.title for r in trial.rivals_with("survived")]
    if trial.verdict == "undecided":
        parts.append(f"open: {', '.join(is_open)}" if is_open else e.reason)
    elif trial.verdict == "supported":
        parts += [f"survived: {', '.join(survived)}"] if survived else []
    else:
        parts.append(e.reason or f"the claim needs {e.region}")
    return "; ".join(part for part in parts if part)
