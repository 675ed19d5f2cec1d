"""What a trial returns: a row per reading, a trial per claim, a docket per study. All frozen, all plain values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import polars as pl

from cxresearch.claims.decide import Verdict, parse_region
from cxresearch.claims.family import Family
from cxresearch.claims.look_state import LookState
from cxresearch.claims.looks import Look
from cxresearch.claims.phrases import Sentence
from cxresearch.claims.rivals.outcomes import RivalOutcome, RivalStatus, finite, rivals_table
from cxresearch.claims.schema import Claim
from cxresearch.claims.units import Unit
from cxresearch.estimators.looks import at_one_look
from cxresearch.estimators.results import Estimate
from cxresearch.records.audit import Audit, warning_lines
from cxresearch.risk.exclusions import Exclusion
from cxresearch.utils.checks import lookup
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Drawable, Result, plain

SYMBOLS = {"supported": "✔", "contradicted": "✘", "undecided": "?", "not testable": "–"}


@dataclass(frozen=True, slots=True)
class ReferenceValue(Result):
    """A number to hold an estimate against: the base rate, or the naive answer.

    Attributes:
        value: the number.
        low: lower limit.
        high: upper limit.
        label: what it is, in plain words.
        unit: as `ReadingResult.unit`.
    """

    value: float
    low: float
    high: float
    label: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Series(Result):
    """A curve for a chart.

    Attributes:
        name: what it shows.
        x: shape (T,): days.
        y: shape (T,).
        low: shape (T,); empty where there is no band.
        high: shape (T,).
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def to_polars(self) -> pl.DataFrame:
        """One row per day: name, x, y, low, high; the limits are null where there is no band."""
        nothing = (None,) * len(self.x)
        columns = {
            "x": self.x,
            "y": self.y,
            "low": self.low or nothing,
            "high": self.high or nothing,
        }
        return pl.DataFrame(
            {"name": (self.name,) * len(self.x), **columns},
            schema={"name": pl.String, **dict.fromkeys(columns, pl.Float64)},
        )


