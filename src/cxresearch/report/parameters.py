"""What a notebook may be told: declared once, typed, and checked before a kernel starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cxresearch.engine_names import ENGINES
from cxresearch.errors import ParameterError, nearest


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing a notebook may be told.

    Attributes:
        name: as in the notebook's parameters cell.
        kind: ``text``, ``texts`` or ``number``.
        help: what it is, for messages.
        allowed: the values it may have; empty for any.
    """

    name: str
    kind: str
    help: str
    allowed: tuple[str, ...] = ()


PARAMETERS = (
    Parameter("study", "text", "the study file"),
    Parameter("claims", "texts", "ids of claims; none for all"),
    Parameter("claim", "text", "the id of one claim"),
    Parameter("engine", "text", "where tables are read", ENGINES),
    Parameter("title", "text", "the question at the top of the page"),
)
_BY_NAME = {p.name: p for p in PARAMETERS}


def checked(given: Mapping[str, Any], takes: Iterable[str] | None = None) -> dict[str, Any]:
    """Values for a notebook, plain enough for its kernel: texts, numbers and lists of texts.

    Args:
        given: values by name. Tuples and sets become lists, paths and dates text: papermill would make text
            of the first two without a word. None leaves a notebook's own value.
        takes: the names in the notebook's parameters cell; all that are declared if not given.

    Returns:
        The values to pass, in the order of the declaration.

    Raises:
        ParameterError: an unknown name (the nearest is suggested), one the notebook does not take, or a value of
            the wrong kind.
    """
    known = tuple(_BY_NAME) if takes is None else tuple(takes)
    for name in given:
        if name not in _BY_NAME:
            raise ParameterError(
                f"no parameter {name!r}{nearest(name, _BY_NAME) or '; there are: ' + ', '.join(_BY_NAME)}"
            )
        if name not in known:
            raise ParameterError(f"the notebook takes no parameter {name!r}; it takes: {', '.join(known)}")
    values = {p.name: _plain(p, given[p.name]) for p in PARAMETERS if given.get(p.name) is not None}
    for name, value in values.items():
        allowed = _BY_NAME[name].allowed
        if allowed and value not in allowed:
            raise ParameterError(
                f"{name} must be one of {', '.join(allowed)}, was {value!r}{nearest(str(value), allowed)}"
            )
    return values


def from_text(given: Mapping[str, str]) -> dict[str, Any]:
    """Values as they are written on a command line.

    Args:
        given: texts by name; items of a list stand between commas.

    Returns:
        Values by name, of the declared kinds.

    Raises:
        ParameterError: an unknown name (the nearest is suggested), ``study``, which is given otherwise, or a number
            that is none.
    """
    checked(dict.fromkeys(given))
    if "study" in given:
        raise ParameterError("study is no parameter here: it is the command's argument")
    return {name: _meant(_BY_NAME[name], value) for name, value in given.items()}


def _meant(parameter: Parameter, value: str) -> Any:
    if parameter.kind == "texts":
        return [part.strip() for part in value.split(",") if part.strip()]
    if parameter.kind == "number":
        try:
            return int(value) if value.lstrip("+-").isdigit() else float(value)
        except ValueError:
            raise ParameterError(f"{parameter.name} must be a number ({parameter.help}), was {value!r}") from None
    return value


def declared(names: Iterable[str]) -> None:
    """Check that a notebook's parameters cell holds declared names only.

    Raises:
        ParameterError: it holds another.
    """
    for name in names:
        if name not in _BY_NAME:
            raise ParameterError(f"the parameters cell sets {name!r}, which is not declared{nearest(name, _BY_NAME)}")


def _plain(parameter: Parameter, value: Any) -> Any:
    if isinstance(value, Path | date):
        value = str(value)
    if parameter.kind == "texts":
        if isinstance(value, str):
            value = [value]
        if isinstance(value, set | frozenset):
            value = sorted(value, key=str)
        if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            return list(value)
        raise ParameterError(f"{parameter.name} must be a list of texts ({parameter.help}), was {value!r}")
    wanted: tuple[type, ...] = (int, float) if parameter.kind == "number" else (str,)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ParameterError(f"{parameter.name} must be a {parameter.kind} ({parameter.help}), was {value!r}")
    return value
