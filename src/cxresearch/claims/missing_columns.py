"""Which columns a study lacks, ranked by how many claims and rival explanations each would open."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields

import polars as pl

from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.rivals.apply import rival_entries
from cxresearch.claims.schema import Claim
from cxresearch.claims.testability import END, missing_requirements
from cxresearch.engines import Engine
from cxresearch.records.records import Records, columns_of, study_of
from cxresearch.study import Study
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Result

_CAUSE = "cause"
_HEAD = ("column", "claims", "with others", "rival", "what it is, and where to name it")
_WHERE = "causes of leaving: name the column under [retention], cause, and those that are defection"
_NO_PACE = "an end of the relation: a table with starts and ends, under [retention]"


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingColumn(Result):
    """A column, or table, that a study lacks.

    Attributes:
        name: its canonical name.
        where: what it is, and under which key of the study file it is named.
        claims: ids of the claims that lack nothing else.
        claims_with_others: ids of those that lack other columns as well.
        others: names of these other columns.
        rival: the rival explanation that could be tried with it, or would not arise; empty where there is none.
        claims_of_rival: ids of the claims that have to survive that rival.
    """

    name: str
    where: str
    claims: tuple[str, ...]
    claims_with_others: tuple[str, ...]
    others: tuple[str, ...]
    rival: str
    claims_of_rival: tuple[str, ...]

    @property
    def n_claims_affected(self) -> int:
        """The claims that it opens, helps to open, or tries a rival of."""
        return len({*self.claims, *self.claims_with_others, *self.claims_of_rival})

    def cells(self) -> tuple[str, str, str, str, str]:
        """As it is shown: name, claims, claims with others, rival, where."""
        others = f" ({', '.join(self.others)})" if self.others else ""
        rival = f"{self.rival}: {len(self.claims_of_rival)}" if self.rival else "–"
        opened = str(len(self.claims))
        return self.name, opened, f"{len(self.claims_with_others)}{others}", rival, self.where


@dataclass(frozen=True, slots=True, repr=False)
class MissingColumns(Result):
    """The columns that a study lacks, those first that would open most.

    Attributes:
        columns: shape (K,).
    """

    columns: tuple[MissingColumn, ...]

    def to_polars(self) -> pl.DataFrame:
        """One row per column, with the attributes of `MissingColumn`; ids are joined by commas."""
        names = [f.name for f in fields(MissingColumn)]
        empty = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
        return pl.concat([empty, *(c.to_polars() for c in self.columns)])

    def __str__(self) -> str:
        if not self.columns:
            return "No column is missing."
        rows = [_HEAD, *(c.cells() for c in self.columns)]
        wide = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join(
            "  ".join([*(f"{x:<{w}}" for x, w in zip(row, wide, strict=False)), row[4]])
            for row in rows
        )

    def __repr__(self) -> str:
        return f"MissingColumns({', '.join(c.name for c in self.columns)})"

    def _repr_html_(self) -> str:
        return html_table("What would open more", _HEAD, (c.cells() for c in self.columns))


def rank_missing_columns(
    study: Study | Records, *, engine: Engine | str = "polars"
) -> MissingColumns:
    """The columns that a study lacks, ranked by how many claims each opens, helps to open, or tries a rival of.

    Args:
        study: a study, or its records.
        engine: where the log is opened; ignored for records.

    Raises:
        ClaimError: a claim of the study's own is not in the grammar.
        SourceError: the log cannot be opened.
        DataError: a column is missing or of the wrong type.
        ArgumentError: what was given is no study.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a", "b"], "at": [1, 4], "grade": ["bad", "good"]})
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [0, 0], "end": [9, None]})
        >>> study = cx.study_from({"interactions": {"log_from": 0, "log_until": 9}}, interactions=log, retention=who)
        >>> first = rank_missing_columns(study).columns[0]
        >>> first.name, first.rival, first.n_claims_affected
        ('cause', 'other exits', 19)
    """
    settings = study_of(study)
    has = study.available if isinstance(study, Records) else columns_of(settings, engine)
    return _rank(claims_of(settings.claims), settings, has)


def _rank(claims: Sequence[Claim], study: Study, has: Collection[str]) -> MissingColumns:
    lacking = {c.id: missing_requirements(c, study, has) for c in claims}
    where = {name: words for missing in lacking.values() for name, words in missing.items()}
    rivals: dict[str, str] = {}
    if study.retention.kind == "activity":
        where[END], rivals[END] = _NO_PACE, "pace"
    elif not (study.retention.cause and study.retention.defection):
        where[_CAUSE], rivals[_CAUSE] = _WHERE, "other-exits"
    found = [
        _missing(name, words, lacking, rivals.get(name, ""), claims)
        for name, words in where.items()
    ]
    found.sort(key=lambda m: (-m.n_claims_affected, -len(m.claims), m.name))
    return MissingColumns(tuple(found))


def _missing(
    name: str,
    where: str,
    lacking: Mapping[str, Mapping[str, str]],
    rival: str,
    claims: Sequence[Claim],
) -> MissingColumn:
    with_others = {c: m for c, m in lacking.items() if name in m and len(m) > 1}
    others = dict.fromkeys(n for m in with_others.values() for n in m if n != name)
    claims_requiring = [
        c.id for c in claims if rival and rival_entries(c)[rival].status == "required"
    ]
    return MissingColumn(
        name=name,
        where=where,
        claims=tuple(c for c, m in lacking.items() if set(m) == {name}),
        claims_with_others=tuple(with_others),
        others=tuple(others),
        rival=rival.replace("-", " "),
        claims_of_rival=tuple(claims_requiring),
    )
