"""The fingerprint of a study's data, by which one tells whether two results are of the same data.

It is made of counts and of sums over customers and knows no names, so that it does not depend on how customers or texts
are numbered, on the order of rows, on the engine, or on which claims are tried.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import narwhals.stable.v2 as nw

from cxresearch.engines import ContactLog, Engine, Frame
from cxresearch.records.audit import Audit

_PERSON = ("start", "entry", "exit", "event")
_LIVED = ("contacts", "days", "graded")
_PRIME = (
    2**31 - 1
)  # remainders of it, multiplied and added up, stay whole numbers of 64 bits on every engine


def with_fingerprint(audit: Audit, engine: Engine, contacts: ContactLog, customers: Frame) -> Audit:
    """An audit with what tells its data from others, as sixteen hexadecimal digits; a query gives a row of sums.

    Args:
        audit: every row accounted for.
        engine: where the frames live.
        contacts: those that were kept.
        customers: one row per customer.
    """
    parts = [
        engine.collect(_summed(*part())).row(0) for part in contacts.parts(customers)
    ]  # one after the other, as memory may be short
    numbers = [sum(int(v or 0) for v in column) for column in zip(*parts, strict=True)]
    text = repr((sorted(audit.counts()), numbers))
    return replace(audit, fingerprint=sha256(text.encode()).hexdigest()[:16])


def _summed(contacts: Frame, customers: Frame) -> Frame:
    """How many customers there are, and sums over them of what each has: follow-up, contacts, and products of both."""
    day, grade = (nw.col(n).cast(nw.Int64) for n in ("day", "grade"))
    lived = contacts.select("customer", day.alias("day"), (day * (grade + 2)).alias("by"))
    of_each = lived.group_by("customer").agg(
        contacts=nw.len(), days=nw.col("day").sum(), graded=nw.col("by").sum()
    )
    people = customers.select("customer", *(nw.col(n).cast(nw.Int64) for n in _PERSON))
    together = people.join(of_each, on="customer", how="left").with_columns(
        nw.col(n).cast(nw.Int64).fill_null(0) for n in _LIVED
    )
    every = (*_PERSON, *_LIVED)
    together = together.with_columns(_remainder(nw.col(n)).alias(n) for n in every)
    sums = [nw.col(n).sum().alias(n) for n in every]
    sums += [
        ((nw.col(a) * nw.col(b)) % _PRIME).sum().alias(f"{a}_{b}") for a in _PERSON for b in every
    ]
    return together.select(nw.len().alias("customers"), *sums)


def _remainder(number: nw.Expr) -> nw.Expr:
    """The same on engines that differ in what a remainder of a negative number is; 0 where there is none."""
    return ((number.fill_null(0) % _PRIME) + _PRIME) % _PRIME
