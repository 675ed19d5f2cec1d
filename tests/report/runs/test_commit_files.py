import json
import os
import subprocess
import sys

import pytest

from cxresearch.report.runs import commit_files as module
from cxresearch.report.runs.commit_files import (
    LOG_SUFFIX,
    clear,
    discard,
    hold,
    mark_of,
    publish,
    tidy,
    workplace,
)
from cxresearch.utils.atomic import atomic_write, leftovers, stage
from cxresearch.utils.trust import signed


@pytest.fixture
def state(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def staged(state, *names):
    out = state.parent / "out"
    return [
        (stage(out / n, lambda p: p.write_text("new"), mark=mark_of(state)), out / n) for n in names
    ]


def quiet(_):
    pass


def test_files_are_renamed_in_order_and_nothing_else_is_left(state):
    said = []
    publish(state, staged(state, "a.html", "index.html"), said.append)
    assert {p.name: p.read_text() for p in (state.parent / "out").iterdir()} == {
        "a.html": "new",
        "index.html": "new",
    }
    assert list(state.iterdir()) == []
    assert said == ["publishing", "renaming in out"]


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_a_run_killed_while_it_renames_is_finished_by_the_next(state, renamed):
    moves = staged(state, "a.html", "b.html", "index.html")
    (state.parent / "out" / "a.html").write_text("old")
    note = json.dumps([[str(a), str(b)] for a, b in moves]).encode()
    atomic_write(state / "publishing.json", signed(f"publishing.json in {state}", note).decode())
    for part, target in moves[:renamed]:
        part.replace(target)
    assert tidy(state, state.parent / "out")
    assert {p.name: p.read_text() for p in (state.parent / "out").iterdir()} == dict.fromkeys(
        ("a.html", "b.html", "index.html"), "new"
    )
    assert list(state.iterdir()) == []
    assert not tidy(state, state.parent / "out")


def test_a_run_killed_before_that_is_cleared(state):
    out = state.parent / "out"
    (out / "a.html").write_text("old")
    (out / ".of-another-study.html.0badcafe.part").touch()
    staged(state, "a.html", "index.html")
    work, _ = workplace(state, "run", state.parent / "elsewhere")
    (state.parent / "elsewhere").mkdir()
    (state.parent / "elsewhere" / f".a.html.{mark_of(state)}.part").touch()
    (work / "verdicts.ipynb").touch()
    for folder in ("ledger", "pages", "failed", "."):
        (state / folder).mkdir(exist_ok=True)
        (state / folder / ".x.cx.part").touch()
    assert not tidy(state, out)
    assert {p.name for p in out.iterdir()} == {"a.html", ".of-another-study.html.0badcafe.part"}
    assert (out / "a.html").read_text() == "old"
    assert [p for p in state.rglob("*") if p.is_file()] == []
    assert not (state / "work").exists()
    assert list((state.parent / "elsewhere").iterdir()) == []


def test_parts_of_kept_tables_go_if_their_writer_has_gone(state):
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    place = state / "cache" / "abc"
    place.mkdir(parents=True)
    (place / f".t.json.{int(gone.stdout)}.part").touch()
    (place / f".t.json.{os.getppid()}.part").touch()
    (place / "t.json").touch()
    (state / "cache" / ".inputs.json.999999999999999999999.part").touch()
    tidy(state, state.parent / "out")
    assert {p.name for p in place.iterdir()} == {f".t.json.{os.getppid()}.part", "t.json"}
    assert [p.name for p in (state / "cache").iterdir()] == ["abc"]


def test_a_note_that_cannot_be_written_leaves_no_parts(state, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    moves = staged(state, "a.html")
    monkeypatch.setattr(module, "atomic_write", full)
    with pytest.raises(OSError, match="No space"):
        publish(state, moves, quiet)
    assert list((state.parent / "out").iterdir()) == []


def test_work_is_for_the_owner_and_sockets_have_short_paths(tmp_path):
    work, sockets = workplace(tmp_path / "s", "run", tmp_path / "out")
    assert work.stat().st_mode & 0o077 == 0
    long = tmp_path / ("x" * 100)
    deep, apart = workplace(long, "run", tmp_path / "out")
    assert len(os.fsencode(apart)) < 90
    assert apart != deep
    assert apart.stat().st_mode & 0o077 == 0
    assert sockets.is_dir()
    clear(work)
    clear(deep)
    assert not apart.exists()
    assert not (long / "work").exists()


def test_parts_can_be_thrown_away(state):
    moves = staged(state, "a.html")
    discard([*moves, *moves])
    assert list((state.parent / "out").iterdir()) == []


def test_a_part_replaces_an_older_one_and_its_mode(tmp_path):
    old = tmp_path / ".a.html.cx.part"
    old.touch(mode=0o644)
    part = stage(tmp_path / "a.html", lambda p: p.write_text("x"), mode=0o600)
    assert part == old
    assert part.stat().st_mode & 0o777 == 0o600
    assert leftovers(tmp_path) == [part]
    assert leftovers(tmp_path, "other") == []
    assert leftovers(tmp_path / "none") == []


def test_a_kernel_that_outlives_its_run_is_waited_for(state):
    work, _ = workplace(state, "run", state.parent / "out")
    with (work / f"verdicts{LOG_SUFFIX}").open("wb") as stream:
        hold(stream)
        code = f"import os, time; time.sleep(1); os.makedirs({str(work / 'ipython' / 'deep')!r}); time.sleep(0.5)"
        kernel = subprocess.Popen([sys.executable, "-c", code], stdout=stream, stderr=stream)
    tidy(state, state.parent / "out")
    assert kernel.wait(0.5) == 0
    assert list(state.iterdir()) == []
