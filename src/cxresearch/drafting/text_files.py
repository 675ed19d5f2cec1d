"""How a text file is written: encoding, separator, header, columns of fixed width, decimal comma."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from cxresearch.drafting.time_forms import forms_of_texts
from cxresearch.errors import SourceError

TEXT_ENDS = (".csv", ".tsv", ".txt", ".dat", ".log")
_PACKED_ENDS = (".gz", ".zip")
_HEAD = 200_000  # bytes that are looked at
_LINES = 1_000
_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_PLAIN_NUMBER = re.compile(r"[+-]?\d+([.]\d+)?$")
_COMMA_NUMBER = re.compile(r"[+-]?\d{1,3}([.]?\d{3})*,\d+$|[+-]?\d+,\d+$")


@dataclass(slots=True)
class TextForm:
    """How a text file is read: keys of a study file that differ from their defaults, and why.

    Attributes:
        keys: key to value.
        reasons: key to why it is guessed.
        header: the first line's names; empty where the file has none.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()

    def say(self, key: str, value: Any, why: str) -> None:
        """Add a key."""
        self.keys[key] = value
        self.reasons[key] = why


def is_text_file(path: Path) -> bool:
    """Whether a file is text by its name, packed or not."""
    name = path.name.lower()
    for end in _PACKED_ENDS:
        if name.endswith(end):
            inner = name.removesuffix(end)
            if end == ".zip":
                with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as packed:
                    inner = next(iter(_members(packed)), "").lower()
            return inner.endswith(TEXT_ENDS)
    return name.endswith(TEXT_ENDS)


def inspect_text(path: Path) -> TextForm:
    """How a text file is written.

    Args:
        path: a text file, which may be packed (.gz, .zip).

    Raises:
        SourceError: it is empty, not text, or not whole.
    """
    form = TextForm()
    try:
        encoding = _find_encoding(path, form)
        with _opened(path) as file:
            text = file.read(_HEAD).decode(encoding, errors="replace")
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as e:
        raise SourceError(f"{path}: cannot be read: {getattr(e, 'strerror', None) or e}") from None
    lines = [line for line in text.lstrip("\ufeff").splitlines()[:_LINES] if line.strip()]
    if not lines:
        raise SourceError(f"{path} is empty: a file without a line")
    separator = _find_separator(lines)
    if separator is None and _find_widths(lines, form):
        return form
    _describe_fields(lines, separator or ",", form, is_tab=".tsv" in path.name.lower())
    return form


def _members(packed: zipfile.ZipFile) -> list[str]:
    """Files in an archive, without those that a system adds."""
    return [n for n in packed.namelist() if not n.endswith("/") and not n.startswith("__MACOSX")]


def _opened(path: Path) -> BinaryIO:
    name = path.name.lower()
    if name.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path))
    if name.endswith(".zip"):
        packed = zipfile.ZipFile(path)
        members = _members(packed)
        if len(members) != 1:
            raise SourceError(
                f"{path} holds {len(members)} files ({', '.join(members[:4])}): unpack it, and name the tables"
            )
        return cast(BinaryIO, packed.open(members[0]))
    return path.open("rb")


def _find_encoding(path: Path, form: TextForm) -> str:
    """The encoding by which the whole file can be read."""
    with _opened(path) as file:
        head = file.read(_HEAD)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            form.say("encoding", "utf-16", "the file begins with the mark of UTF-16")
            return "utf-16"
        if b"\0" in head:
            raise SourceError(f"{path} is not text: it holds zero bytes")
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            while head:
                decoder.decode(head)
                head = file.read(1 << 20)
        except UnicodeDecodeError as e:
            bad = head[e.start : e.start + 1] if e.start < len(head) else b"?"
            form.say(
                "encoding",
                "cp1252",
                f"it is not UTF-8 (a byte {bad.hex()}); cp1252 is what Windows writes in Western Europe; others are "
                "cp1250, latin-1, cp1251",
            )
            return "cp1252"
    return "utf-8-sig"


