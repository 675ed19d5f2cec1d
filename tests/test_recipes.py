"""The recipes read tables of the shape their data sets have; the data themselves are not part of the project."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

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
    assert dict(records.audit.kept) == {"interactions": 4}
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
