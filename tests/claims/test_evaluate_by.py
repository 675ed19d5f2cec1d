"""Claims on each segment: as on a study of these customers alone, with all comparisons allowed for."""

from __future__ import annotations

import json

import polars as pl
import pytest
from click.testing import CliRunner

import cxresearch as cx
from cxresearch.claims.evaluate_by import evaluate_by
from cxresearch.cli import main
from cxresearch.errors import ArgumentError
from cxresearch.records.restrict import count_customers, restrict
from cxresearch.worlds import World, simulate
from tests.engine_names import ENGINES
from tests.studies import SECTIONS

CLAIMS = ["bad-moments-drive-away", "three-strikes"]
WORLD = World(hr_bad=(1, 1.5, 2, 2.5))
ALONE = {
    **SECTIONS,
    "decision": {},
    "retention": {k: v for k, v in SECTIONS["retention"].items() if k != "cluster"},
}


def study_of(customers, made, **sections):
    return cx.study_from(ALONE | sections, interactions=made.interactions, retention=customers)


@pytest.fixture(scope="module")
def made():
    return simulate(WORLD, 1500, 5)


@pytest.fixture(scope="module")
def result(made):
    few = made.customers.with_columns(
        plan=pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("tiny")).otherwise(pl.col("plan"))
    )
    return evaluate_by(study_of(few, made), "segment", CLAIMS, alone=True, verdicts_only=True)


def test_a_segment_is_as_a_study_of_its_customers(made):
    records = cx.read_records(study_of(made.customers, made))
    sizes = count_customers(records, "segment")
    assert sum(sizes.values()) == dict(records.audit.kept)["retention"]
    level = max(sizes, key=sizes.get)
    part = restrict(records, "segment", level)
    table = cx.risk_table(part, bad=cx.bad_count(2), contacts=cx.contacts_within(90))
    window = {
        "log_from": records.audit.fact("log from"),
        "log_until": records.audit.fact("log until"),
    }
    log = {**SECTIONS["interactions"], **{k: str(v) for k, v in window.items()}}
    theirs = study_of(made.customers.filter(plan=level), made, interactions=log)
    alone = cx.risk_table(theirs, bad=cx.bad_count(2), contacts=cx.contacts_within(90))
    assert table.customers == alone.customers == sizes[level]
    assert table.causes == alone.causes
    keys = ["time", "bad", "contacts"]
    assert (
        table.flows.group_by(keys).agg(pl.col("entered", "left", *table.causes).sum()).sort(keys)
        .equals(alone.flows.group_by(keys).agg(pl.col("entered", "left", *table.causes).sum()).sort(keys))
    )  # fmt: skip
    assert part.log.customers() <= sizes[level]
    assert part.audit is records.audit


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_restricts_to_the_same_customers(engine, made):
    records = [cx.read_records(study_of(made.customers, made), e) for e in ("polars", engine)]
    tables = [
        cx.risk_table(restrict(r, "segment", r.levels["segment"][-1]), bad=cx.bad_count(1))
        for r in records
    ]
    assert tables[0].fingerprint() == tables[1].fingerprint()
    assert tables[0].customers < dict(records[0].audit.kept)["retention"]


@pytest.mark.slow
def test_tables_of_a_segment_are_not_kept_as_those_of_all(made, tmp_path):
    made.interactions.write_parquet(tmp_path / "log.parquet")
    made.customers.write_parquet(tmp_path / "who.parquet")
    sections = {
        **ALONE,
        "interactions": {**ALONE["interactions"], "source": "log.parquet"},
        "retention": {**ALONE["retention"], "source": "who.parquet"},
    }
    study = cx.study_from(sections, folder=tmp_path)
    records = cx.read_records(study)
    part = restrict(records, "segment", records.levels["segment"][0])
    first = cx.evaluate(part, CLAIMS[:1], alone=True, verdicts_only=True)[CLAIMS[0]].primary
    everyone = cx.evaluate(study, CLAIMS[:1], alone=True, verdicts_only=True)[CLAIMS[0]].primary
    again = cx.evaluate(part, CLAIMS[:1], alone=True, verdicts_only=True)[CLAIMS[0]].primary
    assert first == again
    assert first.customers < everyone.customers


