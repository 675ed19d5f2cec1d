"""How many come back after a silence, as it is shown."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

import cxresearch as cx
from cxresearch import charts
from cxresearch.cli import main
from tests.small_studies import day


def shop(folder=None, **retention: object) -> cx.Study:
    """A shop of 60 customers over 400 days: half come back after 40 days, once; the others do not."""
    rows = [(f"c{i}", 30 + i % 20) for i in range(60)]
    rows += [(f"c{i}", 70 + i % 20) for i in range(0, 60, 2)]
    log = pl.DataFrame(rows, schema=["customer", "at"], orient="row").with_columns(
        grade=pl.lit("bad")
    )
    settings = {
        "study": {"name": "a shop"},
        "interactions": {"log_from": 0, "log_until": 400},
        "retention": {"kind": "activity", "gap_days": 20, **retention},
    }
    return cx.study_from(settings, interactions=log)


def test_the_share_that_comes_back_by_length_of_silence():
    found = cx.silences.gaps(shop())
    by = {s.days: s for s in found.silences}
    # 90 silences, of which 30 end after 40 days: within 20 to 40 days a third, within 60 to 120 nobody
    assert by[20].silences == 90
    assert by[20].returned == pytest.approx(1 / 3)
    assert by[60].returned == 0
    assert 0 < by[60].high < 0.06
    assert by[20].low < 1 / 3 < by[20].high
    assert (found.declared, found.counted, found.is_certain) == (20, 40, True)
    assert found.proposed == 40
    assert "From 40 days of silence on, fewer than 5% come back" in str(found)


def test_where_many_come_back_from_every_silence_no_gap_is_proposed():
    # every customer comes back after 40, then after 80, then after 150 days
    days = (0, 40, 120, 270)
    rows = [(f"c{i}", d + i % 5) for i in range(60) for d in days]
    log = pl.DataFrame(rows, schema=["customer", "at"], orient="row").with_columns(
        grade=pl.lit("bad")
    )
    settings = {
        "interactions": {"log_from": 0, "log_until": 400},
        "retention": {"kind": "activity", "gap_days": 30},
    }
    found = cx.silences.gaps(cx.study_from(settings, interactions=log))
    assert (found.counted, found.is_certain) == (30, False)
    assert "a silence is not known to be an end" in found.advice or found.proposed is not None


def test_a_study_with_contracts_has_no_gaps():
    log = pl.DataFrame({"customer": ["a"], "at": [day(1)], "grade": ["bad"]})
    who = pl.DataFrame({"customer": ["a"], "start": [day(0)], "end": [day(9)]})
    with pytest.raises(cx.NotTestable, match="retention derived from the contacts"):
        cx.silences.gaps(cx.study_from({}, interactions=log, retention=who))


def test_the_chart_shows_the_declared_and_the_counted_gap():
    chart = charts.silences(cx.silences.gaps(shop())).to_dict()
    assert "20 days: 33%" in chart["description"]
    shown = json.dumps(chart)
    assert "counts as a lapse" in shown
    assert "declared" in shown


def write_shop(folder):
    shop().frames["interactions"].write_parquet(folder / "log.parquet")
    (folder / "study.toml").write_text(
        '[interactions]\nsource = "log.parquet"\nlog_from = 0\nlog_until = 400\n'
        '[retention]\nkind = "activity"\ngap_days = 20\n'
    )


def test_the_command_prints_writes_and_draws(tmp_path):
    write_shop(tmp_path)
    json_file, picture = tmp_path / "gaps.json", tmp_path / "gaps.svg"
    args = ["gaps", str(tmp_path / "study.toml"), "--json", str(json_file), "--chart", str(picture)]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    assert "come back within as long again" in result.output
    written = json.loads(json_file.read_text())
    assert written["counted_days"] == 40
    assert written["silences"][0]["days"] == 1
    drawn = picture.read_text()
    assert drawn.startswith("<svg")
    assert "Who comes back after a silence" in drawn  # a picture by itself has its title
    assert "currentColor" not in drawn


@pytest.mark.parametrize(
    ("name", "begins"), [("gaps.png", b"\x89PNG"), ("gaps.PDF", b"%PDF"), ("gaps", b"<svg")]
)
def test_a_picture_is_of_the_kind_that_its_name_ends_in(tmp_path, name, begins):
    write_shop(tmp_path)
    args = ["gaps", str(tmp_path / "study.toml"), "--chart", str(tmp_path / name)]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_picture_of_another_kind_is_refused_before_the_work(tmp_path):
    write_shop(tmp_path)
    args = ["gaps", str(tmp_path / "study.toml"), "--chart", str(tmp_path / "gaps.xlsx")]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    assert "does not end in .svg or .png or .pdf" in result.output
    assert "come back" not in result.output
