"""Mutate study files and tables at random, and see what becomes of them.

    python -m benchmarks.mutations [--count 20000] [--jobs 1] [--out benchmarks/mutations.md]

Each mutation has a number, and the number gives the same mutation everywhere. A small study, right in itself, is spoilt
in one to four places: in its TOML, in the text of a table, in the types of a column, in the bytes of a Parquet file.
Then it is audited, and every fourth time a claim is tried. What may come of it is an answer in which every row is
accounted for, or one of the package's errors, within 30 seconds of processor time. Anything else is a finding: its
number reproduces it (`--only N`).

Numbers that are done are kept in `benchmarks/work/mutations.jsonl`, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import polars as pl

import cxresearch as cx
from cxresearch.errors import CxResearchError, LimitError
from cxresearch.utils.limits import Limits, enforced

HERE = Path(__file__).parent
DONE = HERE / "work" / "mutations.jsonl"
LIMIT = Limits(minutes=10, memory=3)
SECONDS = 30.0  # of processor time, which other work on the machine does not lengthen; the limit above ends what waits
CHUNK = 250  # mutations that one process works on
CONTRACT = """
[study]
name = "Small"
horizon_days = 60
min_cell = 3

[interactions]
source = "log.csv"
customer = "customer"
at = "at"
score = "stars"
scale = [1, 5]
touchpoint = "place"
log_from = 2024-01-01
log_until = 2024-07-31

[moments]
bad = "stars <= 2"
good = "stars >= 4"
exclude = "place = 'closing'"
blackout_days = 1

[retention]
kind = "contract"
source = "customers.csv"
start = "start"
end = "end"
cause = "cause"
segment = "plan"
defection = ["price"]

[decision]
level = 0.95
"""
ACTIVITY = """
[interactions]
query = "select customer, at, case when stars <= 2 then 'bad' else 'good' end as grade, place from log where stars > 0"
touchpoint = "place"
time_zone = "Europe/Berlin"

[retention]
kind = "activity"
gap_days = 30

[tables]
log = "log.csv"
"""
STUDIES = {"contract": CONTRACT, "activity": ACTIVITY}
VALUES = (
    "", " ", "0", "-1", "1e308", "-1e-308", "nan", "inf", "9" * 30, "9" * 400, "true", "null", "NULL", "N/A", "\x00",
    "\ufeff", "\u202e", "\x1b[31m", "'", '"', '"""', "\\", "a,b", "a\nb", "a;b", "=1+1", "<script>", "${HOME}",
    "../../etc/passwd", "2024-02-30", "0001-01-01", "9999-12-31", "2024-06-30T23:59:60", "1970-01-01T00:00:00Z",
    "12/31/2024", "31.12.2024", "é" * 50, "x" * 5000, "𝔘", "ß", "1,5", "1.000,5", "½", "[1, 2]", "{}", "[[]]", "-0",
    "1979-05-27T07:32:00-08:00", "select", "drop table log", "bad", "good", "customer", "row", "reason", "cx_row",
    "log.csv", "customers.csv", "*.csv",
)  # fmt: skip
TYPES = (
    pl.Int8, pl.Int64, pl.UInt64, pl.Float32, pl.Boolean, pl.Date, pl.Datetime("ns"), pl.Binary, pl.Categorical,
    pl.Time, pl.Duration,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a mutation.

    Attributes:
        number: of the mutation.
        what: how it was spoilt, such as ``toml`` or ``bytes``.
        result: ``answered``, the name of one of our errors, or ``finding``.
        seconds: of processor time that it took.
        detail: of a finding.
    """

    number: int
    what: str
    result: str
    seconds: float
    detail: str = ""


def tables(random: Random) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A log and a table of customers without a fault."""
    log, who = [], []
    for i in range(40):
        start = random.randrange(60)
        end = start + random.randrange(40, 140) if random.random() < 0.6 else None
        cause = random.choice(("price", "moved")) if end is not None else None
        who.append((f"c{i}", _day(start), end and _day(end), cause, random.choice("ab")))
        for _ in range(random.randrange(1, 5)):
            on = random.randrange(start, end or 200)
            stars = random.randrange(1, 6)
            log.append((f"c{i}", _day(on), stars, random.choice(("app", "call", "closing"))))
    names = ["customer", "start", "end", "cause", "plan"]
    return (
        pl.DataFrame(log, schema=["customer", "at", "stars", "place"], orient="row"),
        pl.DataFrame(who, schema=names, orient="row", infer_schema_length=None),
    )


def _day(number: int) -> str:
    return f"2024-{1 + number // 31:02d}-{1 + min(number % 31, 27):02d}"


def spoilt_text(random: Random, text: str) -> str:
    """A text with a letter, a word or a line changed."""
    kind = random.randrange(7)
    if kind == 0 and text:
        at = random.randrange(len(text))
        return text[:at] + random.choice(VALUES) + text[at + random.randrange(3) :]
    lines = text.split("\n")
    at = random.randrange(len(lines))
    if kind == 1:
        del lines[at]
    elif kind == 2:
        lines.insert(at, lines[random.randrange(len(lines))])
    elif kind == 3:
        other = random.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 4:
        lines = lines[: at + 1]
    else:
        separator = " = " if " = " in lines[at] else ","
        cells = lines[at].split(separator)
        value = random.choice(VALUES)
        if separator == " = " and random.random() < 0.7:
            value = json.dumps(value)
        cells[random.randrange(len(cells))] = value
        lines[at] = separator.join(cells)
    return "\n".join(lines)


def spoilt_bytes(random: Random, content: bytes) -> bytes:
    """Bytes with some of them changed, missing or doubled."""
    at = random.randrange(len(content) or 1)
    kind = random.randrange(4)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]
    if kind == 2:
        return content[:at] + random.randbytes(random.randrange(1, 20)) + content[at:]
    return content[:at] + content[at + random.randrange(1, 40) :]


