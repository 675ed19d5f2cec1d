"""One family: the verdict on a claim is the same whichever claims are asked for, and wherever it is printed."""

from __future__ import annotations

import json
import re

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import cxresearch as cx
from cxresearch.claims import evaluate as module
from cxresearch.claims import evaluate_by as by_segment
from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.decide import holm
from cxresearch.claims.family import Family, count_family
from cxresearch.claims.testability import check_claims
from cxresearch.claims.verdict_corrections import adjust_multiplicity
from cxresearch.cli import main
from cxresearch.report.runs.ledger import read_run_records
from cxresearch.report.runs.run import report
from cxresearch.worlds import World, simulate

STUDY = """
[study]
id = "small"
[interactions]
source = "log.parquet"
score = "stars"
scale = [1, 5]
[retention]
source = "who.csv"
segment = "plan"
"""
ASKED = "bad-moments-drive-away"
OWN = {
    "id": "mine", "statement": "Bad moments come before leaving.", "source": "us",
    "text": {"finding": "It is {estimate}."}, "histories": {"bad": {"use": "bad_count", "cap": 1}},
    "readings": [{
        "id": "r", "label": "the number", "kind": "hazard_contrast", "primary": True, "region": "> 1",
        "model": {"terms": ["bad"]}, "contrast": {"bad[1+]": 1},
    }],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study of few customers and few columns, in which few claims can be tried."""
    place = tmp_path_factory.mktemp("family") / "study"
    place.mkdir()
    made = simulate(World(days=400, entry_days=200, hr_bad=(1, 1.5, 2, 3)), 500, seed=2)
    made.interactions.select("customer", "at", "stars").write_parquet(place / "log.parquet")
    people = made.customers.select("customer", "start", "end", "plan")
    half = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("basic")).otherwise(pl.lit("plus"))
    people.with_columns(plan=half).write_csv(place / "who.csv")
    (place / "study.toml").write_text(STUDY)
    return place


@pytest.fixture(scope="module")
def docket(folder):
    return cx.evaluate(cx.read_study(folder))


def test_the_family_is_counted_from_columns_alone(folder, docket):
    study = cx.read_study(folder)
    checked = check_claims(study)
    can = tuple(c for c, lacks in zip(checked.claims, checked.lacks, strict=True) if not lacks)
    assert docket.family == Family(claims=can, method="holm")
    assert 5 < docket.family.size < len(docket)
    other = study.replace(bad="stars <= 1", horizon_days=90)
    records = cx.read_records(other)
    assert count_family(claims_of(()), other, records.available) == docket.family
    ps = [1.0 if (p := docket[c].primary.p) is None else p for c in can]
    assert [docket[c].primary.p_family for c in can if docket[c].primary.p is not None] == [
        pytest.approx(adjusted)
        for c, adjusted in zip(can, holm(ps), strict=True)
        if docket[c].primary.p is not None
    ]


def test_a_claim_has_one_verdict_wherever_it_is_printed(folder, docket, tmp_path, monkeypatch):
    study, whole = cx.read_study(folder), docket[ASKED].primary
    tried = []
    monkeypatch.setattr(module, "try_claim", lambda *_: tried.append(1))
    one = cx.evaluate(study, [ASKED])
    assert tried == []  # all of the family was kept
    assert list(one) == [ASKED]
    assert repr(one[ASKED].primary) == repr(whole)
    assert one.family == docket.family
    kept = cx.evaluate(cx.read_records(study), [ASKED])
    assert (tried, repr(kept[ASKED].primary)) == ([], repr(whole))
    done = CliRunner().invoke(main, ["evaluate", str(folder), "--claim", ASKED, "--json", "-"])
    row = json.loads(done.stdout)["verdicts"][0]
    assert (row["verdict"], row["verdict_alone"]) == (whole.verdict, whole.verdict_alone)
    assert (row["p"], row["p_family"]) == (whole.p, whole.p_family)
    others = set(docket) - {ASKED}
    assert not [c for c in others if f'"claim": "{c}"' in done.stdout]
    page, _ = report(folder / "study.toml", tmp_path / "out", claims=[ASKED])
    first = re.search(r'class="cx-verdict cx-([a-z-]+)"', page.read_text())
    assert first[1] == whole.verdict.replace(" ", "-")
    (record,) = (x for x in read_run_records(study.state, "small") if x.primary)
    assert (record.verdict, record.family) == (whole.verdict, ",".join(docket.family.claims))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    """A company in which nothing holds, at a level at which chance decides some claims by themselves."""
    place = tmp_path_factory.mktemp("nothing")
    made = simulate(World(days=400, entry_days=200), 300, seed=3)
    made.interactions.select("customer", "at", "stars").write_parquet(place / "log.parquet")
    made.customers.select("customer", "start", "end", "plan").write_csv(place / "who.csv")
    (place / "study.toml").write_text(STUDY + "[decision]\nlevel = 0.6\n")
    return place


def test_where_nothing_holds_a_verdict_is_the_same_in_whatever_subset_is_asked(nothing):
    """Each subset is tried anew: nothing is kept between them."""
    study = cx.read_study(nothing)
    whole = cx.evaluate(study, keep=False, verdicts_only=True)
    assert {t.verdict_alone for t in whole.values()} > {"undecided"}  # some are, by themselves
    told = {c: (t.verdict, t.primary.p, t.primary.p_family) for c, t in whole.items()}
    rng = np.random.default_rng(5)
    ids = list(whole)
    for size in (2, len(ids) // 2):
        subset = [ids[i] for i in rng.permutation(len(ids))[:size]]
        subset += [c for c in ids if whole[c].verdict != whole[c].verdict_alone][:1]
        part = cx.evaluate(study, subset, keep=False, verdicts_only=True)
        assert list(part) == list(dict.fromkeys(subset))
        assert part.family == whole.family
        assert {c: (t.verdict, t.primary.p, t.primary.p_family) for c, t in part.items()} == {
            c: told[c] for c in part
        }


def test_alone_tries_nothing_else(folder, docket):
    lines = []
    alone = cx.evaluate(
        cx.read_study(folder), [ASKED], alone=True, keep=False, progress=lines.append
    )
    assert [line for line in lines if line.startswith("trying")] == [f"trying {ASKED} (1 of 1)"]
    row, of_family = alone[ASKED].primary, docket[ASKED].primary
    assert (row.p, row.verdict_alone) == (of_family.p, of_family.verdict_alone)
    assert row.p_family == pytest.approx(min(1.0, row.p * docket.family.size))
    assert row.p_family >= of_family.p_family
    assert f"one of {docket.family.size} claims" in str(alone)


def test_a_claim_of_ones_own_makes_the_family_larger(folder, docket):
    study = cx.read_study(folder).replace(claims=[OWN])
    larger = cx.evaluate(study, [ASKED])
    assert larger.family.claims == (*docket.family.claims, "mine")
    assert larger[ASKED].primary.p == docket[ASKED].primary.p
    assert larger[ASKED].primary.p_family >= docket[ASKED].primary.p_family


def test_all_claims_in_all_segments_are_judged_together(folder, docket, monkeypatch):
    records = cx.read_records(cx.read_study(folder))
    judged = []

    def adjust(trials, family, alpha):
        judged.extend(t.primary for t in trials)
        return adjust_multiplicity(trials, family, alpha)

    monkeypatch.setattr(by_segment, "adjust_multiplicity", adjust)
    result = cx.evaluate_by(records, "segment", [ASKED], verdicts_only=True)
    assert (len(result), result.comparisons) == (2, 2 * docket.family.size)
    assert len(judged) == result.comparisons
    adjusted = holm([1.0 if row.p is None else row.p for row in judged])
    by = {row.p: p for row, p in zip(judged, adjusted, strict=True) if row.claim_id == ASKED}
    for level in result:
        assert list(result[level]) == [ASKED]
        row = result[level][ASKED].primary
        assert row.p_family == pytest.approx(by[row.p])
