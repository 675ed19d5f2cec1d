"""A password is in no file that a run leaves and in no line it prints, however the run ends."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.report.standins import notebook
from tests.report.studies import small_study

PASSWORD = "hun\"ter\\2 ß%/é'&+x"
OTHER = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY"  # of another service, in the environment by chance
RUN = """
import sys
from pathlib import Path
from cxresearch.report.runs import jobs
jobs.notebook_path = lambda name: Path(sys.argv[1])
from cxresearch.cli import main
main(sys.argv[2:])
"""
READS = """
import cxresearch as cx
from cxresearch.report.pages import show
records = cx.read_records(show.study(study))
show.opening(records, "What was read")
records.study
"""
AUDITS = "show.audit(records)\nshow.method(records, notebook='own', parameters={'study': study})"
FAILS = """
import json, os
from urllib.parse import quote
secret = os.environ["PW"]
address = f"postgresql://reader:{secret}@db/crm"
print(address, repr(secret), json.dumps(secret), quote(secret))
print(dict(password=secret), [quote(secret, safe="")])
raise ValueError(f"cannot connect to {address!r} with {secret!r} or {json.dumps(address)}")
"""
WAITS = """
import os, sys, time
address = "postgresql://reader:" + os.environ["PW"] + "@db/crm"
print("waiting", flush=True)
time.sleep(120)
"""


def forms(secret):
    """How a secret may stand in a file."""
    plain = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        repr(secret)[1:-1],
    }
    once = (
        plain
        | {json.dumps(p)[1:-1] for p in plain}
        | {json.dumps(p, ensure_ascii=False)[1:-1] for p in plain}
    )
    return (
        once
        | {json.dumps(p)[1:-1] for p in once}
        | {json.dumps(p, ensure_ascii=False)[1:-1] for p in once}
    )


def leaks(folder, *printed, secrets=(PASSWORD, OTHER)):
    """Files below a folder, and lines printed, that hold a secret in some form."""
    held = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    held |= {f"printed {i}": text.encode() for i, text in enumerate(printed)}
    wanted = [form.encode() for secret in secrets for form in forms(secret)]
    names = [str(p) for p in folder.rglob("*") if any(f.decode() in p.name for f in wanted)]
    return names + [
        name for name, content in held.items() if any(form in content for form in wanted)
    ]


@pytest.fixture
def place(tmp_path):
    """A study, folders for what a run writes, and the command to run a notebook on it."""

    class Place:
        study, out, state = tmp_path / "study", tmp_path / "written/out", tmp_path / "written/state"
        written, data = tmp_path / "written", tmp_path / f"data-{PASSWORD.replace('/', '')}"

        def command(self, *cells, **defined):
            path = notebook(tmp_path / "own.ipynb", *cells)
            given = [x for k, v in defined.items() for x in ("-D", f"{k}={v}")]
            where = ["--out", str(self.out), "--state", str(self.state), *given]
            return [sys.executable, "-c", RUN, str(path), "report", str(self.study), *where]

        def environment(self, **more):
            (self.written / "tmp").mkdir(parents=True, exist_ok=True)
            own = {
                "CXRESEARCH_ALLOW_ENV": "PLACE,PW,U",
                "AWS_SECRET_ACCESS_KEY": OTHER,
                "TMPDIR": str(self.written / "tmp"),
            }
            return {**os.environ, **own, **more}

        def run(self, *cells, environment=None, **defined):
            done = subprocess.run(
                self.command(*cells, **defined),
                env=self.environment(**environment or {}),
                capture_output=True,
                text=True,
                check=False,
            )
            return done.returncode, done.stdout, done.stderr

    result = Place()
    small_study(result.study)
    result.data.mkdir()
    (result.study / "log.csv").rename(result.data / "log.csv")
    text = (result.study / "study.toml").read_text().replace("${LOG}", "${PLACE}/log.csv")
    (result.study / "study.toml").write_text(text)
    return result


def secret_place(place):
    return str(place.data)


def places(place):
    """The last part of the path is the secret."""
    return (place.data.name, OTHER)


@pytest.mark.slow
@pytest.mark.parametrize("given", ["-D", "environment"])
def test_a_run_that_succeeds(place, given):
    told = {"PLACE": secret_place(place)}
    more = {"environment": told} if given == "environment" else told
    code, out, err = place.run(READS, AUDITS, **more)
    assert code == 0, err
    assert sorted(p.name for p in place.out.iterdir()) == ["index.html", "verdicts.html"]
    assert "${PLACE}/log.csv" in (place.out / "verdicts.html").read_text()
    assert not leaks(place.written, out, err, secrets=places(place))


@pytest.mark.slow
@pytest.mark.parametrize("given", ["-D", "environment"])
def test_a_run_that_cannot_read(place, given):
    (place.data / "log.csv").unlink()
    told = {"PLACE": secret_place(place)}
    more = {"environment": told} if given == "environment" else told
    code, out, err = place.run(READS, AUDITS, **more)
    assert code == 1
    assert "${PLACE}/log.csv" in err
    assert not leaks(place.written, out, err, secrets=places(place))


@pytest.mark.slow
@pytest.mark.parametrize("given", ["-D", pytest.param("environment", marks=pytest.mark.slow)])
def test_a_notebook_that_fails_with_a_secret_in_its_error(place, given):
    text = (place.study / "study.toml").read_text()
    served = 'source = "postgresql://reader:${PW}@127.0.0.1:1/crm"\nquery = "select 1"'
    (place.study / "study.toml").write_text(text.replace('source = "${PLACE}/log.csv"', served))
    more = {"environment": {"PW": PASSWORD}} if given == "environment" else {"PW": PASSWORD}
    code, out, err = place.run(FAILS, **more)
    assert code == 1
    assert "ValueError: cannot connect" in err
    kept = list((place.state / "failed").rglob("*.ipynb"))
    assert [p.name for p in kept] == ["verdicts.ipynb"]
    assert kept[0].stat().st_mode & 0o077 == 0
    assert json.loads(kept[0].read_text(encoding="utf-8"))["cells"]
    assert not leaks(place.written, out, err)


@pytest.mark.slow
def test_a_run_that_is_killed(place):
    served = 'source = "postgresql://reader:${PW}@127.0.0.1:1/crm"\nquery = "select 1"'
    text = (place.study / "study.toml").read_text()
    (place.study / "study.toml").write_text(text.replace('source = "${PLACE}/log.csv"', served))
    log = (place.study.parent / "log.txt").open("wb")
    command = place.command(
        "import os; print('postgresql://reader:' + os.environ['PW'] + '@db')", WAITS, PW=PASSWORD
    )
    running = subprocess.Popen(
        command, env=place.environment(), stdout=log, stderr=log, start_new_session=True
    )
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and b"cell 3" not in Path(log.name).read_bytes():
            time.sleep(0.2)
        assert b"cell 3" in Path(log.name).read_bytes()
        time.sleep(0.5)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        log.close()
    assert not [p for p in place.out.rglob("*") if p.suffix == ".html"]
    assert not leaks_of(p for p in place.written.rglob("*") if open_to_others(p, place.written))
    place.run("1", PW=PASSWORD)  # what was left is cleared by the next run
    assert not leaks(place.written, Path(log.name).read_text())


def open_to_others(path, above):
    """Whether other users of the machine can read a file."""
    folders = [p for p in path.parents if p.is_relative_to(above)]
    return (
        path.is_file()
        and path.stat().st_mode & 0o077
        and all(p.stat().st_mode & 0o011 for p in folders)
    )


def leaks_of(files):
    wanted = [form.encode() for form in forms(PASSWORD)]
    return [str(p) for p in files if any(form in p.read_bytes() for form in wanted)]


@pytest.mark.postgres
def test_a_server_that_does_not_answer(place):
    served = 'source = "postgresql://${U}:${PW}@127.0.0.1:1/crm"\nquery = "select 1"'
    text = (place.study / "study.toml").read_text()
    (place.study / "study.toml").write_text(text.replace('source = "${PLACE}/log.csv"', served))
    for given in (PASSWORD, quote(PASSWORD, safe="")):
        code, out, err = place.run(READS, U="reader", PW=given)
        assert code == 1
        assert "127.0.0.1" in err, err
        assert not leaks(place.written, out, err)