@dataclass(frozen=True, slots=True)
class Activity(Result):
    """Customers with about as many contacts in all: how many of them had a bad moment, how many left.

    Attributes:
        contacts: the band, such as ``2-4``.
        customers: how many.
        with_bad: how many of them had a bad moment.
        left: how many of them left.
    """

    contacts: str
    customers: int = field(repr=False)
    with_bad: int = field(repr=False)
    left: int = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingResult(Result):
    """One reading of a claim, tried.

    Attributes:
        claim_id: id of the claim.
        reading_id: id of the reading.
        label: what the number is, in plain words.
        primary: whether the verdict on the claim rests on it.
        verdict: supported, contradicted, undecided or not testable; of the primary reading, as one of the family of
            the study's claims.
        verdict_alone: by itself, at the level of the study.
        reason: why, in plain words; may be empty.
        estimate: the number and its interval; None if not testable.
        p: the largest level at which the interval straddles the edge; None if there is none.
        p_family: as one of the family; None for other readings than the primary.
        unit: what it is measured in.
        region: where the claim places the number, as written.
        customers: in the table behind the number; the reading may look at a part of their time. Of a share of moments,
            those whom contacts were with.
        events: that count.
        horizon_days: None where there is none.
        lacks: what the study lacks, if not testable; else empty.
        warnings: what to bear in mind.
        series: curves behind the number; may be empty.
        exclusions: customers left out of the risk set, with the reason.
        code: why it is not testable, for programs: a key of `cxresearch.errors.NOT_TESTABLE`; else empty.
    """

    claim_id: str
    reading_id: str
    label: str
    primary: bool
    verdict: Verdict
    verdict_alone: Verdict
    reason: str
    estimate: Estimate | None
    p: float | None
    p_family: float | None
    unit: Unit
    region: str
    customers: int = field(repr=False)
    events: int = field(repr=False)
    horizon_days: int | None
    lacks: str
    warnings: tuple[str, ...]
    series: tuple[Series, ...]
    exclusions: tuple[Exclusion, ...]
    code: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As an entry of the documented JSON, with the curves and the customers left out."""
        return {**_row(self), "series": plain(self.series), "exclusions": plain(self.exclusions)}

    def to_polars(self) -> pl.DataFrame:
        """One row, as of `Trial.to_polars`."""
        return _table([self])


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trial(Result, Mapping[str, ReadingResult], Drawable):
    """A claim, tried: its readings, reference values, and a sentence.

    Attributes:
        claim: the entry of the catalogue.
        results: one for each reading that was tried, the primary first.
        base_rate: what happens anyway; None if it could not be computed.
        naive: what a naive analysis would have said; None if it could not be computed.
        sentence: the verdict in plain words; ``str()`` makes it text.
        sentence_if_open: what is said in its place if the verdict does not hold among the family of claims; empty
            once that is known.
        caution: why the naive answer is no verdict, where it points the other way; may be empty.
        activity: who has bad moments and who leaves, by number of contacts; may be empty.
        association: whether the two go together among comparable customers: the verdict before rivals are tried;
            ``not testable`` where the claim states a fact and no cause.
        rivals: other explanations, and what became of them; empty where nothing could be computed.
        declared: what the study declares that a verdict rests on, in words.
        tuned: of numbers whose limits hold at every look, what each is called and what its width is tuned to; see
            `cxresearch.claims.looks`.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> docket = cx.evaluate(study, ["bad-moments-drive-away"], alone=True, verdicts_only=True)
        >>> docket["bad-moments-drive-away"].answer
        'goes together; open: temperament; survived: already leaving, other exits'
    """

    claim: Claim
    results: tuple[ReadingResult, ...]
    base_rate: ReferenceValue | None
    naive: ReferenceValue | None
    sentence: Sentence
    sentence_if_open: Sentence = Sentence()  # noqa: RUF009  # frozen
    caution: Sentence = Sentence()  # noqa: RUF009  # frozen
    activity: tuple[Activity, ...] = ()
    association: Verdict = "not testable"
    rivals: tuple[RivalOutcome, ...] = ()
    declared: tuple[str, ...] = ()
    tuned: tuple[tuple[str, float], ...] = ()

    @property
    def primary(self) -> ReadingResult:
        """The reading the verdict rests on."""
        return self.results[0]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the claim, as one of the family of the study's claims."""
        return self.primary.verdict

    @property
    def verdict_alone(self) -> Verdict:
        """The verdict by itself, at the level of the study."""
        return self.primary.verdict_alone

    def rivals_with(self, *statuses: RivalStatus) -> tuple[RivalOutcome, ...]:
        """The other explanations of which this became, in the order in which they are shown."""
        return tuple(r for r in self.rivals if r.status in statuses)

    @property
    def answer(self) -> str:
        """Whether the two go together, and what became of the other explanations; empty where no cause is claimed.

        On one line and without numbers, such as ``goes together; open: already leaving; survived: temperament``.
        """
        if not self.rivals:
            return ""
        parts = [_TOGETHER[self.association]]
        for name, statuses in _GROUPS:
            titles = [r.title for r in self.rivals_with(*statuses)]
            parts += [f"{name}: {', '.join(titles)}"] if titles else []
        return "; ".join(parts)

    def __getitem__(self, reading: str) -> ReadingResult:
        """The result of a reading."""
        return lookup(
            {e.reading_id: e for e in self.results}, reading, f"reading of {self.claim.id}"
        )

    def __iter__(self) -> Iterator[str]:
        return iter([e.reading_id for e in self.results])

    def __len__(self) -> int:
        return len(self.results)

    def to_polars(self) -> pl.DataFrame:
        """One row per reading: verdicts, estimate, limits, errors, p, counts; the warnings as one text."""
        return _table(self.results)

    def to_dict(self) -> dict[str, Any]:
        """The verdict in words, the readings and the reference values."""
        return {
            "claim": self.claim.id,
            "statement": self.claim.statement,
            "verdict": self.verdict,
            "verdict_alone": self.verdict_alone,
            "sentence": str(self.sentence),
            "caution": str(self.caution),
            "readings": plain(self.results),
            "base_rate": plain(self.base_rate),
            "naive": plain(self.naive),
            "activity": plain(self.activity),
            **_two_parts(self),
        }

    def _repr_html_(self) -> str:
        rows = [
            (e.label, estimate_text(e), e.region or "–", f"{SYMBOLS[e.verdict]} {e.verdict}")
            for e in self.results
        ]
        references = ((f"{name}: {b.label}", b) for name, b in self._reference_values())
        rows += [(label, b.unit.text(b.value), "–", "–") for label, b in references]
        verdict = f"{escape(self.claim.id)}: {SYMBOLS[self.verdict]} {self.verdict}"
        table = html_table(
            self.claim.statement, ("reading", "estimate", "the claim", "verdict"), rows
        )
        parts = [f"<p><strong>{verdict}</strong>. {escape(str(self.sentence))}</p>", table]
        if self.rivals:
            parts.append(f"<p>{escape(self.answer[0].upper() + self.answer[1:])}.</p>")
            parts.append(rivals_table(self.rivals))
        parts += [f"<p>The study declares: {escape(d)}</p>" for d in self.declared]
        return "".join(parts)

    def _reference_values(self) -> tuple[tuple[str, ReferenceValue], ...]:
        pairs = (("what happens anyway", self.base_rate), ("counted naively", self.naive))
        return tuple((name, b) for name, b in pairs if b is not None)

    def __repr__(self) -> str:
        return f"Trial({self.claim.id!r}: {self.verdict}, {estimate_text(self.primary)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Docket(Result, Mapping[str, Trial]):
    """All claims tried on a study.

    Attributes:
        study: its name.
        version: of the package.
        fingerprint: of the data, whichever claims were tried: that of the audit.
        counted: digest of the audit's counts and of the risk tables of these claims; equal data give equal ones on
            every engine.
        data_from: first day of the log.
        data_until: last day of the log.
        level: confidence level.
        family: the claims that are judged together, whether they were asked for or not.
        look: which look at growing data it is, where intervals hold at all of them; None for a single one.
        after: what the next look will find, if a report records this one; None for a single one.
        min_cell: the smallest count a report may show.
        trials: one per claim.
        audit: every row accounted for.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> docket = cx.evaluate(study, ["bad-moments-drive-away"], alone=True, verdicts_only=True)
        >>> docket["bad-moments-drive-away"].verdict
        'undecided'
        >>> docket.to_polars().select("claim", "verdict").rows()
        [('bad-moments-drive-away', 'undecided')]
    """

    study: str
    version: str
    fingerprint: str
    counted: str
    data_from: str
    data_until: str
    level: float
    family: Family
    min_cell: int
    trials: tuple[Trial, ...]
    audit: Audit
    look: Look | None = None
    after: LookState | None = None

    @property
    def note(self) -> str:
        """What the verdicts allow for, in sentences."""
        return self.family.note if self.look is None else f"{self.family.note} {self.look.note}"

    def __getitem__(self, claim: str) -> Trial:
        """The trial of a claim."""
        return lookup({t.claim.id: t for t in self.trials}, claim, "claim in the docket")

    def __iter__(self) -> Iterator[str]:
        return iter([t.claim.id for t in self.trials])

    def __len__(self) -> int:
        return len(self.trials)

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON (docs/json.md): numbers are numbers, missing is null."""
        return {
            "study": self.study,
            "fingerprint": self.fingerprint,
            "counted": self.counted,
            "version": self.version,
            "family": {
                "claims": list(self.family.claims),
                "size": self.family.size,
                "multiplicity": self.family.method,
                "is_alone": self.family.is_alone,
            },
            "look": self.look.to_dict() if self.look else None,
            "warnings": [w.to_dict() for w in self.audit.warnings],
            "verdicts": [
                {
                    **_row(e),
                    "level": self.level,
                    "base_rate": _reference_value(t, e, "base_rate"),
                    "naive": _reference_value(t, e, "naive"),
                    **(_two_parts(t) if e.primary else _NO_PARTS),
                }
                for t in self.trials
                for e in t.results
            ],
        }

    def to_json(self) -> str:
        """The documented JSON as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"

    def to_polars(self) -> pl.DataFrame:
        """One row per claim: verdict, estimate, limits, base rate, naive answer, which rivals keep it open."""
        return pl.DataFrame(
            [
                {
                    "claim": t.claim.id,
                    "verdict": t.verdict,
                    "verdict_alone": t.verdict_alone,
                    "estimate": finite(t.primary.estimate, "value"),
                    "low": finite(t.primary.estimate, "low"),
                    "high": finite(t.primary.estimate, "high"),
                    "unit": plain(t.primary.unit),
                    "region": t.primary.region,
                    "base_rate": t.base_rate.value if t.base_rate else None,
                    "naive": t.naive.value if t.naive else None,
                    "reason": t.primary.reason or t.primary.lacks,
                    "association": t.association if t.rivals else None,
                    "kept_open_by": ", ".join(r.id for r in t.rivals_with("keeps it open")),
                }
                for t in self.trials
            ],
            schema_overrides={
                "association": pl.String,
                **dict.fromkeys(("estimate", "low", "high", "base_rate", "naive"), pl.Float64),
            },
            infer_schema_length=None,
        )

    def __str__(self) -> str:
        lines = [f"{self.study}: data from {self.data_from} to {self.data_until}", ""]
        lines += warning_lines(self.audit.warnings)
        for t in self.trials:
            e = t.primary
            lines.append(f"{SYMBOLS[t.verdict]} {t.claim.id}: {t.verdict.upper()}")
            lines.append(f"    {t.claim.statement}")
            lines.append(f"    {t.sentence}")
            lines += [f"    {t.answer}"] if t.answer else []
            for label, reference in (("base rate", t.base_rate), ("naive answer", t.naive)):
                if reference:
                    lines.append(
                        f"    {label}: {reference.unit.text(reference.value)} ({reference.label})"
                    )
            if e.verdict_alone != e.verdict:
                lines.append(f"    by itself: {e.verdict_alone}")
            lines += [
                f"    note: {w}" for w in (*e.warnings, *((str(t.caution),) if t.caution else ()))
            ]
            lines.append("")
        return "\n".join([*lines, self.note, ""])

    def _repr_html_(self) -> str:
        rows = (
            (
                t.claim.id,
                f"{SYMBOLS[t.verdict]} {t.verdict}",
                estimate_text(t.primary),
                str(t.sentence),
            )
            for t in self.trials
        )
        caption = f"{self.study}: data from {self.data_from} to {self.data_until}"
        doubts = "".join(f"<p><strong>!</strong> {escape(str(w))}</p>" for w in self.audit.warnings)
        heads = ("claim", "verdict", "estimate", "in words")
        return doubts + html_table(caption, heads, rows, (self.note,))

    def __repr__(self) -> str:
        result = ", ".join(f"{t.claim.id} {t.verdict}" for t in self.trials)
        return f"Docket({self.study!r}: {result})"


