"""The first screen: the question, and a card per claim."""

from __future__ import annotations

from cxresearch.claims.results import Docket, Trial
from cxresearch.disclosure.counts import about
from cxresearch.records.audit import Audit
from cxresearch.records.records import Records
from cxresearch.records.warnings import DataWarning, publishable_warnings
from cxresearch.report.pages.claim_page import ruling, two_parts
from cxresearch.report.pages.findings import (
    THEMES,
    by_verdict,
    number_words,
    pair_of,
    so_what,
    theme,
    together,
)
from cxresearch.report.pages.interval_bar import interval_bar
from cxresearch.report.pages.overview import MANY, overview
from cxresearch.report.pages.text import (
    VERDICTS,
    anchor,
    choices,
    headline,
    period,
    placeholder,
    spread,
    tally,
    text,
    verdict,
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
    cards = "".join(_card(t, docket.min_cell) for _, of in by_verdict(docket) for t in of)
    above = (
        f'{overview(docket)}<h2 id="cards">The claims one by one</h2>{_filter(docket)}'
        if len(docket) > MANY
        else '<h2 class="cx-hidden" id="cards">The claims one by one</h2>'
    )
    return (
        f'<header class="cx-first"><p class="cx-study">{text(docket.study)}</p>'
        f"<h1>{text(title or QUESTION)}</h1>"
        f'<p class="cx-lead">{text(_tally(docket))} '
        f"Data from {text(period(docket.data_from, docket.data_until))}.</p>{placeholder('SINCE')}</header>"
        f"{warnings(docket.audit, docket.min_cell)}{above}{_key(docket)}"
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
    return (
        f'<header class="cx-first">{placeholder("BACK", trial.claim.id)}<p class="cx-study">{text(docket.study)}</p>'
        f'<h1 id="{anchor("claim", trial.claim.id)}">{text(trial.claim.statement)}</h1>'
        f'<p class="cx-lead">Data from {text(period(docket.data_from, docket.data_until))}.</p>'
        f"{_number(trial, docket.min_cell)}{_so_what(trial)}{ruling(trial)}{two_parts(trial)}"
        f"{placeholder('SINCE')}</header>"
        f"{warnings(docket.audit, docket.min_cell)}"
    )


def _key(docket: Docket) -> str:
    """How to read the scales of the cards."""
    level = docket.level if docket.look is None else 1 - docket.look.alpha
    return (
        '<p class="cx-key">On each scale, the dot is the number, and the line is where it likely lies '
        f"({100 * level:.4g}%): hollow and dashed while undecided; shaded is what the claim says, darker where it "
        "matters.</p>"
    )


def _tally(docket: Docket) -> str:
    result = [t.primary.verdict for t in docket.values()]
    claims = "1 claim" if len(result) == 1 else f"{len(result)} claims"
    together = " together" if len(result) > 1 else ""
    return f"{claims} judged{together}: {tally(result)}."


def _filter(docket: Docket) -> str:
    """Which cards are shown, by verdict and by theme: choices that work without a script."""
    verdicts = [v for v, _ in by_verdict(docket)]
    present = {theme(t.claim.id) for t in docket.values()}
    themes = [(key, name) for key, name in THEMES.items() if key in present]
    shown = [(v.replace(" ", "-"), v.capitalize()) for v in VERDICTS if v in verdicts]
    return (
        '<div class="cx-filter">'
        f"{choices('verdict', 'Verdict', shown)}{choices('theme', 'Theme', themes)}"
        f"{placeholder('SEGMENTS')}</div>"
    )


def _card(trial: Trial, min_cell: int) -> str:
    e = trial.primary
    alone = ""
    if e.verdict_alone != e.verdict:
        alone = f' <span class="cx-family">by itself: {text(e.verdict_alone)}</span>'
    result = e.verdict
    kind, claim = result.replace(" ", "-"), trial.claim.id
    more = "Why not" if result == "not testable" else "Evidence"
    cause = together(trial)
    return (
        f'<article class="cx-card cx-card-{kind} cx-theme-{theme(claim)}" id="{anchor("card", claim)}">'
        f'<h3 class="cx-statement">{text(trial.claim.statement)}</h3>'
        f'<p class="cx-badges">{verdict(result)}{alone}'
        f"{f'<span class=cx-cause>{text(cause)}</span>' if cause else ''}</p>"
        f"{_number(trial, min_cell)}{_so_what(trial)}"
        f'<p class="cx-more"><a href="#{anchor("claim", claim)}">{more}'
        f'<span class="cx-hidden"> on: {text(trial.claim.statement)}</span></a></p>'
        f"{placeholder('DEPTH', claim)}</article>"
    )


def _number(trial: Trial, min_cell: int) -> str:
    """The number with what it is to be compared with, in one unit, on a scale; or why there is none."""
    e = trial.primary
    if e.estimate is None:
        return f'<p class="cx-sentence">{text(str(trial.sentence))}</p>'
    return (
        f'<p class="cx-number"><span class="cx-value">{text(headline(e.estimate.value, e.unit))}</span> '
        f'<span class="cx-interval">likely {text(spread(trial))}</span></p>'
        f'<p class="cx-measured">{text(number_words(trial))}</p>{interval_bar(trial)}{_pair(trial, min_cell)}'
    )


def _pair(trial: Trial, min_cell: int) -> str:
    pair = pair_of(trial, min_cell)
    if pair is None:
        return ""
    return (
        f'<p class="cx-pair">After {text(pair.moment)} <strong>{pair.exposed} of 100</strong> left within '
        f"{pair.days} days; of comparable customers <strong>{pair.comparators} of 100</strong>.</p>"
    )


def _so_what(trial: Trial) -> str:
    return f'<p class="cx-so-what">{text(so_what(trial))}</p>'
