"""What a study lacks for a claim, found before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import polars as pl
from msgspec import structs

from cxresearch.claims.catalogue_loader import Claim, Reading, claims_of, features, names_used, subjects
from cxresearch.engines import Engine
from cxresearch.errors import NotTestable
from cxresearch.estimators.results import Result
from cxresearch.html_tables import html_table
from cxresearch.records.audit import Audit, Share
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import Records, columns_of
from cxresearch.study import Study

MARKETING = "marketing"  # stands for all covariates that a study calls so
_LOG = "name the column under [interactions]"
_WORDS = {
    "score": f"a score and its scale: {_LOG}",
    "attended": f"whether a person was there: {_LOG}, attended, or say which channels are unattended",
    "is_problem": f"which contacts were about a problem: {_LOG}, is_problem",
    "handoff": f"which contacts were handed off: {_LOG}, handoff",
    "problem_at": f"when problems came: {_LOG}, problem_at",
    "resolved_at": f"when problems were resolved: {_LOG}, resolved_at",
    "goodwill_at": f"when goodwill gestures were made: {_LOG}, goodwill_at",
    "informed_at": f"when customers were told of a problem to come: {_LOG}, informed_at",
    "complained_at": f"when customers complained: {_LOG}, complained_at",
    "posted_at": f"when customers posted in public: {_LOG}, posted_at",
    "household": "households: name the column under [retention], cluster",
}
_ALWAYS = {"customer", "day", "second", "grade"}


def reads(claims: Iterable[Claim]) -> frozenset[str]:
    """What the histories of some claims read of a contact besides its grade, and whom contacts are counted by."""
    named = {name for c in claims for h in c.histories for name in c.history(h).reads}
    whom = {name for c in claims for r in c.readings if r.worst for name in (r.worst.of, *r.worst.within)}
    return frozenset(named | whom)


def lacks(claim: Claim, study: Study, has: Collection[str]) -> str:
    """What a study lacks for a claim, as far as the study file and the columns of its log show; empty if nothing.

    Args:
        claim: the claim.
        study: the study.
        has: what histories may read.
    """
    if study.retention.kind not in claim.retention:
        return "an end of the relation: retention is derived from the contacts alone"
    had = {*(("segment",) if study.retention.segment else ()), *study.retention.described}
    for name in claim.covariates:
        if name == MARKETING and not study.retention.marketing:
            return "marketing: name the columns that describe acquisition and campaigns under [retention], marketing"
        if name != MARKETING and name not in had:
            where = "segment" if name == "segment" else "covariates"
            return f"{name}: its column is not named under [retention], {where}"
    wanted = (claim.primary, *(claim.reading(r.reading) for r in claim.primary.requires))
    return next((missing for r in wanted if (missing := _lacks(claim, r, has))), "")


def _lacks(claim: Claim, reading: Reading, has: Collection[str]) -> str:
    named = [n for name in names_used(reading) if name in claim.histories for n in claim.history(name).reads]
    if reading.worst:
        named += [n for n in (reading.worst.of, *reading.worst.within) if n != "month"]
    missing = next((n for n in named if n not in has and n not in _ALWAYS), None)
    return "" if missing is None else _WORDS.get(missing, f"{missing}: {_LOG}, {missing}")


def suited(study: Study, audit: Audit, has: Collection[str], claim: Claim, reading: Reading) -> Reading:
    """The reading as it can be tried on a study: marketing by its own names, nothing held equal that nobody has.

    Raises:
        NotTestable: it is about a grade that no contact has, or reads what the log does not have.
    """
    if missing := _lacks(claim, reading, has):
        raise NotTestable(missing)
    graded = {g: audit.fact(f"{g} moments") for g in GRADES}
    nobody = {g for g, n in graded.items() if isinstance(n, Share) and n.count == 0}

    def of(name: str) -> str:
        says = claim.histories.get(name, {})
        return str(says.get("grade", "bad" if says.get("use") in ("bad_count", "first_bad") else ""))

    for grade in (*map(of, subjects(reading)), reading.against):
        if grade in nobody:
            raise NotTestable(f"{grade} moments: no contact is graded {grade}")
    return _named(study, reading, nobody, of) if reading.model else reading


def _named(study: Study, reading: Reading, nobody: set[str], of: Callable[[str], str]) -> Reading:
    def spelt(terms: Sequence[str]) -> tuple[str, ...]:
        return tuple(n for t in terms for n in (study.retention.marketing if t == MARKETING else (t,)))

    model, sides = reading.model, reading.contest
    assert model is not None
    terms = tuple(t for t in spelt(model.terms) if not nobody & {*map(of, features(t))})
    named = structs.replace(reading, model=structs.replace(model, terms=terms))
    if sides is None:
        return named
    both = structs.replace(sides, first=spelt(sides.first), second=spelt(sides.second))
    return structs.replace(named, contest=both)


@dataclass(frozen=True, slots=True, repr=False)
class Listing(Result):
    """Claims, in the order of the catalogue; a study's own come last.

    Attributes:
        claims: shape (K,): ids.
        statements: shape (K,).
        sources: shape (K,): who says so.
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
        return f"Listing({sum(not x for x in self.lacks)} of {len(self.claims)} claims can be tried)"

    def _repr_html_(self) -> str:
        rows = (
            (statement, claim, f"– lacks {missing}" if missing else "✔ yes")
            for claim, statement, missing in zip(self.claims, self.statements, self.lacks, strict=True)
        )
        number = sum(not missing for missing in self.lacks)
        caption = f"{number} of {len(self.claims)} claims can be tried, as far as study file and columns show"
        return html_table(caption, ("claim", "id", "can be tried"), rows)


def testable(study: Study | Records, *, engine: Engine | str = "polars") -> Listing:  # noqa: PT028 - no test
    """Which claims can be tried on a study, as far as its file and the columns of its log show; no row is counted.

    Args:
        study: a study, or its records.
        engine: where the log is opened; ignored for records.

    Raises:
        ClaimError: a claim of the study's own is not in the grammar.
        SourceError: the log cannot be opened.
        DataError: a column is missing or of the wrong type.
    """
    says = study.study if isinstance(study, Records) else study
    result = claims_of(says.claims)
    has = study.has if isinstance(study, Records) else columns_of(says, engine)
    return Listing(
        tuple(c.id for c in result),
        tuple(c.statement for c in result),
        tuple(c.source for c in result),
        tuple(lacks(c, says, has) for c in result),
    )
