"""Times in a format: as Python's strptime reads them, and the same on every engine."""

from __future__ import annotations

import locale
import random
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import narwhals.stable.v2 as nw
import polars as pl
import pytest

from cxresearch.engines import engine
from cxresearch.study.timestamps import (
    NAMED,
    directives,
    polars_time,
    read_iso,
    read_texts,
    read_values,
)
from tests.engine_names import EVERY

EPOCH = datetime(1970, 1, 1)
BERLIN = "Europe/Berlin"
FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%m/%d/%y",
    "%d %b %Y",
    "%d %B %Y",
    "%A %d %B %Y %I:%M %p",
    "%a, %d %b %y",
    "%I:%M%p %d.%m.%Y",
    "%Y%m%d",
    "%y%m%d",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y %j",
    "%H%M %d%m%Y",
    "%Y-%m-%d %H:%M %z",
    "%Y-%m",
    "%y %Y",
    "%H %I %Y",
    "%d%m%y%H%M%S",
    "100%% %Y",
    "o'clock (%H.%M) [%Y]",
)


def spoilt(text: str, rng: random.Random) -> str:
    """A text with a slip: a character less, more or other, large letters, no leading zeros."""
    place, other = rng.randrange(len(text)), rng.choice("0123456789:/-. APMapmJanuFeb+Z")
    slips = (
        text[:place] + text[place + 1 :],
        text[:place] + other + text[place:],
        text[:place] + other + text[place + 1 :],
        text.upper(),
        text.replace(" 0", " ").replace("/0", "/").replace("-0", "-"),
    )
    return rng.choice((text, text, *slips))


def beyond_the_rules(text: str) -> bool:
    """Whether a year lies beyond 2099, where Polars knows no rule of daylight saving any more."""
    return any(int(year) > 2099 for year in re.findall("[0-9]{4}", text))


def by_python(text: str, fmt: str, zone: str) -> tuple[int | None, int | None]:
    try:
        at = datetime.strptime(text.strip(), fmt)
    except ValueError:
        return None, None
    if at.tzinfo is not None:
        at = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    since = at - EPOCH
    return (since.days, since.seconds) if at.year >= 1000 else (None, None)


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_format_is_read_as_strptime_reads_it(fmt):
    assert locale.setlocale(locale.LC_TIME) in ("C", "en_US.UTF-8", "C.UTF-8")
    rng, texts = random.Random(fmt), []
    for _ in range(1500):
        year = rng.choice([1001, 1900, 1968, 1969, 2000, 2023, 2024, 2068])
        clock = [rng.randrange(24), rng.randrange(60), rng.randrange(60)]
        at = datetime(year, rng.randint(1, 12), rng.randint(1, 28), *clock)
        written = at.strftime(fmt.replace("%z", rng.choice(["+0130", "-11:00", "Z", "+00:00"])))
        texts.append(spoilt(written, rng))
    read = read_texts(pl.Series(texts), fmt, BERLIN).rows()
    wanted = [by_python(t, fmt, BERLIN) for t in texts]
    # up to nine digits of a second are read, Python reads six
    more = "%f" in fmt
    differing = [
        (t, r, w)
        for t, r, w in zip(texts, read, wanted, strict=True)
        if r != w
        and not (more and w == (None, None) and len(t.rpartition(".")[2]) > 6)
        and not ("%z" in fmt and beyond_the_rules(t))
    ]
    assert differing == []
    assert sum(r != (None, None) for r in read) > 500


