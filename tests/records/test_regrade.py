"""Contacts graded anew are those of a study that is read with these rules."""

import pytest

import cxresearch as cx
from cxresearch.claims.specification_curve import DefinitionStore
from cxresearch.errors import RuleError
from cxresearch.records.redefine import redefine_bad
from cxresearch.records.regrade import read_gradable
from cxresearch.worlds import World, simulate

CONDITIONS = ("stars <= 1", "stars <= 3", "touchpoint = 'phone'", "stars = 2 OR stars IS NULL")


@pytest.fixture(scope="module")
def contracts():
    return simulate(World(hr_bad=(1, 1.5, 2, 2.5)), 300, seed=3)


def rows(records):
    result = records.engine.collect(records.moments)
    return result.select(sorted(result.columns)).cast(int).sort(sorted(result.columns))


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
@pytest.mark.parametrize("bad", CONDITIONS)
def test_contacts_and_tables_are_those_of_a_study_read_with_the_rule(contracts, engine, bad):
    study = contracts.study()
    changed = study.replace(**redefine_bad(study, bad, engine))
    read, graded = (
        cx.read_records(changed, engine),
        read_gradable(study, engine).under(changed),
    )
    assert rows(graded).equals(rows(read))
    assert graded.audit.facts == read.audit.facts
    assert (graded.audit.graded_by, graded.audit.fingerprint) == (
        read.audit.graded_by,
        read.audit.fingerprint,
    )
    asked = {"bad": cx.bad_count(3), "strata": ["segment"]}
    assert cx.risk_table(graded, **asked) == cx.risk_table(read, **asked)


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_own_rules_give_the_own_records(contracts, engine):
    study = contracts.study()
    gradable = read_gradable(cx.read_records(study, engine), engine)
    assert rows(gradable.own).equals(rows(cx.read_records(study, engine)))
    assert rows(gradable.under(study)).equals(rows(gradable.own))


def test_a_refused_rule_says_so(contracts):
    study = contracts.study()
    with pytest.raises(RuleError, match="no column"):
        read_gradable(study, "polars").under(study.replace(bad="nothing_of_the_kind <= 3"))


def test_a_shop_without_contracts(contracts):
    log = contracts.interactions.select("customer", "at", "stars", "touchpoint")
    declared = {
        "interactions": {"score": "stars", "scale": [1, 5]},
        "moments": {"bad": "stars <= 2"},
        "retention": {"kind": "activity", "gap_days": 60},
    }
    study = cx.study_from(declared, interactions=log)
    changed = study.replace(**redefine_bad(study, "stars <= 3"))
    read, graded = cx.read_records(changed), read_gradable(study, "polars").under(changed)
    assert rows(graded).equals(rows(read))
    assert graded.audit.facts == read.audit.facts
    assert cx.risk_table(graded, bad=cx.bad_count(2)) == cx.risk_table(read, bad=cx.bad_count(2))


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_file_that_is_written_anew_meanwhile_changes_nothing(contracts, tmp_path, engine):
    contracts.interactions.write_parquet(tmp_path / "log.parquet")
    contracts.customers.write_parquet(tmp_path / "who.parquet")
    (tmp_path / "study.toml").write_text(
        '[interactions]\nsource = "log.parquet"\nscore = "stars"\nscale = [1, 5]\n'
        '[retention]\nsource = "who.parquet"\n'
    )
    study = cx.read_study(tmp_path / "study.toml")
    changed = study.replace(**redefine_bad(study, "stars <= 1", engine))
    expected, gradable = rows(cx.read_records(changed, engine)), read_gradable(study, engine)
    contracts.interactions.reverse().write_parquet(tmp_path / "log.parquet")
    assert rows(gradable.under(changed)).equals(expected)


def test_rows_of_a_query_have_no_numbers(contracts, tmp_path):
    contracts.interactions.write_parquet(tmp_path / "log.parquet")
    contracts.customers.write_parquet(tmp_path / "who.parquet")
    (tmp_path / "study.toml").write_text(
        """
[tables]
log = "log.parquet"
[interactions]
query = "select * from log"
score = "stars"
scale = [1, 5]
[retention]
source = "who.parquet"
"""
    )
    study = cx.read_study(tmp_path / "study.toml")
    assert read_gradable(study, "polars") is None
    store = DefinitionStore(study, claims=["bad-moments-drive-away"], keep=False)
    store.share_contacts()
    other = store.records("stars <= 3")
    assert (
        other.audit.fact("bad moments").count
        > store.records(store.own_bad).audit.fact("bad moments").count
    )
