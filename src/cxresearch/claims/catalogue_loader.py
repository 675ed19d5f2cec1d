"""A claim is data: the grammar of the catalogue, the same as `[[claims]]` in a study file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from cxresearch.checks import lookup
from cxresearch.claims.schema import Claim, Reading, features, names_used, region, subjects
from cxresearch.claims.validation import check
from cxresearch.errors import ClaimError, StudyError
from cxresearch.html_tables import html_table
from cxresearch.study import settings

__all__ = [
    "SECTIONS",
    "Catalogue",
    "Claim",
    "Reading",
    "catalogue",
    "claims_of",
    "features",
    "names_used",
    "parse_claim",
    "region",
    "subjects",
    "to_builtins",
]

SECTIONS = ("tolerance", "what_counts", "problems", "hidden", "levers")  # of the catalogue


def parse_claim(raw: Mapping[str, Any]) -> Claim:
    """A claim from an entry of the catalogue or of a study file.

    Raises:
        ClaimError: the entry is not in the grammar; the message names the field and what is allowed.
    """
    if not isinstance(raw, Mapping):
        raise ClaimError(f"claims: an entry must be a section with keys of its own, written [[claims]], was {raw!r}")
    where = f"claims.{raw.get('id', '?')}"
    readings = raw.get("readings", [])
    if not isinstance(readings, list | tuple):
        raise ClaimError(f"{where}.readings must be a list, each written [[claims.readings]], was {readings!r}")
    try:
        for i, reading in enumerate(readings):
            named = reading.get("id", i) if isinstance(reading, Mapping) else i
            settings.convert(f"{where}.readings.{named}", reading, Reading)
        claim = settings.convert(where, raw, Claim)
    except StudyError as e:
        raise ClaimError(str(e)) from None
    check(claim)
    return claim


class Catalogue(Mapping[str, Claim]):
    """Claims by id, in the order of the catalogue."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self._claims = {c.id: c for c in claims}

    def __getitem__(self, claim: str) -> Claim:
        return lookup(self._claims, claim, "claim in the catalogue")

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def __repr__(self) -> str:
        return f"Catalogue({len(self)} claims: {', '.join(self)})"

    def _repr_html_(self) -> str:
        rows = ((c.id, c.statement, c.source) for c in self.values())
        return html_table(f"The catalogue: {len(self)} claims", ("claim", "statement", "source"), rows)


@cache
def catalogue() -> Catalogue:
    """Every claim the package knows by id, in the order of the catalogue."""
    folder = files("cxresearch.claims").joinpath("catalogue")
    texts = [folder.joinpath(f"{name}.toml").read_text(encoding="utf-8") for name in SECTIONS]
    return Catalogue(parse_claim(raw) for text in texts for raw in tomllib.loads(text)["claims"])


def claims_of(own: tuple[Mapping[str, Any], ...]) -> tuple[Claim, ...]:
    """The catalogue and a study's own claims; an own one with a known id takes its place.

    Raises:
        ClaimError: an entry is not in the grammar, or two of them share an id.
    """
    mine: dict[str, Claim] = {}
    for claim in map(parse_claim, own):
        if claim.id in mine:
            raise ClaimError(f"claims.{claim.id}: two claims of the study have this id; give each an id of its own")
        mine[claim.id] = claim
    known = tuple(mine.pop(c.id, c) for c in catalogue().values())
    return (*known, *mine.values())


def to_builtins(claim: Claim) -> Any:
    """The claim as plain values, for fingerprints."""
    return msgspec.to_builtins(claim)
