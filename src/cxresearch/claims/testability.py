"""What a study lacks for a claim, determined before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import polars as pl
from msgspec import structs

from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.kinds import (
    AnyReading,
    AttributableShareReading,
    ModelComparisonReading,
    ModelReading,
)
from cxresearch.claims.schema import Claim
from cxresearch.claims.validation import features
from cxresearch.engines import Engine
from cxresearch.engines import engine as engine_named
from cxresearch.errors import NotTestable
from cxresearch.records.audit import Audit
from cxresearch.records.audit_values import CountOfTotal
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import Records, columns_of, possible_grades_of, study_of
from cxresearch.study import Study
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Result

MARKETING = "marketing"  # stands for all covariates that a study calls so
END = "an end"  # stands for a table with the ends of relations
_LOG = "name the column under [interactions]"
_WORDS = {
    "score": f"a score and its scale: {_LOG}",
    "attended": f"whether a person was there: {_LOG}, attended, or say which channels are unattended",
    "is_problem": f"which contacts were about a problem: {_LOG}, is_problem",
    "handoff": f"which contacts were handed off: {_LOG}, handoff",
    "problem_at": f"when problems came: {_LOG}, problem_at",
    "resolved_at": f"when problems were resolved: {_LOG}, resolved_at",
    "goodwill_at": f"when goodwill gestures were made: {_LOG}, goodwill_at",
    "informed_at": f"when customers were informed of a problem to come: {_LOG}, informed_at",
    "complained_at": f"when customers complained: {_LOG}, complained_at",
    "posted_at": f"when customers posted in public: {_LOG}, posted_at",
    "household": "households: name the column under [retention], cluster",
}
_ALWAYS = {"customer", "day", "second", "grade"}


def required_columns(claims: Iterable[Claim]) -> frozenset[str]:
    """What the histories of some claims read of a contact besides its grade, and whom contacts are counted by."""
    named = {name for c in claims for h in c.histories for name in c.history(h).required_columns}
    by = {name for c in claims for r in c.readings for name in r.contact_columns()}
    return frozenset(named | by)


def missing_requirement(claim: Claim, study: Study, has: Collection[str]) -> str:
    """What a study lacks for a claim, as far as the study file and the columns of its log show; empty if nothing.

    Args:
        claim: the claim.
        study: the study.
        has: what histories may read.
    """
    return next(iter(missing_requirements(claim, study, has).values()), "")


def missing_requirements(claim: Claim, study: Study, has: Collection[str]) -> dict[str, str]:
    """All that a study lacks for a claim: a short name of each thing to what it is and where to name it.

    Args:
        claim: the claim.
        study: the study.
        has: what histories may read.
    """
    result: dict[str, str] = {}
    if study.retention.kind not in claim.retention:
        why = claim.without_contracts or "retention is derived from the contacts alone"
        result[END] = f"an end of the relation: {why}"
    named = study.described_by
    section = "[customers]" if study.retention.kind == "activity" else "[retention]"
    had = {*(("segment",) if named.segment else ()), *named.described}
    for name in claim.covariates:
        if name == MARKETING and not named.marketing:
            result[name] = (
                f"marketing: name the columns that describe acquisition and campaigns under {section}, marketing"
            )
        if name != MARKETING and name not in had:
            where = "segment" if name == "segment" else "covariates"
            result[name] = f"{name}: its column is not named under {section}, {where}"
    wanted = (claim.primary, *(claim.reading(r.reading) for r in claim.primary.requires))
    for reading in wanted:
        result |= _missing_columns(claim, reading, has)
    if "household" in result:
        result["household"] = (
            "households whose members are all in one part of the customers"
            if named.cluster
            else f"households: name the column under {section}, cluster"
        )
    return result


def _missing_columns(claim: Claim, reading: AnyReading, has: Collection[str]) -> dict[str, str]:
    read = [
        n
        for name in reading.names()
        if name in claim.histories
        for n in claim.history(name).required_columns
    ]
    read += reading.contact_columns()
    missing = (n for n in read if n not in has and n not in _ALWAYS)
    return {n: _WORDS.get(n, f"{n}: {_LOG}, {n}") for n in missing}


def adapt_to_study(
    study: Study, audit: Audit, has: Collection[str], claim: Claim, reading: AnyReading
) -> AnyReading:
    """The reading as it can be tried on a study: with its names of marketing, and nothing held equal that nobody has.

    Args:
        study: the study.
        audit: its audit, which holds the grades that contacts have.
        has: what histories may read.
        claim: of the reading.
        reading: the reading as it is written.

    Raises:
        NotTestable: it is about a grade that no contact has, or reads what the log does not have.
    """
    if missing := next(iter(_missing_columns(claim, reading, has).values()), ""):
        raise NotTestable("missing_column", missing)
    graded = {g: audit.fact(f"{g} moments") for g in GRADES}
    nobody = {g for g, n in graded.items() if isinstance(n, CountOfTotal) and n.count == 0}

    def grade_of(name: str) -> str:
        return _grade_of(claim, name)

    for grade in _grades_compared(claim, reading):
        if grade in nobody:
            raise NotTestable("no_such_data", f"{grade} moments: no contact is graded {grade}")
    if not isinstance(reading, ModelReading):
        return reading
    return cast(AnyReading, _with_terms_of_study(study, reading, nobody, grade_of))


def _grade_of(claim: Claim, history: str) -> str:
    """The grade that a history is about; empty where it is about none, or several."""
    entry = claim.histories.get(history, {})
    return str(entry.get("grade", "bad" if entry.get("use") in ("bad_count", "first_bad") else ""))


def _grades_compared(claim: Claim, reading: AnyReading) -> tuple[str, ...]:
    """The grades that the number of a reading is about."""
    reference = reading.reference_grade if isinstance(reading, AttributableShareReading) else None
    named = (*(_grade_of(claim, name) for name in reading.subjects()), reference or "")
    return tuple(dict.fromkeys(filter(None, named)))


def _missing_grade(claim: Claim, possible: Collection[str]) -> str:
    """What to say of a claim about a grade that no contact can have; empty where there is none."""
    wanted = list(_grades_compared(claim, claim.primary))
    uses = {claim.histories.get(name, {}).get("use") for name in claim.primary.subjects()}
    if "bad_then_good" in uses:
        wanted += ["bad", "good"]
    for grade in wanted:
        if grade not in possible:
            return f"{grade} moments: no contact is graded {grade}; [moments] says which are"
    return ""


def _with_terms_of_study(
    study: Study, reading: ModelReading, nobody: set[str], grade_of: Callable[[str], str]
) -> ModelReading:
    def spelt(terms: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            n for t in terms for n in (study.described_by.marketing if t == MARKETING else (t,))
        )

    terms = tuple(
        t for t in spelt(reading.model.terms) if not nobody & {*map(grade_of, features(t))}
    )
    adapted = structs.replace(reading, model=structs.replace(reading.model, terms=terms))
    if not isinstance(adapted, ModelComparisonReading):
        return adapted
    return structs.replace(adapted, a=spelt(adapted.a), b=spelt(adapted.b))


@dataclass(frozen=True, slots=True, repr=False)
class ClaimCheck(Result):
    """Which claims can be tried, in the order of the catalogue; those of a study come last.

    Attributes:
        claims: shape (K,): ids.
        statements: shape (K,).
        sources: shape (K,): whose claim it is.
        lacks: shape (K,): what the study lacks; empty where the claim can be tried.
    """

    claims: tuple[str, ...]
    statements: tuple[str, ...]
    sources: tuple[str, ...]
    lacks: tuple[str, ...]

    def to_polars(self) -> pl.DataFrame:
        """One row per claim: claim, statement, source, lacks."""
        return pl.DataFrame(
            {
                "claim": list(self.claims),
                "statement": list(self.statements),
                "source": list(self.sources),
                "lacks": list(self.lacks),
            },
            schema=dict.fromkeys(("claim", "statement", "source", "lacks"), pl.String),
        )

    def __repr__(self) -> str:
        return f"ClaimCheck({sum(not x for x in self.lacks)} of {len(self.claims)} claims can be tried)"

    def _repr_html_(self) -> str:
        rows = (
            (statement, claim, f"– lacks {missing}" if missing else "✔ yes")
            for claim, statement, missing in zip(
                self.claims, self.statements, self.lacks, strict=True
            )
        )
        number = sum(not missing for missing in self.lacks)
        caption = f"{number} of {len(self.claims)} claims can be tried, as far as study file and columns show"
        return html_table(caption, ("claim", "id", "can be tried"), rows)


def check_claims(study: Study | Records, *, engine: Engine | str = "polars") -> ClaimCheck:
    """Which claims can be tried on a study, as far as its file and the columns of its log show; no row is counted.

    Args:
        study: a study, or its records.
        engine: where the log is opened; ignored for records.

    Raises:
        ClaimError: a claim of the study is not in the grammar.
        SourceError: the log cannot be opened.
        DataError: a column is missing or of the wrong type.
        ArgumentError: what was given is no study.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> checked = cx.check_claims(study)
        >>> dict(zip(checked.claims, checked.lacks))["silent-defection"]
        'when customers complained: name the column under [interactions], complained_at'
    """
    settings = study_of(study)
    result = claims_of(settings.claims)
    if isinstance(study, Records):
        has = study.available
        counts = {g: study.audit.fact(f"{g} moments") for g in GRADES}
        possible = {g for g, n in counts.items() if not isinstance(n, CountOfTotal) or n.count}
    else:
        reader = engine_named(engine) if isinstance(engine, str) else engine  # opens the log once
        has, possible = columns_of(settings, reader), set(possible_grades_of(settings, reader))
    return ClaimCheck(
        tuple(c.id for c in result),
        tuple(c.statement for c in result),
        tuple(c.source for c in result),
        tuple(missing_requirement(c, settings, has) or _missing_grade(c, possible) for c in result),
    )