def spoilt_types(random: Random, frame: pl.DataFrame) -> pl.DataFrame:
    """A table with a column of another type, twice, renamed, or gone."""
    name = random.choice(frame.columns)
    column = frame[name]
    kind = random.randrange(6)
    if kind == 0:
        try:
            changed = column.cast(random.choice(TYPES), strict=False)
        except pl.exceptions.PolarsError:  # no such cast: nothing but a column of nulls is left
            changed = pl.Series(name, [None] * frame.height)
        return frame.with_columns(changed)
    if kind == 1:
        return frame.with_columns(pl.concat_list(name).alias(name))
    if kind == 2:
        return frame.with_columns(pl.struct(name).alias(name))
    if kind == 3:
        other = random.choice(VALUES)[:60] or "x"
        return frame if other in frame.columns else frame.rename({name: other})
    if kind == 4:
        return frame.drop(name)
    rows = random.choice([0, 1, frame.height])
    return pl.concat([frame.head(rows), frame.head(random.randrange(5))])


def write(random: Random, folder: Path) -> tuple[str, str]:
    """Write a spoilt study; returns how it was spoilt, and what the study was."""
    name = random.choice(list(STUDIES))
    toml, (log, who) = STUDIES[name], tables(random)
    what = random.choice(("toml", "cells", "bytes", "types", "parquet", "toml and cells"))
    times = random.choice((1, 1, 1, 2, 4))
    if what == "types":
        for _ in range(times):
            if random.random() < 0.5:
                log = spoilt_types(random, log) if log.width else log
            else:
                who = spoilt_types(random, who) if who.width else who
    texts: dict[str, bytes] = {}
    if what in ("types", "parquet"):
        toml = toml.replace("log.csv", "log.parquet").replace("customers.csv", "customers.parquet")
        for file, frame in (("log.parquet", log), ("customers.parquet", who)):
            frame.write_parquet(folder / file)
            texts[file] = (folder / file).read_bytes()
    else:
        texts = {"log.csv": log.write_csv().encode(), "customers.csv": who.write_csv().encode()}
    for _ in range(times):
        file = random.choice(list(texts))
        if "toml" in what:
            toml = spoilt_text(random, toml)
        if "cells" in what:
            texts[file] = spoilt_text(random, texts[file].decode()).encode()
        if what in ("bytes", "parquet"):
            texts[file] = spoilt_bytes(random, texts[file])
    for file, content in texts.items():
        (folder / file).write_bytes(content)
    (folder / "study.toml").write_bytes(toml.encode("utf-8", "surrogatepass"))
    return what, name


def accounted(audit: cx.Audit) -> str:
    """What is wrong with the accounts of an audit; empty where nothing is."""
    kept = dict(audit.kept)
    for table, read in audit.read:
        rejected = sum(f.rows for f in audit.findings if f.table == table)
        if read != kept[table] + rejected or min(read, kept[table], rejected) < 0:
            return f"{table}: read {read}, kept {kept[table]}, rejected {rejected}"
        faulty = sum(f.rows for f in audit.findings if f.table == table and f.fault)
        held = dict(audit.quarantine).get(table)
        if faulty != (0 if held is None else held.height):
            return (
                f"{table}: {faulty} faulty rows, {0 if held is None else held.height} quarantined"
            )
    return ""


def broken_numbers(docket: cx.Docket) -> str:
    """A number of a docket that no number can be; empty where there is none."""
    for row in docket.to_dict()["verdicts"]:
        if (value := row["estimate"]) is None:
            continue
        low, high = row["ci_low"], row["ci_high"]
        if not math.isfinite(value) or not low - 1e-9 <= value <= high + 1e-9:
            return f"{row['claim']}, {row['reading']}: {value} ({low} to {high})"
    return ""