READ = {
    ("12/31/69", "%m/%d/%y"): (-1, 0),
    ("12/31/68", "%m/%d/%y"): (36_159, 0),
    ("9:05AM 2.1.2024", "%I:%M%p %d.%m.%Y"): (19_724, 32_700),
    ("2023-5", "%Y-%m"): (19_478, 0),
    ("Jan 2024", "%b %Y"): (19_723, 0),
    ("Jan 2024", "%B %Y"): (None, None),
    ("January 2024", "%b %Y"): (None, None),
    ("2024-01-02 10:00 Z", "%Y-%m-%d %H:%M %z"): (19_724, 39_600),
    ("2024-01-02 10:00 +00", "%Y-%m-%d %H:%M %z"): (None, None),
    ("2024-01-02 10:00 +0000", "%Y-%m-%d %H:%M %z"): (19_724, 39_600),
    ("2024-01-02 10:00 +24:00", "%Y-%m-%d %H:%M %z"): (None, None),
    ("366 2023", "%j %Y"): (None, None),
    ("366 2024", "%j %Y"): (20_088, 0),
    ("2024-02-05T10:00:00.123456789", "%Y-%m-%dT%H:%M:%S.%f"): (19_758, 36_000),
    ("2024-02-05T10:00:60", "%Y-%m-%dT%H:%M:%S"): (None, None),
    ("Mon 06.02.2024", "%a %d.%m.%Y"): (19_759, 0),
    ("20240131", "yyyymmdd"): (19_753, 0),
    ("2024-01-31", "yyyymmdd"): (None, None),
    ("31012024", "ddmmyyyy"): (19_753, 0),
    ("1541105830", "epoch_s"): (17_836, 79_030 + 7200 - 7200),
    ("1541105830796", "epoch_ms"): (17_836, 79_030),
    ("1541105830796.0", "epoch_ms"): (17_836, 79_030),
    ("1541105830796000", "epoch_us"): (17_836, 79_030),
    ("1541105830796000000", "epoch_ns"): (17_836, 79_030),
    ("-3600.5", "epoch_s"): (-1, 86_399),
    ("1541105830796", "epoch_s"): (None, None),
    ("99999999999999999999", "epoch_ns"): (None, None),
    ("1e12", "epoch_ms"): (None, None),
    ("44927", "excel"): (19_358, 0),
    ("44927.75", "excel"): (19_358, 64_800),
    ("-1", "excel"): (None, None),
}


@pytest.mark.parametrize(("text", "fmt"), READ)
@pytest.mark.parametrize("name", EVERY)
def test_known_texts_are_the_same_on_every_engine(name, text, fmt):
    on = engine(name)
    frame = pl.DataFrame({"x": [text, f" {text}\t", None, "", f"{text} and more"]})
    read = on.instant(on.rows(on.frame(frame)), "x", fmt=fmt, zone=BERLIN)
    rows = on.collect(read).sort("cx_row").select("cx_day", "cx_second").rows()
    nothing = (None, None)
    assert rows == [READ[text, fmt], READ[text, fmt], nothing, nothing, nothing]


NUMBERS = {
    ("%Y%m%d", pl.Int64): ([20230131, 20230230, 5, None, -20230131], [19_388, None, None, None, None]),
    ("%Y%m%d", pl.Float64): ([20230131.0, 20230131.5, float("nan"), float("inf"), None], [19_388] + [None] * 4),
    # numbers have no leading zeros
    ("%y%m%d", pl.Int32): ([50131, 690131, 680131, 131, 1], [12_814, -335, 35_824, 10_987, None]),
    ("ddmmyyyy", pl.Int64): ([1022023, 31012023, 0, None, 1], [19_389, 19_388, None, None, None]),
    ("epoch_s", pl.Int64): ([0, -1, 2**62, None, 86_400], [0, 0, None, None, 1]),
    ("epoch_ms", pl.Float64): ([1.5e12, float("nan"), float("inf"), 1e300, None], [17_361] + [None] * 4),
    ("epoch_ns", pl.UInt64): ([2**64 - 1, 1_500_000_000_999_999_999, 0, None, 1], [213_504, 17_361, 0, None, 0]),
    ("excel", pl.Float64): ([44_927.5, float("nan"), -1.0, 1e12, None], [19_358] + [None] * 4),
    ("excel", pl.Int64): ([44_927, 0, -1, 2**62, None], [19_358, -25_569, None, None, None]),
}  # fmt: skip


