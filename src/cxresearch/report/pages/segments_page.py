"""The verdicts in each segment: a row per claim, and a choice of the segment that works without a script."""

from __future__ import annotations

from collections.abc import Sequence

from cxresearch.claims.evaluate_by import SegmentDockets
from cxresearch.claims.results import Trial
from cxresearch.report.pages.publishable import publishable
from cxresearch.report.pages.text import anchor, choices, headline, spread, table, text, verdict

MOST = 8  # segments that the style sheet can choose among


def segments_section(result: SegmentDockets) -> str:
    """What was found of each claim in each segment; claims on which segments differ come first.

    Args:
        result: from `cxresearch.evaluate_by`.

    Returns:
        HTML; all text in it is escaped.
    """
    dockets = [publishable(d) for d in result.values()]
    by_claim = [tuple(d[claim] for d in dockets) for claim in dockets[0]]
    rows = "".join(_row(result.levels, trials) for trials in sorted(by_claim, key=_rank))
    shown = [(str(i), level) for i, level in enumerate(result.levels)]
    chosen = choices("segment", "Show", shown) if len(shown) <= MOST else ""
    lead = (
        "Each claim is tried on the customers of each segment by themselves. Segments have fewer customers than the "
        "whole, so more stays undecided. That a claim holds in one segment and is undecided in another does not say "
        "that the two differ: compare the intervals."
    )
    caption = f"Each claim, in each {result.by}: the verdict and the number with its interval"
    return (
        f'<p>{text(lead)}</p><div class="cx-filter">{chosen}</div>'
        f"{table(caption, ('Claim', *result.levels), rows, kind='cx-readings cx-segments')}"
        f'<p class="cx-under">{text(result.note)}</p>'
    )


def _rank(trials: Sequence[Trial]) -> tuple[bool, int]:
    """Those come first that are decided somewhere, of these those whose verdicts differ."""
    verdicts = {t.primary.verdict for t in trials}
    return not verdicts & {"supported", "contradicted"}, -len(verdicts)


def _row(levels: Sequence[str], trials: Sequence[Trial]) -> str:
    claim = trials[0].claim
    cells = "".join(
        f'<td data-label="{text(level)}"><div>{verdict(t.primary.verdict)}{_number(t)}</div></td>'
        for level, t in zip(levels, trials, strict=True)
    )
    return f'<tr id="{anchor("row", claim.id)}"><th scope="row">{text(claim.statement)}</th>{cells}</tr>'


def _number(trial: Trial) -> str:
    e = trial.primary
    if e.estimate is None:
        return ""
    return (
        f"<br><strong>{text(headline(e.estimate.value, e.unit))}</strong> ({text(spread(trial))})"
    )
