"""Notebooks that need no second of computing, and a study for them."""

from __future__ import annotations

import json

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from cxresearch.report.pages import show
from tests.report.dockets import docket
from tests.report.studies import small_study

TOLD = "study = ''\nclaims = []\nengine = 'polars'\ntitle = ''"
ABOUT_ONE = "study = ''\nclaim = 'three-strikes'\nengine = 'polars'"
SHOWS = "from IPython.display import display\nimport json\ndisplay(json.loads({data!r}), raw=True)"


def study_of(folder):
    """The small study, without a variable; returns the study file."""
    study = small_study(folder)
    study.write_text(study.read_text().replace("${LOG}", "log.csv"))
    return study


def notebook(path, *sources, parameters=TOLD):
    cells = [
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *map(new_code_cell, sources),
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
    return path


def shows(summary=None):
    """A cell that sends verdicts to the index, as a real notebook does."""
    data = {
        show.MIME: show.summary(docket()) if summary is None else summary,
        "text/html": "<h1>Verdicts</h1>",
    }
    return SHOWS.format(data=json.dumps(data))


def executed(*, title="Verdicts", summary=None, verdicts=True):
    """What a kernel would have made of it."""
    data = {"text/html": f"<h1>{title}</h1>"}
    if verdicts:
        data[show.MIME] = show.summary(docket()) if summary is None else summary
    output = nbformat.v4.new_output("display_data", data=data)
    return new_notebook(cells=[new_code_cell("1", outputs=[output])], metadata={"title": title})
