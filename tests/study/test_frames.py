"""Frames of other libraries are tables as good as files, on every engine."""

import re
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import cxresearch as cx
from cxresearch.errors import SourceError
from tests.engine_names import ENGINES

PAGE = Path(__file__).parents[2] / "docs" / "frames.md"
N = 120
LOG = pl.DataFrame(
    {
        "customer": [f"c{i % 20}" for i in range(N)],
        "at": [datetime(2024, 1, 2, i % 24) + timedelta(days=i * 7 % 25) for i in range(N)],
        "stars": [i * 3 % 5 + 1 for i in range(N)],
        "channel": ["web" if i % 2 else "phone" for i in range(N)],
        "attended": [(True, False, None)[i % 3] for i in range(N)],
    }
)
WHO = pl.DataFrame(
    {
        "customer": [f"c{i}" for i in range(20)],
        "start": [date(2024, 1, 1)] * 20,
        "end": [date(2024, 1, 20) if i % 3 == 0 else None for i in range(20)],
        "plan": ["basic" if i % 2 else "plus" for i in range(20)],
    }
)
QUERY = "select c.*, w.plan from calls as c join people as w using (customer)"
RAW = {
    "interactions": {"log_until": date(2024, 1, 31), "score": "stars", "scale": [1, 5]},
    "retention": {"segment": "plan"},
}


def with_duckdb(table):
    connection = duckdb.connect()
    connection.register("given", table.to_arrow())
    return connection.sql("select * from given")


def with_dictionary(table):
    return pa.table(
        {
            c: table[c].to_arrow().dictionary_encode()
            if c in ("channel", "plan")
            else table[c].to_arrow()
            for c in table.columns
        }
    )


WAYS = {
    "polars": lambda t: t,
    "polars lazy": lambda t: t.lazy(),
    "pandas": lambda t: t.to_pandas(),
    "pandas nullable": lambda t: t.to_pandas().convert_dtypes(),
    "pandas categorical": lambda t: t.to_pandas().astype({"customer": "category"}),
    "pandas on arrow": lambda t: t.to_pandas().convert_dtypes(dtype_backend="pyarrow"),
    "pandas with another index": lambda t: t.to_pandas().set_index(pd.RangeIndex(7, 7 + t.height)),
    "arrow": lambda t: t.to_arrow(),
    "arrow dictionary": with_dictionary,
    "duckdb": with_duckdb,
}


def summary(log, who, engine):
    study = cx.study_from(RAW, interactions=log, retention=who)
    table = cx.risk_table(study, bad=cx.bad_count(2), strata=["segment"], engine=engine)
    return table.fingerprint(), cx.audit(study, engine=engine).counts()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", WAYS)
def test_each_kind_of_frame_is_the_same_table(way, engine):
    assert summary(WAYS[way](LOG), WAYS[way](WHO), engine) == summary(LOG, WHO, "polars")


@pytest.mark.parametrize("way", WAYS)
def test_a_study_of_frames_can_be_changed_and_read_again(way):
    study = cx.study_from(RAW, interactions=WAYS[way](LOG), retention=WAYS[way](WHO))
    first = cx.audit(study)
    assert cx.audit(study.replace(blackout_days=3)).read == first.read
    assert cx.audit(study).counts() == first.counts()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", WAYS)
def test_frames_are_tables_of_a_query(way, engine):
    raw = {
        "interactions": {**RAW["interactions"], "query": QUERY},
        "retention": {"kind": "activity", "gap_days": 10},
    }  # fmt: skip
    study = cx.study_from(raw, calls=WAYS[way](LOG), people=WAYS[way](WHO))
    assert dict(cx.audit(study, engine=engine).tables) == {"calls": N, "people": 20}


@pytest.mark.parametrize(
    "given",
    [None, "calls.csv", {"customer": ["a"]}, [1, 2], LOG["at"], LOG.to_pandas()["at"]],
    ids=lambda x: type(x).__name__,
)
def test_what_is_no_frame_is_refused(given):
    study = cx.study_from(RAW, interactions=given, retention=WHO)
    with pytest.raises(
        SourceError, match="must be a frame of Polars, pandas, Arrow or DuckDB, was"
    ):
        cx.audit(study)


def test_the_code_of_the_page_runs(capsys):
    code = "\n".join(re.findall(r"(?s)```python\n(.*?)```", PAGE.read_text(encoding="utf-8")))
    exec(compile(code, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out
    assert re.search(r"interactions +read +4\b", printed)
    assert re.search(r"tickets +rows +2\b", printed)
