"""Whether a claim makes sense: a wrong entry is an error when it is read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from cxresearch.claims.decide import Region
from cxresearch.errors import ArgumentError, ClaimError, EstimationError, nearest
from cxresearch.histories import History
from cxresearch.records.follow_up import CAUSES
from cxresearch.risk.episodes import check_name


def check_region(
    where: str, region: Region, bounds: tuple[float, float], *, is_ratio: bool
) -> None:
    """Refuse a region that the number can never lie in, or always does.

    Args:
        where: path of the reading, for messages.
        region: as parsed.
        bounds: between which the number of the reading lies.
        is_ratio: whether it is a ratio, which is never zero.

    Raises:
        ClaimError: the message states where the number lies.
    """
    low, high = bounds
    between = _between(low, high)
    if any(not low <= e <= high or (is_ratio and e == 0) for e in region.edges):
        raise ClaimError(
            f"{where}.region: the number is {between}, so an edge must be, was {region.text!r}"
        )
    if region.low >= high or region.high <= low:
        raise ClaimError(f"{where}.region: the number is {between}, and never {region.text!r}")


def check_smallest_effect(
    where: str, effect: float, region: Region, *, is_ratio: bool, largest: float
) -> None:
    """Refuse a smallest effect that is none, or that means nothing for the region.

    Args:
        where: path of the reading, for messages.
        effect: the smallest effect that matters.
        region: as parsed.
        is_ratio: whether no difference is 1, and not 0.
        largest: it must be below.

    Raises:
        ClaimError: the message states which numbers are allowed.
    """
    least = 1 if is_ratio else 0
    if not (math.isfinite(effect) and least < effect < largest):
        below = f" and below {largest:g}" if math.isfinite(largest) else ""
        raise ClaimError(
            f"{where}.smallest_effect must be a number above {least}{below}, was {effect!r}"
            + ("; for a ratio below one, write its inverse" if is_ratio else "")
        )
    if region.edges != (least,):
        raise ClaimError(
            f"{where}.smallest_effect matters only for a region that begins at no difference, "
            f"'> {least}' or '< {least}', was {region.text!r}"
        )


def check_alternative(where: str, alternative: float, bounds: tuple[float, float]) -> None:
    """Refuse a value to plan for that the number cannot have.

    Raises:
        ClaimError: the message states where the number lies.
    """
    low, high = bounds
    if not low < alternative < high:
        raise ClaimError(
            f"{where}.alternative must be {_between(low, high)}, as the number is, was {alternative!r}"
        )


def _between(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "finite"
    if math.isinf(high):
        return f"above {low:g}"
    return f"below {high:g}" if math.isinf(low) else f"between {low:g} and {high:g}"


_HEAVIEST = 1_000


def features(term: str) -> tuple[str, ...]:
    """The features of a term such as ``bad``, ``bad[1+]``, ``linear(bad)`` or ``bad:contacts``."""
    return tuple(
        part.removeprefix("linear(").removesuffix(")").partition("[")[0] for part in term.split(":")
    )


def check_terms(where: str, terms: Iterable[str]) -> None:
    """Refuse what is not a name, ``linear(name)``, or a product of such.

    Raises:
        ClaimError: such a term, or one named twice.
    """
    check_distinct(where, terms)
    for term in terms:
        for part in term.split(":"):
            (name,) = features(part)
            if part not in (name, f"linear({name})"):
                raise ClaimError(
                    f"{where}: {part!r} is no term; write {name!r}, 'linear({name})' or a product such as 'a:b'"
                )


def check_strata(scope: Scope, key: str, strata: Sequence[str], terms: Iterable[str] = ()) -> None:
    """Refuse strata that change in time, or that are terms as well.

    Args:
        scope: of the reading.
        key: the key that holds the strata.
        strata: names of covariates.
        terms: all terms of the same model.

    Raises:
        ClaimError: the message names the stratum.
    """
    check_distinct(f"{scope.where}.{key}", strata)
    used = {name for term in terms for name in features(term)}
    for name in strata:
        if name in scope.histories:
            raise ClaimError(
                f"{scope.where}.{key}: {name!r} is a history, and a stratum must be fixed; make it a term"
            )
        if name in used:
            raise ClaimError(f"{scope.where}: {name!r} cannot be a term and a stratum at once")


def check_weights(where: str, weights: Mapping[str, float]) -> None:
    """Refuse weights that make no number.

    Raises:
        ClaimError: one is out of range, or all are zero.
    """
    for term, weight in weights.items():
        if not (math.isfinite(weight) and abs(weight) <= _HEAVIEST):
            raise ClaimError(
                f"{where}: the weight of {term} must be between -{_HEAVIEST} and {_HEAVIEST}, was {weight}"
            )
    if weights and not any(weights.values()):
        raise ClaimError(f"{where}: all weights are 0; one must be something else")


def check_contrast(scope: Scope, contrast: Mapping[str, float], terms: Sequence[str]) -> None:
    """Refuse a contrast of levels that the model does not have.

    Args:
        scope: of the reading.
        contrast: weights by coefficient, such as ``bad[1+]``, ``linear(bad)`` or a product of such.
        terms: of the model.

    Raises:
        ClaimError: the message states what the model has.
    """
    where = f"{scope.where}.contrast"
    check_weights(where, contrast)
    for coefficient in contrast:
        parts = []
        for part in coefficient.split(":"):
            (name,) = features(part)
            _check_coefficient(where, scope, name, part)
            parts.append(name if part != f"linear({name})" else part)
        if ":".join(parts) not in terms:
            raise ClaimError(
                f"{where}: {coefficient!r} is not in the model{nearest(':'.join(parts), terms)}; its terms are: "
                f"{', '.join(terms)}"
            )


def _check_coefficient(where: str, scope: Scope, name: str, part: str) -> None:
    """A level of a history, its levels as numbers, or a covariate's level, which a study knows."""
    if name not in scope.histories:
        if name not in scope.covariates:
            raise ClaimError(
                f"{where}: no history {name!r}{nearest(name, [*scope.histories, *scope.covariates])}"
            )
        return
    if part == f"linear({name})":
        return
    levels = scope.histories[name].levels
    allowed = ", ".join(f"{name}[{v}]" for v in levels[1:])
    level = part.removeprefix(f"{name}[").removesuffix("]")
    if part != f"{name}[{level}]":
        raise ClaimError(f"{where}: {part!r} must name a level: {allowed}")
    if level == levels[0]:
        raise ClaimError(
            f"{where}: {part} is what the others are compared with; they are: {allowed}"
        )
    if level not in levels:
        raise ClaimError(
            f"{where}: {name} has no level {level!r}{nearest(level, levels)}; it has: {', '.join(levels)}"
        )


