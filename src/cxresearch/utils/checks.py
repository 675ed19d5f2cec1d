"""Checks of arguments of the public functions: each returns the value in the type that the code works with."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from numbers import Real
from typing import Any, TypeVar

from cxresearch.errors import ArgumentError, UnknownNameError

T = TypeVar("T")


def whole_number(argument: str, given: Any, low: int) -> int:
    """A whole number of at least `low`; NumPy integers count, booleans do not.

    Raises:
        ArgumentError: it is something else.
    """
    allowed = f"a whole number and at least {low}"
    if _is_bool(given):
        raise ArgumentError(argument, given, allowed)
    try:
        number = operator.index(given)
    except TypeError:
        raise ArgumentError(argument, given, allowed) from None
    if number < low:
        raise ArgumentError(argument, given, allowed)
    return number


def fraction(argument: str, given: Any) -> float:
    """A number above 0 and below 1, such as a confidence level.

    Raises:
        ArgumentError: it is something else.
    """
    if _is_bool(given) or not isinstance(given, Real) or not 0 < float(given) < 1:
        raise ArgumentError(argument, given, "a number above 0 and below 1")
    return float(given)


def flag(argument: str, given: Any) -> bool:
    """True or False; NumPy booleans count.

    Raises:
        ArgumentError: it is something else.
    """
    if not _is_bool(given):
        raise ArgumentError(argument, given, "True or False")
    return bool(given)


def text(argument: str, given: Any) -> str:
    """One name.

    Raises:
        ArgumentError: it is no text.
    """
    if not isinstance(given, str):
        raise ArgumentError(argument, given, "one name, as text")
    return given


def one_of(argument: str, given: Any, allowed: Collection[str]) -> str:
    """One of a few words.

    Raises:
        ArgumentError: it is no text, or another one; the nearest word is suggested.
    """
    if not isinstance(given, str) or given not in allowed:
        raise ArgumentError(argument, given, " or ".join(map(repr, allowed)), words=allowed)
    return given


def names(argument: str, given: Any) -> tuple[str, ...]:
    """A list of names; one text alone is no list.

    Raises:
        ArgumentError: it is something else.
    """
    allowed = "a list of names, such as ['segment']"
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ArgumentError(argument, given, allowed)
    result = tuple(given)
    if not all(isinstance(name, str) for name in result):
        raise ArgumentError(argument, given, allowed)
    return result


def edges(argument: str, given: Any, *, empty: bool = False, low: int = 1) -> tuple[int, ...]:
    """Whole numbers that rise.

    Raises:
        ArgumentError: they are something else, do not rise, or begin below `low`.
    """
    allowed = f"whole numbers that rise and are at least {low}, such as (30, 90, 365)"
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ArgumentError(argument, given, allowed)
    result = tuple(given)
    try:
        numbers = tuple(whole_number(argument, n, low) for n in result)
    except ArgumentError:
        raise ArgumentError(argument, given, allowed) from None
    if any(b <= a for a, b in pairwise(numbers)) or not (numbers or empty):
        raise ArgumentError(argument, given, allowed)
    return numbers


def levels(argument: str, given: Any) -> dict[str, tuple[str, ...]]:
    """Names of histories with levels of each.

    Raises:
        ArgumentError: it is something else.
    """
    allowed = "a mapping of names to lists of levels, such as {'bad': ['1', '2']}"
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ArgumentError(argument, given, allowed)
    try:
        return {name: names(argument, wanted) for name, wanted in given.items()}
    except ArgumentError:
        raise ArgumentError(argument, given, allowed) from None


def weights(argument: str, given: Any) -> dict[str, float]:
    """Names with a finite number each.

    Raises:
        ArgumentError: it is something else.
    """
    allowed = "a mapping of names to numbers, such as {'bad[1]': 1}"
    if not isinstance(given, Mapping):
        raise ArgumentError(argument, given, allowed)
    for name, weight in given.items():
        is_number = isinstance(weight, Real) and not _is_bool(weight) and math.isfinite(weight)
        if not isinstance(name, str) or not is_number:
            raise ArgumentError(argument, given, allowed)
    return dict(given)


def instance(argument: str, given: Any, kind: type[T] | tuple[type[T], ...], allowed: str) -> T:
    """A value of one type; `allowed` holds in words which and where it comes from.

    Raises:
        ArgumentError: it is of another type.
    """
    if not isinstance(given, kind):
        raise ArgumentError(argument, given, allowed)
    return given


def having(argument: str, given: Any, attributes: Collection[str], allowed: str) -> None:
    """An object with some attributes, whatever its class; `allowed` holds in words where it comes from.

    Raises:
        ArgumentError: it lacks one.
    """
    if not all(hasattr(given, attribute) for attribute in attributes):
        raise ArgumentError(argument, given, allowed)


def rows_of(argument: str, given: Any) -> Sequence[Any]:
    """A list or a tuple.

    Raises:
        ArgumentError: it is something else.
    """
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise ArgumentError(argument, given, "a list or a tuple")
    return given


def mapping_of(argument: str, given: Any, kind: type[T], allowed: str) -> Mapping[str, T]:
    """Names with a value of one type each; `allowed` holds in words which and where they come from.

    Raises:
        ArgumentError: it is something else.
    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ArgumentError(argument, given, allowed)
    if not all(isinstance(value, kind) for value in given.values()):
        raise ArgumentError(argument, given, allowed)
    return given


