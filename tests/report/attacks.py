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


def counts_of(pages, *words):
    """The counts told of something: in sentences (``1,204 customers``) and in tables whose row is so called."""
    result = set()
    for page in pages:
        for word in words:
            result |= {int(n.replace(",", "")) for n in re.findall(rf"(?<![\d.,–-])([\d,]*\d) {word}", page.text)
                      if f"about {n} {word}" not in page.text}  # fmt: skip
        for rows in page.tables.values():
            for row in rows[1:]:
                if any(word in row[0] for word in words):
                    result |= {n for cell in row[1:] if (n := count(cell)) is not None}
    return result


def differences(wholes, parts):
    """Counts that follow by taking one or two parts from a whole."""
    one = {(w - a): (w, a) for w in wholes for a in parts}
    two = {(w - a - b): (w, a, b) for w in wholes for a in parts for b in parts if a < b}
    return {n: how for n, how in {**two, **one}.items() if n > 0}


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
