"""What goes beyond a limit of time or memory ends with one line, and soon."""

import os
import subprocess
import sys
import time

import pytest

from cxresearch.errors import LimitError
from cxresearch.utils.limits import GB, Limits, enforced, machine_memory, memory_of, watched

QUERIES = {
    "duckdb": "with recursive r as (select 1 as n union all select n + 1 as n from r) "
    "select l.customer, l.at, l.grade from log l join r on r.n = l.at",
    "polars": "select l.customer, l.at, l.grade from log l cross join log b cross join log c cross join log d",
}
STUDY = """
[interactions]
query = "{query}"
[retention]
source = "customers.csv"
[tables]
log = "log.csv"
"""


def endless(folder, engine):
    """A study whose query does not end before the machine does."""
    folder.mkdir()
    log = "".join(f"c{i},{i % 50},bad\n" for i in range(200))
    (folder / "log.csv").write_text(f"customer,at,grade\n{log}")
    customers = "".join(f"c{i},0,\n" for i in range(200))
    (folder / "customers.csv").write_text(f"customer,start,end\n{customers}")
    (folder / "study.toml").write_text(STUDY.format(query=QUERIES[engine]))
    return folder


def command(*args, **variables):
    run = [sys.executable, "-c", "from cxresearch.cli import main; main()", *map(str, args)]
    return subprocess.run(
        run, capture_output=True, text=True, check=False, env=os.environ | variables, timeout=180
    )


@pytest.mark.parametrize("engine", QUERIES)
def test_a_query_without_an_end_has_one(tmp_path, engine):
    study, begun = endless(tmp_path / "study", engine), time.monotonic()
    done = command("audit", study, "--engine", engine, "--time-limit", "0.05")
    assert (done.returncode, done.stdout) == (1, "")
    said = (
        "cxresearch: this command took longer than 0.05 minutes; give it more with --time-limit\n"
    )
    assert done.stderr == said
    assert time.monotonic() - begun < 60


@pytest.mark.slow
def test_a_query_that_fills_the_memory_ends(tmp_path):
    done = command("audit", endless(tmp_path / "study", "polars"), CXRESEARCH_MEMORY_LIMIT="0.6")
    assert done.returncode == 1
    assert done.stderr == (
        "cxresearch: this command held more than 0.6 GB of memory; give it more with --memory-limit\n"
    )


@pytest.mark.slow
def test_what_does_not_heed_an_interrupt_is_ended():
    code = (
        "import time\nfrom cxresearch.utils.limits import Limits, enforced\n"
        "with enforced(Limits(minutes=0.005)):\n"
        "    while True:\n        try:\n            time.sleep(60)\n"
        "        except KeyboardInterrupt:\n            pass\n"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("cxresearch: this command took longer than 0.005 minutes;")
    assert "Traceback" not in done.stderr


def test_python_that_goes_on_is_interrupted_and_clears_up():
    cleared = []

    def long():
        with enforced(Limits(0.002)):
            try:
                time.sleep(20)
            finally:
                cleared.append(True)

    with pytest.raises(LimitError, match=r"took longer than 0\.002 minutes"):
        long()
    assert cleared


def test_an_engine_is_told_of_the_memory():
    duckdb_files = pytest.importorskip("cxresearch.engines.duckdb_files")
    with enforced(Limits(memory=2)):
        told = (
            duckdb_files.connected().sql("select current_setting('memory_limit')").fetchall()[0][0]
        )
    assert told == "1.3 GiB"
    assert "CXRESEARCH_MEMORY_LIMIT" not in os.environ


def test_without_limits_nothing_is_watched():
    with watched(Limits(), os.getpid, pytest.fail, "this"):
        time.sleep(0.3)
    assert Limits().seconds == Limits().bytes == float("inf")


def test_memory_is_read_from_the_system():
    held = memory_of(os.getpid())
    block = bytearray(os.urandom(1)) * (200 * 2**20)
    assert memory_of(os.getpid()) - held > 150 * 2**20
    assert len(block)
    assert memory_of(2**22 + 1) == 0
    assert 0.1 < machine_memory() < 2**14
    assert Limits(memory=1.5).bytes == 1.5 * GB
