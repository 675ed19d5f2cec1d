"""What a history may be called: it becomes a column beside those that every table has."""

from __future__ import annotations

import re

from cxresearch.errors import EstimationError
from cxresearch.tables.retention import CAUSES

_RESERVED = frozenset(
    [
        "customer",
        "group",
        "cluster",
        "start",
        "stop",
        "event",
        "time",
        "tick",
        "entered",
        "left",
        "censored",
        "end",
        "origin",
        "entry",
        "exit",
        "crossed",
        "following",
        "previous",
        "first_state",
        "segment",
        "flow",
        "rows",
        "customers",
        *CAUSES,
    ]
)
_NAME = re.compile(r"[^\W\d]\w*")


def check_name(name: str) -> None:
    """Refuse a name that no history can have.

    Raises:
        EstimationError: it is a column of every table, or no name.
    """
    if name in _RESERVED or name.startswith(("cx_", "before_")):
        raise EstimationError(f"{name!r} is a column of every table: call the history something else")
    if not _NAME.fullmatch(name):
        raise EstimationError(f"{name!r} must be a name of letters, digits and _ that starts with a letter")
