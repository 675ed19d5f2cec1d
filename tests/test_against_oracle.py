"""Random studies, from raw rows to flows and estimates, against plain loops that share nothing with the pipeline."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import example, given

from cxresearch.errors import DataError, EstimationError
from cxresearch.estimators.cox import cox
from cxresearch.estimators.excess import WeightedCells, all_groups
from cxresearch.estimators.incidence import aalen_johansen, step
from cxresearch.histories import (
    age_of_last,
    bad_count,
    contact_count,
    contacts_within,
    grade_count,
    last_grade,
)
from cxresearch.histories.base import DayClock
from cxresearch.risk.episodes import clock_of, episodes, timeline
from cxresearch.risk.matched import matched_table
from cxresearch.risk.table import risk_table
from cxresearch.risk.transitions import since, until
from tests.pipeline import flows_of, records_of
from tests.reference import oracle
from tests.small_studies import (
    activity_studies,
    contract_studies,
    shops_with_orders,
    won_back_studies,
)

ENGINES = ("polars", "polars-lazy", pytest.param("duckdb", marks=pytest.mark.slow))
OURS = {
    "bad": bad_count(3),
    "neutral": grade_count("neutral", (1, 2, 3)),
    "contacts": contacts_within(90),
    "lately": contacts_within(20, (1, 2, 4), ("bad", "unknown")),
    "last": last_grade(),
    "age": age_of_last("bad", (10, 30, 90)),
}
THEIRS = {
    "bad": oracle.bad_count(3),
    "neutral": oracle.grade_count("neutral", (1, 2, 3)),
    "contacts": oracle.contacts_within(90),
    "lately": oracle.contacts_within(20, (1, 2, 4), ["bad", "unknown"]),
    "last": oracle.last_grade(),
    "age": oracle.age_of_last("bad", (10, 30, 90)),
}


def plain(flows):
    """The oracle's flows, summed over its groups, with their zeros left out."""
    kept = {}
    for (_, time, levels), counts in flows.items():
        key = (time, tuple(levels))
        kept[key] = kept.get(key, Counter()) + Counter({c: n for c, n in counts.items() if n})
    return {k: v for k, v in kept.items() if v}


def kept(contacts, customers, settings, engine):
    """The records, or None if nothing at all can be kept."""
    try:
        return records_of(contacts, customers, settings, engine)
    except DataError:
        return None


@pytest.mark.parametrize("engine", ENGINES)
@given(study=contract_studies())
def test_tenure_clock(engine, study):
    contacts, customers, settings = study
    records = kept(contacts, customers, settings, engine)
    if records is None:
        return
    table = risk_table(episodes(records, OURS, fixed=("segment",)))
    assert flows_of(table) == plain(
        oracle.flows(contacts, customers, settings, THEIRS, segment=True)
    )
    everyone = oracle.read_contract(contacts, customers, settings)
    assert sum(f.rows for f in records.audit.findings if f.table == "interactions") + dict(
        records.audit.kept
    )["interactions"] == len(contacts)
    assert dict(records.audit.kept)["interactions"] == everyone.contact_rows["kept"]


@pytest.mark.parametrize("engine", ENGINES)
@given(study=contract_studies())
def test_since_the_first_bad_moment(engine, study):
    contacts, customers, settings = study
    records = kept(contacts, customers, settings, engine)
    if records is None:
        return
    whole = episodes(
        records,
        {"bad": bad_count(3)},
        fixed=("segment",),
        clock=DayClock(),
        observed_from_start=True,
    )
    for competing in (True, False):
        eps = since(whole, "bad", "1", exclude_from="3+")
        exclusions = {a.reason: a.customers for a in eps.exclusions}
        if competing:
            eps = until(eps, "bad", "3+", "third bad moment")
        table = risk_table(eps)
        flows, aside = oracle.since_first_bad(
            contacts, customers, settings, competing=competing, segment=True
        )
        assert flows_of(table) == plain(flows)
        assert exclusions.get("left on the day they reached bad 1", 0) == aside["left on the day"]
        assert (
            exclusions.get("reached bad 3+ on the same day as 1", 0)
            == aside["third on the first day"]
        )
        if not table.flows.height:
            continue
        causes = ("defection", "other exit", *(["third bad moment"] if competing else []))
        ours = aalen_johansen(table, causes)
        renamed = [{"other exit": "other"}.get(c, c) for c in causes]
        theirs = oracle.aalen_johansen(flows, renamed)
        for horizon in (5, 30, 90):
            for i, cause in enumerate(renamed):
                at = float(step(ours.times, ours.incidence[i], np.array([horizon]))[0])
                assert at == pytest.approx(
                    float(oracle.incidence_at(theirs, cause, horizon)), abs=1e-10
                )


