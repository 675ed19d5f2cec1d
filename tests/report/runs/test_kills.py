"""A short turn of benchmarks/kills.py, which is run at length now and then."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cxresearch.report.pages import show
from tests.report.dockets import docket

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "kills.py"


@pytest.mark.slow
def test_runs_that_are_killed_and_runs_at_once(tmp_path):
    shown = tmp_path / "shown.json"
    shown.write_text(
        json.dumps({show.MIME: show.summary(docket()), "text/html": "<p>A verdict.</p>"})
    )
    out = tmp_path / "kills.md"
    command = [
        sys.executable,
        SCRIPT,
        "--kills",
        "8",
        "--at-once",
        "3",
        "--shown",
        shown,
        "--out",
        out,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "| **all** | **8** | **0** | **0** | **0** |" in out.read_text()
    assert "3 runs of one study at once: each waited for its turn" in out.read_text()


def test_the_long_turn_found_nothing_amiss():
    text = (SCRIPT.parent / "kills.md").read_text()
    result = re.search(
        r"\| \*\*all\*\* \| \*\*(\d+)\*\* \| \*\*0\*\* \| \*\*0\*\* \| \*\*0\*\* \|", text
    )
    assert int(result[1]) >= 200
    assert "8 runs of one study at once: each waited for its turn" in text


def test_what_is_amiss_is_seen(tmp_path):
    spec = importlib.util.spec_from_file_location("kills", SCRIPT)
    kills = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = kills
    try:
        spec.loader.exec_module(kills)
    finally:
        del sys.modules["kills"]
    bench = kills.Bench.__new__(kills.Bench)
    bench.folder, bench.out, bench.state, bench.known = (
        tmp_path,
        tmp_path / "out",
        tmp_path / "state",
        {},
    )
    for folder in (bench.out, bench.state / "pages", bench.state / "ledger"):
        folder.mkdir(parents=True)
    whole, index = b"<p>new</p></html>", b"<p>index</p></html>"
    manifest = {
        "index": kills.sha256(index),
        "pages": [{"file": "verdicts.html", "sha256": kills.sha256(whole), "run": "r"}],
    }
    (bench.state / "pages" / "a.json").write_text("-" * 64 + "\n" + json.dumps(manifest))
    (bench.out / "verdicts.html").write_bytes(whole)
    (bench.out / "index.html").write_bytes(index)
    assert bench.look()[:2] == (0, 2)  # nothing is in the ledger
    (bench.state / "ledger" / "r.parquet").write_bytes(b"PAR1PAR1")
    assert bench.look()[:2] == (0, 0)
    assert bench.leftovers() == []
    (bench.out / "verdicts.html").write_bytes(whole[:9])
    assert bench.look()[:2] == (1, 0)
    assert bench.leftovers() == ["verdicts.html"]
    (bench.out / ".index.html.abc.part").touch()
    (bench.state / "work").mkdir()
    assert set(bench.leftovers()) == {"verdicts.html", "out/.index.html.abc.part", "state/work"}
