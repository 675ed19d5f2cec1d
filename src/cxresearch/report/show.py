"""What a notebook calls: open the study, show the blocks and charts in the order of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cxresearch.claims.behind import Behind
from cxresearch.claims.evidence import Docket, Trial
from cxresearch.errors import EstimationError, NotTestable, StudyError
from cxresearch.html_tables import styled
from cxresearch.report.publishable import publishable, publishable_trial
from cxresearch.risk.table import RiskTable
from cxresearch.small_cells import MIN_CELL
from cxresearch.study import Study, read_study
from cxresearch.tables.records import Records

MIME = "application/vnd.cxresearch.docket.v1+json"  # how a page's index learns the verdicts


def study(path: str | Path) -> Study:
    """Read a study from where the notebook runs or, failing that, from what ships with the package.

    Raises:
        StudyError: it is in neither place, or is not right.
    """
    from cxresearch.bundled import bundled

    given = Path(path)
    if not given.exists() and not given.is_absolute() and given.parts[:1] == ("data",):
        given = bundled("data").joinpath(*given.parts[1:])
    if not given.exists():
        raise StudyError(f"no study file {path}")
    return read_study(given)


def first_screen(docket: Docket, title: str = "") -> None:
    """The question and the cards; the verdicts go along as data, for the index."""
    from cxresearch.charts import renderer
    from cxresearch.report.cards import first_screen as block

    renderer.enable()
    told = publishable(docket)
    _send({"text/html": styled(block(told, title)), "text/plain": str(told), MIME: summary(docket, title)})


def opening(records: Records, title: str) -> None:
    """The first screen of a page without verdicts: the study, what the page is about, the date of the data."""
    from cxresearch.charts import renderer
    from cxresearch.report.cards import opening as block

    renderer.enable()
    _html(block(records, title))


def trial(docket: Docket, found: Trial) -> None:
    """A claim's section: what it says, the readings, charts, the naive answer, what stays open."""
    from cxresearch import charts
    from cxresearch.report import dossier

    docket, found = _told(docket, found)
    _html(dossier.opening(docket, found))
    for unit in charts.units(found):
        _chart(charts.readings(found, unit))
    for e in found.readings:
        if e.series and (e.primary or e.unit == "difference of shares"):
            _chart(charts.curves(e, found, min_cell=docket.min_cell))
    _html(dossier.naive(found))
    if found.activity:
        _chart(charts.activity(found, docket.min_cell))
    _html(dossier.closing(docket, found))


def claim(docket: Docket, found: Trial) -> None:
    """The first screen of a page about one claim: what it says, who says so, the verdict."""
    from cxresearch.charts import renderer
    from cxresearch.report.cards import one_claim

    renderer.enable()
    data = summary(docket) | {"about": found.claim.id}
    told, shown = _told(docket, found)
    _send({"text/html": styled(one_claim(told, shown)), "text/plain": repr(shown), MIME: data})


def readings(docket: Docket, found: Trial) -> None:
    """Every reading of a claim: a table, and a chart for each unit."""
    from cxresearch import charts
    from cxresearch.report import dossier

    docket, found = _told(docket, found)
    _html(dossier.readings(docket, found))
    for unit in charts.units(found):
        _chart(charts.readings(found, unit))


def ladder(found: Trial, *, min_cell: int = MIN_CELL) -> None:
    """What becomes of the answer when more or less is held equal.

    Args:
        found: the claim, tried.
        min_cell: the smallest count that may be shown.
    """
    from cxresearch import charts

    found = publishable_trial(found, min_cell)
    rungs = found.claim.primary.ladder
    drawn = [r for r in (found.primary.reading, *rungs) if found[r].estimate is not None]
    if len(drawn) < 2:
        _html("<p>This claim is counted, not modelled: nothing is held equal, and there is no ladder to climb.</p>")
        return
    _chart(charts.readings(found, found.primary.unit, only=drawn))


