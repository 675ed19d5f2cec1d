"""From a study to a table in one call: the way a data scientist takes it in a notebook."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cxresearch.engines import Engine
from cxresearch.estimators.results import CoxFit
from cxresearch.histories import History
from cxresearch.records.audit import Audit
from cxresearch.records.records import Records, read_records, study_of
from cxresearch.risk.episodes import Episodes, clock_of
from cxresearch.risk.episodes import episodes as episodes_of
from cxresearch.risk.table import RiskTable
from cxresearch.risk.table import risk_table as count
from cxresearch.risk.transitions import fix_last_levels
from cxresearch.study import Study
from cxresearch.utils.checks import arguments, flag, instance, names, optional


def audit(study: Study | Records, *, engine: Engine | str = "polars") -> Audit:
    """Read both tables of a study and account for every row.

    Args:
        study: a study, or its records.
        engine: where the tables are read.

    Raises:
        ArgumentError: neither a study nor records.
        SourceError: a table cannot be read.
        DataError: a fatal finding.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> cx.audit(study)
        Audit(2 of 2 interactions kept, 2 of 2 retention kept)
    """
    return records_of(study, engine, ()).audit


def episodes(
    study: Study | Records,
    *,
    strata: Sequence[str] = (),
    clock: str | None = None,
    engine: Engine | str = "polars",
    observed_from_start: bool = False,
    **histories: History,
) -> Episodes:
    """(start, stop] rows of every customer for some histories.

    Args:
        study: a study, or its records (read once, used often).
        strata: fixed covariates to keep: ``segment`` or a covariate of the study.
        clock: ``tenure`` (days since the start) or ``contact`` (activity studies); that of the study when not given.
        engine: where the tables are read; ignored for records.
        observed_from_start: leave out customers whose beginnings the log does not show; their counts are ``unknown``.
        histories: column name to history, such as ``bad=cx.bad_count(3)``.

    Returns:
        The episodes; `Episodes.to_lifelines` and `Episodes.to_polars` bring them into memory.

    Raises:
        ArgumentError: an argument of the wrong type.
        EstimationError: no such clock or covariate.
        SourceError, DataError: as `audit`.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> cx.episodes(study, bad=cx.bad_count(1)).to_lifelines().columns.tolist()
        ['id', 'start', 'stop', 'event', 'bad[1+]']
    """
    optional(clock=clock)
    fixed = names("strata", strata)
    flag("observed_from_start", observed_from_start)
    for name, history in histories.items():
        instance(name, history, History, "a history, such as cx.bad_count(3)")
    records = records_of(
        study, engine, {name for history in histories.values() for name in history.required_columns}
    )
    return episodes_of(
        records,
        histories,
        fixed=fixed,
        clock=clock_of(records.study, clock),
        observed_from_start=observed_from_start,
    )


def risk_table(
    study: Study | Records,
    *,
    strata: Sequence[str] = (),
    clock: str | None = None,
    engine: Engine | str = "polars",
    observed_from_start: bool = False,
    time_fixed: bool = False,
    **histories: History,
) -> RiskTable:
    """The risk table of a study for some histories; what every estimator takes.

    Args and errors as `episodes`; with `time_fixed`, each customer's last level counts as if it had held from the
    beginning. That looks ahead, as naive analyses do: it is meant for comparison with the right answer.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": ["2024-01-05", "2024-02-01"], "grade": ["bad", "good"]})
        >>> starts, ends = ["2024-01-05", "2024-01-07"], ["2024-01-30", None]
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": starts, "end": ends})
        >>> study = cx.study_from({"study": {"min_cell": 1}}, interactions=log, retention=who)
        >>> cx.risk_table(study, bad=cx.bad_count(1))
        RiskTable(2 customers on the tenure clock; bad (3); 1 censored, 1 defection, 0 other exit)
    """
    arguments(time_fixed=time_fixed)
    eps = episodes(
        study,
        strata=strata,
        clock=clock,
        engine=engine,
        observed_from_start=observed_from_start,
        **histories,
    )
    return count(fix_last_levels(eps) if time_fixed else eps)


def fit_hazard_model(
    table: RiskTable,
    terms: Sequence[str],
    *,
    strata: Sequence[str] = (),
    cause: str = "defection",
    level: float = 0.95,
) -> CoxFit:
    """Hazard ratios on the clock of the table: Cox on days, the model for grouped time on contacts.

    Args:
        table: the risk table.
        terms: as `cxresearch.cox`.
        strata: features with a baseline hazard each; those that the table does not have are left out.
        cause: the event.
        level: confidence level.

    Raises:
        EstimationError, NotTestable: as `cxresearch.cox`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> table = cx.risk_table(study, bad=cx.bad_count(1), observed_from_start=True)
        >>> cx.fit_hazard_model(table, ["bad"], strata=["segment"])
        CoxFit(hazard ratios of defection: bad[1+] 1.86; about 580 events)
    """
    instance("table", table, RiskTable, "a risk table, as risk_table gives it")
    arguments(terms=terms, strata=strata, cause=cause, level=level)
    from cxresearch.estimators.discrete import fit_hazards

    known = {f.name for f in table.features}
    return fit_hazards(
        table, terms, strata=[s for s in strata if s in known], cause=cause, level=level
    )


def records_of(
    study: Study | Records,
    engine: Engine | str = "polars",
    required_columns: Collection[str] | None = None,
) -> Records:
    """The records of a study, with the contact attributes in `required_columns`; records are passed on as they are."""
    known = study_of(study)
    return (
        study
        if isinstance(study, Records)
        else read_records(known, engine, required_columns=required_columns)
    )
