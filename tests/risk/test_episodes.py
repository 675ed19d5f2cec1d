"""What episodes refuse: names that no history can have, and transitions that are no moment in time."""

import pytest

import cxresearch as cx
from cxresearch.errors import EstimationError
from cxresearch.estimators.excess import excess
from cxresearch.risk.matched import matched_table
from cxresearch.risk.transitions import until
from cxresearch.worlds import World, simulate

STUDY = simulate(World(), 300, 3).study()


@pytest.fixture(scope="module")
def eps():
    return cx.episodes(
        STUDY,
        bad=cx.bad_count(2),
        last=cx.histories.last_grade(),
        recent=cx.contacts_within(90, edges=(1,)),
    )


@pytest.mark.parametrize(
    "name", ["", "*", "^a$", "a b", "1st", "rows", "flow", "defection", "cx_bad", "time"]
)
def test_a_name_that_no_history_can_have(name):
    with pytest.raises(
        EstimationError, match=r"call the history something else|must be a name of letters"
    ):
        cx.risk_table(STUDY, **{name: cx.bad_count(1)})


def test_a_stratum_named_twice():
    with pytest.raises(EstimationError, match="'segment' is named twice"):
        cx.risk_table(STUDY, strata=["segment", "segment"], bad=cx.bad_count(1))


@pytest.mark.parametrize(
    "cause", ["defection", "other exit", "censored", "bad", "last", "group", "time", "entered", ""]
)
def test_a_transition_needs_a_cause_of_its_own(eps, cause):
    with pytest.raises(EstimationError, match=r"already|something else|must be a name"):
        until(eps, "bad", "2+", cause)


def test_a_transition_is_a_moment_in_time(eps):
    with pytest.raises(
        EstimationError, match="last can fall as well as rise, so reaching 'bad' is not one moment"
    ):
        until(eps, "last", "bad", "turned bad")
    with pytest.raises(EstimationError, match="bad: no level '3'; there are: 0, 1, 2"):
        until(eps, "bad", "3", "third")


def test_an_excess_of_no_cause_or_beyond_all_follow_up(eps):
    table = matched_table(
        cx.episodes(STUDY, observed_from_start=True, **eps.histories), "bad", "1", "recent"
    )
    with pytest.raises(EstimationError, match="no cause 'defecton'; did you mean 'defection'"):
        excess(table, 90, cause="defecton")
    with pytest.raises(
        cx.NotTestable, match=r"follow-up to 10000000000 days after the moment \(it ends at \d+\)"
    ):
        excess(table, 10**10)
