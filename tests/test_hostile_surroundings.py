"""Full disks, closed streams, folders that are gone, names that are no text: one line, and never a traceback."""

import json
import os
import re
import subprocess
import sys

import pytest

from cxresearch.cli_streams import escape_json
from tests.report.standins import study_of

FULL = "/dev/full"
NOT_TEXT = "st\udcff"  # a byte that is not UTF-8
MAIN = "from cxresearch.cli import main; main()"
ONE = '[decision]\nmultiplicity = "none"\n'  # no claim is tried but the one that is asked for


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    result = study_of(tmp_path_factory.mktemp("hostile") / "study")
    result.write_text(result.read_text() + ONE)
    return result


def shell(command, **given):
    """Run a line of a shell in which ``cx`` is the command; its process, with standard output and error."""
    cx = f"cx() {{ '{sys.executable}' -c '{MAIN}' \"$@\"; }}\n"
    run = ["bash", "-c", cx + command]
    return subprocess.run(run, capture_output=True, check=False, timeout=120, **given)


def one_line(done, status, *words):
    """It ended so, with one line on standard error that holds these words."""
    said = done.stderr.decode(errors="replace")
    progress = ("cxresearch: trying", "reading and checking", "as in an earlier run")
    lines = [x for x in said.splitlines() if not any(p in x for p in progress)]
    assert done.returncode == status, said
    assert len(lines) == 1, said
    assert lines[0].startswith("cxresearch: ")
    assert all(word in lines[0] for word in words), lines


@pytest.mark.parametrize(
    "args", ["--help", "audit --help", "audit {}", "claims", "evaluate {} --claim three-strikes"]
)
def test_a_full_disk_under_standard_output(study, args):
    done = shell(f"cx {args.format(study)} > {FULL}")
    one_line(done, 1, "write", "No space left on device")


@pytest.mark.slow
def test_a_full_disk_under_the_json(study):
    done = shell(f"cx evaluate {study} --claim three-strikes --json - > {FULL}")
    one_line(done, 1, "cannot write to standard output: No space left on device")


@pytest.mark.slow
@pytest.mark.parametrize("stream", [f"2> {FULL}", "2>&-", "2>&- <&-"])
def test_where_nothing_can_be_said_the_status_says_it(study, stream):
    assert shell(f"cx audit {study.parent}/nowhere {stream}").returncode == 2
    done = shell(f"cx evaluate {study} --claim three-strikes --json - {stream}")
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdicts"]
    assert b"Traceback" not in done.stdout


