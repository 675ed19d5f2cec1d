import html
import json

import pytest

from cxresearch.report.runs.kernel import redactor
from cxresearch.study import read_study
from cxresearch.utils.redaction import Secrets, forms_in_text, forms_of_source, redact_json
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
    clean = redact_json(stored, redact)
    assert value not in json.dumps(clean)
    assert "".join(clean["cells"][0]["source"]) == "x = ${LOG}\n"
    assert clean["cells"][0]["${LOG}"] == [1, None, {"a": "${LOG}"}]


def test_without_variables_nothing_changes(tmp_path):
    file = small_study(tmp_path)
    file.write_text(file.read_text().replace("${LOG}", "log.csv"))
    redact = redactor(file, read_study(file), {})
    assert redact("log.csv") == "log.csv"
    assert redact_json({"a": [1, "x", 2.5]}, redact) == {"a": [1, "x", 2.5]}


@pytest.mark.parametrize("forms", [forms_of_source, forms_in_text])
def test_secrets_show_their_names_alone(forms):
    secrets = Secrets({"PW": "s3cret", "EMPTY": "", "NONE": None}, forms)
    assert repr(secrets) == "Secrets(PW)"
    assert secrets.redact("s3cret and nothing") == "${PW} and nothing"


def test_the_longest_value_goes_first():
    secrets = Secrets({"A": "pass", "B": "password"}, forms_in_text)
    assert secrets.redact("password pass") == "${B} ${A}"