@pytest.mark.slow
def test_on_the_command_line(made, tmp_path):
    made.write(tmp_path, name="a world", truth={})
    study, claim = str(tmp_path), ("--claim", CLAIMS[0])
    written = tmp_path / "v.json", tmp_path / "v.csv", tmp_path / "v.xlsx"
    files = [f"--{path.suffix[1:]}={path}" for path in written]
    done = CliRunner().invoke(
        main, ["evaluate", study, *claim, "--alone", "--by", "segment", *files]
    )
    assert done.exit_code == 0, done.output
    segments = json.loads(written[0].read_text())["segments"]
    assert len(segments) > 1
    assert all(level in done.stdout for level in segments)
    of = f"as one of {28 * len(segments)} comparisons, 28 claims in {len(segments)} segments"
    assert of in done.stdout
    assert pl.read_csv(written[1])["segment"].to_list() == list(segments)
    assert written[2].stat().st_size > 0
    wrong = CliRunner().invoke(main, ["evaluate", study, *claim, "--by", "region"])
    assert wrong.exit_code == 2
    assert "there are: segment" in wrong.stderr


@pytest.mark.slow
def test_all_claims_in_all_segments_are_allowed_for(result):
    n = len(result.family.claims)
    assert result.comparisons == n * len(result) > len(CLAIMS) * len(result) >= 4
    for row in (t.primary for d in result.values() for t in d.values()):
        assert row.p is not None
        assert row.p_family == pytest.approx(min(1, row.p * n * len(result)))
        if row.p_family > 0.05:
            assert row.verdict == "undecided"
    said = f"as one of {result.comparisons} comparisons, {n} claims in {len(result)} segments"
    assert said in result.note


@pytest.mark.slow
def test_a_small_segment_is_not_named(result):
    assert "tiny" not in result
    assert result.too_small == 1
    shown = f"{result}{result!r}{result._repr_html_()}{result.to_json()}{result.to_polars()}"
    assert "tiny" not in shown
    assert "Not shown: 1 segment of fewer than 10 customers." in result.note


@pytest.mark.slow
def test_it_is_a_table_with_a_column_for_each_segment(result):
    lines = str(result).splitlines()
    head = next(line for line in lines if line.startswith("claim "))
    assert all(level in head for level in result)
    assert sum(line.startswith(tuple(CLAIMS)) for line in lines) == len(CLAIMS)
    frame = result.to_polars()
    assert frame.columns[0] == "segment"
    assert frame.select("segment", "claim").rows() == [(s, c) for s in result for c in CLAIMS]
    written = json.loads(result.to_json())
    assert list(written["segments"]) == list(result)
    assert written["comparisons"] == result.comparisons


def test_what_is_no_covariate_is_refused(made):
    study = study_of(made.customers, made)
    with pytest.raises(ArgumentError, match="there are: segment"):
        evaluate_by(study, "region", CLAIMS)
    with pytest.raises(ArgumentError, match="must be"):
        restrict(cx.read_records(study), "segment", "nowhere")


def test_households_across_segments_are_not_cut_in_two(made):
    study = cx.study_from(SECTIONS, interactions=made.interactions, retention=made.customers)
    records = cx.read_records(study)
    plans = made.customers.group_by("household").agg(pl.col("plan").n_unique())
    assert plans["plan"].max() > 1
    level = records.levels["segment"][0]
    assert "household" in records.available
    part = restrict(records, "segment", level)
    assert "household" not in part.available
    lacks = cx.evaluate(part, ["household-contagion"], alone=True)[
        "household-contagion"
    ].primary.lacks
    assert lacks == "households whose members are all in one part of the customers"
