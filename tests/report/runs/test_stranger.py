"""A study folder from a stranger: what it holds beside the study, and what its state folder says."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path

import msgspec
import polars as pl
import pytest
from click.testing import CliRunner

import cxresearch as cx
from cxresearch.cli import main
from cxresearch.errors import ClaimError, DataError, ReportError, StateError, StudyError
from cxresearch.report.pages.html import Exporter
from cxresearch.report.pages.stale import kind_of
from cxresearch.report.runs import ledger, manifest, pdf
from cxresearch.report.runs.commit_files import mark_of, tidy
from cxresearch.report.runs.kernel import NotebookError
from cxresearch.risk import cache
from cxresearch.utils.trust import check_state, kernel_variables, signed
from tests.report.runs.test_ledger import LOOK
from tests.report.standins import notebook, study_of

SECRET = "wJalrXUtnFEMI-K7MDENG"
RUN = """
import sys
from pathlib import Path
from cxresearch.report.runs import jobs
jobs.notebook_path = lambda name: Path(sys.argv[1])
from cxresearch.cli import main
main(sys.argv[2:])
"""
EVIL = (
    "import os; open({mark!r}, 'a').write(os.environ.get('AWS_SECRET_ACCESS_KEY', 'no secret'))\n"
)


@pytest.fixture
def place(tmp_path):
    """A study in a folder of its own."""
    study_of(tmp_path / "study")
    return tmp_path


def run(place, *sources, **environment):
    """Run a notebook from within the study folder, as people do."""
    path = notebook(place / "own.ipynb", *sources)
    command = [
        sys.executable,
        "-P",
        "-c",
        RUN,
        str(path),
        "report",
        ".",
        "--out",
        str(place / "out"),
    ]
    environment = {**os.environ, "AWS_SECRET_ACCESS_KEY": SECRET, **environment}
    done = subprocess.run(
        command, cwd=place / "study", env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return (place / "out" / "verdicts.html").read_text()


@pytest.mark.slow
def test_no_module_of_a_study_folder_is_imported_and_no_secret_reaches_a_kernel(place):
    mark = place / "ran"
    for name in (
        "altair",
        "types",
        "polars",
        "ipykernel_launcher",
        "sitecustomize",
        "usercustomize",
    ):
        (place / "study" / f"{name}.py").write_text(EVIL.format(mark=str(mark)))
    for folder in ("base", "template"):  # where templates were looked for
        (place / "study" / folder).mkdir()
    evil = "{{ cycler.__init__.__globals__.os.system('touch " + str(mark) + "') }}"
    (place / "study" / "base" / "display_priority.j2").write_text(evil)
    (place / "study" / "template" / "index.html.j2").write_text(evil)
    (place / "study" / "ipython_config.py").write_text(EVIL.format(mark=str(mark)))
    kernel = place / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    spec = {"argv": ["touch", str(mark)], "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    startup = place / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text(EVIL.format(mark=str(mark)))
    shown = run(
        place,
        "import altair, os, polars\nprint('secret:', os.environ.get('AWS_SECRET_ACCESS_KEY'))",
        JUPYTER_PATH=str(place / "jupyter"),
        IPYTHONDIR=str(place / "ipython"),
    )
    assert not mark.exists()
    assert SECRET not in shown
    assert "secret: None" in shown


def test_templates_come_from_the_packages_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for folder in ("base", "template", "nbconvert/templates/base"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "display_priority.j2").write_text("forged")
    exporter = Exporter()
    assert not [p for p in exporter.template_paths if Path(p).resolve().is_relative_to(tmp_path)]
    source, file, _ = exporter.environment.loader.get_source(
        exporter.environment, "base/display_priority.j2"
    )
    assert "forged" not in source
    assert "nbconvert" in file


def test_a_kernel_gets_what_it_needs_of_the_environment(monkeypatch):
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "PGPASSWORD",
        "SPARK_HOME",
        "PYTHONSTARTUP",
        "LD_PRELOAD",
    ):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/opt/mine", "", ".", "relative"]))
    monkeypatch.setenv("PATH", os.pathsep.join([".", "/usr/bin", ""]))
    passed = kernel_variables(spark=False, server=False)
    assert SECRET not in passed.values()
    assert (passed["PYTHONPATH"], passed["PATH"]) == ("/opt/mine", "/usr/bin")
    assert kernel_variables(spark=True, server=False)["SPARK_HOME"] == SECRET
    assert kernel_variables(spark=False, server=True)["PGPASSWORD"] == SECRET


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "study" / ".cxresearch"
    folder.mkdir(parents=True, mode=0o700)
    return folder


def test_a_forged_note_renames_nothing(state, tmp_path):
    victim, part = tmp_path / ".bashrc", tmp_path / "study" / "evil"
    victim.write_text("mine")
    part.write_text("evil")
    (state / "publishing.json").write_text(json.dumps([[str(part), str(victim)]]))
    with pytest.raises(StateError, match="is not by a run of this user"):
        tidy(state, tmp_path / "out")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["sockets", "out"])
def test_a_forged_note_of_a_folder_deletes_nothing(state, tmp_path, name):
    victim = tmp_path / "cxresearch-mine"
    victim.mkdir()
    (victim / f".a.{mark_of(state)}.part").touch()
    (state / "work" / "run").mkdir(parents=True)
    (state / "work" / "run" / name).write_bytes(os.fsencode(victim))
    tidy(state, tmp_path / "out")
    assert len(list(victim.iterdir())) == 1


def test_a_forged_manifest_and_a_forged_ledger_are_passed_over(state, tmp_path):
    out = tmp_path / "out"
    kept = manifest.place(state, out)
    kept.parent.mkdir(mode=0o700)
    page = manifest.PublishedPage(
        file="verdicts.html", title="x", made="2026-01-01T00:00:00Z", run="r", key="k", sha256="s"
    )
    kept.write_bytes(msgspec.json.encode(manifest.Manifest(str(out.resolve()), pages=(page,))))
    assert manifest.read(state, out).pages == ()
    file = ledger.record(state, [LOOK])
    assert ledger.read_run_records(state, LOOK.study) == (LOOK,)
    pl.read_parquet(file).with_columns(verdict=pl.lit("contradicted")).write_parquet(file)
    said: list[str] = []
    assert ledger.read_run_records(state, LOOK.study, said.append) == ()
    assert "was not recorded by this user" in said[0]


def test_a_forged_table_is_counted_anew(place):
    study = cx.read_study(place / "study" / "study.toml")
    claims = ["three-strikes"]
    before = cx.evaluate(study, claims, alone=True).to_json()
    folder = study.state / "cache"
    tables = [p for p in folder.rglob("*.parquet") if "quarantine" not in p.name]
    assert tables
    for file in tables:
        pl.read_parquet(file).head(1).write_parquet(file)
    assert cx.evaluate(study, claims, alone=True).to_json() == before


def test_forged_digests_of_inputs_are_made_anew(place):
    study = cx.read_study(place / "study" / "study.toml")
    files = [study.folder / "log.csv"]
    made = cache.digest(files, study.state / "cache")
    kept = study.state / "cache" / "inputs.json"
    names = msgspec.json.decode(kept.read_bytes()[65:])
    kept.write_bytes(msgspec.json.encode(dict.fromkeys(names, "forged")))
    assert cache.digest(files, study.state / "cache") == made


@pytest.mark.slow
def test_without_a_key_nothing_is_kept_and_all_is_counted(place, monkeypatch):
    (place / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "file"))
    study = cx.read_study(place / "study" / "study.toml")
    assert (
        cx.evaluate(study, ["three-strikes"], alone=True).to_json()
        == cx.evaluate(study, ["three-strikes"], alone=True).to_json()
    )
    assert not list(study.state.rglob("*.parquet"))


def distrusted(state, change):
    change(state)
    with pytest.raises(StateError, match="is not trusted"):
        check_state(state)


def linked(state):
    (state / "quarantine").symlink_to(state.parent)


def linked_itself(state):
    state.rename(state.parent / "moved")
    state.symlink_to(state.parent / "moved")


def twice(state):
    (state.parent / "mine").write_text("x")
    os.link(state.parent / "mine", state / "lock")


def pipe(state):
    os.mkfifo(state / "inputs.json")


@pytest.mark.parametrize(
    "change",
    [
        linked,
        linked_itself,
        twice,
        pipe,
        lambda s: s.chmod(0o777),
        lambda s: (s / "cache").mkdir() or (s / "cache").chmod(0o770),
        lambda s: ((s / "work").mkdir(mode=0o700), (s / "work" / "x").symlink_to("/")),
    ],
)
def test_a_state_folder_that_others_may_have_made_is_refused(state, change):
    check_state(state)
    distrusted(state, change)


def test_a_state_folder_of_another_user_is_refused(state, monkeypatch):
    """Who runs is changed, not who owns: only an administrator gives files away."""
    check_state(state)
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    with pytest.raises(StateError, match="is not trusted"):
        check_state(state)


def test_quarantined_rows_do_not_follow_a_link(place):
    study = cx.read_study(place / "study" / "study.toml")
    log = (study.folder / "log.csv").read_text().splitlines()
    (study.folder / "log.csv").write_text("\n".join([*log, "c1,soon,bad"]) + "\n")
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "interactions.csv").write_text("mine")
    (place / "study" / "quarantine").symlink_to(elsewhere)
    with pytest.raises(StateError):
        cx.audit(study).write_quarantine(place / "study" / "quarantine")
    assert (elsewhere / "interactions.csv").read_text() == "mine"


CELL = "HIV clinic, tel 0171 555"


@pytest.mark.parametrize(
    "error",
    [
        DataError(
            f"interactions and retention have no customers in common (the log's look like {CELL})"
        ),
        StudyError(f"interactions.grade: {CELL}", field="interactions.grade"),
        ValueError(CELL),
        NotebookError(f"notebook verdicts, cell 2: DataError: {CELL}"),
    ],
)
def test_a_page_tells_the_kind_of_an_error_and_no_value(error):
    told = error.public if isinstance(error, NotebookError) else kind_of(error, str(error))
    assert type(error).__name__ in told
    assert "clinic" not in told
    assert "clinic" not in kind_of(CELL, CELL, CELL)


def test_the_field_of_an_error_is_told():
    error = StudyError(f"interactions.grade: {CELL}", field="interactions.grade")
    assert (
        kind_of(error, str(error))
        == "StudyError in interactions.grade; the log of that run says more"
    )


@pytest.mark.slow
def test_no_plugin_and_no_setting_of_a_study_folder_is_heeded(place):
    """What Python and Jupyter look for beside modules: entry points, environments, settings."""
    mark, study = place / "ran", place / "study"
    (study / "evil.py").write_text(EVIL.format(mark=str(mark)) + "def load(*_, **__): ...\n")
    about = study / "evil-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    groups = (
        "papermill.engine",
        "papermill.io",
        "nbconvert.exporters",
        "jupyter_client.kernel_provisioners",
        "polars.plugins",
        "altair.vegalite.v5.renderer",
        "narwhals.plugins",
    )
    (about / "entry_points.txt").write_text(
        "".join(f"[{group}]\nnbclient = evil:load\nlocal-provisioner = evil:load\n" for group in groups)
    )  # fmt: skip
    (study / "pyvenv.cfg").write_text(f"home = {study}\ninclude-system-site-packages = true\n")
    (study / "evil.pth").write_text("import evil\n")
    for name in ("jupyter", "jupyter_nbconvert", "jupyter_client", "ipython_kernel"):
        (study / f"{name}_config.py").write_text(EVIL.format(mark=str(mark)))
    (study / "verdicts.ipynb").write_text("{}")
    (study / "notebooks").mkdir()
    notebook(study / "notebooks" / "verdicts.ipynb", EVIL.format(mark=str(mark)))
    assert "it ran" in run(place, "import altair, polars, cxresearch\nprint('it ran')")
    assert not mark.exists()


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_type_in_a_parquet_file_is_not_unpickled(place, engine):
    """Old Arrow took the pickle of a type from a file's metadata, and ran it."""
    mark = place / "ran"
    payload = b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR."
    log = pl.read_csv(place / "study" / "log.csv").to_arrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    extension = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": payload,
    }
    fields = [f.with_type(pa.string()).with_metadata(extension) for f in log.schema]
    pq.write_table(log.cast(pa.schema(fields)), place / "study" / "log.parquet")
    footer = pq.read_metadata(place / "study" / "log.parquet").metadata
    assert payload in base64.b64decode(footer[b"ARROW:schema"])
    text = (place / "study" / "study.toml").read_text().replace("log.csv", "log.parquet")
    (place / "study" / "study.toml").write_text(text)
    with suppress(DataError):  # Polars does not take such a column at all
        cx.audit(cx.read_study(place / "study"), engine=engine)
    assert not mark.exists()


