"""The recipes read tables of the shape their data sets have; the data themselves are not part of the project."""

import json
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import xlwt

from cxresearch.records.records import read_records
from cxresearch.study import read_study

RECIPES = Path(__file__).parents[1] / "data" / "recipes"
ENGINES = ("polars", "duckdb")


def facts(records):
    """The audit's facts by name."""
    return {f.name: str(f.value) for f in records.audit.facts}


@pytest.mark.parametrize("engine", ENGINES)
def test_online_retail(tmp_path, engine):
    bought = datetime(2010, 1, 4, 9, 30)
    first = pl.DataFrame(
        {
            "Invoice": ["1", "1", "C2", "3", "4"],
            "StockCode": ["a", "b", "a", "a", "a"],
            "Description": ["x"] * 5,
            "Quantity": [3, 1, -3, 2, 1],
            # a string with a date; the last line lies in the overlap and is read from the second file
            "InvoiceDate": ["2010-01-04 09:30:00"] * 2
            + ["2010-01-05 10:00:00", "2010-02-01 10:00:00", "2010-12-01 08:26:00"],
            "Price": [1.0] * 5,
            "Customer ID": [12346.0, 12346.0, 12346.0, None, 12346.0],
            "Country": ["UK"] * 5,
        }
    )
    second = pl.DataFrame(
        {
            "Description": ["x"] * 2,
            "Quantity": pl.Series([1, 5], dtype=pl.Int32),
            "InvoiceDate": pl.Series(
                [datetime(2010, 12, 1, 8, 26), bought + timedelta(days=600)],
                dtype=pl.Datetime("ns"),
            ),
            "UnitPrice": [1.0] * 2,
            "CustomerID": [12346.0, 17850.0],
            "Country": ["UK"] * 2,
        }
    )
    first.write_parquet(tmp_path / "online_retail_2009_2010.parquet")
    second.write_parquet(tmp_path / "online_retail_2010_2011_noinvoice.parquet")
    study = read_study(RECIPES / "online_retail_2.toml", {"ONLINE_RETAIL_2": str(tmp_path)})
    records = read_records(study, engine)
    assert dict(records.audit.tables) == {"year_one": 5, "year_two": 2, "lines": 5}
    assert dict(records.audit.kept) == {"interactions": 4, "customers": 2}
    assert records.levels == {"segment": ("abroad",)}
    assert facts(records)["bad moments"] == "1 (25.0%)"
    assert facts(records)["customers"] == "2"
    assert facts(records)["customers who lapsed"].startswith("1")