ALWAYS = ("lacks", "reason", "base")
NUMBERS = (
    "estimate",
    "low",
    "high",
    "horizon",
    "customers",
    "events",
)  # of a primary reading that could be computed
LIMITS = ("", "low", "high")  # of a reading, after a colon


def check_sentences(
    where: str, sentences: Mapping[str, str], readings: Sequence[str], missing: Sequence[str] = ()
) -> None:
    """Refuse sentences that could not be filled in.

    Args:
        where: path of the section that holds them.
        sentences: by key; that of `not_testable` may name no numbers.
        readings: ids.
        missing: names that the claim has nothing for.

    Raises:
        ClaimError: a brace that stands alone, an unknown name, or a format that is not understood.
    """
    for key, sentence in sentences.items():
        names = ALWAYS if key == "not_testable" else (*ALWAYS, *NUMBERS)
        _check_sentence(
            f"{where}.{key}", sentence, tuple(n for n in names if n not in missing), tuple(readings)
        )


def _check_sentence(
    where: str, sentence: str, words: tuple[str, ...], readings: tuple[str, ...]
) -> None:
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
            raise ClaimError(
                f"{where}: {said} is unknown here{nearest(name, (*words, *readings))}; {may}"
            )
        if conversion or (spec or "") not in (LIMITS if name in readings else ("",)):
            raise ClaimError(f"{where}: {said} is no form of {name}; {may}")


LARGEST = 100_000  # days or hours, longer than anybody is followed