def day_by_day(docket: Docket, found: Trial, behind: Behind | None = None) -> None:
    """The curves behind the readings and, of the risk table, who is still there by level or what came first.

    Args:
        docket: the docket the claim was tried in.
        found: the claim, tried.
        behind: from `cxresearch.behind`, if there is a risk table.
    """
    from cxresearch import charts
    from cxresearch.curves import incidence_by_cause, incidence_by_level

    docket, found = _told(docket, found)
    for e in found.readings:
        if e.series and (e.primary or e.unit == "difference of shares"):
            _chart(charts.curves(e, found, min_cell=docket.min_cell))
    if behind is None:
        return
    if behind.table.clock in ("tenure", "contact"):
        levels = incidence_by_level(behind.table, behind.history, min_cell=docket.min_cell, level=docket.level)
        _chart(charts.retention(levels, history=behind.label, min_cell=docket.min_cell))
    else:  # the clock starts with a moment, and a later one competes with leaving
        causes = incidence_by_cause(behind.table, min_cell=docket.min_cell, level=docket.level)
        _chart(charts.competing(causes, min_cell=docket.min_cell))


def beside(docket: Docket, found: Trial) -> None:
    """What happens anyway, and what a naive analysis would have said."""
    from cxresearch import charts
    from cxresearch.report import dossier

    docket, found = _told(docket, found)
    _html(dossier.anyway(found) + dossier.naive(found) or "<p>No number stands beside this claim.</p>")
    if found.activity:
        _chart(charts.activity(found, docket.min_cell))


def closing(docket: Docket, found: Trial) -> None:
    """Who was left out, what others found, what would contradict the claim, what could not be tested."""
    from cxresearch.report import dossier

    _html(dossier.closing(*_told(docket, found)))


def variants(tried: Mapping[str, Trial], *, min_cell: int = MIN_CELL) -> None:
    """The same claim under several definitions, one per row.

    Args:
        tried: what was changed, in plain words, to the trial.
        min_cell: the smallest count that may be shown.
    """
    from cxresearch.report import dossier

    _html(dossier.variants({what: publishable_trial(t, min_cell) for what, t in tried.items()}))


def audit(found: Docket | Records, *, heading: bool = True) -> None:
    """Every row accounted for; counts of few customers are hidden."""
    from cxresearch.report.provenance import audit as block

    min_cell = found.min_cell if isinstance(found, Docket) else found.study.info.min_cell
    _html(block(found.audit, min_cell, heading=heading))


def risk_table(records: Records, table: RiskTable) -> None:
    """What a risk table is about; counts below the study's smallest are hidden."""
    _html(table.html(records.study.info.min_cell))


def method(found: Docket | Records, *, notebook: str, parameters: Mapping[str, Any]) -> None:
    """How the verdicts are found, if there are any, and what made the page."""
    from cxresearch.report import provenance

    if isinstance(found, Docket):
        _html(provenance.method(found, notebook=notebook, parameters=parameters))
    else:
        _html(provenance.origin(found, notebook=notebook, parameters=parameters))


@contextmanager
def if_testable() -> Iterator[None]:
    """Run what the data may be too few for; where they are, say so and go on."""
    from cxresearch.report.words import text

    try:
        yield
    except NotTestable as e:
        _html(f'<p class="cx-note">This study cannot say: it lacks {text(e.lacks)}.</p>')
    except (EstimationError, StudyError) as e:
        _html(f'<p class="cx-note">This study cannot say: {text(str(e))}.</p>')


def summary(docket: Docket, title: str = "") -> dict[str, Any]:
    """What the index and the ledger need of a docket: the documented JSON, the date of the data, the claims in words.

    It goes along with a notebook's output and stays out of the page, so its numbers are exact.
    """
    return {
        "docket": docket.to_dict(),
        "data_from": docket.data_from,
        "data_until": docket.data_until,
        "min_cell": docket.min_cell,
        "title": title,
        "claims": {t.claim.id: {"statement": t.claim.statement, "sentence": str(t.sentence)} for t in docket.values()},
    }


def _told(docket: Docket, found: Trial) -> tuple[Docket, Trial]:
    """Docket and trial as a page may tell them."""
    return publishable(docket), publishable_trial(found, docket.min_cell)


def _chart(found: Any) -> None:
    from IPython.display import display

    from cxresearch.charts import renderer

    renderer.enable()
    display(found)  # type: ignore[no-untyped-call]


def _html(block: str) -> None:
    if block:
        _send({"text/html": styled(block)})


def _send(data: dict[str, Any]) -> None:
    from IPython.display import display

    display(data, raw=True)  # type: ignore[no-untyped-call]
