"""The first screen: the question, and a card per claim."""

from __future__ import annotations

from cxresearch.claims.results import Docket, Trial
from cxresearch.disclosure.counts import about
from cxresearch.records.audit import Audit
from cxresearch.records.records import Records
from cxresearch.records.warnings import DataWarning, publishable_warnings
from cxresearch.report.pages.claim_page import ruling, two_parts
from cxresearch.report.pages.interval_bar import interval_bar
from cxresearch.report.pages.overview import MANY, overview
from cxresearch.report.pages.text import (
    anchor,
    first_part,
    headline,
    period,
    placeholder,
    reference_text,
    spread,
    tally,
    text,
    verdict,
    why,
)

QUESTION = "Which sayings about customer experience hold in our own data?"


def first_screen(docket: Docket, title: str = "") -> str:
    """The question in one sentence and a card per claim; above many cards, a list of all claims.

    Args:
        docket: the claims, tried.
        title: the question; a general one if not given.

    Returns:
        HTML; all text in it is escaped.
    """
    cards = "".join(_card(t) for t in docket.values())
    many = len(docket) > MANY
    above = f'{overview(docket)}<h2 id="cards">The claims one by one</h2>' if many else ""
    return (
        f'<header class="cx-first"><p class="cx-study">{text(docket.study)}</p>'
        f"<h1>{text(title or QUESTION)}</h1>"
        f'<p class="cx-lead">{text(_tally(docket))} '
        f"Data from {text(period(docket.data_from, docket.data_until))}.</p>{placeholder('SINCE')}</header>"
        f"{warnings(docket.audit, docket.min_cell)}{above}"
        f'<div class="cx-cards">{cards}</div>'
    )


def opening(records: Records, title: str) -> str:
    """The first screen of a page without verdicts.

    Args:
        records: the study's data.
        title: what the page is about.

    Returns:
        HTML; all text in it is escaped.
    """
    first, last = (str(records.audit.fact(name)) for name in ("log from", "log until"))
    kept, min_cell = dict(records.audit.kept), records.study.info.min_cell
    has_contracts = records.study.retention.kind == "contract"
    customers = f" and {about(kept['retention'], min_cell)} customers" if has_contracts else ""
    return (
        f'<header class="cx-first"><p class="cx-study">{text(records.study.name)}</p><h1>{text(title)}</h1>'
        f'<p class="cx-lead">{about(kept["interactions"], min_cell).capitalize()} contacts{customers}. '
        f"Data from {text(period(first, last))}.</p></header>"
        f"{warnings(records.audit, min_cell)}"
    )


def warnings(audit: Audit, min_cell: int) -> str:
    """What makes the numbers of a page doubtful, without small counts and texts of the data; empty where nothing does.

    Args:
        audit: of the study.
        min_cell: the smallest count that may be shown.
    """
    shown = publishable_warnings(audit.warnings, min_cell)
    if not shown:
        return ""
    lines = "".join(f"<li>{text(_sentence(w))}</li>" for w in shown)
    return (
        '<section class="cx-caution cx-doubts" aria-labelledby="doubts">'
        f'<h2 id="doubts">What makes these numbers doubtful</h2><ul>{lines}</ul></section>'
    )


def _sentence(warning: DataWarning) -> str:
    said = warning.sentence
    return f"{said[0].upper()}{said[1:]}."


def one_claim(docket: Docket, trial: Trial) -> str:
    """The first screen of a page about one claim.

    Args:
        docket: the docket it was tried in.
        trial: the claim, tried.

    Returns:
        HTML; all text in it is escaped.
    """
    e = trial.primary
    number = ""
    if e.estimate is not None:
        number = (
            f'<p class="cx-number"><span class="cx-value">{text(headline(e.estimate.value, e.unit))}</span> '
            f'<span class="cx-interval">{text(spread(trial))}: {text(e.label)}</span></p>{interval_bar(trial)}'
        )
    return (
        f'<header class="cx-first">{placeholder("BACK", trial.claim.id)}<p class="cx-study">{text(docket.study)}</p>'
        f'<h1 id="{anchor("claim", trial.claim.id)}">{text(trial.claim.statement)}</h1>'
        f'<p class="cx-lead">Data from {text(period(docket.data_from, docket.data_until))}.</p>'
        f"{number}{ruling(trial)}{two_parts(trial)}{placeholder('SINCE')}</header>"
        f"{warnings(docket.audit, docket.min_cell)}"
    )


def _tally(docket: Docket) -> str:
    result = [t.verdict for t in docket.values()]
    claims = "1 claim was" if len(result) == 1 else f"{len(result)} claims were"
    return f"{claims} put on trial: {tally(result)}. {docket.family.note}"


def _card(trial: Trial) -> str:
    adjusted = ""
    if trial.verdict_alone != trial.verdict:
        adjusted = f' <span class="cx-family">by itself: {text(trial.verdict_alone)}</span>'
    kind, place = trial.verdict.replace(" ", "-"), f"#{anchor('claim', trial.claim.id)}"
    more = "Why it could not be tried" if trial.verdict == "not testable" else "The evidence"
    claim = trial.claim.id
    return (
        f'<article class="cx-card cx-card-{kind}" id="{anchor("card", claim)}"><p class="cx-says">The claim</p>'
        f'<h2 class="cx-statement"><a href="{place}">{text(trial.claim.statement)}</a></h2>'
        f"<p>{verdict(trial.verdict)}{adjusted}</p>{_finding(trial)}{two_parts(trial)}{_facts(trial)}"
        f'<p class="cx-more"><a href="{place}">{more}'
        f'<span class="cx-hidden"> on: {text(trial.claim.statement)}</span></a></p>'
        f"{placeholder('DEPTH', claim)}</article>"
    )


def _finding(trial: Trial) -> str:
    e = trial.primary
    if e.estimate is None:
        return f'<p class="cx-sentence">{text(str(trial.sentence))}</p>'
    reason = why(e)
    because = (
        f'<p class="cx-why"><strong>Why {text(trial.verdict)}:</strong> {text(reason)}.</p>'
        if reason
        else ""
    )
    return (
        f'<p class="cx-number"><span class="cx-value">{text(headline(e.estimate.value, e.unit))}</span> '
        f'<span class="cx-interval">{text(spread(trial))}</span></p>{interval_bar(trial)}'
        f'<p class="cx-sentence">{text(first_part(str(trial.sentence), e))}</p>{because}'
    )


def _facts(trial: Trial) -> str:
    rows = []
    if trial.base_rate:
        rows.append(("Happens anyway", reference_text(trial.base_rate), trial.base_rate.label))
    if trial.naive:
        rows.append(("Counted naively", reference_text(trial.naive), trial.naive.label))
    items = "".join(
        f"<div><dt>{k}</dt><dd><strong>{text(v)}</strong>: {text(label)}</dd></div>"
        for k, v, label in rows
    )
    return f'<dl class="cx-facts">{items}</dl>' if rows else ""