def estimate_text(e: ReadingResult) -> str:
    """An estimate with its interval, as it is printed."""
    if e.estimate is None:
        return "–"
    edges = parse_region(e.region).thresholds if e.region else ()
    return f"{e.unit.text(e.estimate.value)} ({e.unit.interval_text(e.estimate.low, e.estimate.high, edges)})"


_TOGETHER: dict[Verdict, str] = {
    "supported": "goes together",
    "contradicted": "does not go together as claimed",
    "undecided": "not clear whether it goes together",
    "not testable": "cannot be computed whether it goes together",
}
_GROUPS: tuple[tuple[str, tuple[RivalStatus, ...]], ...] = (
    ("open", ("keeps it open",)),
    ("survived", ("survived",)),
    ("dismissed", ("dismissed",)),
    ("cannot be tested", ("cannot be tested", "aliased")),
)
_NO_PARTS = dict.fromkeys(("association", "rivals", "declared"))


def _two_parts(trial: Trial) -> dict[str, Any]:
    """Whether the two go together, and what became of the rivals; no association where no cause is claimed."""
    return {
        "association": trial.association if trial.rivals else None,
        "rivals": plain(trial.rivals),
        "declared": list(trial.declared),
    }


_NUMBERS = (
    "estimate",
    "ci_low",
    "ci_high",
    "ci_fixed_low",
    "ci_fixed_high",
    "p",
    "p_family",
    "se",
    "se_model",
)
_KINDS = dict.fromkeys(_NUMBERS, pl.Float64) | {
    "horizon_days": pl.Int64,
    "lacks": pl.String,
    "code": pl.String,
}


