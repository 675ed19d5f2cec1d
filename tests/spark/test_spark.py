"""Spark against Polars: the sample study, random studies, ways to split a table, and what only Spark must mind."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import narwhals.stable.v2 as nw
import polars as pl
import pytest
from hypothesis import given, settings

import cxresearch as cx
from cxresearch.claims.evaluate import evaluate
from cxresearch.engines import engine
from cxresearch.errors import EngineError, SourceError
from cxresearch.histories import (
    age_of_last,
    bad_count,
    contact_count,
    contacts_within,
    graded_share,
    household_exits,
    last_grade,
    last_grade_and_age,
)
from cxresearch.histories.base import behind
from cxresearch.histories.lookback import within_lookback
from cxresearch.histories.recency import calendar_month
from cxresearch.records.nearby import bring_near
from cxresearch.records.records import read_records
from cxresearch.records.sources import open_source
from cxresearch.risk.episodes import episodes
from cxresearch.risk.table import risk_table
from cxresearch.utils.bundled import copy_sample
from tests import test_against_oracle as studies
from tests.small_studies import (
    activity_studies,
    contract_studies,
    shops_with_orders,
    won_back_studies,
)

pytestmark = pytest.mark.spark
SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "study.toml"
HISTORIES = {
    "bad": bad_count(3),
    "contacts": contacts_within(90),
    "last": last_grade(),
    "age": age_of_last("bad"),
}
SET_BACK = {
    "share": graded_share("bad"),
    "last": behind(last_grade_and_age((30,)), 14, 2),
    "household": behind(household_exits(), 30),
    "recent": within_lookback(contact_count((1, 3)), 365),
    "held_month": calendar_month(19_360, 20),
}
EXAMPLES = settings(max_examples=int(os.environ.get("CX_SPARK_EXAMPLES", "4")))
WHO = pl.DataFrame(
    {"customer": ["a"], "start": ["2024-01-01"], "end": [None]}, schema_overrides={"end": pl.String}
)


@pytest.fixture(autouse=True)
def _adaptive(session):
    """Plans change while they run, as they do where nobody has set Spark up otherwise."""
    session.conf.set("spark.sql.adaptive.enabled", "true")
    yield
    session.conf.set("spark.sql.adaptive.enabled", "false")


@pytest.fixture
def partitions(session, request):
    """The caller's number of partitions after a shuffle; files are cut into pieces of some kilobytes."""
    before = session.conf.get("spark.sql.shuffle.partitions")
    session.conf.set("spark.sql.shuffle.partitions", str(request.param))
    session.conf.set("spark.sql.files.maxPartitionBytes", "20000")
    session.conf.set("spark.sql.files.openCostInBytes", "0")
    session.conf.set("spark.sql.adaptive.enabled", "false")
    yield request.param
    session.conf.set("spark.sql.shuffle.partitions", before)
    for name in ("files.maxPartitionBytes", "files.openCostInBytes"):
        session.conf.unset(f"spark.sql.{name}")


def same_audits(a: cx.Audit, b: cx.Audit) -> None:
    assert a.counts() == b.counts()
    assert a.findings == b.findings
    assert a.facts == b.facts
    for (_, mine), (_, theirs) in zip(a.quarantine, b.quarantine, strict=True):
        assert mine.write_csv() == theirs.write_csv()


@pytest.mark.parametrize("partitions", [1, 7], indirect=True)
def test_the_sample_study(partitions):
    study = cx.read_study(SAMPLE)
    ours, theirs = (cx.read_records(study, name) for name in ("spark", "polars"))
    same_audits(ours.audit, theirs.audit)
    tables = [cx.risk_table(r, strata=["segment"], **HISTORIES) for r in (ours, theirs)]
    assert tables[0] == tables[1]
    assert tables[0].fingerprint() == tables[1].fingerprint()


@pytest.fixture(scope="module")
def sample():
    """The records of the sample study on Spark and on Polars, read once: the test above asks whether they agree."""
    study = cx.read_study(SAMPLE)
    return tuple(read_records(study, name) for name in ("spark", "polars"))


def test_what_is_set_back_or_looks_back_in_the_sample_study(sample):
    """On one walk, and in one table: whoever is at the same levels of all at the same time is at those of each."""
    ours, theirs = (
        risk_table(episodes(r, SET_BACK, cohorts=True, observed_from=19_400)) for r in sample
    )
    assert ours == theirs
    assert all(len(ours.feature(name).levels) > 1 for name in SET_BACK)


def test_the_docket_of_the_sample_study(sample):
    claims = ["public-posting", "jack"]  # other tables are asked for one by one above
    ours, theirs = (
        evaluate(records, claims, alone=True, keep=False, verdicts_only=True) for records in sample
    )
    assert ours.fingerprint == theirs.fingerprint
    assert ours.counted == theirs.counted
    assert ours.to_json() == theirs.to_json()


@EXAMPLES
@given(study=contract_studies())
def test_random_studies_on_the_tenure_clock(study):
    studies.test_tenure_clock.hypothesis.inner_test("spark", study)


@EXAMPLES
@given(study=contract_studies())
def test_random_studies_since_the_first_bad_moment(study):
    studies.test_since_the_first_bad_moment.hypothesis.inner_test("spark", study)


@EXAMPLES
@given(study=activity_studies())
def test_random_studies_of_contacts_alone(study):
    studies.test_contacts_alone.hypothesis.inner_test("spark", study)


@EXAMPLES
@given(study=shops_with_orders())
def test_random_shops_with_orders_in_a_table_of_their_own(study):
    studies.test_orders_in_a_table_of_their_own.hypothesis.inner_test("spark", study)


@EXAMPLES
@given(study=activity_studies() | won_back_studies())
def test_random_studies_of_customers_who_come_back(study):
    has_contracts = study[-1].returns == "new_spell"
    test = (
        studies.test_won_back_contracts
        if has_contracts
        else studies.test_customers_who_come_back_after_a_lapse
    )
    test.hypothesis.inner_test("spark", study)


def test_a_docket_of_a_shop_is_that_of_polars():
    random = Random(5)
    rows = []
    for customer in range(150):
        day = random.randrange(200)
        while day < 700:
            grade = random.choice(("bad", "neutral", "good", "good"))
            rows.append((f"c{customer}", day, grade, random.choice(("order", "order", "call"))))
            if random.random() < 0.1:
                break
            day += 1 + int(random.expovariate(1 / 15))
    log = pl.DataFrame(rows, schema=["customer", "at", "grade", "type"], orient="row")
    settings = {
        "study": {"horizon_days": 180},
        "interactions": {"log_from": 0, "log_until": 700},
        "retention": {"kind": "activity", "gap_days": 60, "active": "type = 'order'"},
    }
    study = cx.study_from(settings, interactions=log)
    claims = ["three-strikes", "one-strike", "bad-moments-drive-away"]
    dockets = [cx.evaluate(study, claims, engine=e, keep=False) for e in ("polars", "spark")]
    assert dockets[0].fingerprint == dockets[1].fingerprint
    assert dockets[0].counted == dockets[1].counted
    numbers = [[t.primary.estimate for t in d.values()] for d in dockets]
    assert numbers[0] == numbers[1]
    assert any(numbers[0])


def test_many_records_stay_on_the_engine():
    log = pl.DataFrame(
        {"customer": ["a", "a"], "at": ["2024-01-02", "2024-01-09"], "grade": ["bad"] * 2}
    )
    records = read_records(cx.study_from({}, interactions=log, retention=WHO), "spark")
    assert bring_near(records).engine.name == "polars"
    assert bring_near(records, most=1) is records


def pieces(raw) -> int:
    """In how many pieces a table is read."""
    return raw.selectExpr("spark_partition_id() as piece").distinct().count()


def untidy(days: int) -> pl.DataFrame:
    """Rows with faults at known places, many times over, so that they land in several pieces."""
    at = [f"2024-{1 + d // 28 % 12:02}-{1 + d % 28:02} 10:{d % 60:02}" for d in range(days)]
    at[::50] = ["yesterday"] * len(at[::50])
    log = pl.DataFrame(
        {
            "customer": [f"c{d % 97}" for d in range(days)],
            "at": at,
            "stars": [1 + d % 6 for d in range(days)],
        }
    )
    return pl.concat([log, log.slice(11, 5)])


def untidy_study(folder: Path, source: str, frame: pl.DataFrame | None = None) -> cx.Study:
    who = pl.DataFrame({"customer": [f"c{i}" for i in range(90)]}).with_columns(
        start=pl.lit("2024-01-01"),
        end=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("2024-08-01")),
    )
    raw = {
        "interactions": {
            "score": "stars",
            "scale": [1, 5],
            **({"source": source} if frame is None else {}),
        }
    }
    frames = {"retention": who, **({} if frame is None else {"interactions": frame})}
    return cx.study_from(raw, folder=folder, **frames)


