"""Both tables read, checked and joined: every row accounted for, on every engine alike."""

from __future__ import annotations

import stat
import sys
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.errors import DataError, SourceError, StudyError
from cxresearch.records.contracts import CUSTOMER_REASONS, LOG_REASONS
from cxresearch.records.records import Records, columns_of, read_records
from cxresearch.study.timestamps import BLANKS
from tests.engine_names import ENGINES, EVERY

WIDE = {"log_from": date(2024, 1, 1), "log_until": date(2024, 12, 31)}


def log(*rows, columns=("customer", "at", "grade")) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=list(columns), orient="row", infer_schema_length=None)


def who(*rows, columns=("customer", "start", "end")) -> pl.DataFrame:
    frame = pl.DataFrame(list(rows), schema=list(columns), orient="row", infer_schema_length=None)
    return frame.with_columns(
        pl.col(c).cast(pl.String) for c, t in frame.schema.items() if t == pl.Null
    )


def study(
    contacts, customers=None, *, interactions=None, moments=None, retention=None, **frames
) -> cx.Study:
    raw = {
        "interactions": {**WIDE, **(interactions or {})},
        "moments": moments or {},
        "retention": retention or {},
    }
    if customers is not None:
        frames["retention"] = customers
    return cx.study_from(raw, interactions=contacts, **frames)


READ: deque[tuple[cx.Study, str, Records]] = deque(maxlen=8)


def records_on(made: cx.Study, name: str) -> Records:
    """The records of a study on an engine: read once, however many questions a test asks of them."""
    for known, engine, records in READ:
        if known is made and engine == name:
            return records
    READ.append((made, name, read_records(made, name)))
    return READ[-1][-1]


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """No records are kept from one test to the next."""
    yield
    READ.clear()


def audits(made: cx.Study) -> cx.Audit:
    """The audit, which must be the same on every engine, examples and facts included."""
    first, *others = (cx.audit(records_on(made, name)) for name in ENGINES)
    for other in others:
        assert other.counts() == first.counts()
        assert other.findings == first.findings
        assert other.facts == first.facts
        for (_, mine), (_, theirs) in zip(other.quarantine, first.quarantine, strict=True):
            assert mine.write_csv() == theirs.write_csv()
    for table, read in first.read:
        assert read == dict(first.kept)[table] + sum(
            f.rows for f in first.findings if f.table == table
        )
    return first


def found(made: cx.Study, table: str) -> dict[str, tuple[int, tuple[int, ...]]]:
    return {f.reason: (f.rows, f.examples) for f in audits(made).findings if f.table == table}


def moments(made: cx.Study) -> list[tuple[object, ...]]:
    """The moments by id, on all engines the same."""
    answers = []
    for name in ENGINES:
        records = records_on(made, name)
        ids = records.engine.collect(records.customers.select("customer", "id"))
        rows = (
            records.engine.collect(records.moments)
            .join(ids, on="customer")
            .sort("id", "day", "second", "grade")
        )
        answers.append(rows.select("id", "day", "second", "grade").rows())
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def customers(made: cx.Study) -> list[dict[str, object]]:
    answers = []
    for name in ENGINES:
        records = records_on(made, name)
        answers.append(records.engine.collect(records.customers).sort("id").to_dicts())
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def fatal(made: cx.Study) -> str:
    """What a fatal finding says: one line, the same on every engine."""
    said = []
    for name in ENGINES:
        with pytest.raises((DataError, StudyError)) as caught:
            cx.audit(made, engine=name)
        said.append(str(caught.value))
    assert len(set(said)) == 1
    assert "\n" not in said[0]
    return said[0]


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


ALWAYS = ("a", "2024-01-01", None)


def test_each_reason_a_contact_is_not_kept_for():
    contacts = log(
        ("a", "2024-02-01", 3, "call"),
        (None, "2024-02-01", 3, "call"),
        ("  ", "2024-02-01", 3, "call"),
        ("a", None, 3, "call"),
        ("a", "", 3, "call"),
        ("a", "yesterday", 3, "call"),
        ("a", "24-02-01", 3, "call"),
        ("a", "2024-02-01", 3, "call"),
        ("a", "2024-02-02", 9, "call"),
        ("a", "2024-02-03", 1, "cancellation"),
        ("stranger", "2024-02-01", 3, "call"),
        ("stranger", "2024-02-02", 3, "call"),
        ("stranger", "2024-02-03", 3, "call"),
        ("late", "2024-02-01", 3, "call"),
        ("twice", "2024-03-01", 3, "call"),
        ("gone", "2024-06-02", 3, "call"),
        ("a", "2023-12-31", 3, "call"),
        ("old", "2023-12-31", 3, "call"),
        ("a", "2025-01-01", 3, "call"),
        columns=("customer", "at", "stars", "touchpoint"),
    )
    people = who(
        ALWAYS,
        ("late", "2024-02-02", None),
        ("twice", "2024-02-01", "2024-02-01"),
        ("gone", "2024-01-01", "2024-06-01"),
        ("old", "2023-01-01", None),
    )
    made = study(
        contacts,
        people,
        interactions={"score": "stars", "scale": [1, 5]},
        moments={"exclude": "touchpoint = 'cancellation'"},
    )
    assert found(made, "interactions") == {
        "no customer": (2, (2, 3)),
        "no time": (2, (4, 5)),
        "time not readable": (2, (6, 7)),
        "exact duplicate": (1, (8,)),
        "score off the scale": (1, (9,)),
        "excluded by rule": (1, (10,)),
        "unknown customer": (3, (11, 12)),
        "before the customer's start": (2, (14, 17)),
        "customer set aside": (1, (15,)),
        "after the customer's end": (2, (16, 19)),
        "outside the log's window": (1, (18,)),
    }
    assert found(made, "retention") == {"start = end: never at risk": (1, (3,))}


def test_each_reason_a_customer_is_not_kept_for():
    people = who(
        ALWAYS,
        (None, "2024-01-01", None),
        ("b", None, None),
        ("c", " ", None),
        ("d", "soon", None),
        ALWAYS,
        ("f", "2024-03-01", "2024-02-01"),
        ("g", "2024-03-01", "2024-03-01"),
        ("h", "2025-03-01", None),
        ("i", "2023-01-01", "2023-12-01"),
        ("j", "2024-01-01", "2024-02-01"),
        ("j", "2024-02-01", None),
    )
    made = study(log(("a", "2024-02-01", "bad")), people)
    assert found(made, "retention") == {
        "no customer": (1, (2,)),
        "no start": (2, (3, 4)),
        "start not readable": (1, (5,)),
        "exact duplicate": (1, (6,)),
        "end before start": (1, (7,)),
        "start = end: never at risk": (1, (8,)),
        "never under observation": (2, (9, 10)),
    }


