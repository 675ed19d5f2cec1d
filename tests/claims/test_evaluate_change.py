"""Claims before and after a change: each period by itself, and the difference of their numbers."""

import json
import math
from dataclasses import replace
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from click.testing import CliRunner

import cxresearch as cx
from cxresearch.claims.evaluate_change import difference_of, evaluate_change
from cxresearch.cli import main
from cxresearch.errors import ArgumentError
from cxresearch.estimators.influence import Clusters
from cxresearch.estimators.results import estimate
from cxresearch.records.restrict import restrict_days
from cxresearch.worlds import World, simulate

CLAIMS = ["bad-moments-drive-away", "remote-touchpoints"]
CLUSTERS = Clusters(1_000, 100, "clusters")
DAY_0 = date(1970, 1, 1)


@pytest.fixture(scope="module")
def records():
    return cx.read_records(simulate(World(hr_bad=(1.0, 2.0, 2.0, 2.0)), 2_000, seed=4).study())


def middle(records):
    return (records.window.first + records.window.last) // 2


def days_at_risk(table):
    """Customer-days and departures, from flows."""
    flows = table.flows.select(pl.all().cast(pl.Int64))
    return (
        int(((flows["left"] - flows["entered"]) * flows["time"]).sum()),
        int(flows["defection"].sum()),
    )


def test_the_days_of_two_periods_are_those_of_the_whole(records):
    change = middle(records)
    first, last = records.window.first, records.window.last
    whole, *parts = (
        days_at_risk(cx.risk_table(r, bad=cx.bad_count(1)))
        for r in (
            records,
            restrict_days(records, first, change - 1),
            restrict_days(records, change, last),
        )
    )
    assert min(n for part in parts for n in part) > 0
    assert tuple(map(sum, zip(*parts, strict=True))) == whole


def test_what_was_lived_through_before_a_period_counts_in_it(records):
    """Time with a bad moment so far is that of the whole study, cut at the change."""
    change, last = middle(records), records.window.last
    table = cx.risk_table(restrict_days(records, change, last), bad=cx.bad_count(1))
    given = cx.episodes(records, bad=cx.bad_count(1)).to_polars()
    start = dict(records.engine.collect(records.customers.select("customer", "start")).rows())
    late = 0
    for customer, begins, ends, level in given.select(
        "customer", "start", "stop", "bad"
    ).iter_rows():
        origin = start[customer]
        late += max(0, origin + ends - max(origin + begins, change - 1)) if level == "1+" else 0
    assert days_at_risk(table.where(bad=["1+"]))[0] == late


def test_each_period_is_a_docket_and_differences_are_of_their_numbers(records):
    since = DAY_0 + timedelta(days=middle(records))
    result = evaluate_change(records, since, CLAIMS, alone=True, verdicts_only=True)
    assert [c.claim for c in result.changes] == CLAIMS
    for change in result.changes:
        one, two = (d[change.claim].primary.estimate for d in (result.before, result.after))
        assert change.difference == pytest.approx(two.value / one.value)
        assert change.low < change.difference < change.high
    # nothing has changed in this company
    assert not result.changes[0].is_shown
    frame = result.to_polars()
    assert frame["claim"].to_list() == CLAIMS
    assert json.loads(result.to_json())["changes"][0]["difference"] == frame["difference"][0]
    assert "what changed it" in str(result)
    assert "× " in str(result)


@pytest.mark.slow
def test_a_planted_change_is_found():
    """Bad moments do nothing in the first half, and in the second they drive customers away."""
    quiet = simulate(World(), 3_000, seed=8).study()
    harsh = simulate(World(hr_bad=(1.0, 4.0, 4.0, 4.0)), 3_000, seed=8).study()
    numbers = []
    for study, half in ((quiet, 0), (harsh, 1)):
        records = cx.read_records(study)
        change = middle(records)
        days = (records.window.first, change - 1) if half == 0 else (change, records.window.last)
        docket = cx.evaluate(
            restrict_days(records, *days), CLAIMS[:1], alone=True, verdicts_only=True
        )
        numbers.append(docket[CLAIMS[0]].primary.estimate)
    value, low, high = difference_of(*numbers, is_ratio=True)
    assert 1.5 < low < value < high


