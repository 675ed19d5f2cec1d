"""Awkward files as companies have them: what is kept, set aside or refused, and the sentence that says so.

Each case is made by a function, so that nothing binary lies in the repository. A case is read on every engine, and all
engines must give the same contacts, the same audit, or the same sentence.
"""

from __future__ import annotations

import gzip
import io
import json
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow
import pytest
import xlsxwriter
import xlwt

import cxresearch as cx
from cxresearch.errors import DataError, RuleError, SourceError, StudyError
from cxresearch.records import unpack
from cxresearch.records.records import read_records
from tests.engine_names import ENGINES

DAY = (date(2024, 2, 1) - date(1970, 1, 1)).days
CONTACTS = [("a", "2024-02-01", "bad"), ("b", "2024-02-02 10:00", "good")]
READ = [("a", DAY, 0), ("b", DAY + 1, 36_000)]
WINDOW = {"log_from": date(2024, 1, 1), "log_until": date(2024, 12, 31)}


@dataclass(frozen=True)
class Case:
    """A file, how it is declared, and what comes of it.

    Attributes:
        name: of the file.
        content: its bytes.
        settings: keys of [interactions].
        kept: customer, day and second of each contact; two usual ones when not given.
        rejected: reason to rows.
        facts: phrases that the audit must hold.
        refused: what the error says; nothing is kept then.
    """

    name: str
    content: bytes | Callable[[Path], None]
    settings: Mapping[str, Any] = field(default_factory=dict)
    kept: list[tuple[str, int, int]] = field(default_factory=lambda: READ)
    rejected: Mapping[str, int] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    refused: str = ""


def csv(
    *rows: tuple[object, ...], mark: str = ",", head: tuple[str, ...] = ("customer", "at", "grade")
) -> str:
    return "".join(mark.join(map(str, row)) + "\n" for row in ([head] if head else []) + list(rows))


PLAIN = csv(*CONTACTS)


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def linked() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("log.csv")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def locked() -> bytes:
    """An archive that says it is encrypted."""
    content = bytearray(zipped(("log.csv", PLAIN.encode())))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


def lying() -> bytes:
    """An archive whose file is far larger than it declares."""
    content = bytearray(zipped(("log.csv", PLAIN.encode() + b"\n" * 2**22)))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(mark) + place
        content[at : at + 4] = (100).to_bytes(4, "little")
    return bytes(content)


