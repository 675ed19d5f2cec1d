"""A docket's tables, counted in one walk: in parts or whole, announced or on demand."""

from contextlib import suppress
from dataclasses import replace

import polars as pl
import pytest

from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.evaluate import evaluate
from cxresearch.claims.table_specs import table_specs
from cxresearch.claims.tables import TableStore, count
from cxresearch.claims.testability import adapt_to_study, missing_requirement
from cxresearch.engines import packed_contacts
from cxresearch.engines.packing import downcast
from cxresearch.errors import EstimationError, NotTestable
from cxresearch.records.records import read_records
from cxresearch.risk.agents import AgentTable
from cxresearch.risk.matched import MatchedTable
from cxresearch.risk.table import RiskTable
from cxresearch.worlds import World, simulate

TWO = ["three-strikes", "bad-moments-drive-away"]


@pytest.fixture(scope="module")
def records():
    return read_records(
        simulate(World(hr_bad=(1.0, 2.0, 2.0, 2.0), busy_stay=-0.3), 1_500, 4).study()
    )


@pytest.fixture(scope="module")
def whole(records):
    """What they need, counted in one go."""
    return count(records, wanted(records))


@pytest.fixture(scope="module")
def verdicts(records):
    """Two claims on tables that are counted in one go."""
    return evaluate(records, TWO, alone=True, verdicts_only=True).to_json()


def wanted(records):
    """What all claims that the study has the columns for need."""
    result, setting = [], TableStore(records).setting
    for claim in catalogue().values():
        if missing_requirement(claim, records.study, records.available):
            continue
        for reading in claim.readings:
            with suppress(NotTestable):
                adapted = adapt_to_study(
                    records.study, records.audit, records.available, claim, reading
                )
                result += table_specs(setting, claim, adapted)
    return result


def same(a, b):
    if isinstance(a, RiskTable):
        return a == b
    if isinstance(a, AgentTable):
        return a.of == b.of and a.counts.equals(b.counts)
    assert isinstance(a, MatchedTable)
    frames = ("exposed", "spans", "population")
    alike = all(getattr(a, f).equals(getattr(b, f)) for f in frames)
    names = ("covariates", "strata", "terms", "patterns", "causes", "exclusions")
    return alike and all(getattr(a, n) == getattr(b, n) for n in names)


@pytest.mark.slow
@pytest.mark.parametrize("part", [3_000, 9_001])
def test_parts_add_up_to_the_whole(records, whole, monkeypatch, part):
    monkeypatch.setattr(packed_contacts, "PART", part)
    assert len(records.parts()) > 2
    said = []
    parts = count(records, wanted(records), said.append)
    assert parts.keys() == whole.keys()
    assert all(same(parts[k], whole[k]) for k in whole)
    assert said[-1] == f"counted part {len(said)} of {len(said)}"


def test_matched_parts_of_unlike_sizes_add_up():
    rows = {
        "group": [0],
        "stratum": [0],
        "pattern": [0],
        "day": [1],
        "time": [2],
        "event": [1],
        "customers": [1],
    }
    spans = {
        "group": [0],
        "stratum": [0],
        "pattern": [0],
        "first": [1],
        "last": [2],
        "end": [3],
        "event": [1],
        "customers": [1],
    }

    def part(group, customers):
        people = pl.DataFrame({"group": [group], "customers": [customers], "clusters": [customers]})
        frames = [
            downcast(pl.DataFrame(r).with_columns(group=pl.lit(group)), ["customers"])
            for r in (rows, spans)
        ]
        return MatchedTable(
            exposed=frames[0],
            spans=frames[1],
            covariates=(),
            strata=((),),
            causes=("censored", "defection"),
            population=downcast(people, ["customers", "clusters"]),
        )

    both = part(0, 100) + part(1, 40_000)
    assert both.population.rows() == [(0, 100, 100), (1, 40_000, 40_000)]


def test_parts_hold_whole_clusters_and_every_row_once(records, monkeypatch):
    monkeypatch.setattr(packed_contacts, "PART", 1)
    collect = records.engine.collect
    parts = [
        (collect(p.moments), collect(p.customers)) for p in (part() for part in records.parts())
    ]
    moments, customers = (pl.concat(frames) for frames in zip(*parts, strict=True))
    assert moments.equals(collect(records.moments))
    assert customers.sort("customer").equals(collect(records.customers).sort("customer"))
    clusters = [set(c["cluster"]) for _, c in parts]
    assert sum(map(len, clusters)) == len(set.union(*clusters))
    for m, c in parts:
        assert set(m["customer"]) <= set(c["customer"])


def test_a_table_that_was_not_announced_is_counted_when_asked_for(records):
    store = TableStore(records)
    spec = wanted(records)[0]
    assert spec.key not in store.tables
    assert store.risk(spec).customers > 0
    assert spec.key in store.tables


def test_an_error_belongs_to_its_own_table(records):
    claim = next(c for c in catalogue().values() if c.id == "bad-moments-drive-away")
    good = table_specs(TableStore(records).setting, claim, claim.primary)[0]
    bad = replace(good, fixed=("colour",))
    result = count(records, [good, bad])
    assert isinstance(result[bad.key], EstimationError)
    assert isinstance(result[good.key], RiskTable)


@pytest.mark.slow
@pytest.mark.parametrize("part", [5_000, pytest.param(500, marks=pytest.mark.slow)])
def test_verdicts_do_not_depend_on_the_parts(records, verdicts, monkeypatch, part):
    monkeypatch.setattr(packed_contacts, "PART", part)
    assert len(records.parts()) > 2
    assert evaluate(records, TWO, alone=True, verdicts_only=True).to_json() == verdicts
