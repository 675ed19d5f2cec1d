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
READS = "import cxresearch as cx\ncx.audit(cx.read_study(study))"
SECRET = {"CRM_PASSWORD": "s3cret"}  # what each scheduler is shown to set, and the study needs


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """What /srv/cx is on a machine that follows the page, but for a quick notebook; the first run has been made."""
    folder = tmp_path_factory.mktemp("srv") / "cx"
    study = study_of(folder)
    study.write_text(study.read_text().replace("log.csv", "log-${CRM_PASSWORD}.csv"))
    (folder / "log.csv").rename(folder / "log-s3cret.csv")
    (folder / "venv" / "bin").mkdir(parents=True)
    quick = notebook(folder / "quick.ipynb", READS, shows())
    started = f"""
from pathlib import Path
from cxresearch.cli import main
from cxresearch.report.runs import jobs
jobs.notebook_path = lambda _: Path({str(quick)!r})
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
    done = sh(there(blocks("sh")[0], folder), env=environment(SECRET))
    assert done.returncode == 0, done.stderr
    return folder


def blocks(kind):
    return [text for k, text in BLOCKS if k == kind]


def there(text, home):
    return text.replace("/srv/cx", str(home))


def environment(given=()):
    """The machine's environment with what a scheduler adds; nothing else allows a variable."""
    allowed = {k: v for k, v in os.environ.items() if not k.startswith("CXRESEARCH_ALLOW_")}
    return {k: v for k, v in allowed.items() if k not in SECRET} | dict(given)


def sh(command, env=None, **more):
    return subprocess.run(
        ["/bin/sh", "-ec", command],
        check=False,
        capture_output=True,
        text=True,
        env=environment() if env is None else env,
        **more,
    )


def unchanged(log):
    return "verdicts.html: nothing has changed since " in log


@pytest.mark.slow
def test_the_one_command(home):
    done = sh(there(blocks("sh")[0], home), env=environment(SECRET))
    assert done.returncode == 0
    assert unchanged(done.stderr)
    assert "s3cret" not in done.stderr
    assert done.stdout.split() == [
        str(home / "reports" / n) for n in ("verdicts.html", "index.html")
    ]


@pytest.mark.slow
def test_a_variable_must_be_allowed_by_an_option_or_a_variable(home):
    command = there(blocks("sh")[0], home).replace(" --allow-env CRM_PASSWORD", "")
    refused = sh(command, env=environment(SECRET))
    assert refused.returncode == 1
    assert "--allow-env CRM_PASSWORD" in refused.stderr
    assert "Not up to date." in (home / "reports" / "verdicts.html").read_text()
    (allowed,) = set(re.findall(r"`(CXRESEARCH_ALLOW_ENV)=(CRM_PASSWORD)`", PAGE))
    assert sh(command, env=environment(SECRET | dict([allowed]))).returncode == 0


def test_schedules_of_the_table_are_those_of_the_examples():
    rows = re.findall(r"^\| \[[^|]+\| `([^`]+)`[^|]*\| `([^`]+)`", PAGE, re.MULTILINE)
    assert len(rows) == 4
    examples = "\n".join(text for _, text in BLOCKS)
    for nightly, weekly in rows:
        assert nightly in examples
        assert weekly not in examples
        assert {"0 2 * * *", "0 6 * * 1"} == {
            re.sub(r"OnCalendar=|[a-z]+[=:] ?|\"", "", x)
            .replace("*-*-* 02:00", "0 2 * * *")
            .replace("Mon 06:00", "0 6 * * 1")
            for x in (nightly, weekly)
        }


@pytest.mark.slow
def test_cron(home):
    (line,) = blocks("crontab")
    minute, hour, day, month, weekday, command = line.split(None, 5)
    assert (minute, hour, day, month, weekday) == ("0", "2", "*", "*", "*")
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
    service, after, timer = (there(text, home) for text in blocks("ini"))
    names = re.findall(r"`/etc/systemd/system/(\S+)`:", PAGE)
    assert names == ["cx-report.service", "cx-report-failed.service", "cx-report.timer"]
    units = {}
    for name, text in zip(names, (service, after, timer), strict=True):
        (tmp_path / name).write_text(text)
        units[name] = configparser.ConfigParser(interpolation=None)
        units[name].optionxform = str
        units[name].read_string(text)
    assert units["cx-report.timer"]["Timer"]["OnCalendar"] == "*-*-* 02:00"
    settings = units["cx-report.service"]["Service"]
    lines = Path(settings["EnvironmentFile"]).read_text().splitlines()
    done = sh(settings["ExecStart"], env=environment(line.split("=", 1) for line in lines))
    assert done.returncode == 0
    assert unchanged(done.stderr)
    assert units["cx-report.service"]["Unit"]["OnFailure"] == names[1]
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, what in (
        ("journalctl", "echo the last lines of $2"),
        ("mail", f"echo $@ > {tmp_path}/mail; cat >> {tmp_path}/mail"),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{what}\n")
        (programs / name).chmod(0o755)
    mail = sh(
        units[names[1]]["Service"]["ExecStart"],
        env=environment({"PATH": f"{programs}:{os.environ['PATH']}"}),
    )
    assert (mail.returncode, mail.stderr) == (0, "")
    assert (tmp_path / "mail").read_text() == (
        "-s cx-report failed you@example.org\nthe last lines of cx-report\n"
    )
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

    def __init__(self, *, task_id, on_failure_callback, execution_timeout=None, **given):
        self.task_id, self.given = task_id, given
        self.on_failure_callback = on_failure_callback
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
            given["bash_command"],
            env={**(environment() if given["append_env"] else {}), **rendered},
        )


