"""What a claim's trial comes to, for those who decide: what it is compared with, what it is worth, one line so what."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cxresearch.charts import claimed
from cxresearch.claims.catalogue_loader import SECTIONS
from cxresearch.claims.decide import is_outside
from cxresearch.claims.results import Docket, ReadingResult, Trial
from cxresearch.claims.units import Unit
from cxresearch.report.pages.text import VERDICTS, per_hundred, why

_STRADDLES = "the range includes"  # how the reason of an interval that decides nothing begins
_FAR = "far from deciding"  # in the reason of one that more data will hardly decide
_OF_THOSE_WHO_LEAVE = 0.3  # of all, where nothing is known: how many leave within a horizon
THEMES = {
    "tolerance": "Tolerance",
    "what_counts": "What counts",
    "problems": "Problems",
    "hidden": "Hidden",
    "levers": "Levers",
    "own": "Own claims",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Who left after a moment and of comparable customers, in the same unit.

    Attributes:
        exposed: of a hundred customers, how many left after it.
        comparators: of a hundred comparable customers, how many left.
        days: within so many days.
        moment: what it was, such as ``the first bad moment``.
    """

    exposed: str
    comparators: str
    days: int
    moment: str


def pair_of(trial: Trial, min_cell: int) -> Pair | None:
    """The two shares that an excess compares, up to the horizon of the claim; None if there is none."""
    for e in trial.results:
        if e.unit is Unit.DIFFERENCE and len(e.series) == 2 and e.horizon_days and e.estimate:
            exposed, other = e.series
            moment = exposed.name.removeprefix("after ")
            a, b = (per_hundred(s.y[-1], e.customers, min_cell) for s in (exposed, other))
            return Pair(a, b, e.horizon_days, moment)
    return None


def claimed_words(trial: Trial) -> str:
    """The claimed region in words, in the unit of the number: ``92.5% or more``, ``more than 1×``."""
    e = trial.primary
    said = claimed(trial.claim.reading(e.reading_id).claimed_region, e.unit)
    if e.unit.is_ratio:
        return " ".join(f"{w}×" if w[:1].isdigit() else w for w in said.split())
    if e.unit is Unit.LOG_LIKELIHOOD:
        return " ".join(f"{w}%" if w[:1].isdigit() else w for w in said.split())
    return said


def together(trial: Trial) -> str:
    """Whether the two go together, and whether that is explained away; empty where no cause is claimed.

    Empty as well where the number alone leaves it open: the verdict is enough there.
    """
    if not trial.rivals:
        return ""
    first = {
        "supported": "Moment and leaving go together",
        "contradicted": "Moment and leaving do not go together as claimed",
        "undecided": "",
        "not testable": "Cannot be computed",
    }[trial.association]
    still = [r.title for r in trial.rivals_with("keeps it open")]
    if still:
        how = "may be hidden by" if trial.association == "contradicted" else "may be explained by"
        said = f"{how}: {', '.join(still)}"
        return f"{first} · {said}" if first else f"{said[0].upper()}{said[1:]}"
    if trial.association == "supported" and trial.primary.verdict == "contradicted":
        return f"{first}, but not as much as claimed"
    if trial.association == "supported" and trial.rivals_with("survived"):
        return f"{first} · no other explanation tried accounts for it"
    return first


def number_words(trial: Trial) -> str:
    """What the number on a card is, in plain words that go on where the number stops.

    That of the catalogue's claims stands with what follows from them; others have the name of their number.
    """
    label = trial.primary.label
    return _lines().get(trial.claim.id, {}).get("number", "") or f"{label[:1].upper()}{label[1:]}"


def importance(trial: Trial) -> float:
    """Customers concerned times the distance from where the claim begins, as a number of customers.

    A distance between shares is one of customers. That of a ratio is taken of those who leave within a horizon, and so
    is that of two compared models.
    """
    e = trial.primary
    if e.estimate is None or not math.isfinite(e.estimate.value):
        return 0.0
    leaving = trial.base_rate.value if trial.base_rate and trial.base_rate.unit is Unit.SHARE else 0
    return e.customers * min(_distance(trial, e) * _weight(e.unit, leaving), 1.0)


def _weight(unit: Unit, leaving: float) -> float:
    if unit in (Unit.SHARE, Unit.DIFFERENCE):
        return 1.0
    return leaving or _OF_THOSE_WHO_LEAVE


