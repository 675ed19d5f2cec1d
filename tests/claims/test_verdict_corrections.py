"""What the other readings of a claim, and the other claims, make of a verdict."""

import pytest
from msgspec.structs import replace

from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.family import Family
from cxresearch.claims.phrases import Sentence, Words
from cxresearch.claims.readings import Reading, Requirement
from cxresearch.claims.results import ReadingResult, Trial
from cxresearch.claims.units import Unit
from cxresearch.claims.verdict_corrections import adjust_multiplicity, apply_requirements
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.results import estimate

VERDICTS = ("supported", "contradicted", "undecided", "not testable")
CLAIM = next(c for c in catalogue().values() if c.id == "bad-moments-drive-away")


def row(reading: str, verdict: str, p: float | None = 0.01) -> ReadingResult:
    """A reading of a claim, decided."""
    result = (
        None
        if verdict == "not testable"
        else estimate(1.5, 0.1, scale="log", level=0.95, clusters=Clusters(1_000, 100, "clusters"))
    )
    lacks = "a control group" if verdict == "not testable" else ""
    return ReadingResult(
        claim_id="a claim",
        reading_id=reading,
        label=f"as {reading}",
        primary=reading == "own",
        verdict=verdict,
        verdict_alone=verdict,
        reason="",
        estimate=result,
        p=p,
        p_family=None,
        unit=Unit.HAZARD_RATIO,
        region="> 1",
        customers=1000,
        events=100,
        horizon_days=None,
        lacks=lacks,
        warnings=(),
        series=(),
        exclusions=(),
    )


def judged(
    own: str, *, sensitivity: str = "", requires: tuple[tuple[Requirement, str], ...] = ()
) -> ReadingResult:
    """The primary reading after the others have been looked at."""
    rows = {"own": row("own", own)}
    if sensitivity:
        rows["crude"] = row("crude", sensitivity)
    rows |= {r.reading: row(r.reading, verdict, 0.03) for r, verdict in requires}
    primary: Reading = replace(
        CLAIM.primary,
        id="own",
        sensitivity=("crude",) if sensitivity else (),
        requires=tuple(r for r, _ in requires),
    )
    return apply_requirements(primary, rows)


@pytest.mark.parametrize("own", VERDICTS)
@pytest.mark.parametrize("crude", VERDICTS)
def test_an_answer_that_turns_with_what_is_held_equal_is_open(own, crude):
    result = judged(own, sensitivity=crude)
    turned = {own, crude} == {"supported", "contradicted"}
    assert result.verdict == result.verdict_alone == ("undecided" if turned else own)
    assert ("turns with what is held equal" in result.reason) == turned


@pytest.mark.parametrize("own", VERDICTS)
@pytest.mark.parametrize("control", VERDICTS)
def test_a_control_that_fails_leaves_a_verdict_open(own, control):
    requirement = Requirement("control", reason="the control fails", negative_control=True)
    result = judged(own, requires=((requirement, control),))
    failed = control == "contradicted" and own in ("supported", "contradicted")
    assert result.verdict == ("undecided" if failed else own)
    assert result.reason == ("the control fails" if failed else "")
    assert result.p == 0.01


@pytest.mark.parametrize("own", VERDICTS)
@pytest.mark.parametrize("other", VERDICTS)
@pytest.mark.parametrize("contradicts", [True, False])
def test_what_a_reading_requires(own, other, contradicts):
    requirement = Requirement("other", reason="the other fails", contradicts=contradicts)
    result = judged(own, requires=((requirement, other),))
    if own in ("supported", "undecided") and other == "contradicted" and contradicts:
        assert (result.verdict, result.reason, result.p) == (
            "contradicted",
            "the other fails",
            0.03,
        )
    elif own == "supported" and other == "supported":
        assert (result.verdict, result.p) == ("supported", 0.03)  # both must hold: the larger p
    elif own == "supported":
        assert result.verdict == "undecided"
        assert result.reason == (
            "no comparison: it lacks a control group"
            if other == "not testable"
            else "the other fails"
        )
    else:
        assert (result.verdict, result.reason) == (own, "")


