"""What takes long to import is imported when it is first used, and then does what it always does."""

import subprocess
import sys

import pytest

LOADED = (
    "import sys; print(*(m for m in ('jsonschema', 'lark', 'rfc3987_syntax') if m in sys.modules))"
)
CHECKS = """
import sys
from cxresearch.utils.slow_imports import import_jsonschema
{first}
import_jsonschema()
import jsonschema
assert ("rfc3987_syntax" in sys.modules) == {loaded}
forms = jsonschema.FormatChecker()
assert forms.conforms("http://ü.de/x", "iri")
assert not forms.conforms("::no address", "iri")
assert forms.conforms("x", "iri-reference")
assert not forms.conforms("a b<>", "iri-reference")
assert "lark" in sys.modules
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "code",
    ["import cxresearch.charts", "import cxresearch.report.runs.run, nbformat"],
    ids=["charts", "reports"],
)
def test_neither_charts_nor_reports_build_the_grammars(code):
    assert run(f"{code}; {LOADED}").split() == ["jsonschema"]


def test_no_interval_needs_what_takes_a_second_to_import():
    """Neither the module that tries claims imports it, nor an interval or a p-value."""
    used = (
        "import cxresearch as cx; cx.evaluate\n"
        "from cxresearch.estimators.intervals import quantile, two_sided_p\n"
        "quantile(0.95, 9), two_sided_p(2, 0)"
    )
    heavy = ("scipy.stats", "statsmodels", "pandas", "lifelines")
    assert run(f"{used}\nimport sys; print(*(m for m in {heavy} if m in sys.modules))") == "\n"


@pytest.mark.parametrize("first", ["", "import jsonschema", "import rfc3987_syntax"])
def test_addresses_are_checked_as_ever(first):
    run(CHECKS.format(first=first, loaded=bool(first)))
