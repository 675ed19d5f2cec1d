"""The command line: what goes to which stream, with which status, and one clear line for whatever is wrong."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from cxresearch.cli import main
from cxresearch.worlds import World, simulate
from tests.engine_names import ENGINES as TRIED

ENGINES = [name for name in TRIED if name != "polars-lazy"]
CLAIM = "three-strikes"
# with another method for several claims, all that the study can try are tried with each
STUDY = """
[study]
id = "small"
[decision]
multiplicity = "none"
[interactions]
source = "interactions.parquet"
score = "stars"
scale = [1, 5]
[retention]
source = "customers.csv"
cause = "reason"
defection = ["switched"]
segment = "plan"
cluster = "household"
"""
# as the page on data says
VERDICT_KEYS = {
    "association",
    "declared",
    "rivals",
    "claim",
    "reading",
    "primary",
    "verdict",
    "verdict_alone",
    "reason",
    "estimate",
    "ci_low",
    "ci_high",
    "level",
    "interval",
    "ci_fixed_low",
    "ci_fixed_high",
    "p",
    "p_family",
    "se",
    "se_model",
    "unit",
    "region",
    "customers",
    "events",
    "horizon_days",
    "base_rate",
    "naive",
    "lacks",
    "code",
    "warnings",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small study that is written once."""
    folder = tmp_path_factory.mktemp("small")
    made = simulate(World(days=400, entry_days=200, hr_bad=(1, 1.5, 2, 3)), 1500, seed=1)
    made.interactions.write_parquet(folder / "interactions.parquet")
    made.customers.write_csv(folder / "customers.csv")
    (folder / "study.toml").write_text(STUDY)
    return folder


@pytest.fixture
def study(world, tmp_path):
    """A copy of it to spoil."""
    return Path(shutil.copytree(world, tmp_path / "study"))


def run(*args):
    return CliRunner().invoke(main, [str(a) for a in args], catch_exceptions=True)


