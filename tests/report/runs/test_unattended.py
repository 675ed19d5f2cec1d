"""What docs/unattended.md shows works: its snippets are taken from there and run."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import types
from datetime import datetime
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from tests.report.standins import notebook, shows, study_of

PAGE = (Path(__file__).parents[3] / "docs" / "unattended.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
RUN = "/srv/cx/venv/bin/cxresearch report /srv/cx/study.toml --out /srv/cx/reports"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """What /srv/cx is on a machine that follows the page, but for a quick notebook; the first run has been made."""
    folder = tmp_path_factory.mktemp("srv") / "cx"
    study_of(folder)
    (folder / "venv" / "bin").mkdir(parents=True)
    quick = notebook(folder / "quick.ipynb", shows())
    started = f"""
from pathlib import Path
from cxresearch.cli import main
from cxresearch.report.runs import plan
plan.notebook_path = lambda _: Path({str(quick)!r})
main()
"""
    (folder / "started.py").write_text(started)
    # what lies beside the interpreter finds its packages only from there
    for name, more in (("cxresearch", f'"{folder}/started.py"'), ("python", "")):
        program = folder / "venv" / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {more} "$@"\n')
        program.chmod(0o755)
    (folder / "env").write_text("export CRM_PASSWORD=s3cret\n")
    (folder / "secrets").write_text("CRM_PASSWORD=s3cret\n")
    (folder / "runs").mkdir()
    done = sh(there(blocks("sh")[0], folder))
    assert done.returncode == 0, done.stderr
    return folder


def blocks(kind):
    return [text for k, text in BLOCKS if k == kind]


def there(text, home):
    return text.replace("/srv/cx", str(home))


def sh(command, **more):
    return subprocess.run(
        ["/bin/sh", "-ec", command], check=False, capture_output=True, text=True, **more
    )


def unchanged(log):
    return "verdicts.html: nothing has changed since " in log


@pytest.mark.slow
def test_the_one_command(home):
    done = sh(there(blocks("sh")[0], home))
    assert done.returncode == 0
    assert unchanged(done.stderr)
    assert done.stdout.split() == [
        str(home / "reports" / n) for n in ("verdicts.html", "index.html")
    ]


@pytest.mark.slow
def test_cron(home):
    (line,) = blocks("crontab")
    minute, hour, day, month, weekday, command = line.split(None, 5)
    assert (minute, hour, day, month, weekday) == ("0", "6", "*", "*", "1")
    assert "%" not in command  # cron would end the line there
    assert "\n" not in command.strip()
    done = sh(there(command, home))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert unchanged((home / "report.log").read_text())
    study = (home / "study.toml").read_text()
    (home / "study.toml").write_text("[study\n")
    mailed = sh(there(command, home)).stdout
    (home / "study.toml").write_text(study)
    assert "is not valid TOML" in mailed
    assert "s3cret" not in mailed + (home / "report.log").read_text()
    again = sh(there(command, home))  # and takes the mark off
    assert again.returncode == 0


@pytest.mark.slow
def test_systemd(home, tmp_path):
    service, timer = (there(text, home) for text in blocks("ini"))
    names = re.findall(r"`/etc/systemd/system/(\S+)`:", PAGE)
    assert names == ["cx-report.service", "cx-report.timer"]
    units = {}
    for name, text in zip(names, (service, timer), strict=True):
        (tmp_path / name).write_text(text)
        units[name] = configparser.ConfigParser(interpolation=None)
        units[name].optionxform = str
        units[name].read_string(text)
    assert units["cx-report.timer"]["Timer"]["OnCalendar"] == "Mon 06:00"
    settings = units["cx-report.service"]["Service"]
    done = sh(settings["ExecStart"])
    assert done.returncode == 0
    assert unchanged(done.stderr)
    assert Path(settings["EnvironmentFile"]).exists()
    checks = shutil.which("systemd-analyze")
    if checks:
        said = subprocess.run(
            [checks, "verify", "--man=no", *(tmp_path / n for n in names)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert "cx-report" not in said.stderr, said.stderr


class Operator:
    """Stands in for Airflow's: takes what the real one takes, and does what it does."""

    made: list = []  # noqa: RUF012

    def __init__(self, *, task_id, execution_timeout=None, **given):
        self.task_id, self.given = task_id, given
        Operator.made.append(self)


