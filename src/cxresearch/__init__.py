"""cxresearch: customer-experience claims on trial against your own data.

The way of the data, module by module::

    study       the study file            rules       its SQL rules and queries
    engines     Polars, DuckDB            sources     files, folders, frames
    tables      contracts of the tables   moments     contacts graded
    retention   who stayed, who left      records     both joined, with the audit
    clocks      days, contacts            histories/  what a customer had lived through
    timeline    all histories in time     episodes    (start, stop] rows of one claim
    risk_table  one sufficient statistic  matched     who could be compared with whom
    estimators/ risk table to numbers     claims/     numbers to verdicts
    charts      results to pictures       report/     notebooks to pages
"""

from cxresearch.audit import Audit, Finding
from cxresearch.errors import (
    ClaimError,
    CxResearchError,
    DataError,
    EngineError,
    EstimationError,
    NotTestable,
    ReportError,
    RuleError,
    SourceError,
    StudyError,
)
from cxresearch.histories import age_of_last, bad_count, contact_count, contacts_within, grade_count, last_grade
from cxresearch.study import Study, read_study, study_from