@dataclass(frozen=True, slots=True)
class Scope:
    """What a reading may name, and where it stands.

    Attributes:
        where: path of the reading, such as ``claims.mine.readings.first``, for messages.
        histories: those of its claim, by name.
        covariates: those of its claim.
    """

    where: str
    histories: Mapping[str, History]
    covariates: tuple[str, ...] = ()

    def check_known(self, names: Iterable[str]) -> None:
        """Refuse a name that is neither a history nor a covariate.

        Raises:
            ClaimError: the nearest known name is suggested.
        """
        known = [*self.histories, *self.covariates]
        for name in names:
            if name not in known:
                raise ClaimError(f"{self.where}: no history {name!r}{nearest(name, known)}")

    def history(self, key: str, name: str) -> History:
        """The history that a key names.

        Raises:
            ClaimError: there is none of that name.
        """
        return find_history(f"{self.where}.{key}", self.histories, name)

    def check_levels(self, key: str, wanted: Mapping[str, Sequence[str]]) -> None:
        """Refuse levels that a history does not have; those of a covariate are known only when a study is read.

        Raises:
            ClaimError: such a level, one named twice, or none at all.
        """
        for name, levels in wanted.items():
            where = f"{self.where}.{key}.{name}"
            if not levels:
                raise ClaimError(f"{where} must name at least one level")
            check_distinct(where, levels)
            for level in levels:
                if name in self.histories:
                    check_level(where, name, self.histories[name].levels, level)

    def check_reached(
        self, key: str, name: str, level: str, exclude_from: str | None = None
    ) -> None:
        """Refuse a level that is not reached at one moment in time: where a clock starts or an exposure begins.

        Args:
            key: the section that names it.
            name: the history.
            level: the level to reach.
            exclude_from: customers who come to this level or above at once are left out.

        Raises:
            ClaimError: a history that can fall, or a level that it never comes to.
        """
        where, levels = f"{self.where}.{key}", self.history(f"{key}.history", name).levels
        if not self.histories[name].cumulative:
            rising = [n for n, history in self.histories.items() if history.cumulative]
            known = f"; those that only rise: {', '.join(rising)}" if rising else ""
            raise ClaimError(
                f"{where}.history: {name} can fall as well as rise, "
                f"so reaching {level!r} is not one moment in time{known}"
            )
        check_level(f"{where}.level", name, levels, level)
        place = levels.index(level)
        if place in (0, len(levels) - 1):
            raise ClaimError(
                f"{where}.level: {name} never comes to {level!r}; it can come to: {', '.join(levels[1:-1])}"
            )
        if exclude_from is not None:
            check_level(f"{where}.exclude_from", name, levels, exclude_from)
            if levels.index(exclude_from) <= place:
                raise ClaimError(
                    f"{where}.exclude_from must be a level of {name} above {level!r}, was {exclude_from!r}"
                )

    def check_new_cause(self, key: str, cause: str) -> None:
        """Refuse a name that no further cause can have.

        Raises:
            ClaimError: it is empty, taken, or the name of a column.
        """
        where = f"{self.where}.{key}"
        if not cause.strip():
            raise ClaimError(f"{where} must say what the transition is called, was {cause!r}")
        if cause in (*CAUSES, *self.histories, *self.covariates):
            raise ClaimError(
                f"{where}: there is a {cause!r} already; call the cause something else"
            )
        check_usable(where, cause.replace(" ", "_"))

    def check_cause(self, key: str, cause: str, causes: Sequence[str] = CAUSES[1:]) -> None:
        """Refuse a cause that there is not.

        Raises:
            ClaimError: the nearest known cause is suggested.
        """
        if cause not in causes:
            raise ClaimError(
                f"{self.where}.{key}: no cause {cause!r}{nearest(cause, causes)}; there are: {', '.join(causes)}"
            )


def find_history(where: str, histories: Mapping[str, History], name: str) -> History:
    """The history of that name.

    Raises:
        ClaimError: there is none; the nearest known one is suggested, or all are listed.
    """
    if name not in histories:
        known = ", ".join(histories) or "none"
        raise ClaimError(
            f"{where}: no history {name!r}{nearest(name, histories) or '; there are: ' + known}"
        )
    return histories[name]


def check_level(where: str, name: str, levels: Sequence[str], level: str) -> None:
    """Refuse a level that a history does not have.

    Raises:
        ClaimError: the nearest level is suggested, and all are listed.
    """
    if level not in levels:
        raise ClaimError(
            f"{where}: {name} has no level {level!r}{nearest(level, levels)}; it has: {', '.join(levels)}"
        )


def check_distinct(where: str, names: Iterable[str]) -> None:
    """Refuse a list that names something twice.

    Raises:
        ClaimError: it does.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ClaimError(f"{where}: {name!r} is named twice; name it once")
        seen.add(name)


def check_days(where: str, days: object, least: int, words: Sequence[str] = ()) -> None:
    """Refuse what is neither a whole number of days nor one of a few words.

    Raises:
        ClaimError: the message states which numbers and words are allowed.
    """
    if days in words:
        return
    if isinstance(days, bool) or not isinstance(days, int) or not least <= days <= LARGEST:
        allowed = f", or {' or '.join(map(repr, words))}" if words else ""
        raise ClaimError(
            f"{where} must be a number of days between {least} and {LARGEST:,}{allowed}, was {days!r}"
        )


def check_usable(where: str, name: str) -> None:
    """Refuse a name that no history, and no cause, can have: that of a column, or none.

    Raises:
        ClaimError: such a name.
    """
    if name == "self":  # of methods that take levels by name
        raise ClaimError(f"{where}: 'self' cannot be the name of a history: call it something else")
    try:
        check_name(name)
    except (ArgumentError, EstimationError) as e:
        raise ClaimError(f"{where}: {e}") from None
