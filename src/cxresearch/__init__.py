"""cxresearch: customer-experience claims on trial against your own data.

The way of the data, from left to right and from top to bottom; each package has a map of its own::

    study/        the study file, its conditions and queries
    engines/      Polars, DuckDB and Spark: the one place that knows them (their SQL and their times: study/)
    records/      both tables read, graded, joined; every row accounted for
    disclosure/   what may be shown
    histories/    what had been lived before a day, on one timeline
    risk/         (start, stop] rows, and the additive tables made of them
    estimators/   tables to numbers
    claims/       numbers to verdicts
    panel/        definitions moved, in JupyterLab
    journey/      touchpoints, levels of service, the scorecard
    worlds/       data with a known truth
    planning/     how much data would decide
    charts/       results to pictures
    drafting/     a study file drafted from what is in some files
    report/       notebooks to pages

`explore` goes from a study to a table in one call, `curves` to curves side by side; `errors` are those that a caller
may catch, `utils` is what any part needs and none is about: files, threads, secrets, checks of arguments.

The names of everyday work are here; the rest is in ``cx.histories``, ``cx.estimators``, ``cx.journey``, ``cx.charts``,
``cx.curves``, ``cx.panel``, ``cx.drafting``, ``cx.worlds`` and ``cx.errors``, which are imported when they are first
used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxresearch import charts as charts
    from cxresearch import curves as curves
    from cxresearch import drafting as drafting
    from cxresearch import errors as errors
    from cxresearch import estimators as estimators
    from cxresearch import histories as histories
    from cxresearch import journey as journey
    from cxresearch import panel as panel
    from cxresearch import worlds as worlds
    from cxresearch.claims.catalogue_loader import catalogue
    from cxresearch.claims.evaluate import evaluate
    from cxresearch.claims.evaluate_by import evaluate_by
    from cxresearch.claims.evaluate_change import evaluate_change
    from cxresearch.claims.observed_vs_expected import observed_vs_expected
    from cxresearch.claims.results import Docket
    from cxresearch.claims.specification_curve import DefinitionStore, specification_curve
    from cxresearch.claims.testability import check_claims
    from cxresearch.curves import incidence_after_bad, incidence_by_level, predicted_retention
    from cxresearch.errors import CxResearchError, NotTestable
    from cxresearch.estimators.attributable import attributable
    from cxresearch.estimators.contrasts import contrast
    from cxresearch.estimators.cox import cox
    from cxresearch.estimators.incidence import incidence
    from cxresearch.explore import audit, episodes, fit_hazard_model, risk_table
    from cxresearch.histories import bad_count, contact_count, contacts_within
    from cxresearch.panel import what_if
    from cxresearch.planning import power
    from cxresearch.records.audit import Audit
    from cxresearch.records.records import Records, read_records
    from cxresearch.risk.episodes import Episodes
    from cxresearch.risk.table import RiskTable
    from cxresearch.study import Study, read_study, study_from

# where each public name lives; a module is imported when a name of it is first used, so that importing stays fast
_HOMES = {
    "claims.observed_vs_expected": ("observed_vs_expected",),
    "claims.catalogue_loader": ("catalogue",),
    "claims.evaluate": ("evaluate",),
    "claims.evaluate_by": ("evaluate_by",),
    "claims.evaluate_change": ("evaluate_change",),
    "claims.results": ("Docket",),
    "claims.testability": ("check_claims",),
    "claims.specification_curve": ("DefinitionStore", "specification_curve"),
    "curves": ("incidence_after_bad", "incidence_by_level", "predicted_retention"),
    "errors": ("CxResearchError", "NotTestable"),
    "estimators.attributable": ("attributable",),
    "estimators.contrasts": ("contrast",),
    "estimators.cox": ("cox",),
    "estimators.incidence": ("incidence",),
    "explore": ("audit", "episodes", "fit_hazard_model", "risk_table"),
    "histories": ("bad_count", "contact_count", "contacts_within"),
    "panel": ("what_if",),
    "risk.episodes": ("Episodes",),
    "risk.table": ("RiskTable",),
    "planning": ("power",),
    "study": ("Study", "read_study", "study_from"),
    "records.audit": ("Audit",),
    "records.records": ("Records", "read_records"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_NAMESPACES = (
    "charts",
    "curves",
    "drafting",
    "errors",
    "estimators",
    "histories",
    "journey",
    "panel",
    "silences",
    "worlds",
)

__all__ = [
    "Audit",
    "CxResearchError",
    "DefinitionStore",
    "Docket",
    "Episodes",
    "NotTestable",
    "Records",
    "RiskTable",
    "Study",
    "attributable",
    "audit",
    "bad_count",
    "catalogue",
    "check_claims",
    "contact_count",
    "contacts_within",
    "contrast",
    "cox",
    "episodes",
    "evaluate",
    "evaluate_by",
    "evaluate_change",
    "fit_hazard_model",
    "incidence",
    "incidence_after_bad",
    "incidence_by_level",
    "observed_vs_expected",
    "power",
    "predicted_retention",
    "read_records",
    "read_study",
    "risk_table",
    "specification_curve",
    "study_from",
    "what_if",
]


def __getattr__(name: str) -> Any:
    if name in _NAMESPACES:
        return import_module(f"cxresearch.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'cxresearch' has no attribute {name!r}")
    return getattr(import_module(f"cxresearch.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted((*__all__, *_NAMESPACES))
