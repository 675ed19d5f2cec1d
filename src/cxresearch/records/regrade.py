"""The same contacts under other rules of what is bad: read, checked and joined once, and graded as often as asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import narwhals.stable.v2 as nw

from cxresearch.engines import Engine, Frame, Whole
from cxresearch.records.audit import Fact, grade_facts, tallied
from cxresearch.records.contacts import GRADES, graded_rows
from cxresearch.records.contracts import opened
from cxresearch.records.fingerprint import with_fingerprint
from cxresearch.records.nearby import MOST_NEARBY
from cxresearch.records.records import Records, read_with_rows, study_of
from cxresearch.records.sources import clear_read_errors, section_source
from cxresearch.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class GradableRecords:
    """Records whose contacts can be graded anew without reading and joining the tables again.

    Attributes:
        own: under the study's own rules.
        contacts: its contacts with ``row``, the row of the log that each of them is.
        rows: the log as it was read, so that a file that is written anew meanwhile gives nobody another's grades.
    """

    own: Records
    contacts: Frame
    rows: Frame

    def under(self, study: Study) -> Records:
        """The records of a study that differs in its rules of what is good, neutral and bad, and in nothing else.

        Contacts, customers and histories are those of `read_records`, and so are grades and fingerprint in the audit;
        its warnings stay those of the study's own rules.

        Args:
            study: with rules of its own.

        Raises:
            RuleError: a rule is refused.
            SourceError, DataError: as `read_records`.
        """
        engine = self.own.engine
        with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
            graded, how = graded_rows(study, engine, self.rows)
            contacts = self._joined(graded)
        facts = grade_facts(tallied(contacts))
        audit = replace(
            self.own.audit, facts=_exchanged(self.own.audit.facts, facts), graded_by=how
        )
        audit = with_fingerprint(audit, engine, contacts, self.own.customers)
        return replace(self.own, study=study, log=contacts, audit=audit)

    def _joined(self, graded: Frame) -> Whole:
        """The contacts with the grades of their rows."""
        columns = [c for c in self.contacts.collect_schema().names() if c != "row"]
        graded = graded.select(
            nw.col("cx_row").cast(nw.Int64), cx_grade=nw.col("grade"), cx_both=nw.col("both")
        )
        x = self.contacts.lazy().join(graded.lazy(), left_on="row", right_on="cx_row", how="left")
        if "ordered" in columns:  # a row of another table is no contact, and has no grade
            is_own = nw.col("ordered") == 0
            new = {
                name: nw.when(is_own).then(nw.col(f"cx_{name}")).otherwise(nw.col(name))
                for name in ("grade", "both")
            }
        else:
            new = {name: nw.col(f"cx_{name}") for name in ("grade", "both")}
        kinds = self.contacts.collect_schema()
        x = x.with_columns(**{name: value.cast(kinds[name]) for name, value in new.items()})
        return _whole(x.select(*columns), self.own.engine)


def read_gradable(
    given: Study | Records, engine: Engine | str, required_columns: Collection[str] | None = None
) -> GradableRecords | None:
    """Read contacts that can be graded anew; None where they are many, or where rows of the log have no numbers.

    Args:
        given: a study, or its records, whose customers and audit are then taken.
        engine: where the tables are read.
        required_columns: as `read_records`.

    Raises:
        RuleError, SourceError, DataError: as `read_records`.
    """
    study = study_of(given)
    if study.interactions.query is not None and "interactions" not in study.frames:
        return None
    if isinstance(given, Records) and not _are_few(given):
        return None
    read = read_with_rows(study, engine, required_columns)
    # an engine with slow steps may number rows in another order whenever it opens a table
    if not _are_few(read) or read.engine.has_slow_steps:
        return None
    with clear_read_errors(study, f"interactions ({section_source(study, 'interactions')})"):
        source, _, _ = opened(study, read.engine, "interactions", numbered=False)
        rows = read.engine.keep(source)
    contacts = read.engine.keep(read.moments)
    columns = [c for c in contacts.collect_schema().names() if c != "row"]
    own = replace(read, log=_whole(contacts.select(*columns), read.engine))
    return GradableRecords(own=own, contacts=contacts, rows=rows)


def _exchanged(facts: tuple[Fact, ...], grades: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Facts with others about grades, which stand where those were."""
    names = {f"{name} moments" for name in GRADES} | {"bad and good at once"}
    before = [f.name for f in facts].index(f"{GRADES[0]} moments")
    return (*facts[:before], *grades, *(f for f in facts[before:] if f.name not in names))


def _are_few(records: Records) -> bool:
    return dict(records.audit.kept)["interactions"] <= MOST_NEARBY


def _whole(contacts: Frame, engine: Engine) -> Whole:
    """In the order of a walk: by customer and time, and the worse grade first within one second."""
    ordered = contacts.sort(*contacts.collect_schema().names())
    return Whole(engine.keep(ordered), engine)
