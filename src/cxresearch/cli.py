"""The command line. Heavy imports happen inside the commands, so that --help is quick."""

from __future__ import annotations

import shutil
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxresearch import cli_options as options
from cxresearch.cli_planning import power, specifications
from cxresearch.cli_streams import (
    check_files,
    escape_json,
    fail,
    open_streams,
    say,
    settle_streams,
    step_and_log,
    step_line,
    write,
    write_chart,
    write_result,
)
from cxresearch.cli_values import (
    day_of_log,
    new_folder,
    no_nan,
    read_pairs,
)
from cxresearch.errors import (
    CxResearchError,
    EstimationError,
    LimitError,
    ParameterError,
    ReportError,
)
from cxresearch.utils.limits import Limits
from cxresearch.utils.outputs import check_writable, write_output
from cxresearch.utils.trust import check_state

if TYPE_CHECKING:
    from cxresearch.claims.evaluate_by import SegmentDockets
    from cxresearch.claims.evaluate_change import ChangeDockets
    from cxresearch.claims.results import Docket
    from cxresearch.records.audit import Audit
    from cxresearch.study import Study

# something failed; wrong usage or wrong input; stopped by a key press
FAILED, WRONG, INTERRUPTED = 1, 2, 130


def _is_reading_error(error: Exception) -> bool:
    """Whether an engine could not read a file or a query; one that was not imported has raised nothing."""
    if "polars" not in sys.modules:
        return False
    from cxresearch.engines import read_errors

    return isinstance(error, read_errors())


class _Commands(click.Group):
    """Turns the package's errors into one line and an exit status."""

    def main(self, *args: Any, **more: Any) -> Any:
        """Run a command line; whatever becomes of the streams, it ends with at most one line."""
        open_streams()
        try:
            if sys.flags.optimize > 1:
                fail("run it without -OO and PYTHONOPTIMIZE=2: Altair needs its docstrings", WRONG)
            return super().main(*args, **more)
        except OSError as e:  # of the help: what a command prints is seen to in `write`
            fail(f"cannot write to standard output: {e.strerror or e}", FAILED)
        finally:
            settle_streams()

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ParameterError as e:
            fail(str(e), WRONG)
        except (ReportError, EstimationError, LimitError) as e:
            fail(str(e), FAILED)
        except CxResearchError as e:
            fail(str(e), WRONG)
        except BrokenPipeError:
            sys.exit(FAILED)  # the reader has gone
        except KeyboardInterrupt:
            fail("stopped", INTERRUPTED)
        except MemoryError:
            fail("not enough memory for this study", FAILED)
        except RecursionError:
            fail("a rule, query or claim of this study is too deeply nested", WRONG)
        except OSError as e:
            where = f"{e.filename}: " if e.filename is not None else ""
            fail(f"cannot read or write: {where}{e.strerror or e}", FAILED)
        except Exception as e:
            if not _is_reading_error(e):
                raise
            first = next(iter(str(e).strip().splitlines()), type(e).__name__)
            fail(
                f"cannot read the tables: {first}; if a file changed while it was read, run it again",
                FAILED,
            )


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="cxresearch")
def main() -> None:
    """Customer-experience claims on trial against your own data."""


main.add_command(power)
main.add_command(specifications)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def sample(folder: Path, *, force: bool) -> None:
    """Write the bundled sample study (synthetic) to FOLDER."""
    from cxresearch.utils.bundled import copy_sample

    for path in copy_sample(folder, force=force):
        say(path)


@main.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    callback=new_folder,
    default=Path(),
    help="Folder of the study file.  [default: this folder]",
)
@click.option("--force", is_flag=True, help="Overwrite a study file that is there.")
@options.limited
def init(files: tuple[Path, ...], out: Path, *, force: bool) -> None:
    """Draft a study file from what is in FILEs, with its guesses marked, and audit it.

    FILEs are tables: the log of contacts and, if there is one, the table of who left. Each guess stands in study.toml
    with its reason; what cannot be guessed stands there as a comment with the candidates.
    """
    from cxresearch.drafting import describe_tables, draft_study

    draft = draft_study(files, out=out, force=force)
    say(f"{describe_tables(draft.tables)}\n")
    if draft.audit is not None:
        say(str(draft.audit))
    say(draft.path)
    say(f"cxresearch: {draft.guesses} guesses to confirm in {draft.path}", err=True)
    for key in draft.open_keys:
        say(f"cxresearch: fill in {key} before evaluate: its candidates stand there", err=True)
    if draft.problem:
        fail(f"the audit of {draft.path} failed: {draft.problem}", FAILED)
    if draft.audit is None:
        say(f"cxresearch: then run cxresearch audit {draft.path}", err=True)


@main.command()
@options.study
@options.define
@options.engine
@options.state
@options.limited
def audit(study: Path, variables: dict[str, str], engine: str, state: Path | None) -> None:
    """Account for every row of a study's two tables."""
    from cxresearch.explore import audit as audited

    loaded = _read(study, variables, state)
    result = audited(loaded, engine=engine)
    say(str(result))
    _quarantine(result, loaded, study)


