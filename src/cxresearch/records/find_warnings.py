"""What makes the numbers of a study doubtful, found in what the audit has counted; see `cxresearch.records.warnings`.

The log itself is not gone through again: what is asked of it beforehand is in `cxresearch.records.survey`, and the rest
is asked of the customers and of the contacts that are kept, which are at hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.engines import ContactLog, Engine, Frame
from cxresearch.records.audit import Fact, Finding, Tallied
from cxresearch.records.audit_values import Count, CountOfTotal, Day
from cxresearch.records.contact_attributes import EXPECTATIONS
from cxresearch.records.contacts import LABEL
from cxresearch.records.contracts import CUSTOMER_REASONS, Raw
from cxresearch.records.dated_events import KINDS
from cxresearch.records.dense_window import SPAN, SeenWindow, dense_window
from cxresearch.records.follow_up import DEFECTION, Window
from cxresearch.records.lapses import SOON, Lapse
from cxresearch.records.survey import Survey
from cxresearch.records.warnings import DataWarning, Days, Points, Times, WarningValue
from cxresearch.study import Study
from cxresearch.study.words import fold, missing_words

ENOUGH = 100  # contacts or customers below which none of the shares here means much
CASES = 20  # of an event, below which it is not compared with anything
LOST = 0.05  # of the rows
OUTCOME = 0.01  # of the customers, where only those who left can be lost
ONE = 0.05  # of the contacts, of a single customer
MANY = 20.0  # times as many contacts as customers have on average
TAIL = 1 / 3  # of a typical span
MANY_CAME_BACK = 0.2  # of those who lapsed
JUMP = 2.0  # times as often
BEFORE = 182  # days that the last ones are compared with
COINCIDE = 0.8  # of some events
FORETELL = 0.99  # of the customers
_UNOBSERVED = [name for name, _ in CUSTOMER_REASONS].index("never under observation")
# where to look for the cause of an error; of others the reason names it
_KEYS = {
    "no customer": "{table}.customer",
    "unknown customer": "interactions.customer",
    "no time": "{table}.at",
    "time not readable": "{table}.{fmt}",
    "exact duplicate": "{table}.at",
    "score off the scale": "interactions.scale",
    "before the customer's start": "retention.start",
    "after the customer's end": "retention.end",
    "no start": "retention.start",
    "start not readable": "retention.date_format",
    "observation not readable": "retention.observed_until",
    "conflicting rows of one contract": "retention.contract",
    "end before start": "retention.end",
}
_FORMATS = {"interactions": "at_format", "retention": "date_format"}
_EVENT_COLUMNS = {
    "problem": "interactions.problem_at",
    "resolved": "interactions.resolved_at",
    "goodwill": "interactions.goodwill_at",
    "complaint": "interactions.complained_at",
    "post": "interactions.posted_at",
}


def log_warnings(
    study: Study, raw: Raw, seen: Survey, days: SeenWindow, window: Window
) -> tuple[DataWarning, ...]:
    """What one pass over the log shows: stray dates, a thin end, rules and names that match nothing, unknown words."""
    return (
        *_stray(study, days, seen, raw.dated),
        *_thin_tail(seen, window),
        *_rules(study, seen),
        *(
            DataWarning(
                code="column_of_words" if w.column in EXPECTATIONS else "unknown_words",
                values=(("rows", CountOfTotal(w.rows, seen.rows)), ("column", w.column)),
                key="interactions.null_values",
                examples=w.words,
            )
            for w in seen.unknown
        ),
        *_channels(seen, window, raw.dated),
        *(
            DataWarning(
                code="column_left_out",
                values=(("column", name), ("held", held), ("wanted", wanted)),
                key=f"interactions.{name}",
            )
            for name, held, wanted in raw.left_out
        ),
    )


def lapse_warnings(lapse: Lapse, came_back: CountOfTotal) -> tuple[DataWarning, ...]:
    """Whether many of the lapsed come back, so that a lapse is hardly an end; and whether bad contacts bring others."""
    result = []
    if came_back.share > MANY_CAME_BACK:
        result.append(
            DataWarning(
                code="lapsed_came_back",
                values=(("lapsed", came_back), ("days", Days(lapse.days))),
                key="retention.gap_days",
            )
        )
    if lapse.follow_ups is not None and lapse.brings_contacts:
        points = Points(round(100 * lapse.follow_ups.difference))
        result.append(
            DataWarning(
                code="bad_brings_contacts",
                values=(("points", points), ("days", Days(SOON))),
                key="retention.active",
            )
        )
    return tuple(result)


def _stray(study: Study, days: SeenWindow, seen: Survey, dated: bool) -> Iterable[DataWarning]:
    settings, kept = study.interactions, study.retention
    total = sum(n for _, n in seen.days)
    until_given = settings.log_until is not None or (
        kept.kind == "activity" and kept.observed_until is not None
    )
    if days.after and not until_given:
        values = (("last", Day(days.last, dated)), ("seen", Day(days.seen_last, dated)))
        yield DataWarning(
            code="stray_last_dates",
            values=(("rows", CountOfTotal(days.after, total)), *values),
            key="interactions.log_until",
        )
    if days.before and settings.log_from is None:
        values = (("first", Day(days.first, dated)), ("seen", Day(days.seen_first, dated)))
        yield DataWarning(
            code="stray_first_dates",
            values=(("rows", CountOfTotal(days.before, total)), *values),
            key="interactions.log_from",
        )


def _thin_tail(seen: Survey, window: Window) -> Iterable[DataWarning]:
    within = [(d, n) for d, n in seen.days if window.first <= d <= window.last]
    if sum(n for _, n in within) < ENOUGH or window.last - window.first < 4 * SPAN:
        return
    day, rows = (np.array(column, np.int64) for column in zip(*within, strict=True))
    spans = (window.last - day) // SPAN
    counts = np.bincount(spans, rows)
    typical = float(np.median(counts[1:]))
    if typical >= CASES and counts[0] < TAIL * typical:
        values = (("days", Days(SPAN)), ("typical", Count(int(typical))))
        yield DataWarning(
            code="thin_tail",
            values=(("rows", Count(int(counts[0]))), *values),
            key="interactions.log_until",
        )


def _rules(study: Study, seen: Survey) -> Iterable[DataWarning]:
    for name in study.interactions.unattended:
        if fold(name) not in seen.names:
            yield DataWarning(
                code="name_matches_nothing",
                values=(("name", repr(name)),),
                key="interactions.unattended",
            )
    for name, hits in seen.hits.items():
        if fold(getattr(study.moments, name)) == "false":
            continue  # the study declares it itself
        if hits in (0, seen.rows):
            code = "rule_matches_everything" if hits else "rule_matches_nothing"
            if hits or seen.rows >= ENOUGH:
                yield DataWarning(
                    code=code,
                    values=(("rule", name), ("rows", Count(seen.rows))),
                    key=f"moments.{name}",
                )


def _channels(seen: Survey, window: Window, dated: bool) -> Iterable[DataWarning]:
    total = sum(n for _, n, _ in seen.channels)
    for name, rows, last in seen.channels:
        silent = window.last - last
        # a channel of so many contacts is hardly silent for so long by chance
        expected = rows * silent / max(last - window.first + 1, 1)
        if rows >= ENOUGH and rows >= LOST * total and silent >= SPAN and expected >= CASES:
            yield DataWarning(
                code="channels_end_apart",
                values=(
                    ("rows", CountOfTotal(rows, total)),
                    ("last", Day(last, dated)),
                    ("days", Days(silent)),
                ),
                key="interactions.log_until",
                examples=(name,),
            )


def rejection_warnings(
    findings: Sequence[Finding], read: Mapping[str, int]
) -> tuple[DataWarning, ...]:
    """Rows in error that are many.

    Args:
        findings: of both tables.
        read: rows of each table.
    """
    result = []
    for table, rows in read.items():
        faults = [f for f in findings if f.table == table and f.fault]
        lost = sum(f.rows for f in faults)
        if rows >= ENOUGH and lost > LOST * rows:
            most = max(faults, key=lambda f: f.rows)
            values: tuple[tuple[str, WarningValue], ...]
            values = (("rows", CountOfTotal(lost, rows)), ("table", table), ("reason", most.reason))
            key = _KEYS.get(most.reason, table).format(table=table, fmt=_FORMATS.get(table, ""))
            result.append(DataWarning(code="rows_lost", values=values, key=key))
        for f in faults:
            if f.reason == "end before start" and rows >= ENOUGH and f.rows > OUTCOME * rows:
                result.append(
                    DataWarning(
                        code="leavers_lost",
                        values=(("rows", CountOfTotal(f.rows, rows)),),
                        key="retention.date_format",
                    )
                )
    return tuple(result)


def cause_warnings(causes: Sequence[Fact]) -> tuple[DataWarning, ...]:
    """Causes of defection that nobody left for.

    Args:
        causes: of `cxresearch.records.audit.cause_facts`.
    """
    return tuple(
        DataWarning(
            code="cause_matches_nothing",
            values=(("name", fact.name.removeprefix("customers who left for ")),),
            key="retention.defection",
        )
        for fact in causes
    )


def contact_warnings(
    engine: Engine,
    contacts: ContactLog,
    customers: Frame,
    tally: Tallied,
    seen: Survey,
    findings: Sequence[Finding],
) -> tuple[DataWarning, ...]:
    """What the contacts that are kept show: a single customer with many, days without a time, moments of leaving."""
    result = []
    code, most = contacts.busiest()
    if (
        tally.contacts >= ENOUGH
        and most >= ONE * tally.contacts
        and most >= MANY * tally.contacts / max(tally.customers, 1)
    ):
        ids = engine.collect(customers.filter(nw.col("customer") == code).select("id"))
        result.append(
            DataWarning(
                code="one_customer",
                values=(("rows", CountOfTotal(most, tally.contacts)),),
                key="interactions.null_values",
                examples=tuple(ids["id"].to_list()),
            )
        )
    repeats = sum(f.rows for f in findings if f.reason == "exact duplicate")
    if (
        seen.rows >= ENOUGH
        and repeats > OUTCOME * seen.rows
        and seen.at_midnight == sum(n for _, n in seen.days)
    ):
        result.append(
            DataWarning(
                code="day_precision",
                values=(("rows", CountOfTotal(repeats, seen.rows)),),
                key="interactions.at",
            )
        )
    bad = tally.grades[0]
    if bad >= CASES and tally.bad_leaving >= COINCIDE * bad:
        result.append(
            DataWarning(
                code="foretells_exit",
                values=(
                    ("rows", CountOfTotal(tally.bad_leaving, bad)),
                    ("what", "the bad moments"),
                ),
                key="moments.exclude",
            )
        )
    return tuple(result)


def event_warnings(
    engine: Engine, happened: Frame, customers: Frame, dates: Sequence[str]
) -> tuple[DataWarning, ...]:
    """Dated events that coincide with leaving, such as a complaint that is the notice itself."""
    if not dates:
        return ()
    who = customers.select(
        nw.col("customer").cast(nw.Int64), nw.col("exit").cast(nw.Int64), nw.col("event")
    )
    x = happened.with_columns(nw.col("customer").cast(nw.Int64)).join(who, on="customer")
    near = (
        (nw.col("event") > 0)
        & (nw.col("day") - nw.col("exit") <= 1)
        & (nw.col("exit") - nw.col("day") <= 1)
    )
    x = x.with_columns(near=near.cast(nw.Int64))
    counted = engine.collect(x.group_by("kind").agg(rows=nw.len(), near=nw.col("near").sum()))
    result = []
    for kind, rows, close in counted.select("kind", "rows", "near").sort("kind").iter_rows():
        if rows >= CASES and close >= COINCIDE * rows:
            name = KINDS[int(kind)]
            result.append(
                DataWarning(
                    code="foretells_exit",
                    values=(
                        ("rows", CountOfTotal(int(close), int(rows))),
                        ("what", _PLURALS[name]),
                    ),
                    key=_EVENT_COLUMNS[name],
                )
            )
    return tuple(result)


def label_warnings(study: Study, label_counts: pl.DataFrame) -> tuple[DataWarning, ...]:
    """Touchpoints, channels and the like that coincide with leaving, such as the call in which notice is given.

    Args:
        study: its words for missing values.
        label_counts: label, value, rows, near, of the contacts that are kept; see `cxresearch.records.contacts.LABEL`.
    """
    nothing = missing_words(study.interactions.null_values, is_label=True)
    close = label_counts.filter(
        (pl.col("rows") >= CASES) & (pl.col("near") >= COINCIDE * pl.col("rows"))
    )
    result = []
    seen = set()
    for label in (f"{LABEL}{name}" for name in _LABEL_NAMES):
        of_label = close.filter(pl.col("label") == label)
        of_label = of_label.filter([fold(v) not in nothing for v in of_label["value"]])
        if of_label.is_empty():
            continue
        one, several = _LABEL_NAMES[label.removeprefix(LABEL)]
        what = one if of_label.height == 1 else several.format(of_label.height)
        near, rows = (int(of_label[c].sum()) for c in ("near", "rows"))
        if (near, rows) in seen:
            continue  # most likely the same contacts under another name
        seen.add((near, rows))
        is_name = label != f"{LABEL}handoff"
        result.append(
            DataWarning(
                code="foretells_exit",
                values=(("rows", CountOfTotal(near, rows)), ("what", what)),
                key="moments.exclude",
                examples=tuple(of_label["value"].head(3)) if is_name else (),
            )
        )
    return tuple(result)


_LABEL_NAMES = {
    name: (f"the contacts of one {name}", f"the contacts of {{}} {name}s")
    for name in ("touchpoint", "channel", "owner", "agent")
}
_LABEL_NAMES["handoff"] = ("the hand-offs", "the hand-offs")
_PLURALS = {
    "problem": "the problems",
    "resolved": "the resolutions",
    "goodwill": "the gestures",
    "complaint": "the complaints",
    "post": "the posts",
}


def customer_warnings(
    study: Study, engine: Engine, customers: Frame, window: Window, fixed: Sequence[str]
) -> tuple[DataWarning, ...]:
    """What the customers show: many exits at the end of the data, and columns that tell who left."""
    entries = _histogram(engine, customers, "entry")
    exits = _histogram(engine, customers, "exit")
    lost = _histogram(engine, customers.filter(nw.col("event") == DEFECTION), "exit")
    result = [*_jump(study, entries, exits, lost, window)]
    n, left = int(exits[1].sum()), int(lost[1].sum())
    for name in fixed:
        by = customers.with_columns(gone=(nw.col("event") == DEFECTION).cast(nw.Int64))
        groups = engine.collect(by.group_by(name).agg(rows=nw.len(), gone=nw.col("gone").sum()))
        right = int(
            groups.select(pl.max_horizontal("gone", pl.col("rows") - pl.col("gone"))).sum().item()
        )
        guess = max(left, n - left)
        if (
            n >= ENOUGH
            and min(left, n - left) >= CASES
            and groups.height <= n / CASES
            and right >= FORETELL * n > guess
        ):
            key = "segment" if name == "segment" else "covariates"
            if name in study.described_by.marketing:
                key = "marketing"
            result.append(
                DataWarning(
                    code="tells_who_left",
                    values=(("column", name), ("rows", CountOfTotal(right, n))),
                    key=f"retention.{key}",
                )
            )
    return tuple(result)


Histogram = tuple[NDArray[np.int64], NDArray[np.int64]]


def _histogram(engine: Engine, customers: Frame, column: str) -> Histogram:
    """Days, rising, and how many customers each is of."""
    counted = engine.collect(customers.group_by(column).agg(rows=nw.len())).drop_nulls(column)
    counted = counted.sort(column).cast(pl.Int64)
    return counted[column].to_numpy(), counted["rows"].to_numpy()


def _jump(
    study: Study, entries: Histogram, exits: Histogram, lost: Histogram, window: Window
) -> Iterable[DataWarning]:
    last = int(exits[0][-1]) if len(exits[0]) else window.last
    late, before = last - SPAN, max(last - SPAN - BEFORE, window.first)
    if late - before < SPAN or study.retention.kind == "activity":
        return  # a lapse comes a fixed time after a contact, and so does a jump of theirs

    def rate(first: int, until: int) -> tuple[int, float]:
        days = np.arange(first + 1, until + 1)
        there = _upto(entries, days - 1) - _upto(exits, days - 1)
        events = _upto(lost, np.array([until])) - _upto(lost, np.array([first]))
        return int(events[0]), float(there.sum())

    (events, at_risk), (usual, usual_at_risk) = rate(late, last), rate(before, late)
    if not at_risk or not usual_at_risk or events < CASES:
        return
    expected = usual / usual_at_risk * at_risk
    if events > JUMP * expected and events - expected > 4 * math.sqrt(max(expected, 1.0)):
        ratio = Times(events / expected) if expected else Times(float(events))
        yield DataWarning(
            code="exits_jump",
            values=(("days", Days(SPAN)), ("ratio", ratio)),
            key="retention.observed_until",
        )


def _upto(histogram: Histogram, days: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many there are up to each day, the day included."""
    total = np.concatenate([[0], histogram[1].cumsum()])
    return total[np.searchsorted(histogram[0], days, side="right")]