def _distance(trial: Trial, e: ReadingResult) -> float:
    assert e.estimate is not None
    edges = trial.claim.reading(e.reading_id).claimed_region.edges if e.region else ()
    value = e.estimate.value
    if not edges:
        return 0.0
    if e.unit.is_ratio:
        return min(abs(math.log(max(value, 1e-9) / edge)) for edge in edges if edge > 0)
    return min(abs(value - edge) for edge in edges)


def ordered(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Trials by what they are worth: decided ones first, then by `importance`; equal ones keep their order."""

    def rank(t: Trial) -> tuple[int, float]:
        decided = t.primary.verdict in ("supported", "contradicted")
        testable = t.primary.estimate is not None
        return (0 if decided else 1 if testable else 2, -importance(t))

    return tuple(sorted(trials, key=rank))


def by_verdict(docket: Docket) -> tuple[tuple[str, tuple[Trial, ...]], ...]:
    """The claims of each headline verdict, in the order of `ordered`; without verdicts that nobody has."""
    trials = ordered(docket.values())
    groups = ((v, tuple(t for t in trials if t.primary.verdict == v)) for v in VERDICTS)
    return tuple((v, of) for v, of in groups if of)


def so_what(trial: Trial) -> str:
    """What the verdict means for those who decide, in one line; never what to expect of a change."""
    result = trial.primary.verdict
    if result == "undecided":
        return _why_open(trial)
    if result == "contradicted" and _is_inside(trial):
        return "The number by itself agrees, and what the claim needs besides does not: do not plan with it."
    known = _lines().get(trial.claim.id, {}).get(result, "")
    return known or _GENERAL[result]


def _is_inside(trial: Trial) -> bool:
    """Whether the number is in the claimed region: if so, it is another reading that contradicts it."""
    e = trial.primary
    if e.estimate is None or not e.region:
        return False
    where = trial.claim.reading(e.reading_id).claimed_region
    return not is_outside(e.estimate.value, where)


def _why_open(trial: Trial) -> str:
    e = trial.primary
    if still := [r.title for r in trial.rivals_with("keeps it open")]:
        return f"Do not act on it yet: {' or '.join(still)} may explain it."
    if e.estimate is None:
        return "Too few customers to show a number; act on neither answer."
    if e.verdict_alone != "undecided":
        return "A hint only: among so many claims tried, chance alone can bring one such number; watch it."
    if e.reason.startswith(_STRADDLES):
        if _FAR in e.reason:
            return "These data are far from deciding it; act on neither answer."
        return "Too few cases so far to tell; wait for more data."
    return f"Do not act on it yet: {why(e)}."


_GENERAL = {
    "supported": "It holds in these data; plan with it.",
    "contradicted": "It does not hold in these data; do not plan with it.",
    "not testable": "Nothing follows until the study has what is missing.",
}


def what_would_settle(trial: Trial) -> str:
    """What an open claim waits for, in a few words without numbers of few customers."""
    e = trial.primary
    if e.verdict == "not testable" or e.lacks:
        return f"needs {e.lacks.partition(':')[0]}" if e.lacks else "needs other data"
    still = [r.title for r in trial.rivals_with("keeps it open")]
    if still:
        return f"{' and '.join(still)} may explain it"
    reason = e.reason.partition(";")[2].partition(" if the truth")[0].strip()
    if "more departures" in reason:
        return reason.replace("data on about", "needs about").replace(" would decide it", "")
    if e.reason.startswith(_STRADDLES):
        return "needs many more cases"
    return why(e) or "too weak to stand among all claims"


def theme(claim: str) -> str:
    """The section of the catalogue that a claim is in; ``own`` for one of the study."""
    return _themes().get(claim, "own")


@cache
def _themes() -> Mapping[str, str]:
    folder = files("cxresearch.claims").joinpath("catalogue")
    result: dict[str, str] = {}
    for section in SECTIONS:
        raw = tomllib.loads(folder.joinpath(f"{section}.toml").read_text(encoding="utf-8"))
        result |= {claim["id"]: section for claim in raw["claims"]}
    return result


@cache
def _lines() -> dict[str, dict[str, str]]:
    place = files("cxresearch.report.pages").joinpath("so_what.toml")
    return tomllib.loads(place.read_text(encoding="utf-8"))