def workbook(sheets: Mapping[str, list[list[Any]]]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        book = xlsxwriter.Workbook(str(path))
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                for j, value in enumerate(row):
                    if isinstance(value, datetime):
                        sheet.write_datetime(i, j, value, day)
                    elif value is not None:
                        sheet.write(i, j, value)
        book.close()

    return write


def old_workbook(rows: list[list[Any]]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        book = xlwt.Workbook()
        sheet, day = book.add_sheet("Log"), xlwt.XFStyle()
        day.num_format_str = "YYYY-MM-DD HH:MM:SS"
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write(i, j, value, day)
                else:
                    sheet.write(i, j, value)
        book.save(str(path))

    return write


def arranged(
    names: list[str], hidden: tuple[str, ...] | list[str] = (), **options: Any
) -> Callable[[Path], None]:
    """A workbook whose sheets hold the usual rows; the one called Empty holds nothing."""

    def write(path: Path) -> None:
        book = xlsxwriter.Workbook(str(path), options)
        day = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        for name in names:
            sheet = book.add_worksheet(name)
            for i, row in enumerate([HEAD, *ROWS] if name != "Empty" else []):
                for j, value in enumerate(row):
                    sheet.write(i, j, value, day if isinstance(value, datetime) else None)
            if name in hidden:
                sheet.hide()
            else:
                sheet.activate()
        book.close()

    return write


def without_values(path: Path) -> None:
    """A workbook of a program that writes formulas and does not compute them."""
    with xlsxwriter.Workbook(path.with_name("computed.xlsx")) as book:
        sheet, day = book.add_worksheet("Log"), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for i, row in enumerate([HEAD, *ROWS]):
            for j, value in enumerate(row):
                sheet.write(i, j, value, day if isinstance(value, datetime) else None)
        sheet.write_formula(3, 0, '="c"&"1"')
        sheet.write_formula(3, 1, "=DATE(2024,2,3)")
        sheet.write(3, 2, "bad")
    with zipfile.ZipFile(path.with_name("computed.xlsx")) as made, zipfile.ZipFile(path, "w") as to:
        for name in made.namelist():
            to.writestr(name, made.read(name).replace(b"</f><v>0</v>", b"</f>"))
    path.with_name("computed.xlsx").unlink()


def from_1904(path: Path) -> None:
    book, day = xlwt.Workbook(), xlwt.XFStyle()
    book.dates_1904 = True
    day.num_format_str = "YYYY-MM-DD HH:MM:SS"
    sheet = book.add_sheet("Log")
    for i, row in enumerate([HEAD, *ROWS]):
        for j, value in enumerate(row):
            sheet.write(i, j, value, *([day] if isinstance(value, datetime) else []))
    book.save(str(path))


HEAD = ["customer", "at", "grade"]
ROWS = [["a", datetime(2024, 2, 1), "bad"], ["b", datetime(2024, 2, 2, 10), "good"]]
FRAME = pl.DataFrame(CONTACTS, schema=["customer", "at", "grade"], orient="row")
LINES = "".join(json.dumps(dict(zip(HEAD, c, strict=True))) + "\n" for c in CONTACTS)
UMLAUTS = csv(("Jürgen", "2024-02-01", "bad"), ("Zoë", "2024-02-02 10:00", "good"))
NAMED = [("Jürgen", DAY, 0), ("Zoë", DAY + 1, 36_000)]
CHINESE = csv(("张三", "2024-02-01", "bad"), ("李四", "2024-02-02 10:00", "good"))
IN_CHINA = [("张三", DAY, 0), ("李四", DAY + 1, 36_000)]
SECONDS = 1_706_745_600  # 2024-02-01, and 34 hours later
EPOCHS = csv(("a", SECONDS, "bad"), ("b", SECONDS + 34 * 3600, "good"))
FIXED = "a  20240201bad \r\nb  20240202good\r\n"
ON_DAYS = [("a", DAY, 0), ("b", DAY + 1, 0)]
WIDTHS = {"columns": HEAD, "widths": [3, 8, 4], "at_format": "yyyymmdd"}


def amounts(*values: str) -> str:
    rows = ((c, at, v) for (c, at, _), v in zip(CONTACTS, values, strict=True))
    return csv(*rows, mark=";", head=("customer", "at", "score"))


SCORED = {"score": "score", "scale": [0, 5000]}

CASES = {
    # separators
    "semicolons": Case("log.csv", PLAIN.replace(",", ";").encode(), facts=("separated by semicolons",)),
    "tabs named csv": Case("log.csv", PLAIN.replace(",", "\t").encode(), facts=("separated by tabs",)),
    "tabs": Case("log.tsv", PLAIN.replace(",", "\t").encode()),
    "tab ending": Case("log.tab", PLAIN.replace(",", "\t").encode()),
    "commas named tsv": Case("log.tsv", PLAIN.encode(), facts=("separated by commas",)),
    "bars": Case("log.txt", PLAIN.replace(",", "|").encode(), facts=("separated by vertical bars",)),
    "another separator, declared": Case("log.csv", PLAIN.replace(",", "~").encode(),
                                        {"format": {"separator": "~"}}),
    "another separator, not declared": Case("log.csv", PLAIN.replace(",", "~").encode(),
                                            refused="has no column 'customer'; did you mean 'customer~at~grade'?"),
    "semicolons in a text": Case("log.csv", csv(*CONTACTS, head=("customer", "at", "grade"))
                                 .replace("a,", '"a",').encode()),
    "quoted line ends": Case("log.csv", b'customer,at,grade,note\na,2024-02-01,bad,"x\ny;z"\n'
                             b'b,2024-02-02 10:00,good,"p;q\n"\n'),
    "a line that names the separator": Case("log.csv", b"sep=;\r\n" + PLAIN.replace(",", ";").encode(),
                                            facts=("separated by semicolons",)),
    "a line that names a rare separator": Case("log.csv", b"\xef\xbb\xbfsep=~\n" + PLAIN.replace(",", "~").encode()),
    "a line of five million letters": Case("log.csv", b"customer,at,grade,note\na,2024-02-01,bad," + b"x" * 5_000_000
                                           + b"\nb,2024-02-02 10:00,good,y\n"),
    "line ends of two kinds": Case("log.csv", PLAIN.replace("\n", "\r\n", 2).encode()),
    "line ends of three kinds": Case("log.csv", PLAIN.replace("bad\n", "bad\r").encode(),
                                     refused="look at quotes, separators and line ends"),
    "lines before the names": Case("log.csv", b"Export; 3 columns\n\n" + PLAIN.replace(",", ";").encode(),
                                   {"format": {"skip_rows": 2}}, facts=("separated by semicolons",)),
    "a line with too many fields": Case("log.csv", PLAIN.encode() + b"c,2024-02-03,bad,1\n",
                                        refused="look at quotes, separators and line ends"),
    # line ends and marks
    "windows": Case("log.csv", b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode()),
    "line ends of an old kind": Case("log.csv", PLAIN.replace("\n", "\r").encode(),
                                     refused="line ends of an old kind (CR alone): save it with LF or CR LF"),
    "no last line end": Case("log.csv", PLAIN.encode()[:-1]),
    "a file of 0 bytes": Case("log.csv", b"", refused="is empty: a file of 0 bytes"),
    "the names alone": Case("log.csv", b"customer,at,grade\n", refused="the table has no rows"),
    # encodings
    "cp1252": Case("log.csv", UMLAUTS.encode("cp1252"), kept=NAMED, facts=("read as cp1252", "found by itself")),
    "cp1252, declared": Case("log.csv", UMLAUTS.encode("cp1252"), {"encoding": "cp1252"}, NAMED),
    "latin-1, declared": Case("log.csv", UMLAUTS.encode("latin-1"), {"encoding": "latin-1"}, NAMED),
    "utf-16 with a mark": Case("log.csv", UMLAUTS.encode("utf-16"), kept=NAMED, facts=("read as utf-16",)),
    "utf-16 without a mark": Case("log.csv", UMLAUTS.encode("utf-16-le"), kept=NAMED,
                                  facts=("read as utf-16-le", "found by itself")),
    "utf-16, big end first": Case("log.csv", UMLAUTS.encode("utf-16-be"), kept=NAMED,
                                  facts=("read as utf-16-be",)),
    "gbk": Case("log.csv", (CHINESE + "".join(f"王小明{i},2024-02-03,bad\n" for i in range(9))).encode("gbk"),
                {"customer": "customer"}, IN_CHINA + [(f"王小明{i}", DAY + 2, 0) for i in range(9)],
                facts=("read as gb18030",)),
    "gbk, declared": Case("log.csv", CHINESE.encode("gbk"), {"encoding": "gbk"}, IN_CHINA),
    "utf-8": Case("log.csv", CHINESE.encode(), kept=IN_CHINA),
    "utf-8 with a mark": Case("log.csv", CHINESE.encode("utf-8-sig"), kept=IN_CHINA),
    "declared as utf-8 and is not": Case("log.csv", UMLAUTS.encode("cp1252"), {"encoding": "utf-8"},
                                         refused="is not text in utf-8 (byte 0xfc near line 2)"),
    "wrong bytes as marks": Case("log.csv", csv(("J\ufffdrgen", *CONTACTS[0][1:]), CONTACTS[1]).encode()
                                 .replace("\ufffd".encode(), b"\xfc"), {"encoding": "utf8-lossy"},
                                 [("J\ufffdrgen", DAY, 0), READ[1]]),
    "no encoding": Case("log.csv", PLAIN.encode(), {"encoding": "cp1225"},
                        refused="encoding 'cp1225' is not known; did you mean 'cp1252'?"),
    "the mark of the other end": Case("log.csv", b"\xfe\xff" + UMLAUTS.encode("utf-16-be"), {"encoding": "utf-16-le"},
                                      refused="is not text in utf-16-le, going by its first bytes: leave encoding out"),
    "declared as utf-16 and is not": Case("log.csv", UMLAUTS.encode(), {"encoding": "utf-16"},
                                          refused="is not text in utf-16, going by its first bytes"),
    "utf-16, big end first, with a mark": Case("log.csv", b"\xfe\xff" + UMLAUTS.encode("utf-16-be"), kept=NAMED,
                                               facts=("read as utf-16",)),
    "curled quotes in cp1252": Case("log.csv", csv(("O\u2019Neill", *CONTACTS[0][1:]), CONTACTS[1]).encode("cp1252"),
                                    kept=[("O\u2019Neill", DAY, 0), READ[1]], facts=("read as cp1252",)),
    "a zero byte far behind": Case("log.csv", PLAIN.encode() + b"\n" * 2**17 + b"x\0y,2024-02-03,bad\n",
                                   refused="it holds zero bytes"),
    "zero bytes": Case("log.csv", PLAIN.encode() + b"\0" * 9, refused="it holds zero bytes"),
    # no header
    "no names": Case("log.csv", csv(*CONTACTS, head=()).encode(), {"columns": HEAD}),
    "no names and semicolons": Case("log.csv", csv(*CONTACTS, head=(), mark=";").encode(), {"columns": HEAD},
                                    facts=("separated by semicolons",)),
    "too few names": Case("log.csv", csv(*CONTACTS, head=()).encode(), {"columns": HEAD[:2]},
                          refused="its first line has 3 fields, and columns names 2"),
    "fixed width": Case("log.txt", FIXED.encode(), WIDTHS, ON_DAYS),
    "fixed width in cp1252": Case("log.txt", FIXED.replace("a  ", "ä  ").encode("cp1252"), WIDTHS,
                                  [("b", DAY + 1, 0), ("ä", DAY, 0)], facts=("read as cp1252",)),
    "wider than declared": Case("log.txt", FIXED.replace("good", "good!!").encode(), WIDTHS,
                                refused="line 2 is longer than widths say (17 letters, they add up to 15): '!!'"),
    "shorter than declared": Case("log.txt", (FIXED + "c  20240203\r\n\r\n").encode(), WIDTHS,
                                  [*ON_DAYS, ("c", DAY + 2, 0)]),
    "widths without names": Case("log.txt", FIXED.encode(), {"widths": [3, 8, 4]},
                                 refused="interactions.widths needs columns as well"),
    # packed
    "gzip": Case("log.csv.gz", gzip.compress(PLAIN.encode()), facts=("files unpacked from .gz",)),
    "zstd": Case("log.csv.zst", lambda p: p.write_bytes(pyarrow.compress(PLAIN.encode(), "zstd", asbytes=True)),
                 facts=("files unpacked from .zst",)),
    "zip": Case("log.zip", zipped(("deep/log.csv", PLAIN.encode())), facts=("files unpacked from .zip",)),
    "zip and what a Mac adds": Case("log.zip", zipped(("log.csv", PLAIN.encode()), ("__MACOSX/._log.csv", b"x"))),
    "zip of tabs": Case("log.zip", zipped(("log.tsv", PLAIN.replace(",", "\t").encode()))),
    "zip in cp1252": Case("log.zip", zipped(("log.csv", UMLAUTS.encode("cp1252"))), kept=NAMED,
                          facts=("unpacked from .zip", "read as cp1252")),
    "zip with a way out": Case("log.zip", zipped(("../../evil.csv", PLAIN.encode()))),
    "zip of two": Case("log.zip", zipped(("a.csv", b"x"), ("b.csv", b"y")),
                       refused="must hold one file, holds 2 ('a.csv', 'b.csv'): unpack it"),
    "zip of none": Case("log.zip", zipped(), refused="must hold one file, holds 0"),
    "zip of a zip": Case("log.zip", zipped(("a.zip", zipped(("log.csv", PLAIN.encode())))),
                         refused="is not a kind of file that can be read"),
    "zip of a link": Case("log.zip", linked(), refused="holds a link instead of a file"),
    "zip with a password": Case("log.zip", locked(), refused="is locked by a password"),
    "zip that is torn": Case("log.zip", zipped(("log.csv", PLAIN.encode()))[:-30], refused="is not a whole zip file"),
    "gzip that is torn": Case("log.csv.gz", gzip.compress(PLAIN.encode())[:-9], refused="is not a whole gzip file"),
    "zstd that is none": Case("log.csv.zst", PLAIN.encode(), refused="is not a whole zstd file"),
    "zip by another name": Case("log.csv", zipped(("log.csv", PLAIN.encode())),
                                refused="is a zip archive or an Excel workbook (.xlsx), whatever its name"),
    # workbooks
    "workbook": Case("log.xlsx", workbook({"Log": [HEAD, *ROWS]})),
    "workbook of the old kind": Case("log.xls", old_workbook([HEAD, *ROWS])),
    "a sheet of two": Case("log.xlsx", workbook({"Info": [["x"]], "Log": [HEAD, *ROWS]}), {"sheet": "Log"}),
    "which of two sheets": Case("log.xlsx", workbook({"Info": [["x"]], "Log": [HEAD, *ROWS]}),
                                refused='has 2 sheets ("Info", "Log"): say which, as in sheet = "Info"'),
    "no such sheet": Case("log.xlsx", workbook({"Log": [HEAD, *ROWS]}), {"sheet": "log"},
                          refused="has no sheet 'log'; did you mean 'Log'?"),
    "an empty sheet": Case("log.xlsx", workbook({"Log": []}), refused="the sheet 'Log' is empty"),
    "a title above the names": Case("log.xlsx", workbook({"Log": [["Report"], [None], HEAD, *ROWS]}),
                                    {"format": {"skip_rows": 2}}),
    "one sheet that is not hidden": Case("log.xlsx", arranged(["Lookup", "Log", "Empty"], hidden=["Lookup"]),
                                         facts=("neither hidden nor empty", "'Lookup' is hidden, 'Empty' is empty")),
    "two sheets that are not hidden": Case("log.xlsx", arranged(["Old", "Log", "Also"], hidden=["Old"]),
                                           refused='("Old" (hidden), "Log", "Also"): say which, as in sheet = "Log"'),
    "a title over the names": Case("log.xlsx", workbook({"Log": [["Report"], HEAD, *ROWS]}),
                                   refused="a title stands above the names, pass over it with skip_rows under format"),
    "one name over two columns": Case("log.xlsx", workbook({"Log": [[*HEAD, "grade"], *[[*r, "bad"] for r in ROWS]]}),
                                      refused="has two columns 'grade': rename one of them"),
    "a column named as a repeated one would be": Case(
        "log.xlsx", workbook({"Log": [[*HEAD, "grade_1"], *[[*r, "bad"] for r in ROWS]]})),
    "formulas without their values": Case(
        "log.xlsx", without_values, rejected={"no customer": 1},
        facts=("cells of the workbook that hold a formula without its value           2", "open the workbook")),
    "days counted from 1904": Case("log.xlsx", arranged(["Log"], date_1904=True)),
    "days counted from 1904, of the old kind": Case("log.xls", from_1904),
    "days of a spreadsheet, not declared": Case(
        "log.xlsx", workbook({"Log": [HEAD, ["a", 45323, "bad"], ["b", 45324.5, "good"]]}),
        refused='as in at_format = "epoch_ms" or, of a spreadsheet, "excel"'),
    "whole days of a spreadsheet, not declared": Case(
        "log.xlsx", workbook({"Log": [HEAD, ["a", 45323, "bad"], ["b", 45324, "good"]]}),
        refused='say with at_format or date_format what the numbers are, such as "yyyymmdd" or "excel"'),
    "a sheet without names": Case("log.xlsx", workbook({"Log": ROWS}), {"columns": HEAD}),
    "ids that are numbers": Case("log.xlsx", workbook({"Log": [HEAD, [17, *ROWS[0][1:]], [18, *ROWS[1][1:]]]}),
                                 kept=[("17", DAY, 0), ("18", DAY + 1, 36_000)]),
    "dates and texts in one column": Case(
        "log.xlsx", workbook({"Log": [HEAD, *ROWS, ["c", "3.2.2024", "bad"]]}), rejected={"time not readable": 1},
        facts=("say how it is written with at_format: the column 'at' holds '3.2.2024'; '%d.%m.%Y'",)),
    "dates as the numbers they are": Case("log.xlsx", workbook({"Log": [HEAD, ["a", 45323, "bad"],
                                                                        ["b", 45324 + 10 / 24, "good"]]}),
                                          {"at_format": "excel"}),
    "text by the name of a workbook": Case("log.xls", PLAIN.encode(),
                                           refused="is no workbook, but a file of another kind, perhaps text"),
    "a page by the name of a workbook": Case("log.xls", b"<html><table><tr><td>a</td></tr></table>",
                                             refused="is no workbook, but a web page under the name of one"),
    "a workbook that is torn": Case("log.xlsx", b"PK\x03\x04torn", refused="is not a whole workbook"),
    "a sheet of a text file": Case("log.csv", PLAIN.encode(), {"sheet": "Log"},
                                   refused="sheet belongs to files of another kind (workbook); leave it out"),
    # JSON
    "one object to a line": Case("log.ndjson", LINES.encode()),
    "one object to a line, named jsonl": Case("log.jsonl", LINES.encode()),
    "one object to a line, named json": Case("log.json", LINES.encode()),
    "an array": Case("log.json", f"[{','.join(LINES.splitlines())}]".encode()),
    "keys that come and go": Case("log.ndjson",
                                  (LINES + '{"customer":"c","at":"2024-02-03","x":[1,{"y":2}]}\n').encode(),
                                  kept=[*READ, ("c", DAY + 2, 0)]),
    "blank lines and a mark": Case("log.ndjson", b"\xef\xbb\xbf\n" + LINES.replace("\n", "\n\n").encode()),
    "ids of two kinds": Case("log.ndjson", LINES.replace('"a"', "17").encode(), kept=[("17", DAY, 0), READ[1]]),
    "milliseconds, one as a float": Case(
        "log.ndjson", f'{{"customer":"a","at":{SECONDS}000,"grade":"bad"}}\n'
        f'{{"customer":"b","at":{SECONDS + 34 * 3600}000.0,"grade":"good"}}\n'.encode(), {"at_format": "epoch_ms"}),
    "a torn line": Case("log.ndjson", (LINES + '{"customer": "c", "at"\n').encode(),
                        refused="cannot be read as one object to a line"),
    "an array that is torn": Case("log.json", b'[{"customer": "a"},', refused="cannot be read as an array of objects"),
    "a number": Case("log.json", b"17", refused="is no JSON: it begins with '17'"),
    "an empty array": Case("log.json", b"[]", refused="holds no object: there is nothing to read"),
    "packed lines": Case("log.ndjson.gz", gzip.compress(LINES.encode()), facts=("unpacked from .gz",)),
    # Arrow
    "arrow": Case("log.arrow", FRAME.write_ipc),
    "feather, compressed": Case("log.feather", lambda p: FRAME.write_ipc(p, compression="zstd")),
    "a stream of arrow": Case("log.arrow", FRAME.write_ipc_stream, refused="a stream of Arrow is none"),
    "feather of the first version": Case("log.feather", b"FEA1....FEA1", refused="Feather file of version 1"),
    "parquet in a zip": Case("log.zip", lambda p: (FRAME.write_parquet(p.with_name("x")), p.write_bytes(
        zipped(("log.parquet", p.with_name("x").read_bytes()))))),
    # times
    "seconds since 1970": Case("log.csv", EPOCHS.encode(), {"at_format": "epoch_s"}),
    "seconds said to be milliseconds": Case("log.csv", EPOCHS.replace(str(SECONDS), f"{SECONDS}000").encode(),
                                            {"at_format": "epoch_s"}, [READ[1]], {"time not readable": 1},
                                            ("the column 'at' holds '1706745600000'; 'epoch_ms' would read it",)),
    "days as yyyymmdd": Case("log.csv", csv(("a", 20240201, "bad"), ("b", 20240202, "good")).encode(),
                             {"at_format": "yyyymmdd"}, ON_DAYS),
    "days as %Y%m%d": Case("log.csv", csv(("a", 20240201, "bad"), ("b", 20240202, "good")).encode(),
                           {"at_format": "%Y%m%d"}, ON_DAYS),
    "days as numbers, not declared": Case(
        "log.csv", csv(("a", 20240201, "bad"), ("b", 20240202, "good")).encode(),
        refused="say how it is written with at_format: the column 'at' holds '20240201', '20240202'; 'yyyymmdd'"),
    "years of two digits": Case("log.csv", csv(("a", "01/02/24", "bad"), ("b", "02/02/24", "good")).encode(),
                                {"at_format": "%d/%m/%y"}, ON_DAYS),
    "the day first, not declared": Case(
        "log.csv", csv(("a", "29/2/2016 01:16", "bad"), ("b", "30/3/2016 01:16", "good")).encode(),
        refused="the column 'at' holds '29/2/2016 01:16', '30/3/2016 01:16'; '%d/%m/%Y %H:%M' would read them"),
    "months that end in a zero": Case("log.csv", csv(("a", "2024.02", "bad"), ("b", "2024.10", "good")).encode(),
                                      {"at_format": "%Y.%m"}, [("a", DAY, 0), ("b", DAY + 243, 0)]),
    "nanoseconds since 1970": Case("log.csv", EPOCHS.replace(",bad", "000000000,bad").replace(",good", "000000000,good")
                                   .encode(), {"at_format": "epoch_ns"}),
    # numbers
    "decimal commas": Case("log.csv", amounts("2,5", "4000,5").encode(), {**SCORED, "format": {"decimal_comma": True}},
                           facts=("separated by semicolons",)),
    "thousands and decimal commas": Case("log.csv", amounts("2,5", "4.000,5").encode(),
                                         {**SCORED, "format": {"decimal_comma": True, "thousands": "."}}),
    "thousands": Case("log.csv", amounts("250", "4,000").encode(), {**SCORED, "format": {"thousands": ","}}),
    "thousands parted by blanks": Case("log.csv", amounts("250", "4\u00a0000").encode(),
                                       {**SCORED, "format": {"thousands": " "}}),
    "thousands that are not declared": Case("log.csv", amounts("250", "4'000").encode(), SCORED,
                                            refused="interactions.score: the column 'score'"),
    "thousands and decimals alike": Case("log.csv", amounts("1", "2").encode(),
                                         {**SCORED, "format": {"thousands": "."}},
                                         refused="say decimal_comma = true as well"),
}  # fmt: skip


def made(case: Case, folder: Path) -> cx.Study:
    path = folder / case.name
    if callable(case.content):
        case.content(path)
    else:
        path.write_bytes(case.content)
    raw = {
        "interactions": {**WINDOW, "source": case.name, **case.settings},
        "retention": {"kind": "activity", "gap_days": 200},
        "moments": {}
        if "score" in case.settings
        else {"bad": "grade = 'bad'", "neutral": "otherwise"},
    }
    return cx.study_from(raw, folder=folder)


@pytest.mark.parametrize("name", CASES)
def test_an_awkward_file(tmp_path, name):
    case, answers = CASES[name], set()
    for engine in ENGINES:
        if case.refused:
            with pytest.raises((SourceError, DataError, StudyError, RuleError)) as caught:
                read_records(made(case, tmp_path), engine)
            assert case.refused in str(caught.value)
            assert str(caught.value).startswith("interactions")
            assert str(caught.value).isprintable()
            answers.add(str(caught.value))
            continue
        records = read_records(made(case, tmp_path), engine)
        ids = records.engine.collect(records.customers.select("customer", "id"))
        rows = records.engine.collect(records.moments).join(ids, on="customer")
        kept = sorted(rows.select("id", "day", "second").rows())
        assert kept == sorted(case.kept)
        assert {f.reason: f.rows for f in records.audit.findings} == case.rejected
        audit = str(records.audit)
        for fact in case.facts:
            assert fact in audit
        read = dict(records.audit.read)["interactions"]
        assert read == len(case.kept) + sum(case.rejected.values())
        answers.add(audit)
    assert len(answers) == 1


def test_there_are_enough_cases():
    assert len(CASES) >= 70


@pytest.mark.parametrize("content", [zipped(("log.csv", PLAIN.encode() + b"\n" * 2**22)), lying()])
def test_an_archive_that_holds_too_much_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.setattr(unpack, "FREE", 2**20)
    case = Case("log.zip", content, refused="x")
    with pytest.raises(
        SourceError,
        match=r"holds more than 1 MB, far more than its own size|is not a whole zip file",
    ):
        read_records(made(case, tmp_path))


@pytest.mark.parametrize("name", ["log.csv.gz", "log.csv.zst"])
def test_a_packed_file_that_holds_too_much_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(unpack, "FREE", 2**20)
    monkeypatch.setattr(unpack, "RATIO", 10)
    content = PLAIN.encode() + b"\n" * 2**22
    packed = (
        gzip.compress(content)
        if name.endswith("gz")
        else pyarrow.compress(content, "zstd", asbytes=True)
    )
    with pytest.raises(
        SourceError, match=r"holds more than 1 MB, far more than its own size: if it can be trusted"
    ):
        read_records(made(Case(name, packed), tmp_path))
    assert not list(tmp_path.glob("**/unpacked-*"))


def test_a_workbook_that_holds_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("cxresearch.records.files.FREE", 2**10)
    monkeypatch.setattr("cxresearch.records.files.RATIO", 1)
    with pytest.raises(SourceError, match="far more than its own size: save the sheet as CSV"):
        read_records(made(CASES["workbook"], tmp_path))


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_left_in_the_folder_of_a_study(tmp_path, engine):
    case = CASES["zip with a way out"]
    folder = tmp_path / "deep" / "study"
    folder.mkdir(parents=True)
    records = read_records(made(case, folder), engine)
    assert records.audit.kept == (("interactions", 2),)
    assert [p.name for p in tmp_path.glob("**/*") if p.is_file()] == ["log.zip"]


def test_several_files_of_other_kinds_are_one_table(tmp_path):
    for number, line in enumerate(LINES.splitlines()):
        (tmp_path / f"{number}.json").write_text(line + "\n")
    for engine in ENGINES:
        raw = {
            "interactions": {**WINDOW, "source": "*.json"},
            "retention": {"kind": "activity", "gap_days": 200},
        }
        assert dict(cx.audit(cx.study_from(raw, folder=tmp_path), engine=engine).kept) == {
            "interactions": 2
        }


def test_files_of_one_table_that_are_written_differently(tmp_path):
    (tmp_path / "1.csv").write_text(PLAIN)
    (tmp_path / "2.csv").write_text(PLAIN.replace(",", ";"))
    raw = {
        "interactions": {**WINDOW, "source": "*.csv"},
        "retention": {"kind": "activity", "gap_days": 200},
    }
    with pytest.raises(SourceError, match="some files are separated by commas and semicolons"):
        cx.audit(cx.study_from(raw, folder=tmp_path))


def test_notes_about_tables_of_queries_name_the_table(tmp_path):
    (tmp_path / "t.csv").write_bytes(UMLAUTS.replace(",", ";").encode("cp1252"))
    raw = {
        "tables": {"tickets": "t.csv"},
        "interactions": {**WINDOW, "query": "select * from tickets"},
        "retention": {"kind": "activity", "gap_days": 200},
    }
    for engine in ENGINES:
        names = [f.name for f in cx.audit(cx.study_from(raw, folder=tmp_path), engine=engine).facts]
        assert names[:2] == [
            "tables.tickets: files read as cp1252",
            "tables.tickets: files separated by semicolons",
        ]


@pytest.mark.parametrize("engine", ENGINES)
def test_dates_of_customers_in_a_format(tmp_path, engine):
    start = date(2024, 1, 1)
    log = pl.DataFrame({"customer": ["a"], "at": [start + timedelta(days=9)], "grade": ["bad"]})
    who = pl.DataFrame(
        {
            "customer": ["a", "b", "c", *(f"d{i}" for i in range(200))],
            "start": [20240101] * 203,
            "end": [20240301.0, None, 20241341.0, *([None] * 200)],
        }
    )
    made_study = cx.study_from(
        {"interactions": WINDOW, "retention": {"date_format": "yyyymmdd"}},
        interactions=log,
        retention=who,
    )
    audit = cx.audit(made_study, engine=engine)
    assert {f.reason: f.rows for f in audit.findings} == {"end not readable": 1}
    assert "retention.end not readable" in str(audit)


def test_cells_that_hold_an_error_are_counted_and_named(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "log.xlsx") as book:
        sheet = book.add_worksheet("Log")
        sheet.write_row(0, 0, ["who", "day", "stars"])
        for i in range(1, 41):
            sheet.write_row(i, 0, [f"c{i % 5}", f"2024-02-{i % 28 + 1:02}", i % 5 + 1])
        sheet.write_formula(4, 2, "=1/0", None, "#DIV/0!")
        sheet.write_formula(7, 2, "=1/0", None, "#DIV/0!")
        sheet.write_formula(9, 0, "=NA()", None, "#N/A")
    study = cx.study_from(
        {
            "interactions": {
                "source": str(tmp_path / "log.xlsx"),
                "customer": "who",
                "at": "day",
                "score": "stars",
                "scale": [1, 5],
            },
            "retention": {"kind": "activity", "gap_days": 5},
        }
    )
    audit = cx.audit(study)
    (cells,) = [f for f in audit.facts if "error of the workbook" in f.name]
    assert cells.name == "interactions: cells that hold an error of the workbook"
    assert str(cells.value) == "3"
    assert cells.hint == ": 2 #DIV/0! in 'stars', 1 #N/A in 'who'"
    assert {f.reason: f.rows for f in audit.findings}["no customer"] == 1
