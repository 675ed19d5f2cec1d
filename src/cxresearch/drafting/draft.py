"""From files to a drafted study: a commented study file, whose guesses say why, and the audit of it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from cxresearch.drafting import roles
from cxresearch.drafting.facts import TableFacts, plain
from cxresearch.drafting.joins import (
    Join,
    choose_log,
    choose_retention,
    find_joins,
)
from cxresearch.drafting.log_sections import (
    find_customer,
    write_interactions,
    write_moments,
    write_other_parts,
    write_others,
    write_reasons,
)
from cxresearch.drafting.opening import inspect_files, place_keys
from cxresearch.drafting.retention_section import write_activity, write_contract
from cxresearch.drafting.roles import Guess
from cxresearch.drafting.silences import TIDY_DAYS, Silences, measure_silences
from cxresearch.drafting.study_text import StudyText
from cxresearch.errors import ArgumentError, CxResearchError, SourceError
from cxresearch.explore import audit as audit_of
from cxresearch.records.audit import Audit
from cxresearch.study import Study, study_from
from cxresearch.utils.bundled import STUDY_SCHEMA, bundled
from cxresearch.utils.checks import flag, optional
from cxresearch.utils.outputs import write_output

_NOBODY = "1 = 0"  # a rule that no contact fits
_GRADING = ("moments.bad",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A study file that was drafted.

    Attributes:
        text: of the study file.
        path: where it was written; None if it was not.
        guesses: number of guesses in it; each is to be confirmed.
        open_keys: keys that are to be filled in before claims are evaluated.
        audit: of the drafted study; None where keys are open without which nothing can be read.
        problem: why the audit failed; empty where it did not, or keys are open without which it cannot begin.
        tables: what was seen in the files.
    """

    text: str
    path: Path | None
    guesses: int
    open_keys: tuple[str, ...]
    audit: Audit | None
    problem: str
    tables: tuple[TableFacts, ...] = field(repr=False)


def draft_study(
    files: Sequence[str | Path], *, out: str | Path | None = None, force: bool = False
) -> Draft:
    r"""Look at some files, write a study file for them with its guesses marked, and run the audit.

    Nothing is guessed in silence: each guess has a comment with its reason, and what cannot be guessed stands as a
    comment with the candidates.

    Args:
        files: paths of tables, in whatever order; several files of one kind with the same columns are one table.
        out: folder for ``study.toml`` and the JSON Schema that editors check it by; nothing is written if not given.
        force: overwrite a study file that is there.

    Raises:
        ArgumentError: no file, or something else than paths.
        SourceError: a file cannot be read, or a study file is there already.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import cxresearch as cx
        >>> with TemporaryDirectory() as folder:
        ...     calls = Path(folder, "calls.csv")
        ...     rows = 30 * "\na,2024-01-02,1\nb,2024-03-05,5\nb,2024-04-01,3"
        ...     _ = calls.write_text("customer_id,called_at,stars" + rows)
        ...     draft = cx.drafting.draft_study([calls])
        >>> [line for line in draft.text.splitlines() if line.startswith(("customer", "bad", "kind"))]
        ['customer = "customer_id"', 'bad = "stars <= 2"', 'kind = "activity"']
    """
    force = flag("force", force)
    optional(folder=out)
    if isinstance(files, str | os.PathLike) or not all(
        isinstance(f, str | os.PathLike) for f in files
    ):
        raise ArgumentError("files", files, "a list of paths, such as ['calls.csv']")
    if not files:
        raise ArgumentError("files", files, "a list of one path or more")
    folder = Path(out) if out is not None else Path.cwd()
    target = None if out is None else folder / "study.toml"
    _refuse_overwriting(target, force=force)
    tables = inspect_files([Path(f) for f in files], folder)
    text, study_text = _write(tables, folder)
    raw = tomllib.loads(text)
    if target is not None:
        _save(folder, target, text)
    open_keys = tuple(study_text.open_keys)
    result, problem = _audited(raw, folder, open_keys)
    return Draft(
        text=text,
        path=target,
        guesses=study_text.guesses,
        open_keys=open_keys,
        audit=result,
        problem=problem,
        tables=tables,
    )


def _refuse_overwriting(target: Path | None, *, force: bool) -> None:
    if target is not None and target.exists() and not force:
        raise SourceError(f"{target} is there already; --force overwrites it")