@pytest.mark.parametrize(("fmt", "kind"), NUMBERS, ids=str)
@pytest.mark.parametrize("name", EVERY)
def test_a_format_decides_what_numbers_mean(name, fmt, kind):
    values, days = NUMBERS[fmt, kind]
    on = engine(name)
    frame = pl.DataFrame({"x": pl.Series(values, dtype=kind)})
    read = on.instant(on.rows(on.frame(frame)), "x", fmt=fmt, zone=BERLIN)
    assert on.collect(read).sort("cx_row")["cx_day"].to_list() == days


def iso_by_python(text: str) -> tuple[int | None, int | None]:
    """The ISO forms, tried one after the other by strptime."""
    offset = None
    day, clock = (*re.split("[T ]", text, maxsplit=1), "")[:2]
    clock = clock.replace(",", ".").replace(" ", "").removesuffix("UTC") + "Z" * text.endswith(
        "UTC"
    )
    for sign in "+-":
        if sign in clock and len(clock.partition(sign)[2]) == 2:
            clock += "00"
    for fmt in ("", "%H:%M", "%H:%M%z", "%H:%M:%S", "%H:%M:%S%z", "%H:%M:%S.%f", "%H:%M:%S.%f%z"):
        try:
            offset = datetime.strptime(f"{day} {clock}".strip(), f"%Y-%m-%d {fmt}".strip())
        except ValueError:
            continue
    if offset is None or (offset.utcoffset() or timedelta(0)).__abs__() > timedelta(
        hours=14, minutes=59
    ):
        return None, None
    at = offset.astimezone(ZoneInfo(BERLIN)).replace(tzinfo=None) if offset.tzinfo else offset
    return (at - EPOCH).days, (at - EPOCH).seconds


def iso_texts() -> list[str]:
    rng, texts = random.Random(7), ["2024-01-01"]
    for _ in range(3000):
        day = datetime(rng.choice([1001, 1969, 2023, 2024]), rng.randint(1, 12), rng.randint(1, 28))
        day += timedelta(seconds=rng.randrange(86_400))
        clock = rng.choice(
            ["", "T%H:%M", " %H:%M", "T%H:%M:%S", " %H:%M:%S", " %H:%M:%S.25", " %H:%M:%S,5"]
        )
        offset = (
            rng.choice(["", "", "Z", " UTC", "+02", "-0330", "+05:45", " +14:00"]) if clock else ""
        )
        texts.append(spoilt(day.strftime(f"%Y-%m-%d{clock}") + offset, rng))
    return [t for t in dict.fromkeys(texts) if not beyond_the_rules(t[:4])]


def test_iso_texts_are_the_same_on_every_engine_and_as_python_reads_them():
    texts, answers = iso_texts(), []
    for name in EVERY:
        on = engine(name)
        read = on.instant(on.rows(on.frame(pl.DataFrame({"x": texts}))), "x", fmt=None, zone=BERLIN)
        answers.append(on.collect(read).sort("cx_row").select("cx_day", "cx_second").rows())
    assert answers[1:] == answers[:-1]
    read = dict(zip(texts, answers[0], strict=True))
    # what is read is what Python reads; what is refused and Python's forms could take is listed
    wrong = {
        t: (r, iso_by_python(t))
        for t, r in read.items()
        if r != (None, None) and r != iso_by_python(t)
    }
    assert wrong == {}
    assert sum(r != (None, None) for r in answers[0]) > 1500


@pytest.mark.parametrize("fmt", ["%d/%m/%Y %H:%M:%S", "epoch_ms"])
@pytest.mark.parametrize("name", EVERY)
def test_many_distinct_values_are_the_same_as_few(name, fmt):
    seconds = pl.Series([1_500_000_000 + 61 * i for i in range(20_000)])
    texts = pl.from_epoch(seconds).dt.strftime(fmt) if "%" in fmt else seconds * 1000
    on = engine(name)
    read = on.instant(on.rows(on.frame(texts.to_frame("x"))), "x", fmt=fmt, zone="UTC")
    day, second = (
        on.collect(read).sort("cx_row")[c].cast(pl.Int64) for c in ("cx_day", "cx_second")
    )
    assert (day * 86_400 + second).equals(seconds, check_names=False)


