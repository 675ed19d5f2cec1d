"""From plain values to claims: the catalogue, and `[[claims]]` of a study file, which have the same grammar."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from cxresearch.claims.kinds import AnyReading, type_of
from cxresearch.claims.readings import Reading
from cxresearch.claims.schema import Claim
from cxresearch.errors import ClaimError, StudyError, nearest
from cxresearch.study import settings
from cxresearch.utils.checks import lookup
from cxresearch.utils.html_tables import html_table

__all__ = [
    "SECTIONS",
    "AnyReading",
    "Catalogue",
    "Claim",
    "Reading",
    "catalogue",
    "claims_of",
    "parse_claim",
]

SECTIONS = ("tolerance", "what_counts", "problems", "hidden", "levers")  # of the catalogue
_BASE_RATE = {"id": "left-anyway", "kind": "incidence", "descriptive": True}
_OF_ITS_OWN = (
    "id",
    "label",
    "primary",
    "descriptive",
    "alternative",
    "requires",
    "sensitivity",
    "same_as",
)
_OF_A_REGION = ("region", "smallest_effect", "why_not_contradicted")


def parse_claim(raw: Mapping[str, Any]) -> Claim:
    """A claim from an entry of the catalogue or of a study file.

    A reading with `same_as` has the keys of that reading, which stands above it, except for those that it gives itself.
    A `base_rate` can be the keys of a reading instead of the id of one: an incidence that is only shown next to the
    others, called ``left-anyway``.

    Raises:
        ClaimError: the entry is not in the grammar; the message names the field and what is allowed.
    """
    if not isinstance(raw, Mapping):
        raise ClaimError(
            f"claims: an entry must be a section with keys of its own, written [[claims]], was {raw!r}"
        )
    where = f"claims.{raw.get('id', '?')}"
    readings = raw.get("readings", [])
    if not isinstance(readings, list | tuple):
        raise ClaimError(
            f"{where}.readings must be a list, each written [[claims.readings]], was {readings!r}"
        )
    base_rate = raw.get("base_rate")
    if isinstance(base_rate, Mapping):
        readings = [*readings, {**_BASE_RATE, **base_rate}]
        base_rate = readings[-1]["id"]
    try:
        complete = _completed(where, readings)
        claim = settings.convert(
            where, {**raw, "base_rate": base_rate, "readings": complete}, Claim
        )
    except StudyError as e:
        raise ClaimError(str(e)) from None
    claim.validate()
    return claim


def _completed(where: str, readings: Iterable[Any]) -> list[dict[str, Any]]:
    """The readings with all their keys; each is checked by itself, so that messages name it."""
    result: dict[str, dict[str, Any]] = {}
    complete = []
    for i, raw in enumerate(readings):
        at = f"{where}.readings.{raw.get('id', i) if isinstance(raw, Mapping) else i}"
        if not isinstance(raw, Mapping):
            raise ClaimError(
                f"{at} must be a section with keys of its own, written [[claims.readings]], was {raw!r}"
            )
        completed = _with_keys_of_another(at, raw, result)
        kind = type_of(at, completed)
        settings.convert(
            at, {key: value for key, value in completed.items() if key != "kind"}, kind
        )
        result[str(completed.get("id"))] = completed
        complete.append(completed)
    return complete


def _with_keys_of_another(
    where: str, raw: Mapping[str, Any], known: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    name = raw.get("same_as")
    if name is None:
        return dict(raw)
    if not isinstance(name, str) or name not in known:
        above = nearest(str(name), known) or f"; above it are: {', '.join(known) or 'none'}"
        raise ClaimError(f"{where}.same_as must name a reading above it, was {name!r}{above}")
    if "kind" in raw:
        raise ClaimError(
            f"{where}.kind: it is the kind of {name}, which same_as names; leave one of the two out"
        )
    left_out = (*_OF_ITS_OWN, *(_OF_A_REGION if raw.get("descriptive") is True else ()))
    taken = {key: value for key, value in known[name].items() if key not in left_out}
    return taken | {key: value for key, value in raw.items() if key != "same_as"}


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
        return html_table(
            f"The catalogue: {len(self)} claims", ("claim", "statement", "source"), rows
        )


@cache
def catalogue() -> Catalogue:
    """Every claim the package knows by id, in the order of the catalogue.

    Example:
        >>> import cxresearch as cx
        >>> claims = cx.catalogue()
        >>> len(claims)
        28
        >>> claims["bad-moments-drive-away"].statement
        'A bad moment pushes customers away.'
    """
    folder = files("cxresearch.claims").joinpath("catalogue")
    texts = [folder.joinpath(f"{name}.toml").read_text(encoding="utf-8") for name in SECTIONS]
    return Catalogue(claim for text in texts for claim in _section(tomllib.loads(text)))


def _section(raw: Mapping[str, Any]) -> Iterator[Claim]:
    """The claims of a file; histories at its head are for all of them, and a claim keeps those that it uses."""
    for entry in raw["claims"]:
        claim = parse_claim(
            {**entry, "histories": {**raw.get("histories", {}), **entry.get("histories", {})}}
        )
        used = {
            claim.exposure,
            *(name for r in claim.readings for name in (*r.names(), *r.subjects())),
        }
        used_histories = {
            name: history for name, history in claim.histories.items() if name in used
        }
        yield msgspec.structs.replace(claim, histories=used_histories)


def claims_of(of_study: tuple[Mapping[str, Any], ...]) -> tuple[Claim, ...]:
    """The catalogue and the claims of a study; one of these with a known id takes its place.

    Raises:
        ClaimError: an entry is not in the grammar, or two of them share an id.
    """
    mine: dict[str, Claim] = {}
    for claim in map(parse_claim, of_study):
        if claim.id in mine:
            raise ClaimError(
                f"claims.{claim.id}: two claims of the study have this id; give each an id of its own"
            )
        mine[claim.id] = claim
    known = tuple(mine.pop(c.id, c) for c in catalogue().values())
    return (*known, *mine.values())
