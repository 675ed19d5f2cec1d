"""All claims in one list, by verdict: what many cards look like from further away."""

from __future__ import annotations

from cxresearch.claims.decide import Verdict
from cxresearch.claims.results import Docket, Trial
from cxresearch.report.pages.text import VERDICTS, anchor, headline, spread, text, verdict

MANY = 8  # from more cards than that on, a list stands above them


def overview(docket: Docket) -> str:
    """Each claim on a line with its number, below its verdict; a line leads to the claim's card.

    Args:
        docket: the claims, tried.

    Returns:
        HTML; all text in it is escaped.
    """
    groups = "".join(_group(docket, v) for v in VERDICTS)
    note = ""
    if any(_is_open_together(t) for t in docket.values()):
        together = f"not with {docket.family.members} judged together"
        note = f'<p class="cx-under">† By itself it would be decided; {together}.</p>'
    return (
        '<section class="cx-overview" aria-labelledby="overview"><h2 id="overview">All claims at a glance</h2>'
        f'<div class="cx-groups">{groups}</div>{note}</section>'
    )


def _is_open_together(trial: Trial) -> bool:
    return trial.verdict_alone != trial.verdict


def _group(docket: Docket, which: Verdict) -> str:
    result = [t for t in docket.values() if t.verdict == which]
    if not result:
        return ""
    kind = which.replace(" ", "-")
    return (
        f'<div class="cx-group"><h3 id="verdict-{kind}">{verdict(which)} '
        f'<span class="cx-count">{len(result)}<span class="cx-hidden"> of {len(docket)} claims</span></span></h3>'
        f"<ul>{''.join(map(_line, result))}</ul></div>"
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
        number = (
            f'<span class="cx-found"><strong>{text(headline(e.estimate.value, e.unit))}</strong> '
            f"<span>{text(spread(trial))}</span></span>"
        )
    return (
        f'<li><span><a href="#{anchor("card", trial.claim.id)}">{text(trial.claim.statement)}</a>'
        f"{dagger if _is_open_together(trial) else ''}</span>{number}</li>"
    )
