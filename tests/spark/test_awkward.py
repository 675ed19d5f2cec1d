"""Awkward files and values on Spark: the same rows kept, set aside or refused, and the same sentences.

An audit takes Spark seconds, whatever the size of the company. So the companies of many cases of
`tests.records.test_awkward_values` are put together into one, each with customers of its own: every case must still
lose the rows that it loses alone. Of a file Spark sees what has been read: it must read the same times in it.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl
import pytest

import cxresearch as cx
from cxresearch.engines import engine as engine_named
from cxresearch.errors import CxResearchError, DataError, StudyError
from cxresearch.records.contracts import check_types, identity
from cxresearch.records.sources import open_source, source_notes
from tests.engine_names import EVERY
from tests.records import test_awkward_files as files
from tests.records.test_awkward_values import (
    CASES,
    Case,
    as_dates,
    contacts,
    people,
    quarantined,
    several,
)

pytestmark = pytest.mark.spark

ENGINES = (*EVERY, "spark")
SECTIONS = ("interactions", "moments", "retention")
REFUSED = [name for name, case in CASES.items() if case.refused]
TRIED = [name for name in REFUSED if name not in ("flag in words", "flag of 2")]  # one of a kind
TYPED = ("end of dates with a far one", "score 99 among numbers", "flag in numbers")
# what these say holds for a company of their own only
ALONE = (
    *TYPED,
    "flag of 9 of the study",
    "at in 2099 that is declared",
    "columns that cannot be what they are called",
)
PLAIN = [
    name
    for name, case in CASES.items()
    if name not in (*REFUSED, *ALONE) and not any(getattr(case, s) for s in SECTIONS)
]
SETTINGS = [name for name in CASES if name not in (*REFUSED, *ALONE, *PLAIN)]


def together(names: list[str]) -> Case:
    """The companies of several cases as one, under the settings of all of them."""

    def table(side: str, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        frames = []
        for number, name in enumerate(names):
            spoil = getattr(CASES[name], side)
            frame = spoil(make()) if spoil else make()
            renamed = pl.col("customer").str.replace(r"^c(\d+)$", f"case{number}_${{1}}")
            frames.append(frame.with_columns(renamed))
        return pl.concat(frames, how="diagonal")

    log, who = table("log", contacts), table("who", people)
    settings: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    for name in names:
        for section, keys in settings.items():
            for key, value in getattr(CASES[name], section).items():
                keys[key] = [*keys.get(key, []), *value] if isinstance(value, list) else value
    return Case(log=lambda _: log, who=lambda _: who, **settings)


def audits(study: cx.Study) -> list[cx.Audit]:
    """The audit of each engine, the first one's after it was compared with the others'."""
    first, *others = (cx.audit(study, engine=engine) for engine in ENGINES)
    for other in others:
        assert other.findings == first.findings
        assert other.facts == first.facts
        assert other.warnings == first.warnings
        assert (other.read, other.kept) == (first.read, first.kept)
        assert quarantined(other) == quarantined(first)
    return [first, *others]


@pytest.mark.parametrize("names", [PLAIN, SETTINGS], ids=["plain", "settings"])
def test_many_cases_lose_together_what_they_lose_alone(names):
    audit, *_ = audits(together(names).study())
    lost: Counter[str] = Counter()
    for name in names:
        lost.update(CASES[name].lost)
    found: Counter[str] = Counter()
    for finding in audit.findings:
        found[finding.reason] += finding.rows
    assert +found == +lost
    assert audit.fact("customers who defected").count == sum(CASES[n].left for n in names)


def test_columns_of_types_that_are_not_text():
    """Dates, integers and floats in which a value stands for nothing, in one company."""
    steps = [CASES[name] for name in TYPED]
    log = several(
        *(case.log for case in steps if case.log),
        lambda x: x.with_columns(
            pl.col("at").str.to_datetime("%Y-%m-%d %H:%M:%S"),
            complained_at=pl.lit(datetime(1900, 1, 1)).cast(pl.Datetime("ms")),
        ),
    )
    who = several(*(case.who for case in steps if case.who), as_dates("start"))
    audit, *_ = audits(Case(log=log, who=who, interactions={"null_values": ["99"]}).study())
    assert audit.findings == ()
    assert audit.fact("words for missing values in end").count == 80
    assert audit.fact("words for missing values in complained_at").count == 960
    assert audit.fact("customers who defected").count == 40


@pytest.mark.parametrize("name", TRIED)
def test_what_is_refused_is_refused_in_the_same_words(name):
    study, answers = CASES[name].study(), set()
    for engine in ENGINES:
        with pytest.raises((DataError, StudyError)) as caught:
            cx.audit(study, engine=engine)
        answers.add((type(caught.value), str(caught.value)))
    assert len(answers) == 1


def times(study: cx.Study, engine: str) -> tuple[Any, ...]:
    """What is said of the files of a log; its columns; customer, day and second of each row if it has them."""
    on, settings = engine_named(engine), study.interactions
    rows = on.rows(open_source(study, on, "interactions"))
    notes = [str(note) for note in source_notes(study, on)]
    kinds = {name: kind for name, kind in rows.collect_schema().items() if name != "cx_row"}
    if not {settings.customer, settings.at} <= set(kinds):
        return notes, kinds
    columns = {"customer": settings.customer, "at": settings.at}
    check_types(kinds, columns, "interactions", fmt=settings.at_format)
    rows = rows.with_columns(who=identity(nw.col(settings.customer), kinds[settings.customer]))
    rows = on.instant(rows, settings.at, fmt=settings.at_format, zone=settings.time_zone)
    read = on.collect(rows.select("cx_row", "who", "cx_day", "cx_second")).sort("cx_row")
    return notes, kinds, read.cast({"cx_row": pl.Int64}).rows()


def answer(case: files.Case, folder: Path, engine: str) -> tuple[object, ...]:
    """What comes of a file on an engine: the times in it, or what the error says."""
    try:
        notes, kinds, *rows = times(files.made(case, folder), engine)
    except CxResearchError as error:
        return type(error), str(error)
    return notes, {name: type(kind).__name__ for name, kind in kinds.items()}, *rows


def test_files_hold_the_same_times_and_are_refused_alike(tmp_path):
    """What is read from a file is handed to Spark, so tables of the same types are tried once."""
    different, tried = [], set()
    for number, (name, case) in enumerate(files.CASES.items()):
        (tmp_path / str(number)).mkdir()
        first = answer(case, tmp_path / str(number), "polars")
        kind = (str(first[1]), case.settings.get("at_format"))
        if kind in tried:
            continue
        tried.add(kind)
        if answer(case, tmp_path / str(number), "spark") != first:
            different.append(name)
    assert not different
