"""What a notebook calls: open the study, show the blocks and charts in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxresearch.claims.evidence import Docket, Trial
from cxresearch.errors import StudyError
from cxresearch.study import Study, read_study

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
    from cxresearch.report import renderer
    from cxresearch.report.cards import first_screen as block

    renderer.enable()
    _send({"text/html": block(docket, title), "text/plain": str(docket), MIME: summary(docket, title)})


def trial(docket: Docket, found: Trial) -> None:
    """A claim's section: what it says, the readings, charts, the naive answer, what stays open."""
    from IPython.display import display

    from cxresearch import charts
    from cxresearch.report import dossier, renderer

    renderer.enable()
    _html(dossier.opening(docket, found))
    for unit in charts.units(found):
        display(charts.readings(found, unit))  # type: ignore[no-untyped-call]
    for e in found.readings:
        if e.series and (e.primary or e.unit == "difference of shares"):
            display(charts.curves(e, found))  # type: ignore[no-untyped-call]
    _html(dossier.naive(found))
    if found.activity:
        display(charts.activity(found, docket.min_cell))  # type: ignore[no-untyped-call]
    _html(dossier.closing(docket, found))


def audit(docket: Docket) -> None:
    """Every row accounted for."""
    from cxresearch.report.provenance import audit as block

    _html(block(docket))


def method(docket: Docket, *, notebook: str, parameters: Mapping[str, Any]) -> None:
    """How the verdicts are found, and what made the page."""
    from cxresearch.report.provenance import method as block

    _html(block(docket, notebook=notebook, parameters=parameters))


def summary(docket: Docket, title: str = "") -> dict[str, Any]:
    """What the index needs of a docket: the documented JSON, the date of the data, the claims in words."""
    return {
        "docket": docket.to_dict(),
        "data_from": docket.data_from,
        "data_until": docket.data_until,
        "title": title,
        "claims": {t.claim.id: {"statement": t.claim.statement, "sentence": t.sentence} for t in docket},
    }


def _html(block: str) -> None:
    if block:
        _send({"text/html": block})


def _send(data: dict[str, Any]) -> None:
    from IPython.display import display

    display(data, raw=True)  # type: ignore[no-untyped-call]
