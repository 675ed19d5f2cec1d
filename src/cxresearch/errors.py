"""Everything that can go wrong, in the order of the flow.

Each error names what was given, what is allowed and what to do. The fields hold the same facts for programs.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any

__all__ = [
    "NOT_TESTABLE",
    "ArgumentError",
    "ClaimError",
    "CxResearchError",
    "DataError",
    "EngineError",
    "EstimationError",
    "LimitError",
    "NotTestable",
    "NothingToDrawError",
    "ParameterError",
    "ReportError",
    "RuleError",
    "ShortFollowUp",
    "SourceError",
    "StateError",
    "StudyError",
    "UnknownInTableError",
    "UnknownNameError",
]


class CxResearchError(Exception):
    """The root: catch this to catch all that the package raises on purpose.

    Example:
        >>> import cxresearch as cx
        >>> try:
        ...     cx.bad_count(0)
        ... except cx.CxResearchError as error:
        ...     print(error)
        cap must be a whole number and at least 1, was 0
    """


class ArgumentError(CxResearchError, ValueError):
    """An argument of a public function is of the wrong type or has a value that is not allowed.

    Attributes:
        argument: its name.
        given: the value.
        allowed: what is allowed, as a phrase that completes "must be ...".
    """

    def __init__(
        self, argument: str, given: Any, allowed: str, *, words: Collection[str] = ()
    ) -> None:
        near = nearest(given, words) if isinstance(given, str) else ""
        super().__init__(f"{argument} must be {allowed}, was {_short(given)}{near}")
        self.argument = argument
        self.given = given
        self.allowed = allowed


class UnknownNameError(CxResearchError, KeyError):
    """Nothing has that name; the nearest known name is suggested.

    Attributes:
        name: the name that was asked for.
        known: the names that there are.
    """

    def __init__(
        self, name: Any, known: Iterable[str], *, what: str = "entry", where: str = ""
    ) -> None:
        self.name = name
        self.known = tuple(known)
        near = nearest(name, self.known) if isinstance(name, str) else ""
        listed = f"; there are: {', '.join(map(str, self.known)) or 'none'}"
        self.message = f"{where and f'{where}: '}no {what} {_short(name)}{near or listed}"
        super().__init__(self.message)

    def __str__(self) -> str:
        """The message, where KeyError would show it in quotes."""
        return self.message


class StudyError(CxResearchError):
    """The study file cannot be read or does not say what it must.

    Attributes:
        field: the key in question, as ``section.key``; empty for an error of the file as such.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class RuleError(StudyError):
    """A rule or a query in the study file is not in the accepted part of SQL."""


class SourceError(CxResearchError):
    """A table cannot be read: no such file, not of the kind that its name suggests, no such driver."""


class DataError(CxResearchError):
    """The tables were read, and are not fit for a study (a fatal finding of the audit)."""


class StateError(CxResearchError):
    """A state folder is not trusted: somebody else may have prepared it."""


class EngineError(CxResearchError):
    """An engine is unknown, not installed, or lacks what was asked of it."""


# why a question cannot be answered, for programs; the phrase next to it is for people and may change
NOT_TESTABLE = {
    "missing_column": "a table has no such column, or the study does not name it",
    "no_such_data": "no row holds what is asked for: a grade, a departure, an end of the relation",
    "nobody_at_risk": "nobody is at risk in a level, or comparable to those who are",
    "too_few": "customers, moments or events are too few for a number with an interval",
    "short_follow_up": "the follow-up ends before the horizon",
    "other_kind": "the reading rests on another kind of table, or the study on another kind of retention",
    "no_repeaters": "too few customers have had two such occasions or more to tell what they are prone to",
    "no_fit": "the model cannot be fitted: its likelihood has no maximum, or its terms cannot be distinguished",
}


class NotTestable(CxResearchError):  # noqa: N818 - an answer, not a mistake
    """The data cannot answer the question, however long one computes.

    Args:
        code: why, a key of `NOT_TESTABLE`.
        lacks: what is missing, as a noun phrase that completes "this study cannot say: it lacks ...".

    Attributes:
        code: why, for programs.
        lacks: what is missing, for people.

    Raises:
        ArgumentError: no such code.

    Example:
        >>> error = NotTestable("short_follow_up", "follow-up to 365 days (it ends at 200)")
        >>> print(error)
        not testable: the study lacks follow-up to 365 days (it ends at 200)
        >>> NOT_TESTABLE[error.code]
        'the follow-up ends before the horizon'
    """

    def __init__(self, code: str, lacks: str) -> None:
        if code not in NOT_TESTABLE:
            raise ArgumentError(
                "code", code, " or ".join(map(repr, NOT_TESTABLE)), words=NOT_TESTABLE
            )
        if not isinstance(lacks, str):
            raise ArgumentError("lacks", lacks, "a noun phrase, as text")
        super().__init__(f"not testable: the study lacks {lacks}")
        self.code = code
        self.lacks = lacks


class ShortFollowUp(NotTestable):
    """The follow-up ends before the horizon.

    Args:
        horizon: the time that was asked for.
        end: the last time at which the data are worth enough customers.
        clock: what time counts; days where it is not given.
        after: what the days are counted from, such as ``the moment``.

    Attributes:
        horizon: the time that was asked for.
        end: the last time at which the data are worth enough customers.

    Example:
        >>> print(ShortFollowUp(365, 200, after="the moment").lacks)
        follow-up to 365 days after the moment (it ends at 200)
    """

    def __init__(self, horizon: float, end: float, *, clock: str = "", after: str = "") -> None:
        self.horizon, self.end = horizon, end
        days = f" days after {after}" if after else "" if clock else " days"
        on_clock = f" on the {clock} clock" if clock else ""
        super().__init__(
            "short_follow_up",
            f"follow-up to {horizon:.15g}{days} (it ends at {end:.15g}{on_clock})",
        )


class EstimationError(CxResearchError):
    """An estimator was asked for something that its risk table does not hold."""


class UnknownInTableError(UnknownNameError, EstimationError):
    """A table, its episodes or a fit have no history, level, cause or term of that name."""


class NothingToDrawError(EstimationError):
    """A chart would be empty: everything in it is too small to be shown. The message holds nothing of the data."""


class ClaimError(CxResearchError):
    """A claim is unknown or its entry is not in the grammar of the catalogue."""


class LimitError(CxResearchError):
    """Something took longer, or held more memory, than its limit allows."""


class ReportError(CxResearchError):
    """A report could not be written; the last good one, if any, is untouched."""


class ParameterError(ReportError):
    """What a report was asked for makes no sense: no such notebook, or a parameter that none takes. Nothing has run."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion to append to a message: ``; did you mean 'x'?``, or nothing when nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _short(given: Any) -> str:
    """A value on one line; of an object that is no plain value, only its type."""
    if given is None or isinstance(
        given, str | bytes | int | float | complex | list | tuple | dict | set | frozenset
    ):
        shown = repr(given)
        return shown if len(shown) <= 80 else f"{shown[:77]}..."
    return f"a {type(given).__name__}"
