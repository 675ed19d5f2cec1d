"""What takes long to import is imported when it is first used.

Altair and nbformat import ``jsonschema``. Where JupyterLab has brought ``rfc3987_syntax`` along, that is imported too;
it builds forty grammars of addresses: more than half of the time until a kernel can draw. No page and no notebook asks
for the form of such an address.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_GRAMMARS = "rfc3987_syntax"


def import_jsonschema() -> None:
    """Import ``jsonschema`` without the grammars; it imports them when a value is checked against them.

    Nothing is done where either has been imported already, or the grammars are not installed.
    """
    if {"jsonschema", _GRAMMARS} & set(sys.modules) or find_spec(_GRAMMARS) is None:
        return
    deferred = ModuleType(_GRAMMARS)
    deferred.is_valid_syntax = _is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[_GRAMMARS] = deferred
    try:
        import_module("jsonschema")
    finally:
        del sys.modules[_GRAMMARS]


def _is_valid_syntax(rule: str, text: str) -> bool:
    """The answer of ``rfc3987_syntax.is_valid_syntax``, which is imported now."""
    return bool(import_module(_GRAMMARS).is_valid_syntax(rule, text))
