"""120 customers, 60 of whom left: from two tables to a verdict with limits that R gives as well."""

import pytest

import cxresearch as cx
from tests.estimators.golden import GOLDEN, read

STUDY = """
[interactions]
source = "interactions.csv"
log_from = 2024-01-01
log_until = 2024-12-25

[retention]
source = "customers.csv"
segment = "segment"
cluster = "household"
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    for name in ("interactions.csv", "customers.csv"):
        (folder / name).write_bytes((GOLDEN / "few" / name).read_bytes())
    (folder / "study.toml").write_text(STUDY)
    return cx.evaluate(
        cx.read_study(folder / "study.toml"), ["bad-moments-drive-away"], alone=True
    )["bad-moments-drive-away"]


@pytest.mark.parametrize("reading", ["adjusted", "crude"])
def test_limits_as_in_r(trial, reading):
    [wanted] = read("few.csv").filter(reading=reading).iter_rows(named=True)
    row = trial[reading]
    assert (row.customers, row.events) == (wanted["customers"], wanted["events"]) == (120, 60)
    number = row.estimate
    assert (number.errors, number.df) == ("clusters", wanted["df"])
    for name, ours in (
        ("hazard_ratio", number.value),
        ("low", number.low),
        ("high", number.high),
        ("se", number.se),
        ("se_model", number.se_model),
    ):
        assert ours == pytest.approx(wanted[name], rel=1e-9), name


def test_the_verdict_rests_on_these_limits(trial):
    primary = trial.primary
    assert primary.reading_id == "adjusted"
    assert trial.association == "supported"
    assert primary.estimate.low > 1
    limits = f"({primary.estimate.low:.2f} to {primary.estimate.high:.2f})"
    assert f"at {primary.estimate.value:.2f} times the rate {limits}" in str(trial.sentence)


def test_so_few_customers_exclude_no_rival(trial):
    assert trial.verdict == "undecided"
    opened = {r.id for r in trial.rivals if r.status == "keeps it open"}
    assert "already-leaving" in opened
    assert "already leaving" in trial.primary.reason
    [control] = [r for r in trial.rivals if r.id == "other-exits"]
    assert (control.status, control.rows) == ("cannot be tested", ())
    assert "no customer left for another cause" in control.reason.lower()


def test_only_a_level_of_few_expected_events_is_not_testable(trial):
    lacks = {row.reading_id: row.lacks for row in trial.results if row.estimate is None}
    assert list(lacks) == ["in-91-365-days"]
    assert "10 are needed" in lacks["in-91-365-days"]
    numbers = [row.estimate for row in trial.results if row.estimate is not None]
    assert len(numbers) == 7
    assert all(n.low < n.value < n.high and n.df == 49 for n in numbers)
