"""Kill `cxresearch report` at every step, and see whether a reader or the next run could notice.

    python benchmarks/kills.py [--kills 200] [--at-once 8] [--out benchmarks/kills.md]

Each run is a process group of its own and gets SIGKILL soon after a line of its log, a random moment later. Half of
them run on a study that has changed, half with --force. After each kill: is every page whole and one that was made on
purpose, and is its run in the ledger? Then the study runs again: does it end well, with the right pages and nothing
left over? The notebook is a stand-in that shows a verdict found before, so that a run takes seconds; the rest is real.
Runs are forked from a process that has imported everything, but every twentieth starts from nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PHASES = (
    "starting",
    "starting a kernel",
    "a cell",
    "making the page",
    "making the index",
    "writing the pages",
    "writing the ledger",
    "publishing",
    "renaming in the ledger",
    "renaming the pages",
    "renaming what is known of them",
    "after the end",
)
# how long after its line a step is worth a kill, in seconds
_SPREAD = {
    "starting": 0.3,
    "starting a kernel": 0.8,
    "a cell": 0.3,
    "making the page": 0.3,
    "making the index": 0.1,
}
SIGNATURE = 65  # bytes before the records of a file that holds many runs
_CELLS = (
    "import json, pathlib, time\nfrom IPython.display import display",
    "time.sleep(0.1)\ndisplay({{'text/html': '<h1>' + title + '</h1>'}}, raw=True)",
    "time.sleep(0.1)\ndisplay(json.loads(pathlib.Path({file!r}).read_text()), raw=True)",
    "time.sleep(0.1)\ndisplay({{'text/html': f'<p>{{time.time_ns()}}</p>'}}, raw=True)",  # no two pages are equal
)


@dataclass
class Tally:
    """What was seen, by the step that was killed."""

    kills: Counter = field(default_factory=Counter)
    half: Counter = field(default_factory=Counter)
    lost: Counter = field(default_factory=Counter)
    unclean: Counter = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    @property
    def bad(self) -> int:
        """How often anything was amiss."""
        return sum(sum(c.values()) for c in (self.half, self.lost, self.unclean))


class Bench:
    """A study, its pages, and a way to run it."""

    def __init__(self, folder: Path, shown: Path | None) -> None:
        self.folder = folder
        self.study, self.out = folder / "study", folder / "out"
        self.state = self.study / ".cxresearch"
        self.notebook = folder / "verdicts.ipynb"
        self.known: dict[str, set[str]] = {}  # sha256 of a page to the runs that made it so
        self._first(shown)

    def _first(self, shown: Path | None) -> None:
        """A run of the stand-in; what it shows is from a real one, if it is not given."""
        import nbformat
        from nbformat.v4 import new_code_cell, new_notebook

        subprocess.run(
            [sys.executable, "-m", "cxresearch", "sample", self.study],
            check=True,
            capture_output=True,
        )
        shown = shown or self._real()
        told = "study = ''\nclaims = []\nengine = 'polars'\ntitle = ''"
        cells = [new_code_cell(told, metadata={"tags": ["parameters"]})]
        cells += [new_code_cell(c.format(file=str(shown))) for c in _CELLS]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(
            new_notebook(cells=cells, metadata={"kernelspec": spec, "title": "Verdicts"}),
            self.notebook,
        )
        code, log = self.wait(self.start())
        assert code == 0, log

    def _real(self) -> Path:
        """What a real notebook shows of a claim."""
        from cxresearch.report.pages import show

        real = [
            "report",
            self.study,
            "--claim",
            "bad-moments-drive-away",
            "--out",
            self.folder / "real",
        ]
        subprocess.run([sys.executable, "-m", "cxresearch", *real], check=True, capture_output=True)
        (manifest,) = (self.state / "pages").glob("*.json")
        summary = _signed(manifest)["pages"][0]["summary"]
        manifest.unlink()
        shown = self.folder / "shown.json"
        shown.write_text(json.dumps({show.MIME: summary, "text/html": "<p>A verdict.</p>"}))
        return shown

    def start(self, *more: str, afresh: bool = False) -> tuple[int, int]:
        """Begin a run in a process group of its own; its id, and where its log can be read."""
        args = ["report", str(self.study), "--out", str(self.out), *more]
        reads, writes = os.pipe()
        if afresh:
            command = [sys.executable, __file__, "--notebook", str(self.notebook), *args]
            pid = subprocess.Popen(
                command, stdout=writes, stderr=writes, start_new_session=True
            ).pid
        else:
            pid = os.fork()
            if pid == 0:
                os.setsid()
                os.dup2(writes, 1)
                os.dup2(writes, 2)
                os.close(reads)
                one_run(self.notebook, args)
        os.close(writes)
        return pid, reads

    def wait(self, begun: tuple[int, int]) -> tuple[int, str]:
        """A run to its end: exit status and log."""
        pid, reads = begun
        with os.fdopen(reads, errors="replace") as log:
            said = log.read()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said

    def kill_at(self, begun: tuple[int, int], phase: str, delay: float) -> str:
        """Kill a run soon after it reaches a step; the step in which it was."""
        pid, reads = begun
        said = b""
        while phase != step(said.decode(errors="replace")):
            block = os.read(reads, 65536)
            said += block
            if not block:
                break
        if delay > 0.002:
            time.sleep(delay)
        else:
            end = time.perf_counter() + delay
            while time.perf_counter() < end:
                pass
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        while select.select([reads], [], [], 10)[0] and (block := os.read(reads, 65536)):
            said += block
        os.close(reads)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return "after the end" if ended == 0 else step(said.decode(errors="replace"))

    def learn(self) -> None:
        """Take note of the pages that were made on purpose."""
        for manifest in sorted((self.state / "pages").glob("*.json")) + sorted(
            (self.state / "pages").glob(".*.part")
        ):
            try:
                result = _signed(manifest)
            except ValueError:
                continue  # being written
            for page in result["pages"]:
                self.known.setdefault(page["sha256"], set()).add(page["run"])
            self.known.setdefault(result["index"], set()).add(result["pages"][-1]["run"])

    def look(self) -> tuple[int, int, list[str]]:
        """How many pages are not whole, and how many are not in the ledger."""
        self.learn()
        half = lost = 0
        said = []
        for page in self.out.glob("[!.]*"):
            content = page.read_bytes()
            runs = self.known.get(sha256(content), set())
            if not content.rstrip().endswith(b"</html>") or not runs:
                half += 1
                said.append(f"{page.name} is not whole")
            elif not any(is_on_record(self.state / "ledger", run) for run in runs):
                lost += 1
                said.append(f"{page.name} is of {', '.join(runs)}, which is not in the ledger")
        return half, lost, said

    def leftovers(self) -> list[str]:
        """What should not be there after a run."""
        left = [p for p in self.out.iterdir() if p.name not in ("verdicts.html", "index.html")]
        left += [p for p in self.state.rglob("*") if p.name.startswith(".") or p.suffix == ".part"]
        left += [
            p
            for name in ("work", "publishing.json", "failed", "lock.owner")
            if (p := self.state / name).exists()
        ]
        manifest = _signed(next((self.state / "pages").glob("*.json")))
        wanted = {
            "index.html": manifest["index"],
            **{p["file"]: p["sha256"] for p in manifest["pages"]},
        }
        wrong = [f for f, sha in wanted.items() if sha256((self.out / f).read_bytes()) != sha]
        marked = [p.name for p in self.out.iterdir() if b"<!--STALE-->" in p.read_bytes()]
        return [*(str(p.relative_to(self.folder)) for p in left), *wrong, *marked]


def _signed(file: Path) -> dict:
    """What a file of the state folder holds behind its signature."""
    return json.loads(file.read_bytes().partition(b"\n")[2])


def one_run(notebook: Path, args: list[str]) -> None:
    """The command, with the stand-in for the notebook; ends the process."""
    from cxresearch.cli import main
    from cxresearch.report.runs import jobs

    jobs.notebook_path = lambda _: notebook
    try:
        main(args)
    except SystemExit as e:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(e.code if isinstance(e.code, int) else 0)


def step(log: str) -> str:
    """The step that the last whole line of a log tells of."""
    lines = [
        line.partition(" ")[2]
        for line in log.split("\n")[:-1]
        if re.match(r"\d{4}-\d\d-\d\dT", line)
    ]
    if not lines:
        return "starting"
    last = lines[-1]
    if last.startswith("renaming in "):
        place = last.removeprefix("renaming in ")
        return {"ledger": "renaming in the ledger", "pages": "renaming what is known of them"}.get(
            place, "renaming the pages"
        )
    if ": cell " in last or ": done in" in last:
        return "a cell"
    if last.startswith(("published", "verdicts.html: nothing")):
        return "after the end"
    return next((p for p in PHASES[1:] if p in last), "starting")


def sha256(content: bytes) -> str:
    """As the runs record it."""
    return hashlib.sha256(content).hexdigest()


def is_on_record(ledger: Path, run: str) -> bool:
    """Whether the ledger holds a run, in a file of its own or in one that goes as far.

    It is read without Polars, whose threads do not outlive a fork: a file is whole if its end is there.
    """
    if is_whole(ledger / f"{run}.parquet", 0):
        return True
    together = (p for p in ledger.glob("runs-*.signed") if is_whole(p, SIGNATURE))
    return any(run[:8] <= p.stem.removeprefix("runs-") for p in together)


def is_whole(file: Path, head: int) -> bool:
    """Whether a Parquet file, after so many bytes of something else, is there to its end."""
    try:
        content = file.read_bytes()[head:]
    except OSError:
        return False
    return content[:4] == content[-4:] == b"PAR1"


def runs_on_record(ledger: Path) -> int:
    """How many runs there are: each has the number after that of the last one on record."""
    numbers = (re.match(r"(?:runs-)?(\d{8})", p.name) for p in ledger.iterdir())
    return max((int(m[1]) for m in numbers if m), default=0)


def kills(bench: Bench, count: int, chance: random.Random) -> Tally:
    """Kill that many runs."""
    tally = Tally()
    for n in range(count):
        phase = PHASES[n % (len(PHASES) - 1)]
        force = chance.random() < 0.5
        if not force:
            with (bench.study / "study.toml").open("a") as study:
                study.write(f"# {n}\n")
        spread = _SPREAD.get(phase, 0.002)
        begun = bench.start(*(["--force"] if force else []), afresh=n % 20 == 19)
        at = bench.kill_at(begun, phase, spread * chance.random() ** 2)
        half, lost, said = bench.look()
        code, log = bench.wait(bench.start())
        again = bench.look()
        left = bench.leftovers() if code == 0 else [f"exit status {code}: {log[-500:]}"]
        tally.kills[at] += 1
        tally.half[at] += half + again[0]
        tally.lost[at] += lost + again[1]
        tally.unclean[at] += bool(left)
        tally.said += [f"kill {n} ({at}): {line}" for line in (*said, *again[2], *left)]
        print(f"{n + 1} of {count}: {at}", *tally.said[-1:], flush=True)
    return tally


def at_once(bench: Bench, count: int) -> list[str]:
    """Start runs of one study side by side, all with --force; what went wrong."""
    before = runs_on_record(bench.state / "ledger")
    done = [bench.wait(b) for b in [bench.start("--force") for _ in range(count)]]
    wrong = [f"exit status {code}: {log[-300:]}" for code, log in done if code != 0]
    rows = runs_on_record(bench.state / "ledger") - before
    wrong += [f"{rows} runs in the ledger"] if rows != count else []
    waited = sum("another run of this study is under way (process" in log for _, log in done)
    wrong += [f"{waited} runs waited for another"] if waited != count - 1 else []
    return [*wrong, *bench.look()[2], *bench.leftovers()]


def table(tally: Tally, count: int, wrong: list[str]) -> str:
    """The result as Markdown."""
    rows = [
        f"| {p} | {tally.kills[p]} | {tally.half[p]} | {tally.lost[p]} | {tally.unclean[p]} |"
        for p in PHASES
        if tally.kills[p]
    ]
    total = (sum(c.values()) for c in (tally.kills, tally.half, tally.lost, tally.unclean))
    lines = [
        "# Runs that were killed",
        "",
        "Made by `python benchmarks/kills.py`; what it does is said there.",
        "",
        "| killed while | kills | half pages | pages without a row in the ledger | unclean next runs |",
        "|---|--:|--:|--:|--:|",
        *rows,
        "| **all** | " + " | ".join(f"**{n}**" for n in total) + " |",
        "",
        f"{count} runs of one study at once: "
        + (
            "; ".join(wrong)
            if wrong
            else "each waited for its turn, ended well and is in the ledger once"
        )
        + ".",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run it; exit status 1 if anything was amiss."""
    if sys.argv[1:2] == ["--notebook"]:
        one_run(Path(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--shown", type=Path, help="what the notebook shows, as JSON; found by a real run otherwise"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("kills.md"))
    given = parser.parse_args()
    import nbconvert  # noqa: F401
    import papermill  # noqa: F401

    import cxresearch.claims.evaluate
    import cxresearch.report.pages.html  # noqa: F401

    with tempfile.TemporaryDirectory(prefix="cx-") as folder:
        bench = Bench(Path(folder), given.shown)
        tally = kills(bench, given.kills, random.Random(given.seed))
        wrong = at_once(bench, given.at_once)
    print(*tally.said, *wrong, sep="\n")
    given.out.write_text(table(tally, given.at_once, wrong))
    return 1 if tally.bad or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
