"""All claims in one list, by verdict: what many cards look like from further away."""

from __future__ import annotations

from cxresearch.claims.results import Docket, Trial
from cxresearch.report.pages.findings import by_verdict, theme
from cxresearch.report.pages.text import (
    anchor,
    headline,
    text,
    verdict,
)

MANY = 8  # from more cards than that on, a list stands above them


def overview(docket: Docket) -> str:
    """Each claim on a line with its number, below its verdict; a line leads to the claim's card.

    Intervals stand on the cards. Many claims that are open are folded away: what was found comes first.

    Args:
        docket: the claims, tried.

    Returns:
        HTML; all text in it is escaped.
    """
    groups = "".join(_group(docket, v, of) for v, of in by_verdict(docket))
    return (
        '<section class="cx-overview" aria-labelledby="overview"><h2 id="overview">All claims at a glance</h2>'
        f'<div class="cx-groups">{groups}</div></section>'
    )


def _is_hint(trial: Trial) -> bool:
    return trial.primary.verdict_alone != trial.primary.verdict


def _group(docket: Docket, which: str, result: tuple[Trial, ...]) -> str:
    kind = which.replace(" ", "-")
    lines = f"<ul>{''.join(map(_line, result))}</ul>"
    if any(map(_is_hint, result)):
        lines += '<p class="cx-under">† Alone it would have a verdict.</p>'
    if which in ("undecided", "not testable") and len(result) > MANY:
        lines = f"<details><summary>Which ones</summary>{lines}</details>"
    return (
        f'<div class="cx-group"><h3 id="verdict-group-{kind}">{verdict(which)} '
        f'<span class="cx-count">{len(result)}<span class="cx-hidden"> of {len(docket)} claims</span></span></h3>'
        f"{lines}</div>"
    )


def _line(trial: Trial) -> str:
    e = trial.primary
    dagger = '<span aria-hidden="true">†</span><span class="cx-hidden"> (see the note below)</span>'
    number = (
        ""
        if e.verdict == "not testable"
        else '<span class="cx-found"><span>not shown</span></span>'
    )
    if e.estimate is not None:
        shown = text(headline(e.estimate.value, e.unit))
        number = f'<span class="cx-found"><strong>{shown}</strong></span>'
    return (
        f'<li class="cx-theme-{theme(trial.claim.id)}"><span><a href="#{anchor("card", trial.claim.id)}">'
        f"{text(trial.claim.statement)}</a>{dagger if _is_hint(trial) else ''}</span>{number}</li>"
    )
