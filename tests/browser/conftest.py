"""Pages to look at, each made once: a real report on a part of the sample study, and pages made without a kernel."""

from shutil import copytree

import pytest

from cxresearch.report.runs.run import report
from tests.browser.browsers import chromium
from tests.report.dockets import hostile_docket, ratio_trial, share_trial, untestable_trial
from tests.report.histories import history_of, many
from tests.report.page_parser import notebook_of, pages_of

NOTEBOOKS = ("verdicts", "explore", "journey", "claim", "segments")
STALE = (
    '<!--STALE--><aside class="cx-stale" role="note"><p><strong>Not up to '
    "date.</strong> Why.</p></aside><!--/STALE-->"
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """In JupyterLab all that is asked in one theme is asked before the other comes: charts are drawn anew for each."""
    places = [i for i, item in enumerate(items) if "ran" in _given(item)]
    grouped = sorted((items[i] for i in places), key=_notebook_and_theme)
    for i, item in zip(places, grouped, strict=True):
        items[i] = item


def _given(item):
    return item.callspec.params if hasattr(item, "callspec") else {}


def _notebook_and_theme(item):
    given = _given(item)
    return given["ran"], "themed" in given, "Dark" in given.get("themed", "")


@pytest.fixture(scope="module")
def browser():
    with chromium() as result:
        yield result


@pytest.fixture(scope="session")
def real(tried_sample, tmp_path_factory):
    """The folder of a report on the sample study with all notebooks."""
    folder = tmp_path_factory.mktemp("real")
    copytree(tried_sample, folder / "study")
    study = folder / "study" / "study.toml"
    report(study, folder / "out", notebooks=NOTEBOOKS)
    return folder / "out"


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Pages of nine claims after fourteen runs, one of the pages stale; and pages of a hostile study."""
    folder = tmp_path_factory.mktemp("made")
    docket = many(9, share_trial(), ratio_trial(), *[untestable_trial()] * 7)
    pages = pages_of({"verdicts": notebook_of(docket)}, history_of(docket, 14))
    pages["stale"] = pages["verdicts"].replace('<main id="main">', f'<main id="main">{STALE}', 1)
    pages |= {
        f"hostile-{k}": v for k, v in pages_of({"verdicts": notebook_of(hostile_docket())}).items()
    }
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder
