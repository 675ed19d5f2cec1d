"""The summary: few words that are right, in order, rounded, and the same as a mail."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cxresearch.claims.units import Unit
from cxresearch.estimators.days_lost import DaysLost
from cxresearch.estimators.results import Estimate
from cxresearch.journey.moment_costs import MomentCost, MomentCosts, times
from cxresearch.records.audit import LAPSE, Fact
from cxresearch.records.audit_values import Count, CountOfTotal
from cxresearch.records.warnings import DataWarning, Days
from cxresearch.report.pages import changes, show
from cxresearch.report.pages.findings import importance, ordered, so_what, theme, together
from cxresearch.report.pages.interval_bar import interval_bar
from cxresearch.report.pages.mail import mail_html, mail_text
from cxresearch.report.pages.publishable import publishable_trial
from cxresearch.report.pages.site import Entry, index, linked, relinked, summary_of
from cxresearch.report.pages.summary_page import WORDS, summary_section
from cxresearch.report.pages.text import per_hundred, text
from tests.report.dockets import (
    HOSTILE,
    docket,
    hostile_docket,
    ratio_trial,
    share_trial,
    untestable_trial,
)
from tests.report.histories import history_of, look, many
from tests.report.page_parser import Seen

DAYS = np.arange(366, dtype=float)


def number(value, low, high):
    return Estimate(
        value=value, low=low, high=high, level=0.95, se=1.0, se_model=1.0, scale="identity", df=50
    )


def costs_of(customers=2630, events=1040, currency="EUR", touchpoint="bill"):
    """Two straight curves to 39.4% and 29.2% within a year."""
    curves = {}
    for name, top in (("exposed", 0.394), ("comparators", 0.292)):
        curves[f"{name}_curve"] = top * DAYS / 365
        curves[f"{name}_low"] = 0.95 * top * DAYS / 365
        curves[f"{name}_high"] = 1.05 * top * DAYS / 365
    lost = DaysLost(
        exposed=number(72, 68, 76), comparators=number(52, 49, 55), more=number(20.57, 15.9, 25.2),
        customers=customers, events=events, dropped=100, unmatched_share=0.04, horizon=365, times=DAYS, **curves,
    )  # fmt: skip

    def cost(name):
        monthly = times(lost.more, 114.0)
        return MomentCost(
            touchpoint=name, lost=lost, first_moments=2731, per_month=114.0, days_per_month=monthly,
            money_per_moment=times(lost.more, 0.85), money_per_month=times(monthly, 0.85), lacks="",
        )  # fmt: skip

    return MomentCosts(
        overall=cost(""),
        touchpoints=(cost(touchpoint),),
        horizon=365,
        currency=currency,
        min_cell=10,
    )


def entry_of(made, costs=None):
    return Entry("verdicts.html", "Verdicts", show.summary(made, "", costs), "2026-11-02T06:00:00Z")


def words(html):
    plain = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", html, flags=re.DOTALL)
    return len(re.findall(r"\S*\w\S*", plain))


@pytest.fixture(scope="module")
def entry():
    return entry_of(many(20), costs_of())


def test_the_answer_is_for_a_hundred_customers(entry):
    page = index([entry])
    assert (
        "Of 100 customers, 39 leave within a year of a first bad moment; of comparable ones without it, 29."
        in page
    )
    assert page.index("cx-summary") < page.index('id="pages"')
    assert "<dt>20.6 days</dt>" in page
    assert "(15.9 to 25.2)" in page
    assert "<dt>2,340 customer-days</dt>" in page
    assert "EUR 1,990" in page
    assert "it is not what would be saved" in page
    assert "Look at “bill” first: 21 days per bad moment there (16 to 25)." in page
    assert "10 more" in page


def test_without_costs_none_is_said():
    page = index([entry_of(many(4))])
    assert "customer-days" not in page
    assert "4 sayings tried: " in page


def test_what_may_be_chance_is_no_cost():
    costs = costs_of()
    lost = replace(costs.overall.lost, more=number(-8.1, -20.6, 4.4))
    costs = replace(costs, overall=replace(costs.overall, lost=lost))
    page = index([entry_of(many(4), costs)])
    assert "The difference may be chance." in page
    assert "<dt>No cost beyond chance</dt><dd>−8.1 days lost per first bad moment" in page
    assert "customer-days" not in page


def test_what_rests_on_few_is_absent():
    page = index([entry_of(many(4), costs_of(events=6))])
    assert "Of 100 customers" not in page
    assert "customer-days" not in page
    assert "svg" not in Seen(page.partition('class="cx-below"')[0]).tags


def test_a_shop_says_what_leaving_is_and_what_cannot_be_tested():
    made = many(6, share_trial(), ratio_trial(), *[untestable_trial()] * 4)
    audit = replace(made.audit, facts=(*made.audit.facts, Fact(LAPSE, Count(180), "as declared")))
    page = index([entry_of(replace(made, audit=audit))])
    assert "Here leaving means 180 days of silence." in page
    assert "<h2>1 of 6 is open, 4 cannot be tested; among them</h2>" in page
    assert "of silence" not in index([entry_of(made)])


def test_what_the_audit_warns_of_stands_on_the_summary_and_in_the_mail():
    made = many(3)
    lapsed = DataWarning(
        code="lapsed_came_back",
        values=(("lapsed", CountOfTotal(463, 1000)), ("days", Days(180))),
        key="retention.gap_days",
    )
    guest = DataWarning(
        code="one_customer",
        values=(("rows", CountOfTotal(3, 100)),),
        key="interactions.null_values",
        examples=(HOSTILE,),
    )
    both = replace(made, audit=replace(made.audit, warnings=(guest, lapsed)))
    entry = entry_of(both)
    page = index([entry])
    said = "Doubtful: 460 (46.0%) of the customers who were silent for more than 180 days came back later"
    assert said in page
    assert '<a href="verdicts.html#doubts">1 more, and what to do</a>' in page
    assert HOSTILE not in page
    assert "Doubtful" not in index([entry_of(made)])
    summary = summary_of([entry], history_of(both, 1))
    for mail in (mail_text(summary), mail_html(summary)):
        plain = " ".join(mail.split())
        assert f"{said}: for many of them the silence was no end. The page has 1 more." in plain
    assert words(summary_section(summary)) <= WORDS


def test_a_summary_kept_by_an_earlier_version_has_no_doubts_and_is_shown(entry):
    summary = summary_of([entry], history_of(many(4), 1))
    facts = {name: value for name, value in summary.facts.items() if name != "doubts"}
    old = replace(summary, facts=facts)
    assert summary_section(old) == summary_section(summary)
    assert "Doubtful" not in mail_text(old) + mail_html(old)


@pytest.mark.parametrize("runs", [1, 14])
def test_it_has_few_words_however_much_there_is_to_say(entry, runs):
    history = history_of(many(20), runs)
    summary = summary_of([entry], history)
    assert 60 < words(summary_section(summary)) <= WORDS
    assert len(mail_text(summary).split()) < 1.3 * WORDS


def test_a_third_of_the_customers_gone_is_said():
    made = many(3)
    before = tuple(look(made, t, 0, customers_kept=3000, rows_kept=9000) for t in made.values())
    now = tuple(
        look(made, t, 1, customers_kept=2000, rows_kept=9100, fingerprint="other")
        for t in made.values()
    )
    says = {t.claim.id: t.claim.statement for t in made.values()}
    since = changes.changes_since((*before, *now), says)
    said = "33% fewer customers: about 2,000, then about 3,000."
    assert said in changes.changes_block(since, says, min_cell=10)
    assert said in changes.short_changes(since, says, 10)
    assert not [x for x in changes.data_lines(since, 10) if "contacts" in x]  # a hundredth more
    assert said in index([entry_of(made)], (*before, *now))


def test_numbers_beyond_the_interval_that_they_had_are_named():
    made = many(3)
    first = made.trials[1]  # a ratio of 1.12 (1.03 to 1.22)
    before = look(made, first, 0, estimate=1.5, ci_low=1.3, ci_high=1.8)
    now = look(made, first, 1)
    says = {first.claim.id: first.claim.statement}
    since = changes.changes_since((before, now), says)
    assert [c.now.claim for c in since.moved] == [first.claim.id]
    assert changes.moved_lines(since, says, 10)[0].endswith(": 1.12×, then 1.50×.")
    assert "1 number has moved beyond the interval it had." in changes.short_changes(
        since, says, 10
    )
    still = changes.changes_since((look(made, first, 0), now), says)
    assert still.moved == ()
    few = changes.changes_since((replace(before, events=3), replace(now, events=3)), says)
    assert changes.moved_lines(few, says, 10) == []


def test_findings_stand_in_the_order_of_customers_times_distance(entry):
    far = share_trial()  # 25% where 92.5% is claimed, of 2,731 customers
    assert importance(far) == pytest.approx(2731 * (0.925 - 0.25), rel=1e-6)
    near = replace(far, results=(replace(far.primary, customers=50), *far.results[1:]))
    assert importance(near) < importance(far)
    assert [t.primary.customers for t in ordered([near, far])] == [2731, 50]
    assert ordered([ratio_trial(), far])[0] is far  # what is open comes after what is decided
    shown = [f["verdict"] for f in entry.summary["facts"]["findings"]]
    assert shown == ["contradicted"] * len(shown)


def test_every_claim_of_the_catalogue_has_a_line_for_both_verdicts():
    from cxresearch.claims.catalogue_loader import catalogue
    from cxresearch.report.pages.findings import _lines

    for claim in catalogue():
        for result in ("supported", "contradicted"):
            assert 4 <= len(_lines()[claim][result].split()) <= 16, (claim, result)
        assert 8 <= len(_lines()[claim]["number"].split()) <= 24, claim
        assert theme(claim) != "own"
    assert set(_lines()) == set(catalogue())
    assert theme("of-the-study") == "own"


def test_so_what_and_the_two_parts_of_a_badge():
    assert so_what(ratio_trial()) == "Do not act on it yet: already leaving may explain it."
    assert (
        together(ratio_trial())
        == "Moment and leaving go together · may be explained by: already leaving"
    )
    assert together(share_trial()) == ""
    held = [replace(r, status="survived") for r in ratio_trial().rivals]
    clear = replace(ratio_trial(), rivals=tuple(held))
    first = "Moment and leaving go together"
    assert together(clear) == f"{first} · no other explanation tried accounts for it"
    less = replace(clear.primary, verdict="contradicted")
    less_than_claimed = replace(clear, results=(less, *clear.results[1:]))
    assert together(less_than_claimed) == f"{first}, but not as much as claimed"
    assert together(replace(clear, association="contradicted")) == (
        "Moment and leaving do not go together as claimed"
    )
    unclear = replace(ratio_trial(), association="undecided")
    assert together(unclear) == "May be explained by: already leaving"
    reason = (
        "the range includes values for and against the claim; these data are far from deciding it"
    )
    far = replace(ratio_trial().primary, reason=reason)
    open_by_far = replace(ratio_trial(), rivals=(), results=(far, *ratio_trial().results[1:]))
    assert so_what(open_by_far) == "These data are far from deciding it; act on neither answer."
    agrees = replace(
        share_trial().primary, estimate=replace(share_trial().primary.estimate, value=0.95)
    )
    by_another = replace(share_trial(), results=(agrees, *share_trial().results[1:]))
    assert so_what(by_another).startswith("The number by itself agrees")
    hint = share_trial()
    weak = replace(hint.primary, verdict="undecided")
    assert so_what(replace(hint, results=(weak, *hint.results[1:]))).startswith("A hint")


def test_a_strip_shows_scale_edge_effect_and_needs_no_style_sheet():
    bar = interval_bar(ratio_trial())
    for said in ("claim: more than 1×", "matters from 1.10×", ">1×<", ">2×<", ">0.5×<"):
        assert said in bar
    assert (
        "The claim says more than 1×, and an effect matters from 1.10×; in these data 1.12×" in bar
    )
    for mark in re.findall(r"<(?:rect|line|circle|text) [^>]*>", bar):
        assert "fill=" in mark or "stroke=" in mark
    edge, effect = (
        float(re.search(rf'class="cx-strip-{kind}" x1="([\d.]+)"', bar)[1])
        for kind in ("edge", "effect")
    )
    value = float(re.search(r'<circle [^>]*cx="([\d.]+)"', bar)[1])
    assert edge < effect < value
    assert bar.count("cx-strip-open") == 2  # undecided: a hollow dot on a dashed line
    assert "stroke-dasharray" in bar.partition("cx-strip-interval")[2].partition("/>")[0]
    share = interval_bar(share_trial())
    assert "claim: 92.5% or more" in share
    assert "matters from" not in share
    assert "cx-strip-open" not in share
    assert ' r="3.5"' in share  # a short interval is not hidden by its dot


def test_a_mail_has_inline_styles_the_picture_and_no_script(entry):
    summary = summary_of([entry])
    html, plain = mail_html(summary), mail_text(summary)
    seen = Seen(html)
    assert not {"script", "link", "style", "svg"} & set(seen.tags)
    (picture,) = [v for t, k, v in seen.attributes if t == "img" and k == "src"]
    assert picture.startswith("data:image/png;base64,")
    (alt,) = [v for t, k, v in seen.attributes if t == "img" and k == "alt"]
    assert "39 of 100" in alt
    assert len(html) < 200_000
    for said in ("Of 100 customers, 39 leave", "20.6 days", "What stands"):
        assert said in plain
        assert said in html
    assert max(map(len, plain.splitlines())) <= 78


def test_markup_of_a_study_stays_text():
    made = replace(hostile_docket(), study=HOSTILE)
    summary = summary_of([entry_of(made, costs_of(touchpoint=HOSTILE))])
    for html in (mail_html(summary), summary_section(summary)):
        assert HOSTILE not in html
        assert "script" not in Seen(html).tags


def test_links_are_renewed_and_nothing_else():
    body = f"<p>{text('<!--PAGES -->')}</p>"
    page = f"{body}{linked('PAGES', '', '<nav>old</nav>')}{linked('DEPTH', 'claim-1', '')}"
    entries = [
        Entry("verdicts.html", "Verdicts", show.summary(docket())),
        Entry("deep.html", "Deep", show.summary(docket()) | {"about": "claim-1"}),
    ]
    again = relinked(page, entries, "verdicts.html")
    assert again.startswith(body)
    assert "<nav>old</nav>" not in again
    assert 'href="deep.html"' in again
    assert relinked(again, entries, "verdicts.html") == again
    assert relinked(again, [], "verdicts.html").count("href") == 0


def test_a_minus_is_a_true_one_and_a_hyphen_stays():
    assert (
        text("-0.4 to -2 on 2024-01-05, well-known, (-)")
        == "−0.4 to −2 on 2024-01-05, well-known, (−)"
    )


@pytest.mark.parametrize(
    ("share", "customers", "said"), [(0.3948, 2630, "39"), (0.3948, 60, "40"), (0.0, 100, "0")]
)
def test_of_a_hundred(share, customers, said):
    assert per_hundred(share, customers, 10) == said


def test_shares_of_moments_are_rounded_by_moments():
    first = share_trial()
    number = replace(first.primary.estimate, value=0.107, low=0.1, high=0.115)
    few_people = replace(first.primary, customers=30, events=4300, estimate=number)
    told = publishable_trial(replace(first, results=(few_people, *first.results[1:])), 10)
    assert told.primary.unit is Unit.SHARE
    assert told.primary.estimate.value == pytest.approx(0.107, abs=0.002)
