"""Notebooks with outputs, made without a kernel, and what a parser sees of their pages."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from nbformat.v4 import new_code_cell, new_notebook, new_output

from cxresearch import charts
from cxresearch.charts import renderer
from cxresearch.report.pages import claim_page, provenance, show
from cxresearch.report.pages.cards import first_screen
from cxresearch.report.pages.html import page, summary, title_of
from cxresearch.report.pages.site import Entry, index
from cxresearch.report.pages.text import UNFOLD


def notebook_of(docket, *extra):
    """What the verdicts notebook would hold after a run on this docket."""
    data = [{"text/html": first_screen(docket), show.MIME: show.summary(docket)}]
    for trial in docket.values():
        data.append({"text/html": claim_page.folded(trial)})
        data.append({"text/html": claim_page.opening(docket, trial)})
        data += [renderer.bundle(charts.readings(trial, u).to_dict()) for u in charts.units(trial)]
        data += [
            renderer.bundle(charts.curves(e, trial, min_cell=10).to_dict())
            for e in trial.results
            if e.series
        ]
        data.append({"text/html": claim_page.naive(trial)})
        if trial.activity:
            data.append(renderer.bundle(charts.activity(trial, docket.min_cell).to_dict()))
        data.append({"text/html": claim_page.closing(docket, trial)})
        data.append({"text/html": UNFOLD})
    data.append({"text/html": provenance.audit(docket.audit, docket.min_cell)})
    data.append(
        {
            "text/html": provenance.method(
                docket, notebook="verdicts", parameters={"study": "/home/me/study.toml"}
            )
        }
    )
    outputs = [new_output("display_data", data=d) for d in (*data, *extra)]
    cell = new_code_cell("study = 'study.toml'  # a comment", outputs=outputs)
    return new_notebook(cells=[cell], metadata={"title": "Verdicts"})


def pages_of(notebooks, history=()):
    """The pages of executed notebooks by name, with an index, as a run would make them."""
    made = "2026-11-02T06:00:00+00:00"
    entries = [
        Entry(f"{n}.html", title_of(nb, n), summary(nb), made) for n, nb in notebooks.items()
    ]
    result = {n: page(nb, name=n, entries=entries, history=history) for n, nb in notebooks.items()}
    return result | {"index": index(entries, history)}


def page_of(docket, *extra):
    return page(notebook_of(docket, *extra), name="verdicts")


def page_with(output):
    """A page that holds one output and nothing else."""
    outputs = [new_output("display_data", data={"text/html": output})]
    cell = new_code_cell("study = 'study.toml'", outputs=outputs)
    return page(new_notebook(cells=[cell], metadata={"title": "Verdicts"}), name="verdicts")


class Seen(HTMLParser):
    """Elements, attributes and the texts of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self._tag = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, k, v) for k, v in attrs]
        self._tag = tag
        if tag in {"script", "style"}:
            self.texts.append((tag, dict(attrs).get("type"), ""))

    def handle_endtag(self, tag):
        self._tag = ""

    def handle_data(self, data):
        if self._tag in {"script", "style"}:
            tag, kind, text = self.texts[-1]
            self.texts[-1] = (tag, kind, text + data)


def policy(text):
    """The rules of a page's Content-Security-Policy, by name."""
    result = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    return {rule.split()[0]: rule.split()[1:] for rule in result[1].split("; ")}


def digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