def _save(folder: Path, target: Path, text: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise SourceError(f"cannot write to {folder}: {e.strerror}") from None
    write_output(target, text)
    schema = bundled("data") / "sample" / STUDY_SCHEMA
    write_output(folder / STUDY_SCHEMA, schema.read_text(encoding="utf-8"))


def _audited(
    raw: Mapping[str, Any], folder: Path, open_keys: Sequence[str]
) -> tuple[Audit | None, str]:
    """The audit of what was drafted. Which contacts are bad decides no row, so it may be open."""
    if set(open_keys) - set(_GRADING):
        return None, ""
    try:
        study: Study = study_from(raw, folder=folder)
        if not open_keys:
            return audit_of(study), ""
        seen = audit_of(study.replace(bad=_NOBODY))
        # the rule that nothing fits stands for one that is missing: it is no mistake of the study
        real = tuple(w for w in seen.warnings if w.code != "rule_matches_nothing")
        return replace(seen, warnings=real, graded_by="nothing yet: moments.bad is open"), ""
    except CxResearchError as e:
        return None, str(e)


def _write(tables: Sequence[TableFacts], folder: Path) -> tuple[str, StudyText]:
    text = StudyText()
    log, other_logs = choose_log(tables)
    retention, other_places = choose_retention(tables, log)
    joins = find_joins(tables)
    _head(text, tables)
    where = log or max(tables, key=lambda t: t.rows)
    customer, at = roles.guess_customer(where), roles.guess_time(where)
    lookup = None if customer else find_customer(where, joins)
    silences = _silences(where, customer, at, lookup)
    text.section("study")
    text.key("name", folder.resolve().name or "a study")
    _horizon(text, silences, is_contract=retention is not None)
    joined = retention is not None and retention.end_table is not None
    if joined or lookup:
        _tables(text, tables)
    write_interactions(text, where, customer, at, lookup)
    write_others(text, "other tables that could be the log", other_logs)
    write_other_parts(text, where, other_logs)
    write_moments(text, where)
    if retention is None:
        write_activity(text, tables, silences)
    else:
        write_contract(text, retention, other_places, where, customer)
    _joins(text, joins, tables)
    return str(text), text


def _silences(
    log: TableFacts, customer: Guess | None, at: Guess | None, lookup: Join | None
) -> Silences | None:
    """The silences of a log whose customers and times are known, be it by another table."""
    frame = log.frame
    if lookup is not None:
        right, key = lookup.right
        customer, own = roles.guess_customer(right), lookup.left[1].name
        if customer is not None:
            others = right.frame.select(pl.col(key.name).cast(pl.String).alias(own), customer.name)
            frame = frame.with_columns(pl.col(own).cast(pl.String)).join(others, on=own, how="left")
    if customer is None or at is None or len(at.column.times) != 1:
        return None
    return measure_silences(frame, customer.name, at.name, at.column.times[0].key)


def _head(text: StudyText, tables: Sequence[TableFacts]) -> None:
    text.schema(STUDY_SCHEMA)
    lines = [
        f"Drafted by cxresearch init {version('cxresearch')} from what is in the files.",
        "Every key below a comment that begins with guess was guessed: confirm it, or change it. A key in a comment "
        "was not guessed; TO FILL IN says that there are no verdicts without it. docs/study-file.md lists all keys.",
    ]
    for line in lines:
        text.comment(line)
    for t in tables:
        names = ", ".join(plain(c.name) for c in t.columns[:12])
        more = f" and {len(t.columns) - 12} more" if len(t.columns) > 12 else ""
        text.comment(f"- {t.label}: {t.rows:,} rows, columns {names}{more}")


def _horizon(text: StudyText, silences: Silences | None, *, is_contract: bool) -> None:
    if silences is None:
        text.guess("horizon_days", 365, "claims look a year ahead", "that is the default")
        return
    span = silences.span
    least = 1 if is_contract else 2 * silences.gap_days
    fits = [d for d in TIDY_DAYS if least <= d <= min(365, span)]
    days = fits[-1] if fits else max(1, min(365, span))
    more = "" if is_contract else f" and a silence of {silences.gap_days} days must fit in"
    text.guess(
        "horizon_days", days, "how far ahead claims look", f"the log spans {span:,} days{more}"
    )


def _tables(text: StudyText, tables: Sequence[TableFacts]) -> None:
    text.section("tables")
    for t in tables:
        write_reasons(text, t)
        keys = place_keys(t.read_settings)
        text.key(t.name, {"source": t.source, **keys} if keys else t.source)


def _joins(text: StudyText, joins: Sequence[Join], tables: Sequence[TableFacts]) -> None:
    if len(tables) == 1:
        return
    text.gap()
    text.comment(
        "Tables that can be joined, by a column in which the right one has each value once:"
    )
    for j in joins:
        (left, a), (right, b) = j.left, j.right
        text.comment(
            f"- {left.name}.{plain(a.name)} = {right.name}.{plain(b.name)}: {j.share:.0%} of the values on the left "
            f"are found on the right, and {j.share_of_right:.0%} the other way round"
        )
    if not joins:
        text.comment("- none was found")