@pytest.mark.parametrize(
    "sentence",
    [
        "{lacks.__class__.__format__.__globals__}",
        "{reason.__format__.__globals__[Formatter].format.__globals__}",
        "{estimate.value.__class__.__base__.__subclasses__}",
        "{lacks!r}",
        "{reason:>999999999}",
        "{estimate:{reason}}",
        "{0}",
    ],
)
def test_a_sentence_of_a_claim_reaches_no_object(place, sentence):
    raw = msgspec.to_builtins(cx.catalogue()["three-strikes"]) | {"id": "own"}
    raw["text"] |= {"undecided": sentence, "not_testable": sentence}
    study = cx.study_from(
        {"claims": [raw]},
        interactions=pl.read_csv(place / "study" / "log.csv"),
        retention=pl.read_csv(place / "study" / "customers.csv"),
    )
    with pytest.raises(ClaimError, match="in braces may stand"):
        cx.evaluate(study, ["own"], alone=True)


@pytest.mark.parametrize("path", [".", "", "bin"])
def test_a_browser_in_the_working_folder_prints_no_page(tmp_path, monkeypatch, path):
    for folder in (tmp_path, tmp_path / "bin"):
        folder.mkdir(exist_ok=True)
        for name in pdf.NAMES:
            (folder / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
            (folder / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([path, ""]))
    monkeypatch.setattr(pdf, "_ELSEWHERE", ())
    with pytest.raises(ReportError, match="none is on the search path"):
        pdf.browser()


@pytest.mark.slow
def test_signed_tables_count_under_their_own_names_alone(place):
    """A table that this user has signed, put in the place of another."""
    study = cx.read_study(place / "study" / "study.toml")
    claims = ["three-strikes", "bad-moments-drive-away"]
    before = cx.evaluate(study, claims, alone=True).to_json()
    kept = list((study.state / "cache").rglob("*-flows.parquet"))
    assert len(kept) > 1
    first = [file.with_name(file.name + end).read_bytes() for file in kept[:1] for end in SIGNED]
    for other in kept[1:]:
        for end, content in zip(SIGNED, first, strict=True):
            other.with_name(other.name + end).write_bytes(content)
    assert cx.evaluate(study, claims, alone=True).to_json() == before


SIGNED = ("", ".signature")


def test_a_signed_run_counts_once(state):
    """The file of a run that this user has signed, under the name of another run."""
    file = ledger.record(state, [LOOK])
    (file.parent / "20990101T000000000000Z-beef.parquet").write_bytes(file.read_bytes())
    said: list[str] = []
    assert ledger.read_run_records(state, LOOK.study, said.append) == (LOOK,)
    assert "20990101T000000000000Z-beef.parquet was not recorded" in said[0]


def test_signed_facts_about_pages_count_for_their_own_folder_alone(state, tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    manifest.place(state, out).parent.mkdir(mode=0o700)
    page = manifest.PublishedPage(
        file="verdicts.html", title="x", made="2026-01-01T00:00:00Z", run="r", key="k", sha256="s"
    )
    text = manifest.text(manifest.Manifest(str(out.resolve()), pages=(page,)))
    manifest.place(state, out).write_text(text)
    assert manifest.read(state, out).pages == (page,)
    manifest.place(state, other).write_text(text)
    assert manifest.read(state, other).pages == ()


def test_a_signed_note_of_another_state_folder_renames_nothing(state, tmp_path):
    mine = tmp_path / "mine"
    (mine / "pages").mkdir(parents=True, mode=0o700)
    part, target = mine / "pages" / f".a.{mark_of(mine)}.part", mine / "pages" / "a"
    part.write_text("evil")
    note = signed(f"publishing.json in {mine}", json.dumps([[str(part), str(target)]]).encode())
    (state / "publishing.json").write_bytes(note)
    with pytest.raises(StateError, match="is not by a run of this user"):
        tidy(state, tmp_path / "out")
    assert part.exists()
    assert not target.exists()
    (mine / "publishing.json").write_bytes(note)
    assert tidy(mine, tmp_path / "out")  # where it was written, it counts
    assert target.read_text() == "evil"


@pytest.mark.parametrize("folder", ["pages", "ledger", "cache", "failed", "spill", "work"])
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_folder_that_is_a_link_is_refused_whatever_it_is_called(state, tmp_path, folder, engine):
    (tmp_path / "elsewhere").mkdir()
    (state / folder).symlink_to(tmp_path / "elsewhere")
    study = cx.read_study(study_of(state.parent))
    with pytest.raises(StateError, match="is a link"):
        cx.evaluate(study, ["three-strikes"], engine=engine, alone=True)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_duckdb_spills_into_no_folder_that_is_a_link(state, tmp_path):
    """Also where nothing else of the state folder is used."""
    (tmp_path / "elsewhere").mkdir()
    (state / "spill").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="is a link"):
        cx.audit(cx.read_study(study_of(state.parent)), engine="duckdb")


def test_text_of_a_study_does_not_steer_the_terminal(place):
    """Titles of windows, colours and links are written with escape codes; some terminals answer them."""
    file = place / "study" / "log.csv"
    file.write_text(file.read_text().replace("grade", "gr\x1b]0;owned\x07ade\x9b31m\u202e", 1))
    done = CliRunner().invoke(main, ["audit", str(place / "study")])
    assert done.exit_code == 2
    assert "gr\ufffd]0;owned\ufffdade\ufffd31m\ufffd" in done.output
    assert not [c for c in done.output if not c.isprintable() and c != "\n"]


def test_no_head_and_no_category_of_a_quarantine_file_is_a_formula(place):
    """A spreadsheet runs a cell that begins like a formula, whether it is a head or the data."""
    evil = ("=cmd|' /C calc'!A0", "@SUM(A1)", "＝HYPERLINK(x)")
    columns = {name: pl.Series([name], dtype=pl.Categorical) for name in evil}
    log = pl.DataFrame({"customer": ["c0"], "at": ["soon"], "grade": ["bad"], **columns})
    fine = log.with_columns(at=pl.lit("2023-05-05"))
    who = pl.DataFrame({"customer": ["c0"], "start": ["2023-01-01"], "end": ["2023-12-01"]})
    dates = {"log_from": date(2023, 1, 1), "log_until": date(2023, 12, 31)}
    study = cx.study_from(
        {"interactions": dates}, interactions=pl.concat([log, fine]), retention=who
    )
    (path,) = cx.audit(study).write_quarantine(place / "quarantine")
    held = pl.read_csv(path)
    assert [c for c in held.columns if "'" in c[:1]] == [f"'{name}" for name in evil]
    assert held.row(0)[-3:] == tuple(f"'{name}" for name in evil)