@main.command()
@options.study
@options.output_file("--json", "Write the table as JSON; - for standard output.", may_be_piped=True)
@options.chart_file("the table")
@options.define
@options.engine
@options.state
@options.limited
def gaps(
    study: Path,
    json_file: Path | None,
    chart_file: Path | None,
    variables: dict[str, str],
    engine: str,
    state: Path | None,
) -> None:
    """How many customers of a shop come back after a silence of each length, and which to take for a lapse."""
    from cxresearch.silences import gaps as measured

    check_files(json_file, chart_file)
    result = measured(_read(study, variables, state), engine=engine)
    write_result(result, json_file)
    if chart_file is not None:
        from cxresearch.charts.silences import silences

        write_chart(chart_file, silences(result))


@main.command()
@click.argument("study", type=click.Path(path_type=Path), required=False)
@options.define
@options.engine
@options.limited
def claims(study: Path | None, variables: dict[str, str], engine: str) -> None:
    """List the catalogue; with a STUDY, which claims can be tried on it and what the others lack.

    Both tables of the study are read first: what the audit refuses cannot be tried.
    Then come the missing columns, those first that would open most claims and rival explanations.
    """
    from cxresearch.claims.catalogue_loader import catalogue
    from cxresearch.claims.missing_columns import rank_missing_columns
    from cxresearch.claims.testability import check_claims

    if study is None:
        for claim in catalogue().values():
            say(f"{claim.id}\n    {claim.statement}\n    {claim.source}")
        return
    from cxresearch.records.records import read_records

    loaded = _read(study, variables)
    result = check_claims(read_records(loaded, engine, required_columns=()))
    for row in result.to_polars().iter_rows(named=True):
        missing = row["lacks"]
        say(
            f"{'– ' if missing else '✔ '}{row['claim']}\n    {row['statement']}\n    {row['source']}"
        )
        if missing:
            say(f"    cannot be tried: lacks {missing}")
    say(f"\n{rank_missing_columns(loaded, engine=engine)}")


@main.command()
@options.study
@options.claim
@options.output_file(
    "--json", "Write the verdicts as JSON; - for standard output.", may_be_piped=True
)
@options.output_file("--csv", "Write the verdicts as CSV, one row per claim.")
@options.output_file(
    "--xlsx", "Write the verdicts and the readings behind them as an Excel workbook."
)
@click.option("--long", "is_long", is_flag=True, help="Print each verdict in sentences.")
@click.option(
    "--alone",
    "is_alone",
    is_flag=True,
    help="Try nothing but each --claim, at the error divided by the number of all claims.",
)
@click.option(
    "--by",
    metavar="COVARIATE",
    help="Try the claims on each level of it by themselves, such as segment.",
)
@click.option(
    "--from",
    "since",
    metavar="DAY",
    callback=day_of_log,
    help="Try the claims before a change and from this day on, and compare their numbers.",
)
@click.option(
    "--until",
    metavar="DAY",
    callback=day_of_log,
    help="With --from: the last day that is looked at.",
)
@options.define
@options.engine
@options.state
@options.limited
def evaluate(
    study: Path,
    claims: tuple[str, ...],
    json_file: Path | None,
    csv_file: Path | None,
    xlsx_file: Path | None,
    variables: dict[str, str],
    engine: str,
    state: Path | None,
    by: str | None,
    since: date | int | None,
    until: date | int | None,
    *,
    is_long: bool,
    is_alone: bool,
) -> None:
    """Try claims on a study: verdicts as a table, in sentences, as JSON, CSV or a workbook.

    All claims whose columns the study has are judged together, whichever are asked for, so that a claim has the same
    verdict here and on every page. The others are tried the first time, and then taken from what was kept.
    """
    from cxresearch.claims.evaluate import evaluate as tried
    from cxresearch.claims.evaluate_by import evaluate_by
    from cxresearch.claims.evaluate_change import evaluate_change
    from cxresearch.claims.verdict_table import spreadsheet_tables, verdict_table
    from cxresearch.utils.spreadsheets import write_tables

    if by is not None and since is not None:
        raise click.UsageError("--by and --from cannot be given together")
    if until is not None and since is None:
        raise click.UsageError("--until needs --from")
    loaded = _read(study, variables, state)
    is_piped = json_file is not None and str(json_file) == "-"
    for file in (None if is_piped else json_file, csv_file, xlsx_file):
        if file is not None:
            check_writable(file)
    chosen = list(claims) or None
    result: Docket | SegmentDockets | ChangeDockets
    if since is not None:
        result = changed = evaluate_change(
            loaded,
            since,
            chosen,
            until=until,
            engine=engine,
            alone=is_alone,
            progress=step_line(),
        )
        printed = changed.to_text() if is_long else str(changed)
    elif by is None:
        result = docket = tried(loaded, chosen, engine=engine, alone=is_alone, progress=step_line())
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        printed = str(docket) if is_long else verdict_table(docket, width)
    else:
        result = segments = evaluate_by(
            loaded, by, chosen, engine=engine, alone=is_alone, progress=step_line()
        )
        printed = segments.to_text() if is_long else str(segments)
    if not is_piped:
        say(printed)
    if csv_file or xlsx_file:
        write_tables(spreadsheet_tables(result), csv_file, xlsx_file, first="verdicts")
    if is_piped:
        write(escape_json(result.to_json()))
    elif json_file is not None:
        write_output(json_file, result.to_json())
    # last: what was asked for is there, whether this can be kept or not
    _quarantine(result.audit, loaded, study)