def real(*args, **more):
    """A process of its own, with warnings as errors."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        "from cxresearch.cli import main; main()",
        *map(str, args),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def one_line(done, status=2) -> str:
    """The one line on standard error; nothing else, no traceback."""
    assert done.exit_code == status, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("cxresearch: ")
    assert "Traceback" not in done.output
    return lines[0]


@pytest.mark.parametrize(
    "command", [[], ["sample"], ["audit"], ["claims"], ["evaluate"], ["report"]]
)
def test_help(command):
    done = run(*command, "--help")
    assert done.exit_code == 0
    assert "Usage:" in done.stdout
    assert re.search(r"Usage: .*\n\n  [A-Z][\w-]+ ", done.stdout)


def test_version():
    assert re.search(r"\d+\.\d+", run("--version").stdout)


def test_sample_is_written_once_and_can_be_audited(tmp_path):
    done = run("sample", tmp_path / "deep" / "sample")
    assert done.exit_code == 0
    files = [Path(line) for line in done.stdout.splitlines()]
    names = ["study.toml", "interactions.parquet", "customers.csv", "study.schema.json"]
    assert [f.name for f in files] == names
    assert all(f.is_file() for f in files)
    assert "is there already; --force overwrites it" in one_line(
        run("sample", tmp_path / "deep" / "sample")
    )
    assert run("sample", tmp_path / "deep" / "sample", "--force").exit_code == 0
    audited = run("audit", tmp_path / "deep" / "sample")
    assert audited.exit_code == 0
    assert "excluded by rule" in audited.stdout


def test_sample_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    assert "cannot write to" in one_line(run("sample", tmp_path / "file" / "deeper"))


@pytest.mark.parametrize("engine", [*ENGINES, "polars-lazy"])
def test_audit_says_where_quarantined_rows_are(study, tmp_path, engine):
    log = pl.read_parquet(study / "interactions.parquet").with_columns(pl.col("at").cast(pl.String))
    log[0, "at"] = "soon"
    log.write_parquet(study / "interactions.parquet")
    done = run("audit", study, "--engine", engine, "--state", tmp_path / "state")
    assert done.exit_code == 0, done.output
    assert re.search(r"quarantined: time not readable +1  rows 1\n", done.stdout)
    (path,) = (tmp_path / "state" / "quarantine").glob("study-*/interactions.csv")
    assert done.stderr == f"quarantined rows: {path}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not (study / ".cxresearch").exists()


def test_audits_are_the_same_text_on_every_engine(world):
    texts = {run("audit", world, "--engine", engine).stdout for engine in [*ENGINES, "polars-lazy"]}
    assert len(texts) == 1


def test_studies_that_share_a_state_folder_keep_their_quarantines(study, tmp_path):
    """One has a faulty row and the other none; then it is the other way round."""
    log = pl.read_parquet(study / "interactions.parquet").with_columns(pl.col("at").cast(pl.String))
    other = Path(shutil.copytree(study, tmp_path / "other" / "study"))
    log[0, "at"] = "soon"
    log.write_parquet(study / "interactions.parquet")
    state = tmp_path / "state"
    first = run("audit", study, "--state", state).stderr
    assert run("audit", other, "--state", state).stderr == ""
    (kept,) = (state / "quarantine").rglob("*.csv")
    assert first == f"quarantined rows: {kept}\n"
    assert "soon" in kept.read_text()
    log.write_parquet(other / "interactions.parquet")
    second = run("audit", other / "study.toml", "--state", state).stderr
    assert len(list((state / "quarantine").rglob("*.csv"))) == 2
    assert second != first
    assert run("audit", study).stderr == (
        f"quarantined rows: {study / '.cxresearch' / 'quarantine' / 'interactions.csv'}\n"
    )


def test_claims_alone_and_for_a_study(world):
    alone = run("claims")
    assert alone.exit_code == 0
    assert CLAIM in alone.stdout
    of = run("claims", world)
    assert of.exit_code == 0
    assert "✔" in of.stdout


def test_what_the_audit_refuses_cannot_be_tried(study):
    people = pl.read_csv(study / "customers.csv", infer_schema=False)
    people.with_columns(end=pl.lit("never")).write_csv(study / "customers.csv")
    refusals = [run(command, study) for command in ("audit", "claims")]
    assert {r.exit_code for r in refusals} == {2}
    assert len({r.stderr for r in refusals}) == 1
    assert "retention.end: the column 'end' cannot be read" in refusals[0].stderr


def test_warnings_stand_before_the_verdicts(study):
    log = pl.read_parquet(study / "interactions.parquet")
    stray = log.head(1).with_columns(at=pl.datetime(2099, 1, 1).cast(log.schema["at"]))
    pl.concat([log, stray]).write_parquet(study / "interactions.parquet")
    for command in (["audit"], ["evaluate", "--claim", CLAIM]):
        lines = run(command[0], study, *command[1:]).stdout.splitlines()
        (line,) = (text for text in lines if text.startswith("! stray_last_dates: "))
        assert "2099-01-01" in line
        assert line.endswith("give interactions.log_until if it ends on another day")
        assert lines.index(line) < 4
    written = json.loads(run("evaluate", study, "--claim", CLAIM, "--json", "-").stdout)
    warning, leaving = written["warnings"]
    assert (leaving["code"], leaving["examples"]) == ("foretells_exit", ["cancellation"])
    assert (warning["code"], warning["key"]) == ("stray_last_dates", "interactions.log_until")
    assert warning["values"]["rows"] == {"count": 1, "total": log.height + 1}
    assert warning["values"]["seen"] == "2099-01-01"


def keys_of(result):
    above = {"study", "fingerprint", "counted", "version", "family", "look", "warnings"}
    assert set(result) == {*above, "verdicts"}
    for verdict in result["verdicts"]:
        assert set(verdict) == VERDICT_KEYS
        assert verdict["verdict"] in ("supported", "contradicted", "undecided", "not testable")
        assert verdict["interval"] in ("fixed", "anytime", None)
        for beside in (verdict["base_rate"], verdict["naive"]):
            assert beside is None or set(beside) == {"value", "ci_low", "ci_high", "label"}


def no_odd_numbers(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    result = json.loads(text, parse_constant=refuse)
    stack = [result]
    while stack:
        value = stack.pop()
        stack += (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        )
        assert not isinstance(value, float) or math.isfinite(value)
    return result


def test_evaluate_one_claim_to_a_file(world, tmp_path):
    done = run(
        "evaluate", world, "--claim", CLAIM, "--json", tmp_path / "v.json", "--state", tmp_path
    )
    assert done.exit_code == 0, done.output
    assert CLAIM in done.stdout
    assert all(line.startswith("cxresearch: ") for line in done.stderr.splitlines())
    result = no_odd_numbers((tmp_path / "v.json").read_text(encoding="utf-8"))
    keys_of(result)
    assert {v["claim"] for v in result["verdicts"]} == {CLAIM}


def test_evaluate_prints_a_table_and_writes_spreadsheets(world, tmp_path):
    args = ["--claim", CLAIM, "--claim", "household-contagion", "--state", tmp_path / "state"]
    files = ["--csv", tmp_path / "v.csv", "--xlsx", tmp_path / "v.xlsx"]
    done = run("evaluate", world, *args, *files)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1].startswith("2 claims: ")
    # warnings about the data stand above it
    table = next(i for i, line in enumerate(lines[2:], 2) if line and not line.startswith("! "))
    assert lines[table].split() == ["claim", "verdict", "number", "base", "rate", "why"]
    assert "cxresearch: trying " in done.stderr
    assert "(2 of 2)" in done.stderr
    assert pl.read_csv(tmp_path / "v.csv")["claim"].to_list() == [CLAIM, "household-contagion"]
    assert (tmp_path / "v.xlsx").read_bytes().startswith(b"PK")
    long = run("evaluate", world, *args, "--long")
    assert f"{CLAIM}: {pl.read_csv(tmp_path / 'v.csv')['verdict'][0].upper()}" in long.stdout
    assert "nowhere" in one_line(run("evaluate", world, "--xlsx", tmp_path / "nowhere" / "v.xlsx"))


@pytest.mark.slow
def test_evaluate_writes_only_json_to_standard_output(world, tmp_path):
    prints = []
    for engine in ENGINES:
        done = real(
            "evaluate",
            world,
            "--claim",
            CLAIM,
            "--json",
            "-",
            "--engine",
            engine,
            "--state",
            tmp_path / engine,
        )
        assert done.returncode == 0, done.stderr
        result = no_odd_numbers(done.stdout)
        keys_of(result)
        counts = [(v["reading"], v["customers"], v["events"]) for v in result["verdicts"]]
        prints.append((result["fingerprint"], result["counted"], counts))
        lines = done.stderr.splitlines()
        assert len(lines) >= 2
        assert all(line.startswith("cxresearch: ") for line in lines)
    assert prints[0] == prints[1]


def test_evaluate_refuses_before_it_computes(world, tmp_path):
    assert "no claim 'three-strike'; did you mean 'three-strikes'?" in one_line(
        run("evaluate", world, "--claim", "three-strike")
    )
    done = run("evaluate", world, "--json", tmp_path / "nowhere" / "v.json")
    assert "cannot write" in one_line(done)
    done = run("evaluate", world, "--json", tmp_path)
    assert done.exit_code == 2
    assert "is a directory" in done.stderr


def test_json_into_a_pipe_that_has_a_name(world, tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(
        target=lambda: read.append(pipe.read_text(encoding="utf-8")), daemon=True
    )
    reader.start()
    done = run("evaluate", world, "--claim", CLAIM, "--json", pipe, "--state", tmp_path / "state")
    assert done.exit_code == 0, done.output
    reader.join(10)
    keys_of(no_odd_numbers(*read))
    assert pipe.is_fifo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pipe", "state"]


@pytest.mark.slow
def test_json_to_where_standard_output_goes_is_written_after_the_table(world, tmp_path):
    out = tmp_path / "out.txt"
    with out.open("w", encoding="utf-8") as file:
        command = [
            sys.executable,
            "-c",
            "from cxresearch.cli import main; main()",
            "evaluate",
            str(world),
        ]
        more = ["--claim", CLAIM, "--json", str(out), "--state", str(tmp_path / "state")]
        subprocess.run([*command, *more], stdout=file, stderr=subprocess.DEVNULL, check=True)
    table, brace, rest = out.read_text(encoding="utf-8").partition("{")
    assert CLAIM in table
    keys_of(no_odd_numbers(brace + rest))


@pytest.mark.slow
def test_a_file_is_replaced_as_a_whole(world, tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "v.json").write_text("before")
    (tmp_path / "real" / "v.json").chmod(0o640)
    (tmp_path / "link.json").symlink_to("real/v.json")
    args = [
        "evaluate",
        world,
        "--claim",
        CLAIM,
        "--json",
        tmp_path / "link.json",
        "--state",
        tmp_path / "state",
    ]
    with monkeypatch.context() as broken:

        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        broken.setattr(Path, "replace", full)
        done = run(*args)
        assert done.exit_code == 1
        assert done.stderr.endswith(
            f"cannot write {tmp_path / 'link.json'}: No space left on device; name another file\n"
        )
    assert [p.name for p in (tmp_path / "real").iterdir()] == ["v.json"]
    assert (tmp_path / "real" / "v.json").read_text() == "before"
    assert run(*args).exit_code == 0
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real" / "v.json").stat().st_mode & 0o777 == 0o640
    assert [p.name for p in (tmp_path / "real").iterdir()] == ["v.json"]
    keys_of(no_odd_numbers((tmp_path / "link.json").read_text(encoding="utf-8")))


def test_a_name_that_is_no_files_is_refused_before_it_computes(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("evaluate", world, "--json", "")
    assert done.exit_code == 2
    assert "--json needs the name of a file" in done.stderr
    for folder in (".", tmp_path):
        assert run("evaluate", world, "--json", folder).exit_code == 2
    assert "File name too long" in one_line(run("evaluate", world, "--json", "x" * 300), status=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--seed", "-1"),
        ("--customers", "99999999999999999999"),
        ("--customers", "10000001"),
        ("--customers", "0"),
    ],
)
def test_a_number_that_no_world_takes(tmp_path, option, value):
    done = run("simulate", "null", option, value, "--out", tmp_path / "world")
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.stderr
    assert not (tmp_path / "world").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--notebook", "verdict"], "no notebook 'verdict'; did you mean 'verdicts'?"),
        (["-p", "tilte=x"], "no parameter 'tilte'; did you mean 'title'?"),
        (["--notebook", "verdicts", "--notebook", "nope"], "no notebook 'nope'"),
    ],
)
def test_what_a_report_is_told_wrongly_is_wrong_usage(world, tmp_path, args, said):
    assert said in one_line(run("report", world, "--out", tmp_path / "out", *args))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "args",
    [
        ["audti"],
        ["audit"],
        ["audit", "x", "--engine", "oracle"],
        ["audit", "x", "--colour"],
        ["evaluate", "x", "y"],
    ],
)
def test_wrong_usage(args):
    done = run(*args)
    assert done.exit_code == 2
    assert "Usage:" in done.stderr
    assert done.stdout == ""


def test_a_definition_that_is_none_is_not_shown(world):
    done = run("audit", world, "-D", "hunter2")
    assert done.exit_code == 2
    assert "NAME=VALUE" in done.stderr
    assert "hunter2" not in done.output


def test_a_secret_of_the_environment_is_never_shown(study, monkeypatch):
    monkeypatch.setenv("CX_PW", "hunter2")
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "CX_PW")
    text = STUDY.replace("interactions.parquet", "${CX_PW}/x.parquet")
    (study / "study.toml").write_text(text)
    assert "no file '${CX_PW}/x.parquet'" in one_line(run("audit", study))
    (study / "hunter2").mkdir()
    (study / "hunter2" / "x.parquet").write_bytes(b"junk of a file")
    for engine in ENGINES:
        for command in ("audit", "evaluate"):
            done = run(command, study, "--engine", engine)
            assert done.exit_code == 2
            assert "hunter2" not in done.output
    monkeypatch.delenv("CX_PW")
    assert "CX_PW" in one_line(run("audit", study))
    assert "hunter3" not in one_line(run("audit", study, "-D", "CX_PW=hunter3"))


def spoil(study: Path, what: str) -> None:
    """Make one thing wrong with a study."""
    toml, log, who = study / "study.toml", study / "interactions.parquet", study / "customers.csv"
    text = toml.read_text()
    customers, contacts = pl.read_csv(who), pl.read_parquet(log)
    steps: dict[str, Callable[[], object]] = {
        "no study file": toml.unlink,
        "broken TOML": lambda: toml.write_text("[study\n"),
        "junk for TOML": lambda: toml.write_bytes(bytes(range(256))),
        "unknown key": lambda: toml.write_text(text.replace("score =", "scroe =")),
        "no such file": log.unlink,
        "missing column": lambda: toml.write_text(
            text.replace('cause = "reason"', 'cause = "reasons"')
        ),
        "wrong type": lambda: contacts.with_columns(at=pl.lit(True)).write_parquet(log),
        "score of text": lambda: toml.write_text(text.replace('"stars"', '"channel"')),
        "nobody in common": lambda: customers.with_columns(
            customer=pl.lit("X") + pl.col("customer")
        ).write_csv(who),
        "no date readable": lambda: customers.with_columns(start=pl.lit("1st of May")).write_csv(
            who
        ),
        "no time readable": lambda: contacts.with_columns(at=pl.lit("yesterday")).write_parquet(
            log
        ),
        "empty file": lambda: who.write_bytes(b""),
        "empty parquet": lambda: log.write_bytes(b""),
        "no rows": lambda: contacts.clear().write_parquet(log),
        "no customers": lambda: customers.clear().write_csv(who),
        "random parquet": lambda: log.write_bytes(bytes(i * i * 31 % 251 for i in range(5000))),
        "random csv": lambda: who.write_bytes(bytes(i * i * 31 % 256 for i in range(5000))),
        "random text": lambda: who.write_bytes(bytes(33 + i * i * 31 % 90 for i in range(5000))),
        "latin-1 csv": lambda: (
            who.write_bytes((who.read_text() + "ü,2023-01-01,,,,\n").encode("latin-1")),
            toml.write_text(text.replace('"customers.csv"', '"customers.csv"\nencoding = "utf-8"')),
        ),
        "ragged csv": lambda: who.write_text(who.read_text() + "a,b,c,d,e,f,g,h,i\n"),
        "folder without parquet": lambda: (log.unlink(), log.mkdir()),
        "bad rule": lambda: toml.write_text(text + '[moments]\nbad = "starts <= 2"\n'),
        "bad query": lambda: toml.write_text(
            text.replace('source = "customers.csv"', 'query = "select * from nowhere"')
        ),
        "deep rule": lambda: toml.write_text(text + f'[moments]\nbad = "{"not " * 5000} true"\n'),
        "claim without a grammar": lambda: toml.write_text(text + "[[claims]]\nid = 'x'\n"),
    }
    steps[what]()


WRONG = {
    "no study file": "no study file",
    "broken TOML": "is not valid TOML",
    "junk for TOML": "is not text in UTF-8",
    "unknown key": "did you mean 'score'?",
    "no such file": "interactions.source: no file 'interactions.parquet'",
    "missing column": "retention.cause: customers.csv has no column 'reasons'; did you mean 'reason'?",
    "wrong type": "interactions.at: the column 'at' must hold times, dates, ISO text or integer days, holds boolean",
    "score of text": "interactions.score: the column 'channel' must hold numbers, and 14,212 rows hold text: 'phone'",
    "nobody in common": "no customers in common",
    "no date readable": "say how retention.start is written with date_format",
    "no time readable": "say how it is written with at_format",
    "empty file": "'customers.csv' is empty",
    "empty parquet": "'interactions.parquet' is empty",
    "no rows": "interactions: the table has no rows",
    "no customers": "retention: the table has no rows",
    "random parquet": "interactions.source (interactions.parquet): cannot be read",
    "random csv": "is not text in UTF-8",
    "random text": "customers.csv",
    "latin-1 csv": "is not text in utf-8 (byte 0xfc near line",
    "ragged csv": "look at quotes, separators and line ends",
    "folder without parquet": "no file 'interactions.parquet'",
    "bad rule": "no column 'starts'; did you mean 'stars'?",
    "bad query": "nowhere is not a declared table",
    "deep rule": "too long or too deeply nested",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("what", WRONG)
def test_wrong_input_is_one_clear_line(study, what, engine):
    spoil(study, what)
    assert WRONG[what] in one_line(run("audit", study, "--engine", engine))
    done = run("evaluate", study, "--claim", CLAIM, "--engine", engine, "--json", "-")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("cxresearch: ")
    assert "Traceback" not in done.output


def test_a_claim_without_a_grammar_is_one_clear_line(study):
    spoil(study, "claim without a grammar")
    one_line(run("claims", study))
    one_line(run("evaluate", study))


@pytest.mark.slow
@pytest.mark.parametrize(
    "what", ["random parquet", "random csv", "wrong type", "junk for TOML", "bad query"]
)
def test_wrong_input_in_a_process_of_its_own(study, what):
    spoil(study, what)
    for engine in ENGINES:
        done = real("audit", study, "--engine", engine)
        assert done.returncode == 2
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert WRONG[what] in done.stderr


@pytest.mark.parametrize("place", ["nowhere", "nowhere/study.toml", "x" * 300])
def test_a_study_that_is_nowhere(tmp_path, place):
    assert place[:100] in one_line(run("audit", tmp_path / place))


def test_a_folder_given_as_a_study_without_one(tmp_path):
    assert "no study file" in one_line(run("evaluate", tmp_path))


def test_a_state_folder_that_cannot_be_written(study, tmp_path):
    log = pl.read_parquet(study / "interactions.parquet").with_columns(pl.col("at").cast(pl.String))
    log[0, "at"] = "soon"
    log.write_parquet(study / "interactions.parquet")
    (tmp_path / "file").touch()
    done = run("audit", study, "--state", tmp_path / "file" / "deeper")
    assert "give another folder with --state" in one_line(done)


@pytest.mark.slow
@pytest.mark.parametrize(
    "args",
    [
        ["audit"],
        ["claims"],
        ["evaluate", "--claim", CLAIM, "--json", "-"],
        ["evaluate", "--claim", CLAIM],
    ],
)
def test_a_reader_that_goes_away_leaves_no_traceback(world, tmp_path, args):
    state = ["--state", str(tmp_path)] if args[0] != "claims" else []
    command = [
        sys.executable,
        "-c",
        "from cxresearch.cli import main; main()",
        args[0],
        str(world),
        *args[1:],
        *state,
    ]
    read, write = os.pipe()
    os.close(read)
    # nobody reads: the first write to standard output fails
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert "Broken pipe" not in done.stderr
    assert done.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LC_ALL", "PYTHONIOENCODING"])
def test_a_terminal_that_knows_ascii_only(world, name):
    value = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}[name]
    done = real(
        "claims", world, env={**os.environ, name: value}, encoding="utf-8", errors="replace"
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
