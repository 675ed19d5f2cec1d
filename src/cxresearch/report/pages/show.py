"""What a notebook calls: open the study, show the blocks and charts in the order of the page."""

from __future__ import annotations

import atexit
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import msgspec

from cxresearch.claims.observed_vs_expected import ObservedVsExpected
from cxresearch.claims.results import Docket, Trial
from cxresearch.claims.specification_results import SpecificationCurve
from cxresearch.claims.units import Unit
from cxresearch.errors import EstimationError, NothingToDrawError, NotTestable, StudyError
from cxresearch.estimators.results import Incidence
from cxresearch.journey.moment_costs import MomentCosts
from cxresearch.planning.results import Plan
from cxresearch.records.records import Records
from cxresearch.report.pages.progress import PROGRESS
from cxresearch.report.pages.publishable import (
    publishable,
    publishable_trial,
    what_is_missing,
)
from cxresearch.report.pages.stale import kind_of
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study, read_study
from cxresearch.utils.html_tables import styled
from cxresearch.utils.notebook_progress import UNATTENDED, is_watched

# keys of a section that say where its file is and how it is written
_OF_FILES = {"source", "query", "separator", "encoding", "sheet", "columns", "widths", "format"}
MIME = "application/vnd.cxresearch.docket.v1+json"  # how a page's index learns the verdicts


def study(path: str | Path) -> Study:
    """Read a study from where the notebook runs or, failing that, from what ships with the package.

    Raises:
        StudyError: it is in neither place, or is not right.
    """
    return read_study(study_path(path))


def study_path(path: str | Path) -> Path:
    """Where a study file lies; errors as `study`."""
    from cxresearch.utils.bundled import bundled

    given = Path(path)
    if not given.exists() and not given.is_absolute() and given.parts[:1] == ("data",):
        given = bundled("data").joinpath(*given.parts[1:])
    if not given.exists():
        raise StudyError(f"no study file {path}")
    return given


def recipe(path: str | Path, folder: str = "") -> Study:
    """Read a recipe for a public data set, with its files where somebody has put them.

    Args:
        path: of the recipe, or of any study.
        folder: where the files of the data set lie; where it is empty, files of the same layout are made of a
            synthetic company, if there is a stand-in for the recipe.

    Raises:
        StudyError: as `study`.
    """
    from cxresearch.worlds.stand_ins import has_stand_in, stand_in_variable, write_stand_in

    declared = study(path)
    name = Path(path).stem
    if not has_stand_in(name):
        return declared
    if folder:
        place, what = folder, "The data are those of the public data set."
    else:
        place = mkdtemp(prefix="cxresearch-")
        atexit.register(rmtree, place, ignore_errors=True)
        what = (
            "The files of the data set are not here. What follows is of a synthetic company in tables of the same "
            "layout; it tells nothing of the data set itself."
        )
    variable = write_stand_in(name, place) if not folder else stand_in_variable(name)
    _html(f'<p class="cx-note">{what}</p>')
    return read_study(study_path(path), {variable: place})


