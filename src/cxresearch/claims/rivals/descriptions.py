"""What rival explanations are called, and how each applies to a kind of reading: the data of rivals.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from cxresearch.study.settings import Section


@dataclass(frozen=True, slots=True)
class Description:
    """A rival explanation in words.

    Attributes:
        id: short name.
        title: what it is called.
        plain: what it is, in plain words.
        analysis: how it is tried.
        dismissed: what a study declares that rules it out; may be empty.
    """

    id: str
    title: str
    plain: str
    analysis: str
    dismissed: str = ""


class RivalEntry(Section, frozen=True):
    """How a rival explanation applies to a claim.

    Attributes:
        status: ``required``: a verdict must survive it; ``shown``: its number is shown and decides nothing; ``held
            equal``: it is in the model itself; ``aliased``: the data cannot separate it from what the claim asks about;
            ``meaningless``: it explains nothing here.
        reason: why, in a sentence.
        in_shops: the same where retention is derived from contacts, if it differs.
        plain: what the rival is for this claim, if it differs from `Description.plain`.
        readings: ids of readings of the claim that stand for its analysis; the standard one when not given.
        lead_days: days that are left aside, of `already-leaving`; those of the study when not given.
        is_control: whether `readings` are negative controls, which show no difference unless the rival is at work.
    """

    status: Literal["required", "shown", "held equal", "aliased", "meaningless"]
    reason: str
    in_shops: str = ""
    plain: str = ""
    readings: tuple[str, ...] = ()
    lead_days: tuple[int, ...] = ()
    is_control: bool = False


@cache
def descriptions() -> dict[str, Description]:
    """Every rival explanation by id, in the order in which they are shown."""
    return {entry["id"]: Description(**entry) for entry in _data()["rivals"]}


@cache
def _data() -> dict[str, Any]:
    text = files("cxresearch.claims.rivals").joinpath("rivals.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def default_entries(group: str) -> dict[str, RivalEntry]:
    """How each rival applies to a group of kinds of readings: ``hazard``, ``excess``, ``comparison`` or ``fact``."""
    return {name: RivalEntry(**entry) for name, entry in _data()["defaults"][group].items()}