def table_warnings(
    study: Study, engine: Engine, rows: Frame, window: Window, *, dated: bool
) -> tuple[DataWarning, ...]:
    """What the retention table shows next to the log: whether both end on about the same day; parallel contracts.

    Args:
        study: whose tables.
        engine: where they live.
        rows: the retention table with its reasons, with ``joined`` and ``overlaps``.
        window: that of the log.
        dated: whether days are dates.
    """
    result = []
    fine = rows.filter(nw.col("reason").is_null() | (nw.col("reason") == _UNOBSERVED))
    total, parallel = engine.collect(
        fine.select(total=nw.len(), parallel=nw.col("overlaps").cast(nw.Int64).sum())
    ).row(0)
    if parallel and study.retention.contract is None:
        values = (("rows", CountOfTotal(int(parallel), int(total))),)
        result.append(DataWarning(code="parallel_rows", values=values, key="retention.contract"))
    starts, ends = (_histogram(engine, fine, column) for column in ("start", "end"))
    changes: dict[int, int] = {}
    for days, counts in (starts, ends):
        for day, n in zip(days.tolist(), counts.tolist(), strict=True):
            changes[day] = changes.get(day, 0) + n
    if sum(changes.values()) < ENOUGH:
        return tuple(result)
    last = dense_window(sorted(changes.items())).last
    recent = sum(n for day, n in changes.items() if last - BEFORE < day <= last)
    is_short = last < window.last and study.retention.observed_until is None
    # so many days without a change are hardly chance
    expected = recent / BEFORE * abs(window.last - last)
    is_apart = abs(window.last - last) >= SPAN and expected >= CASES
    if is_apart and (is_short or (last > window.last and study.interactions.log_until is None)):
        values_of_days = (
            ("contacts", Day(window.last, dated)),
            ("customers", Day(last, dated)),
        )
        key = "retention.observed_until" if is_short else "interactions.log_until"
        result.append(DataWarning(code="tables_end_apart", values=values_of_days, key=key))
    return tuple(result)