@pytest.mark.slow
def test_no_file_takes_the_number_of_a_closed_stream(study, tmp_path):
    file = tmp_path / "verdicts.json"
    done = shell(f"cx evaluate {study} --claim three-strikes --json {file} >&- 2>&- <&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert json.loads(file.read_text())["verdicts"]


@pytest.mark.parametrize(
    ("args", "status"),
    [
        ("audit study.toml", 2),
        pytest.param("audit .", 2, marks=pytest.mark.slow),
        pytest.param("init a.csv", 2, marks=pytest.mark.slow),
        ("sample x", 2),
        ("report study.toml", 2),
        ("report {} --out {}/../out --state here", 2),
        ("report {}", 1),
        pytest.param("evaluate {} --json x.json", 1, marks=pytest.mark.slow),
    ],
)
def test_a_working_folder_that_is_gone(study, tmp_path, args, status):
    place = tmp_path / "gone"
    place.mkdir()
    done = shell(f"cd {place}; rmdir {place}; cx {args.format(study, tmp_path)}")
    one_line(done, status)


def not_text(folder):
    """A study in a folder whose name is no text."""
    study_of(folder / "study")
    return os.fsencode((folder / "study").rename(folder / NOT_TEXT))


@pytest.mark.slow
@pytest.mark.parametrize("args", ["audit {}", "evaluate {}", "claims {}", "report {} --out {}/out"])
def test_a_folder_whose_name_is_no_text(tmp_path, args):
    place = not_text(tmp_path)
    line = "cx " + args.replace("{}", '"$PLACE"', 1).replace("{}", str(tmp_path))
    done = shell(line, env=os.environb | {b"PLACE": place})
    one_line(done, 2, "st\\udcff", "is not UTF-8: rename the file or folder")


@pytest.mark.slow
def test_a_state_folder_an_output_folder_and_a_table_whose_names_are_no_text(study, tmp_path):
    place = {b"PLACE": not_text(tmp_path)}
    for args in (f'audit {study} --state "$PLACE"', f'report {study} --out "$PLACE"'):
        one_line(shell(f"cx {args}", env=os.environb | place), 2, "is not UTF-8")
    own = study_of(tmp_path / "own")
    (own.parent / "log.csv").rename(own.parent / "log\udcff.csv")
    own.write_text(own.read_text().replace("log.csv", "log*.csv"))
    one_line(shell(f"cx audit {own}"), 2, "is not UTF-8")


LONG = "9" * 4400
MANY = "9" * 400  # more than a double holds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[study]", f"[study]\nmin_cell = {LONG}", "a number has thousands of digits"),
        ("[retention]", f'[moments]\nbad = "grade = {LONG}"\n[retention]', "4,400 digits"),
        ("[retention]", f'[moments]\nbad = "at = {MANY}"\n[retention]', "400 digits"),
        ("[retention]", f'[moments]\nbad = "at > {MANY}.5"\n[retention]', "402 digits"),
    ],
    ids=["a setting", "a long rule", "a rule", "a rule with a point"],
)
def test_a_number_of_thousands_of_digits(tmp_path, old, new, words):
    own = study_of(tmp_path / "own")
    own.write_text(own.read_text().replace(old, new))
    one_line(shell(f"cx audit {own}"), 2, words)


@pytest.mark.slow
def test_an_error_about_a_long_value_can_be_read(tmp_path):
    own = study_of(tmp_path / "own")
    own.write_text(own.read_text().replace("log.csv", "x" * 9000))
    done = shell(f"cx audit {own}")
    one_line(done, 2, "interactions", " … ")
    assert len(done.stderr) < 1100


@pytest.mark.slow
def test_a_cell_of_thousands_of_digits_is_a_row_that_is_counted(tmp_path):
    own = study_of(tmp_path / "own")
    lines = (own.parent / "log.csv").read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], LONG, *cells[2:]])
    (own.parent / "log.csv").write_text("\n".join(lines) + "\n")
    done = shell(f"cx audit {own}")
    assert done.returncode == 0, done.stderr
    assert re.search(rb"quarantined: .*time.* 1\b", done.stdout)


def test_python_without_docstrings_is_refused_before_the_work(study, tmp_path):
    for level in ("2", "3"):
        done = shell(
            f"cx report {study} --out {tmp_path / 'out'}",
            env=os.environ | {"PYTHONOPTIMIZE": level},
        )
        one_line(done, 2, "PYTHONOPTIMIZE=2")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_python_without_assertions_gives_the_same_verdicts(study, tmp_path):
    """Each time tried anew: what is kept lies in a folder of its own."""
    said = [
        shell(
            f"cx evaluate {study} --claim three-strikes --json - --state {tmp_path / level}",
            env=os.environ | {"PYTHONOPTIMIZE": level},
        ).stdout
        for level in ("0", "1")
    ]
    assert said[0] == said[1] != b""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_table_that_is_cut_while_it_is_read(study, tmp_path, engine):
    """The file is cut after its head was read, and before its rows are."""
    import polars as pl

    own = study_of(tmp_path / "own")
    pl.read_csv(own.parent / "log.csv").write_parquet(own.parent / "log.parquet")
    own.write_text(own.read_text().replace("log.csv", "log.parquet"))
    code = (
        "import os\n"
        "from cxresearch.engines.polars import Polars\nfrom cxresearch.engines.duckdb import DuckDB\n"
        "for kind in (Polars, DuckDB):\n"
        "    def cut(self, *args, read=kind.parquet, **more):\n"
        "        found = read(self, *args, **more)\n"
        f"        os.truncate({str(own.parent / 'log.parquet')!r}, 500)\n"
        "        return found\n"
        "    kind.parquet = cut\n" + MAIN
    )
    run = [sys.executable, "-c", code, "audit", str(own), "--engine", engine]
    done = subprocess.run(run, capture_output=True, check=False, timeout=60)
    one_line(done, done.returncode)
    assert done.returncode in (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["a file", "no right to write"])