@pytest.mark.parametrize("engine", ENGINES)
@given(study=activity_studies())
def test_contacts_alone(engine, study):
    contacts, settings = study[0], study[-1]
    records = kept(contacts, None, settings, engine)
    if records is None:
        return
    for ours, theirs in (("contact", "contact"), ("tenure", "day")):
        table = risk_table(episodes(records, OURS, clock=clock_of(records.study, ours)))
        assert flows_of(table) == plain(
            oracle.activity_flows(contacts, settings, THEIRS, clock=theirs)
        )


# a contact in the evening takes effect at the first order of its day, when the later orders have not been
EVENING = (
    [{"customer": "a", "at": datetime(2024, 1, 5, 20), "grade": "good"}],
    [],
    oracle.Settings(
        log_from=date(2024, 1, 1),
        log_until=date(2024, 6, 30),
        gap_days=14,
        new_from=date(2024, 1, 1),
        orders=tuple(("a", datetime(2024, 1, 5, hour)) for hour in (8, 10, 12, 14)),
    ),
)


@pytest.mark.parametrize("engine", ENGINES)
@given(study=shops_with_orders())
@example(study=EVENING)
def test_orders_in_a_table_of_their_own(engine, study):
    contacts, settings = study[0], study[-1]
    records = kept(contacts, None, settings, engine)
    if records is None:
        return
    for ours, theirs in (("contact", "contact"), ("tenure", "day")):
        table = risk_table(episodes(records, OURS, clock=clock_of(records.study, ours)))
        assert flows_of(table) == plain(
            oracle.activity_flows(contacts, settings, THEIRS, clock=theirs)
        )
    rows = oracle.read_activity(contacts, settings)[0].contact_rows
    assert dict(records.audit.kept)["interactions"] == rows["kept"]
    for name, n in (("interactions", len(contacts)), ("retention", len(settings.orders))):
        rejected = sum(f.rows for f in records.audit.findings if f.table == name)
        assert dict(records.audit.read)[name] == n == dict(records.audit.kept)[name] + rejected


@pytest.mark.parametrize("engine", ENGINES)
@given(study=activity_studies())
def test_since_the_first_bad_moment_of_contacts_alone(engine, study):
    """What three-strikes and one-strike are counted from: lapses, with a later bad moment competing or not."""
    contacts, settings = study[0], study[-1]
    records = kept(contacts, None, settings, engine)
    if records is None:
        return
    whole = episodes(records, {"bad": bad_count(3)}, clock=DayClock(), observed_from_start=True)
    for competing in (True, False):
        eps = since(whole, "bad", "1", exclude_from="3+")
        exclusions = {a.reason: a.customers for a in eps.exclusions}
        if competing:
            eps = until(eps, "bad", "3+", "third bad moment")
        flows, aside = oracle.since_first_bad(contacts, [], settings, competing=competing)
        assert flows_of(risk_table(eps)) == plain(flows)
        assert (
            exclusions.get("reached bad 3+ on the same day as 1", 0)
            == aside["third on the first day"]
        )


def since_first(records, contacts, customers, settings, *, fixed=()):
    """Compare what is counted from the first bad moment on, of customers who may come back."""
    whole = episodes(
        records, {"bad": bad_count(3)}, fixed=fixed, clock=DayClock(), observed_from_start=True
    )
    for competing in (True, False):
        eps = since(whole, "bad", "1", exclude_from="3+")
        exclusions = {a.reason: a.customers for a in eps.exclusions}
        if competing:
            eps = until(eps, "bad", "3+", "third bad moment")
        flows, aside = oracle.since_first_bad(
            contacts, customers, settings, competing=competing, segment=bool(fixed)
        )
        assert flows_of(risk_table(eps)) == plain(flows)
        for ours, theirs in (
            ("left on the day they reached bad 1", "left on the day"),
            ("reached bad 3+ on the same day as 1", "third on the first day"),
            ("had reached bad 1 before they came back", "before they came back"),
        ):
            assert exclusions.get(ours, 0) == aside[theirs]


@pytest.mark.parametrize("engine", ENGINES)
@given(study=won_back_studies())
def test_won_back_contracts(engine, study):
    contacts, customers, settings = study
    records = kept(contacts, customers, settings, engine)
    if records is None:
        return
    table = risk_table(episodes(records, OURS, fixed=("segment",)))
    assert flows_of(table) == plain(
        oracle.flows(contacts, customers, settings, THEIRS, segment=True)
    )
    since_first(records, contacts, customers, settings, fixed=("segment",))
    everyone = oracle.read_contract(contacts, customers, settings)
    findings = records.audit.findings
    for name, rows, counts in (
        ("interactions", contacts, everyone.contact_rows),
        ("retention", customers, everyone.customer_rows),
    ):
        assert dict(records.audit.kept)[name] == counts["kept"]
        assert sum(f.rows for f in findings if f.table == name) == len(rows) - counts["kept"]
    again = sum(customer.relation == 1 for customer in everyone.customers)
    assert records.audit.fact("customers who came back").count == again
    assert records.audit.fact("relations").count == len(everyone.customers)


