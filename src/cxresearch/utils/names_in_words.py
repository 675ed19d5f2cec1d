"""Names of programs in the words of readers: what a column of a risk table and a coefficient are called on a page."""

from __future__ import annotations

_WORDS = {
    "bad": "bad moments",
    "good": "good moments",
    "neutral": "neutral moments",
    "held_contacts": "contacts of the last 90 days, held equal",
    "held_so_far": "contacts so far, held equal",
    "held_recency": "days since the last contact, held equal",
    "held_share": "share of such moments so far, held equal",
    "held_unknown": "share of moments without a grade, held equal",
    "held_month": "month of the calendar, held equal",
    "held_cohort": "month of the beginning, held equal",
    "held_spell": "which relation of the customer it is, held equal",
    "held_silent": "days without a contact, held equal",
    "held_fresh": "what happened just before, left aside",
}


def name_in_words(name: str) -> str:
    """What a history or covariate of a risk table is called for readers.

    Args:
        name: as in the table.

    Example:
        >>> from cxresearch.utils.names_in_words import name_in_words
        >>> name_in_words("held_so_far"), name_in_words("bad"), name_in_words("last_grade")
        ('contacts so far, held equal', 'bad moments', 'last grade')
    """
    if known := _WORDS.get(name):
        return known
    held = ", held equal" if name.startswith("held_") else ""
    return f"{name.removeprefix('held_').replace('_', ' ').strip()}{held}"


def term_in_words(term: str) -> str:
    """What a coefficient is called for readers.

    Args:
        term: as in a fit: ``bad[3+]``, ``linear(bad)``, or a product of such.

    Example:
        >>> from cxresearch.utils.names_in_words import term_in_words
        >>> term_in_words("bad[3+]"), term_in_words("linear(bad):contacts[1-2]")
        ('bad moments: 3+', 'bad moments, with contacts: 1-2')
    """
    parts = []
    for part in term.split(":"):
        name, _, level = part.removeprefix("linear(").partition("[")
        words = name_in_words(name.removesuffix(")"))
        parts.append(f"{words}: {level.removesuffix(']')}" if level else words)
    return ", with ".join(parts)
