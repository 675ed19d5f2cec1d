import html
import json

import pytest

from cxresearch.report.runs.redaction import cleared, redactor
from cxresearch.study import read_study
from tests.report.studies import small_study


@pytest.fixture(params=["s3cret", 'quo"ted', "back\\slash", "two\nlines", "ümläut&<b>", "it's"])
def value(request):
    return request.param


@pytest.mark.parametrize("source", ["given", "environment"])
def test_a_value_is_found_however_it_is_written(value, source, tmp_path, monkeypatch):
    file = small_study(tmp_path)
    file.write_text(file.read_text() + '\n[tables]\nt = "${OTHER}/x.csv"\n')
    variables = {"LOG": value} if source == "given" else {}
    monkeypatch.setenv("CXRESEARCH_ALLOW_ENV", "LOG,OTHER")
    monkeypatch.setenv("LOG", value if source == "environment" else "unused")
    redact = redactor(file, read_study(file, variables), variables)
    ways = (
        value,
        repr(value),
        json.dumps(value),
        json.dumps(repr(value)),
        repr(repr(value)),
        html.escape(value),
    )
    for said in ways:
        assert redact(f"<{said}>").count("${LOG}") == 1, said
        assert value not in redact(f"<{said}>")
    stored = {
        "cells": [
            {"source": f"x = {value}\n".splitlines(keepends=True), value: [1, None, {"a": value}]}
        ]
    }
    clean = cleared(stored, redact)
    assert value not in json.dumps(clean)
    assert "".join(clean["cells"][0]["source"]) == "x = ${LOG}\n"
    assert clean["cells"][0]["${LOG}"] == [1, None, {"a": "${LOG}"}]


def test_without_variables_nothing_changes(tmp_path):
    file = small_study(tmp_path)
    file.write_text(file.read_text().replace("${LOG}", "log.csv"))
    redact = redactor(file, read_study(file), {})
    assert redact("log.csv") == "log.csv"
    assert cleared({"a": [1, "x", 2.5]}, redact) == {"a": [1, "x", 2.5]}
