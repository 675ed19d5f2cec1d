"""Which customer each contact belongs to, and why some contacts are not counted."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import ContactLog, Engine, Frame
from cxresearch.records import contact_attributes
from cxresearch.records.contacts import GRADES
from cxresearch.records.contracts import CUSTOMER_REASONS, LOG_REASONS, Raw, first_reason
from cxresearch.records.follow_up import Window

_AFTER_END = [name for name, _ in LOG_REASONS].index("after the customer's end")
MOST_ROWS = 2**31 - 1  # of a log whose contacts keep their row numbers
_LONG_AGO = -(10**7)  # a day earlier than any: the start of a customer whose start cannot be read


def whose_contacts(rows: Frame, customers: Frame) -> Frame:
    """Every id of the retention table with its first start, and the code and exit of those that are followed."""
    followed = customers.select("id", "start", "customer", "exit", nw.col("event").cast(nw.Int32))
    rejected = rows.filter(~nw.col("id").is_null() & ~nw.col("reason").is_null())
    others = rejected.group_by("id").agg(other=nw.col("start").min())
    x = followed.lazy().join(others.lazy(), on="id", how="left")
    x = x.with_columns(start=nw.min_horizontal("start", nw.coalesce("other", "start"))).drop(
        "other"
    )
    alone = others.lazy().join(followed.lazy().select("id"), on="id", how="anti")
    nothing = nw.lit(None).cast(nw.Int32)
    start = nw.coalesce("other", nw.lit(_LONG_AGO)).cast(nw.Int32)
    return nw.concat(
        [x, alone.select("id", start=start, customer=nothing, exit=nothing, event=nothing)],
        how="vertical",
    )


def match_contacts(log: Frame, whose: Frame, window: Window) -> Frame:
    """Join each contact to its customer, and complete the reasons that need one."""
    x = log.lazy().join(
        whose.lazy(), on="id", how="left"
    )  # lazily, so that ids are not carried along
    tests = [
        ("unknown customer", nw.col("start").is_null()),
        ("before the customer's start", nw.col("day") < nw.col("start")),
        ("customer set aside", nw.col("customer").is_null()),
        ("after the customer's end", nw.col("day") > nw.col("exit")),
        (
            "outside the log's window",
            (nw.col("day") < window.first) | (nw.col("day") > window.last),
        ),
    ]
    reason = nw.coalesce("reason", first_reason(tests, LOG_REASONS))
    left = nw.col("event") > 0
    leaving = (nw.col("day") == nw.col("exit")) & left
    near = nw.coalesce((nw.col("exit") - nw.col("day") <= 1) & left, nw.lit(False))
    return x.with_columns(leaving=leaving.cast(nw.Int32), near=near.cast(nw.Int32), reason=reason)


def mark_partly_seen(first: Frame, rows: Frame) -> Frame:
    """The first row of each relation; a customer is left-truncated where a part of any of its relations is unseen."""
    never = [name for name, _ in CUSTOMER_REASONS].index("never under observation")
    is_relation = nw.col("reason").is_null() | (nw.col("reason") == never)
    is_unseen = (nw.col("left_truncated") == 1) | ~nw.col("reason").is_null()
    seen = rows.filter(is_relation).with_columns(
        cx_unseen=nw.when(is_unseen).then(nw.lit(1)).otherwise(nw.lit(0))
    )
    seen = seen.group_by("id").agg(cx_unseen=nw.col("cx_unseen").max())
    x = first.join(seen, on="id", how="left")
    return x.with_columns(left_truncated=nw.col("cx_unseen").cast(nw.Int32)).drop("cx_unseen")


def keep_within_spells(matched: Frame, spells: Frame, engine: Engine) -> Frame:
    """Contacts joined to customers with several relations: those between two have a reason.

    ``leaving`` and ``near`` are of the relation that a contact falls into.
    """
    fine = matched.filter(nw.col("reason").is_null()).select("cx_row", "customer", "day")
    own = spells.select("customer", "start", cx_exit=nw.col("exit"), cx_event=nw.col("event"))
    x = fine.lazy().join(own.lazy(), on="customer")
    x = x.filter((nw.col("day") >= nw.col("start")) & (nw.col("day") <= nw.col("cx_exit")))
    left, rest = nw.col("cx_event") > 0, nw.col("cx_exit") - nw.col("day")
    flags = {
        name: nw.when(left & (rest <= days)).then(nw.lit(1)).otherwise(nw.lit(0))
        for name, days in (("cx_leaving", 0), ("cx_near", 1))
    }
    x = x.with_columns(**flags).group_by("cx_row").agg(nw.col("cx_leaving", "cx_near").max())
    inside = engine.keep(x)
    x = matched.lazy().join(inside.lazy(), on="cx_row", how="left")
    between = nw.when(nw.col("cx_leaving").is_null()).then(nw.lit(_AFTER_END)).cast(nw.Int32)
    return engine.keep(
        x.with_columns(
            reason=nw.coalesce("reason", between),
            leaving=nw.coalesce("cx_leaving", nw.lit(0)).cast(nw.Int32),
            near=nw.coalesce("cx_near", nw.lit(0)).cast(nw.Int32),
        ).drop("cx_leaving", "cx_near")
    )


def split_rejected(
    engine: Engine,
    log: Frame,
    customers: Frame,
    window: Window,
    raw: Raw,
    *,
    has_own_rows: bool = False,
    keeps_rows: bool = False,
) -> tuple[Frame, ContactLog, pl.DataFrame]:
    """Rows with a reason, the contacts that have none in the order of customers and time, and what they are called.

    With `keeps_rows`, contacts say in ``row`` which row of the log they are.
    """
    last = engine.collect(customers.select(nw.col("customer").max())).item()
    bounds = {
        "customer": (0, int(last or 0)),
        "day": (window.first, window.last),
        "second": (0, 86_400),  # one more than there are: some clocks know a leap second
        "grade": (0, len(GRADES) - 1),
        "both": (0, 1),
        "leaving": (0, 1),
        **({"active": (0, 1)} if raw.has_active or has_own_rows else {}),
        **({"ordered": (0, 1)} if has_own_rows else {}),
        **contact_attributes.bounds(raw.attributes, raw.names),
        **({"row": (0, MOST_ROWS)} if keeps_rows else {}),
    }
    labels = [*raw.labels, "near"] if raw.labels else []
    rows = log.with_columns(both=nw.col("both").cast(nw.Int32))
    if keeps_rows:
        rows = rows.with_columns(row=nw.col("cx_row").cast(nw.Int64))
    return engine.split_rejected(
        rows.select("cx_row", "reason", *bounds, *labels), bounds, raw.labels
    )
