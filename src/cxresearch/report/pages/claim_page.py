"""What stands behind a card: a section per claim, in blocks between which the charts go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cxresearch.charts import claimed
from cxresearch.claims.kinds import ConcentrationReading
from cxresearch.claims.results import Docket, ReadingResult, ReferenceValue, Trial, estimate_text
from cxresearch.claims.rivals.outcomes import RIVAL_SIGNS, RivalOutcome, RivalStatus
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import rounding_note
from cxresearch.report.pages.overview import MANY
from cxresearch.report.pages.text import (
    anchor,
    count,
    placeholder,
    reference_text,
    table,
    text,
    verdict,
    why,
)

_OUTCOMES: dict[RivalStatus, str] = {
    "required": "to be survived, once the number decides",
    "survived": "survived",
    "keeps it open": "keeps it open",
    "held equal": "held equal in the number itself",
    "shown": "shown, decides nothing",
    "dismissed": "dismissed by what the study declares",
    "not required": "need not be survived",
    "cannot be tested": "cannot be tested",
    "aliased": "cannot be told apart from the claim",
    "meaningless": "does not apply",
}
_NUMERIC = (
    "Customers",
    "Cases",
)  # columns of the table of readings whose numbers stand to the right


def opening(docket: Docket, trial: Trial) -> str:
    """The statement and source of a claim, the verdict, and the readings side by side."""
    claim = trial.claim
    up = '<p class="cx-more"><a href="#overview">All claims</a></p>' if len(docket) > MANY else ""
    return (
        f'<h2 class="cx-claim" id="{anchor("claim", claim.id)}">{text(claim.statement)}</h2>'
        f"{ruling(trial)}{placeholder('DEPTH', claim.id)}{up}{readings(docket, trial)}"
    )


def ruling(trial: Trial) -> str:
    """The source, the verdict and its sentence."""
    adjusted = ""
    if trial.verdict_alone != trial.verdict:
        adjusted = f'<p class="cx-note">By itself this claim is {text(trial.verdict_alone)}.</p>'
    return (
        f'<p class="cx-source">Said by: {text(trial.claim.source)}</p>'
        f'<p class="cx-ruling">{verdict(trial.verdict)} <span>{text(str(trial.sentence))}</span></p>{adjusted}'
    )


def rivals(trial: Trial) -> str:
    """The answer in two parts, and a table of the other explanations; empty where the claim states no cause."""
    if not trial.rivals:
        return ""
    rows = "".join(_rival(r) for r in trial.rivals if r.status != "meaningless")
    heads = ("Other explanation", "What became of it", "In these data", "Why")
    caption = (
        "A verdict stands only if it survives every other explanation that the data can test. Nothing excludes one "
        "that is not in the data."
    )
    declared = "".join(f"<p>The study declares: {text(d)}</p>" for d in trial.declared)
    tried = table(caption, heads, rows, kind="cx-readings cx-rivals")
    return f"<h3>What else could explain it</h3>{two_parts(trial)}{tried}{declared}"


def two_parts(trial: Trial) -> str:
    """Whether the two go together, and what became of the other explanations; empty where no cause is claimed."""
    together, _, others = trial.answer.partition("; ")
    if not together:
        return ""
    items = "".join(
        f"<div><dt>{text(name.capitalize())}</dt><dd>{text(titles)}</dd></div>"
        for name, _, titles in (part.partition(": ") for part in others.split("; ") if part)
    )
    answer = f"{together[0].upper()}{together[1:]}"
    return (
        f'<dl class="cx-facts"><div><dt>Among comparable customers</dt><dd><strong>{text(answer)}</strong></dd></div>'
        f"{items}</dl>"
    )


def _rival(rival: RivalOutcome) -> str:
    sign = RIVAL_SIGNS.get(rival.status)
    mark = f'<span aria-hidden="true">{sign}</span> ' if sign else ""
    numbers = "".join(
        f"<li>{text(row.label)}: <strong>{text(row.text)}</strong></li>" for row in rival.rows
    )
    cells = (
        ("What became of it", f"<span>{mark}{text(_OUTCOMES[rival.status])}</span>"),
        ("In these data", f"<ul>{numbers}</ul>" if numbers else "–"),
        ("Why", f"<span>{text(rival.reason)}</span>"),
    )
    return (
        f'<tr><th scope="row"><strong>{text(rival.title)}</strong>: {text(rival.plain)}</th>'
        + "".join(f'<td data-label="{text(name)}">{value}</td>' for name, value in cells)
        + "</tr>"
    )


def naive(trial: Trial) -> str:
    """The naive answer, and why it is no verdict; empty if there is none."""
    if trial.naive is None:
        return ""
    caution = f'<p class="cx-caution">{text(str(trial.caution))}</p>' if trial.caution else ""
    return f"<h3>What a naive analysis would have said</h3>{_with_limits(trial.naive)}{caution}"


def anyway(trial: Trial) -> str:
    """What happens anyway; empty if it could not be computed."""
    return f"<h3>What happens anyway</h3>{_with_limits(trial.base_rate)}" if trial.base_rate else ""


def variants(tried: Mapping[str, Trial]) -> str:
    """The same claim under several definitions: a row each, number and the claim's own verdict side by side."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th>'
        f"<td>{text(estimate_text(t.primary))}</td><td>{verdict(t.verdict_alone)}</td>"
        f"<td>{text(why(t.primary)) or '–'}</td></tr>"
        for name, t in tried.items()
    )
    return table(
        "The same claim, with other definitions",
        ("Definition", "In these data", "Verdict by itself", "Why"),
        rows,
    )