def arguments(**given: Any) -> None:
    """Check the types of arguments that mean the same wherever they stand; their values are left to the function.

    Args:
        given: name of an argument to its value; a list that was given as an iterator is refused, as it is read twice.

    Raises:
        ArgumentError: one is of another type, or out of the range that it has everywhere.
    """
    for argument, value in given.items():
        if isinstance(value, Iterator):
            raise ArgumentError(
                argument, value, "a list or a tuple, which can be read more than once"
            )
        _SHARED[argument](argument, value)


def _engine(argument: str, given: Any) -> None:
    if not isinstance(given, str) and not hasattr(given, "confine"):
        raise ArgumentError(
            argument, given, "the name of an engine, such as 'duckdb', or an engine"
        )


def _count(low: int) -> Callable[[str, Any], object]:
    return lambda argument, given: whole_number(argument, given, low)


def _word(*allowed: str) -> Callable[[str, Any], object]:
    return lambda argument, given: one_of(argument, given, allowed)


def list_of_numbers(argument: str, given: Any) -> None:
    """Numbers of any kind and order.

    Raises:
        ArgumentError: it is something else.
    """
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise ArgumentError(argument, given, "a list of numbers, such as (30, 90, 365)")
    for n in given:
        if not isinstance(n, Real) or _is_bool(n):
            raise ArgumentError(argument, given, "a list of numbers, such as (30, 90, 365)")


def _number(argument: str, given: Any) -> None:
    if not isinstance(given, Real) or _is_bool(given):
        raise ArgumentError(argument, given, "a number")


def _days(argument: str, given: Any) -> None:
    """A whole number of whatever sign: its range is the function's own."""
    try:
        operator.index(given)
    except TypeError:
        raise ArgumentError(argument, given, "a whole number") from None
    if _is_bool(given):
        raise ArgumentError(argument, given, "a whole number")


def _callable(argument: str, given: Any) -> None:
    if not callable(given):
        raise ArgumentError(argument, given, "a function of one text")


def _path(argument: str, given: Any) -> None:
    if not isinstance(given, str | os.PathLike):
        raise ArgumentError(argument, given, "a path, as text or a Path")


def _mapping(argument: str, given: Any) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ArgumentError(argument, given, "a mapping, such as a dict, whose keys are text")


def _texts(argument: str, given: Any) -> None:
    allowed = "a mapping of names to texts, such as {'NAME': 'value'}"
    if not isinstance(given, Mapping):
        raise ArgumentError(argument, f"a {type(given).__name__}", allowed)
    if not all(isinstance(part, str) for pair in given.items() for part in pair):
        # the values may be passwords
        raise ArgumentError(argument, "a mapping with something else", allowed)


_SHARED: dict[str, Callable[[str, Any], object]] = {
    **dict.fromkeys(("terms", "strata", "held", "a", "b", "common", "causes", "features"), names),
    **dict.fromkeys(("cause", "age", "history", "matched_on", "unit", "by", "event", "treatment"), text),
    **dict.fromkeys(("numerator", "subset"), levels),
    **dict.fromkeys(("weights",), weights),
    **dict.fromkeys(("level", "part"), fraction),
    **dict.fromkeys(("min_cell", "min_at_risk", "draws", "nth", "most"), _count(1)),
    **dict.fromkeys(("min_events", "seed"), _count(0)),
    **dict.fromkeys(("days", "fresh_days", "long_tenure_days", "quick_hours", "recent", "older"), _days),
    **dict.fromkeys(("edges", "breaks", "blackout_days", "window_days", "horizon_days", "truths"), list_of_numbers),
    **dict.fromkeys(("alone", "verdicts_only", "keep", "time_fixed"), flag),
    **dict.fromkeys(("observed_from_start", "first", "or_unknown", "within_kind"), flag),
    **dict.fromkeys(("path", "folder"), _path),
    "adjustments": names,
    "clock": text,
    "engine": _engine,
    "errors": _word("robust", "model"),
    "grade": text,
    "horizon": _count(1),
    "pilot_customers": _count(1),
    "reading": text,
    "stratum": _texts,
    "grades": names,
    "among": names,
    "only": names,
    "progress": _callable,
    "required_columns": names,
    "raw": _mapping,
    "state": _path,
    "until_nth": _count(1),
    "variables": _texts,
    "frozen_at": text,
}  # fmt: skip


def optional(**given: Any) -> None:
    """As `arguments`, where None stands for what is not given."""
    arguments(**{argument: value for argument, value in given.items() if value is not None})


def lookup(items: Mapping[str, T], name: Any, what: str) -> T:
    """The item of that name.

    Raises:
        UnknownNameError: there is none; the nearest name is suggested.
    """
    if not isinstance(name, str) or name not in items:
        raise UnknownNameError(name, items, what=what)
    return items[name]


def _is_bool(given: Any) -> bool:
    return isinstance(given, bool) or type(given).__name__ in ("bool", "bool_")
