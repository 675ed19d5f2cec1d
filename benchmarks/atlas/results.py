"""What the atlas keeps of a docket: verdicts and numbers as a page may tell them, so that all may read the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from cxresearch.claims.results import Docket, ReadingResult, ReferenceValue, Trial
from cxresearch.disclosure.counts import count_text, part_of
from cxresearch.records.audit import LAPSE
from cxresearch.records.audit_values import Count, CountOfTotal, FactValue
from cxresearch.report.pages.publishable import publishable

RESULTS = Path(__file__).parent / "results"
CHECKED = Path(__file__).parent / "checked.csv"  # written by check.R
FORMAT = 1
CHECKED_DIGITS = 12  # of numbers that are held against those of R
DIGITS = 6  # of numbers; beyond them machines differ
# of the audit: what tells how large a set is, what was graded, who left, and how many lapses are none
FACTS = (
    "bad moments", "neutral moments", "good moments", "unknown moments", "customers", "customers who defected",
    "customers without a contact", "customers seen only from after their start",
    LAPSE, "customers who lapsed", "lapsed who came back later",
)  # fmt: skip
FALSE_LAPSES = "who come back within as long again"
OPEN = "keeps it open"
Kept = dict[str, Any]


def kept(exact: Docket, recipe: str, checked: Collection[str] = ()) -> Kept:
    """What is kept of a docket: nothing that rests on fewer than the study's `min_cell`, and counts rounded.

    Args:
        exact: all claims, tried.
        recipe: digest of the recipe.
        checked: claims whose number R computes as well; their exact number is kept if it may be shown at all.
    """
    docket = publishable(exact)
    audit, least = docket.audit, docket.min_cell
    facts = [
        (fact.name, _fact(fact.name, fact.value, least))
        for fact in audit.facts
        if fact.name in FACTS or fact.name.endswith(FALSE_LAPSES)
    ]
    rows = dict(audit.kept)
    sizes = {"contacts kept": rows["interactions"]}
    if "retention" in rows:
        sizes["customers"] = rows["retention"]
    return {
        "format": FORMAT,
        "recipe": recipe,
        "version": docket.version,
        "fingerprint": docket.fingerprint,
        "data_from": docket.data_from,
        "data_until": docket.data_until,
        "level": docket.level,
        "family": {"size": docket.family.size, "multiplicity": docket.family.method},
        "min_cell": least,
        "facts": {name: count_text(n, least) for name, n in sizes.items()} | dict(facts),
        "warnings": [str(w) for w in audit.warnings],
        "claims": {trial.claim.id: _trial(trial, least) for trial in docket.values()},
        "checked": {
            claim: _exact(exact[claim]) for claim in checked if docket[claim].primary.estimate
        },
    }


def _fact(name: str, value: FactValue, least: int) -> str:
    if name == LAPSE:  # days, and nobody
        return str(value)
    if isinstance(value, Count):
        return count_text(value.count, least)
    if not isinstance(value, CountOfTotal):
        return str(value)
    rest = value.total - value.count
    if 0 < value.count < least or 0 < rest < least:
        return f"fewer than {least}" if value.count < least else f"all but fewer than {least}"
    share = part_of(value.count, value.total, least)
    return f"{count_text(value.count, least)} ({share:.1%})"


def _trial(trial: Trial, least: int) -> Kept:
    e = trial.primary
    number = e.estimate
    kept_open = [r.title for r in trial.rivals_with(OPEN)]
    return {
        "verdict": trial.verdict,
        "verdict_alone": trial.verdict_alone,
        **_number(e),
        "horizon_days": e.horizon_days,
        "customers": count_text(e.customers, least) if number else None,
        "rests_on": [
            _number(trial[q.reading]) for q in trial.claim.primary.requires if q.reading in trial
        ],
        "base_rate": _reference(trial.base_rate),
        "naive": _reference(trial.naive),
        "reason": e.reason.partition(":")[0],
        "kept_open_by": kept_open if trial.verdict == "undecided" else [],
        "required": [r.title for r in trial.rivals_with("required")] if number else [],
        "held_equal": {r.title: r.reason for r in trial.rivals_with("held equal")}
        if number
        else {},
        "lacks": e.lacks,
        "code": e.code,
    }


def _number(e: ReadingResult) -> Kept:
    number = e.estimate
    return {
        "label": e.label,
        "estimate": _short(number.value if number else None),
        "low": _short(number.low if number else None),
        "high": _short(number.high if number else None),
        "unit": str(e.unit),
        "region": e.region,
    }


def _exact(trial: Trial) -> Kept:
    number = trial.primary.estimate
    assert number is not None
    return {"estimate": float(f"{number.value:.{CHECKED_DIGITS}g}")}


def _reference(value: ReferenceValue | None) -> Kept | None:
    if value is None:
        return None
    return {"value": _short(value.value), "unit": str(value.unit), "label": value.label}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def write(results: Kept, name: str, folder: Path = RESULTS) -> Path:
    """Keep the results of a recipe; equal results give an equal file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return file


def read(name: str, folder: Path = RESULTS) -> Kept | None:
    """The kept results of a recipe; None if it was never run."""
    file = folder / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def checked_by_r(file: Path = CHECKED) -> list[dict[str, str]]:
    """What check.R found: recipe, claim, estimate, standard error, and how."""
    with file.open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))
