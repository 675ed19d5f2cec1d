"""The pages of a report together: the index, and the links from each page to the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import (
    MIN_CELL,
    rests_on_enough,
    round_count,
    round_estimate,
)
from cxresearch.report.pages import changes, verdict_history
from cxresearch.report.pages.content_security import standalone
from cxresearch.report.pages.publishable import what_is_missing
from cxresearch.report.pages.summary_page import Summary, summary_section
from cxresearch.report.pages.text import (
    anchor,
    headline,
    period,
    table,
    tally,
    text,
    time_text,
    verdict,
)
from cxresearch.report.runs.ledger import RunRecord

INDEX, SEGMENTS = "index.html", "segments.html"
_HEADS = ("Claim", "Verdict", "In these data", "Over the runs")


@dataclass(frozen=True, slots=True)
class Entry:
    """A page, for the index.

    Attributes:
        file: its file name.
        title: the notebook's title.
        summary: the verdicts it shows, as `show.summary` sends them; None if it shows none.
        made: when it was made, UTC, ISO 8601; empty if not known.
        stale: why it could not be made again since; empty if it is up to date.
    """

    file: str
    title: str
    summary: dict[str, Any] | None
    made: str = ""
    stale: str = ""

    @property
    def about(self) -> str:
        """The claim that the page alone is about; empty for other pages."""
        return str((self.summary or {}).get("about", ""))


def depth_of(entries: Sequence[Entry]) -> dict[str, str]:
    """Id of a claim to the file of the page that is about it alone."""
    return {e.about: e.file for e in entries if e.about}


def elsewhere(entries: Sequence[Entry], here: str) -> str:
    """Links from a page to the index and to the pages that are about more than one claim; nothing if it lies alone.

    Args:
        entries: all pages of the report.
        here: the file of the page the links stand on.
    """
    if not entries:
        return ""
    links = [f'<li><a href="{INDEX}">All reports</a></li>']
    for e in entries:
        if e.file == here and not e.about:
            links.append(f'<li><span aria-current="page">{text(e.title)}</span></li>')
        elif not e.about:
            links.append(f'<li><a href="{text(e.file)}">{text(e.title)}</a></li>')
    return f'<nav class="cx-pages" aria-label="Pages"><p>Pages</p><ul>{"".join(links)}</ul></nav>'


def back(entries: Sequence[Entry], claim: str) -> str:
    """Links from the page about a claim to where it stands among the others; nothing if it lies alone."""
    if not entries:
        return ""
    links = [f'<a href="{INDEX}">All reports</a>']
    links += [
        f'<a href="{text(e.file)}#{anchor("card", claim)}">{text(e.title)}</a>'
        for e in entries
        if not e.about and e.summary and claim in e.summary["claims"]
    ]
    return f'<p class="cx-back">{" · ".join(links)}</p>'


_LINKS = re.compile(r"<!--(PAGES|DEPTH|BACK|SEGMENTS) ?(.*?)-->(.*?)<!--/\1-->", re.DOTALL)


def linked(kind: str, argument: str, links: str) -> str:
    """Links with marks around them, so that `relinked` finds them when pages have come or gone."""
    return f"<!--{kind} {text(argument)}-->{links}<!--/{kind}-->"


def relinked(page: str, entries: Sequence[Entry], here: str) -> str:
    """A page that was published, with links to the pages that there are now.

    Args:
        page: HTML in one piece.
        entries: all pages of the report.
        here: the file of the page.
    """
    depth = depth_of(entries)

    def again(found: re.Match[str]) -> str:
        kind, argument = found[1], unescape(found[2])
        links = {
            "PAGES": lambda: elsewhere(entries, here),
            "DEPTH": lambda: deeper(argument, depth),
            "BACK": lambda: back(entries, argument),
            "SEGMENTS": lambda: by_segment(entries),
        }[kind]()
        return linked(kind, argument, links)

    return _LINKS.sub(again, page)


def deeper(claim: str, depth: Mapping[str, str]) -> str:
    """The link to the page about a claim alone; nothing if there is none."""
    if claim not in depth:
        return ""
    hidden = f'<span class="cx-hidden"> on: {text(claim)}</span>'
    return f'<p class="cx-more"><a href="{text(depth[claim])}">In depth{hidden}</a></p>'


def by_segment(entries: Sequence[Entry]) -> str:
    """The link to the page that shows each segment by itself; nothing if there is none."""
    if all(e.file != SEGMENTS for e in entries):
        return ""
    return f'<p class="cx-by"><a href="{SEGMENTS}">By segment</a></p>'


def index(entries: Sequence[Entry], history: Sequence[RunRecord] = ()) -> str:
    """The index page: what has changed, the pages, and each claim's verdict now and over the runs.

    Args:
        entries: the pages.
        history: all records of the study, oldest run first, the present run's last.

    Returns:
        HTML in one piece: offline, without a script.

    Raises:
        ReportError: the page would load something from elsewhere.
    """
    study = next((e.summary["docket"]["study"] for e in entries if e.summary), "")
    title = f"Reports: {study}" if study else "Reports"
    shown = _shown(entries)
    statements = {s.claim: s.statement for s in shown}
    compared = changes.changes_since(history, statements)
    summary = summary_of(entries, history)
    changed = changes.changes_block(compared, statements, place="row", min_cell=_min_cell(shown))
    if summary is None:
        head = (
            f'<header class="cx-first"><p class="cx-study">{text(study)}</p><h1>Reports</h1>{_dated(shown)}{changed}'
            "</header>"
        )
    else:
        more = changed if compared and (compared.changed or compared.moved) else ""
        head = f"{summary_section(summary)}{more and f'<div class=cx-below>{more}</div>'}"
    body = (
        f'<div class="cx-report{" cx-has-summary" if summary else ""}">{head}'
        f'<div class="cx-below">{_pages(entries)}{_claims(shown, depth_of(entries), history)}</div></div>'
    )
    return standalone(title, body)


def summary_of(entries: Sequence[Entry], history: Sequence[RunRecord] = ()) -> Summary | None:
    """The facts of the summary: of the page with most claims; None where no page shows several.

    Args:
        entries: the pages.
        history: as for `index`.
    """
    pages = [e for e in entries if e.summary and not e.about]
    if not pages:
        return None
    entry = max(pages, key=lambda e: len(e.summary["claims"]) if e.summary else 0)
    result = entry.summary
    assert result is not None
    statements = {c: str(words["statement"]) for c, words in result["claims"].items()}
    rows = [v for v in result["docket"]["verdicts"] if v["primary"]]
    return Summary(
        study=str(result["docket"]["study"]),
        file=entry.file,
        data_from=result["data_from"],
        data_until=result["data_until"],
        verdicts=[str(v["verdict"]) for v in rows],
        facts=result["facts"],
        since=changes.changes_since(history, statements),
        statements=statements,
        min_cell=result["min_cell"],
    )


def _min_cell(shown: Sequence[_Shown]) -> int:
    return int((shown[0].entry.summary or {}).get("min_cell", MIN_CELL)) if shown else MIN_CELL


@dataclass(frozen=True, slots=True)
class _Shown:
    """A claim on the index: on which page its verdict stands, and the verdict's row."""

    claim: str
    statement: str
    entry: Entry
    row: Mapping[str, Any]


