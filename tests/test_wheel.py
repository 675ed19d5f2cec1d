"""The wheel alone, in an empty folder, does what the checkout does."""

import os
import subprocess
import sys
import sysconfig
import venv
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
        assert not [n for n in packed.namelist() if "/." in n]
        packed.extractall(site)
    # what is not tried below is there all the same
    package = ROOT / "src" / "cxresearch"
    files = [p for p in package.rglob("*") if p.is_file() and p.parent.name != "__pycache__"]
    assert not [p for p in files if not (site / "cxresearch" / p.relative_to(package)).is_file()]
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
    file = work / "study" / "study.toml"
    # one claim is tried, and none of those that it would be judged with
    alone = file.read_text("utf-8") + '\n[decision]\nmultiplicity = "none"\n'
    file.write_text(alone, "utf-8")
    pages = run("report", "study", "--out", "reports", "--claim", "bad-moments-drive-away").split()
    assert [Path(p).name for p in pages] == ["verdicts.html", "index.html"]
    assert "A bad moment pushes customers away" in (work / "reports" / "verdicts.html").read_text(
        encoding="utf-8"
    )


PROGRAM = """
import polars as pl

import cxresearch as cx

log = pl.DataFrame({"customer": ["a"], "at": ["2024-01-05"], "grade": ["bad"]})
who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-03-01"]})
study: cx.Study = cx.study_from({}, interactions=log, retention=who)
table: cx.RiskTable = cx.risk_table(study, strata=["segment"], bad=cx.bad_count(3))
fit = cx.estimators.cox(table, ["bad"], level=0.9)
ratio: float = cx.contrast(fit, {"bad[1]": 1.0}).value
lacks: str = cx.NotTestable("too_few", "events").lacks
reveal_type(fit.level)
"""
PLANTED = {
    "cx.bad_count(3)": ("cx.bad_count('3')", '"bad_count" has incompatible type "str"'),
    "level=0.9": ("lvel=0.9", 'Unexpected keyword argument "lvel"'),
    "study, strata": ("3, strata", 'to "risk_table" has incompatible type "int"'),
    '"too_few", "events"': ('"events"', 'Missing positional argument "lacks"'),
    ".value": (".valeu", 'has no attribute "valeu"'),
}


@pytest.mark.slow
def test_a_program_is_checked_against_the_types_of_an_installed_wheel(tmp_path):
    """In an environment of its own that sees the libraries of this one, and not this checkout."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    (site,) = (Path(p) for p in home.glob("[Ll]ib/**/site-packages"))
    install = [*(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet")]
    install += ["--target", str(site), str(wheel)]
    alone = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}
    subprocess.run(install, check=True, capture_output=True, env=alone)
    assert (site / "cxresearch" / "py.typed").is_file()
    # an editable install lies in .pth files, which a folder on a .pth path does not run
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    own = home / ("Scripts" if os.name == "nt" else "bin") / "python"

    where = [str(own), "-c", "import cxresearch; print(cxresearch.__file__)"]
    place = subprocess.run(
        where, cwd=tmp_path, env=alone, capture_output=True, text=True, check=True
    )
    assert Path(place.stdout.strip()).is_relative_to(site)

    def check(program: str) -> tuple[int, str]:
        (tmp_path / "program.py").write_text(program, encoding="utf-8")
        command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(own)]
        command += ["--cache-dir", str(tmp_path / "mypy"), "program.py"]
        done = subprocess.run(
            command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    status, said = check(PROGRAM)
    assert status == 0, said
    assert 'Revealed type is "float"' in said or 'Revealed type is "builtins.float"' in said
    planted = PROGRAM
    for right, (wrong, _) in PLANTED.items():
        assert planted.count(right) == 1, right
        planted = planted.replace(right, wrong)
    status, said = check(planted)
    assert status == 1, said
    for _, message in PLANTED.values():
        assert message in said, said
