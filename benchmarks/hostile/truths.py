"""What is true of each claim in each family, and which verdict would be wrong; from what was planted alone.

    python -m benchmarks.hostile.truths    # writes truths.csv

For contrasts, attributable shares and the excess, the truth is the planted effect of moments, whatever else happens in
the company. An incidence is a fact of the data, so its truth is that of a very large company of the family. Where
effects of several ages or numbers of moments mix in one number, it is that of a very large company in which nothing
but moments acts. A claim that has no truth in a family is not tried there.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile.families import FAMILIES
from benchmarks.hostile.problems import PROBLEMS
from benchmarks.hostile.shops import SHOPS, Shop
from benchmarks.hostile.simulate import BAD, Effects

HERE = Path(__file__).parent
LARGE = HERE / "large_runs.csv"
HORIZON = 365  # of the claims, in days
LATEST_START = 60  # days before the end of the log
EDGE_OF_THREE = 0.925  # of three-strikes
THREE_STRIKES = (
    "shop-three-inside",
    "shop-three-edge",
    "shop-three-outside",
    "shop-three-nothing",
    "shop-three-apart-inside",
    "shop-three-apart-outside",
)
EDGE = 1.1  # the smallest effect that matters
CLAIMS = (
    "bad-moments-drive-away",
    "thirty-days",
    "good-moments-build",
    "neutral-threat",
    "first-moment",
    "no-news",
    "anger-to-appreciation",
    "three-strikes",
    "four-expectations",
    "remote-touchpoints",
    "resolution-decides",
    "slow-resolution",
    "recovery-paradox",
    "goodwill-gesture",
    "tell-the-customer",
    "problem-moments",
)
ASKED_OF_MOMENTS = CLAIMS[:10]
# what counts as a neutral moment is a mixture of all grades there
FLATTENED = ("neutral-bot",)
# any contact changes the hazard there, whatever its grade: against that of silence after 90 days
CONTACT_ACTS = {"any-contact": 2.0, "any-contact-masks": 0.5, "any-contact-masks-short": 0.5}


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a claim in a family.

    Attributes:
        value: on the scale of the claim's primary reading; NaN where only the direction is known.
        wrong: verdicts that would be wrong; none where the truth lies between the edges of a directional claim.
        why: in plain words.
    """

    value: float
    wrong: tuple[str, ...]
    why: str


