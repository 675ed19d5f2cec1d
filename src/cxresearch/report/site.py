"""The index of the pages: each claim's verdict and number, and the date of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxresearch.report.words import headline, limits, period, table, text, verdict


@dataclass(frozen=True, slots=True)
class Entry:
    """A page, for the index.

    Attributes:
        file: its file name.
        title: the notebook's title.
        summary: the verdicts it shows, as `show.summary` sends them; None if it shows none.
    """

    file: str
    title: str
    summary: dict[str, Any] | None


def depth_of(entries: Sequence[Entry]) -> dict[str, str]:
    """Id of a claim to the file of the page that is about it alone."""
    return {e.summary["about"]: e.file for e in entries if e.summary and "about" in e.summary}


def index(entries: Sequence[Entry]) -> str:
    """The index page: one offline file without a script."""
    from cxresearch.report.page import standalone

    studies = [e.summary["docket"]["study"] for e in entries if e.summary]
    title = f"Reports: {studies[0]}" if studies else "Reports"
    depth = depth_of(entries)
    others = [e for e in entries if e.file not in depth.values()]
    linked = {claim for e in others if e.summary for claim in e.summary["claims"]}
    deep = [e for e in entries if e.file in {file for claim, file in depth.items() if claim not in linked}]
    body = "".join(_entry(e, depth) for e in others) + (_in_depth(deep) if deep else "")
    return standalone(title, f'<header class="cx-first"><h1>{text(title)}</h1></header>{body}')


def _in_depth(entries: Sequence[Entry]) -> str:
    rows = "".join(_rows(e, {}) for e in entries)
    return "<h2>Claims in depth</h2>" + table(_data(entries[0]), ("Claim", "Verdict", "In these data"), rows)


def _data(entry: Entry) -> str:
    assert entry.summary is not None
    return f"Data from {period(entry.summary['data_from'], entry.summary['data_until'])}"


def _entry(entry: Entry, depth: Mapping[str, str]) -> str:
    link = f'<h2><a href="{text(entry.file)}">{text(entry.title)}</a></h2>'
    if entry.summary is None:
        return link
    return link + table(_data(entry), ("Claim", "Verdict", "In these data"), _rows(entry, depth))


def _rows(entry: Entry, depth: Mapping[str, str]) -> str:
    assert entry.summary is not None
    return "".join(
        _row(entry.file, v, entry.summary["claims"][v["claim"]]["statement"], depth.get(v["claim"], ""))
        for v in entry.summary["docket"]["verdicts"]
        if v["primary"]
    )


def _row(file: str, v: dict[str, Any], statement: str, deep: str) -> str:
    shown = "–"
    if v["estimate"] is not None:
        spread = limits(v["ci_low"], v["ci_high"], v["unit"])
        shown = f"<strong>{text(headline(v['estimate'], v['unit']))}</strong> ({text(spread)})"
    elif v["lacks"]:
        shown = f"The study lacks {text(v['lacks'])}."
    hidden = f'<span class="cx-hidden"> on: {text(statement)}</span>'
    more = f'<br><a href="{text(deep)}">In depth{hidden}</a>' if deep else ""
    return (
        f'<tr><th scope="row"><a href="{text(file)}#claim-{text(v["claim"])}">{text(statement)}</a>{more}</th>'
        f"<td>{verdict(v['verdict'])}</td><td>{shown}</td></tr>"
    )