def tried(number: int, limit: Limits = LIMIT) -> Outcome:
    """Make a mutation and try it."""
    random, begun = Random(number), time.process_time()
    result, detail, what = "answered", "", "?"
    folder = Path(tempfile.mkdtemp(prefix="cx-mutation-"))
    try:
        with enforced(limit), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            what, _ = write(random, folder)
            study = cx.read_study(folder)
            records = cx.read_records(study)
            detail = accounted(records.audit)
            if not detail and number % 4 == 0:
                detail = broken_numbers(
                    cx.evaluate(records, ["bad-moments-drive-away"], alone=True)
                )
    except LimitError as e:
        detail = str(e)
    except CxResearchError as e:
        result = type(e).__name__
        if not str(e):
            detail = f"a {result} that says nothing"
    except BaseException as e:  # a panic of an engine is no Exception
        if isinstance(e, KeyboardInterrupt):
            raise
        place = traceback.extract_tb(e.__traceback__)[-1]
        detail = f"{type(e).__name__} at {Path(place.filename).name}:{place.lineno}: {str(e)[:300]}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = round(time.process_time() - begun, 2)
    if seconds > SECONDS:
        detail = detail or f"{seconds} s of processor time"
    return Outcome(number, what, "finding" if detail else result, seconds, detail)


def done() -> dict[int, Outcome]:
    """What has been tried so far, by number."""
    if not DONE.exists():
        return {}
    outcomes = (Outcome(**json.loads(x)) for x in DONE.read_text(encoding="utf-8").splitlines())
    return {o.number: o for o in outcomes}


def in_processes(numbers: Iterable[int], jobs: int) -> Iterator[Outcome]:
    """Try mutations in processes of their own: one that ends a process is a finding, and the next ones go on."""
    waiting = list(numbers)
    chunks = [waiting[i : i + CHUNK] for i in range(0, len(waiting), CHUNK)]
    running: list[tuple[list[int], subprocess.Popen[str]]] = []
    command = [sys.executable, "-m", "benchmarks.mutations", "--these"]
    while chunks or running:
        while chunks and len(running) < jobs:
            chunk = chunks.pop(0)
            process = subprocess.Popen(
                [*command, ",".join(map(str, chunk))],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=HERE.parent,
                env=os.environ | {"POLARS_MAX_THREADS": "1"},
            )
            running.append((chunk, process))
        chunk, process = running.pop(0)
        assert process.stdout is not None
        seen = set()
        for line in process.stdout:
            outcome = Outcome(**json.loads(line))
            seen.add(outcome.number)
            yield outcome
        process.stdout.close()
        status = process.wait()
        rest = [n for n in chunk if n not in seen]
        if rest and status:
            yield Outcome(rest[0], "?", "finding", 0.0, f"the process ended with {status}")
            rest = rest[1:]
        if rest:
            chunks.insert(0, rest)


def table(outcomes: Iterable[Outcome]) -> str:
    """What came of the mutations, as Markdown."""
    outcomes = list(outcomes)
    kinds = sorted({o.what for o in outcomes})
    slowest = max((o.seconds for o in outcomes), default=0.0)
    lines = [
        "# Mutated study files and tables",
        "",
        "Made by `python -m benchmarks.mutations`; what it does is said there.",
        "",
        "| what is spoilt | mutations | answered, every row accounted for | one of our errors | anything else |",
        "|---|--:|--:|--:|--:|",
    ]
    for kind in (*kinds, "**all**"):
        mine = [o for o in outcomes if kind in (o.what, "**all**")]
        by = Counter("answered" if o.result == "answered" else o.result for o in mine)
        errors = len(mine) - by["answered"] - by["finding"]
        lines.append(
            f"| {kind} | {len(mine):,} | {by['answered']:,} | {errors:,} | {by['finding']:,} |"
        )
    limit = f"the limit is {SECONDS:.0f} s"
    lines += ["", f"The slowest took {slowest:.1f} s of processor time; {limit}.", ""]
    return "\n".join(lines)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "mutations.md")
    parser.add_argument("--only", type=int, help="try one mutation, and print what came of it")
    parser.add_argument("--these", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only is not None:
        print(json.dumps(asdict(tried(given.only)), indent=1))
        return
    if given.these:
        for number in map(int, given.these.split(",")):
            print(json.dumps(asdict(tried(number))), flush=True)
        return
    DONE.parent.mkdir(exist_ok=True)
    before = done()
    todo = [n for n in range(given.count) if n not in before]
    with DONE.open("a", encoding="utf-8") as log:
        for outcome in in_processes(todo, given.jobs):
            log.write(json.dumps(asdict(outcome)) + "\n")
            log.flush()
            if outcome.result == "finding":
                print(f"{outcome.number} ({outcome.what}): {outcome.detail}", flush=True)
    outcomes = [o for n, o in done().items() if n < given.count]
    given.out.write_text(table(outcomes), encoding="utf-8")
    sys.exit(any(o.result == "finding" for o in outcomes))


if __name__ == "__main__":
    main()
