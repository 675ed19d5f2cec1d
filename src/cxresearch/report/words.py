"""Numbers, dates and verdicts as a reader meets them; every text is escaped on its way into a page."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from html import escape
from urllib.parse import quote

from cxresearch.claims.claim import region
from cxresearch.claims.evidence import SYMBOLS, Beside, Evidence, Trial
from cxresearch.claims.numbers import held_against, limits, number
from cxresearch.claims.verdict import Verdict

text = escape
VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "undecided", "not testable")
_MONTHS = ["Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec."]


def count(n: int, min_cell: int) -> str:
    """A number of customers, or that it is too small to show."""
    return f"fewer than {min_cell}" if n < min_cell else f"{n:,}"


def day(value: str) -> str:
    """An ISO date as it is said; anything else, such as a day's number, as it is."""
    try:
        found = date.fromisoformat(value)
    except ValueError:
        return f"day {value}" if value.lstrip("-").isdigit() else value
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def moment(at: str) -> str:
    """A time in ISO 8601 as it is said, in UTC: ``14 Nov. 2026, 06:00 UTC``; anything else as it is."""
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return at
    found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return f"{day(found.date().isoformat())}, {found:%H:%M} UTC"


def day_of(at: str) -> str:
    """The day of a time in ISO 8601, as it is said."""
    return moment(at).rpartition(", ")[0] or at


def period(first: str, last: str) -> str:
    """From when to when."""
    return f"{day(first)} to {day(last)}"


def verdict(found: str) -> str:
    """The verdict as a badge: symbol, word, and a class for its colour."""
    kind = found.replace(" ", "-") if found in SYMBOLS else "not-testable"
    sign = f'<span class="cx-sign" aria-hidden="true">{SYMBOLS.get(found, "–")}</span>'
    return f'<span class="cx-verdict cx-{kind}">{sign} {text(found.capitalize())}</span>'


def tally(found: Sequence[str]) -> str:
    """How many verdicts of each kind: ``6 supported, 10 contradicted``."""
    return ", ".join(f"{found.count(v)} {v}" for v in VERDICTS if v in found)


def headline(value: float, unit: str) -> str:
    """The number of a card: ``31%``, ``1.41×``, ``+2.4 points``."""
    return f"{number(value, unit)}×" if unit == "hazard ratio" else number(value, unit)


def beside(found: Beside) -> str:
    """A number to hold another against, as short as on a card."""
    return f"{headline(found.value, found.unit)}{' the rate' if found.unit == 'hazard ratio' else ''}"


def spread(trial: Trial) -> str:
    """The interval of a claim's number."""
    e = trial.primary
    if e.estimate is None:
        return ""
    edges = held_against(region(trial.claim, trial.claim.primary)) if e.region else ()
    return limits(e.estimate.low, e.estimate.high, e.unit, edges)


def why(e: Evidence) -> str:
    """The ground of a verdict without its numbers, for the first screen."""
    return re.split(r"[:;]", e.reason or e.lacks)[0].strip()


def first_part(sentence: str, e: Evidence) -> str:
    """The sentence of a verdict without the part that gives the reason, which may hold further intervals."""
    if not e.reason or e.reason not in sentence:
        return sentence
    head = sentence[: sentence.index(e.reason)]
    stop = max(head.rfind(". "), head.rfind("; "))
    return head[:stop].rstrip() + "." if stop > 0 else head


def anchor(kind: str, claim: str) -> str:
    """The name of a claim's place on a page, whatever a study file calls the claim: ``claim-three-strikes``."""
    return f"{kind}-{quote(claim, safe='', errors='replace')}"


def table(caption: str, heads: Sequence[str], body: str, *, kind: str = "", numeric: Collection[str] = ()) -> str:
    """A table that scrolls by itself where it is too wide, with caption and scope.

    Args:
        caption: above the table.
        heads: of the columns.
        body: rows, as HTML.
        kind: a class for its looks.
        numeric: heads of columns whose numbers stand to the right.
    """
    head = "".join(f'<th scope="col"{" class=cx-num" if h in numeric else ""}>{text(h)}</th>' for h in heads)
    return (
        f'<div class="cx-scroll {kind}" tabindex="0" role="group" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )
