"""The index of the pages: each claim's verdict and number, and the date of the data."""

from __future__ import annotations

from collections.abc import Sequence
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


def index(entries: Sequence[Entry]) -> str:
    """The index page: one offline file without a script."""
    from cxresearch.report.page import standalone

    studies = [e.summary["docket"]["study"] for e in entries if e.summary]
    title = f"Reports: {studies[0]}" if studies else "Reports"
    body = "".join(_entry(e) for e in entries)
    return standalone(title, f'<header class="cx-first"><h1>{text(title)}</h1></header>{body}')


def _entry(entry: Entry) -> str:
    link = f'<h2><a href="{text(entry.file)}">{text(entry.title)}</a></h2>'
    if entry.summary is None:
        return link
    when = period(entry.summary["data_from"], entry.summary["data_until"])
    rows = "".join(
        _row(entry.file, v, entry.summary["claims"][v["claim"]]["statement"])
        for v in entry.summary["docket"]["verdicts"]
        if v["primary"]
    )
    return link + table(f"Data from {when}", ("Claim", "Verdict", "In these data"), rows)


def _row(file: str, v: dict[str, Any], statement: str) -> str:
    shown = "–"
    if v["estimate"] is not None:
        spread = limits(v["ci_low"], v["ci_high"], v["unit"])
        shown = f"<strong>{text(headline(v['estimate'], v['unit']))}</strong> ({text(spread)})"
    elif v["lacks"]:
        shown = f"The study lacks {text(v['lacks'])}."
    return (
        f'<tr><th scope="row"><a href="{text(file)}#claim-{text(v["claim"])}">{text(statement)}</a></th>'
        f"<td>{verdict(v['verdict'])}</td><td>{shown}</td></tr>"
    )
