"""Whatever is wrong on a command line is said in one clear line, with exit status 2; what is tried follows from the
commands' own options, so that a new one is tried as soon as it is there."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cxresearch.cli import main
from tests.report.standins import study_of

LONG = "x" * 300
WORDS = {"study": "{study}", "folder": "{new}", "world": "null", "files": "file"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a study, a file and nothing else, in which commands run."""
    study_of(tmp_path / "study")
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wrong_values(option):
    """Values that an option refuses, by its type."""
    kind = option.type
    if isinstance(kind, click.IntRange | click.FloatRange):
        values = ["x", "", "-1", "nan", "1e", "0x10"]
        if isinstance(kind, click.IntRange):
            values += ["1.5", "1e3", "inf"]
        return values + (["9" * 30, str(kind.max + 1)] if kind.max is not None else [])
    if isinstance(kind, click.Choice):
        return ["oracle", "", kind.choices[0][:-1]]
    if isinstance(kind, click.Path) and not kind.file_okay:
        return ["file", "file/deeper"]
    if isinstance(kind, click.Path) and not kind.dir_okay:
        return ["", ".", "study", "nowhere/x.json"]
    if option.metavar == "NAME=VALUE":
        return ["hunter2", "=hunter2", ""]
    return [""] if option.metavar in ("NAME", "HOST", "ID") else []


def command_lines():
    """Command and what is wrong with it."""
    for name, command in main.commands.items():
        words = [WORDS[p.name] for p in command.params if isinstance(p, click.Argument)]
        options = [p for p in command.params if isinstance(p, click.Option)]
        for option in options:
            for value in wrong_values(option):
                yield [name, *words, option.opts[0], value]
            if not option.is_flag:
                yield [name, *words, option.opts[0]]
        yield [name, *words, "--colour"]
        yield [name, *words, "one too many"]
        yield [f"{name}s", *words]
        for wrong in ("nowhere", "nowhere/study.toml", "file", "file/deeper", LONG, ""):
            if "study" in {p.name for p in command.params if isinstance(p, click.Argument)}:
                yield [name, wrong]
            if name == "simulate":
                yield [name, wrong]
        if name == "sample":
            yield from ([name], [name, "file"], [name, "file/deeper"], [name, LONG])
        elif name not in ("claims", "simulate"):
            yield [name]
    yield ["nothing"]
    yield ["--colour"]


@pytest.mark.parametrize("words", list(command_lines()), ids=lambda w: " ".join(w)[:60])
def test_wrong_usage_is_one_clear_line(place, words):
    given = [w.format(study=place / "study", new=place / "new") for w in words]
    before = sorted(p for p in place.rglob("*") if ".cxresearch" not in str(p))
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 2, (done.output, done.exception)
    assert isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    assert done.stdout == ""
    lines = [x for x in done.stderr.splitlines() if x]
    # what belongs to the command comes before: how it is used
    said = [x for x in lines if not x.startswith(("Usage: ", "Try ", "interactions", "retention"))]
    assert len(said) == 1, done.stderr
    assert said[0].startswith(("Error: ", "cxresearch: "))
    assert len(said[0]) < 1000  # a long list of names among it
    assert "hunter2" not in done.output
    assert sorted(p for p in place.rglob("*") if ".cxresearch" not in str(p)) == before
