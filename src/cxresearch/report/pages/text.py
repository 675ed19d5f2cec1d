"""Numbers, dates and verdicts as escaped text, and placeholders that are filled in last."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from html import escape, unescape
from urllib.parse import quote

from cxresearch.claims.decide import Verdict
from cxresearch.claims.results import SYMBOLS, ReadingResult, ReferenceValue, Trial
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import count_text, round_share, share_step

_HYPHEN = re.compile(r"(?<![\w.\-/])-(?=\d)|(?<=\()-(?=\))")


def text(value: str) -> str:
    """Text for a page: escaped, and with a true minus before numbers, which lines up with a plus."""
    return escape(_HYPHEN.sub("−", value))


VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "undecided", "not testable")
_MONTHS = [
    "Jan.",
    "Feb.",
    "March",
    "April",
    "May",
    "June",
    "July",
    "Aug.",
    "Sept.",
    "Oct.",
    "Nov.",
    "Dec.",
]


def count(n: int, min_cell: int) -> str:
    """A number of customers, rounded, or that it is too small to show."""
    return f"fewer than {min_cell}" if n < min_cell else count_text(n, min_cell)


def day(value: str) -> str:
    """An ISO date as readers write it; anything else, such as a day's number, as it is."""
    try:
        result = date.fromisoformat(value)
    except ValueError:
        return f"day {value}" if value.lstrip("-").isdigit() else value
    return f"{result.day} {_MONTHS[result.month - 1]} {result.year}"


def time_text(at: str) -> str:
    """A time in ISO 8601 as readers write it, in UTC: ``14 Nov. 2026, 06:00 UTC``; anything else as it is."""
    try:
        result = datetime.fromisoformat(at)
    except ValueError:
        return at
    result = result.astimezone(UTC) if result.tzinfo else result.replace(tzinfo=UTC)
    return f"{day(result.date().isoformat())}, {result:%H:%M} UTC"


def day_of(at: str) -> str:
    """The day of a time in ISO 8601, as readers write it."""
    return time_text(at).rpartition(", ")[0] or at


def period(first: str, last: str) -> str:
    """From when to when."""
    return f"{day(first)} to {day(last)}"


def verdict(result: str) -> str:
    """The verdict as a badge: symbol, word, and a class for its colour."""
    kind = result.replace(" ", "-") if result in SYMBOLS else "not-testable"
    sign = f'<span class="cx-sign" aria-hidden="true">{SYMBOLS.get(result, "–")}</span>'
    return f'<span class="cx-verdict cx-{kind}">{sign} {text(result.capitalize())}</span>'


def tally(result: Sequence[str]) -> str:
    """How many verdicts of each kind: ``6 supported, 10 contradicted``."""
    return ", ".join(f"{result.count(v)} {v}" for v in VERDICTS if v in result)


def headline(value: float, unit: Unit) -> str:
    """The number of a card: ``31%``, ``1.41×``, ``+2.4 points``."""
    return f"{unit.text(value)}×" if unit.is_ratio else unit.text(value)


def per_hundred(share: float, customers: int, min_cell: int) -> str:
    """A share as customers of a hundred: ``39``; coarser where one of a hundred would be fewer than may be shown.

    Args:
        share: 0 to 1.
        customers: of whom it is a share.
        min_cell: the smallest count that may be shown.
    """
    step = max(0.01, share_step(customers, min_cell) if min_cell > 1 else 0.0)
    return f"{100 * round_share(share, step):.0f}"


def reference_text(result: ReferenceValue) -> str:
    """A number to hold another against, as short as on a card."""
    return f"{headline(result.value, result.unit)}{' the rate' if result.unit.is_ratio else ''}"


def spread(trial: Trial) -> str:
    """The interval of a claim's number."""
    e = trial.primary
    if e.estimate is None:
        return ""
    edges = trial.claim.primary.claimed_region.thresholds if e.region else ()
    return e.unit.interval_text(e.estimate.low, e.estimate.high, edges)


