"""No family is degenerate, and what is true of each is on file."""

import csv
import itertools
import math

import numpy as np
import polars as pl
import pytest
from benchmarks.hostile import truths as truth_module
from benchmarks.hostile.families import FAMILIES
from benchmarks.hostile.large_runs import incidence_before_third
from benchmarks.hostile.problems import DAYS, PROBLEMS, simulate_problems
from benchmarks.hostile.run import seeds
from benchmarks.hostile.shops import SHOPS, Shop, simulate_shop, write_shop
from benchmarks.hostile.simulate import BAD, GOOD, UNKNOWN, Company, Effects, simulate
from benchmarks.hostile.truths import CLAIMS, HERE, lines, truths


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_no_family_is_degenerate(name):
    s = simulate(FAMILIES[name], 1, 1000)
    # where relations are short nearly all end within the log
    is_brief = FAMILIES[name].hazard > 0.01
    assert 60 < (s.cause == 1).sum() < (970 if is_brief else 600)
    assert (s.cause == 2).sum() > 10
    grades = np.bincount(s.grade[s.seen], minlength=4) / s.seen.sum()
    # a log of complaints has hardly any other grade
    is_graded = FAMILIES[name].answered > 0.1
    assert np.all((grades if is_graded else grades[[0, 3]]) > 0.04), grades
    assert (s.start < 0).any()
    assert np.isin(np.arange(3), s.segment).all()


@pytest.mark.parametrize("name", SHOPS)
def test_no_shop_is_degenerate(name):
    s = simulate_shop(SHOPS[name], 1, 1000)
    seen = s.day >= 0
    assert 300 < s.lapses[seen].sum() < 900
    grades = np.bincount(s.grade[seen], minlength=4) / seen.sum()
    assert np.all(grades > 0.04), grades
    last = np.r_[s.customer[1:] != s.customer[:-1], True]
    assert not s.lapses[~last].any()


def rate(s, chosen):
    """Summed hazard of lapsing at the chosen contacts, on the scale of the complementary log-log."""
    return -math.log1p(-s.lapses[chosen].mean())


@pytest.mark.parametrize(("name", "ratio"), [("shop-first", 1.6), ("shop-quick-critics", 1.6)])
def test_effects_of_first_bad_contacts_are_planted_in_shops(name, ratio):
    s = simulate_shop(SHOPS[name], 3, 20_000)
    bad = np.cumsum(s.true_grade == BAD)
    begins = np.r_[True, s.customer[1:] != s.customer[:-1]]
    start = np.maximum.accumulate(np.where(begins, np.arange(len(bad)), 0))
    so_far = bad - np.where(start > 0, bad[start - 1], 0)
    assert rate(s, so_far > 0) / rate(s, so_far == 0) == pytest.approx(ratio, rel=0.04)


def test_other_effects_are_planted_in_shops():
    s = simulate_shop(SHOPS["shop-latest"], 4, 12_000)
    is_bad = s.true_grade == BAD
    assert rate(s, is_bad) / rate(s, ~is_bad) == pytest.approx(2.0, rel=0.05)
    s = simulate_shop(SHOPS["shop-good"], 4, 20_000)
    first = s.number == 0
    is_good = s.true_grade == GOOD
    assert rate(s, first & is_good) / rate(s, first & ~is_good) == pytest.approx(0.9, rel=0.08)


def test_slow_buyers_find_more_bad_and_lapse_no_sooner():
    s = simulate_shop(SHOPS["shop-slow-buyers"], 5, 12_000)
    gaps = np.diff(s.day)[s.customer[1:] == s.customer[:-1]]
    who = s.customer[1:][s.customer[1:] == s.customer[:-1]]
    n = np.bincount(who, minlength=s.customer.max() + 1)
    pace = np.bincount(who, gaps, minlength=len(n)) / np.maximum(n, 1)
    is_slow = ((pace > 40) & (n > 2))[s.customer]
    is_quick = ((pace < 12) & (n > 2))[s.customer]
    is_bad = s.true_grade == BAD
    assert is_bad[is_slow].mean() > 1.7 * is_bad[is_quick].mean()
    assert rate(s, is_bad) / rate(s, ~is_bad) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", truth_module.THREE_STRIKES)
def test_who_lapses_before_a_third_bad_contact_is_what_the_definition_says(name):
    s = simulate_shop(SHOPS[name], 7, 20_000)
    bad, begins = s.grade == BAD, np.r_[True, s.customer[1:] != s.customer[:-1]]
    start = np.flatnonzero(begins)[np.cumsum(begins) - 1]
    so_far = np.cumsum(bad) - (np.cumsum(bad) - bad)[start]
    # those who had the first one early enough for all to be settled by the end of the log
    firsts = bad & (so_far == 1) & (s.day < s.shop.days - 200)
    third = set(s.customer[bad & (so_far == 3)])
    share = 1 - np.isin(s.customer[firsts], list(third)).mean()
    assert share == pytest.approx(truths(name)["three-strikes"].value, abs=0.006)