def test_limits_of_a_difference_are_those_of_two_normal_numbers():
    a, b = (
        estimate(v, s, scale="identity", level=0.95, clusters=CLUSTERS)
        for v, s in ((1.0, 0.3), (2.5, 0.4))
    )
    value, low, high = difference_of(a, b, is_ratio=False)
    half = math.hypot(a.high - a.value, b.high - b.value)
    assert (value, low, high) == pytest.approx((1.5, 1.5 - half, 1.5 + half))
    a, b = (
        estimate(v, s, scale="log", level=0.95, clusters=CLUSTERS)
        for v, s in ((1.2, 0.1), (1.8, 0.2))
    )
    value, low, high = difference_of(a, b, is_ratio=True)
    assert value == pytest.approx(1.5)
    assert low * high == pytest.approx(1.5**2)


def test_limits_of_a_difference_take_the_side_that_each_number_has():
    """By hand: an interval that is wide upwards makes the difference wide where that number is taken away."""
    some = estimate(1.0, 0.1, scale="identity", level=0.95, clusters=CLUSTERS)
    before = replace(some, value=0.10, low=0.05, high=0.30)
    after = replace(some, value=0.20, low=0.15, high=0.28)
    value, low, high = difference_of(before, after, is_ratio=False)
    wanted = (0.10, 0.10 - math.sqrt(0.05**2 + 0.20**2), 0.10 + math.sqrt(0.08**2 + 0.05**2))
    assert (value, low, high) == pytest.approx(wanted)


@pytest.mark.parametrize("shift", [-1, 0, 10_000])
def test_a_day_outside_the_log_is_an_error(records, shift):
    day = DAY_0 + timedelta(days=records.window.first + shift)
    with pytest.raises(ArgumentError, match="a day within the log"):
        evaluate_change(records, day, CLAIMS)


@pytest.mark.parametrize("since", ["2024-01-01", 19_800, True, datetime(2024, 1, 1)])
def test_a_log_of_dates_wants_a_date(records, since):
    with pytest.raises(ArgumentError, match="since must be a date, "):
        evaluate_change(records, since, CLAIMS)


@pytest.mark.slow
def test_on_the_command_line(tmp_path):
    made = simulate(World(), 400, seed=3)
    study, *_ = made.write(tmp_path, name="a world", truth={})
    # no claim is tried but the one that is asked for
    study.write_text(study.read_text() + '\n[decision]\nmultiplicity = "none"\n')
    claim = ("--claim", CLAIMS[0])
    written = tmp_path / "v.json", tmp_path / "v.csv", tmp_path / "v.xlsx"
    files = [f"--{path.suffix[1:]}={path}" for path in written]
    command = ["evaluate", str(tmp_path), *claim]
    done = CliRunner().invoke(
        main, [*command, "--from", "2024-01-01", "--until=2024-10-31", *files]
    )
    assert done.exit_code == 0, done.output
    assert "before 2024-01-01, and from then on until 2024-10-31" in done.stdout
    assert json.loads(written[0].read_text())["since"] == "2024-01-01"
    assert pl.read_csv(written[1])["claim"].to_list() == CLAIMS[:1]
    assert written[2].stat().st_size > 0
    for wrong, why in (
        (["--from", "spring"], "must be a date such as 2024-12-31"),
        (["--until", "2024-10-31"], "--until needs --from"),
        (["--from", "2024-01-01", "--by", "segment"], "cannot be given together"),
        (["--from", "2034-01-01"], "a day within the log"),
    ):
        result = CliRunner().invoke(main, [*command, *wrong])
        assert result.exit_code == 2, result.output
        assert why in result.stderr


def test_a_study_without_contracts_is_refused():
    log = pl.DataFrame(
        {"customer": ["a", "a", "b"], "at": [1, 30, 2], "grade": ["bad", "good", "good"]}
    )
    settings = {
        "interactions": {"log_from": 0, "log_until": 90},
        "retention": {"kind": "activity", "gap_days": 20},
    }
    study = cx.study_from(settings, interactions=log)
    with pytest.raises(ArgumentError, match="kind contract"):
        evaluate_change(study, 40, CLAIMS)
