"""What is planted in hostile companies is in their data, found again by a regression on days of customers."""

import ast
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.hostile import families
from benchmarks.hostile.simulate import (
    BAD,
    GOOD,
    UNKNOWN,
    Company,
    Influence,
    changed,
    simulate,
    write,
)

import cxresearch as cx

HOSTILE = Path(families.__file__).parent
PLAIN = Company(about="nothing", years=1, started_before=0, hazard=0.004, contacts=1 / 20)


def before(s, chosen, last=None):
    """How many of the chosen contacts lie before each day, or 1 to `last` days before it; shape (n, days)."""
    size = len(s.start) * s.days
    cell = (s.customer * s.days + s.day + 1)[chosen & (s.day + 1 < s.days)]
    happened = np.bincount(cell, minlength=size).astype(np.int8).reshape(-1, s.days)
    total = np.cumsum(happened, axis=1, dtype=np.int16)
    if last is not None:
        total[:, last:] -= total[:, :-last].copy()
    return total


def at_risk_and_leaving(s, cause=1):
    day = np.arange(s.days)
    at_risk = (day > s.start[:, None]) & (day <= np.minimum(s.end, s.days - 1)[:, None])
    return at_risk, at_risk & ((s.cause == cause)[:, None] & (day == s.end[:, None]))