@pytest.mark.parametrize("own", VERDICTS)
@pytest.mark.parametrize("other", VERDICTS)
@pytest.mark.parametrize("asked", ["contradicted", "either"])
def test_what_a_contradiction_requires(own, other, asked):
    result = judged(
        own, requires=((Requirement("other", reason="the other differs", applies_to=asked), other),)
    )
    if own not in (("contradicted", "supported") if asked == "either" else (asked,)):
        assert (result.verdict, result.reason, result.p) == (own, "", 0.01)
    elif own == other:
        assert (result.verdict, result.p) == (own, 0.03)
    else:
        lacks = other == "not testable"
        assert result.verdict == result.verdict_alone == "undecided"
        assert result.reason == (
            "no comparison: it lacks a control group" if lacks else "the other differs"
        )


def test_a_required_reading_contradicts_although_the_answer_turns():
    requirement = Requirement("other", reason="the other fails", contradicts=True)
    result = judged(
        "supported", sensitivity="contradicted", requires=((requirement, "contradicted"),)
    )
    assert (result.verdict, result.reason) == ("contradicted", "the other fails")


def tried(name: str, verdict: str, p: float | None) -> Trial:
    """A claim of that name, before its family is allowed for."""
    return Trial(
        claim=replace(CLAIM, id=name),
        results=(row("own", verdict, p),),
        base_rate=None,
        naive=None,
        sentence=Sentence("It is so."),
        sentence_if_open=Sentence("Open: {reason}.", (("reason", Words("")),)),
    )


PS = {"a": 0.001, "b": 0.02, "c": 0.04, "d": None}
TRIALS = [tried(n, "not testable" if p is None else "supported", p) for n, p in PS.items()]
ALL = Family(claims=tuple(PS), method="holm")


def test_all_claims_at_once():
    result = adjust_multiplicity(TRIALS, ALL, 0.05)
    assert [t.primary.p_family for t in result[:3]] == pytest.approx([0.004, 0.06, 0.08])
    assert [t.verdict for t in result] == ["supported", "undecided", "undecided", "not testable"]
    assert [t.verdict_alone for t in result] == ["supported"] * 3 + ["not testable"]
    assert str(result[0].sentence) == "It is so."
    why = "by itself it is supported, but not with 4 claims judged together"
    assert (str(result[1].sentence), result[1].primary.reason) == (f"Open: {why}.", why)


def test_a_claim_whose_columns_are_missing_is_not_in_the_family():
    family = Family(claims=("a", "b", "c"), method="holm")
    result = adjust_multiplicity(TRIALS, family, 0.05)
    assert [t.primary.p_family for t in result] == [*map(pytest.approx, (0.003, 0.04, 0.04)), None]


def test_members_that_were_not_tried_count_as_not_testable():
    part = adjust_multiplicity(TRIALS[:2], ALL, 0.05)
    assert [t.primary.p_family for t in part] == pytest.approx([0.004, 0.06])


def test_alone_is_never_easier_than_together():
    alone = Family(claims=tuple(PS), method="holm", is_alone=True)
    result = [adjust_multiplicity([t], alone, 0.05)[0] for t in TRIALS]
    assert [t.primary.p_family for t in result] == [*map(pytest.approx, (0.004, 0.08, 0.16)), None]
    assert [t.verdict for t in result] == ["supported", "undecided", "undecided", "not testable"]
    assert "as one of 4 claims, at the level of the study divided by 4" in str(result[1].sentence)


def test_without_a_method_each_verdict_is_its_own():
    none = Family(claims=tuple(PS), method="none")
    result = adjust_multiplicity(TRIALS, none, 0.05)
    assert [t.verdict for t in result] == [t.verdict_alone for t in result]
    assert [t.primary.p_family for t in result] == list(PS.values())


def test_segments_multiply_the_family():
    family = Family(claims=("a", "b"), method="holm", groups=2)
    result = adjust_multiplicity([*TRIALS[:2], *TRIALS[:2]], family, 0.05)
    assert [t.primary.p_family for t in result] == pytest.approx([0.004, 0.04, 0.004, 0.04])


def test_what_is_decided_without_an_error_of_its_own_is_open_in_a_family():
    blank = tried("a", "contradicted", None)
    assert adjust_multiplicity([blank], Family(claims=("a",), method="holm"), 0.05)[0].verdict == (
        "contradicted"
    )
    assert adjust_multiplicity([blank, TRIALS[1]], ALL, 0.05)[0].verdict == "undecided"
