"""Takes the values of ``${NAME}`` out of what is kept or told, in whatever way a notebook or a message writes them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cxresearch.study import Study
from cxresearch.trust import variable

_NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def redactor(file: Path, study: Study, variables: Mapping[str, str]) -> Callable[[str], str]:
    """What turns values back into ``${NAME}``.

    Args:
        file: the study file.
        study: what was read from it.
        variables: values that were given; the environment holds the others that the user allows.

    Returns:
        A function of a text.
    """
    names = set(_NAME.findall(file.read_text(encoding="utf-8-sig", errors="replace")))
    values = {name: variable(name, variables) for name in names} | dict(variables)
    shown = {form: name for name, value in values.items() if value for form in _forms(value)}
    longest_first = sorted(shown, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first))) if shown else None

    def redact(text: str) -> str:
        text = study.redact(text)
        return pattern.sub(lambda result: f"${{{shown[result[0]]}}}", text) if pattern else text

    return redact


def cleared(notebook: Any, redact: Callable[[str], str]) -> Any:
    """The JSON of a notebook with every text redacted.

    Args:
        notebook: objects, lists, texts and numbers.
        redact: from `redactor`.
    """
    if isinstance(notebook, str):
        return redact(notebook)
    if isinstance(notebook, list):
        # the lines of one text stand in a list, and a value may go over several
        if notebook and all(isinstance(part, str) for part in notebook):
            return redact("".join(notebook)).splitlines(keepends=True)
        return [cleared(part, redact) for part in notebook]
    if isinstance(notebook, dict):
        return {redact(key): cleared(value, redact) for key, value in notebook.items()}
    return notebook


def _forms(value: str) -> set[str]:
    """A value as it is, and as JSON, Python and HTML write it, once and twice."""
    forms = {value}
    for _ in range(2):
        forms |= {json.dumps(form)[1:-1] for form in forms}
        forms |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms}
        # Python escapes a quote only beside one of the other kind
        forms |= {
            repr(form + other)[1:-1].removesuffix(other) for form in forms for other in ("", '"')
        }
        forms |= {html.escape(form) for form in forms}
    return forms - {""}
