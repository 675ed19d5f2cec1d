"""What somebody with the pages of a report in hand can work out: all their numbers, and what follows from them."""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
from scipy.optimize import linprog


@dataclass
class Page:
    """What is to be read in a page.

    Attributes:
        text: all text, attributes that are read aloud and texts of pictures included.
        tables: caption to rows of cells, the heads first.
        charts: specifications with their data.
    """

    text: str = ""
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    charts: list[dict] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.page, self.words, self.skip, self.spec = Page(), [], "", None
        self.caption, self.row, self.cell = None, None, None

    def handle_starttag(self, tag, attrs):
        result = dict(attrs)
        self.words += [
            v for k, v in attrs if k in {"alt", "aria-label", "title", "data-label"} and v
        ]
        for name in ("src", "srcset"):
            if (result.get(name) or "").startswith("data:image/svg+xml,"):
                picture = unquote(result[name].partition(",")[2])
                self.words += [html.unescape(t) for t in re.findall(r">([^<]+)<", picture)]
        if tag == "script":
            self.skip = tag
            self.spec = "" if result.get("type") == "application/json" else None
        if tag == "style":
            self.skip = tag
        if tag == "caption":
            self.caption = ""
        if tag == "tr":
            self.row = []
        if tag in {"td", "th"}:
            self.cell = ""

    def handle_endtag(self, tag):
        if tag == self.skip:
            if self.spec:
                self.page.charts.append(json.loads(self.spec))
            self.skip, self.spec = "", None
        if tag == "caption":
            self.name = " ".join(self.caption.split())
            while self.name in self.page.tables:
                self.name += " (again)"
            self.page.tables[self.name] = []
            self.caption = None
        if tag in {"td", "th"} and self.row is not None:
            self.row.append(" ".join(self.cell.split()))
            self.cell = None
        if tag == "tr" and self.row:
            self.page.tables[self.name].append(self.row)
            self.row = None

    def handle_data(self, data):
        if self.spec is not None:
            self.spec += data
        elif not self.skip:
            self.words.append(data)
            if self.caption is not None:
                self.caption += data
            if self.cell is not None:
                self.cell += data


def read(text):
    """A page, read."""
    reader = _Reader()
    reader.feed(text)
    reader.page.text = " ".join(" ".join(reader.words).split())
    return reader.page


def data(chart):
    """All rows that a chart holds, whatever layer they are in."""
    rows = list(chart.get("data", {}).get("values", []))
    for part in (*chart.get("layer", []), *chart.get("hconcat", []), *chart.get("vconcat", [])):
        rows += data(part)
    for held in chart.get("datasets", {}).values():
        rows += held
    return rows


def count(text):
    """A cell that is a count, or a count with its share; None for anything else."""
    result = re.fullmatch(r"(?:about )?([\d,]+)(?: \([\d.]+%.*\))?", text.strip())
    return int(result[1].replace(",", "")) if result and not text.startswith("about") else None


NOUNS = "customers|moments|contacts|rows|events|defections|departures|days on which"


def counts_told(page):
    """Every count of a page with its place: of sentences, of tables, and of the texts and data of charts.

    A number is a count where one of `NOUNS` follows it, where a cell holds nothing else but its share, and in a chart
    where it stands before a share in brackets or stands alone.
    """
    result = {}
    sentences = [(page.text, "a sentence")]
    sentences += [
        (str(v), chart["usermeta"]["title"])
        for chart in page.charts
        for row in data(chart)
        for v in row.values()
        if isinstance(v, str)
    ]
    for text, place in sentences:
        for found in re.finditer(
            rf"(?<![\d.,–+-])(?<!fewer than )(\d[\d,]*) (?:{NOUNS})\b(?!:)", text
        ):
            result.setdefault(int(found[1].replace(",", "")), f"{place}: {found[0]}")
        for found in re.finditer(r"(?<![\d.,–+-])(\d[\d,]*) \(\d+(?:\.\d)?%", text):
            result.setdefault(int(found[1].replace(",", "")), f"{place}: {found[0]}")
        for found in re.finditer(r"% \((\d[\d,]*)\)", text):
            result.setdefault(int(found[1].replace(",", "")), f"{place}: {found[0]}")
    for caption, rows in page.tables.items():
        for row in rows[1:]:
            for head, cell in zip(rows[0][1:], row[1:], strict=False):
                n = count(cell.removeprefix("about ").removeprefix("−"))
                if n is not None and head not in NO_COUNTS:
                    result.setdefault(n, f"{caption}: {row[0]}: {cell}")
    return result


