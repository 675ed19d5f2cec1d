"""The terms of a reading: what its model holds, what is contrasted, combined or set against each other."""

from __future__ import annotations

import math
from collections.abc import Iterable

from cxresearch.claims.entry import Claim, Reading, features
from cxresearch.errors import ClaimError, nearest

_HEAVIEST = 1_000


def check_terms(where: str, claim: Claim, r: Reading) -> None:
    """Refuse terms that no model could have, and weights that make no number.

    Args:
        where: path of the reading, for messages.
        claim: of the reading.
        r: the reading; its histories and covariates are known ones.

    Raises:
        ClaimError: the message names the field and what is allowed.
    """
    if r.model:
        _terms(f"{where}.model.terms", r.model.terms)
        _distinct(f"{where}.model.strata", r.model.strata)
        for name in r.model.strata:
            if name in claim.histories:
                raise ClaimError(
                    f"{where}.model.strata: {name!r} is a history, and a stratum must be fixed; make it a term"
                )
            if any(name in features(term) for term in r.model.terms):
                raise ClaimError(f"{where}: {name!r} cannot be a term and a stratum at once")
    _check_contest(where, r)
    _check_contrast(f"{where}.contrast", claim, r)
    _weights(f"{where}.combine", r.combine)
    known = r.model.terms if r.model else ()
    for name in r.combine:
        if name not in known or features(name) != (name,):
            raise ClaimError(
                f"{where}.combine: {name!r} must be a term of the model by itself{nearest(name, known)}; "
                f"it has: {', '.join(known)}"
            )


def _check_contest(where: str, r: Reading) -> None:
    if not r.contest:
        return
    sides = {"first": r.contest.first, "second": r.contest.second}
    for side, terms in sides.items():
        if not terms:
            raise ClaimError(f"{where}.contest.{side} must name at least one term")
        _terms(f"{where}.contest.{side}", terms)
    held = r.model.terms if r.model else ()
    for term in (*r.contest.first, *r.contest.second):
        if sum(term in terms for terms in (*sides.values(), held)) > 1:
            raise ClaimError(f"{where}.contest: {term!r} is in two places: a term is held equal or is a contestant")
    for name in r.model.strata if r.model else ():
        if any(name in features(term) for term in (*r.contest.first, *r.contest.second)):
            raise ClaimError(f"{where}: {name!r} cannot be a term and a stratum at once")


def _check_contrast(where: str, claim: Claim, r: Reading) -> None:
    _weights(where, r.contrast)
    known = r.model.terms if r.model else ()
    for term in r.contrast:
        parts = []
        for part in term.split(":"):
            (name,) = features(part)
            _check_part(where, claim, name, part)
            parts.append(name if part != f"linear({name})" else part)
        if ":".join(parts) not in known:
            raise ClaimError(
                f"{where}: {term!r} is not in the model{nearest(':'.join(parts), known)}; its terms are: "
                f"{', '.join(known)}"
            )


def _check_part(where: str, claim: Claim, name: str, part: str) -> None:
    """A level of a history, its levels as numbers, or a covariate's level, which a study knows."""
    if name not in claim.histories:
        if name not in claim.covariates:
            raise ClaimError(f"{where}: no history {name!r}{nearest(name, [*claim.histories, *claim.covariates])}")
        return
    if part == f"linear({name})":
        return
    levels = claim.history(name).levels
    allowed = ", ".join(f"{name}[{v}]" for v in levels[1:])
    level = part.removeprefix(f"{name}[").removesuffix("]")
    if part != f"{name}[{level}]":
        raise ClaimError(f"{where}: {part!r} must name a level: {allowed}")
    if level == levels[0]:
        raise ClaimError(f"{where}: {part} is what the others are compared with; they are: {allowed}")
    if level not in levels:
        raise ClaimError(f"{where}: {name} has no level {level!r}{nearest(level, levels)}; it has: {', '.join(levels)}")


def _terms(where: str, terms: Iterable[str]) -> None:
    """Names, ``linear(name)``, and products of such."""
    _distinct(where, terms)
    for term in terms:
        for part in term.split(":"):
            (name,) = features(part)
            if part not in (name, f"linear({name})"):
                raise ClaimError(
                    f"{where}: {part!r} is no term; write {name!r}, 'linear({name})' or a product such as 'a:b'"
                )


def _weights(where: str, weights: dict[str, float]) -> None:
    for term, weight in weights.items():
        if not (math.isfinite(weight) and abs(weight) <= _HEAVIEST):
            raise ClaimError(
                f"{where}: the weight of {term} must be between -{_HEAVIEST} and {_HEAVIEST}, was {weight}"
            )
    if weights and not any(weights.values()):
        raise ClaimError(f"{where}: all weights are 0; one must be something else")


def _distinct(where: str, names: Iterable[str]) -> None:
    found = list(names)
    twice = next((n for n in found if found.count(n) > 1), None)
    if twice is not None:
        raise ClaimError(f"{where}: {twice!r} is named twice; name it once")
