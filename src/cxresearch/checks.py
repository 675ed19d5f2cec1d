"""Checks of arguments of the public functions: each returns the value in the type that the code works with."""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Iterable, Mapping
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
    """A value of one type; `allowed` says in words which and where it comes from.

    Raises:
        ArgumentError: it is of another type.
    """
    if not isinstance(given, kind):
        raise ArgumentError(argument, given, allowed)
    return given


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