class Bash(Operator):
    def execute(self):
        given = {"env": None, "append_env": False} | self.given
        assert given.keys() == {"bash_command", "env", "append_env"}
        rendered = {
            k: v.replace("{{ conn.crm.password }}", "s3cret") for k, v in given["env"].items()
        }
        assert not any("{{" in v for v in rendered.values())
        return sh(
            given["bash_command"], env={**(os.environ if given["append_env"] else {}), **rendered}
        )


class Papermill(Operator):
    def execute(self):
        given = dict(self.given)
        output = given.pop("output_nb").replace("{{ ds }}", "2026-11-23")
        papermill.execute_notebook(given.pop("input_nb"), output, progress_bar=False, **given)
        return Path(output)


class Dag:
    def __init__(self, name, *, schedule, start_date, catchup):
        assert (schedule, catchup) == ("0 6 * * 1", False)
        assert isinstance(start_date, datetime)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.slow
def test_airflow(home, monkeypatch):
    (code,) = blocks("python")
    for name, result in {
        "airflow.providers.papermill.operators.papermill": {"PapermillOperator": Papermill},
        "airflow.providers.standard.operators.bash": {"BashOperator": Bash},
        "airflow.sdk": {"DAG": Dag},
    }.items():
        module = types.ModuleType(name)
        module.__dict__.update(result)
        parts = name.split(".")
        for i in range(1, len(parts)):
            monkeypatch.setitem(
                sys.modules, ".".join(parts[:i]), types.ModuleType(".".join(parts[:i]))
            )
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(Operator, "made", [])
    assert sh(there(blocks("sh")[1], home)).returncode == 0
    exec(compile(there(code, home), "unattended.md", "exec"), {})
    pages, alone = Operator.made
    done = pages.execute()
    assert done.returncode == 0, done.stderr
    assert unchanged(done.stderr)
    ran = nbformat.read(alone.execute(), as_version=4)
    assert ran.metadata.papermill.exception is None
    assert "bad-moments-drive-away" in str(ran.cells)


@pytest.mark.slow
def test_github_actions(home, tmp_path):
    (text,) = blocks("yaml")
    result = yaml.safe_load(text)
    assert result[True]["schedule"] == [{"cron": "0 6 * * 1"}]  # YAML reads "on" as true
    steps = result["jobs"]["report"]["steps"]
    assert all(("uses" in s) != ("run" in s) for s in steps)
    assert all(
        re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", s["uses"]) for s in steps if "uses" in s
    )
    cached = next(s["with"] for s in steps if s.get("uses", "").startswith("actions/cache"))
    kept = next(s["with"] for s in steps if s.get("uses", "").startswith("actions/upload"))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pip").write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/installed"\n')
    (programs / "pip").chmod(0o755)
    checkout = tmp_path / "checkout"
    shutil.copytree(home, checkout, ignore=shutil.ignore_patterns("reports", "venv", "pages"))
    path = f"{programs}:{home / 'venv' / 'bin'}:{os.environ['PATH']}"
    for step in (s for s in steps if "run" in s):
        done = sh(step["run"], cwd=checkout, env={**os.environ, "PATH": path})
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "installed").read_text() == "install --require-hashes -r requirements.lock\n"
    assert sorted(p.name for p in (checkout / kept["path"]).iterdir()) == [
        "index.html",
        "verdicts.html",
    ]
    assert len(list((checkout / cached["path"] / "ledger").iterdir())) > 1  # the history goes on


def test_every_command_and_option_that_is_named_exists():
    from cxresearch.cli import main

    known = {o for p in main.commands["report"].params for o in p.opts}
    named = set(re.findall(r"`(--[a-z-]+)", PAGE)) | {
        o for t in (RUN, *blocks("python")) for o in re.findall(r" (--[a-z-]+)", t)
    }
    assert named
    assert named <= known
