from collections import Counter

import numpy as np
import polars as pl
import pytest

import cxresearch as cx
from tests.journey.companies import company, contract, told

NAMES = ("criminal", "basic", "expected", "desired", "surprising", "unbelievable", "unknown")


def levelled(seed, **moments):
    """A company whose log tells levels, with a few blanks; graded by them unless rules say otherwise."""
    log, who = company(300, seed)
    drawn = np.random.default_rng(seed).integers(0, 7, log.height)
    level = pl.Series(np.array(NAMES)[drawn]).replace("unknown", "  ")
    log = log.drop("grade").with_columns(level=level, stars=pl.Series(drawn))
    study = contract(log, who)
    return (study.replace(**moments) if moments else study), drawn


def test_levels_are_counted_and_graded_as_usual():
    study, drawn = levelled(1)
    result = cx.journey.service_levels(study)
    counts = Counter(NAMES[i] for i in drawn.tolist())
    assert result.levels == NAMES
    assert result.counts == tuple(counts[v] for v in NAMES)
    assert result.shares == pytest.approx([counts[v] / len(drawn) for v in NAMES])
    assert result.counts_as == ("bad", "bad", "neutral", "good", "good", "good", "unknown")
    assert result.moments == len(drawn)


def test_what_a_level_counts_as_is_what_the_study_says():
    study, drawn = levelled(2, bad="stars <= 2 or customer < 100 and stars = 3")
    result = cx.journey.service_levels(study)
    assert result.counts_as[:3] == ("bad", "bad", "bad")
    assert result.counts_as[3] == "mostly good"
    bad = result.to_polars().filter(pl.col("level") == "desired")["bad"].item()
    assert 0 < bad < (drawn == 3).sum() / 2
    assert sum(result.grades[3]) == (drawn == 3).sum()


def test_small_levels_are_hidden_with_what_would_give_them_away():
    levels = ["basic"] * 4 + ["expected"] * 30 + ["desired"] * 12 + [None] * 20
    rows = {"customer": list(range(66)), "at": list(range(5, 71)), "level": levels}
    result = cx.journey.service_levels(told(rows))
    assert result.counts == (0, None, 30, None, 0, 0, 20)
    assert result.shares[1] is None
    assert result.grades[1] == result.grades[3] == (None,) * 4
    assert result.counts_as == ("–", "bad", "neutral", "good", "–", "–", "unknown")
    assert ">12<" not in result._repr_html_()
    assert "not shown" in result._repr_html_()


def test_without_levels():
    with pytest.raises(
        cx.NotTestable, match=r'a level of service of its contacts: name the column .* level = "…"'
    ):
        cx.journey.service_levels(contract(*company(50, 1)))


def test_engines_agree():
    study, _ = levelled(3)
    assert cx.journey.service_levels(cx.read_records(study, "duckdb")) == cx.journey.service_levels(
        study
    )
