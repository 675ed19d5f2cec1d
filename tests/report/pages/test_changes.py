import re
from dataclasses import replace

import pytest

from cxresearch.report.pages import changes
from cxresearch.report.pages.html import page
from cxresearch.report.pages.site import Entry
from tests.report.histories import history_of, look, many, without_charts
from tests.report.page_parser import notebook_of

DOCKET = many(3)
SAYS = {t.claim.id: t.claim.statement for t in DOCKET.values()}
IDS = tuple(SAYS)


def words(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def told(history, says=SAYS):
    return words(changes.changes_block(changes.changes_since(history, says), says, min_cell=10))


def test_nothing_on_a_first_run():
    assert changes.changes_since((), IDS) is None
    assert changes.changes_since(history_of(DOCKET, 1), IDS) is None
    assert changes.changes_block(None, SAYS, min_cell=10) == ""


def test_verdict_that_changed():
    result = changes.changes_since(history_of(DOCKET, 3), IDS)
    assert [(c.before.verdict, c.now.verdict) for c in result.changed] == [
        ("undecided", "contradicted")
    ]
    said = told(history_of(DOCKET, 3))
    assert said.startswith("1 verdict has changed since the last run, 10 Aug. 2026:")
    assert "was ? Undecided , now ✘ Contradicted" in said
    assert "The data then went from 3 Jan. 2023 to 30 Nov. 2024." in said
    assert "the same" not in said


def test_nothing_changed_on_the_same_data():
    history = tuple(look(DOCKET, t, run) for run in (0, 1) for t in DOCKET.values())
    assert (
        told(history)
        == "No verdict has changed since the last run, 3 Aug. 2026. The data are the same as then."
    )


def test_other_data_of_the_same_days_are_not_called_the_same():
    history = tuple(
        look(DOCKET, t, run, fingerprint=f"f{run}") for run in (0, 1) for t in DOCKET.values()
    )
    assert told(history) == "No verdict has changed since the last run, 3 Aug. 2026."
    history = (
        tuple(  # a column that the fingerprint does not hold, such as when problems were resolved
            look(DOCKET, t, run, counted=f"c{run}") for run in (0, 1) for t in DOCKET.values()
        )
    )
    assert told(history) == "No verdict has changed since the last run, 3 Aug. 2026."


def test_two_runs_on_one_day_are_told_apart_by_the_hour():
    first = tuple(look(DOCKET, t, 0) for t in DOCKET.values())
    later = tuple(replace(x, run="20260803T170000", at="2026-08-03T17:00:00Z") for x in first)
    assert "since the last run, 3 Aug. 2026, 06:00 UTC." in told(first + later)


def test_claim_that_the_last_run_left_out():
    old = look(DOCKET, DOCKET[IDS[0]], 0, verdict="supported")
    between = look(DOCKET, DOCKET[IDS[1]], 1)
    now = tuple(look(DOCKET, t, 2) for t in DOCKET.values())
    said = told((old, between, *now))
    assert "since the last run, 10 Aug. 2026:" in said
    assert "was ✔ Supported , now ✘ Contradicted (last tried on 3 Aug. 2026)" in said
    assert "1 claim is tried for the first time." in said


def test_claims_of_other_pages_do_not_count():
    history = history_of(DOCKET, 3)
    assert "No verdict" in told(history, {IDS[1]: "b", IDS[2]: "c"})


def test_page_about_one_claim_speaks_of_the_verdict():
    one = {IDS[0]: SAYS[IDS[0]]}
    said = told(history_of(DOCKET, 3), one)
    assert said.startswith(
        "The verdict has changed since the last run, 10 Aug. 2026: it was ? Undecided , now ✘"
    )
    assert told(history_of(DOCKET, 3)[3:], one).startswith("The verdict has changed")
    same = tuple(look(DOCKET, t, run) for run in (0, 1) for t in DOCKET.values())
    assert told(same, one).startswith(
        "The verdict has not changed since the last run, 3 Aug. 2026."
    )


def test_other_version_of_the_program():
    history = tuple(
        look(DOCKET, t, run, version=f"0.{run}.0") for run in (1, 2) for t in DOCKET.values()
    )
    assert told(history).endswith("That run was made with cxresearch 0.1.0, this one with 0.2.0.")


def test_another_family_is_told():
    families = ("claim-0,claim-1", "claim-0,claim-1,mine")
    history = tuple(
        look(DOCKET, t, run, family=families[run]) for run in (0, 1) for t in DOCKET.values()
    )
    assert told(history).endswith(
        "Verdicts were then judged among 2 claims, now among 3 (new: mine): another family, in which they may turn "
        "although the data do not."
    )


def test_readings_beside_the_primary_one_do_not_count():
    history = history_of(DOCKET, 3)
    other = tuple(
        replace(x, reading="another", primary=False, verdict="supported") for x in history
    )
    assert (
        changes.changes_since(other + history, IDS).changed
        == changes.changes_since(history, IDS).changed
    )
    assert changes.of_claim(other, IDS[0]) == ()


@pytest.mark.parametrize("runs", [1, 2])
def test_first_screen_says_it(runs):
    docket = without_charts(2)
    result = page(notebook_of(docket), name="verdicts", history=history_of(docket, runs))
    header = re.search(r'<header class="cx-first">.*?</header>', result, re.DOTALL)[0]
    assert ("1 verdict has changed" in header) == (runs == 2)
    assert "<!--SINCE" not in result


def test_marks_in_data_are_not_obeyed():
    docket = replace(
        without_charts(2), study="<!--SINCE --><!--DEPTH claim-0--><!--CONTENTS--><!--CSP-->"
    )
    entries = [Entry("claim-0.html", "t", None)]
    result = page(
        notebook_of(docket), name="verdicts", entries=entries, history=history_of(docket, 2)
    )
    assert result.count('class="cx-since"') == 1
    assert result.count('http-equiv="Content-Security-Policy"') == 1
    assert "&lt;!--SINCE --&gt;" in result
