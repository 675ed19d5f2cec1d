"""cxresearch: customer-experience claims on trial against your own data.

The way of the data, from left to right and from top to bottom; each package has a map of its own::

    study/        the study file, its conditions and queries
    engines/      Polars, DuckDB and Spark: the one place that knows them
    tables/       both tables read, graded, joined; every row accounted for
    histories/    what had been lived before a day, on one timeline
    risk/         (start, stop] rows, and the additive tables made of them
    estimators/   tables to numbers
    claims/       numbers to verdicts
    journey/      touchpoints, levels of service, the scorecard
    charts/       results to pictures
    report/       notebooks to pages
    worlds/       data with a known truth

`explore` goes from a study to a table in one call, `curves` to curves side by side. `small_cells` says what may be
shown, `html_tables` how it looks in JupyterLab; `bundled` is what ships with the package, `outputs` writes a
file that was asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxresearch.claims.behind import Behind, behind
    from cxresearch.claims.claim import Claim, catalogue
    from cxresearch.claims.docket import evaluate
    from cxresearch.claims.evidence import Docket, Evidence, Trial
    from cxresearch.claims.listing import Listing, testable
    from cxresearch.curves import Curves, after_bad, by_cause, by_level
    from cxresearch.errors import (
        ClaimError,
        CxResearchError,
        DataError,
        EngineError,
        EstimationError,
        NotTestable,
        ParameterError,
        ReportError,
        RuleError,
        SourceError,
        StudyError,
    )
    from cxresearch.estimators.at_risk_share import share_at_risk
    from cxresearch.estimators.concentration import worst_share
    from cxresearch.estimators.contest import contest
    from cxresearch.estimators.cox import contrast, cox
    from cxresearch.estimators.discrete import grouped_hazards
    from cxresearch.estimators.fading import beyond_selection
    from cxresearch.estimators.incidence import incidence
    from cxresearch.estimators.poisson import rate_ratios
    from cxresearch.estimators.rates import rates
    from cxresearch.estimators.share import share
    from cxresearch.explore import audit, episodes, hazards, risk_table
    from cxresearch.histories import (
        age_of_last,
        age_since,
        bad_count,
        contact_count,
        contacts_before,
        contacts_within,
        first_bad,
        first_contact,
        first_problem,
        flipped,
        gesture,
        grade_count,
        household_bad,
        household_exits,
        last_grade,
        last_score,
        mean_score,
        moment_count,
        posted,
        problem_severity,
        problem_state,
        told,
        worst_score,
    )
    from cxresearch.journey.expectations import Scorecard, scorecard
    from cxresearch.journey.loyalty import LoyaltyShift, loyalty_shift
    from cxresearch.journey.moment_counts import QuickMath, quick_math
    from cxresearch.journey.perception import PerceptionMap, perception_map
    from cxresearch.journey.service import ServiceLevels, service_levels
    from cxresearch.risk.episode import Episodes
    from cxresearch.risk.table import RiskTable
    from cxresearch.study import Study, read_study, study_from
    from cxresearch.study.variants import variant
    from cxresearch.tables.accounting import Audit, Finding
    from cxresearch.tables.records import Records, read_records

# where each public name lives; a module is imported when a name of it is first used, so that importing stays fast
_HOMES = {
    "tables.accounting": ("Audit", "Finding"),
    "claims.behind": ("Behind", "behind"),
    "claims.claim": ("Claim", "catalogue"),
    "claims.docket": ("evaluate",),
    "claims.evidence": ("Docket", "Evidence", "Trial"),
    "claims.listing": ("Listing", "testable"),
    "curves": ("Curves", "after_bad", "by_cause", "by_level"),
    "risk.episode": ("Episodes",),
    "errors": (
        "ClaimError",
        "CxResearchError",
        "DataError",
        "EngineError",
        "EstimationError",
        "NotTestable",
        "ParameterError",
        "ReportError",
        "RuleError",
        "SourceError",
        "StudyError",
    ),
    "estimators.at_risk_share": ("share_at_risk",),
    "estimators.concentration": ("worst_share",),
    "estimators.contest": ("contest",),
    "estimators.cox": ("contrast", "cox"),
    "estimators.discrete": ("grouped_hazards",),
    "estimators.fading": ("beyond_selection",),
    "estimators.incidence": ("incidence",),
    "estimators.poisson": ("rate_ratios",),
    "estimators.rates": ("rates",),
    "estimators.share": ("share",),
    "explore": ("audit", "episodes", "hazards", "risk_table"),
    "histories": (
        "age_of_last",
        "age_since",
        "bad_count",
        "contact_count",
        "contacts_before",
        "contacts_within",
        "first_bad",
        "first_contact",
        "first_problem",
        "flipped",
        "gesture",
        "grade_count",
        "household_bad",
        "household_exits",
        "last_grade",
        "last_score",
        "mean_score",
        "moment_count",
        "posted",
        "problem_severity",
        "problem_state",
        "told",
        "worst_score",
    ),
    "journey.expectations": ("Scorecard", "scorecard"),
    "journey.loyalty": ("LoyaltyShift", "loyalty_shift"),
    "journey.perception": ("PerceptionMap", "perception_map"),
    "journey.service": ("ServiceLevels", "service_levels"),
    "journey.moment_counts": ("QuickMath", "quick_math"),
    "tables.records": ("Records", "read_records"),
    "risk.table": ("RiskTable",),
    "study": ("Study", "read_study", "study_from"),
    "study.variants": ("variant",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Audit",
    "Behind",
    "Claim",
    "ClaimError",
    "Curves",
    "CxResearchError",
    "DataError",
    "Docket",
    "EngineError",
    "Episodes",
    "EstimationError",
    "Evidence",
    "Finding",
    "Listing",
    "LoyaltyShift",
    "NotTestable",
    "ParameterError",
    "PerceptionMap",
    "QuickMath",
    "Records",
    "ReportError",
    "RiskTable",
    "RuleError",
    "Scorecard",
    "ServiceLevels",
    "SourceError",
    "Study",
    "StudyError",
    "Trial",
    "after_bad",
    "age_of_last",
    "age_since",
    "audit",
    "bad_count",
    "behind",
    "beyond_selection",
    "by_cause",
    "by_level",
    "catalogue",
    "contact_count",
    "contacts_before",
    "contacts_within",
    "contest",
    "contrast",
    "cox",
    "episodes",
    "evaluate",
    "first_bad",
    "first_contact",
    "first_problem",
    "flipped",
    "gesture",
    "grade_count",
    "grouped_hazards",
    "hazards",
    "household_bad",
    "household_exits",
    "incidence",
    "last_grade",
    "last_score",
    "loyalty_shift",
    "mean_score",
    "moment_count",
    "perception_map",
    "posted",
    "problem_severity",
    "problem_state",
    "quick_math",
    "rate_ratios",
    "rates",
    "read_records",
    "read_study",
    "risk_table",
    "scorecard",
    "service_levels",
    "share",
    "share_at_risk",
    "study_from",
    "testable",
    "told",
    "variant",
    "worst_score",
    "worst_share",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cxresearch' has no attribute {name!r}")
    return getattr(import_module(f"cxresearch.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