def _shown(entries: Sequence[Entry]) -> list[_Shown]:
    """Each claim once; pages about many claims come before pages about one."""
    result: dict[str, _Shown] = {}
    for e in sorted(entries, key=lambda e: bool(e.about)):
        if e.summary is None:
            continue
        min_cell = e.summary.get("min_cell", MIN_CELL)
        for v in e.summary["docket"]["verdicts"]:
            is_about_it = not e.about or v["claim"] == e.about
            if v["primary"] and is_about_it and v["claim"] not in result:
                statement = e.summary["claims"][v["claim"]]["statement"]
                result[v["claim"]] = _Shown(v["claim"], statement, e, _public_row(v, min_cell))
    return list(result.values())


def _public_row(v: dict[str, Any], min_cell: int) -> dict[str, Any]:
    """A verdict's row as a page may tell it: without a number that rests on too few."""
    if v["estimate"] is None:
        return v
    counts = {k: v[k] for k in ("level", "customers", "events")}
    is_share = v["unit"] == Unit.SHARE
    if rests_on_enough(
        v["estimate"],
        v["ci_fixed_low"],
        v["ci_fixed_high"],
        is_share=is_share,
        min_cell=min_cell,
        **counts,
    ):
        return v | _rounded(v, min_cell) if is_share else v
    return v | {"estimate": None, "ci_low": None, "ci_high": None}