@pytest.mark.parametrize("engine", ENGINES)
@given(study=activity_studies() | shops_with_orders())
def test_customers_who_come_back_after_a_lapse(engine, study):
    contacts, settings = study[0], replace(study[-1], returns="new_spell")
    records = kept(contacts, None, settings, engine)
    if records is None:
        return
    for ours, theirs in (("contact", "contact"), ("tenure", "day")):
        table = risk_table(episodes(records, OURS, clock=clock_of(records.study, ours)))
        assert flows_of(table) == plain(
            oracle.activity_flows(contacts, settings, THEIRS, clock=theirs)
        )
    since_first(records, contacts, [], settings)
    everyone = oracle.read_activity(contacts, settings)[0].customers
    assert records.audit.fact("relations").count == len(everyone)


@given(study=contract_studies())
def test_matched_comparators(study):
    contacts, customers, settings = study
    records = kept(contacts, customers, settings, "polars")
    if records is None:
        return
    histories = {"bad": bad_count(3), "recent": contacts_within(90)}
    eps = episodes(
        records, histories, fixed=("segment",), clock=DayClock(), observed_from_start=True
    )
    table = matched_table(eps, "bad", "1", "recent", exclude_from="3+")
    for horizon in (20, 60):
        wanted = oracle.matched_incidence(contacts, customers, settings, horizon)
        if wanted.exposed is None or wanted.comparators is None:
            continue
        compared = WeightedCells(table, all_groups(table), horizon=horizon, cause=1)
        a, b = compared.exposed_curve(), compared.comparator_curve()
        assert float(a.incidence[0][-1]) == pytest.approx(float(wanted.exposed), abs=1e-10)
        assert float(b.incidence[0][-1]) == pytest.approx(float(wanted.comparators), abs=1e-10)
        assert compared.dropped == wanted.dropped


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@given(study=contract_studies())
def test_moments_after_the_exposure_change_no_comparison(engine, study):
    records = kept(*study, engine)
    if records is None:
        return
    histories = {
        "bad": bad_count(3),
        "recent": contacts_within(2, (1,)),
        "so_far": contact_count((1, 2, 4)),
    }
    line = timeline(records, DayClock())
    for level, below in (("1", "2"), ("1", "3+"), ("2", None)):
        whole, cut = (
            matched_table(
                episodes(
                    records,
                    histories,
                    fixed=("segment",),
                    clock=DayClock(),
                    line=each,
                    observed_from_start=True,
                ),
                "bad",
                level,
                "recent",
                exclude_from=below,
                matched_on=["so_far"],
            )
            for each in (line, line.until(histories["bad"], level))
        )
        assert all(
            getattr(whole, f).equals(getattr(cut, f)) for f in ("exposed", "spans", "population")
        )
        assert (whole.strata, whole.causes, whole.exclusions) == (
            cut.strata,
            cut.causes,
            cut.exclusions,
        )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("clock", ["tenure", "contact"])
@given(study=activity_studies())
def test_histories_on_one_walk_are_what_they_are_alone(engine, clock, study):
    contacts, settings = study[0], study[-1]
    records = kept(contacts, None, settings, engine)
    if records is None:
        return
    ticks = clock_of(records.study, clock)
    together = timeline(records, ticks)
    for history in (
        bad_count(3),
        grade_count("bad", (2, 4)),
        bad_count(1),
        contact_count((1, 3)),
        contact_count((2,)),
    ):
        assert history.walk
        result, alone = (
            records.engine.collect(line.states({"level": history})).select(
                "customer", "tick", "level"
            )
            for line in (together, timeline(records, ticks))
        )
        assert result.sort("customer", "tick").equals(alone.sort("customer", "tick"))


@given(study=contract_studies())
def test_cox_coefficients(study):
    contacts, customers, settings = study
    records = kept(contacts, customers, settings, "polars")
    if records is None:
        return
    rows = oracle.tenure_episodes(contacts, customers, settings, {"bad": oracle.bad_count(1)})
    if not any(e.code == "defection" and e.pattern[0] != "unknown" for e in rows):
        return
    plain_rows = oracle.cox_rows([e for e in rows if e.pattern[0] != "unknown"], [(0, "1+")])
    try:
        coef, se, loglik = oracle.cox_fit(plain_rows, "efron")
    except (ArithmeticError, ValueError):
        return  # no finite maximum, or nobody to compare
    table = risk_table(episodes(records, {"bad": bad_count(1)})).where(bad=["0", "1+"])
    try:
        fit = cox(table, ["bad"], errors="model")
    except EstimationError:
        return
    if fit.penalised:
        return
    assert fit.coef[0] == pytest.approx(coef[0], abs=1e-7)
    assert fit.loglik == pytest.approx(loglik, abs=1e-9)
    assert fit.se_model[0] == pytest.approx(se[0], rel=1e-5)
