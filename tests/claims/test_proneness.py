"""What customers may be prone to that a claim asks about: a grade, a kind of contact, a grade within a kind."""

import pytest
from benchmarks.hostile.run import Job, seeds, try_claims

import cxresearch as cx
from cxresearch.claims.adjusted_model import proneness_entries, shares_of_all

SHARE = {"use": "graded_share"}


def entries(claim):
    found = cx.catalogue()[claim]
    return proneness_entries(found, found.primary)


def test_the_grade_and_the_kind():
    both = ({**SHARE, "grade": "bad"}, {**SHARE, "attended": False})
    assert entries("remote-touchpoints") == both


def test_each_kind_of_a_ratio_of_ratios_has_its_share():
    assert entries("problem-moments") == tuple(
        {**SHARE, "grade": "bad", "is_problem": kind, "within_kind": True} for kind in (True, False)
    )


def test_of_a_grade_or_a_kind_alone_there_is_one():
    assert entries("bad-moments-drive-away") == ({**SHARE, "grade": "bad"},)
    assert entries("handoffs") == ({**SHARE, "handoff": True},)


def test_shares_of_all_contacts_count_those_without_a_grade():
    every = ["bad", "neutral", "good", "unknown"]
    assert shares_of_all(entries("bad-moments-drive-away")) == (
        {**SHARE, "grade": "bad", "among": every},
    )
    assert shares_of_all(entries("good-moments-build")) == ()  # among good and neutral ones
    assert shares_of_all(entries("goodwill-gesture")) == ()  # of problems


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "claim", "replicate", "rival"),
    [
        ("app-users", "remote-touchpoints", 1, "temperament"),
        ("grumblers", "bad-moments-drive-away", 0, "temperament"),
        ("problems-beyond-repair", "problem-moments", 4, "temperament"),
        ("graded-when-annoyed", "bad-moments-drive-away", 3, "who-answers"),
    ],
)
def test_what_turned_a_verdict_keeps_it_open(family, claim, replicate, rival):
    """Moments do nothing there, and by itself the number supports the claim."""
    job = Job(family, replicate, seeds()[family] + replicate, (claim,), None, True)
    (row,) = try_claims(job)
    assert row["verdict"] == "undecided"
    assert rival in row["rivals"].split()
    assert float(row["low"]) > 1


@pytest.mark.slow
def test_a_truth_is_told_though_some_contacts_are_not_graded():
    family, claim = "true-partly-graded", "bad-moments-drive-away"
    (row,) = try_claims(Job(family, 1, seeds()[family] + 1, (claim,), None, True))
    assert row["verdict"] == "supported"