def test_habits_of_shops_are_planted():
    s = simulate_shop(SHOPS["shop-returns-true"], 8, 12_000)
    same = s.customer[1:] == s.customer[:-1]
    after_bad = (s.true_grade[:-1] == BAD)[same]
    assert np.diff(s.day)[same][after_bad].max() <= 3
    assert not s.lapses[s.true_grade == BAD].any()
    s = simulate_shop(SHOPS["shop-gifts"], 8, 12_000)
    year = s.day % 365
    is_december = (year >= 335) & (year < 359)
    only = np.bincount(s.customer, ~is_december, minlength=s.customer.max() + 1) == 0
    is_gift = only[s.customer]
    assert (s.true_grade[is_gift] == BAD).mean() > 1.7 * (s.true_grade[~is_gift] == BAD).mean()
    s = simulate_shop(SHOPS["shop-programme"], 8, 12_000)
    loyal = s.number >= 8
    late, early = loyal & (s.day > 600), loyal & (s.day < 500)
    assert rate(s, late) < 0.6 * rate(s, early)
    assert (s.true_grade[late] == BAD).mean() < 0.7 * (s.true_grade[early] == BAD).mean()
    s = simulate_shop(SHOPS["shop-boxes"], 8, 500)
    gaps = np.diff(s.day)[s.customer[1:] == s.customer[:-1]]
    assert set(gaps) == {30, 31, 32}


def test_four_regions_have_their_troubles_in_turn():
    s = simulate(FAMILIES["regional"], 9, 4000)
    at_risk = [((s.start < d) & (s.end >= d)).sum() for d in range(s.days)]
    left = np.bincount(s.end[s.cause == 1], minlength=s.days) / at_risk
    for first in (200, 350, 500, 650):
        assert left[first : first + 60].mean() > 1.5 * left[first - 80 : first].mean()


def test_yearly_contracts_end_around_anniversaries_only():
    s = simulate(FAMILIES["yearly"], 9, 3000)
    tenure = (s.end - s.start)[s.cause == 1]
    is_around = (tenure % 365 <= 10) | (tenure % 365 >= 360)
    assert is_around.mean() > 0.9
    before = (s.day - s.start[s.customer]) % 365
    is_before, is_bad = (before >= 330) & (before < 360), s.true_grade == BAD
    assert is_bad[is_before].mean() > 1.8 * is_bad[(before > 60) & (before < 300)].mean()


@pytest.mark.parametrize(
    ("bad_first", "share", "wrong"),
    [(1.0, 0.95, "supported"), (2.0, 0.95, "contradicted"), (2.0, 0.8, "supported")],
)
def test_that_nearly_all_leave_is_no_support_where_as_many_do_without(
    monkeypatch, bad_first, share, wrong
):
    company = Company(about="a test", effects=Effects(bad_first=bad_first))
    monkeypatch.setitem(truth_module.FAMILIES, "test", company)
    truth = truths("test", {("test", "three-strikes"): share})["three-strikes"]
    assert (truth.value, truth.wrong) == (share, (wrong,))


def odds_of_bad(s, chosen):
    share = (s.true_grade[chosen] == BAD).mean()
    return share / (1 - share)


