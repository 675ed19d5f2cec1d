"""Which claims can be tried on a study, and what the others lack."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from cxresearch.claims.claim import claims_of
from cxresearch.claims.lacking import lacks
from cxresearch.engines import Engine
from cxresearch.estimators.results import Result
from cxresearch.html_tables import html_table
from cxresearch.study import Study
from cxresearch.tables.records import Records, columns_of


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
    found = claims_of(says.claims)
    has = study.has if isinstance(study, Records) else columns_of(says, engine)
    return Listing(
        tuple(c.id for c in found),
        tuple(c.statement for c in found),
        tuple(c.source for c in found),
        tuple(lacks(c, says, has) for c in found),
    )