def _with_limits(result: ReferenceValue) -> str:
    spread = text(result.unit.interval_text(result.low, result.high))
    return (
        f"<p><strong>{text(reference_text(result))}</strong> ({spread}): {text(result.label)}.</p>"
    )


def closing(docket: Docket, trial: Trial) -> str:
    """Customers left out, published results, what would contradict the claim, and what could not be tested."""
    claim = trial.claim
    exclusions = dict.fromkeys(
        (a.reason, a.customers) for e in trial.readings for a in e.exclusions
    )
    published = "".join(
        f"<li><strong>{text(p.value)}</strong> {text(p.statement)} <cite>({text(p.source)})</cite></li>"
        for p in claim.published
    )
    untested = [e for e in trial.readings if e.verdict == "not testable" and e.lacks]
    parts = (
        (
            "What would contradict the claim",
            f"<p>{text(claim.change_our_mind)}</p>" if claim.change_our_mind else "",
        ),
        ("What the number does not say", _list(text(n) for n in claim.notes)),
        (
            "Customers left out of the comparison",
            _list(f"{text(count(n, docket.min_cell))}: {text(reason)}" for reason, n in exclusions),
        ),
        ("What others have published", f"<ul>{published}</ul>" if published else ""),
        ("What could not be tested, and why", _untested(untested)),
    )
    return "".join(f"<h3>{title}</h3>{body}" for title, body in parts if body)


def readings(docket: Docket, trial: Trial) -> str:
    """What to bear in mind, and every reading that gave a number, in a table."""
    return f"{_warnings(trial.readings)}{_table(docket, trial)}"


def _table(docket: Docket, trial: Trial) -> str:
    rows = "".join(
        _reading(docket, trial, e) for e in trial.readings if e.verdict != "not testable"
    )
    if not rows:
        return ""
    rows += _reference_row("What happens anyway", trial.base_rate)
    if trial.naive and trial.naive.label not in {e.label for e in trial.readings}:
        rows += _reference_row("Counted naively", trial.naive)
    heads = (
        "What was counted",
        f"In these data ({100 * docket.level:.4g}% interval)",
        "Needed",
        "Verdict",
        "Customers",
        "Cases",
    )
    caption = "The same claim can be read in several ways. The verdict rests on the first, fixed beforehand."
    caption = f"{caption} {rounding_note(docket.min_cell)}".rstrip()
    return table(caption, heads, rows, kind="cx-readings", numeric=(heads[1], *_NUMERIC))


def _reading(docket: Docket, trial: Trial, e: ReadingResult) -> str:
    made = e.estimate
    result = f"<span>not shown: {text(e.reason)}</span>"
    needed = trial.claim.reading(e.reading).claimed_region if e.region else None
    if made:
        thresholds = needed.thresholds if needed else ()
        result = _number(made.value, made.low, made.high, e.unit, thresholds)
    where = claimed(needed, e.unit)
    horizon = (
        f' <span class="cx-small">within {e.horizon_days} days</span>' if e.horizon_days else ""
    )
    reading = trial.claim.reading(e.reading)
    who = f" {text(reading.of)}s" if isinstance(reading, ConcentrationReading) else ""
    cells = (
        ("In these data", result),
        ("Needed", text(where)),
        ("Verdict", verdict(e.verdict)),
        ("Customers", f"{text(count(e.customers, docket.min_cell))}{who}"),
        ("Cases", text(count(e.events, docket.min_cell))),
    )
    right = (cells[0][0], *_NUMERIC) if made else _NUMERIC
    return (
        f'<tr{" class=cx-primary" if e.primary else ""}><th scope="row">{text(e.label)}{horizon}</th>'
        + "".join(
            f'<td data-label="{text(name)}"{" class=cx-num" if name in right else ""}>{value}</td>'
            for name, value in cells
        )
        + "</tr>"
    )


def _reference_row(title: str, result: ReferenceValue | None) -> str:
    if result is None:
        return ""
    return (
        f'<tr class="cx-beside"><th scope="row">{title}: {text(result.label)}</th>'
        '<td data-label="In these data" class="cx-num">'
        f"{_number(result.value, result.low, result.high, result.unit)}</td>"
        '<td class="cx-empty" colspan="4"></td></tr>'
    )


def _number(
    value: float, low: float, high: float, unit: Unit, edges: Collection[float] = ()
) -> str:
    return f"<span><strong>{text(unit.text(value))}</strong> ({text(unit.interval_text(low, high, edges))})</span>"


def _warnings(readings: Iterable[ReadingResult]) -> str:
    result = dict.fromkeys(w for e in readings for w in e.warnings)
    return "".join(f'<p class="cx-note">{text(w)}.</p>' for w in result)


def _list(items: Iterable[str]) -> str:
    result = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{result}</ul>" if result else ""


def _untested(readings: list[ReadingResult]) -> str:
    """Readings that lack the same thing are listed together."""
    by: dict[str, list[str]] = {}
    for e in readings:
        by.setdefault(e.lacks, []).append(e.label)
    return "".join(
        f"<p>The study lacks {text(lacks)}. Hence no answer to:</p>{_list(text(label) for label in labels)}"
        for lacks, labels in by.items()
    )
