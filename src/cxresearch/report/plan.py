"""Which pages a run makes: of which notebook, and what it is told."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxresearch.bundled import notebook_path
from cxresearch.errors import ParameterError
from cxresearch.report.parameters import checked, declared


@dataclass(frozen=True, slots=True)
class Plan:
    """A page to be made.

    Attributes:
        page: its name, without the ending.
        notebook: where it lies.
        values: what it is told.
    """

    page: str
    notebook: Path
    values: Mapping[str, Any]

    @property
    def file(self) -> str:
        """The page's file name."""
        return f"{self.page}.html"


def plans(
    notebooks: Sequence[str], given: Mapping[str, Any], parameters: Mapping[str, Any] | None = None
) -> tuple[Plan, ...]:
    """The pages that notebooks make.

    Args:
        notebooks: their names; a notebook that takes ``claim`` makes a page for each of the claims given.
        given: what the run knows, by name; a notebook is told what it takes of it.
        parameters: what was asked for by name; each must be taken by a notebook.

    Returns:
        The pages, in the order of the notebooks and claims; no two of one name.

    Raises:
        ParameterError: no such notebook, a parameters cell that is missing or holds what is not declared, a
            parameter that no notebook takes or with a wrong value, or two pages of one name.
    """
    asked = dict(parameters or {})
    found = [(name, notebook_path(name)) for name in dict.fromkeys(notebooks)]
    takes = {name: _taken(name, path) for name, path in found}
    every = tuple(dict.fromkeys(p for t in takes.values() for p in t))
    checked(asked, every)
    made = [p for name, path in found for p in _plans(name, path, takes[name], {**given, **asked})]
    if given.get("claims") and not {"claims", "claim"} & set(every):
        raise ParameterError(f"claims were given, and none of these notebooks takes them: {', '.join(notebooks)}")
    names = [p.page for p in made]
    twice = [n for n in names if names.count(n) > 1]
    if twice:
        raise ParameterError(
            f"two pages would both be called {twice[0]}.html; run them one by one, to different folders"
        )
    return tuple(made)


def _plans(name: str, path: Path, takes: Mapping[str, Any], given: Mapping[str, Any]) -> list[Plan]:
    values = checked({k: v for k, v in given.items() if v is not None and k in takes}, tuple(takes))
    if "claim" not in takes:
        return [Plan(name, path, values)]
    ids = [given["claim"]] if given.get("claim") else given.get("claims") or [takes["claim"]]
    return [
        Plan(f"{name}-{_file_name(claim)}", path, values | checked({"claim": claim}, tuple(takes)))
        for claim in dict.fromkeys(ids)
    ]


def _taken(name: str, path: Path) -> dict[str, Any]:
    """What the parameters cell of a notebook sets, with its own values."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    source = next(("".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", ())), "")
    taken: dict[str, Any] = {}
    for line in ast.parse(source).body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(line, ast.Assign | ast.AnnAssign) and line.value is not None:
                taken[target.id] = ast.literal_eval(line.value)
    if "study" not in taken:
        raise ParameterError(f"the notebook {name} needs a cell tagged parameters that sets study")
    declared(taken)
    return taken


def _file_name(claim: str) -> str:
    """The id of a claim as part of a file's name, whatever a study file calls it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", claim).strip("-") or "unnamed"