# heads of columns of whole numbers that are days, or settings
NO_COUNTS = ("first met on day", "is")


def shares_of_same_customers(page):
    """Pairs of printed shares that two readings of one claim give of equally many customers: (share, share, n)."""
    for caption, rows in page.tables.items():
        if "Customers" not in rows[0]:
            continue
        at, held = rows[0].index("Customers"), {}
        for row in rows[1:]:
            n = count(row[at]) if len(row) > at else None
            share = re.match(r"([\d.]+)%", row[1])
            if n and share:
                held.setdefault(n, []).append(share[1])
        for n, told in held.items():
            yield from ((a, b, n, caption) for i, a in enumerate(told) for b in told[i + 1 :])


def count_between(a, b, n):
    """The least and the most customers that two printed shares of n customers can differ by."""
    unit = sum(10.0 ** -len(x.partition(".")[2]) for x in (a, b)) / 200
    between = abs(float(a) - float(b)) / 100
    return max(between - unit, 0.0) * n, (between + unit) * n


def numbers(page):
    """Every number of a page with what stands around it: of texts and of the charts' data."""
    result = [
        (m[0], page.text[max(0, m.start() - 60) : m.end() + 40])
        for m in re.finditer(r"\d[\d,]*\.?\d*%?", page.text)
    ]
    for chart in page.charts:
        for row in data(chart):
            result += [
                (repr(v), str(row))
                for v in row.values()
                if isinstance(v, int | float) and not isinstance(v, bool)
            ]
            result += [
                (m[0], str(row))
                for v in row.values()
                if isinstance(v, str)
                for m in re.finditer(r"\d[\d,]*\.?\d*%?", v)
            ]
    return result


def told_by_a_share(page, part, whole):
    """Numbers that are the share of a part in a whole, or of the others, and exact enough to tell it from others."""
    result = []
    for text, around in numbers(page):
        plain = text.removesuffix("%").replace(",", "")
        digits, scale = len(plain.partition(".")[2]), 100 if text.endswith("%") else 1
        value, half = float(plain) / scale, 0.5 * 10**-digits / scale
        if not 0 < value < 1:
            continue
        low, high = (
            math.ceil((value - half) * whole - 1e-9),
            math.floor((value + half) * whole + 1e-9),
        )
        if low == high and low in (part, whole - part):
            result.append((text, around))
    return result


def steps(chart):
    """The smallest step of each curve of a chart, zero apart; nothing for charts that hold no curves."""
    rows, result = data(chart), {}
    times = {"time", "day"} & set(rows[0] if rows else ())
    if times:
        for name in {r.get("level", r.get("cause", r.get("series"))) for r in rows}:
            mine = [r["share"] for r in rows if name in r.values() and r.get("share") is not None]
            rises = [abs(b - a) for a, b in pairwise(mine) if abs(b - a) > 1e-9]
            result[name] = min(rises, default=1.0)
    return result


def most(sums, goal, cells):
    """The largest value that some cells together can have, given sums of cells: (cells, value)."""
    rows = np.zeros((len(sums), cells))
    for row, (members, _) in zip(rows, sums, strict=True):
        row[list(members)] = 1
    aim = np.zeros(cells)
    aim[list(goal)] = -1
    result = linprog(aim, A_eq=rows, b_eq=[n for _, n in sums], bounds=(0, None))
    return np.inf if result.status == 3 else -result.fun
