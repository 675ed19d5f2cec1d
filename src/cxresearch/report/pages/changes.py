"""What has changed since the last run: verdicts, and whether the data are the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import about
from cxresearch.report.pages.text import anchor, day, day_of, headline, text, time_text, verdict
from cxresearch.report.pages.verdict_history import public_record
from cxresearch.report.runs.ledger import RunRecord


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A verdict that is not what it was.

    Attributes:
        before: the record before the present run.
        now: the record of the present run.
    """

    before: RunRecord
    now: RunRecord


_A_TWENTIETH = 0.05  # a change of the number of customers or rows that is said
_MOVED = 3  # numbers that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """The present run held against the runs before it.

    Attributes:
        now: a record of the present run.
        before: a record of the last run before it that tried any of the same claims.
        changed: verdicts that are not what they were when their claim was tried last.
        first: ids of claims tried for the first time.
        same_data: whether all claims that were tried in both runs were tried on equal data.
        moved: numbers that lie outside the interval that they had then.
    """

    now: RunRecord
    before: RunRecord
    changed: tuple[VerdictChange, ...]
    first: tuple[str, ...]
    same_data: bool
    moved: tuple[VerdictChange, ...] = ()


def of_claim(history: Sequence[RunRecord], claim: str) -> tuple[RunRecord, ...]:
    """The records that the verdicts on a claim rest on: one per run, oldest first."""
    by = {x.run: x for x in reversed(history) if x.claim == claim and x.primary}
    return tuple(by[run] for run in sorted(by))


def changes_since(history: Sequence[RunRecord], claims: Collection[str]) -> Since | None:
    """What has changed since the last run.

    Args:
        history: all records of the study; the present run is the last.
        claims: the ids to look at.

    Returns:
        The comparison; None if none of the claims was tried both now and before.
    """
    present = max((x.run for x in history), default="")
    by_claim = {c: of_claim(history, c) for c in claims}
    now = {c: result[-1] for c, result in by_claim.items() if result and result[-1].run == present}
    before = {c: by_claim[c][-2] for c in now if len(by_claim[c]) > 1}
    if not before:
        return None
    last = max(before.values(), key=lambda x: x.run)
    both = [c for c in before if before[c].run == last.run]
    return Since(
        now=next(iter(now.values())),
        before=last,
        changed=tuple(
            VerdictChange(before[c], now[c]) for c in before if before[c].verdict != now[c].verdict
        ),
        first=tuple(c for c in now if c not in before),
        same_data=all(
            (before[c].fingerprint, before[c].counted) == (now[c].fingerprint, now[c].counted)
            for c in both
        ),
        moved=tuple(
            VerdictChange(before[c], now[c]) for c in before if _has_moved(before[c], now[c])
        ),
    )


def _has_moved(before: RunRecord, now: RunRecord) -> bool:
    """Whether a number lies outside the interval that it had."""
    if None in (before.ci_low, before.ci_high, now.estimate) or before.unit != now.unit:
        return False
    return not before.ci_low <= now.estimate <= before.ci_high  # type: ignore[operator]


def data_lines(result: Since, min_cell: int) -> list[str]:
    """How many customers, rows and days there are now and were then, where a twentieth or more came or went.

    Args:
        result: the comparison.
        min_cell: the smallest count that may be shown.
    """
    lines = []
    for name, then, now in (
        ("customers", result.before.customers_kept, result.now.customers_kept),
        ("contacts", result.before.rows_kept, result.now.rows_kept),
    ):
        if then and now and abs(now - then) >= _A_TWENTIETH * then:
            way = "fewer" if now < then else "more"
            share = f"{abs(now - then) / then:.0%} {way}"
            lines.append(f"{share} {name}: {about(now, min_cell)}, then {about(then, min_cell)}.")
    days = _days(result.before), _days(result.now)
    if None not in days and days[0] != days[1]:
        until = day(result.now.data_until)
        more = days[1] - days[0]  # type: ignore[operator]
        way = "more" if more > 0 else "fewer"
        lines.append(f"{abs(more):,} {way} days of data, until {until}.")
    return lines


def _days(record: RunRecord) -> int | None:
    try:
        first, last = (date.fromisoformat(d) for d in (record.data_from, record.data_until))
    except ValueError:
        return None
    return (last - first).days


def moved_lines(result: Since, statements: Mapping[str, str], min_cell: int) -> list[str]:
    """Numbers that lie outside the interval they had then; those that rest on too few are left out."""
    lines = []
    for change in result.moved:
        before, now = (public_record(x, min_cell) for x in (change.before, change.now))
        if before.estimate is None or now.estimate is None:
            continue
        unit = Unit(now.unit)
        name = statements.get(now.claim, now.claim)
        lines.append(
            f"{name.rstrip('.')}: {headline(now.estimate, unit)}, then {headline(before.estimate, unit)}."
        )
    more = len(lines) - _MOVED
    return [*lines[:_MOVED], *([f"{more} more numbers moved."] if more > 0 else [])]


def short_changes(result: Since | None, statements: Mapping[str, str], min_cell: int) -> list[str]:
    """What has changed since the last run, in few lines: data, numbers, verdicts."""
    if result is None:
        return ["This is the first run."]
    lines = data_lines(result, min_cell)
    if result.same_data and not lines:
        lines = ["The data are the same."]
    turned = [
        f"{statements.get(c.now.claim, c.now.claim).rstrip('.')}: was {c.before.verdict}, now "
        f"{c.now.verdict}."
        for c in result.changed
    ]
    n = len(turned)
    verdicts = turned if n <= 1 else [f"{n} verdicts changed."]
    moved = len(result.moved)
    numbers = (
        f"{moved} number{' has' if moved == 1 else 's have'} moved beyond the interval it had."
    )
    return [
        *lines,
        *(verdicts or ["No verdict changed."]),
        *([numbers if moved == 1 else numbers.replace("it had", "they had")] if moved else []),
    ]


def changes_block(
    result: Since | None,
    statements: Mapping[str, str],
    *,
    place: str = "claim",
    min_cell: int,
) -> str:
    """What has changed, as a block of a page's first screen; nothing on a first run.

    Args:
        result: the comparison.
        statements: id of a claim to its statement.
        place: the kind of place on the page that leads to a claim.
        min_cell: the smallest count that may be shown.
    """
    if result is None:
        return ""
    n, last = len(result.changed), _when(result)
    if len(statements) == 1:
        turn = "".join(map(_turn, result.changed))
        lead = f"The verdict has {'' if n else 'not '}changed since the last run, {text(last)}{': it ' if n else '.'}"
        block = f"<p><strong>{lead}</strong>{turn}</p>"
    else:
        counted = f"{n} verdict{' has' if n == 1 else 's have'}" if n else "No verdict has"
        items = "".join(
            f'<li><a href="#{anchor(place, c.now.claim)}">{text(statements.get(c.now.claim, c.now.claim))}</a> '
            f"{_turn(c)}{_tried(c, result)}</li>"
            for c in result.changed
        )
        lead = f"{counted} changed since the last run, {text(last)}{':' if n else '.'}"
        block = f"<p><strong>{lead}</strong></p>" + (f"<ul>{items}</ul>" if items else "")
    more = " ".join([*data_lines(result, min_cell), *_sameness(result)])
    moved = "".join(f"<li>{text(m)}</li>" for m in moved_lines(result, statements, min_cell))
    if moved:
        block += f"<p>Numbers beyond the interval they had:</p><ul>{moved}</ul>"
    return (
        f'<section class="cx-since" aria-label="Since the last run">{block}'
        f"{f'<p>{text(more)}</p>' if more else ''}</section>"
    )


def _turn(change: VerdictChange) -> str:
    before, now = verdict(change.before.verdict), verdict(change.now.verdict)
    return f'<span class="cx-turn">was {before}, now {now}</span>'


def _when(result: Since) -> str:
    """The day of the last run; with the time where both were on one day."""
    before = day_of(result.before.at)
    return time_text(result.before.at) if before == day_of(result.now.at) else before


def _tried(change: VerdictChange, result: Since) -> str:
    return (
        ""
        if change.before.run == result.before.run
        else f" (last tried on {text(day_of(change.before.at))})"
    )


def _difference(then: Collection[str], now: Collection[str]) -> str:
    """The claims that have come and gone, in parentheses."""
    names = {"new": set(now) - set(then), "no longer": set(then) - set(now)}
    parts = [f"{word}: {', '.join(sorted(ids))}" for word, ids in names.items() if ids]
    return f" ({'; '.join(parts)})" if parts else ""


def _sameness(result: Since) -> list[str]:
    """Whether the data, the claims and the program are the same."""
    sentences = []
    if result.same_data:
        sentences.append("The data are the same as then.")
    elif (result.before.data_from, result.before.data_until) != (
        result.now.data_from,
        result.now.data_until,
    ):
        sentences.append(
            f"The data then went from {day(result.before.data_from)} to {day(result.before.data_until)}."
        )
    if result.first:
        n = len(result.first)
        sentences.append(f"{n} claim{' is' if n == 1 else 's are'} tried for the first time.")
    then, now = (x.family.split(",") for x in (result.before, result.now))
    if then != now:
        sentences.append(
            f"Verdicts were then judged among {len(then)} claims, now among {len(now)}"
            f"{_difference(then, now)}: another family, in which they may turn although the data do not."
        )
    if result.before.version != result.now.version:
        sentences.append(
            f"That run was made with cxresearch {result.before.version}, this one with {result.now.version}."
        )
    return sentences
