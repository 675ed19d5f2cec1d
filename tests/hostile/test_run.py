"""The runner: what is left to do, what is counted, and a run that goes on where it stopped."""

from math import comb
from types import SimpleNamespace

import pytest
from benchmarks.hostile import run as runner
from benchmarks.hostile.run import cells, open_rivals, plan, read_results, row_of, seeds, summary
from benchmarks.hostile.truths import CLAIMS


def row(family="temperament", claim="bad-moments-drive-away", i=0, verdict="undecided", **more):
    plain = {"seed": 0, "verdict_family": verdict, "estimate": "1.2", "rivals": "", "reason": ""}
    return {
        "family": family,
        "claim": claim,
        "replicate": str(i),
        "verdict": verdict,
        **plain,
        **more,
    }


def test_what_is_done_is_not_done_again():
    done = [row(i=0), row(i=0, claim="thirty-days"), row(i=1)]
    left = plan(
        ["temperament", "null"],
        ["bad-moments-drive-away", "thirty-days"],
        range(2),
        done,
        customers=None,
        with_moment_keys=False,
    )
    both = ("bad-moments-drive-away", "thirty-days")
    assert [(j.family, j.replicate, j.claims) for j in left] == [
        ("null", 0, both),
        ("temperament", 1, ("thirty-days",)),
        ("null", 1, both),
    ]
    assert [j.seed - seeds()[j.family] for j in left] == [0, 1, 1]


def test_wrong_verdicts_are_counted_and_an_alarm_is_given():
    rows = [row(i=i, verdict="supported") for i in range(6)]
    rows += [row(i=i, verdict="contradicted") for i in range(6, 9)]
    rows += [row(i=9, verdict="supported", verdict_family="undecided"), row(i=10, verdict="error")]
    rows += [row("clear-first", i=i, verdict="supported") for i in range(10)]
    found = {c.family: c for c in cells(rows, "verdict_family")}
    cell = found["temperament"]
    assert (cell.times, cell.errors, cell.verdicts) == (10, 1, (6, 3, 1, 0))
    assert (cell.wrong, cell.right) == (6, 3)
    assert cell.p == pytest.approx(sum(comb(10, k) * 19 ** (10 - k) / 20**10 for k in range(6, 11)))
    assert (found["clear-first"].wrong, found["clear-first"].right) == (0, 10)
    text = summary(rows)
    assert "| all | 6 | 20 | 30.0% | 1 |" in text
    assert "| temperament | **6/10** |" in text
    assert "Trials that failed: 1." in text
    assert "| all | 7 | 20 | 35.0% | 1 |" in text  # of each claim alone
    assert summary([]) == "no results\n"


def test_rivals_are_named_where_a_trial_has_them():
    assert open_rivals(SimpleNamespace(rivals=())) == []
    rivals = (
        SimpleNamespace(id="temperament", status="keeps it open"),
        SimpleNamespace(id="calendar", status="held equal"),
    )
    assert open_rivals(SimpleNamespace(rivals=rivals)) == ["temperament"]


def test_a_trial_without_a_number_is_kept_with_what_it_lacks():
    primary = SimpleNamespace(
        verdict="not testable",
        estimate=None,
        events=3,
        reason="",
        lacks="events",
    )
    result = row_of(
        SimpleNamespace(primary=primary, claim=SimpleNamespace(id="thirty-days"), rivals=()),
        "not testable",
    )
    assert result["estimate"] == result["low"] == ""
    assert result["reason"] == "events"


def test_a_run_is_kept_and_goes_on(tmp_path, monkeypatch):
    class AtOnce:
        def __init__(self, *_, **__): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def submit(self, work, job):
            done = runner.Future()
            done.set_result(work(job))
            return done

    tried = []

    def fake(job):
        tried.append((job.family, job.replicate))
        return [
            {k: v for k, v in row(job.family, c, job.replicate).items() if k in runner.FIELDS}
            for c in job.claims
        ]

    monkeypatch.setattr(runner, "ProcessPoolExecutor", AtOnce)
    monkeypatch.setattr(runner, "try_claims", fake)
    out, table = tmp_path / "results.csv", tmp_path / "table.md"
    asked = ["--only", "null", "--out", str(out), "--table", str(table)]
    assert runner.main(asked) == 0
    assert runner.main([*asked, "--replicates", "2", "--resume"]) == 0
    assert tried == [("null", 0), ("null", 1)]
    rows = read_results(out)
    assert len(rows) == 2 * len([c for c in CLAIMS if c in runner.truths("null")])
    assert "## Verdicts of each claim alone" in table.read_text()
    assert runner.main(["--only", "outage", "--out", str(out), "--table", str(table)]) == 0
    assert {r["family"] for r in read_results(out)} == {"outage"}  # without --resume it begins anew


def test_a_trial_that_fails_is_a_row_and_not_the_end(monkeypatch):
    def broken(*_):
        raise OSError("no space\nleft")

    monkeypatch.setattr(runner, "make_study", broken)
    job = runner.Job("null", 0, 1, ("thirty-days",), None, False)
    (result,) = runner.try_claims(job)
    assert (result["verdict"], result["reason"]) == ("error", "OSError: no space left")


@pytest.mark.slow
def test_claims_are_tried_on_a_simulated_company():
    claims = ("bad-moments-drive-away", "three-strikes")
    rows = runner.try_claims(runner.Job("already-leaving", 0, 1, claims, 2000, False))
    assert [r["claim"] for r in rows] == list(claims)
    assert all(r["verdict"] != "error" for r in rows), rows
    assert float(rows[0]["low"]) < float(rows[0]["estimate"]) < float(rows[0]["high"])