def logistic(s, *columns, cause=1):
    """Coefficients and standard errors of a logistic regression on days at risk, the constant and segments left out."""
    at_risk, leaves = at_risk_and_leaving(s, cause)
    # every column holds small whole numbers, so that days with the same ones are counted together
    code = np.zeros(at_risk.shape, np.int32)
    for column in (*columns, s.segment[:, None]):
        code = code * 12 + column
    size = 12 ** (len(columns) + 1)
    n = np.bincount(code[at_risk], minlength=size)
    y = np.bincount(code[leaves], minlength=size)
    cells = np.flatnonzero(n)
    n, y = n[cells], y[cells]
    digits = [cells // 12**k % 12 for k in range(len(columns), -1, -1)]
    level = digits.pop()
    X = np.column_stack([*digits, np.ones(len(cells)), level == 1, level == 2]).astype(float)
    beta = np.zeros(X.shape[1])
    beta[-3] = np.log(y.sum() / n.sum())
    for _ in range(30):
        p = 1 / (1 + np.exp(-X @ beta))
        information = X.T @ (X * (n * p * (1 - p))[:, None])
        step = np.linalg.solve(information, X.T @ (y - n * p))
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    k = len(columns)
    return beta[:k], np.sqrt(np.diag(np.linalg.inv(information)))[:k]


def assert_found(found, planted):
    value, error = found
    assert np.all(error < 0.15)
    assert np.all(np.abs(value - np.log(planted)) < 3.5 * error), (np.exp(value), planted, error)


def test_effects_of_bad_moments_good_ones_and_silence_are_planted():
    s = simulate(
        PLAIN, 1, 8000, bad_first=1.6, bad_recent=2.0, good_each=0.9, silence=1.5, contacts=1 / 30
    )
    bad, good = s.true_grade == BAD, s.true_grade == GOOD
    found = logistic(
        s,
        before(s, bad) > 0,
        before(s, bad, 30) > 0,
        np.minimum(before(s, good), 10),
        before(s, bad | True, 90) == 0,
    )
    assert_found(found, (1.6, 2.0, 0.9, 1.5))


def test_effects_of_doses_and_first_contacts_are_planted():
    s = simulate(PLAIN, 2, 6000, bad_each=1.25, first_contact_bad=1.8, neutral_each=1.1)
    first = np.r_[True, s.customer[1:] != s.customer[:-1]]
    assert np.all(np.diff(s.day)[~first[1:]] > 0)
    found = logistic(
        s,
        np.minimum(before(s, s.true_grade == BAD), 8),
        before(s, first & (s.true_grade == BAD)) > 0,
        np.minimum(before(s, s.true_grade == 1), 10),
    )
    assert_found(found, (1.25, 1.8, 1.1))


def test_effects_of_failed_expectations_are_planted():
    planted = (1.3, 1.0, 1.5, 1.2)
    s = simulate(PLAIN, 3, 6000, failed=planted)
    assert_found(logistic(s, *(before(s, s.failed[:, k]) > 0 for k in range(4))), planted)


def test_influences_act_when_and_on_whom_they_should():
    acts = (
        Influence(weight=families.from_day(180), leave=2.0, other_exit=3.0),
        Influence(weight=families.in_segment(2), leave=1.5),
        Influence(weight=families.since_contact(30), leave=0.7),
        Influence(weight=families.in_tenure(0, 100), leave=1.8),
    )
    s = simulate(
        PLAIN, 4, 6000, influences=acts, segment_ratios=(1.0, 1.0, 1.0), other_hazard=0.002
    )
    day = np.arange(s.days)
    columns = (
        day >= 180,
        before(s, s.day >= 0, 30) > 0,
        day - s.start[:, None] <= 100,
    )
    assert_found(logistic(s, *columns), (2.0, 0.7, 1.8))
    at_risk, leaves = at_risk_and_leaving(s)
    rate = [leaves[s.segment == k].sum() / at_risk[s.segment == k].sum() for k in (0, 2)]
    assert rate[1] / rate[0] == pytest.approx(1.5, rel=0.15)
    value, error = logistic(s, *columns[:1], cause=2)
    assert abs(value[0] - np.log(3)) < 3.5 * error[0]


def test_who_is_about_to_leave_is_known_in_the_last_days_and_not_before():
    acts = (Influence(weight=families.about_to_leave(1, 20), bad=20, contacts=4),)
    s = simulate(PLAIN, 5, 4000, influences=acts)
    left = (s.cause == 1)[s.customer]
    days_left = s.end[s.customer] - s.day
    is_bad = s.true_grade == BAD

    def share(low, high):
        return is_bad[left & (days_left >= low) & (days_left <= high)].mean()

    assert share(1, 3) > 0.55
    assert share(1, 3) > share(8, 12) > share(15, 20) > share(40, 400) + 0.02
    others = is_bad[~left & (s.day < s.days - 30)].mean()
    assert share(40, 400) == pytest.approx(others, abs=0.02)


def test_what_happens_before_leaving_does_not_change_who_leaves():
    plain = simulate(PLAIN, 6, 2000)
    acts = (Influence(weight=families.about_to_leave(1, 60), bad=5, answered=0.1),)
    hostile = simulate(PLAIN, 6, 2000, influences=acts)
    np.testing.assert_array_equal(plain.end, hostile.end)
    assert (hostile.grade == UNKNOWN).sum() > (plain.grade == UNKNOWN).sum()


def test_equal_seeds_give_equal_companies_and_others_do_not():
    company = replace(families.FAMILIES["mood"], years=0.5, years_before=0.3)
    one, two, other = (simulate(company, seed, 500) for seed in (7, 7, 8))
    for f in fields(one)[2:]:
        np.testing.assert_array_equal(getattr(one, f.name), getattr(two, f.name))
    assert not np.array_equal(one.start, other.start)


def test_a_wrong_name_or_number_is_refused():
    with pytest.raises(TypeError, match="bad_frist"):
        changed(PLAIN, bad_frist=1.6)
    with pytest.raises(ValueError, match="above 0, were 0"):
        simulate(PLAIN, 1, 0)
    late = (Influence(weight=families.about_to_leave(1, 5), leave=2),)
    with pytest.raises(ValueError, match="known only to influences that leave the hazard alone"):
        simulate(PLAIN, 1, 50, influences=late)


def test_recording_changes_the_log_and_nothing_else():
    plain = simulate(PLAIN, 9, 1500)
    late = simulate(PLAIN, 9, 1500, recorded_after=(5, 25))
    np.testing.assert_array_equal(plain.true_grade, late.true_grade)
    delay = late.recorded - late.day
    is_bad = late.true_grade == BAD
    assert delay[is_bad].min() == 5
    assert delay[is_bad].max() == 25
    assert not delay[~is_bad].any()
    assert np.all(late.recorded[late.seen] < late.end[late.customer[late.seen]])
    flat = simulate(PLAIN, 9, 1500, neutral_from=300, neutral_share=0.5)
    is_flat = (flat.day >= 300) & (flat.true_grade == BAD)
    assert (flat.grade[is_flat] == 1).mean() == pytest.approx(0.5, abs=0.06)
    assert not (flat.grade[flat.day < 300] == 1)[flat.true_grade[flat.day < 300] == BAD].any()
    remote = simulate(PLAIN, 9, 1500, unseen_remote_until=300)
    assert set(remote.touchpoint[remote.seen & (remote.day < 300)]) == {0, 1}
    assert set(remote.touchpoint[remote.seen & (remote.day >= 300)]) == {0, 1, 2, 3}
    monthly = simulate(PLAIN, 9, 1500, leaves_at_month_end=True)
    assert set(monthly.end[monthly.cause == 1] % 30) == {29}


def test_ends_are_entered_late_and_contacts_stop_before():
    plain, late = simulate(PLAIN, 9, 1500), simulate(PLAIN, 9, 1500, entered_after=(20, 75))
    np.testing.assert_array_equal(plain.start, late.start)
    gone = late.cause == 1
    assert np.all(plain.cause[gone] == 1)
    delay = (late.end - plain.end)[gone]
    assert (delay.min(), delay.max()) == (20, 75)
    was_gone = (plain.cause == 1) & ~gone
    assert np.all(late.end[was_gone] == late.days)
    assert np.all(late.days - plain.end[was_gone] <= 75)
    assert np.all(late.day <= plain.end[late.customer])


def test_of_those_who_left_contacts_are_regraded_or_deleted():
    plain, again = simulate(PLAIN, 9, 1500), simulate(PLAIN, 9, 1500, regraded=0.4)
    changed_grade = plain.grade != again.grade
    left = (again.cause == 1)[again.customer]
    days_left = again.end[again.customer] - again.day
    is_last = np.r_[again.customer[1:] != again.customer[:-1], True]
    concerned = left & is_last & (days_left <= 60)
    assert not changed_grade[~concerned].any()
    assert (again.grade == BAD)[concerned].mean() == pytest.approx(0.46, abs=0.06)
    fewer = simulate(PLAIN, 9, 1500, deleted=0.5)
    gone = plain.seen & ~fewer.seen
    assert np.all(left[gone] & (plain.grade[gone] != BAD))
    concerned = plain.seen & left & (plain.grade != BAD)
    assert gone[concerned].mean() == pytest.approx(0.5, abs=0.05)


def test_who_answers_may_depend_on_the_grade():
    acts = (Influence(weight=families.trait(0), answered_bad=3),)
    plain = simulate(PLAIN, 9, 3000, answered=0.5)
    s = simulate(PLAIN, 9, 3000, answered=0.5, influences=acts)
    is_bad = s.true_grade == BAD
    np.testing.assert_array_equal(plain.grade[~is_bad], s.grade[~is_bad])
    answered = s.grade != UNKNOWN
    by = np.bincount(s.customer[is_bad], answered[is_bad], minlength=3000)
    assert by.std() > np.bincount(s.customer[is_bad], (plain.grade != UNKNOWN)[is_bad]).std()


def test_households_leave_within_days_of_each_other_and_are_a_cluster(tmp_path):
    s = simulate(PLAIN, 9, 1500, household=3)
    pairs = s.household[1:] == s.household[:-1]
    assert np.abs(np.diff(s.start))[pairs].max() <= 20
    assert np.all(np.diff(s.segment)[pairs] == 0)
    both = pairs & (s.cause[1:] == 1) & (s.cause[:-1] == 1)
    assert both.sum() > 300
    assert np.median(np.abs(np.diff(s.end))[both]) <= 10
    text = write(s, tmp_path / "shared", "shared").read_text()
    assert 'cluster = "household"\n' in text
    assert pl.read_parquet(tmp_path / "shared" / "customers.parquet")["household"].n_unique() < 600
    assert "cluster" not in write(simulate(PLAIN, 9, 50), tmp_path / "alone", "alone").read_text()


def test_a_study_is_written_that_the_package_reads_whole(tmp_path):
    company = families.FAMILIES["clear-short"]
    s = simulate(company, 10, 600)
    audit = cx.audit(cx.read_study(write(s, tmp_path / "study", "short")))
    assert dict(audit.read) == dict(audit.kept) == {"interactions": s.seen.sum(), "retention": 600}
    assert "lead_days" not in (tmp_path / "study" / "study.toml").read_text()
    log = pl.read_parquet(tmp_path / "study" / "interactions.parquet")
    assert log["at"].dt.date().min() >= date(2022, 1, 1)
    assert set(log["grade"]) == {"bad", "neutral", "good", "unknown"}
    text = write(s, tmp_path / "keys", "short", with_moment_keys=True).read_text()
    assert "[moments]\nlead_days = []\n" in text


@pytest.mark.parametrize("path", sorted(HOSTILE.glob("*.py")), ids=lambda p: p.stem)
def test_only_the_runner_knows_the_package(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
    assert ("cxresearch" in names) == (path.stem == "run")