def why(e: ReadingResult) -> str:
    """The ground of a verdict without its numbers, for the first screen."""
    return re.split(r"[:;]", e.reason or e.lacks)[0].strip()


def first_part(sentence: str, e: ReadingResult) -> str:
    """The sentence of a verdict without the part that gives the reason, which may hold further intervals."""
    if not e.reason or e.reason not in sentence:
        return sentence
    head = sentence[: sentence.index(e.reason)]
    stop = max(head.rfind(". "), head.rfind("; "))
    return head[:stop].rstrip() + "." if stop > 0 else head


def anchor(kind: str, claim: str) -> str:
    """The name of a claim's place on a page, whatever a study file calls the claim: ``claim-three-strikes``."""
    return f"{kind}-{quote(claim, safe='', errors='replace')}"


def table(
    caption: str, heads: Sequence[str], body: str, *, kind: str = "", numeric: Collection[str] = ()
) -> str:
    """A table that scrolls by itself where it is too wide, with caption and scope.

    Args:
        caption: above the table.
        heads: of the columns.
        body: rows, as HTML.
        kind: a class for its looks.
        numeric: heads of columns whose numbers stand to the right.
    """
    head = "".join(
        f'<th scope="col"{" class=cx-num" if h in numeric else ""}>{text(h)}</th>' for h in heads
    )
    return (
        f'<div class="cx-scroll {kind}" tabindex="0" role="group" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def choices(name: str, title: str, values: list[tuple[str, str]]) -> str:
    """Buttons of which one is pressed, for the style sheet to go by, so that they work without a script.

    Args:
        name: of the group.
        title: what stands before them.
        values: key and text of each; one for all of them is added.
    """
    if len(values) < 2:
        return ""
    items = "".join(
        f'<label><input type="radio" name="{name}" id="{name}-{key}"{" checked" if key == "all" else ""}>'
        f"<span>{text(said)}</span></label>"
        for key, said in (("all", "All"), *values)
    )
    return f"<fieldset><legend>{title}</legend>{items}</fieldset>"


def fold(title: str, kind: str, *, above: str = "") -> str:
    """The beginning of what is folded away, up to `UNFOLD`, over any number of outputs of a notebook.

    Args:
        title: what stands on the fold, as HTML.
        kind: a class.
        above: what stands before it, as HTML.
    """
    return f"{_FOLD}{above}<details class={kind!r}><summary>{title}</summary>{_FOLDED}"


_FOLD, _FOLDED, UNFOLD = "<!--FOLD-->", "<!--FOLDED-->", "<!--UNFOLD-->"


def joined_folds(body: str) -> str:
    """A page whose folds hold what stands between their beginnings and ends, each of which is a block of its own."""
    block = r'<div class="cx-block">\s*'
    begun = re.sub(
        rf"{block}{_FOLD}(.*?){_FOLDED}\s*(?:</details>\s*)?</div>", r"\1", body, flags=re.DOTALL
    )
    return re.sub(rf"{block}{UNFOLD}\s*</div>", "</details>", begun)


_MARK = re.compile(r"<!--(DEPTH|SINCE|BACK|SEGMENTS) ?(.*?)-->", re.DOTALL)


def placeholder(kind: str, argument: str = "") -> str:
    """A place to be filled in.

    Args:
        kind: ``DEPTH``, the link to a claim's own page; ``SINCE``, what has changed since the last run; ``BACK``, the
            way from a claim's own page to the others; ``SEGMENTS``, the link to the page by segment.
        argument: the id of the claim, if the place is about one.
    """
    return f"<!--{kind} {escape(argument)}-->"


def filled(block: str, by: Mapping[str, Callable[[str], str]]) -> str:
    """A block with its places filled in.

    Args:
        block: HTML in which all text is escaped, so that no text passes for a placeholder.
        by: what to put in, by kind; called with the argument.
    """
    return _MARK.sub(
        lambda result: by[result[1]](unescape(result[2])) if result[1] in by else "", block
    )