def test_an_end_that_cannot_be_read_is_set_aside_up_to_a_hundredth():
    people = who(("odd", "2024-01-01", "never"), *((f"c{i}", *ALWAYS[1:]) for i in range(99)))
    made = study(log(("c1", "2024-02-01", "bad")), people)
    assert found(made, "retention") == {"end not readable": (1, (1,))}
    said = fatal(study(log(("c1", "2024-02-01", "bad")), people.head(99)))
    assert (
        "retention.end: the column 'end' cannot be read in 1 of 99 rows (1.0%): 'never'; they are of customers "
        "who left" in said
    )
    assert "date_format" in said
    assert "null_values in [retention]" in said


def test_rows_of_one_contract_that_overlap_contradict_each_other():
    people = who(
        (*ALWAYS, "one"),
        ("b", "2024-01-01", "2024-03-01", "two"),
        ("b", "2024-02-01", None, "two"),
        ("c", "2024-01-01", "2024-03-01", "three"),
        ("c", "2024-02-01", None, "four"),
        ("d", "2024-01-01", "2024-03-01", "five"),
        ("d", "2024-03-01", None, "five"),
        columns=("customer", "start", "end", "contract"),
    )
    made = study(log(("a", "2024-02-01", "bad")), people, retention={"contract": "contract"})
    assert found(made, "retention") == {"conflicting rows of one contract": (2, (2, 3))}
    assert [r["id"] for r in customers(made)] == ["a", "c", "d"]


def test_an_observation_that_cannot_be_read_is_not_taken_for_none():
    people = who(
        ("a", "2024-01-01", None, None, None),
        ("b", "2024-01-01", None, "then", None),
        ("c", "2024-01-01", None, "", "soon"),
        columns=("customer", "start", "end", "seen_from", "seen_until"),
    )
    made = study(
        log(("a", "2024-02-01", "bad")),
        people,
        retention={"observed_from": "seen_from", "observed_until": "seen_until"},
    )
    assert found(made, "retention") == {"observation not readable": (2, (2, 3))}


def test_every_reason_is_tried_somewhere_above():
    tried = set(__import__("pathlib").Path(__file__).read_text(encoding="utf-8").split('"'))
    assert {r for r, _ in (*LOG_REASONS, *CUSTOMER_REASONS)} <= tried


