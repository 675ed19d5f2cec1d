"""What is kept of a docket: as a page may tell it, and no more."""

from dataclasses import replace

from benchmarks.atlas import results

from cxresearch.records.audit import LAPSE, Fact
from cxresearch.records.audit_values import Count, CountOfTotal
from tests.report.dockets import docket


def with_facts(*facts):
    made = docket()
    return replace(made, audit=replace(made.audit, facts=facts))


def test_counts_are_rounded_and_small_ones_hidden():
    made = with_facts(
        Fact("bad moments", CountOfTotal(1234, 5678)),
        Fact("good moments", CountOfTotal(3, 5678)),
        Fact("neutral moments", CountOfTotal(5675, 5678)),
        Fact("customers", Count(44)),
        Fact(LAPSE, Count(14)),
        Fact("silent for 14 days who come back within as long again", CountOfTotal(0, 55)),
        Fact("what nobody asked for", Count(100)),
    )
    facts = results.kept(made, "r")["facts"]
    assert facts["bad moments"] == "1,230 (21.7%)"
    assert facts["good moments"] == "fewer than 10"
    assert facts["neutral moments"] == "all but fewer than 10"
    assert facts["customers"] == "40"
    assert facts[LAPSE] == "14"  # days count nobody
    assert facts["silent for 14 days who come back within as long again"] == "0 (0.0%)"
    assert "what nobody asked for" not in facts


def test_verdicts_numbers_and_rivals_are_those_of_the_docket():
    made = docket()
    kept = results.kept(made, "r")
    assert list(kept["claims"]) == list(made)
    assert kept["fingerprint"] == made.fingerprint
    for claim, trial in made.items():
        row = kept["claims"][claim]
        assert row["verdict"] == trial.verdict
        if row["estimate"] is not None and row["unit"] == "hazard ratio":
            assert row["estimate"] == float(f"{trial.primary.estimate.value:.6g}")
        if trial.verdict == "undecided":
            assert row["kept_open_by"] == [r.title for r in trial.rivals_with("keeps it open")]


def test_a_number_that_rests_on_few_is_not_kept_exactly_either():
    made = docket()
    claim = next(c for c, t in made.items() if t.primary.estimate is not None)
    few = replace(made[claim].primary, customers=4, events=3)
    others = made[claim].results[1:]
    trials = tuple(
        replace(t, results=(few, *others)) if t.claim.id == claim else t for t in made.values()
    )
    kept = results.kept(replace(made, trials=trials), "r", [claim])
    assert kept["claims"][claim]["estimate"] is None
    assert kept["claims"][claim]["customers"] is None
    assert kept["checked"] == {}
    assert results.kept(made, "r", [claim])["checked"][claim]["estimate"] == float(
        f"{made[claim].primary.estimate.value:.12g}"
    )


def test_what_is_kept_comes_back_equal(tmp_path):
    kept = results.kept(docket(), "r")
    file = results.write(kept, "made_up", tmp_path)
    first = file.read_bytes()
    assert results.read("made_up", tmp_path) == kept
    results.write(results.kept(docket(), "r"), "made_up", tmp_path)
    assert file.read_bytes() == first
    assert results.read("never_run", tmp_path) is None