def _row(e: ReadingResult) -> dict[str, Any]:
    fixed = e.estimate
    if fixed is not None and fixed.interval == "anytime":
        fixed = at_one_look(fixed, fixed.level)
    return {
        "claim": e.claim_id,
        "reading": e.reading_id,
        "primary": e.primary,
        "verdict": e.verdict,
        "verdict_alone": e.verdict_alone,
        "reason": e.reason,
        "estimate": finite(e.estimate, "value"),
        "ci_low": finite(e.estimate, "low"),
        "ci_high": finite(e.estimate, "high"),
        "interval": e.estimate.interval if e.estimate else "fixed",
        "ci_fixed_low": finite(fixed, "low"),
        "ci_fixed_high": finite(fixed, "high"),
        "p": e.p,
        "p_family": e.p_family,
        "se": finite(e.estimate, "se"),
        "se_model": finite(e.estimate, "se_model"),
        "unit": plain(e.unit),
        "region": e.region,
        "customers": e.customers,
        "events": e.events,
        "horizon_days": e.horizon_days,
        "lacks": e.lacks or None,
        "code": e.code or None,
        "warnings": list(e.warnings),
    }


def _table(results: Iterable[ReadingResult]) -> pl.DataFrame:
    """One row per reading, in columns that are the same for every claim."""
    rows = [_row(e) | {"warnings": " ".join(e.warnings)} for e in results]
    return pl.DataFrame(rows, schema_overrides=_KINDS, infer_schema_length=None)


def _reference_value(trial: Trial, e: ReadingResult, which: str) -> dict[str, Any] | None:
    result: ReferenceValue | None = getattr(trial, which)
    if result is None or not e.primary:
        return None
    return {
        "value": result.value,
        "ci_low": result.low,
        "ci_high": result.high,
        "label": result.label,
    }
