"""The table of customers of a study without contracts: segments, clusters and covariates, one row per customer."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals.stable.v2 as nw
import polars as pl

from cxresearch.engines import Engine, Frame
from cxresearch.errors import DataError
from cxresearch.records.audit import Fact, Finding
from cxresearch.records.audit_values import CountOfTotal
from cxresearch.records.contracts import (
    Raw,
    check_labels,
    customer_tests,
    first_reason,
    identity,
    label_text,
    opened,
    resolve,
)
from cxresearch.records.rejections import counted, quarantine_of
from cxresearch.records.sources import clear_read_errors, section_source
from cxresearch.study import Study
from cxresearch.study.words import missing_words

TABLE_REASONS = (
    ("no customer", True),
    ("customer is no whole number", True),
    ("exact duplicate", True),
    ("another row of the same customer", True),
)


def read_customer_table(study: Study, engine: Engine) -> Raw:
    """The table of `[customers]`: cx_row, id, segment, cluster, the covariates, reason.

    Of several rows of a customer the first counts, by cluster, segment and covariates in alphabetical order: the order
    of the file decides nothing.

    Raises:
        DataError: a column is missing or of the wrong type.
    """
    settings = study.customers
    source, schema, ordered = opened(study, engine, "customers")
    wanted = {c: getattr(settings, c) for c in ("segment", "cluster") if getattr(settings, c)}
    described = {c: c for c in settings.described}
    columns = resolve(
        study, "customers", schema, {"customer": settings.customer, **wanted, **described}, ()
    )
    check_labels(schema, {c: columns[c] for c in (*wanted, *described)}, "customers")
    frame = engine.repeats(source, list(schema), [columns["customer"]])
    column, kind = nw.col(columns["customer"]), schema[columns["customer"]]
    frame = frame.with_columns(cx_customer=identity(column, kind, settings.null_values))
    labels = missing_words(settings.null_values, is_label=True)
    tests = [*customer_tests(column, kind), ("exact duplicate", nw.col("cx_repeat"))]
    texts = {
        c: label_text(nw.col(columns[c]), schema[columns[c]], labels)
        for c in (*wanted, *described)
        if c != "cluster"
    }
    if "cluster" in wanted:
        shared = nw.col(columns["cluster"])
        texts["cluster"] = identity(shared, schema[columns["cluster"]], settings.null_values)
    table = engine.keep(
        frame.select(
            "cx_row",
            nw.col("cx_customer").alias("id"),
            **texts,
            reason=first_reason(tests, TABLE_REASONS),
        )
    )
    return Raw(
        source=source,
        table=_first_of_each(table, tuple(texts), engine),
        dated=False,
        ordered=ordered,
    )


def _first_of_each(table: Frame, columns: tuple[str, ...], engine: Engine) -> Frame:
    """The table; rows after the first of a customer have a reason."""
    text = [nw.coalesce(nw.col(c).cast(nw.String), nw.lit("")) for c in columns]
    fine = table.filter(nw.col("reason").is_null())
    labelled = fine.select("cx_row", "id", cx_labels=nw.concat_str(text, separator="\x1f"))
    placed = engine.keep(engine.number(labelled, "cx_labels", "cx_place"))
    first = placed.group_by("id").agg(cx_first=nw.col("cx_place").min())
    later = placed.join(first, on="id").filter(nw.col("cx_place") > nw.col("cx_first"))
    x = table.lazy().join(
        later.select("cx_row", cx_later=nw.lit(1)).lazy(), on="cx_row", how="left"
    )
    code = [name for name, _ in TABLE_REASONS].index("another row of the same customer")
    again = nw.when(~nw.col("cx_later").is_null()).then(nw.lit(code)).cast(nw.Int32)
    return engine.keep(x.with_columns(reason=nw.coalesce("reason", again)).drop("cx_later"))


def count_customer_table(engine: Engine, raw: Raw) -> tuple[tuple[Finding, ...], int, int]:
    """Findings of the table, rows read and rows kept.

    Raises:
        DataError: it has no rows, or none can be kept.
    """
    findings, read, kept = counted(engine, "customers", raw.table, TABLE_REASONS, raw.ordered)
    if not kept:
        why = max(findings, key=lambda f: f.rows).reason if findings else ""
        raise DataError(
            "customers: the table has no rows"
            if not read
            else f"customers: none of {read:,} rows can be kept, most fell to {why!r}"
        )
    return findings, read, kept


def describe(everyone: Frame, raw: Raw, engine: Engine) -> Frame:
    """Customers with what the table tells of them; their cluster is that of the table, where it names one.

    Args:
        everyone: id, cluster and follow-up.
        raw: from `read_customer_table`.
        engine: where the frames live.

    Raises:
        DataError: the two tables have no customers in common.
    """
    table = raw.table.filter(nw.col("reason").is_null()).drop("cx_row", "reason")
    named = [c for c in table.collect_schema().names() if c not in ("id", "cluster")]
    has_cluster = "cluster" in table.collect_schema().names()
    table = table.rename({"cluster": "cx_cluster"}) if has_cluster else table
    x = everyone.lazy().join(table.with_columns(cx_known=nw.lit(1)).lazy(), on="id", how="left")
    if has_cluster:
        x = x.with_columns(cluster=nw.coalesce("cx_cluster", "cluster")).drop("cx_cluster")
    x = engine.keep(x)
    if not engine.collect(x.select(nw.col("cx_known").count())).item():
        raise DataError(
            "interactions and customers have no customers in common: check that interactions.customer and "
            "customers.customer name the same ids"
        )
    return x.select(*everyone.collect_schema().names(), *named, "cx_known")


def describe_facts(engine: Engine, everyone: Frame) -> tuple[Fact, ...]:
    """How many customers the table does not tell of."""
    counts = everyone.select(n=nw.len(), known=nw.col("cx_known").count())
    n, known = (int(v) for v in engine.collect(counts).row(0))
    note = "unknown segment and covariates, a cluster of their own"
    return (
        Fact("customers who are not in the table of customers", CountOfTotal(n - known, n), note),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutCustomers:
    """Customers with what a table tells of them, and the account of that table.

    Attributes:
        everyone: the customers; with segment and covariates, as far as they are named.
        fixed: names of these.
        read: rows of the table.
        kept: rows that are kept.
        findings: rows that are not, by reason.
        facts: what else is worth knowing.
        quarantine: rows with a fault.
    """

    everyone: Frame
    fixed: tuple[str, ...] = ()
    read: tuple[tuple[str, int], ...] = ()
    kept: tuple[tuple[str, int], ...] = ()
    findings: tuple[Finding, ...] = ()
    facts: tuple[Fact, ...] = ()
    quarantine: tuple[tuple[str, pl.DataFrame], ...] = ()


def about_customers(study: Study, engine: Engine, everyone: Frame) -> AboutCustomers:
    """Customers as the table of `[customers]` describes them, where there is one.

    Args:
        study: whose customers.
        engine: where the frames live.
        everyone: id, cluster and follow-up.

    Raises:
        DataError: as `read_customer_table`, `count_customer_table` and `describe`.
    """
    if not study.has_customer_table:
        return AboutCustomers(everyone=everyone)
    settings = study.customers
    with clear_read_errors(study, f"customers ({section_source(study, 'customers')})"):
        raw = read_customer_table(study, engine)
        findings, read, kept = count_customer_table(engine, raw)
        description = describe(everyone, raw, engine)
        return AboutCustomers(
            everyone=description.drop("cx_known"),
            fixed=(*(("segment",) if settings.segment else ()), *settings.described),
            read=(("customers", read),),
            kept=(("customers", kept),),
            findings=findings,
            facts=describe_facts(engine, description),
            quarantine=quarantine_of(engine, raw, raw.table, "customers", TABLE_REASONS, findings),
        )