def as_frames(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a study file as a mapping, and its tables as frames of pandas, as one has them in a notebook.

    Args:
        path: of the study file.

    Returns:
        Settings, without the keys for where files are and how they are written; and frames by name.

    Raises:
        StudyError, SourceError: as `study` and `cxresearch.read_records`.
    """
    from cxresearch.records.sources import frames_of

    declared = study(path)
    raw = tomllib.loads(study_path(path).read_text(encoding="utf-8-sig"))
    settings = {
        name: {k: v for k, v in section.items() if k not in _OF_FILES}
        if name in ("interactions", "retention", "customers")
        else section
        for name, section in raw.items()
        if name != "tables"
    }
    return settings, {name: frame.to_pandas() for name, frame in frames_of(declared).items()}


def columns(frames: Mapping[str, Any]) -> None:
    """Which columns frames have, and of what kind; no row of them.

    Args:
        frames: of pandas, by name.
    """
    from cxresearch.utils.html_tables import html_table

    rows = [
        (name, str(column), str(kind))
        for name, frame in frames.items()
        for column, kind in frame.dtypes.items()
    ]
    _html(html_table("The columns of the frames", ("frame", "column", "kind"), rows))


def what_if(study: Study | Records, claim: str) -> None:
    """The panel on which the definitions behind a claim are moved, where somebody can: not on a page of a report.

    Args:
        study: a study, or its records.
        claim: id.
    """
    from IPython.display import display

    from cxresearch.panel import what_if as panel

    if is_watched():
        display(panel(study, claim))  # type: ignore[no-untyped-call]


def progress(line: str) -> None:
    """Say what a notebook is at, in the log of the run that executes it; nothing where none does, and on no page.

    Args:
        line: such as ``trying three-strikes``.
    """
    if UNATTENDED in os.environ:
        _send({PROGRESS: line})


def first_screen(docket: Docket, title: str = "", costs: MomentCosts | None = None) -> None:
    """The question and the cards; the verdicts go along as data, for the index and its summary.

    Args:
        docket: the claims, tried.
        title: the question; a general one if not given.
        costs: what bad moments cost, for the summary.
    """
    from cxresearch.charts import renderer
    from cxresearch.report.pages.cards import first_screen as block

    renderer.enable()
    shown = publishable(docket)
    _send(
        {
            "text/html": styled(block(shown, title)),
            "text/plain": str(shown),
            MIME: summary(docket, title, costs),
        }
    )


def opening(records: Records, title: str) -> None:
    """The first screen of a page without verdicts: the study, what the page is about, the date of the data."""
    from cxresearch.charts import renderer
    from cxresearch.report.pages.cards import opening as block

    renderer.enable()
    _html(block(records, title))


def by_segment(records: Records, by: str = "segment") -> None:
    """Try all claims in each segment and show the verdicts, with a choice of the segment.

    Args:
        records: of the study.
        by: the covariate whose levels are the segments; where the study has none of that name, the page has
            a note.
    """
    from cxresearch.claims.evaluate_by import evaluate_by
    from cxresearch.records.restrict import count_customers
    from cxresearch.report.pages.segments_page import segments_section
    from cxresearch.report.pages.text import text

    if by not in records.levels:
        _html(f'<p class="cx-note">This study does not say of customers: {text(by)}.</p>')
        return
    min_cell = records.study.info.min_cell
    if max(count_customers(records, by).values(), default=0) < min_cell:
        _html(f'<p class="cx-note">No segment has {min_cell} customers or more.</p>')
        return
    with if_testable():
        result = evaluate_by(records, by, verdicts_only=True, progress=progress)
        _html(segments_section(result))


def trial(docket: Docket, result: Trial, *, has_card: bool = False) -> None:
    """The evidence of a claim, folded: rival explanations, readings, charts, the naive answer, what stays open.

    Args:
        docket: the docket the claim was tried in.
        result: the claim, tried.
        has_card: whether its card stands above.
    """
    from cxresearch import charts
    from cxresearch.report.pages import claim_page
    from cxresearch.report.pages.text import UNFOLD

    docket, result = _public(docket, result)
    _html(claim_page.folded(result))
    _html(claim_page.opening(docket, result, has_card=has_card))
    for unit in charts.units(result):
        _chart(charts.readings(result, unit))
    for e in result.results:
        if e.series and (e.primary or e.unit is Unit.DIFFERENCE):
            _chart(charts.curves(e, result, min_cell=docket.min_cell))
    _html(claim_page.anyway(result) + claim_page.naive(result))
    if result.activity:
        _chart(charts.activity(result, docket.min_cell))
    _html(claim_page.closing(docket, result))
    _html(UNFOLD)


def evidence(docket: Docket) -> None:
    """The evidence of all claims, each folded, in the order of their cards."""
    from cxresearch.report.pages.findings import by_verdict
    from cxresearch.report.pages.text import UNFOLD, fold

    many = f"All {len(docket)} claims" if len(docket) > 1 else "The claim"
    heading = '<h2 id="evidence">The evidence, claim by claim</h2>'
    _html(fold(many, "cx-fold", above=heading))
    for _, trials in by_verdict(publishable(docket)):
        for t in trials:
            trial(docket, docket[t.claim.id], has_card=True)
    _html(UNFOLD)


def claim(docket: Docket, result: Trial) -> None:
    """The first screen of a page about one claim: its statement, its source, the verdict."""
    from cxresearch.charts import renderer
    from cxresearch.report.pages.cards import one_claim

    renderer.enable()
    data = summary(docket) | {"about": result.claim.id}
    public, shown = _public(docket, result)
    _send({"text/html": styled(one_claim(public, shown)), "text/plain": repr(shown), MIME: data})


def readings(docket: Docket, result: Trial) -> None:
    """Every reading of a claim: a table, and a chart for each unit."""
    from cxresearch import charts
    from cxresearch.report.pages import claim_page

    docket, result = _public(docket, result)
    _html(claim_page.readings(docket, result))
    for unit in charts.units(result):
        _chart(charts.readings(result, unit))


def rivals(docket: Docket, result: Trial) -> None:
    """Whether the two go together, and what became of each other explanation."""
    from cxresearch.report.pages import claim_page

    _html(
        claim_page.rivals(_public(docket, result)[1])
        or "<p>There is no other explanation to try: the claim states a fact and no cause, or it could not be "
        "tried.</p>"
    )


def sensitivity(result: Trial, *, min_cell: int) -> None:
    """What becomes of the answer when more or less is held equal.

    Args:
        result: the claim, tried.
        min_cell: the smallest count that may be shown.
    """
    from cxresearch import charts

    result = publishable_trial(result, min_cell)
    others = result.claim.primary.sensitivity
    drawn = [r for r in (result.primary.reading_id, *others) if result[r].estimate is not None]
    if len(drawn) < 2:
        _html(
            "<p>This claim has no other way to hold things equal. What else could explain the number is tried below, "
            "one explanation at a time.</p>"
            if result.rivals
            else "<p>This claim is counted, not modelled: so there is nothing else to hold equal.</p>"
        )
        return
    _chart(charts.readings(result, result.primary.unit, only=drawn))


def day_by_day(docket: Docket, result: Trial, expected: ObservedVsExpected | None = None) -> None:
    """The curves behind the readings and, of the risk table, who is still there by level or what came first.

    Args:
        docket: the docket the claim was tried in.
        result: the claim, tried.
        expected: from `cxresearch.observed_vs_expected`, if there is a risk table.
    """
    from cxresearch import charts
    from cxresearch.curves import incidence_by_cause, incidence_by_level

    docket, result = _public(docket, result)
    for e in result.results:
        if e.series and (e.primary or e.unit is Unit.DIFFERENCE):
            _chart(charts.curves(e, result, min_cell=docket.min_cell))
    if expected is None:
        return
    if expected.table.clock in ("tenure", "contact"):
        levels = incidence_by_level(
            expected.table, expected.history, min_cell=docket.min_cell, level=docket.level
        )
        drawn = _only_compared_levels(levels, result, expected)
        if len(drawn) < len(levels):
            _html("<p>Only levels that the claim compares are drawn.</p>")
        _chart(charts.retention(drawn, history=expected.label, min_cell=docket.min_cell))
    else:  # the clock starts with a moment, and a later one competes with leaving
        causes = incidence_by_cause(expected.table, min_cell=docket.min_cell, level=docket.level)
        _chart(charts.competing(causes, min_cell=docket.min_cell))


def _only_compared_levels(
    levels: Mapping[str, Incidence], result: Trial, expected: ObservedVsExpected
) -> dict[str, Incidence]:
    """The curves of all levels or, where they are too many to tell apart, of those that the readings compare."""
    from cxresearch.charts.base import SERIES

    if len(levels) <= len(SERIES):
        return dict(levels)
    terms = dict.fromkeys(t for r in result.claim.readings for t in r.weighted())
    compared = [
        level
        for level in levels
        if any(f"{expected.history}[{level}]" in t.split(":") for t in terms)
    ]
    return {level: levels[level] for level in (compared or list(levels))[: len(SERIES)]}


def reference_values(docket: Docket, result: Trial) -> None:
    """The base rate and the naive answer."""
    from cxresearch import charts
    from cxresearch.report.pages import claim_page

    docket, result = _public(docket, result)
    _html(
        claim_page.anyway(result) + claim_page.naive(result) or "<p>This claim has no number.</p>"
    )
    if result.activity:
        _chart(charts.activity(result, docket.min_cell))


def closing(docket: Docket, result: Trial) -> None:
    """Who was left out, results published elsewhere, what would contradict the claim, what could not be tested."""
    from cxresearch.report.pages import claim_page

    _html(claim_page.closing(*_public(docket, result)))


def variants(tried: Mapping[str, Trial], *, min_cell: int) -> None:
    """The same claim under several definitions, one per row.

    Args:
        tried: what was changed, in plain words, to the trial.
        min_cell: the smallest count that may be shown.
    """
    from cxresearch.report.pages import claim_page

    _html(claim_page.variants({what: publishable_trial(t, min_cell) for what, t in tried.items()}))


def plan(result: Plan) -> None:
    """How much data would decide a claim: the sentences, the curve, the table.

    Args:
        result: from `cxresearch.power`.
    """
    from cxresearch import charts
    from cxresearch.report.pages.text import text

    shown = result.publishable()
    _html("".join(f"<p>{text(s)}</p>" for s in shown.sentences))
    _chart(charts.power(shown))
    _html(shown._repr_html_())


def specifications(result: SpecificationCurve) -> None:
    """A claim's number under other definitions: which of them turn the verdict, the curve, the table.

    Args:
        result: from `cxresearch.specification_curve`.
    """
    from cxresearch import charts

    shown = result.publishable()
    if shown.computed:
        _chart(charts.specification_curve(shown))
    _html(shown._repr_html_())


def audit(result: Docket | Records, *, heading: bool = True) -> None:
    """Every row accounted for; counts of few customers are hidden."""
    from cxresearch.report.pages.provenance import audit as block

    min_cell = result.min_cell if isinstance(result, Docket) else result.study.info.min_cell
    is_folded = isinstance(result, Docket)
    _html(block(result.audit, min_cell, heading=heading, is_folded=is_folded))


def risk_table(records: Records, table: RiskTable) -> None:
    """What a risk table is about; counts below the study's smallest are hidden."""
    _html(table.html(records.study.info.min_cell))


def method(result: Docket | Records, *, notebook: str, parameters: Mapping[str, Any]) -> None:
    """How verdicts are decided, if there are any, and what made the page."""
    from cxresearch.report.pages import provenance

    if isinstance(result, Docket):
        _html(provenance.method(result, notebook=notebook, parameters=parameters))
    else:
        _html(provenance.origin(result, notebook=notebook, parameters=parameters))


@contextmanager
def if_testable() -> Iterator[None]:
    """Run what the data may be too few for; where they are, say so and go on.

    The message of an error may hold levels, causes and other cells of the tables. It goes to the standard error
    stream, which JupyterLab shows and a page does not.
    """
    from cxresearch.report.pages.text import text

    try:
        yield
    except NotTestable as e:
        _html(
            f'<p class="cx-note">This study cannot say: it lacks {text(what_is_missing(e.lacks, e.code))}.</p>'
        )
    except NothingToDrawError as e:
        _html(f'<p class="cx-note">This study cannot say: {text(str(e))}.</p>')
    except (EstimationError, StudyError) as e:
        where = kind_of(e, field=getattr(e, "field", "")).partition(";")[0]
        _html(
            f'<p class="cx-note">This study cannot say: {text(where)}; '
            "this cell of the notebook in JupyterLab says more.</p>"
        )
        print(e, file=sys.stderr)


def summary(docket: Docket, title: str = "", costs: MomentCosts | None = None) -> dict[str, Any]:
    """What the index and the ledger need of a docket: the documented JSON, the date of the data, the claims in words.

    It goes along with a notebook's output and stays out of the page, so its numbers are exact; numbers in the summary
    are rounded.
    """
    from cxresearch.report.pages.summary_facts import customers_of, summary_facts

    kept = dict(docket.audit.kept)
    return {
        "rows_kept": int(kept.get("interactions", 0)),
        "customers_kept": customers_of(docket.audit),
        "facts": summary_facts(publishable(docket), costs),
        "docket": docket.to_dict(),
        "data_from": docket.data_from,
        "data_until": docket.data_until,
        "min_cell": docket.min_cell,
        "look": docket.after and msgspec.to_builtins(docket.after),
        "title": title,
        "claims": {
            t.claim.id: {"statement": t.claim.statement, "sentence": str(t.sentence)}
            for t in docket.values()
        },
    }


def _public(docket: Docket, result: Trial) -> tuple[Docket, Trial]:
    """Docket and trial as a page may tell them."""
    return publishable(docket), publishable_trial(result, docket.min_cell)


def _chart(result: Any) -> None:
    from IPython.display import display

    from cxresearch.charts import renderer

    renderer.enable()
    display(result)  # type: ignore[no-untyped-call]


def _html(block: str) -> None:
    if block:
        _send({"text/html": styled(block)})


def _send(data: dict[str, Any]) -> None:
    from IPython.display import display

    display(data, raw=True)  # type: ignore[no-untyped-call]
