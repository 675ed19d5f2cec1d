from datetime import date
from pathlib import Path

import pytest

from cxresearch.errors import ReportError
from cxresearch.report.runs import jobs
from cxresearch.report.runs.jobs import checked, declared, from_text


def test_values_become_plain():
    given = {"claims": ("b", "a"), "study": Path("x.toml"), "title": date(2024, 1, 2)}
    assert checked(given) == {"study": "x.toml", "claims": ["b", "a"], "title": "2024-01-02"}
    assert checked({"claims": {"b", "a"}}) == {"claims": ["a", "b"]}
    assert checked({"claims": "a", "engine": None}) == {"claims": ["a"]}


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ReportError, match="no parameter 'claimz'; did you mean 'claim"):
        checked({"claimz": ["a"]})
    with pytest.raises(ReportError, match="there are: study"):
        checked({"zzz": 1})


def test_name_the_notebook_does_not_take():
    with pytest.raises(ReportError, match="takes no parameter 'claims'; it takes: study"):
        checked({"claims": ["a"]}, ("study", "engine"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"claims": [1]}, "claims must be a list of texts"),
        ({"study": 3}, "study must be a text"),
        ({"claim": ["a"]}, "claim must be a text"),
        ({"title": True}, "title must be a text"),
        ({"engine": "polar"}, "engine must be one of polars, .*did you mean 'polars'"),
    ],
)
def test_wrong_kind(given, message):
    with pytest.raises(ReportError, match=message):
        checked(given)


def test_undeclared_name_in_a_notebook():
    declared(("study", "engine"))
    with pytest.raises(ReportError, match="'studdy', which is not declared; did you mean 'study'"):
        declared(("studdy",))


def test_texts_of_a_command_line_become_what_is_declared(monkeypatch):
    assert from_text({"title": "Why, then?", "claims": "a, b,"}) == {
        "title": "Why, then?",
        "claims": ["a", "b"],
    }
    monkeypatch.setitem(jobs._BY_NAME, "days", jobs.Parameter("days", "number", "how many"))
    assert from_text({"days": "-3"}) == {"days": -3}
    assert from_text({"days": "2.5"}) == {"days": 2.5}
    with pytest.raises(ReportError, match=r"days must be a number \(how many\), was 'x'"):
        from_text({"days": "x"})
    with pytest.raises(ReportError, match="no parameter 'titel'; did you mean 'title'"):
        from_text({"titel": "x"})
    with pytest.raises(ReportError, match="study is no parameter here"):
        from_text({"study": "x"})
