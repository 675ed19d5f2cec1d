"""A history as a claim names it: a function and its parameters, each checked before it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from cxresearch import histories
from cxresearch.errors import ArgumentError, ClaimError, EstimationError, nearest
from cxresearch.histories import History
from cxresearch.risk.names import check_name

HISTORIES: dict[str, Callable[..., History]] = {
    name: getattr(histories, name) for name in histories.__all__ if name[0].islower()
}
LARGEST = 100_000  # days or hours, longer than anybody is followed
_LIMITS = {"cap": 1_000}  # a level for each number up to it
_LONGEST = 1_000  # list


def history_of(where: str, says: Mapping[str, Any]) -> History:
    """The history that an entry describes.

    Args:
        where: its path, for messages.
        says: ``use`` and the parameters of that function.

    Raises:
        ClaimError: an unknown function or parameter, or a value that it does not take.
    """
    use = says.get("use")
    if not isinstance(use, str) or use not in HISTORIES:
        was = "" if use is None else f", was {use!r}"
        raise ClaimError(
            f"{where}: use must name a history{was}{nearest(str(use), HISTORIES)}; there are: {', '.join(HISTORIES)}"
        )
    kinds, required = _parameters(use)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in says.items() if k != "use"}
    for key, value in given.items():
        if key not in kinds:
            has = "; it has: " + ", ".join(kinds) if kinds else "; it has none"
            raise ClaimError(f"{where}: {use} has no parameter {key!r}{nearest(key, kinds) or has}")
        if not any(_is(value, kind, _LIMITS.get(key, LARGEST)) for kind in kinds[key]):
            said = " or ".join(_said(kind, _LIMITS.get(key, LARGEST)) for kind in kinds[key] if kind is not type(None))
            raise ClaimError(f"{where}.{key} must be {said}, was {says[key]!r}")
    for key in required:
        if key not in given:
            raise ClaimError(f"{where}: {use} needs {key}")
    try:
        return HISTORIES[use](**given)
    except (ArgumentError, EstimationError) as e:
        raise ClaimError(f"{where}: {e}") from None


def check_called(where: str, name: str) -> None:
    """Refuse a name that is that of a column, or none.

    Raises:
        ClaimError: no history, and no cause, can be called so.
    """
    if name == "self":  # of methods that take levels by name
        raise ClaimError(f"{where}: 'self' cannot be the name of a history: call it something else")
    try:
        check_name(name)
    except (ArgumentError, EstimationError) as e:
        raise ClaimError(f"{where}: {e}") from None


@cache
def _parameters(use: str) -> tuple[dict[str, tuple[Any, ...]], tuple[str, ...]]:
    """The kinds of values that each parameter takes, and the parameters that must be given."""
    signature = inspect.signature(HISTORIES[use]).parameters
    hints = get_type_hints(HISTORIES[use])
    kinds = {k: get_args(hints[k]) if get_origin(hints[k]) in (Union, UnionType) else (hints[k],) for k in signature}
    return kinds, tuple(k for k, p in signature.items() if p.default is inspect.Parameter.empty)


def _is(value: object, kind: Any, largest: int) -> bool:
    if get_origin(kind) is tuple:
        each = get_args(kind)[0]
        return isinstance(value, tuple) and 0 < len(value) <= _LONGEST and all(_is(v, each, largest) for v in value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest
    return isinstance(value, kind)


def _said(kind: Any, largest: int) -> str:
    if get_origin(kind) is tuple:
        each = "words" if get_args(kind)[0] is str else f"whole numbers between 0 and {largest:,}"
        return f"a list of {each}, with at least one"
    numbers = f"a whole number between 0 and {largest:,}"
    return {int: numbers, bool: "true or false", str: "a word"}.get(kind, str(kind))