def test_what_befalls_customers_of_shops_is_planted():
    s = simulate_shop(SHOPS["shop-new-ids"], 9, 12_000)
    assert np.array_equal(s.identity % 2 == 1, s.day >= 500)
    around = np.abs(s.day - 500) <= 30
    assert odds_of_bad(s, around) / odds_of_bad(s, ~around) == pytest.approx(4.0, rel=0.1)
    s = simulate_shop(SHOPS["shop-two-ids"], 9, 12_000)
    has_two = np.isin(s.customer, s.customer[s.identity % 2 == 1])
    assert has_two[s.number == 1].mean() == pytest.approx(0.1, abs=0.01)
    assert np.array_equal((s.identity % 2)[has_two], (s.number % 2)[has_two])
    more = (s.number > 0) & has_two
    assert odds_of_bad(s, more) / odds_of_bad(s, ~has_two) == pytest.approx(3.0, rel=0.1)
    s = simulate_shop(SHOPS["shop-yearly"], 9, 12_000)
    # who comes back in December after ten months or more, and was there last December
    in_december = np.isin(s.day % 365, np.arange(335, 359))
    pause = np.diff(s.day, prepend=0)
    yearly = in_december & np.r_[False, in_december[:-1]] & (s.number > 0) & (pause > 300)
    assert yearly.sum() > 3000
    assert not s.lapses[yearly].any()
    s = simulate_shop(SHOPS["shop-closed-true"], 9, 3000)
    assert not ((s.day >= 500) & (s.day < 560)).any()
    assert set(np.diff(s.day)[s.customer[1:] == s.customer[:-1]]) == {30, 31, 32, 90, 91, 92}
    s = simulate_shop(SHOPS["shop-sales"], 9, 3000)
    in_sales = (np.bincount(s.customer, s.day % 180 >= 7) == 0)[s.customer]
    assert in_sales[s.number == 1].mean() == pytest.approx(0.25, abs=0.04)
    s = simulate_shop(SHOPS["shop-own-seasons"], 9, 12_000)
    same = s.customer[1:] == s.customer[:-1]
    gaps, bad = np.diff(s.day)[same], (s.true_grade[:-1] == BAD)[same]
    assert gaps[bad].mean() > 1.2 * gaps[~bad].mean()
    by_month = np.bincount(s.day[s.day >= 0] % 365 // 31)[:11]
    assert by_month.max() < 1.25 * by_month.min()  # nothing is seen of it over all customers
    s = simulate_shop(SHOPS["shop-passers"], 9, 12_000)
    first = s.number == 0
    assert s.lapses[first].mean() == pytest.approx(
        0.7 * -math.expm1(-0.06) + 0.3 * -math.expm1(-0.72), abs=0.012
    )


def test_who_lapses_on_any_day_does_so_with_the_planted_hazard():
    s = simulate_shop(SHOPS["shop-any-day-true"], 10, 30_000)
    bad = np.cumsum(s.true_grade == BAD)
    begins = np.r_[True, s.customer[1:] != s.customer[:-1]]
    start = np.maximum.accumulate(np.where(begins, np.arange(len(bad)), 0))
    so_far = bad - np.where(start > 0, bad[start - 1], 0)
    # days until the next contact, or about as many as to it where nobody comes back
    gap = np.r_[np.diff(s.day), 0]
    back = np.r_[s.customer[1:] == s.customer[:-1], False]
    early = s.day < s.shop.days - 400

    def hazard(chosen):
        chosen = chosen & early
        lost = s.lapses[chosen].sum()
        return lost / (gap[chosen & back].sum() + lost * gap[chosen & back].mean())

    assert hazard(so_far > 0) / hazard(so_far == 0) == pytest.approx(1.6, rel=0.1)
    s = simulate_shop(SHOPS["shop-moving"], 10, 12_000)
    assert odds_of_bad(s, s.lapses) > 2.0 * odds_of_bad(s, ~s.lapses)
    s = simulate_shop(SHOPS["shop-pareto"], 10, 12_000)
    back = s.customer[1:] == s.customer[:-1]
    gaps = np.diff(s.day)[back]
    assert np.quantile(gaps, 0.99) > 10 * np.median(gaps)
    assert gaps[s.true_grade[:-1][back] == BAD].mean() > 1.15 * gaps.mean()


def test_grades_on_return_and_complaints_are_in_the_log(tmp_path):
    s = simulate_shop(SHOPS["shop-graded-on-return"], 11, 2000)
    assert np.all(s.grade[s.lapses] == UNKNOWN)
    s = simulate_shop(SHOPS["shop-complaints"], 11, 2000)
    assert "active = \"kind = 'order'\"\n" in write_shop(s, tmp_path, "shop").read_text()
    log = pl.read_parquet(tmp_path / "interactions.parquet")
    orders, complaints = log.filter(kind="order"), log.filter(kind="complaint")
    assert set(complaints["grade"]) == {"bad"}
    bad = (s.true_grade[s.day >= 0] == BAD).sum()
    assert len(complaints) / bad == pytest.approx(0.5, abs=0.03)
    assert len(orders) == (s.day >= 0).sum()
    s = simulate_shop(SHOPS["shop-yearly-returns"], 11, 200)
    assert 'returns = "new_spell"\n' in write_shop(s, tmp_path, "shop").read_text()


def test_a_shop_is_written_as_a_study(tmp_path):
    shop = Shop(about="a shop", days=500, moments={"lead_days": [14]})
    s = simulate_shop(shop, 6, 200)
    text = write_shop(s, tmp_path, "shop").read_text()
    assert 'kind = "activity"\ngap_days = 180\n' in text
    assert "lead_days" not in text
    assert "lead_days = [14]" in write_shop(s, tmp_path, "shop", with_moment_keys=True).read_text()
    with pytest.raises(ValueError, match="above 0, were 0"):
        simulate_shop(shop, 6, 0)


def test_equal_seeds_give_equal_shops():
    one, two, other = (simulate_shop(SHOPS["shop-null"], seed, 300) for seed in (7, 7, 8))
    np.testing.assert_array_equal(one.day, two.day)
    np.testing.assert_array_equal(one.grade, two.grade)
    assert len(one.day) != len(other.day)


def test_every_family_has_a_seed_of_its_own_and_truths():
    known = seeds()
    assert list(known) == [*FAMILIES, *SHOPS, *PROBLEMS]
    assert np.diff(sorted(known.values())).min() >= 100_000
    for family in known:
        result = truths(family)
        assert set(result) <= set(CLAIMS)
        for truth in result.values():
            assert set(truth.wrong) <= {"supported", "contradicted"}
            assert len(truth.wrong) < 2


def test_families_beyond_reach_are_named_where_they_are_described():
    text = (HERE / "README.md").read_text(encoding="utf-8")
    listed = text.split("by anything in the data: ")[1].split(". The pooled")[0].replace("\n", " ")
    beyond = [name for name, family in FAMILIES.items() if family.is_beyond_reach]
    assert [name.strip("` ") for name in listed.split(",")] == beyond


def test_truths_are_on_file_as_they_follow_from_what_was_planted():
    with (HERE / "truths.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["family", "claim", "value", "wrong", "why"]
    assert [tuple(r) for r in rows] == lines()


@pytest.mark.parametrize(
    ("effects", "claim", "value", "wrong"),
    [
        (Effects(), "bad-moments-drive-away", 1.0, ("supported",)),
        (Effects(bad_first=1.6), "bad-moments-drive-away", 1.6, ("contradicted",)),
        (Effects(bad_first=1.05), "bad-moments-drive-away", 1.05, ()),
        (Effects(bad_recent=2.5), "thirty-days", 2.5, ("contradicted",)),
        (Effects(bad_first=1.6), "thirty-days", 1.0, ("supported",)),
        (Effects(good_each=0.9), "good-moments-build", 0.9, ("contradicted",)),
        (Effects(bad_first=1.6), "anger-to-appreciation", 1.6, ("supported",)),
        (Effects(bad_first=1.1), "anger-to-appreciation", 1.1, ()),
        (Effects(silence=1.6), "no-news", 1.6, ("contradicted",)),
        (Effects(failed=(1.1,) * 4), "four-expectations", 1.1, ("contradicted",)),
    ],
)
def test_what_would_be_wrong_follows_from_the_effect(monkeypatch, effects, claim, value, wrong):
    company = Company(about="a test", effects=effects)
    monkeypatch.setitem(truth_module.FAMILIES, "test", company)
    truth = truths("test", {})[claim]
    assert (truth.value, truth.wrong) == (value, wrong)


def test_an_incidence_with_a_third_bad_moment_competing_is_counted_by_hand():
    s = simulate(FAMILIES["null"], 8, 400, started_before=0, years=1.5, hazard=0.003)
    chosen = {}
    for i in range(400):
        days = sorted(s.recorded[(s.customer == i) & s.seen & (s.grade == BAD)])
        end = min(s.end[i], s.days - 1)
        if not days or (len(days) > 2 and days[2] == days[0]) or days[0] >= end:
            continue
        third = days[2] if len(days) > 2 else 10**6
        cause = "third" if third < end else ("", "left", "other")[s.cause[i]]
        chosen[i] = (min(end, third) - days[0], cause)
    there, expected = 1.0, 0.0
    for t in range(1, 201):
        n = sum(time >= t for time, _ in chosen.values())
        now = [cause for time, cause in chosen.values() if time == t]
        expected += there * now.count("left") / n
        there *= 1 - sum(c != "" for c in now) / n
    assert incidence_before_third(s, 200) == pytest.approx(expected)


@pytest.mark.parametrize("name", PROBLEMS)
def test_no_company_with_problems_is_degenerate(name):
    lives = simulate_problems(PROBLEMS[name], 1, 800)
    contacts = [c for life in lives for c in life.contacts]
    assert 60 < sum(life.left and life.end < DAYS for life in lives) < 600
    assert all(at < life.end for life in lives for at, *_ in life.contacts)
    problems = [c for c in contacts if c[2]]
    assert 0.05 < len(problems) / len(contacts) < 0.5
    for treated in (3, 4, 5):
        assert 0.05 < sum(c[treated] is not None for c in problems) / len(problems) < 0.95


def test_an_open_problem_multiplies_the_hazard_as_planted():
    lives = simulate_problems(PROBLEMS["problems-true-open"], 2, 6_000)
    left, days = [0, 0], [0.0, 0.0]
    for life in lives:
        spells = [
            (at, solved or life.end)
            for at, _, is_problem, solved, *_ in life.contacts
            if is_problem
        ]
        turns = sorted({life.start, life.end, *(t for s in spells for t in s if t < life.end)})
        for begin, end in itertools.pairwise(turns):
            days[any(a <= begin < b for a, b in spells)] += end - begin
        if life.left and life.end < DAYS:
            left[any(a <= life.end <= b for a, b in spells)] += 1
    assert left[1] / days[1] / (left[0] / days[0]) == pytest.approx(1.8, rel=0.08)
