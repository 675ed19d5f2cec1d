"""One fingerprint of the data: it is the same wherever it is shown, and another where anything of the data is."""

import json
from dataclasses import replace

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.report.pages import provenance, show

WORLD = cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5))
SIMULATED = cx.worlds.simulate(WORLD, 400, seed=3)


@pytest.fixture(scope="module")
def here():
    return cx.audit(SIMULATED.study()).fingerprint


@pytest.mark.parametrize("engine", ["polars", "polars-lazy", "duckdb"])
def test_every_engine_gives_the_same(here, engine):
    assert len(here) == 16
    assert cx.audit(SIMULATED.study(), engine=engine).fingerprint == here


def test_it_is_shown_everywhere_and_whichever_claims_are_tried(here):
    dockets = [
        cx.evaluate(SIMULATED.study(), claims, alone=True, verdicts_only=True)
        for claims in (["one-strike"], ["three-strikes", "public-posting"])
    ]
    assert dockets[0].counted != dockets[1].counted
    for docket in dockets:
        assert docket.fingerprint == docket.audit.fingerprint == here
        assert json.loads(docket.to_json())["fingerprint"] == here
        assert show.summary(docket)["docket"]["fingerprint"] == here  # what the ledger keeps
        page = provenance.method(docket, notebook="verdicts", parameters={})
        assert f'<th scope="row">Fingerprint of the data</th><td>{here}</td>' in page
    records = cx.read_records(SIMULATED.study())
    assert here in provenance.origin(records, notebook="explore", parameters={})
    audit = records.audit
    assert audit.to_dict()["fingerprint"] == here
    assert str(audit).splitlines()[-1].split() == ["fingerprint", "of", "the", "data", here]
    by_segment = cx.evaluate_by(records, claims=["one-strike"], alone=True, verdicts_only=True)
    assert {d.fingerprint for d in by_segment.values()} == {here}


LOG, CUSTOMERS = SIMULATED.interactions, SIMULATED.customers
FIRST = pl.int_range(pl.len()) == 0


def first_of(column, value):
    return pl.when(FIRST).then(value).otherwise(pl.col(column)).alias(column)


def exchanged(log):
    """The first contact and the first of another customer change their customers."""
    one = log["customer"][0]
    at = (log["customer"] != one).arg_max()
    customers = log["customer"].to_list()
    customers[0], customers[at] = customers[at], customers[0]
    return log.with_columns(customer=pl.Series(customers))


CHANGES = {
    "a contact less": {"interactions": LOG.slice(1)},
    "a customer less": {"customers": CUSTOMERS.slice(1)},
    "a day later": {
        "interactions": LOG.with_columns(first_of("at", pl.col("at") - pl.duration(days=1)))
    },
    "another customer's": {"interactions": exchanged(LOG)},
    "a longer relation": {
        "customers": CUSTOMERS.with_columns(
            first_of("start", pl.col("start") - pl.duration(days=1))
        )
    },
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_another_where_anything_of_the_data_is(here, change):
    assert cx.audit(replace(SIMULATED, **change).study()).fingerprint != here


def test_it_does_not_depend_on_the_order_of_rows(here):
    turned = replace(SIMULATED, interactions=LOG.reverse(), customers=CUSTOMERS.reverse())
    assert cx.audit(turned.study()).fingerprint == here


def test_it_is_added_up_over_parts(here, monkeypatch):
    """Contacts that are worked on in parts, as of a large company, give the same."""
    monkeypatch.setattr("cxresearch.engines.packed_contacts.PART", 500)
    records = cx.read_records(SIMULATED.study())
    assert len(records.parts()) > 3
    assert records.audit.fingerprint == here


@pytest.mark.parametrize("engine", ["polars-lazy", "duckdb"])
def test_days_before_the_first_and_far_away_are_the_same_on_every_engine(engine):
    log = pl.DataFrame({"customer": ["a", "b"], "at": [-5, 2_900_000], "grade": ["bad", "good"]})
    who = pl.DataFrame({"customer": ["a", "b"], "start": [-9, 0], "end": [9, None]})
    settings = {"interactions": {"log_from": -9, "log_until": 2_930_000}}
    study = cx.study_from(settings, interactions=log, retention=who)
    assert cx.audit(study, engine=engine).fingerprint == cx.audit(study).fingerprint