def test_verdicts_are_written_though_the_quarantine_cannot_be(tmp_path, broken):
    own = study_of(tmp_path / "own")
    own.write_text(own.read_text() + ONE)
    lines = (own.parent / "log.csv").read_text().splitlines()
    lines[1] = "," + lines[1].split(",", 1)[1]
    (own.parent / "log.csv").write_text("\n".join(lines) + "\n")
    state = own.parent / ".cxresearch"
    state.mkdir(mode=0o700)
    if broken == "a file":
        (state / "quarantine").write_text("in the way")
    else:
        (state / "quarantine").mkdir()
        (state / "quarantine" / "interactions.csv").mkdir()
        (state / "quarantine" / "interactions.csv" / "in the way").touch()
    file = tmp_path / "verdicts.json"
    done = shell(f"cx evaluate {own} --claim three-strikes --json {file} --csv {tmp_path}/v.csv")
    one_line(done, 2, "cannot write the quarantined rows")
    assert json.loads(file.read_text())["verdicts"]
    assert (tmp_path / "v.csv").read_text().count("three-strikes") == 1
    piped = shell(f"cx evaluate {own} --claim three-strikes --json -")
    assert json.loads(piped.stdout) == json.loads(file.read_text())


STEERS = "\x1b]0;x\x07\x9b31m\u202e"  # sets a title, a colour and the direction of writing


@pytest.mark.slow
def test_no_column_name_steers_a_terminal(tmp_path):
    own = study_of(tmp_path / "own")
    log = own.parent / "log.csv"
    log.write_text(log.read_text().replace("grade", f"grade{STEERS}", 1))
    own.write_text(own.read_text().replace('"grade"', f'"grade{STEERS[-1]}"'))
    lines = (
        f"cx audit {own}",
        f"cx init {log} --out {tmp_path / 'drafted'}",
        f"cx audit {tmp_path / 'drafted'}",
        f"cx audit {own} --engine duckdb",
        'cx audit "$NAME"',
        'cx "$NAME"',
        'cx audit --engine "$NAME" x',
        f'cx evaluate {own} --claim "$NAME"',
        f'cx evaluate {own} --json "{tmp_path}/$NAME/x"',
        f'cx evaluate {own} --by "$NAME"',
        f'cx report {own} --notebook "$NAME"',
        f'cx report {own} -p "$NAME=1"',
        'cx simulate "$NAME"',
    )
    for line in lines:
        done = shell(line, env=os.environ | {"NAME": STEERS})
        for text in (done.stdout.decode(), done.stderr.decode()):
            assert all(c.isprintable() or c == "\n" for c in text), (line, text)
        assert b"Traceback" not in done.stderr, line


def test_json_on_a_terminal_is_exact_and_inert():
    said = {"name": f"Zoë {STEERS} \U000e0001"}
    written = escape_json(json.dumps(said, ensure_ascii=False))
    assert json.loads(written) == said
    assert written.isprintable()
    assert "Zoë" in written


def test_a_quarantine_is_whole_or_as_it_was(tmp_path, monkeypatch):
    """The disk fills while it is written."""
    import polars as pl

    from cxresearch.errors import SourceError
    from cxresearch.records.audit import Audit
    from cxresearch.utils import atomic

    def audit(rows):
        return Audit(
            tables=(),
            read=(("interactions", 9),),
            kept=(("interactions", 0),),
            findings=(),
            facts=(),
            quarantine=(
                ("interactions", pl.DataFrame({"row": rows, "reason": ["x"] * len(rows)})),
            ),
        )

    (file,) = audit([1, 2]).write_quarantine(tmp_path / "quarantine")
    before = file.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "sync", full)
    with pytest.raises(SourceError, match="No space left on device"):
        audit([3, 4, 5]).write_quarantine(tmp_path / "quarantine")
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == ["interactions.csv"]
