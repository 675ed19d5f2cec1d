"""What stands behind a card: a section per claim, in blocks between which the charts go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cxresearch.charts import claimed
from cxresearch.claims.kinds import ConcentrationReading
from cxresearch.claims.results import Docket, ReadingResult, ReferenceValue, Trial, estimate_text
from cxresearch.claims.rivals.outcomes import RIVAL_SIGNS, RivalOutcome, RivalStatus
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import rounding_note
from cxresearch.report.pages.findings import theme, together
from cxresearch.report.pages.interval_bar import rival_bar
from cxresearch.report.pages.text import (
    anchor,
    count,
    fold,
    headline,
    placeholder,
    reference_text,
    spread,
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
    "aliased": "cannot be distinguished from the claim",
    "meaningless": "does not apply",
}
_LOOKS: dict[RivalStatus, str] = {
    "survived": "stands",
    "held equal": "stands",
    "keeps it open": "open",
    "required": "open",
}
_NUMERIC = (
    "Customers",
    "Cases",
)  # columns of the table of readings whose numbers stand to the right


def folded(trial: Trial) -> str:
    """The fold that holds the evidence of a claim: its statement and verdict; `UNFOLD` ends it."""
    claim, result = trial.claim, trial.primary.verdict
    return fold(
        f"{verdict(result)} <span>{text(claim.statement)}</span>",
        f"cx-evidence cx-card-{result.replace(' ', '-')} cx-theme-{theme(claim.id)}",
    )


def opening(docket: Docket, trial: Trial, *, has_card: bool = True) -> str:
    """The source of a claim, the verdict with its sentence, the rival explanations, and the readings side by side.

    Args:
        docket: the docket the claim was tried in.
        trial: the claim, tried.
        has_card: whether its card stands above, so that a link leads back.
    """
    claim = trial.claim
    link = f'<p class="cx-more"><a href="#{anchor("card", claim.id)}">Back to the card</a></p>'
    back = link if has_card else ""
    return (
        f'<div class="cx-anchor" id="{anchor("claim", claim.id)}"></div>'
        f"{ruling(trial)}{placeholder('DEPTH', claim.id)}{back}{rivals(trial)}"
        f"<h3>The readings side by side</h3>{readings(docket, trial)}"
    )


def ruling(trial: Trial) -> str:
    """The source, the verdict and its sentence."""
    e = trial.primary
    alone = ""
    if e.verdict_alone != e.verdict:
        alone = (
            f'<p class="cx-note">Judged alone this claim would be {text(e.verdict_alone)}. Among all claims tried it '
            "must clear a higher bar, since one of many passes or fails by chance.</p>"
        )
    return (
        f'<p class="cx-source">Said by: {text(trial.claim.source)}</p>'
        f'<p class="cx-ruling">{verdict(e.verdict)} <span>{text(str(trial.sentence))}</span></p>{alone}'
    )


def rivals(trial: Trial) -> str:
    """The answer in two parts, and what became of each other explanation; empty where the claim states no cause."""
    if not trial.rivals:
        return ""
    rows = "".join(_rival(trial, r) for r in trial.rivals if r.status != "meaningless")
    heads = ("Other explanation", "With it held equal", "What becomes of the verdict")
    e = trial.primary
    without = ""
    if e.estimate is not None:
        number = f"{headline(e.estimate.value, e.unit)} ({spread(trial)})"
        without = (
            f" Without any of them held equal the number is {number}: the paler line above each."
        )
    caption = (
        "A verdict stands only if it survives every other explanation that the data can test. Nothing excludes one "
        f"that is not in the data.{without}"
    )
    declared = "".join(f"<p>The study declares: {text(d)}</p>" for d in trial.declared)
    tried = table(caption, heads, rows, kind="cx-readings cx-rivals")
    return f"<h3>What else could explain it</h3>{two_parts(trial)}{tried}{declared}"


def two_parts(trial: Trial) -> str:
    """Whether the two go together, and whether that is explained away; empty where no cause is claimed."""
    said = together(trial)
    return f'<p class="cx-cause">{text(said)}</p>' if said else ""


def _rival(trial: Trial, rival: RivalOutcome) -> str:
    sign = RIVAL_SIGNS.get(rival.status, "–")
    kind = _LOOKS.get(rival.status, "quiet")
    numbers = "".join(
        f"<li>{rival_bar(trial, row)}<strong>{text(row.text)}</strong> <span>{text(row.label)}</span></li>"
        for row in rival.rows
    )
    outcome = (
        f'<span class="cx-outcome cx-outcome-{kind}"><span aria-hidden="true">{sign}</span> '
        f"{text(_OUTCOMES[rival.status].capitalize())}</span>"
    )
    reason = f'<span class="cx-because">{text(rival.reason)}</span>' if rival.reason else ""
    cells = (
        ("With it held equal", f"<ul>{numbers}</ul>" if numbers else "<span>no number</span>"),
        ("What becomes of the verdict", f"<div>{outcome}{reason}</div>"),
    )
    name = f"{rival.title[:1].upper()}{rival.title[1:]}"
    return (
        f'<tr class="cx-rival-{kind}"><th scope="row"><strong>{text(name)}</strong>'
        f"<span>{text(rival.plain)}</span></th>"
        + "".join(f'<td data-label="{text(label)}">{value}</td>' for label, value in cells)
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
    exclusions = dict.fromkeys((a.reason, a.customers) for e in trial.results for a in e.exclusions)
    published = "".join(
        f"<li><strong>{text(p.value)}</strong> {text(p.statement)} <cite>({text(p.source)})</cite></li>"
        for p in claim.published
    )
    untested = [e for e in trial.results if e.verdict == "not testable" and e.lacks]
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
    return f"{_warnings(trial.results)}{_table(docket, trial)}"


def _table(docket: Docket, trial: Trial) -> str:
    rows = "".join(_reading(docket, trial, e) for e in trial.results if e.verdict != "not testable")
    if not rows:
        return ""
    rows += _reference_row("What happens anyway", trial.base_rate)
    if trial.naive and trial.naive.label not in {e.label for e in trial.results}:
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
    needed = trial.claim.reading(e.reading_id).claimed_region if e.region else None
    if made:
        thresholds = needed.thresholds if needed else ()
        result = _number(made.value, made.low, made.high, e.unit, thresholds)
    where = claimed(needed, e.unit)
    horizon = (
        f' <span class="cx-small">within {e.horizon_days} days</span>' if e.horizon_days else ""
    )
    reading = trial.claim.reading(e.reading_id)
    who = f" {text(reading.of)}s" if isinstance(reading, ConcentrationReading) else ""
    cells = (
        ("In these data", result),
        ("Needed", text(where)),
        ("Verdict", verdict(e.verdict if e.primary else e.verdict_alone)),
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
