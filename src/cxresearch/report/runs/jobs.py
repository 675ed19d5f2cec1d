"""Which pages a run makes, of which notebook, with which checked parameters."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cxresearch.errors import ParameterError, nearest
from cxresearch.utils.bundled import notebook_path
from cxresearch.utils.engine_names import ENGINES


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a notebook.

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
    Parameter("by", "text", "the covariate whose levels are the segments"),
    Parameter("engine", "text", "where tables are read", ENGINES),
    Parameter("companies", "number", "how many companies planning simulates for each truth"),
    Parameter("folder", "text", "where the files of a public data set lie"),
    Parameter("title", "text", "the question at the top of the page"),
)
_BY_NAME = {p.name: p for p in PARAMETERS}


def checked(given: Mapping[str, Any], takes: Iterable[str] | None = None) -> dict[str, Any]:
    """Values for a notebook, plain enough for its kernel: texts, numbers and lists of texts.

    Args:
        given: values by name. Tuples and sets become lists, paths and dates text: papermill would make text
            of the first two without a word. None leaves the value of the notebook.
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
            raise ParameterError(
                f"the notebook takes no parameter {name!r}; it takes: {', '.join(known)}"
            )
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
            raise ParameterError(
                f"{parameter.name} must be a number ({parameter.help}), was {value!r}"
            ) from None
    return value


def declared(names: Iterable[str]) -> None:
    """Check that a notebook's parameters cell holds declared names only.

    Raises:
        ParameterError: it holds another.
    """
    for name in names:
        if name not in _BY_NAME:
            raise ParameterError(
                f"the parameters cell sets {name!r}, which is not declared{nearest(name, _BY_NAME)}"
            )


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
        raise ParameterError(
            f"{parameter.name} must be a list of texts ({parameter.help}), was {value!r}"
        )
    wanted: tuple[type, ...] = (int, float) if parameter.kind == "number" else (str,)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ParameterError(
            f"{parameter.name} must be a {parameter.kind} ({parameter.help}), was {value!r}"
        )
    return value


@dataclass(frozen=True, slots=True)
class PageJob:
    """A page to be made.

    Attributes:
        page: its name, without the ending.
        notebook: where it lies.
        values: its parameters.
    """

    page: str
    notebook: Path
    values: Mapping[str, Any]

    @property
    def file(self) -> str:
        """The page's file name."""
        return f"{self.page}.html"


def page_jobs(
    notebooks: Sequence[str], given: Mapping[str, Any], parameters: Mapping[str, Any] | None = None
) -> tuple[PageJob, ...]:
    """The pages that notebooks make.

    Args:
        notebooks: their names; a notebook that takes ``claim`` makes a page for each of the claims given.
        given: what the run knows, by name; a notebook gets those that it has as parameters.
        parameters: what was asked for by name; each must be taken by a notebook.

    Returns:
        The pages, in the order of the notebooks and claims; no two of one name.

    Raises:
        ParameterError: no such notebook, a parameters cell that is missing or holds what is not declared, a
            parameter that no notebook takes or with a wrong value, or two pages of one name.
    """
    asked = dict(parameters or {})
    result = [(name, notebook_path(name)) for name in dict.fromkeys(notebooks)]
    takes = {name: _taken(name, path) for name, path in result}
    every = tuple(dict.fromkeys(p for t in takes.values() for p in t))
    checked(asked, every)
    made = [
        p for name, path in result for p in _page_jobs(name, path, takes[name], {**given, **asked})
    ]
    if given.get("claims") and not {"claims", "claim"} & set(every):
        raise ParameterError(
            f"claims were given, and none of these notebooks takes them: {', '.join(notebooks)}"
        )
    names = [p.page for p in made]
    twice = [n for n in names if names.count(n) > 1]
    if twice:
        raise ParameterError(
            f"two pages would both be called {twice[0]}.html; run them one by one, to different folders"
        )
    return tuple(made)


def _page_jobs(
    name: str, path: Path, takes: Mapping[str, Any], given: Mapping[str, Any]
) -> list[PageJob]:
    values = checked({k: v for k, v in given.items() if v is not None and k in takes}, tuple(takes))
    if "claim" not in takes:
        return [PageJob(name, path, values)]
    ids = [given["claim"]] if given.get("claim") else given.get("claims") or [takes["claim"]]
    return [
        PageJob(
            f"{name}-{_file_name(claim)}", path, values | checked({"claim": claim}, tuple(takes))
        )
        for claim in dict.fromkeys(ids)
    ]


def _taken(name: str, path: Path) -> dict[str, Any]:
    """What the parameters cell of a notebook sets, with the values there."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    source = next(
        ("".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", ())), ""
    )
    taken: dict[str, Any] = {}
    for line in ast.parse(source).body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        for target in targets:
            if (
                isinstance(target, ast.Name)
                and isinstance(line, ast.Assign | ast.AnnAssign)
                and line.value is not None
            ):
                taken[target.id] = ast.literal_eval(line.value)
    if "study" not in taken:
        raise ParameterError(f"the notebook {name} needs a cell tagged parameters that sets study")
    declared(taken)
    return taken


def _file_name(claim: str) -> str:
    """The id of a claim as part of a file's name, whatever a study file calls it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", claim).strip("-") or "unnamed"
