"""The ranking of missing columns is what becomes testable when a column is added."""

import polars as pl
import pytest

import cxresearch as cx
from cxresearch.claims.missing_columns import rank_missing_columns

LOG = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
WHO = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
WINDOW = {"log_from": 0, "log_until": 9}


def study_of(raw=None, **columns):
    log = LOG.with_columns(**{k: pl.lit(v) for k, v in columns.items()})
    return cx.study_from({"interactions": WINDOW, **(raw or {})}, interactions=log, retention=WHO)


def open_claims(study):
    checked = cx.check_claims(study)
    return {c for c, lacks in zip(checked.claims, checked.lacks, strict=True) if not lacks}


@pytest.mark.parametrize(
    "column",
    ["complained_at", "posted_at", "problem_at", "handoff", "is_problem", "resolved_at", "agent"],
)
def test_a_column_opens_the_claims_that_it_is_said_to(column):
    ranked = {c.name: c for c in rank_missing_columns(study_of()).columns}
    value = True if column in ("handoff", "is_problem") else "x" if column == "agent" else 3
    opened = open_claims(study_of(**{column: value})) - open_claims(study_of())
    assert opened == set(ranked[column].claims)
    after = {c.name for c in rank_missing_columns(study_of(**{column: value})).columns}
    assert column not in after


def test_columns_that_are_needed_together_name_each_other():
    ranked = {c.name: c for c in rank_missing_columns(study_of()).columns}
    both = open_claims(study_of(problem_at=3, resolved_at=4)) - open_claims(study_of())
    assert "resolution-decides" in both
    assert "resolution-decides" in ranked["problem_at"].claims_with_others
    assert "resolved_at" in ranked["problem_at"].others


def test_the_most_concerned_come_first():
    columns = rank_missing_columns(study_of()).columns
    numbers = [c.n_claims_affected for c in columns]
    assert numbers == sorted(numbers, reverse=True)
    assert columns[0].name == "cause"
    assert columns[0].rival == "other exits"


def test_named_causes_open_nothing_more():
    who = WHO.with_columns(reason=pl.lit("price"))
    raw = {"interactions": WINDOW, "retention": {"cause": "reason", "defection": ["price"]}}
    study = cx.study_from(raw, interactions=LOG, retention=who)
    assert "cause" not in {c.name for c in rank_missing_columns(study).columns}


def test_without_contracts_an_end_opens_most():
    raw = {"retention": {"kind": "activity", "gap_days": 3}}
    study = cx.study_from({"interactions": WINDOW, **raw}, interactions=LOG)
    first = rank_missing_columns(study).columns[0]
    assert first.name == "an end"
    assert first.rival == "pace"
    assert "no-news" in first.claims


def test_it_is_shown_as_text_table_and_html():
    result = rank_missing_columns(study_of())
    assert str(result).splitlines()[0].split()[:2] == ["column", "claims"]
    assert result.to_polars().height == len(result.columns) == len(str(result).splitlines()) - 1
    assert "problem_at" in result._repr_html_()
    assert repr(result).startswith("MissingColumns(cause, ")


def test_records_give_the_same():
    study = study_of()
    assert rank_missing_columns(cx.read_records(study)) == rank_missing_columns(study)


def test_a_claim_about_a_grade_that_no_rule_gives_cannot_be_tried():
    log = LOG.drop("grade").with_columns(pieces=pl.Series([1, 5]))

    def lacks(**moments):
        raw = {"interactions": WINDOW, "moments": moments}
        checked = cx.check_claims(cx.study_from(raw, interactions=log, retention=WHO))
        return dict(zip(checked.claims, checked.lacks, strict=True))

    only_good = lacks(good="pieces >= 4", neutral="otherwise")
    assert "no contact is graded bad" in only_good["bad-moments-drive-away"]
    assert "bad moments" in only_good["anger-to-appreciation"]
    assert only_good["good-moments-build"] == ""
    only_bad = lacks(bad="pieces < 2", neutral="otherwise")
    assert only_bad["bad-moments-drive-away"] == ""
    assert "no contact is graded good" in only_bad["good-moments-build"]
    assert "good moments" in only_bad["anger-to-appreciation"]
