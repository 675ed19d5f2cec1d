"""Pages to look at, each made once: a real report on a part of the sample study, and pages made without a kernel."""

import pytest

from cxresearch.report.runs.run import report
from cxresearch.utils.bundled import copy_sample
from tests.browser.browsers import chromium
from tests.report.dockets import hostile_docket, ratio_trial, share_trial, untestable_trial
from tests.report.histories import history_of, many
from tests.report.page_parser import notebook_of, pages_of

NOTEBOOKS = ("verdicts", "explore", "journey", "claim", "segments")
STALE = (
    '<!--STALE--><aside class="cx-stale" role="note"><p><strong>Not up to '
    "date.</strong> Why.</p></aside><!--/STALE-->"
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as result:
        yield result


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """The folder of a report on the sample study with all notebooks."""
    folder = tmp_path_factory.mktemp("real")
    copy_sample(folder / "study")
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