@pytest.mark.parametrize("engine", ENGINES)
def test_ravenstack(tmp_path, engine):
    accounts = "account_id,signup_date,plan_tier,churn_flag\nA-1,2023-03-01,Basic,False\nA-2,2023-05-01,Pro,True\n"
    churn = "churn_event_id,account_id,churn_date\nC-1,A-2,2024-02-01\nC-2,A-2,2024-05-01\n"
    tickets = (
        "ticket_id,account_id,submitted_at,priority,satisfaction_score,escalation_flag\n"
        "T-1,A-1,2023-01-15,high,,False\n"  # before the signup
        "T-2,A-1,2023-06-01,low,2,False\n"
        "T-3,A-2,2023-06-02,low,5,False\n"
        "T-4,A-2,2023-07-02,low,5,True\n"  # escalated and satisfied: bad
        "T-5,A-2,2023-08-02,low,,False\n"
    )
    for name, text in (
        ("accounts", accounts),
        ("churn_events", churn),
        ("support_tickets", tickets),
    ):
        (tmp_path / f"ravenstack_{name}.csv").write_text(text)
    records = read_records(
        read_study(RECIPES / "ravenstack.toml", {"RAVENSTACK": str(tmp_path)}), engine
    )
    result = {f.reason: f.rows for f in records.audit.findings}
    assert result == {"before the customer's start": 1}
    assert facts(records)["bad moments"] == "2 (50.0%)"
    assert facts(records)["bad and good at once"] == "1"
    assert facts(records)["customers who defected"] == "1 (50.0%)"
    ends = records.engine.collect(records.customers).sort("id")
    assert (
        ends["exit"].to_list()[1] - ends["start"].to_list()[1]
        == (datetime(2024, 2, 1) - datetime(2023, 5, 1)).days
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_cdnow(tmp_path, engine):
    lines = [
        " 00001 20210101  1   11.77",
        " 00002 20210112  1   12.00",
        " 00002 20210112  5   77.00",  # the same day: one contact of six records
        " 00002 20211112  2   20.76",
    ]
    (tmp_path / "CDNOW_master.txt").write_bytes("\r\n".join(lines).encode() + b"\r\n")
    study = read_study(RECIPES / "cdnow.toml", {"CDNOW": str(tmp_path)})
    records = read_records(study, engine)
    assert dict(records.audit.tables) == {"purchases": 4}
    assert dict(records.audit.kept) == {"interactions": 3}
    assert facts(records)["good moments"].startswith("1 ")
    assert facts(records)["log from"] == "2021-01-01"
    assert facts(records)["customers"] == "2"


@pytest.mark.parametrize("engine", ENGINES)
def test_superstore(tmp_path, engine):
    book = xlwt.Workbook()
    day = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    columns = ("Order ID", "Order Date", "Customer ID", "Segment", "Category")
    lines = [
        ("O-1", datetime(2014, 1, 3), "C-1", "Consumer", "Furniture"),
        ("O-1", datetime(2014, 1, 3), "C-1", "Consumer", "Technology"),
        ("O-2", datetime(2014, 9, 4), "C-1", "Consumer", "Furniture"),
        ("O-3", datetime(2017, 12, 30), "C-2", "Corporate", "Technology"),
    ]
    for name, rows in (
        ("Orders", [columns, *lines]),
        ("Returns", [("Returned", "Order ID"), ("Yes", "O-2"), ("Yes", "O-2")]),
        ("People", [("Person", "Region"), ("Anna", "West")]),
    ):
        sheet = book.add_sheet(name)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                sheet.write(i, j, cell, *((day,) if isinstance(cell, datetime) else ()))
    book.save(str(tmp_path / "superstore.xls"))
    study = read_study(RECIPES / "superstore.toml", {"SUPERSTORE": str(tmp_path)})
    records = read_records(study, engine)
    assert dict(records.audit.tables) == {"lines": 4, "returned": 2}
    assert dict(records.audit.kept) == {"interactions": 3, "customers": 2}
    # the other customer is first seen on the last day, and never under observation
    assert records.levels == {"segment": ("Consumer",)}
    assert facts(records)["bad moments"] == "1 (33.3%)"


@pytest.mark.parametrize("engine", ENGINES)
def test_sparkify_log(tmp_path, engine):
    def page(user, session, name, ts, auth="Logged In"):
        # the time of registration is written as a float, and visitors have an empty id
        return {
            "auth": auth, "level": "free", "page": name, "registration": 1540919166796.0, "sessionId": session,
            "ts": ts, "userId": user,
        }  # fmt: skip

    start, day = 1541105830796, 86_400_000
    first = [
        page("39", 1, "Home", start),
        page("39", 1, "Error", start + 1000),
        page("", 2, "Login", start, "Logged Out"),
    ]
    second = [page("39", 3, "Home", start + 2 * day), page("8", 4, "NextSong", start + 5 * day)]
    for name, rows in (("2018-11-01", first), ("2018-11-02", second)):
        text = "\n".join(json.dumps(row) for row in rows)
        (tmp_path / f"{name}-events.json").write_text(text, encoding="utf-8")
    study = read_study(RECIPES / "sparkify_log.toml", {"SPARKIFY": str(tmp_path)})
    records = read_records(study, engine)
    assert dict(records.audit.tables) == {"pages": 5}
    assert dict(records.audit.kept) == {"interactions": 3}
    assert facts(records)["bad moments"] == "1 (33.3%)"
    assert facts(records)["log from"] == "2018-11-01"


@pytest.mark.parametrize("engine", ENGINES)
def test_incident_log(tmp_path, engine):
    columns = (
        "number,incident_state,reassignment_count,reopen_count,made_sla,caller_id,opened_at,contact_type,category,"
        "priority,resolved_by,resolved_at"
    )
    rows = [
        "INC1,New,0,0,true,Caller 1,29/2/2016 01:16,Phone,Category 1,3,Resolved by 1,29/2/2016 11:29",
        "INC1,Closed,2,0,false,Caller 1,29/2/2016 01:16,Phone,Category 1,3,Resolved by 1,29/2/2016 11:29",
        "INC2,New,0,0,true,Caller 1,1/4/2016 01:16,Phone,Category 1,3,Resolved by 2,12/4/2016 10:00",
        "INC3,New,0,0,true,?,1/3/2016 01:16,Email,?,3,?,2/3/2016 11:29",
        "INC4,New,0,0,true,Caller 2,1/3/2016 01:16,Email,?,3,?,?",
    ]
    with zipfile.ZipFile(tmp_path / "incident_log.zip", "w") as packed:
        packed.writestr("incident_log.csv", "\n".join([columns, *rows]) + "\n")
    study = read_study(RECIPES / "incident_log.toml", {"INCIDENT_LOG": str(tmp_path)})
    records = read_records(study, engine)
    assert dict(records.audit.tables) == {"updates": 5}
    result = {f.reason: f.rows for f in records.audit.findings}
    assert result == {"no customer": 1, "no time": 1}
    assert facts(records)["bad moments"] == "1 (50.0%)"
    assert facts(records)["log from"] == "2016-02-29"
