"""What a page says of how its verdicts are decided."""

import re

from cxresearch.claims.results import SYMBOLS
from cxresearch.report.pages import provenance
from tests.report.dockets import docket, ratio_trial


def test_the_method_names_every_verdict_and_the_other_explanations():
    """A verdict rests on its interval and on rivals; errors are sums over customers, not refits without some."""
    made = provenance.method(docket(ratio_trial()), notebook="verdicts", parameters={})
    items = dict(re.findall(r"<li><strong>([^<]+)</strong>: ([^<]+)</li>", made))
    assert {name.lower() for name in items} == {str(v) for v in SYMBOLS}
    for name in ("Supported", "Contradicted", "Undecided"):
        assert "other explanation" in " ".join(items[name].split())
    assert "leaving out" not in made