@pytest.mark.parametrize("partitions", [1, 7], indirect=True)
@pytest.mark.parametrize("kind", ["csv", "parquet", "several", "hive"])
def test_rows_keep_their_numbers_however_a_table_is_split(tmp_path, kind, partitions):
    frame = untidy(20_000)
    if kind == "csv":
        frame.write_csv(tmp_path / "log.csv")
    elif kind == "parquet":
        frame.write_parquet(tmp_path / "log.csv.parquet", row_group_size=900)
    else:
        for i in range(12):
            part = tmp_path / "log" / (f"month={i + 1:02}/of=ü+1" if kind == "hive" else "")
            part.mkdir(parents=True, exist_ok=True)
            # the larger the earlier: Spark would like to take large ones first
            frame.slice(i * 1700, 1700).write_parquet(
                part / f"{i:02}.parquet", row_group_size=300 + 100 * i
            )
    source = {"csv": "log.csv", "parquet": "*.parquet", "several": "log/*", "hive": "log"}[kind]
    made = untidy_study(tmp_path, source)
    assert kind == "csv" or pieces(open_source(made, engine("spark"), "interactions")) > 2
    ours, theirs = (cx.audit(made, engine=name) for name in ("spark", "polars"))
    same_audits(ours, theirs)
    assert {f.reason for f in ours.findings} > {"time not readable", "score off the scale"}
    # rows of two folders differ in the folder
    assert ("exact duplicate" in {f.reason for f in ours.findings}) == (kind != "hive")


def test_names_that_spark_would_pass_over_or_take_for_patterns(tmp_path):
    frame = pl.DataFrame({"customer": ["a"], "at": ["2024-02-01"], "grade": ["bad"]})
    for name in (
        "_hidden.parquet",
        ".hidden.parquet",
        "a[1]{b}?.parquet",
        "with space + plus%20.parquet",
        "ü\\.parquet",
    ):
        frame.write_parquet(tmp_path / name)
        made = cx.study_from({"interactions": {"source": name}}, folder=tmp_path, retention=WHO)
        on = engine("spark")
        assert (
            on.collect(on.rows(open_source(made, on, "interactions"))).drop("cx_row").equals(frame)
        )


def test_columns_that_spark_cannot_name():
    frame = pl.DataFrame({"customer": ["a"], "at": ["2024-02-01"], "call.grade": ["bad"]})
    window = {"log_from": date(2024, 1, 1)}
    made = cx.study_from({"interactions": window}, interactions=frame, retention=WHO)
    with pytest.raises(
        EngineError, match=r"no column whose name holds a dot or a backtick, as 'call\.grade'"
    ):
        cx.audit(made, engine="spark")
    query = 'select customer, at, "call.grade" as grade from log'
    shaped = cx.study_from({"interactions": {"query": query, **window}}, log=frame, retention=WHO)
    assert dict(cx.audit(shaped, engine="spark").kept)["interactions"] == 1


def test_frames_of_the_callers_session_are_taken_where_they_are(session):
    # the caller's zone is far from UTC: the instant must not move
    at = [datetime(2024, 2, 1, 23, 30, tzinfo=UTC), datetime(2024, 2, 1, 22, 30, tzinfo=UTC)]
    local = pl.DataFrame({"customer": ["a", "a"], "at": at, "grade": ["bad", "good"]})
    log = session.createDataFrame(local.to_arrow(compat_level=pl.CompatLevel.oldest()))
    raw = {"interactions": {"time_zone": "Europe/Berlin"}}
    ours, theirs = (
        cx.read_records(cx.study_from(raw, interactions=frame, retention=WHO), name)
        for frame, name in ((log, "spark"), (local, "polars"))
    )
    assert ours.audit.counts() == theirs.audit.counts()
    moments = [
        r.engine.collect(r.moments).sort("grade").select("day", "second", "grade").rows()
        for r in (ours, theirs)
    ]
    assert moments[0] == moments[1]
    assert type(session).getActiveSession() is session
    assert session.conf.get("spark.sql.session.timeZone") == "Pacific/Kiritimati"
    assert not session.catalog.listTables("global_temp") or all(
        not t.name.startswith("cx_") for t in session.catalog.listTables("global_temp")
    )


def test_a_table_of_the_catalogue_is_a_source(session):
    at = [datetime(2024, 2, 1, 10), datetime(2024, 2, 2)]
    log = pl.DataFrame({"customer": ["a", "a"], "at": at, "grade": ["bad", "good"]})
    session.sql("create database crm")
    session.createDataFrame(log.to_arrow(compat_level=pl.CompatLevel.oldest())).write.saveAsTable(
        "crm.contacts"
    )
    tables = {"c": "spark:crm.contacts"}
    for interactions in ({"source": "spark:crm.contacts"}, {"query": "select * from c"}):
        made = cx.study_from({"interactions": interactions, "tables": tables}, retention=WHO)
        assert dict(cx.audit(made, engine="spark").kept)["interactions"] == 2
    made = cx.study_from({"interactions": {"source": "spark:crm.contcats"}}, retention=WHO)
    with pytest.raises(
        SourceError, match=r"interactions.source \(spark:crm.contcats\): cannot be read: .*contcats"
    ):
        cx.audit(made, engine="spark")
    session.sql("drop database crm cascade")