def _rounded(v: dict[str, Any], min_cell: int) -> dict[str, float]:
    names = ("estimate", "ci_low", "ci_high")
    value, low, high = (v[name] for name in names)
    shown = round_estimate(
        value,
        low,
        high,
        customers=round_count(max(v["customers"], v["events"]), min_cell),
        min_cell=min_cell,
        edges=verdict_history.edges_of(v["region"]),
    )
    return dict(zip(names, shown, strict=True))


def _dated(shown: Sequence[_Shown]) -> str:
    if not shown:
        return ""
    result = shown[0].entry.summary or {}
    verdicts = [str(s.row["verdict"]) for s in shown]
    claims = f"{len(verdicts)} claim{'' if len(verdicts) == 1 else 's'}: {tally(verdicts)}. "
    return f'<p class="cx-lead">{claims}Data from {text(period(result["data_from"], result["data_until"]))}.</p>'


def _pages(entries: Sequence[Entry]) -> str:
    """A line per page; the page about a claim stands with the claim, and here only if it is out of date."""
    listed = "".join(_page(e) for e in entries if not e.about or e.stale)
    return f'<h2 id="pages">Pages</h2><ul class="cx-page-list">{listed}</ul>' if listed else ""


def _page(entry: Entry) -> str:
    made = (
        f'<span class="cx-made">made on {text(time_text(entry.made))}</span>' if entry.made else ""
    )
    stale = (
        f'<span class="cx-old"><strong>Not up to date.</strong> {text(entry.stale)}</span>'
        if entry.stale
        else ""
    )
    return f'<li><a href="{text(entry.file)}">{text(entry.title)}</a> {made}{stale}</li>'


def _claims(shown: Sequence[_Shown], depth: Mapping[str, str], history: Sequence[RunRecord]) -> str:
    if not shown:
        return ""
    history_of = {
        s.claim: [
            verdict_history.public_record(
                x, (s.entry.summary or {}).get("min_cell", MIN_CELL), s.row["region"]
            )
            for x in changes.of_claim(history, s.claim)
        ]
        for s in shown
    }
    runs = any(len(result) > 1 for result in history_of.values())
    rows = "".join(
        _row(s, depth.get(s.claim, ""), history_of[s.claim] if runs else None) for s in shown
    )
    caption = "Each claim with its verdict and its number now" + (
        ", and over the runs" if runs else ""
    )
    heads = _HEADS if runs else _HEADS[:-1]
    return f'<h2 id="claims">Claims</h2>{table(caption, heads, rows, kind="cx-readings cx-index")}'


def _row(shown: _Shown, deep: str, records: Sequence[RunRecord] | None) -> str:
    v, statement = shown.row, text(shown.statement)
    cells = "".join(
        f'<td data-label="{head}">{cell}</td>'
        for head, cell in zip(
            _HEADS[1:], _cells(v, records, stale=bool(shown.entry.stale)), strict=False
        )
    )
    place = (
        f"{text(shown.entry.file)}#{anchor('claim' if shown.entry.about else 'card', v['claim'])}"
    )
    more = ""
    if deep and deep != shown.entry.file:
        more = f'<br><a class="cx-deep" href="{text(deep)}">In depth<span class="cx-hidden"> on: {statement}</span></a>'
    return (
        f'<tr id="{anchor("row", v["claim"])}"><th scope="row"><a '
        f'href="{place}">{statement}</a>{more}</th>{cells}</tr>'
    )


def _cells(
    v: Mapping[str, Any], records: Sequence[RunRecord] | None, *, stale: bool
) -> Iterator[str]:
    old = '<br><span class="cx-small">not up to date</span>' if stale else ""
    yield f"<div>{verdict(str(v['verdict']))}{old}</div>"
    if v["estimate"] is not None:
        unit, edges = Unit(v["unit"]), verdict_history.edges_of(v["region"])
        interval = unit.interval_text(v["ci_low"], v["ci_high"], edges)
        yield f"<span><strong>{text(headline(v['estimate'], unit))}</strong> ({text(interval)})</span>"
    else:
        yield (
            f"The study lacks {text(what_is_missing(v['lacks'], v.get('code') or ''))}."
            if v["lacks"]
            else "not shown: too few customers"
        )
    if records is not None:
        yield f"<div class='cx-over'>{verdict_history.over_runs(records, v['region'], Unit(v['unit']))}</div>"
