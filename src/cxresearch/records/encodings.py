"""How the letters of a text file are encoded: as declared, or found out; and the same text in UTF-8."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from cxresearch.errors import SourceError
from cxresearch.study.validation import LOSSY

_PIECE = 2**20
_TURNED_MARK = "\ufffe"  # a byte order mark that was read from the wrong end
_SAMPLE = 2**18  # bytes around letters beyond ASCII that a guess is made from
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# what charset-normalizer chooses among, where neither rule of this module fits
_OTHERS = [
    "cp1250",
    "cp1251",
    "koi8_r",
    "shift_jis",
    "euc_jp",
    "big5",
    "euc_kr",
    "cp1253",
    "cp1254",
]
_WESTERN = frozenset("àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿßšžÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜÝŸŠŽ")
_SIGNS = frozenset("€£°§©®™«»“”„‘’–—…•¡¿ºª\xa0²³½¼¾µ×·")
_QUOTES = frozenset("’‘\xa0º°ª²³“”„«»")  # signs that stand at a letter


def find_encoding(path: Path, label: str) -> tuple[str, bool]:
    """How a text file is encoded, and whether that is a guess.

    Args:
        path: the file.
        label: how the source is called in messages.

    Raises:
        SourceError: it cannot be found out.
    """
    with path.open("rb") as file:
        head = file.read(2**16)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, False
    zeros = head.count(b"\0")
    if zeros > len(head) / 4:
        # every second byte of letters in ASCII is zero
        return ("utf-16-le" if head[1::2].count(b"\0") > zeros / 2 else "utf-16-be"), True
    wrong = _first_wrong_byte(path)
    if wrong is None:
        return "utf-8", False
    with path.open("rb") as file:
        file.seek(wrong)
        zeros += file.read(1) == b"\0"
    if zeros:
        raise SourceError(
            f"{label} is not text in UTF-8 (it holds zero bytes): save it as CSV in UTF-8"
        )
    sample = _sample(path, wrong)
    if guess := _guess(sample):
        return guess, True
    raise SourceError(
        f"{label} is not text in UTF-8, and how it is encoded cannot be found out: say so, "
        'as in encoding = "cp1252"'
    )


def to_utf8(path: Path, encoding: str, folder: Path, label: str) -> Path:
    """The same text in UTF-8, in a private folder.

    Raises:
        SourceError: the bytes are no text of that encoding.
    """
    errors, name = ("replace", "utf-8") if encoding == LOSSY else ("strict", encoding)
    decoder = codecs.getincrementaldecoder(name)(errors)
    target = folder / f"text-{len(list(folder.iterdir()))}"
    with target.open("wb") as to:
        lines = 0
        for piece, is_last in _pieces(path):
            try:
                text = decoder.decode(piece, is_last)
                is_turned = lines == 0 and text.startswith(_TURNED_MARK)
            except UnicodeDecodeError as e:
                if "BOM" in e.reason:  # from Python 3.13 on
                    raise _no_mark(label, encoding) from None
                line = lines + e.object[: e.start].count(b"\n") + 1
                raise SourceError(
                    f"{label} is not text in {encoding} (byte 0x{e.object[e.start]:02x} near line {line:,}): "
                    "say how it is encoded with encoding"
                ) from None
            except (
                UnicodeError
            ):  # UTF-16 and UTF-32 need a mark, or a name that holds which end comes first
                is_turned = True
            if is_turned:
                raise _no_mark(label, encoding)
            lines += text.count("\n")
            to.write(text.encode("utf-8", "replace"))
    return target


def _no_mark(label: str, encoding: str) -> SourceError:
    return SourceError(
        f"{label} is not text in {encoding}, going by its first bytes: leave encoding out, and it is found, or name "
        'another, as in encoding = "utf-16-be"'
    )


def _pieces(path: Path) -> Iterator[tuple[bytes, bool]]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece, False
    yield b"", True


def _first_wrong_byte(path: Path) -> int | None:
    decoder, before = codecs.getincrementaldecoder("utf-8")(), 0
    for piece, is_last in _pieces(path):
        if b"\0" in piece:
            return before + piece.index(b"\0")
        try:
            decoder.decode(piece, is_last)
        except UnicodeDecodeError:
            return before
        before += len(piece)
    return None


def _sample(path: Path, start: int) -> bytes:
    """Lines with letters beyond ASCII, from the first piece with a wrong byte on."""
    with path.open("rb") as file:
        file.seek(max(0, start - 4096))
        text = file.read(8 * _PIECE)
    lines = [line for line in text.splitlines() if not line.isascii()]
    return b"\n".join(lines)[:_SAMPLE].rpartition(b"\n")[0] or b"\n".join(lines)[:_SAMPLE]


def _guess(sample: bytes) -> str | None:
    if _is_western(sample):
        return "cp1252"
    if _is_chinese(sample):
        return "gb18030"
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_OTHERS).best()
    return best.encoding if best is not None else None


def _is_western(sample: bytes) -> bool:
    """Whether the letters beyond ASCII are those of western Europe, and signs do not stand within words."""
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    high = fitting = 0
    for match in re.finditer(r"[^\x00-\x7f]", text):
        c = match[0]
        around = text[max(0, match.start() - 1) : match.end() + 1].replace(c, "")
        is_sign = c in _SIGNS and (c in _QUOTES or not any(a.isalpha() for a in around))
        high += 1
        fitting += c in _WESTERN or is_sign
    # long runs of accented letters are another alphabet
    runs = [len(r) for r in re.findall(r"[^\x00-\x7f]+", text)]
    return fitting >= 0.95 * high and sum(n for n in runs if n > 3) <= 0.2 * high


def _is_chinese(sample: bytes) -> bool:
    """Whether the bytes beyond ASCII are pairs that stand for common Chinese characters."""
    try:
        sample.decode("gb18030")
    except UnicodeDecodeError:
        return False
    runs = re.findall(rb"[\x80-\xff]+", sample)
    if sum(len(run) % 2 for run in runs) > 0.1 * len(runs):
        return False
    pairs = [run[i] for run in runs for i in range(0, len(run) - 1, 2)]
    common = [lead for lead in pairs if 0xB0 <= lead <= 0xD7]
    marks = [lead for lead in pairs if 0xA1 <= lead <= 0xA3]
    # Korean pairs begin with 0xB0 to 0xC8 alone
    late = [lead for lead in common if lead > 0xC8]
    return len(common) + len(marks) >= 0.85 * len(pairs) and len(late) >= 0.15 * len(common)
