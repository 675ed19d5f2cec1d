"""What a level of a claim's history is in plain words: names of histories are for programs and stand in no sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cxresearch.claims.schema import Claim
from cxresearch.utils.checks import instance, text

_COUNTS = ("bad_count", "grade_count", "moment_count", "household_bad")
_MARKS: dict[str, dict[Any, str]] = {
    "is_problem": {True: "with a problem", False: "without a problem"},
    "attended": {True: "with a person", False: "without a person"},
    "handoff": {True: "with a hand-off", False: "without a hand-off"},
    **{
        name: {"failed": f"that failed {name}", "kept": f"that kept {name}"}
        for name in ("respect", "solutions", "simplicity", "responsibility")
    },
}
_ORDINALS = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth"}
_COUNT_LEVEL = re.compile(r"(\d+)(-\d+|\+)?")


def describe_group(claim: Claim, history: str, level: str) -> str:
    """The customers at a level: ``customers with 3+ bad moments``; in general words where a level has none of its own.

    Args:
        claim: whose history it is.
        history: its name in the claim.
        level: one of its levels.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch.claims.level_words import describe_group
        >>> describe_group(cx.catalogue()["three-strikes"], "bad", "3+")
        'customers with 3+ bad moments'
    """
    what = _counted(claim.histories.get(history, {}))
    if not what or not _COUNT_LEVEL.fullmatch(level):
        return "customers in one of the groups that are compared"
    if level == "0":
        return f"customers without a {what[0]}{what[1]}"
    return f"customers with {level} {what[0]}{'' if level == '1' else 's'}{what[1]}"


def happening(claim: Claim, history: str, level: str) -> str:
    """What it is to reach a level of one of a claim's histories: ``the first bad moment``.

    Args:
        claim: whose history it is.
        history: its name in the claim.
        level: one of its levels.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch.claims.level_words import happening
        >>> happening(cx.catalogue()["three-strikes"], "bad", "3+")
        'the third bad moment'

    Raises:
        ArgumentError: one of them is of another type.
    """
    instance("claim", claim, Claim, "a claim, such as Trial.claim")
    text("history", history)
    text("level", level)
    use, what = claim.histories.get(history, {}), _counted(claim.histories.get(history, {}))
    number = _COUNT_LEVEL.fullmatch(level)
    ordinal = _ORDINALS.get(number[1]) if number else None
    if what and ordinal:
        return f"the {ordinal} {what[0]}{what[1]}"
    if use.get("use") == "first_problem" and level in ("open", "resolved quickly"):
        return "the first problem" if level == "open" else "its resolution"
    return "the moment that is counted from"


def describe_exclusion(claim: Claim, reason: str) -> str:
    """Why customers were left out, with what a history reached called by its name, and no name of a history.

    Args:
        claim: whose histories they are.
        reason: as `risk.episodes` gives it.

    Example:
        >>> import cxresearch as cx
        >>> from cxresearch.claims.level_words import describe_exclusion
        >>> describe_exclusion(cx.catalogue()["three-strikes"], "left on the day they reached bad 1")
        'left on the day of the first bad moment'
    """
    gone = re.fullmatch(r"left on the day they reached (\S+) (.+)", reason)
    if gone:
        return f"left on the day of {happening(claim, gone[1], gone[2])}"
    at_once = re.fullmatch(r"reached (\S+) (.+) on the same day as (.+)", reason)
    if at_once is None:
        return reason
    name, beyond, level = at_once.groups()
    return (
        f"had {happening(claim, name, level)} and {happening(claim, name, beyond)} on the same day"
    )


def describe_terms(claim: Claim, said: str) -> str:
    """A message of an estimator with terms such as ``bad[3+]`` or ``linear(bad)`` in words.

    Args:
        claim: whose histories the terms are made from.
        said: the message.
    """
    term = re.compile(r"\b(?:log|linear)\((\w+)\)|\b(\w+)\[([^\]]*)\]")
    names = "|".join(sorted(map(re.escape, claim.histories), key=len, reverse=True))
    if not names:
        return said

    def words(found: re.Match[str]) -> str:
        if found[1]:
            what = _counted(claim.histories.get(found[1], {}))
            return f"the number of {what[0]}s{what[1]}" if what else "what is compared"
        return describe_group(claim, found[2], found[3])

    said = term.sub(words, said)
    return re.sub(
        rf"\babove the first level of (?:{names})(?!\w)", "with any of what is counted", said
    )


def _counted(history: Mapping[str, Any]) -> tuple[str, str] | None:
    """What a history counts, as a noun and what follows it; None where it counts none, or in another way."""
    if history.get("use") not in _COUNTS:
        return None
    grade = "bad" if history["use"] in ("bad_count", "household_bad") else history.get("grade", "")
    grade = {"unknown": "ungraded"}.get(grade, grade)
    marks = [_MARKS[key][v] for key, v in history.items() if key in _MARKS and v in _MARKS[key]]
    noun = " ".join(part for part in (grade, "moment") if part)
    return noun, "".join(f" {mark}" for mark in (" and ".join(marks),) if mark)
