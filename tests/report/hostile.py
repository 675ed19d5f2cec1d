"""A study in which every name and text tries to be something else, and its pages."""

from __future__ import annotations

from random import Random

import msgspec
import polars as pl

import cxresearch as cx
from cxresearch.report.pages.html import page, summary, title_of
from cxresearch.report.pages.site import Entry, index
from tests.report.in_process import executed

SCRIPT = "</script><script>window.hit=1</script>"
MARKS = "--><!--DEPTH three-strikes--><!--STALE-->stale<!--/STALE--><!--CONTENTS--><!--CSP-->"
MATHS = "$\\alpha$ `x` [x](javascript:window.hit=3) **bold** {{ 7*7 }} {% x %}"
NAMES = (
    SCRIPT,
    "<img src=x onerror='window.hit=2'>",
    "</style><style>*{display:none}</style>",
    MARKS,
    "&lt;b&gt;&amp;amp;",
    "=1+1",
    MATHS,
    "\u202ereversed",
    "שירות לקוחות",
    "x" * 300,
    "two\nlines\x00\x07\x1b[31m",
)
OWNERS = (
    "@SUM(A1:A9)",
    "zero\u200bwidth\u200djoin",
    "👩‍👩‍👧‍👦 e\u0301\u0323",
    " padded ",
    "padded",
    SCRIPT,
)
TEXT = f"{SCRIPT} {MARKS} {MATHS} \u202e שירות"
TEXT_IN_BRACES = TEXT.replace("{", "{{").replace("}", "}}")
CLAIM = f'../x "><b id=main>{SCRIPT}'


def own_claim():
    """A claim of the catalogue with hostile words and a hostile id."""
    made = msgspec.to_builtins(cx.catalogue()["bad-moments-drive-away"])
    made |= {
        "id": CLAIM,
        "statement": TEXT,
        "source": TEXT,
        "notes": [TEXT],
        "change_our_mind": TEXT,
    }
    made["text"] = {k: f"{v} {TEXT_IN_BRACES}" for k, v in made["text"].items()}
    made["published"] = [{"value": TEXT, "statement": TEXT, "source": TEXT}]
    for reading in made["readings"]:
        reading["label"] = f"{reading['label']} {TEXT}"
    return made


def hostile_study():
    """The study, in memory."""
    random = Random(3)
    log, who = [], []
    for i in range(600):
        start = random.randrange(100)
        end = start + random.randrange(60, 300) if random.random() < 0.6 else None
        who.append(
            (f"{SCRIPT}{i}", start, end, random.choice(OWNERS), random.choice((SCRIPT, TEXT)))
        )
        for _ in range(random.randrange(1, 6)):
            day = random.randrange(start, end or 400)
            grade, level = random.choice(
                (("bad", "basic"), ("good", "desired"), ("neutral", "expected"))
            )
            log.append(
                (f"{SCRIPT}{i}", day, random.choice(NAMES), random.choice(OWNERS), random.choice(NAMES), grade, level,
                 random.choice((1, 5)))
            )  # fmt: skip
    log = pl.DataFrame(
        log,
        schema=["customer", "at", "touchpoint", "owner", "agent", "grade", "level", "respect"],
        orient="row",
    )
    schema = {
        "customer": pl.String,
        "start": pl.Int64,
        "end": pl.Int64,
        "segment": pl.String,
        "cause": pl.String,
    }
    raw = {
        "study": {"name": TEXT, "id": CLAIM, "horizon_days": 150},
        "interactions": {"log_from": 0, "log_until": 400, "expectations_scale": [1, 5]},
        "retention": {
            "segment": "segment",
            "cause": "cause",
            "defection": [SCRIPT],
            "observed_until": 400,
        },
        "claims": [own_claim()],
    }
    return cx.study_from(
        raw, interactions=log, retention=pl.DataFrame(who, schema=schema, orient="row")
    )


def hostile_pages(monkeypatch):
    """File name to page: all notebooks, and the index."""
    study = hostile_study()
    given = {
        "verdicts": {"claims": [CLAIM, "three-strikes"]},
        "explore": {},
        "journey": {},
        "claim": {"claim": CLAIM},
    }
    done = {name: executed(monkeypatch, name, study, **told) for name, told in given.items()}
    entries = [Entry(f"{name}.html", title_of(nb, name), summary(nb)) for name, nb in done.items()]
    made = {f"{name}.html": page(nb, name=name, entries=entries) for name, nb in done.items()}
    return made | {"index.html": index(entries)}
