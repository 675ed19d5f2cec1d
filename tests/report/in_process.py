"""The shipped notebooks run here, without a kernel: every output as it would stand in the executed notebook."""

from __future__ import annotations

import ast
import json

import IPython.display
import nbformat
from nbformat.v4 import new_output

from cxresearch.charts import renderer
from cxresearch.report.pages import show
from cxresearch.utils.bundled import notebook_path


def forms(result):
    """What a kernel would send of an object."""
    if hasattr(result, "to_dict") and type(result).__module__.startswith("altair"):
        return json.loads(json.dumps(renderer.bundle(result.to_dict())))
    html = result._repr_html_() if hasattr(result, "_repr_html_") else None
    return {"text/plain": repr(result)} | ({"text/html": html} if html else {})


def executed(monkeypatch, name, study, **parameters):
    """The notebook of that name, run on a study in memory or on disk.

    Args:
        monkeypatch: pytest's.
        name: such as ``journey``.
        study: a `cxresearch.Study`.
        parameters: for its first cell.
    """
    notebook = nbformat.read(notebook_path(name), as_version=4)
    outputs = []

    def display(*result, raw=False, **_):
        outputs.extend(
            new_output("display_data", data=dict(x) if raw else forms(x)) for x in result
        )

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(show, "study", lambda _: study)
    space = {"display": display}
    for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        outputs.clear()
        tree = ast.parse(cell.source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), space)
        if number == 0:
            space |= parameters
        if (
            last is not None
            and (result := eval(compile(ast.Expression(last.value), name, "eval"), space))
            is not None
        ):
            display(result)
        cell.outputs = list(outputs)
    return notebook