@main.command()
@options.study
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    callback=new_folder,
    default=Path("reports"),
    show_default=True,
    help="Where the pages go.",
)
@click.option(
    "--notebook",
    "notebooks",
    multiple=True,
    metavar="NAME",
    default=("verdicts",),
    show_default=True,
    help="May be repeated.",
)
@options.claim
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    callback=read_pairs,
    metavar="NAME=VALUE",
    help="What else the notebooks are told, such as title=…; may be repeated.",
)
@click.option("--force", is_flag=True, help="Run notebooks for which nothing has changed, too.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    callback=no_nan,
    default=60,
    show_default=True,
    metavar="MINUTES",
    help="How long to wait for another run of this study; 0 stops at once.",
)
@click.option(
    "--pdf",
    "as_pdf",
    is_flag=True,
    help="Write each page as a PDF, too; needs Chromium, Chrome or Edge.",
)
@click.option(
    "--mail",
    "as_mail",
    is_flag=True,
    help="Write the summary as the body of a mail, too, in HTML and as text.",
)
@options.define
@options.engine
@options.state
@options.limited
def report(
    study: Path,
    out: Path,
    notebooks: tuple[str, ...],
    claims: tuple[str, ...],
    parameters: dict[str, str],
    variables: dict[str, str],
    engine: str,
    state: Path | None,
    *,
    force: bool,
    wait: float,
    as_pdf: bool,
    as_mail: bool,
    limits: Limits,
) -> None:
    """Run the notebooks and write self-contained HTML pages and an index.

    The notebooks are verdicts (all claims on trial), explore (a look at the data), journey (the journey and where it
    hurts), claim (one claim in depth: a page for each --claim) and planning (how much data would decide it, and
    what other definitions give: a page for each --claim, too).

    A page for which nothing has changed stays. A page that cannot be made again stays too, marked as not up to date,
    and the exit status is 1.
    """
    from cxresearch.report.runs.build import mail
    from cxresearch.report.runs.jobs import from_text
    from cxresearch.report.runs.pdf import browser, pdf
    from cxresearch.report.runs.run import report as run
    from cxresearch.report.runs.run import state_of

    given_parameters = from_text(parameters)
    progress, tell = step_and_log()
    if as_pdf:
        browser()  # a missing browser is an error before the long work, not after it
    pages = run(
        study,
        out,
        notebooks=notebooks,
        claims=list(claims) or None,
        engine=engine,
        variables=variables,
        state=state,
        parameters=given_parameters,
        force=force,
        wait=wait,
        progress=progress,
        tell=tell,
        limits=limits,
    )
    for page in pages:
        say(page)
        if as_pdf:
            progress(f"printing {page.name}")
            say(pdf(page, page.with_suffix(".pdf")))
    if as_mail:
        for file in mail(state_of(study, state), out, tell):
            say(file)


@main.command()
@click.argument("world", required=False)
@click.option(
    "--customers",
    type=click.IntRange(1, 10_000_000),
    default=4_000,
    show_default=True,
    help="How many.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Equal seeds give equal tables.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    callback=new_folder,
    help="Where the study goes.  [default: WORLD]",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def simulate(
    world: str | None, customers: int, seed: int, out: Path | None, *, force: bool
) -> None:
    """Write a synthetic company whose truth is known; without a WORLD, list the worlds.

    The folder then holds a study and truth.json: what is true there of each claim.
    """
    from cxresearch.worlds import KNOWN, known_world
    from cxresearch.worlds import simulate as simulated

    if world is None:
        for known in KNOWN.values():
            tried = ", ".join(
                f"{t.claim} ({t.place}{', clear' if t.clear else ''})" for t in known.truths
            )
            say(f"{known.name}\n    {known.about}\n    {tried}")
        return
    known = known_world(world)
    made = simulated(known.world, customers, seed)
    truth = {**known.to_dict(), "customers": customers, "seed": seed}
    for path in made.write(
        out or Path(world), name=f"The world {world} (synthetic)", truth=truth, force=force
    ):
        say(path)


def _read(study: Path, variables: dict[str, str], state: Path | None = None) -> Study:
    from cxresearch.study import read_study

    return read_study(study, variables, state=state)


def _quarantine(result: Audit, study: Study, file: Path) -> None:
    from cxresearch.study import folder_of

    check_state(study.state)
    for path in result.write_quarantine(folder_of(file, study.state, "quarantine")):
        say(f"quarantined rows: {path}", err=True)