@pytest.mark.parametrize("name", ENGINES)
def test_the_quarantine_holds_the_faulty_rows_and_is_private(tmp_path, name):
    contacts = log(
        ("a", "2024-02-01", "bad", "x", [1], b"1"),
        ("a", "soon", "bad", 'y, "z"\nü', [2], b"2"),
        (None, "later", "bad", None, None, None),
        columns=("customer", "at", "grade", "reason", "list", "bytes"),
    )
    contacts = contacts.with_columns(row=pl.lit("seven"))
    audit = cx.audit(study(contacts, who(ALWAYS)), engine=name)
    folder = tmp_path / "state" / "quarantine"
    folder.mkdir(parents=True)
    (folder / "retention.csv").write_text("from an earlier audit")
    (folder / "interactions.csv").write_text("for all to read")
    (folder / "interactions.csv").chmod(0o644)
    (path,) = audit.write_quarantine(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (folder / "retention.csv").exists()
    held = pl.read_csv(path)
    assert held.columns == [
        "row",
        "reason",
        "customer",
        "at",
        "grade",
        "reason in the source",
        "row in the source",
    ]
    assert held.rows() == [
        (2, "time not readable", "a", "soon", "bad", 'y, "z"\nü', "seven"),
        (3, "no customer", None, "later", "bad", None, "seven"),
    ]
    cx.audit(study(log(("a", "2024-02-01", "bad")), who(ALWAYS)), engine=name).write_quarantine(
        folder
    )
    assert list(folder.iterdir()) == []


def test_a_spreadsheet_finds_no_formula_in_the_quarantine(tmp_path):
    formulas = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3"]
    contacts = log(
        *(("a", "soon", "bad", f) for f in [*formulas, "-2.5", "+7"]),
        columns=("customer", "at", "grade", "note"),
    )
    whole = pl.concat(
        [
            log(("a", "2024-02-01", "bad", "x"), columns=("customer", "at", "grade", "note")),
            contacts,
        ]
    )
    (path,) = cx.audit(study(whole, who(ALWAYS))).write_quarantine(tmp_path)
    held = pl.read_csv(path, infer_schema=False)
    assert not any(cell and cell[0] in "=@" for row in held.rows() for cell in row)
    column = held.columns[-1] if "note" not in held.columns else "note"
    assert held[column].to_list() == [*(f"'{f}" for f in formulas), "-2.5", "+7"]


def test_a_quarantine_that_cannot_be_written_says_so(tmp_path):
    audit = cx.audit(study(log(("a", "2024-02-01", "bad"), ("a", "soon", "bad")), who(ALWAYS)))
    (tmp_path / "file").touch()
    with pytest.raises(
        SourceError,
        match=r"cannot write the quarantined rows to .*; give another folder with --state",
    ):
        audit.write_quarantine(tmp_path / "file" / "deeper")


def test_an_audit_can_be_read_by_people_and_programs():
    audit = audits(
        study(log(("a", "2024-02-01", "bad"), ("<b>", "2024-02-01", "bad")), who(ALWAYS))
    )
    assert "quarantined: unknown customer" in str(audit)
    assert "rows 2" in str(audit)
    assert ">Audit</caption>" in audit._repr_html_()
    table = audit.to_polars()
    assert table.columns == ["table", "what", "count", "total", "day", "note"]
    assert ("interactions", "kept", 1, None, None, "") in table.rows()
    assert ("", "bad moments", 1, 1, None, "") in table.rows()
    assert table.filter(what="log from")["day"].to_list() == ["2024-01-01"]
    assert ("interactions", "kept", 1) in audit.counts()


LOG = log(("a", "2024-02-01", "bad"))
FATAL = {
    "missing column": (
        study(LOG.rename({"customer": "custmer"}), who(ALWAYS)),
        "interactions.customer: the frame given has no column 'customer'; did you mean 'custmer'?; "
        "it has: custmer, at, grade",
    ),
    "missing end": (
        study(LOG, who(ALWAYS).drop("end")),
        "retention.end: the frame given has no column 'end'",
    ),
    "missing covariate": (
        study(LOG, who(ALWAYS), retention={"covariates": ["age"]}),
        "retention.age: the frame given has no",
    ),
    "date in quotes": (
        study(LOG, who(ALWAYS), retention={"observed_until": "2024-12-31"}),
        "a date is written without quotes",
    ),
    "boolean customer": (
        study(LOG.with_columns(customer=pl.lit(True)), who(ALWAYS)),
        "the column 'customer' must hold text or whole numbers, holds boolean",
    ),
    "list customer": (
        study(LOG, who(ALWAYS).with_columns(customer=pl.lit([[1]]))),
        "must hold text or whole numbers",
    ),
    "time of numbers": (
        study(LOG.with_columns(at=pl.lit(1.5)), who(ALWAYS)),
        "the column 'at' must hold times, dates, ISO text or integer days, holds float64",
    ),
    "start of booleans": (
        study(LOG, who(("a", True, None))),
        "retention.start: the column 'start' must hold times",
    ),
    "score of text": (
        study(LOG, who(ALWAYS), interactions={"score": "grade", "scale": [1, 5]}),
        "must hold numbers, and 1 rows hold text",
    ),
    "scale without score": (
        study(LOG, who(ALWAYS), interactions={"scale": [1, 5]}),
        "interactions.scale is given and there is no",
    ),
    "nothing to grade by": (
        study(LOG.drop("grade"), who(ALWAYS)),
        "no contact can be graded: under [interactions], name",
    ),
    "score without scale": (
        study(
            LOG.drop("grade").with_columns(stars=1), who(ALWAYS), interactions={"score": "stars"}
        ),
        "no contact can be graded",
    ),
    "empty log": (study(LOG.clear(), who(ALWAYS)), "interactions: the table has no rows"),
    "empty customers": (study(LOG, who(ALWAYS).clear()), "retention: the table has no rows"),
    "nobody in common": (
        study(LOG, who(("A-1", "2024-01-01", None), ("B-2", "2024-01-01", None))),
        "no customers in common: check that interactions.customer and retention.customer name the same ids "
        "(the log's look like 'a', those of the customers like 'A-1', 'B-2')",
    ),
    "no time": (
        study(log(("a", "01.02.2024", "bad")), who(ALWAYS)),
        "none of 1 rows has a customer and a time that can be read; say how",
    ),
    "wrong format": (
        study(LOG, who(ALWAYS), interactions={"at_format": "%d.%m.%Y"}),
        "can be read as '%d.%m.%Y'; look at at_format",
    ),
    "no start": (
        study(LOG, who(("a", "1/2/24", None))),
        "(row 1, for one); say how retention.start is written with date_format",
    ),
    "days against dates": (
        study(log(("a", 5, "bad")), who(ALWAYS), interactions={"log_from": 1, "log_until": 9}),
        "interactions.at and retention.start must both hold dates or both integer days: integer days and dates",
    ),
    "days against dates in one table": (
        study(LOG, who(("a", "2024-01-01", 5))),
        "retention.start and retention.end must both hold dates or both integer days",
    ),
    "log from a day": (
        study(LOG, who(ALWAYS), interactions={"log_from": 3, "log_until": 9}),
        "interactions.log_from is 3, and interactions.at holds dates: write it as a date such as 2024-12-31",
    ),
    "log from a date": (
        study(log(("a", 5, "bad")), who(("a", 1, None))),
        "interactions.log_from is 2024-01-01, and interactions.at holds integer",
    ),
    "observed until a day": (
        study(LOG, who(ALWAYS), retention={"observed_until": 9}),
        "retention.observed_until is 9, and interactions.at holds dates",
    ),
    "one day": (
        cx.study_from({}, interactions=LOG, retention=who(ALWAYS)),
        "the log's window must span at least a day, runs from 2024-02-01 to 2024-02-01; say log_from and log_until",
    ),
    "seconds for days": (
        study(
            log(("a", 1_704_067_200, "bad")),
            who(("a", 1, None)),
            interactions={"log_from": 1, "log_until": 9},
        ),
        "none of 1 rows has a customer and a time that can be read",
    ),
    "outside": (
        study(
            log(("a", "2025-02-01", "bad")),
            who(("a", "2023-01-01", None)),
            retention={"observed_until": date(2026, 1, 1)},
        ),
        "none of 1 rows can be kept; 1 fell to",
    ),
    "a name of ours": (
        study(LOG.with_columns(CX_Row=1), who(ALWAYS)),
        "has a column 'CX_Row', a name that is used otherwise",
    ),
    "canonical clash": (
        study(
            LOG.with_columns(stars=1, score=2),
            who(ALWAYS),
            interactions={"score": "stars", "scale": [1, 5]},
            moments={"bad": "score <= 2"},
        ),
        "a rule names 'score', which is a column of the log and also the canonical name of 'stars': rename one of them",
    ),
}


NESTED = {"list": [["x"]], "struct": [{"x": 1}], "binary": [b"x"]}


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("column", ["grade", "level", "agent", "touchpoint", "channel", "owner"])
def test_what_is_neither_text_nor_number_is_no_name(column, kind):
    contacts = LOG.with_columns(pl.Series(column, NESTED[kind]))
    said = fatal(study(contacts, who(ALWAYS)))
    assert said.startswith(
        f"interactions.{column}: the column {column!r} must hold text or numbers, holds {kind.title()}"
    )
    others = contacts.rename({column: "x"}).with_columns(grade=pl.lit("bad"))
    assert f"interactions.{column}: the column 'x' must" in fatal(
        study(others, who(ALWAYS), interactions={column: "x"})
    )


NOBODY = {
    "empty": (
        [None, None],
        "interactions.customer: none of 2 rows has a customer: the column 'customer' is empty",
    ),
    "blank": ([" ", ""], "interactions.customer: none of 2 rows has a customer"),
    "not whole": ([1.5, 2.5], "interactions.customer: none of 2 rows has a customer"),
    "elsewhere": (
        ["a", None],
        "interactions: none of 2 rows has both a customer and a time that can be read",
    ),
}


@pytest.mark.parametrize("what", NOBODY)
@pytest.mark.parametrize("kind", ["contract", "activity"])
def test_the_column_at_fault_is_blamed(what, kind):
    ids, said = NOBODY[what]
    at = [None if what == "elsewhere" else "2024-02-01", "2024-02-02"]
    contacts = pl.DataFrame(
        {"customer": pl.Series(ids, dtype=None if any(ids) else pl.String), "at": at}
    )
    contacts = contacts.with_columns(grade=pl.lit("bad"))
    if kind == "activity":
        assert said in fatal(study(contacts, retention={"kind": "activity", "gap_days": 30}))
    else:
        assert said in fatal(study(contacts, who(ALWAYS)))


@pytest.mark.parametrize("name", FATAL)
def test_a_fatal_finding_is_one_clear_line(name):
    made, said = FATAL[name]
    assert said in fatal(made)


def test_two_columns_of_one_name(tmp_path):
    (tmp_path / "log.csv").write_text("customer,at,customer,grade\na,2024-01-01,b,bad\n")
    made = cx.study_from(
        {"interactions": {"source": "log.csv"}}, folder=tmp_path, retention=who(ALWAYS)
    )
    assert "has two columns 'customer': rename one of them" in fatal(made)


@pytest.mark.parametrize("says", [{}, {"agent": "agent"}, {"agent": "who"}])
def test_two_columns_of_one_name_that_would_be_used(tmp_path, says):
    own = says.get("agent", "agent")
    (tmp_path / "log.csv").write_text(f"customer,at,grade,{own},{own}\na,2024-02-01,bad,x,y\n")
    made = cx.study_from(
        {"interactions": {"source": "log.csv", **says}}, folder=tmp_path, retention=who(ALWAYS)
    )
    assert f"interactions.agent: log.csv has two columns {own!r}: rename one of them" in fatal(made)
    (tmp_path / "log.csv").write_text("customer,at,grade,note,note\na,2024-02-01,bad,x,y\n")
    made = cx.study_from(
        {"interactions": {"source": "log.csv", **WIDE}}, folder=tmp_path, retention=who(ALWAYS)
    )
    assert dict(audits(made).kept)["interactions"] == 1


SCORED = {"score": "stars", "scale": [1, 5], "respect": "polite", "source": "log.csv", **WIDE}


@pytest.mark.parametrize("nothing", ["", " ", "\u00a0"], ids=ascii)
def test_scores_that_are_all_missing_are_unknown(tmp_path, nothing):
    rows = "".join(f"a,2024-02-0{i},{nothing},{nothing}\n" for i in range(1, 4))
    (tmp_path / "log.csv").write_text("customer,at,stars,polite\n" + rows, encoding="utf-8")
    made = cx.study_from(
        {"interactions": SCORED, "moments": {"bad": "stars <= 2"}},
        folder=tmp_path,
        retention=who(ALWAYS),
    )
    assert [g for *_, g in moments(made)] == [3, 3, 3]
    for name in ENGINES:
        assert records_on(made, name).log.tally(["score", "respect"]).rows() == [(-1, -1, 3)]
        assert {"score", "respect"} <= columns_of(made, name)
    (tmp_path / "log.csv").write_text(
        f"customer,at,stars,polite\n{rows}a,2024-02-04,five,\n", encoding="utf-8"
    )
    assert (
        "interactions.score: the column 'stars' must hold numbers, and 1 rows hold text: 'five'"
        in fatal(made)
    )


def test_a_header_alone_is_an_empty_table(tmp_path):
    (tmp_path / "log.csv").write_text("customer,at,stars,polite\n")
    made = cx.study_from({"interactions": SCORED}, folder=tmp_path, retention=who(ALWAYS))
    assert fatal(made) == "interactions: the table has no rows"


def local_times(at, **says):
    """The local day and second of each time; a study in Berlin."""
    ids = [f"a{i:03}" for i in range(len(at))]
    contacts = pl.DataFrame({"customer": ids, "at": at, "grade": "bad"})
    log_of_a_century = {"log_from": date(1900, 1, 1), "log_until": date(2100, 1, 1)}
    made = study(
        contacts,
        who(*((i, "1901-01-01", None) for i in ids)),
        interactions={"time_zone": "Europe/Berlin", **log_of_a_century, **says},
    )
    return [
        ((date(1970, 1, 1) + timedelta(days=d)).isoformat(), second)
        for _, d, second, _ in moments(made)
    ]


NAIVE = datetime(2024, 3, 31, 1, 30)


TIMES = {
    "2024-02-01": ("2024-02-01", 0),
    "2024-2-1": ("2024-02-01", 0),
    " 2024-02-01\t": ("2024-02-01", 0),
    "2024-02-01 10:30": ("2024-02-01", 37_800),
    "2024-02-01T10:30:05": ("2024-02-01", 37_805),
    "2024-02-01T10:30:05.999999999": ("2024-02-01", 37_805),
    "2024-02-01 10:30:05,5": ("2024-02-01", 37_805),
    # an offset is brought to the study's zone: one hour east in winter, two in summer
    "2024-02-01T23:30:00Z": ("2024-02-02", 1800),
    "2024-07-01T23:30:00Z": ("2024-07-02", 5400),
    "2024-07-01 23:30:00 UTC": ("2024-07-02", 5400),
    "2024-07-01T23:30:00.5+00:00": ("2024-07-02", 5400),
    "2024-07-01 23:30:00+00": ("2024-07-02", 5400),
    "2024-07-01T23:30:00+02:00": ("2024-07-01", 84_600),
    "2024-07-01T01:30:00+0530": ("2024-06-30", 79_200),
    "2024-07-01T01:30-10": ("2024-07-01", 48_600),
    # the hour that daylight saving skips, and the one it repeats
    "2024-03-31T00:59:59Z": ("2024-03-31", 7199),
    "2024-03-31T01:00:00Z": ("2024-03-31", 10_800),
    "2024-10-27T00:30:00Z": ("2024-10-27", 9000),
    "2024-10-27T01:30:00Z": ("2024-10-27", 9000),
    "1969-12-31 23:59:59.5": ("1969-12-31", 86_399),
    "1968-12-31T23:59:59Z": ("1969-01-01", 3599),
}


def test_times_as_text_become_local_days_and_seconds():
    assert dict(zip(TIMES, local_times(list(TIMES)), strict=True)) == TIMES


@pytest.mark.parametrize(
    ("at", "local"),
    [
        (date(1969, 12, 31), ("1969-12-31", 0)),
        (datetime(1969, 12, 31, 23, 59, 59, 500_000), ("1969-12-31", 86_399)),
        (pl.Series([NAIVE], dtype=pl.Datetime("ns")), ("2024-03-31", 5400)),
        (pl.Series([NAIVE], dtype=pl.Datetime("ms")), ("2024-03-31", 5400)),
        (pl.Series([NAIVE]).dt.replace_time_zone("UTC"), ("2024-03-31", 12_600)),
        (
            pl.Series([NAIVE]).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"),
            ("2024-03-31", 12_600),
        ),
        (pl.Series([NAIVE]).dt.replace_time_zone("America/New_York"), ("2024-03-31", 27_000)),
        (pl.Series(["2024-02-01"], dtype=pl.Categorical), ("2024-02-01", 0)),
    ],
    ids=str,
)
def test_times_become_local_days_and_seconds(at, local):
    assert local_times(at if isinstance(at, pl.Series) else [at]) == [local]


@pytest.mark.parametrize(
    ("at", "fmt", "local"),
    [
        ("05.02.2024", "%d.%m.%Y", ("2024-02-05", 0)),
        ("5.2.2024 7:08", "%d.%m.%Y %H:%M", ("2024-02-05", 25_680)),
        ("20240205", "%Y%m%d", ("2024-02-05", 0)),
        ("02/05/24 10:00 PM", "%m/%d/%y %I:%M %p", ("2024-02-05", 79_200)),
        ("5 Feb 2024", "%d %b %Y", ("2024-02-05", 0)),
        ("2024-02-05T10:00:00.123456789", "%Y-%m-%dT%H:%M:%S.%f", ("2024-02-05", 36_000)),
        ("2024-02-05T10:00:00.25", "%Y-%m-%dT%H:%M:%S%.f", ("2024-02-05", 36_000)),
        ("2024-02-05 10:00:00 +0300", "%Y-%m-%d %H:%M:%S %z", ("2024-02-05", 28_800)),
        ("o'clock 2024-02-05", "o'clock %Y-%m-%d", ("2024-02-05", 0)),
    ],
)
def test_times_in_a_format(at, fmt, local):
    assert local_times([at], at_format=fmt) == [local]


NO_TIMES = (
    "24-02-01",
    "2024-02-30",
    "2024-13-01",
    "0001-01-01",
    "10000-01-01",
    "+2024-02-01",
    "-2024-02-01",
    "20240201",
    "2024-02-01 24:00:00",
    "2024-02-01 23:59:60",
    "2024-02-01T10",
    "2024-02-01TT10:00",
    "2024-02-01 10:00+25:00",
    "infinity",
    "epoch",
    "now",
    "2024-W05-4",
    "01/02/2024",
    "2024-02-01 10:00 PM",
    "٢٠٢٤-02-01",
)


def test_what_is_no_time_is_so_on_every_engine():
    contacts = log(("a", "2024-02-01", "bad"), *(("a", at, "bad") for at in NO_TIMES))
    made = study(contacts, who(ALWAYS))
    assert found(made, "interactions") == {"time not readable": (len(NO_TIMES), (2, 3))}


@pytest.mark.parametrize("fmt", ["%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M %z"])
def test_words_are_no_times_in_a_format_either(fmt):
    fine = {"%d.%m.%Y": "01.02.2024", "%Y-%m-%d %H:%M:%S": "2024-02-01 10:00:00"}.get(
        fmt, "2024-02-01 10:00 +0000"
    )
    words = ("infinity", "-infinity", "Infinity", " epoch ", "now")
    contacts = log(("a", fine, "bad"), *(("a", word, "bad") for word in words))
    made = study(contacts, who(ALWAYS), interactions={"at_format": fmt})
    assert found(made, "interactions") == {"time not readable": (len(words), (2, 3))}


@pytest.mark.parametrize(
    ("at", "fmt"), [("10:20", "%H:%M"), ("01.02. 10:20", "%d.%m. %H:%M"), ("%Y 5", "%%Y %d")]
)
def test_a_format_without_a_year_reads_nothing(at, fmt):
    made = study(log(("a", at, "bad")), who(ALWAYS), interactions={"at_format": fmt})
    assert f"can be read as {fmt!r}; look at at_format" in fatal(made)


def test_blanks_are_what_python_takes_for_blanks():
    assert set(BLANKS) == {c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()}


@pytest.mark.parametrize("fmt", [None, "%Y-%m-%d"])
def test_blanks_at_the_ends_of_a_text_do_not_count(fmt):
    shapes = (
        [f"{b}{{}}" for b in BLANKS]
        + [f"{{}}{b}" for b in BLANKS]
        + [f"{b} {{}}{b}{b}" for b in BLANKS]
    )
    ids = [f"c{i:03}" for i in range(len(shapes))]
    contacts = pl.DataFrame(
        {
            "customer": [s.format(i) for s, i in zip(shapes, ids, strict=True)],
            "at": [
                s.format("2024-02-01" if fmt or i % 2 else "2024-02-01T00:00:00Z")
                for i, s in enumerate(shapes)
            ],
            "grade": [s.format("Bad") for s in shapes],
            "agent": [s.format("Ann") for s in shapes],
            "attended": [s.format("Yes") for s in shapes],
            "level": [s.format("basic") for s in shapes],
        }
    )
    nothing = contacts.with_columns(customer=pl.Series(b * 2 for b in [*BLANKS] * 3))[: len(BLANKS)]
    never = contacts.with_columns(at=pl.Series(b * 2 for b in [*BLANKS] * 3))[: len(BLANKS)]
    people = pl.DataFrame(
        {
            "customer": contacts["customer"].reverse(),
            "start": [s.format("2024-01-01") for s in shapes],
            "end": [s.format("2024-06-01" if i % 2 else "") for i, s in enumerate(shapes)],
            "plan": [s.format("x") for s in shapes],
        }
    )
    made = study(
        pl.concat([contacts, nothing, never]),
        people,
        interactions={"at_format": fmt} if fmt else {},
        retention={"segment": "plan"},
    )
    assert moments(made) == [(i, day("2024-02-01"), 0, 0) for i in ids]
    n, each = len(shapes), len(BLANKS)
    assert found(made, "interactions") == {
        "no customer": (each, (n + 1, n + 2)),
        "no time": (each, (n + each + 1, n + each + 2)),
    }
    assert found(made, "retention") == {}
    for name in ENGINES:
        records = records_on(made, name)
        assert (records.names["agent"], records.levels["segment"]) == (("Ann",), ("x",))
        assert records.log.tally(["attended", "agent", "level"]).rows() == [(1, 0, 1, n)]


@pytest.mark.parametrize(
    "kind", [pl.Date, pl.Datetime("us"), pl.Datetime("ms"), pl.Datetime("us", "UTC")], ids=str
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_date_that_no_calendar_has_is_quarantined(tmp_path, kind, sign):
    stored, fine = (pl.Int32, 19_800) if kind == pl.Date else (pl.Int64, 19_800 * 86_400_000_000)
    fine //= 1000 if kind == pl.Datetime("ms") else 1
    far = 2**31 - 1 if kind == pl.Date else 2**63 - 1
    far = sign * (far // 1000 if kind == pl.Datetime("ms") else far)  # Spark reads microseconds

    def dates(*values):
        return pl.Series(values, dtype=stored).cast(kind)

    more = 97  # so that the lost end is no hundredth of the rows
    people = pl.DataFrame(
        {
            "customer": ["a", "b", "c", *(f"d{i}" for i in range(more))],
            "start": dates(fine, fine, far, *[fine] * more),
            "end": dates(None, far, fine + fine // 4, *[None] * more),
        }
    )
    contacts = pl.DataFrame(
        {"customer": ["a", "a", "b"], "at": dates(fine + fine // 300, far, fine), "grade": "bad"}
    )
    people.write_parquet(tmp_path / "people.parquet")
    contacts.write_parquet(tmp_path / "log.parquet")
    raw = {
        "interactions": {**WIDE, "source": "log.parquet"},
        "retention": {"source": "people.parquet"},
    }
    made = cx.study_from(raw, folder=tmp_path)
    assert found(made, "retention") == {
        "start not readable": (1, (3,)),
        "end not readable": (1, (2,)),
    }
    assert found(made, "interactions") == {
        "time not readable": (1, (2,)),
        "customer set aside": (1, (3,)),
    }
    for name in ENGINES:
        log_path, people_path = cx.audit(records_on(made, name)).write_quarantine(tmp_path / name)
        beyond = f"{'later' if sign > 0 else 'earlier'} than any calendar"
        assert f"2,time not readable,a,{beyond},bad" in log_path.read_text()
        assert people_path.read_text().count(beyond) == 2
        assert "2024-03-18" in people_path.read_text()


def test_a_label_that_no_calendar_has_is_unknown():
    people = who(ALWAYS).with_columns(x=pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date))
    (row,) = customers(study(LOG, people, retention={"segment": "x"}))
    assert row["segment"] == 0


def test_integer_days():
    made = study(
        log(("a", 5, "bad"), ("a", 20_240_101, "bad"), ("a", 2**40, "bad"), ("b", -3, "good")),
        who(("a", 1, None), ("b", -10, 8)).with_columns(pl.col("end").cast(pl.Int64)),
        interactions={"log_from": -5, "log_until": 9},
    )
    assert found(made, "interactions") == {"time not readable": (2, (2, 3))}
    assert [(c["entry"], c["exit"], c["event"]) for c in customers(made)] == [(1, 9, 0), (-5, 8, 1)]
    assert {f.name: str(f.value) for f in audits(made).facts}["log from"] == "-5"


@pytest.mark.parametrize("kind", [pl.Int64, pl.Date, pl.String, pl.Null])
def test_a_column_without_an_end_may_have_any_type(kind):
    people = pl.DataFrame(
        {"customer": ["a"], "start": ["2024-01-01"], "end": pl.Series([None], dtype=kind)}
    )
    (row,) = customers(study(LOG, people))
    assert (row["event"], row["exit"]) == (0, day("2024-12-31"))


def test_observation_as_column_and_date():
    people = who(
        ("a", "2024-01-10", "2024-05-01", "2024-02-01", "2024-04-01"),
        ("b", "2024-01-10", "2024-03-01", None, None),
        ("c", "2023-01-10", None, "2022-01-01", "2026-01-01"),
        columns=("customer", "start", "end", "seen_from", "seen_until"),
    )

    def follow_up(**retention):
        rows = customers(study(log(("a", "2024-02-05", "bad")), people, retention=retention))
        return [(r["entry"], r["exit"], r["event"], r["left_truncated"]) for r in rows]

    first, last = day("2024-01-01"), day("2024-12-31")
    start, march, may = day("2024-01-10"), day("2024-03-01"), day("2024-05-01")
    assert follow_up() == [(start, may, 1, 0), (start, march, 1, 0), (first, last, 0, 1)]
    assert follow_up(observed_from="seen_from", observed_until="seen_until") == [
        (day("2024-02-01"), day("2024-04-01"), 0, 1),
        (start, march, 1, 0),
        (first, last, 0, 1),
    ]
    assert follow_up(observed_until=date(2024, 2, 10)) == [
        (start, day("2024-02-10"), 0, 0),
        (start, day("2024-02-10"), 0, 0),
        (first, day("2024-02-10"), 0, 1),
    ]


def test_the_window_is_that_of_the_log_unless_it_is_said():
    contacts = log(
        ("a", "2024-02-01", "bad"), ("stranger", "2024-06-01", "bad"), (None, "2024-09-01", "bad")
    )
    undeclared = cx.study_from({}, interactions=contacts, retention=who(ALWAYS))
    facts = {f.name: (str(f.value), f.note) for f in audits(undeclared).facts}
    assert facts["log from"] == ("2024-02-01", "the first contact")
    assert facts["log until"][0] == "2024-06-01"
    said = {f.name: (str(f.value), f.note) for f in audits(study(contacts, who(ALWAYS))).facts}
    assert said["log until"] == ("2024-12-31", "")


def test_contracts_that_overlap_are_one_and_later_ones_are_set_aside():
    people = who(
        ("a", "2024-01-01", "2024-03-01", "one", "moved"),
        ("a", "2024-02-01", "2024-05-01", "two", "switched"),
        ("a", "2024-05-01", "2024-06-01", "three", "moved"),
        ("a", "2024-08-01", None, "four", None),
        ("b", "2024-01-01", "2024-03-01", "one", "switched"),
        columns=("customer", "start", "end", "contract", "cause"),
    )
    contacts = log(
        ("a", "2024-05-15", "bad"), ("a", "2024-09-01", "bad"), ("b", "2024-02-01", "bad")
    )
    says = {"contract": "contract", "cause": "cause", "defection": ["switched"]}
    made = study(contacts, people, retention=says)
    assert found(made, "retention") == {"a later contract, after the first had ended": (1, (4,))}
    assert dict(audits(made).kept)["retention"] == 4
    assert [(r["start"], r["exit"], r["event"]) for r in customers(made)] == [
        (day("2024-01-01"), day("2024-06-01"), 2),
        (day("2024-01-01"), day("2024-03-01"), 1),
    ]
    # without the column of contracts, the same rows are parallel contracts and renewals, and it is said
    plain = study(contacts, people, retention={"cause": "cause", "defection": ["switched"]})
    assert found(plain, "retention") == found(made, "retention")
    assert customers(plain) == customers(made)
    (warning,) = (w for w in audits(plain).warnings if w.code == "parallel_rows")
    assert (dict(warning.values)["rows"].count, warning.key) == (1, "retention.contract")
    assert "parallel_rows" not in {w.code for w in audits(made).warnings}


@pytest.mark.parametrize("name", EVERY)
def test_rows_of_one_day_stand_in_the_order_of_their_values(name):
    """Which of two contracts from one day to another says why, and of what segment, is not left to the file."""
    rows = [
        ("a", "2024-01-01", "2024-03-01", "plus", "moved"),
        ("a", "2024-01-01", "2024-03-01", "basic", "switched"),
        ("b", "2024-01-01", None, "plus", None),
        ("b", "2024-01-01", None, "basic", None),
    ]
    contacts = log(("a", "2024-02-01", "bad"), ("b", "2024-02-05", "bad"))
    says = {"cause": "cause", "segment": "segment", "defection": ["switched"]}
    columns = ("customer", "start", "end", "segment", "cause")
    tables = [
        cx.risk_table(
            read_records(study(contacts, who(*order, columns=columns), retention=says), name),
            strata=["segment"],
        )
        for order in (rows, rows[::-1])
    ]
    assert tables[0] == tables[1]
    assert tables[0].customers == 2


LABELS = {
    "text": ([" x ", "", None], ["x", None, None]),
    "integers": ([1, 2, None], ["1", "2", None]),
    "floats": ([1.5, float("nan"), None], ["1.5", None, None]),
    "booleans": ([True, False, None], ["true", "false", None]),
    "dates": ([date(2024, 1, 1), None, None], ["2024-01-01", None, None]),
    "categories": (pl.Series(["x", "y", None], dtype=pl.Categorical), ["x", "y", None]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_segments_covariates_and_clusters_of_all_kinds(kind):
    values, labels = LABELS[kind]
    people = pl.DataFrame(
        {"customer": ["a", "b", "c"], "start": ["2024-01-01"] * 3, "end": [None] * 3, "x": values}
    )
    people = people.with_columns(age="x")
    made = study(LOG, people, retention={"segment": "x", "covariates": ["age"], "cluster": "x"})
    rows = customers(made)
    levels = read_records(made).levels
    named = ["unknown" if label is None else label for label in labels]
    assert (
        [levels["segment"][r["segment"]] for r in rows]
        == [levels["age"][r["age"]] for r in rows]
        == named
    )
    assert levels["segment"] == tuple(sorted(set(named)))
    # whoever has no cluster is one of his own
    assert len({r["cluster"] for r in rows}) == 3


def test_an_odd_id_counts_wherever_it_stands():
    """Blanks alone are no customer, on a row without a time as well."""
    contacts = log(("a", "2024-02-01", "bad"), ("  ", None, "bad"), ("a", None, "bad"))
    assert found(study(contacts, who(ALWAYS)), "interactions") == {
        "no customer": (1, (2,)),
        "no time": (1, (3,)),
    }


def test_a_cluster_is_one_for_all_its_customers():
    people = pl.DataFrame(
        {"customer": ["a", "b", "c", "d"], "start": ["2024-01-01"] * 4, "end": [None] * 4}
    )
    people = people.with_columns(cluster=pl.Series(["x", "y", "x", None]))
    a, b, c, d = customers(study(LOG, people, retention={"cluster": "cluster"}))
    assert (a["cluster"], a["group"]) == (c["cluster"], c["group"])
    assert len({r["cluster"] for r in (a, b, d)}) == 3


@pytest.mark.parametrize("value", [datetime(2024, 1, 1), [1], b"x"])
def test_a_segment_that_cannot_be_a_label(value):
    people = who(ALWAYS).with_columns(
        x=pl.lit(value) if not isinstance(value, list) else pl.Series([value])
    )
    said = fatal(study(LOG, people, retention={"segment": "x"}))
    assert (
        "retention.segment: the column 'x' must hold text, numbers, booleans or dates, holds"
        in said
    )


def test_a_cause_nobody_left_for_is_said():
    people = who(
        ("a", "2024-01-01", "2024-05-01", "Switched"), columns=("customer", "start", "end", "cause")
    )
    made = study(LOG, people, retention={"cause": "cause", "defection": ["switched"]})
    (fact,) = (f for f in audits(made).facts if "switched" in f.name)
    assert (str(fact.value), fact.note) == ("0", "listed under defection")
    assert fact.hint == "; did you mean 'Switched'?"
    assert "listed under defection; did you mean 'Switched'?" in str(audits(made))


def test_activity_lapses_labels_and_returns():
    contacts = log(
        ("lapsed", "2024-01-10", "bad"),
        ("lapsed", "2024-01-20", "bad"),
        ("back", "2024-01-10", "bad"),
        ("back", "2024-03-20", "bad"),
        ("there", "2024-01-10", "bad"),
        ("there", "2024-02-09", "bad"),
        ("there", "2024-03-10", "bad"),
        ("there", "2024-04-05", "bad"),
        ("open", "2024-03-02", "bad"),
        ("edge", "2024-03-01", "bad"),
        ("last", "2024-03-31", "bad"),
    )
    made = study(
        contacts,
        retention={"kind": "activity", "gap_days": 30},
        interactions={"log_until": date(2024, 3, 31)},
    )
    rows = {r["id"]: (r["exit"], r["event"]) for r in customers(made)}
    last = day("2024-03-31")
    assert rows == {
        "lapsed": (day("2024-02-19"), 1),
        "back": (day("2024-02-09"), 1),
        # 30 days after a contact is still within the gap
        "there": (last, 0),
        # contacts within the last 30 days say nothing about a lapse
        "open": (last, 0),
        "edge": (last, 1),
    }
    facts = {f.name: str(f.value) for f in audits(made).facts}
    assert facts["lapsed who came back later"] == "1 (33.3%)"
    # all but those first seen in March may have been there before the log began
    assert facts["customers seen only from after their start"] == "3 (60.0%)"
    assert facts["days of silence that count as a lapse"] == "30"
    assert facts["customers never under observation"] == "1 (16.7%)"
    assert found(made, "interactions") == {"outside the log's window": (1, (8,))}


def test_activity_of_one_row_has_nobody_to_observe():
    made = study(
        LOG,
        retention={"kind": "activity", "gap_days": 30},
        interactions={"log_until": date(2024, 2, 1)},
    )
    assert (
        "all 1 contacts lie on the last day of the log (2024-02-01): nobody is under observation"
        in fatal(made)
    )


def grades(contacts, interactions=None, rules=None):
    made = study(contacts, who(ALWAYS), interactions=interactions, moments=rules)
    return [["bad", "neutral", "good", "unknown"][g] for _, _, _, g in moments(made)]


def graded(**columns) -> pl.DataFrame:
    n = len(next(iter(columns.values())))
    return pl.DataFrame(
        {"customer": ["a"] * n, "at": [datetime(2024, 2, 1, 0, 0, i) for i in range(n)], **columns}
    )


def test_grades_by_rule_then_grade_then_level_then_score():
    contacts = graded(
        stars=[1, 1, 1, 1, 5, None, 3],
        level=["basic", " Desired", None, "expected", "nonsense", None, "surprising"],
        grade=["good", None, None, "GOOD ", None, None, "unknown"],
        touchpoint=["x", "x", "x", "bad one", "x", "x", "x"],
    )
    scale = {"score": "stars", "scale": [1, 5]}
    assert grades(contacts, scale) == ["good", "good", "bad", "good", "good", "unknown", "unknown"]
    rules = {"bad": "touchpoint = 'bad one'"}
    assert grades(contacts, scale, rules) == [
        "good",
        "good",
        "bad",
        "bad",
        "good",
        "unknown",
        "unknown",
    ]
    # said by rule, the other columns are not asked
    otherwise = {**rules, "neutral": "otherwise"}
    assert grades(contacts, scale, otherwise) == ["neutral"] * 3 + ["bad"] + ["neutral"] * 3
    assert grades(contacts, {}, {"bad": "stars <= 1", "good": "stars >= 1"}) == ["bad"] * 4 + [
        "good",
        "unknown",
        "good",
    ]


def test_bad_and_good_at_once_is_bad_and_counted():
    made = study(
        graded(stars=[1, 3, 5]), who(ALWAYS), moments={"bad": "stars <= 3", "good": "stars >= 3"}
    )
    assert [g for *_, g in moments(made)] == [0, 0, 2]
    facts = [(f.name, str(f.value), f.note) for f in audits(made).facts]
    assert ("bad and good at once", "1", "counted as bad") in facts


@pytest.mark.parametrize(
    ("scale", "scores", "expected"),
    [
        ([1, 5], [1, 2, 3, 4, 5, None], "bad bad neutral good good unknown"),
        ([0, 10], [0, 6, 7, 8, 9, 10], "bad bad neutral neutral good good"),
        ([1, 4], [1, 2, 3, 4], "bad bad good good"),
        ([0, 1], [0.0, 0.5, 1.0, float("nan")], "bad neutral good unknown"),
        ([-1, 1], [-1, 0, 1], "bad neutral good"),
    ],
)
def test_scores_on_a_scale(scale, scores, expected):
    assert grades(graded(score=scores), {"scale": scale}) == expected.split()


@pytest.mark.parametrize(
    "level", ["criminal", "basic", "expected", "desired", "surprising", "unbelievable"]
)
def test_levels_of_service(level):
    expected = {"criminal": "bad", "basic": "bad", "expected": "neutral"}.get(level, "good")
    assert grades(graded(level=[level, level.upper()])) == [expected, expected]


def test_a_boolean_rule_and_a_category():
    kinds = pl.Series(["x", "y", None], dtype=pl.Categorical)
    rules = {"bad": "late", "good": "kind in ('y')"}
    assert grades(graded(late=[True, False, None], kind=kinds), {}, rules) == [
        "bad",
        "good",
        "unknown",
    ]


def test_names_of_ours_in_the_log_do_no_harm():
    contacts = graded(
        stars=[1, 5],
        day=[3, 4],
        second=["x", "y"],
        id=[9, 9],
        both=[1, 1],
        reason=["r", "s"],
        row=[7, 8],
        known=[0, 0],
        start=[0, 0],
        exit=[5, 5],
        customer_id=["z", "z"],
        cx_score=[1, 2],
    )
    rules = {"bad": "day = 3 and id = 9 and reason = 'r'", "good": "cx_score = 2 and second = 'y'"}
    assert grades(contacts, {}, rules) == ["bad", "good"]
    people = who(
        ("a", "2024-01-01", None, 1, 2, 3),
        columns=("customer", "start", "end", "entry", "group", "cx_age"),
    )
    assert dict(audits(study(contacts, people, moments=rules)).kept) == {
        "interactions": 2,
        "retention": 1,
    }


def test_columns_with_large_letters_as_exports_have_them():
    contacts = graded(stars=[1, 5]).rename({"customer": "Customer", "at": "At", "stars": "Score"})
    contacts = contacts.with_columns(score=pl.lit("other"))
    people = who(ALWAYS).rename({"customer": "Customer", "start": "Start", "end": "End"})
    made = study(
        contacts.drop("score"),
        people,
        interactions={"customer": "Customer", "at": "At", "score": "Score", "scale": [1, 5]},
        retention={"customer": "Customer", "start": "Start", "end": "End"},
        moments={"exclude": "customer = 'b'"},
    )
    assert [g for *_, g in moments(made)] == [0, 2]


def test_customer_and_time_present_under_another_meaning():
    contacts = (
        graded(stars=[1, 5])
        .with_columns(who=pl.lit("a"), customer=pl.lit("Ann"), when="at")
        .with_columns(at=pl.lit(3))
    )
    made = study(
        contacts,
        who(ALWAYS),
        interactions={"customer": "who", "at": "when", "score": "stars", "scale": [1, 5]},
    )
    assert [g for *_, g in moments(made)] == [0, 2]


def test_rules_on_times_with_a_zone():
    at = pl.Series(
        [datetime(2024, 2, 1, 22, 30), datetime(2024, 2, 1, 23, 30)]
    ).dt.replace_time_zone("UTC")
    contacts = pl.DataFrame({"customer": ["a", "a"], "at": at, "stars": [1, 1]})
    made = study(
        contacts,
        who(ALWAYS),
        interactions={"time_zone": "Europe/Berlin"},
        moments={"bad": "at >= '2024-02-02'"},
    )
    assert [g for *_, g in moments(made)] == [3, 0]


def test_customers_that_are_not_quite_numbers():
    ids = pl.Series([1.0, 1.5, float("nan"), None, float("inf"), 2.0**60, -0.0])
    contacts = pl.DataFrame({"customer": ids}).with_columns(
        at=pl.lit("2024-02-01"), grade=pl.lit("bad")
    )
    people = pl.DataFrame({"customer": [1, 0]}).with_columns(
        start=pl.lit("2024-01-01"), end=pl.lit(None, pl.String)
    )
    assert found(study(contacts, people), "interactions") == {
        "no customer": (2, (3, 4)),
        "customer is no whole number": (3, (2, 5)),
    }


def test_exact_duplicates_with_lists_and_missing_values():
    contacts = log(
        ("a", "2024-02-01", "bad", [1, None], None),
        ("a", "2024-02-01", "bad", [1, None], None),
        ("a", "2024-02-01", "bad", [1], None),
        ("a", "2024-02-01", "bad", [1], float("nan")),
        columns=("customer", "at", "grade", "list", "x"),
    )
    assert found(study(contacts, who(ALWAYS)), "interactions") == {"exact duplicate": (1, (2,))}


def test_one_row_in_each_table():
    assert dict(audits(study(LOG, who(ALWAYS))).kept) == {"interactions": 1, "retention": 1}


def test_rows_of_a_query_have_no_numbers_worth_showing():
    contacts = log(
        *[
            ("a", "2024-02-01", "bad"),
            ("b", "2024-02-01", "bad"),
            ("a", "soon", "bad"),
            (None, "2024-02-01", "bad"),
        ]
        * 50
    )
    raw = {
        "interactions": {
            **WIDE,
            "query": "select c.customer, c.at, c.grade, n.x from contacts c cross join numbers n",
        },
        "retention": {"query": "from people"},
    }
    numbers = pl.DataFrame({"x": range(20)})
    made = cx.study_from(
        raw, contacts=contacts, people=who(ALWAYS, (None, "2024-01-01", None)), numbers=numbers
    )
    counts = []
    for name in ENGINES:
        audit = cx.audit(made, engine=name)
        counts.append(audit.counts())
        assert {f.examples for f in audit.findings} == {()}
        assert dict(audit.tables) == {"contacts": 200, "people": 2, "numbers": 20}
        quarantined = dict(audit.quarantine)["interactions"]
        assert quarantined.columns == ["row of the query", "reason", "customer", "at", "grade", "x"]
        # the reasons stand beside the rows they are about, though a query may come out in another order each time
        for reason, customer, at in quarantined.select("reason", "customer", "at").iter_rows():
            assert {"no customer": customer is None, "unknown customer": customer == "b"}.get(
                reason, at == "soon" or reason == "exact duplicate"
            )
    assert all(count == counts[0] for count in counts)
    with pytest.raises(DataError, match="can be kept; 20 fell to 'start not readable'; say how"):
        cx.audit(
            cx.study_from(
                raw
                | {
                    "retention": {
                        "query": "select customer, grade as start, null as end from contacts"
                    }
                },
                contacts=log(*[(f"c{i}", "2024-02-01", "bad") for i in range(20)]),
                numbers=numbers,
            )
        )
