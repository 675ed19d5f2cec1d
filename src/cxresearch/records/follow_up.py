"""Who stayed and who left: one follow-up per customer, from contracts or from the contacts alone.

The customers that come out have: customer (code), id, entry, exit, event, start, left_truncated, group, cluster (code),
    and the
fixed covariates. Days are absolute. At risk on day d if entry < d <= exit. The event is a position in `CAUSES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import GROUPS, MANY_CLUSTERS, Engine, Frame, framed
from cxresearch.records.contracts import CUSTOMER_REASONS
from cxresearch.study import Retention

CAUSES = ("censored", "defection", "other exit")
CENSORED, DEFECTION, OTHER = range(3)
_FAR = 10**7  # a day later than any
_REASON = {name: i for i, (name, _) in enumerate(CUSTOMER_REASONS)}
_LATER = _REASON["a later contract, after the first had ended"]


@dataclass(frozen=True, slots=True)
class Window:
    """The window of the log, in days: contacts outside it are not known."""

    first: int
    last: int


def one_per_customer(rows: Frame, settings: Retention, engine: Engine) -> Frame:
    """Put the rows of a customer together; mark those that cannot be.

    Rows that touch are renewals, also where the next one starts on the day after the last one ended; rows that overlap
    are parallel contracts. All of them are one relation: the customer leaves when the last one ends. With a column of
    contracts, rows of one contract that overlap contradict each other, and no row of that customer is kept.
    The first unbroken spell is the follow-up, and contracts after a gap are rejected; where customers who come back are
    at risk again, each unbroken spell is one. Among rows that begin on one day
    the first by segment, covariates, cluster, cause and days of observation, in alphabetical order, counts as the
    first; among those that end last, the last one: the order of the file decides nothing.

    Args:
        rows: the table of `read_customers`.
        settings: the study's retention section.
        engine: where the frames live.

    Returns:
        The rows with their final ``reason``; for kept rows the start and what begins with it are those of the first row
        of the spell, and the end, the cause and how long they are observed those of the row that ends last. The later
        rows of a joined spell have ``joined`` true, and ``overlaps`` where they are no renewals.
    """
    nothing = {
        "joined": nw.lit(False),
        "overlaps": nw.lit(False),
        "cx_at": nw.lit(0).cast(nw.Int32),
    }
    if settings.contract is not None:
        rows = engine.keep(_mark_conflicts(rows, engine))
    fine = engine.keep(rows.filter(nw.col("reason").is_null()))
    rejected = rows.filter(~nw.col("reason").is_null()).with_columns(**nothing)
    if not _several(fine, engine):
        return nw.concat([fine.with_columns(**nothing), rejected], how="vertical")
    along = engine.along("start", "cx_place")
    x = _reach(_placed(fine, settings, engine), engine, by="cx_place")
    x = x.with_columns(
        gap=nw.when(nw.col("start") > nw.col("before") + 1).then(nw.lit(1)).otherwise(nw.lit(0)),
        meets=nw.when(nw.col("start") <= nw.col("before") + 1).then(nw.lit(1)).otherwise(nw.lit(0)),
        over=nw.when(nw.col("start") < nw.col("before")).then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    x = x.with_columns(cx_at=along.sum("gap").cast(nw.Int32))
    if not settings.has_spells:
        late = nw.when(nw.col("cx_at") > 0)
        x = x.with_columns(
            reason=late.then(nw.lit(_LATER)).cast(nw.Int32), cx_at=nw.lit(0).cast(nw.Int32)
        )
    x = engine.keep(x)
    one = ("customer", "cx_at")
    stands = x.filter(nw.col("reason").is_null())
    spell_ends = stands.group_by(*one).agg(spell_end=nw.col("until").max())
    last_rows = stands.join(spell_ends, on=[*one]).filter(nw.col("until") == nw.col("spell_end"))
    last = last_rows.group_by(*one).agg(last_place=nw.col("cx_place").max())
    ending = stands.join(last, on=[*one]).filter(nw.col("cx_place") == nw.col("last_place"))
    ending = ending.select(*one, spell_cause=nw.col("cause"), spell_until=nw.col("observed_until"))
    begins = nw.col("before").is_null() | (nw.col("gap") == 1)
    beginning = stands.filter(begins).select(
        *one, spell_start=nw.col("start"), spell_from=nw.col("observed_from")
    )
    x = x.join(spell_ends, on=[*one], how="left").join(ending, on=[*one], how="left")
    x = x.join(beginning, on=[*one], how="left")
    is_kept = nw.col("reason").is_null()
    x = x.with_columns(
        joined=is_kept & (nw.col("meets") == 1),
        overlaps=is_kept & (nw.col("over") == 1),
        end=nw.when(nw.col("spell_end") < _FAR).then(nw.col("spell_end")).cast(nw.Int32),
        cause=nw.col("spell_cause"),
        start=nw.col("spell_start"),
        observed_from=nw.col("spell_from"),
        observed_until=nw.col("spell_until"),
    )
    return nw.concat([x.select(rejected.collect_schema().names()), rejected], how="vertical")


def _several(rows: Frame, engine: Engine) -> bool:
    """Whether a customer has more than one row."""
    total = engine.collect(rows.select(rows=nw.len(), customers=nw.col("id").n_unique()))
    return bool(total["rows"].item() != total["customers"].item())


def _placed(rows: Frame, settings: Retention, engine: Engine) -> Frame:
    """Add ``cx_place``: the order of rows that begin, or end, on one day: that of their labels, a missing one first."""
    there = rows.collect_schema().names()
    labels = ("segment", *settings.described, "cluster", "cause", "observed_from", "observed_until")
    text = [nw.coalesce(nw.col(c).cast(nw.String), nw.lit("")) for c in labels if c in there]
    labelled = rows.with_columns(cx_labels=nw.concat_str(text, separator="\x1f"))
    return engine.keep(engine.number(labelled, "cx_labels", "cx_place").drop("cx_labels"))


def _reach(rows: Frame, engine: Engine, whose: str = "id", by: str = "cx_row") -> Frame:
    """The rows by start, with ``until`` (their end) and ``before`` (how far earlier rows of the same `whose` reach)."""
    along = engine.along("start", by)
    end = nw.max_horizontal("start", nw.coalesce("end", nw.lit(_FAR)))
    x = along.prepare(rows.with_columns(customer=nw.col(whose), until=end, backward=-end))
    x = x.with_columns(reach=-along.min("backward"))
    return x.with_columns(before=along.shift("reach", 1))


def _mark_conflicts(rows: Frame, engine: Engine) -> Frame:
    """Rows of one contract that overlap contradict each other; then no row of that customer is kept."""
    stands = nw.col("reason").is_null()
    candidates = rows.filter(stands & ~nw.col("contract").is_null())
    if not _several(candidates, engine):
        return rows
    apart = nw.concat_str([nw.col("id"), nw.lit("\x1f"), nw.col("contract")])
    x = _reach(candidates.with_columns(cx_contract=apart), engine, "cx_contract")
    clash = (
        x.filter(nw.col("start") < nw.col("before"))
        .select("id")
        .unique()
        .with_columns(clash=nw.lit(1))
    )
    x = rows.join(clash, on="id", how="left")
    hit = ~nw.col("clash").is_null() & stands
    conflict = nw.lit(_REASON["conflicting rows of one contract"])
    reason = nw.when(hit).then(conflict).otherwise(nw.col("reason")).cast(nw.Int32)
    return x.with_columns(reason=reason).select(rows.collect_schema().names())


def contract_follow_up(rows: Frame, settings: Retention, window: Window) -> Frame:
    """Entry, exit and event of each row; rows never under observation get that reason.

    Args:
        rows: the table of `one_per_customer`.
        settings: the study's retention section; its causes of defection decide the event.
        window: that of the log.
    """
    observed_until = nw.coalesce("observed_until", nw.lit(window.last))
    end = nw.coalesce("end", nw.lit(_FAR))
    x = rows.with_columns(
        entry=nw.max_horizontal(
            "start", nw.coalesce("observed_from", "start"), nw.lit(window.first)
        ).cast(nw.Int32),
        exit=nw.min_horizontal(end, observed_until, nw.lit(window.last)).cast(nw.Int32),
    )
    defected = (
        nw.col("cause").is_in(list(settings.defection)) if settings.defection else nw.lit(True)
    )
    event = nw.when(defected).then(nw.lit(DEFECTION)).otherwise(nw.lit(OTHER))
    never = nw.lit(_REASON["never under observation"])
    return x.with_columns(
        event=nw.when(nw.col("exit") == end).then(event).otherwise(nw.lit(CENSORED)).cast(nw.Int32),
        left_truncated=nw.when(nw.col("entry") > nw.col("start"))
        .then(nw.lit(1))
        .otherwise(nw.lit(0))
        .cast(nw.Int32),
        reason=nw.coalesce("reason", nw.when(nw.col("entry") >= nw.col("exit")).then(never)).cast(
            nw.Int32
        ),
    )


def spells(
    moments: Frame, gap_days: int, window: Window, engine: Engine, known_from: int | None = None
) -> Frame:
    """Follow-up from contacts alone: stretches without a gap, a row each.

    A customer has lapsed when nothing follows a contact within `gap_days`. Only contacts at or before the end of the
    data minus the gap are labelled. The lapse is dated contact + gap (a stopping time). Whoever comes back after it
    begins another spell.

    Args:
        moments: id, day, second, grade, cx_row; those that keep a customer active.
        gap_days: days.
        window: that of the log; its last day is the end of the data.
        engine: where the frames live.
        known_from: customers first seen before this day may have been there before the log; all are taken to be new
            when not given.

    Returns:
        One row per customer and spell: id, cx_at (number of the spell, from 0), start, entry, exit, event,
            left_truncated (of the customer), cx_contacts (labelled ones of the spell), cx_before (contacts of earlier
            spells), returned (1 if a contact follows the lapse).
    """
    along = engine.along("day", "cx_row")
    x = along.prepare(moments.select("day", "cx_row", "id", customer=nw.col("id")))
    x = x.with_columns(following=nw.coalesce(along.shift("day", -1), nw.lit(_FAR)))
    is_labelled = nw.col("day") <= window.last - gap_days
    lapses = is_labelled & (nw.col("following") > nw.col("day") + gap_days)
    x = x.with_columns(
        one=nw.lit(1),
        labelled=nw.when(is_labelled).then(nw.lit(1)).otherwise(nw.lit(0)),
        lapsed=nw.when(lapses).then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    x = x.with_columns(nth=along.sum("one"), ended=along.sum("lapsed"))
    x = x.with_columns(cx_at=(nw.col("ended") - nw.col("lapsed")).cast(nw.Int32))
    per = x.group_by("id", "cx_at").agg(
        nw.col("lapsed").max(),
        start=nw.col("day").min(),
        last=nw.col("day").max(),
        cx_contacts=nw.col("labelled").sum().cast(nw.Int32),
        cx_before=(nw.col("nth").min() - 1).cast(nw.Int32),
    )
    per = engine.keep(per)
    whole = per.group_by("id").agg(first=nw.col("start").min(), spells=nw.col("cx_at").max())
    has_lapsed = nw.col("lapsed") == 1
    exit_ = nw.when(has_lapsed).then(nw.col("last") + gap_days).otherwise(nw.lit(window.last))
    is_unseen = nw.col("first") < (window.first if known_from is None else known_from)
    return per.join(whole, on="id").select(
        "id",
        "cx_at",
        nw.col("start").cast(nw.Int32),
        "cx_contacts",
        "cx_before",
        entry=nw.col("start").cast(nw.Int32),
        exit=exit_.cast(nw.Int32),
        event=nw.when(has_lapsed)
        .then(nw.lit(DEFECTION))
        .otherwise(nw.lit(CENSORED))
        .cast(nw.Int32),
        left_truncated=nw.when(is_unseen).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Int32),
        returned=nw.when(nw.col("spells") > nw.col("cx_at")).then(nw.lit(1)).otherwise(nw.lit(0)),
        cluster=nw.col("id"),
    )


def whole_relations(relations: Frame, engine: Engine) -> Frame:
    """One row per customer from one per spell: the first one, ended as the last one.

    Args:
        relations: id, cx_at, entry, exit, event, and what else is known of a spell; spells of a customer do not
            overlap.
        engine: where the frame lives.
    """
    ends = relations.group_by("id").agg(
        cx_first=nw.col("cx_at").min(), cx_last=nw.col("cx_at").max()
    )
    x = engine.keep(relations.join(ends, on="id"))
    last = x.filter(nw.col("cx_at") == nw.col("cx_last"))
    last = last.select("id", cx_exit=nw.col("exit"), cx_event=nw.col("event"))
    first = x.filter(nw.col("cx_at") == nw.col("cx_first")).join(last, on="id")
    return first.with_columns(exit=nw.col("cx_exit"), event=nw.col("cx_event")).select(
        relations.collect_schema().names()
    )


def coded_spells(relations: Frame, customers: Frame, fixed: Sequence[str], engine: Engine) -> Frame:
    """The spells of coded customers, with a code each, in the order of customers and time.

    Args:
        relations: id, cx_at, start, entry, exit, event, cx_contacts and cx_before where they are known, and those of
            `fixed` that may differ between the spells of a customer.
        customers: of `coded`.
        fixed: names of fixed covariates.
        engine: where the frames live.

    Returns:
        The rows with the code, group, cluster and covariates of their customer; cx_spell is their own code, and cx_at
        counts the spells under observation from 0 on.
    """
    own = relations.collect_schema().names()
    shared = [c for c in fixed if c not in own]
    whose = customers.select("id", "customer", "group", "cluster", "left_truncated", *shared)
    kept = ("id", "cx_at", "start", "entry", "exit", "event")
    more = [c for c in ("cx_contacts", "cx_before", *fixed) if c in own]
    x = relations.lazy().select(*kept, *more).join(whose.lazy(), on="id").drop("id")
    along = engine.along("cx_at")
    x = along.prepare(engine.keep(x).with_columns(cx_one=nw.lit(1)))
    x = engine.keep(x.with_columns(cx_at=along.sum("cx_one") - 1).drop("cx_one"))
    place = [
        (nw.col("customer").cast(nw.Int64) + 10**10).cast(nw.String),
        (nw.col("cx_at").cast(nw.Int64) + 10**6).cast(nw.String),
    ]
    x = engine.number(x.with_columns(cx_place=nw.concat_str(place)), "cx_place", "cx_spell")
    return engine.keep(x.drop("cx_place").with_columns(nw.col("cx_spell").cast(nw.Int32)))


def coded(customers: Frame, engine: Engine, *columns: str) -> Frame:
    """Customers with a code each, in the order of their groups and ids, and the code and group of their cluster."""
    place = nw.concat_str(
        [(nw.col("group") + GROUPS).cast(nw.String), nw.col("id")]
    )  # as many digits for each group
    small = (nw.col("event", "left_truncated").cast(nw.Int8), nw.col("group").cast(nw.Int16))
    x = engine.group(customers, "cluster")
    x = x.select(*small, "id", "start", "entry", "exit", "cluster", *columns, cx_place=place)
    x = engine.keep(engine.number(x, "cx_place", "customer").drop("cx_place"))
    x = x.with_columns(nw.col("customer").cast(nw.Int32))
    shared = (nw.col("cluster") != nw.col("id")).cast(nw.Int32).max()
    if not engine.collect(x.select(shared=shared))["shared"].item():
        return x.with_columns(cluster=nw.col("customer"))
    apart = nw.concat_str(
        [(nw.col("group").cast(nw.Int64) + GROUPS).cast(nw.String), nw.col("cluster")]
    )
    clusters = engine.number(
        x.select("group", "cluster").unique().select("cluster", cx_place=apart),
        "cx_place",
        "cx_code",
    )
    clusters = clusters.select("cluster", nw.col("cx_code").cast(nw.Int32))
    return (
        x.lazy().join(clusters.lazy(), on="cluster").drop("cluster").rename({"cx_code": "cluster"})
    )


def few_clusters(engine: Engine, customers: Frame) -> bool:
    """Whether there are few enough clusters to keep them apart in a table."""
    last = engine.collect(customers.select(nw.col("cluster").max())).item()
    return int(last or 0) < MANY_CLUSTERS


def leveled(
    customers: Frame, fixed: Sequence[str], engine: Engine
) -> tuple[Frame, dict[str, tuple[str, ...]]]:
    """Customers with their fixed covariates as positions among the sorted values; no value is ``unknown``."""
    levels = {}
    for name in fixed:
        customers = customers.with_columns(nw.col(name).fill_null("unknown"))
        result = engine.collect(customers.select(name).unique())[name].sort()
        levels[name] = tuple(result.to_list())
        codes = framed(
            engine.frame(
                pl.DataFrame(
                    {name: result, "cx_code": range(len(result))},
                    {name: pl.String, "cx_code": pl.Int32},
                )
            )
        )
        customers = customers.lazy().join(codes, on=name).drop(name).rename({"cx_code": name})
    return engine.keep(customers), levels
