"""What rival explanations there are, in words, and how each applies to a kind of reading: the data of rivals.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from cxresearch.claims.schema import RivalEntry


@dataclass(frozen=True, slots=True)
class Description:
    """A rival explanation in words.

    Attributes:
        id: short name.
        title: what it is called.
        plain: what it says.
        analysis: how it is tried.
        dismissed: what a study declares that rules it out; may be empty.
    """

    id: str
    title: str
    plain: str
    analysis: str
    dismissed: str = ""


@cache
def descriptions() -> dict[str, Description]:
    """Every rival explanation by id, in the order in which they are shown."""
    return {entry["id"]: Description(**entry) for entry in _data()["rivals"]}


@cache
def _data() -> dict[str, Any]:
    text = files("cxresearch.claims").joinpath("rivals.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def default_entries(kind: str) -> dict[str, RivalEntry]:
    """How each rival applies to a kind of reading: ``hazard``, ``excess`` or ``fact``."""
    return {name: RivalEntry(**entry) for name, entry in _data()["defaults"][kind].items()}
