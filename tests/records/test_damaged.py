"""A Parquet file with a flipped byte ends in an error of our own, not the process."""

import os
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxresearch.records.damaged import check_decodes

FRAME = pl.DataFrame(
    {"customer": ["a", "b", None] * 400, "at": range(1200), "grade": ["bad", "good", None] * 400}
)
STUDY = """[study]
name = "damaged"
[interactions]
source = "log.parquet"
log_from = 0
log_until = 1200
[retention]
kind = "activity"
gap_days = 30
"""


def with_negative_numbers(file, column):
    """Spoil the number of values of a column's first page: one bit of it is its sign."""
    FRAME.write_parquet(file)
    begin = pq.read_metadata(file).row_group(0).column(column).data_page_offset
    whole = file.read_bytes()
    for at in range(begin, begin + 40):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            check_decodes(file)
        except pa.ArrowInvalid as e:
            if "negative number of values" in str(e):
                return
    raise AssertionError("no bit of the page's header is the sign of its number of values")


@pytest.mark.parametrize("column", range(3))
def test_a_flipped_sign_is_an_error_and_no_end_of_the_process(tmp_path, column):
    (tmp_path / "study.toml").write_text(STUDY)
    with_negative_numbers(tmp_path / "log.parquet", column)
    done = subprocess.run(
        [sys.executable, "-m", "cxresearch", "audit", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "cannot be read: " in done.stderr
    assert "it is not a whole Parquet file: write it again" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_type_that_arrow_cannot_decode_is_no_damage(tmp_path, monkeypatch):
    FRAME.write_parquet(tmp_path / "log.parquet")

    def refuses(*_, **__):
        raise pa.ArrowNotImplementedError("no such type")

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", refuses)
    check_decodes(tmp_path / "log.parquet")


def test_a_file_that_shrinks_while_it_is_decoded_is_an_error(tmp_path, monkeypatch):
    file = tmp_path / "log.parquet"
    numbers = np.random.default_rng(1).integers(0, 2**60, 1_000_000)
    pl.DataFrame({"x": numbers}).write_parquet(file, compression="uncompressed")
    real = pq.ParquetFile.iter_batches

    def cut(self, *args, **kwargs):
        for i, batch in enumerate(real(self, *args, **kwargs)):
            if i == 0:
                os.truncate(file, 500)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", cut)
    with pytest.raises(pa.ArrowInvalid, match="out of specification"):
        check_decodes(file)


def test_a_file_is_decoded_once_as_long_as_it_stays_the_same(tmp_path, monkeypatch):
    FRAME.write_parquet(tmp_path / "log.parquet")
    check_decodes(tmp_path / "log.parquet")
    opened = []
    real = pq.ParquetFile
    monkeypatch.setattr(pq, "ParquetFile", lambda *a, **k: opened.append(a) or real(*a, **k))
    check_decodes(tmp_path / "log.parquet")
    assert not opened
    FRAME.head(3).write_parquet(tmp_path / "log.parquet")
    check_decodes(tmp_path / "log.parquet")
    assert len(opened) == 1
