"""Processor times of tests are added to a file, with those of the processes that a test starts."""

import re
import subprocess
import sys
from pathlib import Path

SPENDS = """
import subprocess, sys, time

SPEND = "import time\\nwhile time.process_time() < 0.5: pass"

def test_spends():
    subprocess.run([sys.executable, "-c", SPEND], check=True)

def test_waits():
    time.sleep(0.3)
"""


def test_a_line_for_each_test_and_phase(tmp_path):
    (tmp_path / "test_both.py").write_text(SPENDS)
    program = f"import sys, pytest; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); sys.exit(pytest.main())"
    told = ["-q", "-p", "no:cacheprovider", "-p", "tests.cpu_times", "--cpu-times", "times"]
    command = [sys.executable, "-c", program, *told, "test_both.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (tmp_path / "times").read_text().splitlines()
    form = r"(\d+\.\d\d) (setup|call|teardown) test_both\.py::(\w+)"
    spent = {m.group(3, 2): float(m[1]) for m in (re.fullmatch(form, line) for line in lines)}
    assert len(spent) == len(lines) == 6
    assert spent["test_spends", "call"] > 0.4
    assert spent["test_waits", "call"] < 0.25