class Papermill(Operator):
    def execute(self):
        given = dict(self.given)
        output = given.pop("output_nb").replace("{{ ds }}", "2026-11-23")
        papermill.execute_notebook(given.pop("input_nb"), output, progress_bar=False, **given)
        return Path(output)


class Notifier:
    """Stands in for the one of the provider smtp."""

    def __init__(self, *, from_email, to):
        assert "@" in from_email
        assert "@" in to


class Dag:
    def __init__(self, name, *, schedule, start_date, catchup):
        assert (schedule, catchup) == ("0 2 * * *", False)
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
        "airflow.providers.smtp.notifications.smtp": {"SmtpNotifier": Notifier},
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
    assert "`CRM_PASSWORD` and `CXRESEARCH_ALLOW_ENV=CRM_PASSWORD`" in PAGE  # of the worker
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "CRM_PASSWORD")
    monkeypatch.setenv("CRM_PASSWORD", SECRET["CRM_PASSWORD"])
    assert sh(there(blocks("sh")[1], home)).returncode == 0
    exec(compile(there(code, home), "unattended.md", "exec"), {})
    pages, alone = Operator.made
    done = pages.execute()
    assert done.returncode == 0, done.stderr
    assert unchanged(done.stderr)
    assert {type(t.on_failure_callback) for t in Operator.made} == {Notifier}
    ran = nbformat.read(alone.execute(), as_version=4)
    assert ran.metadata.papermill.exception is None
    assert "bad-moments-drive-away" in str(ran.cells)


@pytest.mark.slow
def test_github_actions(home, tmp_path):
    (text,) = blocks("yaml")
    result = yaml.safe_load(text)
    assert result[True]["schedule"] == [{"cron": "0 2 * * *"}]  # YAML reads "on" as true
    steps = result["jobs"]["report"]["steps"]
    assert all(("uses" in s) != ("run" in s) for s in steps)
    assert all(
        re.fullmatch(r"actions/[a-z-]+(/[a-z]+)?@[0-9a-f]{40}", s["uses"])
        for s in steps
        if "uses" in s
    )
    (saved,) = [s for s in steps if s.get("uses", "").startswith("actions/cache/save")]
    assert saved["if"] == "always()"  # what a failed run has published is a look
    assert steps.index(saved) > max(i for i, s in enumerate(steps) if "run" in s)
    cached = next(s["with"] for s in steps if s.get("uses", "").startswith("actions/cache/restore"))
    kept = next(s["with"] for s in steps if s.get("uses", "").startswith("actions/upload"))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pip").write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/installed"\n')
    (programs / "pip").chmod(0o755)
    checkout = tmp_path / "checkout"
    shutil.copytree(home, checkout, ignore=shutil.ignore_patterns("reports", "venv", "pages"))
    (checkout / "wheels").mkdir()
    (checkout / "wheels" / "cxresearch-1.whl").touch()
    path = f"{programs}:{home / 'venv' / 'bin'}:{os.environ['PATH']}"
    for step in (s for s in steps if "run" in s):
        given = step.get("env", {})
        assert set(given.values()) <= {"${{ secrets.CRM_PASSWORD }}"}
        done = sh(
            step["run"],
            cwd=checkout,
            env=environment({k: SECRET[k] for k in given} | {"PATH": path}),
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "installed").read_text().splitlines() == [
        "install --require-hashes -r requirements.lock",
        "install --no-deps --no-index wheels/cxresearch-1.whl",
    ]
    assert sorted(p.name for p in (checkout / kept["path"]).iterdir()) == [
        "index.html",
        "verdicts.html",
    ]
    assert len(list((checkout / cached["path"] / "ledger").iterdir())) > 1  # the history goes on


def test_every_command_and_option_that_is_named_exists():
    from cxresearch.cli import main

    known = {o for p in main.commands["report"].params for o in p.opts}
    named = set(re.findall(r"`(--[a-z-]+)", PAGE)) | {
        o
        for t in (PAGE.partition("```sh\n")[2].partition("```")[0], *blocks("python"))
        for o in re.findall(r" (--[a-z-]+)", t)
    }
    assert named
    assert named <= known