Numbers = dict[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Case:
    """What a truth rests on.

    Attributes:
        family: its name.
        effects: what moments do in it.
        large: numbers of large runs, by family and claim.
    """

    family: str
    effects: Effects
    large: Numbers


def large_numbers() -> Numbers:
    """Of the large runs, by family and claim."""
    with LARGE.open(encoding="utf-8") as file:
        return {(r["family"], r["claim"]): float(r["value"]) for r in csv.DictReader(file)}


def truths(family: str, large: Numbers | None = None) -> dict[str, Truth]:
    """What is true in a family, by claim; claims without a truth are left out.

    Args:
        family: a name in `FAMILIES`, `SHOPS` or `PROBLEMS`.
        large: numbers of large runs; those of the file when not given.

    Raises:
        KeyError: there is no such family.
    """
    if family in SHOPS:
        return shop_truths(family)
    if family in PROBLEMS:
        return problem_truths(family)
    numbers = large_numbers() if large is None else large
    case = Case(family, FAMILIES[family].effects, numbers)
    result = {claim: rule(case) for claim, rule in RULES.items()}
    return {claim: truth for claim, truth in result.items() if truth is not None}


def _raises(value: float, why: str) -> Truth:
    """Of a claim that a ratio lies above 1."""
    if value <= 1:
        return Truth(value, ("supported",), why)
    return Truth(value, ("contradicted",) if value >= EDGE - 1e-9 else (), why)


def _mixed(case: Case, claim: str, why: str) -> Truth:
    return _raises(case.large.get((case.family, claim), math.nan), why)


def is_without_bad(e: Effects) -> bool:
    """Whether bad moments do nothing."""
    return e.bad_first == e.bad_each == e.bad_recent == e.first_contact_bad == 1


def is_without_moments(e: Effects) -> bool:
    """Whether no moment does anything."""
    return is_without_bad(e) and e.good_each == e.good_recent == e.neutral_each == 1 == max(
        e.failed
    )


def _bad(case: Case) -> Truth | None:
    e = case.effects
    if max(e.failed) > 1 or e.good_each != 1:
        return None  # a bad moment often fails an expectation, and takes the place of a good one
    if is_without_bad(e):
        return _raises(1.0, "bad moments do nothing")
    if e.bad_each == e.bad_recent == e.first_contact_bad == 1:
        return _raises(e.bad_first, "planted")
    return _mixed(case, "bad-moments-drive-away", "a mixture of what was planted")


def _thirty(case: Case) -> Truth | None:
    e = case.effects
    if max(e.failed) > 1 or e.first_contact_bad > 1:
        return None
    if e.bad_recent == 1:
        return _raises(1.0, "what bad moments do does not depend on their age")
    return _raises(e.bad_recent, "planted")


def _good(case: Case) -> Truth | None:
    e = case.effects
    if max(e.failed) > 1 or case.family in FLATTENED:
        return None
    if e.good_each < 1:
        return Truth(e.good_each, ("contradicted",), "planted, for each good moment")
    return Truth(1.0, ("supported",), "good and neutral moments do nothing")


def _neutral(case: Case) -> Truth | None:
    e = case.effects
    if max(e.failed) > 1 or case.family in FLATTENED:
        return None
    value = case.large.get((case.family, "neutral-threat"), math.nan)
    if is_without_moments(e):
        return Truth(0.0, ("supported",), "moments do nothing")
    if e.good_each == 1:
        return Truth(value, ("supported",), "bad moments have a share, neutral ones none")
    if is_without_bad(e):
        return Truth(
            value, ("contradicted",), "neutral moments are more often not good than bad ones"
        )
    return None


def _first(case: Case) -> Truth | None:
    e = case.effects
    if max(e.failed) > 1:
        return None
    return _raises(e.first_contact_bad, "planted")


def _silence(case: Case) -> Truth | None:
    e = case.effects
    if max(e.failed) > 1 or e.good_each != 1:
        return None  # a good moment does something besides ending the silence
    if case.family in CONTACT_ACTS:
        is_higher = CONTACT_ACTS[case.family] < 1
        wrong = "contradicted" if is_higher else "supported"
        return Truth(math.nan, (wrong,), "any contact changes the hazard for 30 days")
    return _raises(e.silence, "planted")


def _anger(case: Case) -> Truth | None:
    e = case.effects
    if max(e.failed) > 1 or e.good_each != 1:
        return None
    if is_without_bad(e):
        return Truth(1.0, ("contradicted",), "bad moments do nothing")
    is_permanent = e.bad_each == e.bad_recent == e.first_contact_bad == 1
    value = (
        e.bad_first
        if is_permanent
        else case.large.get((case.family, "anger-to-appreciation"), math.nan)
    )
    wrong: tuple[str, ...] = ()
    if value > EDGE + 0.05:
        wrong = ("supported",)
    elif value < EDGE - 0.05:
        wrong = ("contradicted",)
    return Truth(value, wrong, "what the bad moment did stays, whatever good follows")


def _three(case: Case) -> Truth | None:
    if FAMILIES[case.family].days <= HORIZON + LATEST_START:
        return None  # nobody is followed so long
    value = case.large.get((case.family, "three-strikes"), math.nan)
    if value >= EDGE_OF_THREE:
        if is_without_moments(case.effects):
            return Truth(value, ("supported",), "as many leave without a bad moment")
        return Truth(value, ("contradicted",), "a large run")
    # where far fewer leave at all it needs no large run
    return Truth(value, ("supported",), "a large run")


def _four(case: Case) -> Truth | None:
    e = case.effects
    if min(e.failed) > 1:
        return _raises(min(e.failed), "planted, for each of the four")
    if not is_without_moments(e):
        return None  # a failed expectation often comes with a bad grade
    return _raises(1.0, "expectations do nothing")


def _remote(case: Case) -> Truth | None:
    if not is_without_moments(case.effects):
        return None  # the first of both kinds mixes with the first of one
    return _raises(1.0, "bad moments do nothing")


Rule = Callable[[Case], Truth | None]
RULES: dict[str, Rule] = dict(
    zip(
        ASKED_OF_MOMENTS,
        (_bad, _thirty, _good, _neutral, _first, _silence, _anger, _three, _four, _remote),
        strict=True,
    )
)


def shop_truths(name: str) -> dict[str, Truth]:
    """What is true in a shop, by claim."""
    shop = SHOPS[name]
    null, good_null = Truth(1.0, ("supported",), "grades do nothing"), shop.good_each == 1
    result = {"first-moment": Truth(1.0, ("supported",), "planted")}
    if good_null:
        result["good-moments-build"] = null
    else:
        result["good-moments-build"] = Truth(shop.good_each, ("contradicted",), "planted, for each")
    if shop.bad_latest > 1:
        why = "a mixture of the latest contact and those before"
        result["bad-moments-drive-away"] = Truth(math.nan, ("contradicted",), why)
        result["neutral-threat"] = Truth(math.nan, ("supported",), "bad contacts have a share")
        del result["first-moment"]  # the latest contact of one who has just come is the first
    elif good_null:
        result["bad-moments-drive-away"] = _raises(shop.bad_first, "planted")
        result["neutral-threat"] = Truth(
            0.0 if shop.bad_first == 1 else math.nan, ("supported",), "neutral contacts do nothing"
        )
        is_null = shop.bad_first == 1
        result["anger-to-appreciation"] = Truth(
            shop.bad_first, ("contradicted",) if is_null else ("supported",), "planted"
        )
    if shop.good_each == 1 and shop.bad_latest == 1 and name in THREE_STRIKES:
        # that nine in ten leave is no support where as many leave without a bad moment
        share = before_third(shop)
        wrong = "contradicted" if share >= EDGE_OF_THREE and shop.bad_first > 1 else "supported"
        result["three-strikes"] = Truth(share, (wrong,), "worked out from the definition")
    return result


def problem_truths(name: str) -> dict[str, Truth]:
    """What is true in a company whose customers have problems, by claim.

    A claim whose truth mixes with what is planted beside it is left out: a late problem is not yet late for two days,
    and a resolution that changes the hazard comes about as late as a gesture does.
    """
    c = PROBLEMS[name]
    worst = c.open * c.open_late
    result = {
        "recovery-paradox": _lowers(c.resolved, "planted, for all problems resolved"),
        "goodwill-gesture": _lowers(c.gesture, "planted"),
        "tell-the-customer": _lowers(c.told, "planted"),
    }
    if c.marks_problems:
        result["problem-moments"] = _raises(1.0, "how a contact about a problem ends does nothing")
    why = "planted, while a problem is open and once all are resolved"
    result["slow-resolution"] = _raises(worst / c.resolved, why)
    result["resolution-decides"] = (
        _lowers(c.resolved / c.open, why)
        if c.open_late == 1
        else Truth(math.nan, ("contradicted",), "a late one is not late for two days")
    )
    if c.hard != 1:  # it acts on whoever has had a hard problem, of whom more have one open
        del result["recovery-paradox"]
    if (
        c.gesture != 1 or c.told != 1
    ):  # customers with all resolved have had more of them than those without a problem
        del result["recovery-paradox"], result["resolution-decides"], result["slow-resolution"]
    return result


def _lowers(value: float, why: str) -> Truth:
    """Of a claim that a ratio lies below 1."""
    if value >= 1:
        return Truth(value, ("supported",), why)
    return Truth(value, ("contradicted",) if value <= 1 / EDGE + 1e-9 else (), why)


def before_third(shop: Shop) -> float:
    """The share that lapses before a third recorded bad contact, from the first one on; for shops where all is quick.

    A contact is a bad one, and seen to be, with one probability; whoever has had one lapses at each contact with
    another, which the first and the second bad one are as well.
    """
    bad = shop.shares[BAD] * shop.answered
    stays = math.exp(-shop.lapse * shop.bad_first)
    next_bad = bad / (1 - (1 - bad) * stays)  # that the next bad one comes before the lapse
    return 1 - (stays * next_bad) ** 2


def lines() -> list[tuple[str, str, str, str, str]]:
    """The table: family, claim, value, wrong verdicts, why."""
    large = large_numbers()
    return [
        (
            family,
            claim,
            "" if math.isnan(t.value) else f"{t.value:.3f}",
            " ".join(t.wrong),
            t.why,
        )
        for family in (*FAMILIES, *SHOPS, *PROBLEMS)
        for claim, t in truths(family, large).items()
    ]


def main() -> None:
    """Write truths.csv."""
    with (HERE / "truths.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("family", "claim", "value", "wrong", "why"))
        out.writerows(lines())


if __name__ == "__main__":
    main()
