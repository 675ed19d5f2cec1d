"""Everything that can go wrong, in the order of the flow.

Each error names what was given, what is allowed and what to do. The fields hold the same facts for programs.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any


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

    def __init__(self, name: Any, known: Iterable[str], *, what: str = "entry") -> None:
        self.name = name
        self.known = tuple(known)
        near = nearest(name, self.known) if isinstance(name, str) else ""
        listed = f"; there are: {', '.join(map(str, self.known)) or 'none'}"
        self.message = f"no {what} {_short(name)}{near or listed}"
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


class NotTestable(CxResearchError):  # noqa: N818 - an answer, not a mistake
    """The data cannot answer the question, however long one computes.

    Attributes:
        lacks: what is missing, as a noun phrase that completes "this study cannot say: it lacks ...".

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> table = cx.risk_table(study)
        >>> try:
        ...     cx.incidence(table, errors="model")
        ... except cx.NotTestable as error:
        ...     print(error)
        not testable: the study lacks 10 customers at risk at any one time
    """

    def __init__(self, lacks: str) -> None:
        super().__init__(f"not testable: the study lacks {lacks}")
        self.lacks = lacks


class EstimationError(CxResearchError):
    """An estimator was asked for something that its risk table does not hold."""


class NothingToDrawError(EstimationError):
    """A chart would be empty: everything in it is too small to be shown. The message holds nothing of the data."""


class ClaimError(CxResearchError):
    """A claim is unknown or its entry is not in the grammar of the catalogue."""


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