def test_a_query_sees_no_table_of_the_catalogue(session):
    session.range(3).createOrReplaceTempView("t")
    on = engine("spark")
    result = on.query('select count(*) as n from "t"', {"t": on.frame(pl.DataFrame({"x": [1]}))})
    assert on.collect(nw.from_native(result))["n"].item() == 1
    assert session.table("t").count() == 3


def test_the_callers_session_is_the_active_one_afterwards(session):
    made = cx.study_from({}, interactions=pl.DataFrame({"customer": ["a"]}), retention=WHO)
    with pytest.raises(cx.errors.DataError):
        cx.audit(made, engine="spark")
    cx.audit(untidy_study(Path(), "", untidy(2_000)), engine="spark")
    assert type(session).getActiveSession() is session


@pytest.mark.parametrize("partitions", [1, 7], indirect=True)
def test_numbers_in_an_order(partitions):
    names = [f"id {(i * 7919) % 1000:04}" for i in range(1000)]
    on = engine("spark")
    frame = on.number(on.rows(on.frame(pl.DataFrame({"id": names}))), "id", "code")
    assert on.collect(frame).sort("code")["id"].to_list() == sorted(names)
    assert on.collect(frame)["code"].sort().to_list() == list(range(1000))


FORMATS = {
    "%y-%m-%d": ["68-01-02", "69-01-02", "70-01-02", "5-01-02", "2024-01-02"],
    "%Y-%m-%d": ["24-1-2", "12024-1-2", "2024.02.05", "2024-02-30", "2024-2-29"],
    "%Y%m%d": ["20240131", "2024131", "202411"],
    "%d %B %Y": ["5 february 2024", "5 Feb 2024", "5 Sept 2024"],
    "%d %b %Y": ["5 FEB 2024", "5 February 2024"],
    "%a %d.%m.%Y": ["Mon 05.02.2024", "Tue 05.02.2024", "Monday 05.02.2024"],
    "%A %d.%m.%Y": ["Monday 05.02.2024", "mon 05.02.2024", "Sunday 05.02.2024"],
    "%j %Y": ["036 2024", "36 2024", "366 2023", "366 2024", "0 2024"],
    "%Y-%m-%d %I:%M %p": [
        "2024-02-05 10:00 pm",
        "2024-02-05 12:00 AM",
        "2024-02-05 12:00 PM",
        "2024-02-05 13:00 PM",
    ],
    "%Y-%m-%d %H:%M:%S": [
        "2024-02-05 10:00:59",
        "2024-02-05 10:00:5",
        "2024-02-05 24:00:00",
        "2024-02-05  1:02:03",
    ],
    "%Y-%m-%d %H:%M%z": [
        "2024-02-05 10:00Z",
        "2024-02-05 10:00+03:30",
        "2024-02-05 23:00-0330",
        "2024-02-05 10:00+03",
    ],
    "100%% x %Y-%m-%d": ["100% x 2024-02-03", "100% X 2024-02-03"],
    "%Y-%m": ["2024-02"],
    "%m-%d": ["02-05"],
    "%Y.%m.%d (%H.%M.%S)": ["2024.02.05 (10.11.12)", "2024x02x05 (10.11.12)"],
}


@pytest.mark.parametrize("fmt", FORMATS)
def test_times_in_a_format_as_polars_reads_them(fmt):
    frame, result = (
        pl.DataFrame({"x": [*FORMATS[fmt], "", None, f"{FORMATS[fmt][0]} and more"]}),
        [],
    )
    for on in (engine("spark"), engine("polars")):
        read = on.instant(on.rows(on.frame(frame)), "x", fmt=fmt, zone="Europe/Berlin")
        result.append(on.collect(read).sort("cx_row").select("cx_day", "cx_second").rows())
    assert result[0] == result[1]


def test_a_session_of_its_own_is_quiet_and_leaves_nothing_behind(tmp_path):
    """The command line without a caller: one line on standard error, that of the Java machine."""
    copy_sample(tmp_path / "study")
    (tmp_path / "empty").mkdir()
    code = "import sys; from cxresearch.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "audit", tmp_path / "study", "--engine"]
    spark, polars = (
        subprocess.run(
            [*command, name], capture_output=True, text=True, cwd=tmp_path / "empty", check=True
        )
        for name in ("spark", "polars")
    )
    assert spark.stdout == polars.stdout
    assert [line for line in spark.stderr.splitlines() if "incubator" not in line] == []
    assert list((tmp_path / "empty").iterdir()) == []
