"""What has changed since the last run: verdicts, and whether the data are the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cxresearch.report.pages.text import anchor, day, day_of, text, time_text, verdict
from cxresearch.report.runs.ledger import RunRecord


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that is not what it was.

    Attributes:
        before: the record before the present run.
        now: the record of the present run.
    """

    before: RunRecord
    now: RunRecord


@dataclass(frozen=True, slots=True)
class Since:
    """The present run held against the runs before it.

    Attributes:
        now: a record of the present run.
        before: a record of the last run before it that tried any of the same claims.
        changed: verdicts that are not what they were when their claim was tried last.
        first: ids of claims tried for the first time.
        same_data: whether all claims that were tried in both runs were tried on equal data.
    """

    now: RunRecord
    before: RunRecord
    changed: tuple[Change, ...]
    first: tuple[str, ...]
    same_data: bool


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
        next(iter(now.values())),
        last,
        tuple(Change(before[c], now[c]) for c in before if before[c].verdict != now[c].verdict),
        tuple(c for c in now if c not in before),
        all(before[c].fingerprint == now[c].fingerprint for c in both),
    )


def changes_block(result: Since | None, statements: Mapping[str, str], place: str = "claim") -> str:
    """What has changed, as a block of a page's first screen; nothing on a first run.

    Args:
        result: the comparison.
        statements: id of a claim to its statement.
        place: the kind of place on the page that leads to a claim.
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
    more = " ".join(_sameness(result))
    return (
        f'<section class="cx-since" aria-label="Since the last run">{block}'
        f"{f'<p>{text(more)}</p>' if more else ''}</section>"
    )


def _turn(change: Change) -> str:
    before, now = verdict(change.before.verdict), verdict(change.now.verdict)
    return f'<span class="cx-turn">was {before}, now {now}</span>'


def _when(result: Since) -> str:
    """The day of the last run; with the time where both were on one day."""
    before = day_of(result.before.at)
    return time_text(result.before.at) if before == day_of(result.now.at) else before


def _tried(change: Change, result: Since) -> str:
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
