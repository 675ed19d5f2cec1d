"""Small synthetic companies in which bad moments at chosen touchpoints do harm, and others in which none does."""

from __future__ import annotations

import numpy as np
import polars as pl

import cxresearch as cx

TOUCHPOINTS = ("app", "bill", "call", "chat")
DAYS = 500


def company(customers, seed, *, harm=(1.0, 1.0, 1.0, 1.0), busy=0.0, prone=1.0, harm_any=1.0):
    """Return a log and its customers, lived day by day, as two frames with integer days; a contact a day at most.

    Args:
        customers: How many.
        seed: Equal seeds give equal frames.
        harm: Hazard ratio of leaving once a moment at each touchpoint was bad.
        busy: Exponent of the customer's intensity in the hazard.
        prone: Variance of proneness to bad moments between customers.
        harm_any: Hazard ratio of each bad moment, up to five, wherever it was.
    """
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 200, customers)
    intensity = rng.gamma(2, 1 / 2, customers)
    proneness = rng.gamma(1 / prone, prone, customers)
    hazard = 0.0025 * np.maximum(intensity, 0.01) ** busy
    had, bad = np.zeros((customers, 4), bool), np.zeros(customers, int)
    end, there, rows = np.full(customers, -1), np.zeros(customers, bool), []
    for day in range(DAYS + 1):
        ratio = np.prod(np.where(had, harm, 1.0), axis=1) * harm_any ** np.minimum(bad, 5)
        leaves = there & (rng.random(customers) < -np.expm1(-hazard * ratio))
        end[leaves] = day
        there = (there | (start == day)) & ~leaves
        who = np.flatnonzero(there & (rng.random(customers) < -np.expm1(-intensity / 20)))
        place, u = rng.integers(0, 4, len(who)), rng.random(len(who))
        is_bad = u < np.minimum(0.15 * proneness[who], 0.9)
        other = np.array(["good", "neutral", "unknown"])[rng.choice(3, len(who), p=(0.5, 0.4, 0.1))]
        had[who[is_bad], place[is_bad]] = True
        bad[who[is_bad]] += 1
        rows.append((who, np.full(len(who), day), place, np.where(is_bad, "bad", other)))
    who, day, place, grade = (np.concatenate(x) for x in zip(*rows, strict=True))
    log = pl.DataFrame(
        {"customer": who, "at": day, "touchpoint": np.array(TOUCHPOINTS)[place], "grade": grade}
    )
    ends = pl.Series(end).replace_strict(-1, None, default=pl.Series(end))
    return log, pl.DataFrame({"customer": np.arange(customers), "start": start, "end": ends})


def contract(log, customers, **study):
    """Return the study of such a company; its log begins and ends with the company."""
    raw = {
        "study": {"horizon_days": 200, **study},
        "interactions": {"log_from": 0, "log_until": DAYS},
        "retention": {"observed_until": DAYS},
    }
    return cx.study_from(raw, interactions=log, retention=customers)


def activity(log, gap=40):
    """Return the study of its contacts alone."""
    return cx.study_from({"retention": {"kind": "activity", "gap_days": gap}}, interactions=log)


def told(columns, customers=None, **raw):
    """Return a study of a few contacts that nobody has left after; rows of the log as columns."""
    log = pl.DataFrame(columns)
    ids = log["customer"].unique().sort()
    who = (
        customers
        if customers is not None
        else pl.DataFrame({"customer": ids}).with_columns(start=0, end=None)
    )
    window = {"log_from": 0, "log_until": DAYS}
    raw = {"retention": {}, **raw, "interactions": {**window, **raw.get("interactions", {})}}
    return cx.study_from(raw, interactions=log, retention=who)
