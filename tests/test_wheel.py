"""The wheel alone, in an empty folder, does what the checkout does."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_sample_and_report_from_a_wheel(tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(tmp_path / "dist"),
    ]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    # the unpacked wheel comes before the checkout on the path, in this process and in the kernel it starts
    env = os.environ | {"PYTHONPATH": str(site)}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cxresearch", *words],
            cwd=work,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [sys.executable, "-c", "import cxresearch; print(cxresearch.__file__)"]
    result = subprocess.run(
        where, cwd=work, env=env, capture_output=True, text=True, check=True
    ).stdout
    assert Path(result.strip()).is_relative_to(site)
    assert "study.toml" in run("sample", "study")
    pages = run("report", "study", "--out", "reports", "--claim", "bad-moments-drive-away").split()
    assert [Path(p).name for p in pages] == ["verdicts.html", "index.html"]
    assert "A bad moment pushes customers away" in (work / "reports" / "verdicts.html").read_text(
        encoding="utf-8"
    )
