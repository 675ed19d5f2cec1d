"""How a text file is written is seen from its bytes."""

import gzip
import zipfile

import pytest

from cxresearch.drafting.text_files import inspect_text, is_text_file
from cxresearch.errors import SourceError

ROWS = "\n".join(f"a{i % 7},2024-01-{i % 28 + 1:02},{i % 5}" for i in range(60))


def form_of(tmp_path, content, name="log.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return inspect_text(path)


def test_a_plain_file_needs_no_key(tmp_path):
    form = form_of(tmp_path, f"customer,at,stars\n{ROWS}\n")
    assert form.keys == {}
    assert form.header == ("customer", "at", "stars")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator(tmp_path, separator):
    text = f"customer,at,stars\n{ROWS}\n".replace(",", separator)
    assert form_of(tmp_path, text).keys == {"separator": separator}


def test_a_tab_in_a_tsv_goes_without_saying(tmp_path):
    text = f"customer,at,stars\n{ROWS}\n".replace(",", "\t")
    assert form_of(tmp_path, text, "log.tsv").keys == {}


def test_separators_within_quotes_are_none(tmp_path):
    text = 'customer,note\n"a","x;y;z"\n"b","p;q;r"\n'
    assert form_of(tmp_path, text).keys == {}


def test_numbers_with_a_comma(tmp_path):
    text = "customer;at;amount\n" + "\n".join(f"a;2024-01-02;1.{i:03},50" for i in range(20))
    assert form_of(tmp_path, text).keys == {"separator": ";", "decimal_comma": True}


def test_a_file_without_a_header(tmp_path):
    form = form_of(tmp_path, ROWS)
    assert form.keys == {"columns": ["column_1", "column_2", "column_3"]}
    assert "'2024-01-01'" in form.reasons["columns"]


def test_a_header_that_holds_a_number_is_one(tmp_path):
    assert form_of(tmp_path, "customer,2019\na,x\nb,y\n").keys == {}


def test_lines_above_the_header(tmp_path):
    text = f"Report of the week\n\ncustomer,at,stars\n{ROWS}\n"
    assert form_of(tmp_path, text).keys == {"skip_rows": 1}


def test_columns_of_fixed_width(tmp_path):
    lines = [
        f" {i % 97:05} 2021{i % 12 + 1:02}{i % 28 + 1:02} {i % 4 + 1:2} {i * 1.37 % 300:7.2f}"
        for i in range(300)
    ]
    form = form_of(tmp_path, "\r\n".join(lines).encode(), "master.txt")
    assert form.keys["widths"] == [6, 9, 3, 8]
    assert form.keys["columns"] == ["column_1", "column_2", "column_3", "column_4"]


def test_lines_of_one_length_without_blanks_are_one_column(tmp_path):
    assert form_of(tmp_path, "name\nanna\nbert\ncleo\n").keys == {}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Kündigung".encode("cp1252"), "cp1252"), ("Zoë".encode("utf-16"), "utf-16")],
)
def test_other_encodings(tmp_path, text, encoding):
    body = f"customer,{text.decode(encoding)}\na,1\n".encode(encoding)
    assert form_of(tmp_path, body).keys["encoding"] == encoding


def test_a_byte_far_down_counts_too(tmp_path):
    body = b"customer,note\n" + b"a,plain\n" * 200_000 + "b,Müller\n".encode("cp1252")
    assert form_of(tmp_path, body).keys == {"encoding": "cp1252"} | form_of(tmp_path, body).keys
    assert form_of(tmp_path, body).keys["encoding"] == "cp1252"


def test_packed_files(tmp_path):
    text = f"customer;at;stars\n{ROWS.replace(',', ';')}\n".encode()
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as packed:
        packed.writestr("inner.csv", text)
        packed.writestr("__MACOSX/inner.csv", b"\0")
    for name in ("log.csv.gz", "log.zip"):
        assert is_text_file(tmp_path / name)
        assert inspect_text(tmp_path / name).keys == {"separator": ";"}


def test_an_archive_of_several_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as packed:
        packed.writestr("one.csv", "a,b\n1,2\n")
        packed.writestr("two.csv", "a,b\n1,2\n")
    with pytest.raises(SourceError, match=r"holds 2 files \(one.csv, two.csv\)"):
        inspect_text(tmp_path / "log.zip")


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"a\0b", "not text")])
def test_what_is_no_table(tmp_path, content, message):
    with pytest.raises(SourceError, match=message):
        form_of(tmp_path, content)


def test_a_broken_archive(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        form_of(tmp_path, b"no gzip", "log.csv.gz")