def test_repeated_and_distinct_texts_are_read_alike():
    few = pl.Series(["1.2.2024", "x", None] * 5)
    assert read_values(few, "%d.%m.%Y", "UTC").equals(read_texts(few, "%d.%m.%Y", "UTC"))
    assert read_values(few[:0], "%d.%m.%Y", "UTC").height == 0


@pytest.mark.parametrize(
    ("fmt", "text"),
    [
        ("%d/%m/%Y %H:%M:%S", "05/02/2024 10:07:09"),
        ("%d %b %Y %H:%M", "5 Feb 2024 10:07"),
        ("%m/%d/%y %I:%M %p", "02/05/24 10:07 PM"),
        ("%d%m%Y %H%M", "05022024 1007"),
        ("%Y%m%dT%H%M%S", "20240205T100709"),
        ("%H:%M %d/%m/%Y", "10:07 05/02/2024"),
        ("%d/%m/%Y %H:%M %z", "05/02/2024 10:07 +0100"),
    ],
)
def test_texts_with_slips_are_read_in_halves_as_in_one(fmt, text):
    """A letter put in, taken away or changed: what is a time to the one is the same time to the other."""
    slips = {text, f" {text} ", text.replace(" ", "  "), text.replace("T", " T")}
    for place in range(len(text)):
        slips |= {text[:place] + c + text[place + 1 :] for c in "019 :/AT"}
        slips |= {text[:place] + c + text[place:] for c in "01 :T"} | {
            text[:place] + text[place + 1 :]
        }
    texts = pl.Series([*sorted(slips), None])
    whole = read_texts(texts, fmt, BERLIN)
    assert read_values(texts, fmt, BERLIN).equals(whole)
    assert 10 < whole["day"].count() < len(texts)


def test_every_named_format_has_a_known_text():
    assert {fmt for _, fmt in READ} | {"mmddyyyy", "yyyymmddhhmm", "yyyymmddhhmmss"} >= set(NAMED)
    assert [directives(f) for f in ("yyyymmddhhmm", "%%Y")] == [["%Y", "%m", "%d", "%H", "%M"], []]
    assert datetime.fromtimestamp(1541105830, UTC).hour == 20


def test_narwhals_frames_keep_their_columns():
    on = engine("polars")
    read = on.instant(
        on.rows(on.frame(pl.DataFrame({"x": ["1.2.2024"]}))), "x", fmt="%d.%m.%Y", zone="UTC"
    )
    assert nw.from_native(nw.to_native(read)).collect_schema().names() == [
        "cx_row",
        "x",
        "cx_day",
        "cx_second",
    ]


@pytest.mark.parametrize("usual", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])
def test_texts_of_the_usual_forms_are_read_as_the_others_are(usual):
    """Reading a text part by part and as a whole gives the same, alone and mixed with what can be read as a whole only.

    The slips are texts of which each part is fine, and which are no times.
    """
    rng = random.Random(3)
    days = [EPOCH + timedelta(seconds=rng.randrange(2**31)) for _ in range(200)]
    same = pl.Series([d.strftime(usual) for d in days])
    slips = [
        f"2024-07-05T{clock}"
        for clock in (
            "0:0:7:09+02:00",
            "10:00:00.5.5",
            "1:00Z",
            "10:00Z",
            "10:00+02:00",
            "9:05:001",
        )
    ]
    mixed = pl.Series(
        [*same, None, "2024-02-30", "2024-1-5", "2024-01-01 00:00:60", "", *iso_texts(), *slips]
    )
    for texts in (same, mixed, mixed[:0], mixed[200:201]):
        wanted = texts.to_frame("x").select(polars_time(pl.col("x"), BERLIN)).to_series()
        assert read_iso(texts, BERLIN).equals(wanted, check_names=False)
