"""Whether a claim makes sense: a wrong entry is an error when it is read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from string import Formatter

from msgspec import NODEFAULT
from msgspec.structs import fields

from cxresearch.claims.decide import Region
from cxresearch.claims.schema import (
    LARGEST,
    Claim,
    Reading,
    Since,
    Text,
    Worst,
    check_called,
    features,
    names_used,
    region,
)
from cxresearch.errors import ClaimError, nearest
from cxresearch.records.follow_up import CAUSES

ANY = (
    "id", "label", "shape", "primary", "describes", "region", "smallest_effect", "alternative", "not_contradicted",
    "requires", "ladder",
)  # fmt: skip
_MODELLED = ("event", "clock", "model", "final", "after_days", "among")
KEYS: dict[str, tuple[str, ...]] = {
    "incidence": ("event", "clock", "until", "horizon_days", "ratio_to", "among"),
    "excess": ("event", "horizon_days", "compare", "part"),
    "hazard contrast": (*_MODELLED, "contrast", "frailty"),
    "hazard contrast with frailty": ("event", "model", "final", "among", "frailty"),
    "attributable share": (*_MODELLED, "combine", "against"),
    "contest": (*_MODELLED, "contest"),
    "share": ("count", "ends", "among", "at_risk", "worst"),
    "share of moments": ("worst",),
}


def kind_of(reading: Reading) -> str:
    """What a reading is, as one says; a key of `KEYS`."""
    if reading.shape == "hazard_contrast":
        return "hazard contrast with frailty" if reading.frailty is not None else "hazard contrast"
    if reading.shape == "attributable":
        return "attributable share"
    return "share of moments" if reading.shape == "share" and reading.worst else reading.shape


def check_keys(where: str, reading: Reading) -> None:
    """Refuse keys that do nothing for a reading of its kind.

    Raises:
        ClaimError: such a key is set; those that the kind takes are named.
    """
    kind = kind_of(reading)
    for field in fields(Reading):
        if field.name in (*ANY, *KEYS[kind]):
            continue
        default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        if getattr(reading, field.name) != default:
            article = "an" if kind[0] in "aeiou" else "a"
            takes = ", ".join(KEYS[kind])
            raise ClaimError(f"{where}.{field.name}: {article} {kind} has no {field.name}; it takes: {takes}")


def check_aim(claim: Claim, r: Reading) -> None:
    """Refuse a region that no number can reach, and values that are none of the number's.

    Raises:
        ClaimError: the message names the field and what is allowed.
    """
    where = f"claims.{claim.id}.readings.{r.id}"
    if r.region is None:
        for key in ("smallest_effect", "alternative", "not_contradicted"):
            if getattr(r, key) not in (None, ""):
                raise ClaimError(f"{where}.{key} says something about a region, and the reading has none")
        return
    ratio, (low, high) = r.shape == "hazard_contrast", _bounds(r)
    aim = region(claim, r)
    if r.smallest_effect is not None:
        _check_effect(where, r.smallest_effect, _largest(r), aim, ratio=ratio)
    between = _between(low, high)
    if any(not low <= e <= high or (ratio and e == 0) for e in aim.edges):
        raise ClaimError(f"{where}.region: the number is {between}, so an edge must be, was {r.region!r}")
    if aim.low >= high or aim.high <= low:
        raise ClaimError(f"{where}.region: the number is {between}, and never {r.region!r}")
    if r.alternative is not None and not low < r.alternative < high:
        raise ClaimError(f"{where}.alternative must be {between}, as the number is, was {r.alternative!r}")


def _check_effect(where: str, effect: float, largest: float, aim: Region, *, ratio: bool) -> None:
    least = 1 if ratio else 0
    if not (math.isfinite(effect) and least < effect < largest):
        upto = f" and below {largest:g}" if math.isfinite(largest) else ""
        raise ClaimError(
            f"{where}.smallest_effect must be a number above {least}{upto}, was {effect!r}"
            + ("; for a ratio below one, write its inverse" if ratio else "")
        )
    if aim.edges != (least,):
        raise ClaimError(
            f"{where}.smallest_effect matters only for a region that begins at no difference, "
            f"'> {least}' or '< {least}', was {aim.text!r}"
        )


def _bounds(r: Reading) -> tuple[float, float]:
    """Between which the number of a reading lies."""
    if r.shape == "hazard_contrast":
        return 0.0, math.inf
    if r.shape == "contest":
        return -math.inf, math.inf
    if r.shape == "attributable":  # a fraction is below one, and below zero where moments protect
        weights = r.combine.values()
        top = sum(weights) if all(w >= 0 for w in weights) else math.inf
        return -math.inf if any(w > 0 for w in weights) else sum(weights), top
    return (-1.0 if _difference(r) else 0.0), 1.0


def _largest(r: Reading) -> float:
    return math.inf if r.shape in ("hazard_contrast", "contest") else 1.0


def _difference(r: Reading) -> bool:
    """Whether the number is a difference of two shares."""
    return (r.shape == "excess" and r.part == "excess") or (r.at_risk is not None and r.at_risk.part == "excess")


def _between(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "finite"
    if math.isinf(high):
        return f"above {low:g}"
    return f"below {high:g}" if math.isinf(low) else f"between {low:g} and {high:g}"


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
    result = list(names)
    twice = next((n for n in result if result.count(n) > 1), None)
    if twice is not None:
        raise ClaimError(f"{where}: {twice!r} is named twice; name it once")


ALWAYS = ("lacks", "reason", "base")
NUMBERS = ("estimate", "low", "high", "horizon", "customers", "events")  # of a primary reading that could be computed
LIMITS = ("", "low", "high")  # of a reading, after a colon


def check_sentences(where: str, text: Text, readings: Sequence[str], lacking: Sequence[str] = ()) -> None:
    """Refuse sentences that could not be filled in.

    Args:
        where: path of the claim, for messages.
        text: the sentences.
        readings: ids.
        lacking: names that the claim has nothing for.

    Raises:
        ClaimError: a brace that stands alone, an unknown name, or a format that is not understood.
    """
    for name in text.__struct_fields__:
        own = ALWAYS if name == "not_testable" else (*ALWAYS, *NUMBERS)
        _check(f"{where}.text.{name}", getattr(text, name), tuple(w for w in own if w not in lacking), tuple(readings))


def _check(where: str, sentence: str, words: tuple[str, ...], readings: tuple[str, ...]) -> None:
    numbers = ", ".join(f"{{{r}}}" for r in readings)
    may = (
        f"in braces may stand {', '.join(words)}, or the number of a reading: {numbers}, or its limits, "
        f"as {{{readings[0]}:low}} and {{{readings[0]}:high}}; braces themselves are written {{{{ and }}}}"
    )
    try:
        parts = list(Formatter().parse(sentence))
    except ValueError:
        raise ClaimError(f"{where}: a brace stands alone in {sentence!r}; {may}") from None
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        said = f"{{{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
        known = name in readings or name in words
        if not known:
            raise ClaimError(f"{where}: {said} is unknown here{nearest(name, (*words, *readings))}; {may}")
        if conversion or (spec or "") not in (LIMITS if name in readings else ("",)):
            raise ClaimError(f"{where}: {said} is no form of {name}; {may}")


_RETENTION = ("contract", "activity")
_SMALLEST_PART = 0.001
_NEEDED = {
    "hazard contrast": ("contrast", "model"),
    "hazard contrast with frailty": ("model",),
    "attributable share": ("combine", "model"),
    "contest": ("contest", "model"),
    "excess": ("compare",),
    "share": ("count",),
}


def check(claim: Claim) -> None:
    """Refuse a claim that could not be tried, or whose numbers would not be what it says.

    Raises:
        ClaimError: the message names the field and what is allowed.
    """
    where = f"claims.{claim.id}"
    if not claim.id.strip():
        raise ClaimError("claims: the id of a claim must not be empty")
    _check_ids(where, claim)
    wrong = next((kind for kind in claim.retention if kind not in _RETENTION), None)
    if wrong is not None or not claim.retention:
        hint = nearest(wrong, _RETENTION) if wrong else ""
        raise ClaimError(
            f"{where}.retention must hold one or both of contract and activity, was {list(claim.retention)}{hint}"
        )
    _once(f"{where}.covariates", claim.covariates)
    for name in claim.histories:
        check_called(f"{where}.histories", name)
        if name in claim.covariates:
            raise ClaimError(f"{where}.histories.{name}: {name!r} is a covariate too; call the history something else")
        claim.history(name)
    for named in (claim.base_rate, claim.naive):
        if named is not None:
            claim.reading(named)
    if claim.cell is not None:
        _history(f"{where}.cell", claim, claim.cell)
    for r in claim.readings:
        _check_reading(claim, r)
    nothing = ["base"] * (claim.base_rate is None) + ["horizon"] * (kind_of(claim.primary) not in _WITH_HORIZON)
    check_sentences(where, claim.text, [r.id for r in claim.readings], nothing)


_WITH_HORIZON = ("incidence", "excess")


def _check_ids(where: str, claim: Claim) -> None:
    ids = [r.id for r in claim.readings]
    if any(not i.strip() for i in ids):
        raise ClaimError(f"{where}.readings: the id of a reading must not be empty")
    if len(set(ids)) < len(ids):
        raise ClaimError(f"{where}.readings: two readings share an id")
    for i in ids:
        if i in (*ALWAYS, *NUMBERS):
            raise ClaimError(f"{where}.readings.{i}: {{{i}}} says something else in sentences; give another id")
    if sum(r.primary for r in claim.readings) != 1:
        raise ClaimError(f"{where}.readings: exactly one reading must say primary = true")


def _check_reading(claim: Claim, r: Reading) -> None:
    where = f"claims.{claim.id}.readings.{r.id}"
    if r.primary and r.describes:
        raise ClaimError(f"{where}.describes: the primary reading is tried; it cannot only describe")
    if r.region is None and not r.describes:
        raise ClaimError(f'{where}: needs a region, such as region = "> 1", or describes = true')
    check_keys(where, r)
    for needed in _NEEDED.get(kind_of(r), ()):
        if not getattr(r, needed):
            raise ClaimError(f"{where}: the shape {r.shape} needs {needed}")
    check_aim(claim, r)
    _check_others(where, claim, r)
    for name in names_used(r):
        if name not in claim.histories and name not in claim.covariates:
            raise ClaimError(f"{where}: no history {name!r}{nearest(name, [*claim.histories, *claim.covariates])}")
    _check_days(where, r)
    _check_moments(where, claim, r)
    _check_causes(where, claim, r)
    for key in ("count", "among"):
        _check_levels(f"{where}.{key}", claim, getattr(r, key))
    _check_share(where, r)
    if r.frailty is not None:
        _history(f"{where}.frailty", claim, r.frailty)
        if r.model and r.model.terms:
            raise ClaimError(f"{where}.model.terms: beside frailty nothing but strata can be held equal")
    check_terms(where, claim, r)


def _check_others(where: str, claim: Claim, r: Reading) -> None:
    """The readings that a verdict looks at, too."""
    for key, others in (("requires", [q.reading for q in r.requires]), ("ladder", r.ladder)):
        if others and not r.primary:
            raise ClaimError(f"{where}.{key}: only the primary reading, {claim.primary.id}, looks at others")
        _once(f"{where}.{key}", others)
        for other in others:
            result = claim.reading(other)
            if result.primary:
                raise ClaimError(f"{where}.{key}: {other} is the reading itself; name another one")
            if result.region is None:
                raise ClaimError(f"{where}.{key}: {other} has no region, so that it is never decided")


def _check_days(where: str, r: Reading) -> None:
    support = r.shape != "excess"
    words = ("study", "support") if support else ("study",)
    if r.horizon_days not in words:
        _days(f"{where}.horizon_days", r.horizon_days, 1, " or ".join(repr(w) for w in words))
    if r.after_days is not None:
        _days(f"{where}.after_days", r.after_days, 0)


def _days(where: str, days: object, least: int, otherwise: str = "") -> None:
    if isinstance(days, bool) or not isinstance(days, int) or not least <= days <= LARGEST:
        other = f", or {otherwise}" if otherwise else ""
        raise ClaimError(f"{where} must be a number of days between {least} and {LARGEST:,}{other}, was {days!r}")


def _check_moments(where: str, claim: Claim, r: Reading) -> None:
    """What is reached at one moment in time: where a clock starts, a follow-up ends, an exposure begins."""
    if isinstance(r.clock, Since):
        _reached(f"{where}.clock", claim, "since", r.clock.since, r.clock.level, r.clock.below)
    if r.until:
        _reached(f"{where}.until", claim, "history", r.until.history, r.until.level, None)
    if r.compare:
        _reached(f"{where}.compare", claim, "history", r.compare.history, r.compare.level, r.compare.below)
        _history(f"{where}.compare.recent", claim, r.compare.recent)
        if r.compare.alike is not None:
            _history(f"{where}.compare.alike", claim, r.compare.alike)


def _reached(where: str, claim: Claim, key: str, name: str, level: str, below: str | None) -> None:
    _history(f"{where}.{key}", claim, name)
    history = claim.history(name)
    if not history.cumulative:
        rising = [n for n in claim.histories if claim.history(n).cumulative]
        known = f"; those that only rise: {', '.join(rising)}" if rising else ""
        raise ClaimError(
            f"{where}.{key}: {name} can fall as well as rise, so reaching {level!r} is not one moment in time{known}"
        )
    _level(f"{where}.level", name, history.levels, level)
    place = history.levels.index(level)
    if place in (0, len(history.levels) - 1):
        allowed = ", ".join(history.levels[1:-1])
        raise ClaimError(f"{where}.level: {name} never comes to {level!r}; it can come to: {allowed}")
    if below is not None:
        _level(f"{where}.below", name, history.levels, below)
        if history.levels.index(below) <= place:
            raise ClaimError(f"{where}.below must be a level of {name} above {level!r}, was {below!r}")


def _check_causes(where: str, claim: Claim, r: Reading) -> None:
    causes: tuple[str, ...] = CAUSES[1:]
    if r.until:
        cause = r.until.cause
        if not cause.strip():
            raise ClaimError(f"{where}.until.cause must say what the transition is called, was {cause!r}")
        if cause in (*CAUSES, *claim.histories, *claim.covariates):
            raise ClaimError(f"{where}.until.cause: there is a {cause!r} already; call the cause something else")
        check_called(f"{where}.until.cause", cause.replace(" ", "_"))
        causes = (*causes, cause)
    for key, named in (("event", r.event), ("ratio_to", r.ratio_to)):
        if named is not None and named not in causes:
            raise ClaimError(f"{where}.{key}: no cause {named!r}{nearest(named, causes)}; there are: {_list(causes)}")
    if r.ratio_to == r.event:
        raise ClaimError(f"{where}.ratio_to is the event itself, {r.event!r}; name another cause: {_list(causes)}")
    for cause in r.ends:
        if cause not in CAUSES:
            raise ClaimError(f"{where}.ends: no cause {cause!r}{nearest(cause, CAUSES)}; there are: {_list(CAUSES)}")
    _once(f"{where}.ends", r.ends)


def _check_levels(where: str, claim: Claim, wanted: Mapping[str, Sequence[str]]) -> None:
    for name, levels in wanted.items():
        if not levels:
            raise ClaimError(f"{where}.{name} must name at least one level")
        _once(f"{where}.{name}", levels)
        for level in levels:
            if name in claim.histories:
                _level(f"{where}.{name}", name, claim.history(name).levels, level)


def _check_share(where: str, r: Reading) -> None:
    """What a share is of, or is compared with."""
    if r.at_risk:
        alike = (r.at_risk.alike, *r.at_risk.strata)
        _once(f"{where}.at_risk", alike)
        for name in alike:
            if name in r.count:
                raise ClaimError(f"{where}.at_risk: {name!r} cannot count and make comparators alike at once")
    if r.worst:
        _check_worst(f"{where}.worst", r.worst)


def _check_worst(where: str, worst: Worst) -> None:
    if worst.of in worst.within:
        raise ClaimError(f"{where}.within holds {worst.of!r}, whose moments are counted; hold something else equal")
    _once(f"{where}.within", worst.within)
    if not _SMALLEST_PART <= worst.part < 1:
        raise ClaimError(f"{where}.part must be at least {_SMALLEST_PART} and below 1, was {worst.part!r}")


def _history(where: str, claim: Claim, name: str) -> None:
    if name not in claim.histories:
        has = ", ".join(claim.histories) or "none"
        raise ClaimError(f"{where}: no history {name!r}{nearest(name, claim.histories) or '; there are: ' + has}")


def _level(where: str, name: str, levels: Sequence[str], level: str) -> None:
    if level not in levels:
        raise ClaimError(f"{where}: {name} has no level {level!r}{nearest(level, levels)}; it has: {', '.join(levels)}")


def _once(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ClaimError(f"{where}: {name!r} is named twice; name it once")
        seen.add(name)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
