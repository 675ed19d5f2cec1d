"""Values as real tables hold them: each is kept, set aside or refused, and the audit says so, on every engine alike.

A company of 120 customers and 960 contacts, all as text, as an export holds it. A case spoils it, and says what becomes
of the rows. Nothing may happen without a word: every row is accounted for, whatever a case does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.errors import DataError, StudyError
from cxresearch.study.words import FALSE, MISSING, TRUE, ZERO_DATES
from tests.engine_names import ENGINES

N, EACH = 120, 8
FIRST = date(2024, 1, 1)
Spoil = Callable[[pl.DataFrame], pl.DataFrame]


def day(number: int) -> str:
    """The day `number` days after the first, as ISO."""
    return (FIRST + timedelta(days=number)).isoformat()


def people() -> pl.DataFrame:
    """120 customers; each third one left, half a year later and on another day than the others."""
    rows = [
        {
            "customer": f"c{i}",
            "start": day(i % 20),
            "end": day(180 + i) if i % 3 == 0 else None,
            "cause": "switched" if i % 3 == 0 else None,
            "plan": ("basic", "plus")[i % 2],
        }
        for i in range(N)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))


def contacts() -> pl.DataFrame:
    """Eight contacts of each customer, until the end of the year or until half a year has gone."""
    rows = []
    for i in range(N):
        for k in range(EACH):
            at = 20 + (i * 7 + k * 20) % 160 if i % 3 == 0 else 20 + (i * 7 + k * 43) % 345
            rows.append(
                {
                    "customer": f"c{i}",
                    "at": f"{day(at)} {8 + k:02}:{i % 60:02}:00",
                    "stars": str(1 + (i + k) % 5),
                    "is_problem": "yes" if (i + k) % 5 == 0 else "no",
                    "channel": ("web", "phone")[k % 2],
                    "complained_at": None,
                    "grade": None,
                }
            )
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))


@dataclass(frozen=True)
class Case:
    """What is spoilt, and what becomes of it.

    Attributes:
        log: spoils the contacts.
        who: spoils the customers.
        interactions: further settings; likewise `moments` and `retention`.
        lost: reason to the rows that have it.
        says: phrases of the audit.
        warns: codes of its warnings.
        refused: phrases of the error, where the study is refused.
        left: customers who defected; 40 of the company as it is.
    """

    log: Spoil | None = None
    who: Spoil | None = None
    interactions: dict[str, Any] = field(default_factory=dict)
    moments: dict[str, Any] = field(default_factory=dict)
    retention: dict[str, Any] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    warns: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    left: int = 40

    def study(self) -> cx.Study:
        """The study of the spoilt company."""
        log, who = contacts(), people()
        raw = {
            "interactions": {"score": "stars", "scale": [1, 5]} | self.interactions,
            "moments": self.moments,
            "retention": {"cause": "cause", "defection": ["switched"], "segment": "plan"}
            | self.retention,
        }
        return cx.study_from(
            raw,
            interactions=self.log(log) if self.log else log,
            retention=self.who(who) if self.who else who,
        )


def put(column: str, value: object, rows: Iterable[int]) -> Spoil:
    """Write a value into some rows of a column."""
    place = list(rows)
    return lambda frame: frame.with_columns(
        pl.when(pl.int_range(pl.len()).is_in(place))
        .then(pl.lit(value, frame.schema[column]))
        .otherwise(column)
        .alias(column)
    )


def fill(column: str, value: str) -> Spoil:
    """Write a word where a column has nothing."""
    return lambda frame: frame.with_columns(pl.col(column).fill_null(value))


def add(*rows: dict[str, str | None]) -> Spoil:
    """Further rows; what they do not say is empty."""
    return lambda frame: pl.concat([frame, pl.DataFrame(rows, schema=frame.schema)])


def cast(column: str, kind: Any) -> Spoil:
    """A column of another type."""
    return lambda frame: frame.with_columns(pl.col(column).cast(kind))


def several(*steps: Spoil) -> Spoil:
    """One after the other."""

    def spoil(frame: pl.DataFrame) -> pl.DataFrame:
        for step in steps:
            frame = step(frame)
        return frame

    return spoil


def as_dates(column: str) -> Spoil:
    """Texts of a column as dates."""
    return lambda frame: frame.with_columns(pl.col(column).str.to_date())


STAYS = range(1, N, 3)  # the rows of customers who are still there
ENDS = {
    word: Case(
        who=fill("end", word),
        says=("words for missing values in end", "still a customer", word.strip()),
    )
    for word in ("NULL", "null", " N/A ", "NaT", "None", "nan", "-", "\\N", "#N/A", "(blank)")
}
ZEROS = {
    word: Case(
        who=fill("end", word), says=("words for missing values in end", "still a customer", word)
    )
    for word in ("0000-00-00", "0000-00-00 00:00:00", "1900-01-01", "1970-01-01", "9999-12-31")
}
CASES: dict[str, Case] = {
    "as it is": Case(),
    **{f"end {word!r}": case for word, case in (ENDS | ZEROS).items()},
    "end empty": Case(who=fill("end", "")),
    "end blank": Case(who=fill("end", "  ")),
    "end of dates with a far one": Case(
        who=several(fill("end", "9999-12-31"), as_dates("end")),
        says=("words for missing values in end", "'9999-12-31'"),
    ),
    "two words for missing values": Case(
        who=several(put("end", "NULL", [1]), put("end", "n/a", [2])),
        says=("2 (1.7%)  still a customer: 'NULL', 'n/a'",),
    ),
    "a word of the study": Case(
        who=fill("end", "active"),
        retention={"null_values": ["Active"]},
        says=("80 (66.7%)  still a customer: 'active'",),
    ),
    "a word that is not known": Case(
        who=fill("end", "active"),
        refused=("retention.end: the column 'end' cannot be read in 80 of 120 rows", "'active'"),
    ),
    "one end that cannot be read": Case(
        who=put("end", "soon", [1]), lost={"end not readable": 1, "customer set aside": 8}
    ),
    "two ends that cannot be read": Case(
        who=several(put("end", "soon", [1]), put("end", "31.12.2024", [4])),
        refused=("2 of 120 rows (1.7%)", "'31.12.2024', 'soon'", "date_format", "null_values"),
    ),
    "start null": Case(
        who=put("start", "NULL", [1]),
        lost={"no start": 1, "customer set aside": 8},
        says=("words for missing values in start", "no start: the row is left out: 'NULL'"),
    ),
    "start 1900": Case(
        who=put("start", "1900-01-01", [1]), lost={"no start": 1, "customer set aside": 8}
    ),
    "start not readable": Case(
        who=put("start", "01/02/2024", [1]),
        lost={"start not readable": 1, "customer set aside": 8},
    ),
    "many starts": Case(
        who=put("start", "NaT", range(1, 24, 3)),
        lost={"no start": 8, "customer set aside": 64},
        warns=("rows_lost",),
    ),
    "end before start": Case(
        who=several(put("start", day(300), [0, 3])),
        lost={"end before start": 2, "customer set aside": 0, "before the customer's start": 16},
        warns=("leavers_lost",),
        left=38,
    ),
    "start is end": Case(
        who=several(put("start", day(180), [0])),
        lost={"start = end: never at risk": 1, "before the customer's start": 8},
        left=39,
    ),
    "customer null": Case(
        who=put("customer", "NULL", [1]), lost={"no customer": 1, "unknown customer": 8}
    ),
    "customer none": Case(log=put("customer", "None", range(5)), lost={"no customer": 5}),
    "customer of the study": Case(
        log=put("customer", "guest", range(5)),
        interactions={"null_values": ["guest"]},
        lost={"no customer": 5},
    ),
    "customer unknown": Case(log=put("customer", "guest", range(5)), lost={"unknown customer": 5}),
    "one customer has much": Case(
        log=put("customer", "c1", range(400, 640)),
        warns=("one_customer",),
        says=("('c1')",),
        lost={"before the customer's start": 0},
    ),
    "at null": Case(log=put("at", "NULL", range(3)), lost={"no time": 3}),
    "at zeros": Case(log=put("at", "0000-00-00 00:00:00", range(3)), lost={"no time": 3}),
    "at 9999": Case(log=put("at", "9999-12-31", range(3)), lost={"no time": 3}),
    "at 1970": Case(log=put("at", "1970-01-01 00:00:00", range(3)), lost={"no time": 3}),
    "at not readable": Case(log=put("at", "yesterday", range(3)), lost={"time not readable": 3}),
    "at in 2099": Case(
        log=put("at", "2099-01-01 10:00:00", [8]),
        lost={"after the customer's end": 1},
        warns=("stray_last_dates",),
        says=(
            "the last dense day, as log_until is not given; the last contact is dated 2099-01-01",
        ),
    ),
    "at in 1980": Case(
        log=put("at", "1980-05-05 10:00:00", [8]),
        lost={"before the customer's start": 1},
        warns=("stray_first_dates",),
        says=(
            "the first dense day, as log_from is not given; the first contact is dated 1980-05-05",
        ),
    ),
    "at in 2099 that is declared": Case(
        log=put("at", "2099-01-01 10:00:00", [8]),
        interactions={"log_until": date(2099, 1, 1)},
        warns=("channels_end_apart", "tables_end_apart"),
    ),
    "days without a time": Case(
        log=several(
            lambda log: log.with_columns(pl.col("at").str.slice(0, 10)),
            lambda log: pl.concat([log, log.head(40)]),
        ),
        lost={"exact duplicate": 40},
        warns=("day_precision",),
    ),
    "score null": Case(
        log=put("stars", "NULL", range(9)),
        says=("words for missing values in score", "no score: 'NULL'"),
    ),
    "score n/a and nan": Case(
        log=several(put("stars", "n/a", [1]), put("stars", "NaN", [2])),
        says=("2 (0.2%)  no score: 'NaN', 'n/a'",),
    ),
    "score a word": Case(
        log=put("stars", "five", [1, 2]),
        refused=("interactions.score: the column 'stars' must hold numbers", "2 rows", "'five'"),
    ),
    "score with a comma": Case(
        log=put("stars", "4,5", [1]), refused=("'4,5'", "format.decimal_comma = true")
    ),
    "score 99": Case(log=put("stars", "99", [1]), lost={"score off the scale": 1}),
    "score 99 of the study": Case(
        log=put("stars", "99", [1]),
        interactions={"null_values": ["99"]},
        says=("1 (0.1%)  no score: '99'",),
    ),
    "score 99 among numbers": Case(
        log=several(put("stars", "99", [1]), cast("stars", pl.Int64)),
        interactions={"null_values": ["99"]},
    ),
    "scores with a rule": Case(
        log=put("stars", "NULL", range(9)),
        moments={"bad": "stars <= 2", "good": "stars >= 4"},
        says=("the rules bad, good, in this order",),
    ),
    "grade null": Case(
        log=several(put("grade", "bad", range(20)), put("grade", "N/A", [30])),
        says=("words for missing values in grade", "graded by what comes next, or unknown: 'N/A'"),
    ),
    "grade a word": Case(
        log=put("grade", "awful", range(7)),
        warns=("unknown_words",),
        says=("7 (0.7%) contacts have in grade a word that is no grade", "('awful')"),
    ),
    "segment null": Case(
        who=put("plan", "NULL", [1, 2]),
        says=("words for missing values in segment", "unknown: 'NULL'"),
    ),
    "segment none": Case(who=put("plan", "none", [1, 2])),
    "cause null": Case(
        who=put("cause", "N/A", [0, 3]), says=("words for missing values in cause",), left=38
    ),
    "cause nobody left for": Case(
        retention={"defection": ["switched", "Switched"]}, warns=("cause_matches_nothing",)
    ),
    "flag in words": Case(
        log=put("is_problem", "Sí", range(10)),
        refused=(
            "interactions.is_problem",
            "10 rows",
            "neither true nor false: 'Sí'",
            "true_values",
        ),
    ),
    "flag in several words": Case(
        log=several(
            put("is_problem", "maybe", [1]),
            put("is_problem", "Ja", [2, 3]),
            put("is_problem", "nein", [4]),
        ),
        refused=("4 rows", "'Ja', 'maybe', 'nein'"),
    ),
    "flag in words of the study": Case(
        log=several(put("is_problem", "Sí", range(10)), put("is_problem", "nein", range(10, 15))),
        interactions={"true_values": ["sí"], "false_values": ["Nein"]},
    ),
    "flag null": Case(
        log=put("is_problem", "null", range(10)),
        says=("words for missing values in is_problem", "no problem is counted: 'null'"),
    ),
    "flag in numbers": Case(
        log=lambda log: log.with_columns(
            is_problem=(pl.col("is_problem") == "yes").cast(pl.Float64)
        )
    ),
    "flag of 2": Case(
        log=lambda log: log.with_columns(is_problem=pl.lit(2)),
        refused=("interactions.is_problem", "960 rows", "'2'"),
    ),
    "flag of 9 of the study": Case(
        log=lambda log: log.with_columns(is_problem=pl.lit(9)),
        interactions={"null_values": ["9"]},
    ),
    "complaint null": Case(
        log=put("complained_at", "NULL", range(50)),
        says=("words for missing values in complained_at", "did not happen: 'NULL'"),
    ),
    "complaint 1900": Case(
        log=put("complained_at", "1900-01-01", range(50)),
        says=("words for missing values in complained_at", "did not happen: '1900-01-01'"),
    ),
    "complaint not readable": Case(
        log=put("complained_at", "soon", range(3)),
        says=("times not readable in complained_at", "taken as absent", "'soon'"),
    ),
    "complaint that is the leaving": Case(
        log=add(
            *(
                {"customer": f"c{i}", "at": f"{day(180 + i)} 09:00:00", "stars": None}
                | {"is_problem": None, "channel": "web", "grade": None}
                | {"complained_at": f"{day(180 + i)} 09:00:00"}
                for i in range(0, N, 3)
            )
        ),
        warns=("foretells_exit",),
        says=("40 (100.0%) of the complaints fall on the day on which the customer left",),
    ),
    "a channel that is the leaving": Case(
        log=add(
            *(
                {"customer": f"c{i}", "at": f"{day(180 + i - i % 2)} 09:00:00", "stars": None}
                | {"is_problem": None, "channel": name, "grade": None, "complained_at": None}
                for i in range(0, N, 3)
                for name in ("notice", "exit desk")
            )
        ),
        warns=("foretells_exit",),
        says=(
            "80 (100.0%) of the contacts of 2 channels fall on the day on which the customer left",
            "('exit desk', 'notice'); leave them out with moments.exclude",
        ),
    ),
    "a column written afterwards": Case(
        who=lambda who: who.with_columns(
            status=pl.when(pl.col("end").is_null()).then(pl.lit("on")).otherwise(pl.lit("off"))
        ),
        retention={"covariates": ["status"]},
        warns=("tells_who_left",),
    ),
    "accounts closed by an export": Case(
        who=several(fill("end", day(364)), fill("cause", "switched")),
        warns=("exits_jump",),
        left=120,
    ),
    "renewals that touch": Case(
        who=several(
            put("end", day(100), [1]),
            put("cause", "switched", [1]),
            add({"customer": "c1", "start": day(100), "end": None, "cause": None, "plan": "plus"}),
        )
    ),
    "renewals on the next day": Case(
        who=several(
            put("end", day(100), [1]),
            add({"customer": "c1", "start": day(101), "end": None, "cause": None, "plan": "plus"}),
        )
    ),
    "parallel contracts": Case(
        who=add({"customer": "c0", "start": day(50), "end": None, "cause": None, "plan": "plus"}),
        warns=("parallel_rows",),
        says=("1 (0.8%) rows of customers overlap",),
        left=39,
    ),
    "contracts that are named": Case(
        who=several(
            add({"customer": "c0", "start": day(50), "end": None, "cause": None, "plan": "plus"}),
            lambda who: who.with_columns(contract=pl.int_range(pl.len()).cast(pl.String)),
        ),
        retention={"contract": "contract"},
        left=39,
    ),
    "a contract that contradicts itself": Case(
        who=several(
            add({"customer": "c0", "start": day(50), "end": None, "cause": None, "plan": "plus"}),
            lambda who: who.with_columns(contract=pl.col("customer")),
        ),
        retention={"contract": "contract"},
        lost={"conflicting rows of one contract": 2, "customer set aside": 8},
        left=39,
    ),
    "a customer who came back": Case(
        who=add({"customer": "c0", "start": day(250), "end": None, "cause": None, "plan": "plus"}),
        lost={"a later contract, after the first had ended": 1},
    ),
    "a row twice": Case(who=lambda who: pl.concat([who, who.head(1)]), lost={"exact duplicate": 1}),
    "a rule for nothing": Case(
        moments={"exclude": "channel = 'fax'"},
        warns=("rule_matches_nothing",),
        says=("the rule exclude holds for none of 960 contacts; check moments.exclude",),
    ),
    "a rule for all": Case(
        moments={"good": "stars >= 1"},
        warns=("rule_matches_everything",),
        says=("the rule good holds for all of 960 contacts; check moments.good",),
    ),
    "unattended nowhere": Case(
        interactions={"unattended": ["Web", "app"]},
        warns=("name_matches_nothing",),
        says=("no channel or touchpoint is called 'app'",),
    ),
    "a channel that ends": Case(
        log=lambda log: log.filter((pl.col("channel") == "phone") | (pl.col("at") < day(200))),
        warns=("channels_end_apart",),
        says=("('web')",),
    ),
    "an expectation in words": Case(
        log=several(
            lambda log: log.with_columns(respect=pl.lit("4"), solutions=pl.lit("5")),
            put("respect", "fine", [1, 2]),
            put("solutions", "NULL", [3]),
        ),
        warns=("column_of_words",),
        says=(
            "2 (0.2%) contacts hold text in respect, where a number is needed: the column is left out",
            "words for missing values in solutions",
        ),
    ),
    "columns that cannot be what they are called": Case(
        log=lambda log: log.with_columns(
            handoff=pl.lit(FIRST), respect=pl.lit(value=True), is_problem=pl.lit("no")
        ),
        warns=("column_left_out", "column_left_out"),
        says=(
            "the log has a column handoff, which is left out: it holds date instead of true or false",
            "a column respect, which is left out: it holds boolean instead of numbers",
        ),
    ),
    "nobody in common": Case(
        who=lambda who: who.with_columns(customer=pl.format("x{}", "customer")),
        refused=("interactions and retention have no customers in common",),
    ),
}


def quarantined(audit: cx.Audit) -> dict[str, int]:
    """Rows in quarantine, by table."""
    return {table: rows.height for table, rows in audit.quarantine}


def told(study: cx.Study, engine: str) -> cx.Audit | str:
    """The audit, or what the error says."""
    try:
        return cx.audit(study, engine=engine)
    except (DataError, StudyError) as error:
        return str(error)


@pytest.mark.parametrize("name", CASES)
def test_what_becomes_of_it(name):
    case = CASES[name]
    study = case.study()
    first, *others = (told(study, engine) for engine in ENGINES)
    if case.refused:
        assert isinstance(first, str), first
        assert not [phrase for phrase in case.refused if phrase not in first], first
        assert set(others) <= {first}
        return
    assert isinstance(first, cx.Audit), first
    for other in others:
        assert isinstance(other, cx.Audit), other
        assert (other.findings, other.facts, other.warnings) == (
            first.findings,
            first.facts,
            first.warnings,
        )
        assert quarantined(other) == quarantined(first)
    lost: dict[str, int] = {}
    for finding in first.findings:
        lost[finding.reason] = lost.get(finding.reason, 0) + finding.rows
    assert lost == {reason: n for reason, n in case.lost.items() if n}
    assert sorted(w.code for w in first.warnings) == sorted(case.warns)
    text = str(first)
    assert not [phrase for phrase in case.says if phrase not in text], text
    assert first.fact("customers who defected").count == case.left
    # nothing is lost in silence
    for table, read in first.read:
        assert read == study.frames[table].height
        of_table = [f for f in first.findings if f.table == table]
        assert read == dict(first.kept)[table] + sum(f.rows for f in of_table)
        assert quarantined(first).get(table, 0) == sum(f.rows for f in of_table if f.fault)


@pytest.mark.parametrize("seed", range(12))
def test_every_row_is_accounted_for_whatever_comes_together(seed):
    """Several cases at once, on an engine each time another: all rows are there, or the study is refused in a line."""
    random = Random(seed)
    chosen = random.sample([c for c in CASES.values() if not c.refused and not c.retention], 4)
    study = Case(
        log=several(*(c.log for c in chosen if c.log)),
        who=several(*(c.who for c in chosen if c.who)),
    ).study()
    audit = told(study, ENGINES[seed % len(ENGINES)])
    if isinstance(audit, str):
        assert audit.startswith(("interactions", "retention"))
        assert "\n" not in audit
        return
    for table, read in audit.read:
        of_table = [f for f in audit.findings if f.table == table]
        assert read == study.frames[table].height
        assert read == dict(audit.kept)[table] + sum(f.rows for f in of_table)
        assert quarantined(audit).get(table, 0) == sum(f.rows for f in of_table if f.fault)


def test_there_are_enough_cases():
    assert len(CASES) >= 60


@pytest.mark.parametrize("engine", ENGINES)
def test_every_word_for_nothing_is_one(engine):
    """Each word in a row of its own: no customer, no time, no grade, no flag; an end that is none."""
    words = [*MISSING, *ZERO_DATES, "None", "nil"]
    who = people().with_columns(
        end=pl.Series([words[i % len(words)].upper() for i in range(N)]), cause=None
    )
    study = Case(who=lambda _: who).study()
    audit = cx.audit(study, engine=engine)
    assert audit.findings == ()
    assert audit.fact("words for missing values in end").count == N
    assert audit.fact("customers who defected").count == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_every_word_for_true_and_false_is_one(engine):
    words = [*TRUE, *FALSE]
    log = contacts().with_columns(
        is_problem=pl.Series([f" {words[i % len(words)].title()} " for i in range(N * EACH)])
    )
    records = cx.read_records(Case(log=lambda _: log).study(), engine)
    problems = records.engine.collect(records.dated_events).height
    assert problems == sum(i % len(words) < len(TRUE) for i in range(N * EACH))


def test_verdicts_do_not_depend_on_how_nothing_is_written():
    """The hazard ratio with an end of NULL is the one with an empty end."""

    def ratio(case: Case) -> float:
        study = case.study().replace(log_from=FIRST)
        table = cx.risk_table(study, bad=cx.bad_count(1))
        (row,) = cx.cox(table, ["bad"]).to_polars().filter(pl.col("term") == "bad[1+]").to_dicts()
        return float(row["hazard_ratio"])

    expected = ratio(Case())
    assert ratio(ENDS["NULL"]) == expected
    assert ratio(CASES["at in 2099"]) == pytest.approx(expected, rel=0.05)


def test_a_time_of_a_day_that_is_none_is_none_in_any_type():
    for kind in (pl.Date, pl.Datetime("us"), pl.Datetime("ms")):
        log = contacts().with_columns(
            pl.col("at").str.to_datetime().cast(kind),
            complained_at=pl.lit(datetime(1900, 1, 1)).cast(kind),
        )
        audit = cx.audit(Case(log=lambda _, log=log: log).study())
        assert audit.fact("words for missing values in complained_at").count == N * EACH