def _find_separator(lines: Sequence[str]) -> str | None:
    """The separator that gives most lines equally many fields."""
    best, fields = None, 1
    for separator in _SEPARATORS:
        try:
            counts = Counter(len(row) for row in csv.reader(lines, delimiter=separator))
        except csv.Error:
            continue
        number, often = counts.most_common(1)[0]
        if number > fields and often >= 0.9 * sum(counts.values()):
            best, fields = separator, number
    return best


def _find_widths(lines: Sequence[str], form: TextForm) -> bool:
    """Whether the columns have fixed widths: lines of one length, and places that are blank in all of them."""
    length = max(map(len, lines))
    if len(lines) < 3 or any(len(line) != length for line in lines):
        return False
    blank = [all(line[i] == " " for line in lines) for i in range(length)]
    ends = [i + 1 for i in range(length) if not blank[i] and (i + 1 == length or blank[i + 1])]
    if len(ends) < 2:
        return False
    # what is blank after a column belongs to the next one, so that numbers may be right-aligned
    widths = [b - a for a, b in zip([0, *ends], [*ends[:-1], length], strict=False)]
    starts = [0, *ends[:-1]]
    rows = [
        [line[a : a + w].strip() for a, w in zip(starts, widths, strict=True)] for line in lines
    ]
    form.say(
        "widths",
        widths,
        f"all lines looked at have {length} characters, and the same places are blank in all of them",
    )
    _describe_header(rows, form)
    return True


def _describe_fields(lines: Sequence[str], separator: str, form: TextForm, *, is_tab: bool) -> None:
    if separator != ("\t" if is_tab else ","):
        form.say(
            "separator", separator, f"{_SEPARATORS[separator]} gives all lines equally many fields"
        )
    rows = list(csv.reader(lines, delimiter=separator))
    number = Counter(map(len, rows)).most_common(1)[0][0]
    skip = next(i for i, row in enumerate(rows) if len(row) == number)
    if 0 < skip <= 20:
        form.say("skip_rows", skip, f"the first {skip} lines have fewer fields than the others")
        rows = rows[skip:]
    rows = [[cell.strip() for cell in row] for row in rows if len(row) == number]
    _describe_header(rows, form)
    body = rows if "columns" in form.keys else rows[1:]
    decimal = [
        i
        for i in range(number)
        if (cells := [row[i] for row in body if row[i]])
        and all(_COMMA_NUMBER.match(c) or re.match(r"[+-]?\d+$", c) for c in cells)
        and any("," in c for c in cells)
    ]
    if decimal and separator != ",":
        form.say(
            "decimal_comma", True, f"numbers of {len(decimal)} columns are written with a comma"
        )


def _describe_header(rows: Sequence[Sequence[str]], form: TextForm) -> None:
    """Whether the first row holds names: it does unless a cell of it is as those below, and no name."""
    first, body = rows[0], rows[1:]
    why = ""
    if any(_is_value(cell) for cell in first):
        like = [
            i
            for i, cell in enumerate(first)
            if _is_value(cell) and all(_is_value(r[i]) or not r[i] for r in body[:100])
        ]
        why = f"the first row holds the value {first[like[0]]!r}, no name" if like else ""
    elif len({*first}) < len(first) or not all(first):
        why = (
            "the first row has an empty cell or one twice"
            if all(_is_data(r) for r in body[:3])
            else ""
        )
    if why:
        form.say(
            "columns",
            [f"column_{i + 1}" for i in range(len(first))],
            f"{why}: give the columns names",
        )
    else:
        form.header = tuple(first)


def _is_data(row: Sequence[str]) -> bool:
    return any(_is_value(cell) for cell in row)


def _is_value(cell: str) -> bool:
    """Whether a cell is a number or a time."""
    return bool(
        _PLAIN_NUMBER.match(cell) or _COMMA_NUMBER.match(cell) or (cell and forms_of_texts([cell]))
    )
