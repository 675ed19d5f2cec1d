"""The summary: one screen and one sheet of paper for somebody with two minutes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cxresearch.disclosure.counts import about
from cxresearch.report.pages.changes import Since, short_changes
from cxresearch.report.pages.summary_facts import within
from cxresearch.report.pages.summary_picture import summary_picture
from cxresearch.report.pages.text import anchor, period, tally, text, verdict

GOES_WITH = "This goes with bad moments; it is not what would be saved."
WORDS = 250  # at most, on a summary
_FEWEST = {"findings": 3, "open": 1}  # of each that stay however many words there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is summarised.

    Attributes:
        study: its name.
        file: the page with the verdicts.
        data_from: first day of the log.
        data_until: last day of the log.
        verdicts: the headline verdict of each claim.
        facts: from `summary_facts`.
        since: the last run; None on a first one.
        statements: id of a claim to its statement.
        min_cell: the smallest count that may be shown.
    """

    study: str
    file: str
    data_from: str
    data_until: str
    verdicts: Sequence[str]
    facts: Mapping[str, Any]
    since: Since | None
    statements: Mapping[str, str]
    min_cell: int


def answer(summary: Summary) -> str:
    """The answer in one sentence, in absolute numbers for a hundred customers where the study gives them."""
    pair = summary.facts.get("pair")
    if pair:
        a, b = pair["exposed"], pair["comparators"]
        chance = "" if summary.facts["cost"]["is_clear"] else " The difference may be chance."
        return (
            f"Of 100 customers, {a} leave within {within(pair['days'])} of a first bad moment; "
            f"of comparable ones without it, {b}.{chance}"
        )
    return f"{len(summary.verdicts)} sayings tried: {tally(summary.verdicts)}."


def asked(summary: Summary) -> str:
    """What was asked, of which data."""
    kept = int(summary.facts["customers_kept"])
    customers = (
        f"{about(kept, summary.min_cell)} customers"
        if kept
        else f"{about(int(summary.facts['rows_kept']), summary.min_cell)} contacts"
    )
    tried = f"{len(summary.verdicts)} sayings"
    verdicts = f": {tally(summary.verdicts)}" if summary.facts.get("pair") else ""
    silence = summary.facts.get("silence_days")
    leaving = f" Here leaving means {silence:,} days of silence." if silence else ""
    return (
        f"{tried} tried on {customers}, {period(summary.data_from, summary.data_until)}{verdicts}."
        f"{leaving}"
    )


def doubt(summary: Summary) -> tuple[str, str]:
    """The first thing that makes the numbers doubtful, and where to read on; empty where nothing does."""
    doubts = summary.facts.get("doubts", ())  # pages of an earlier version have none
    if not doubts:
        return "", ""
    others = len(doubts) - 1
    more = f"{others} more, and what to do" if others else "What to do"
    return f"Doubtful: {doubts[0]}.", more


def cost_lines(summary: Summary) -> tuple[tuple[str, str], ...]:
    """What a bad moment costs: numbers and what they are; empty where the study cannot say."""
    cost = summary.facts.get("cost")
    if not cost:
        return ()
    per_moment = (
        f"lost per first bad moment within {within(cost['horizon'])}, beyond comparable customers "
        f"({_range(cost['days'], 1)})"
    )
    if not cost["is_clear"]:
        return (("No cost beyond chance", f"{_number(cost['days'][0], 1)} days {per_moment}"),)
    lines = [
        (f"{_number(cost['days'][0], 1)} days", per_moment),
        (
            f"{_number(cost['days_per_month'][0])} customer-days",
            f"a month, with {_number(cost['per_month'])} first bad moments ({_range(cost['days_per_month'])})",
        ),
    ]
    if cost["money_per_month"]:
        money = cost["money_per_month"]
        lines.append((f"{cost['currency']} {_number(money[0])}", f"a month ({_range(money)})"))
    return tuple(lines)


def next_lines(summary: Summary) -> tuple[str, ...]:
    """What to look at next."""
    worst = summary.facts.get("worst")
    lines = [summary.facts["so_what"]] if summary.facts["so_what"] else []
    if worst:
        days = _number(worst["days"][0], 0)
        lines.append(
            f"Look at “{worst['touchpoint']}” first: {days} days per bad moment there ({_range(worst['days'])})."
        )
    return tuple(lines)


def open_lead(summary: Summary) -> str:
    """How many claims are open, and of how many the data cannot tell."""
    still, untested = (summary.verdicts.count(v) for v in ("undecided", "not testable"))
    parts = [f"{still} of {len(summary.verdicts)} {'is' if still == 1 else 'are'} open"] * bool(
        still
    )
    parts += [f"{untested} cannot be tested"] * bool(untested)
    mark = ";" if len(parts) > 1 else ","
    return f"{', '.join(parts)}{mark} among them" if parts else ""


def summary_section(summary: Summary) -> str:
    """The summary as the head of the index.

    Returns:
        HTML of at most `WORDS` words; all text in it is escaped.
    """
    return _section(trimmed(summary))


def trimmed(summary: Summary) -> Summary:
    """The same summary with as many claims as fit into `WORDS` words, three findings and one open claim at least."""
    while _words(_section(summary)) > WORDS:
        name = next((n for n in ("open", "findings") if len(summary.facts[n]) > _FEWEST[n]), "")
        if not name:
            break
        shorter = {name: summary.facts[name][:-1]}
        summary = replace(summary, facts={**summary.facts, **shorter})
    return summary


def _words(block: str) -> int:
    plain = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", block, flags=re.DOTALL)
    return len(re.findall(r"\S*\w\S*", plain))


def _section(summary: Summary) -> str:
    facts = summary.facts
    cost = "".join(
        f"<div><dt>{text(number)}</dt><dd>{text(said)}</dd></div>"
        for number, said in cost_lines(summary)
    )
    costs = (
        f'<h2>What a bad moment costs</h2><dl class="cx-costs">{cost}</dl>'
        f'<p class="cx-small-print">{GOES_WITH}</p>'
        if cost
        else ""
    )
    picture = summary_picture(facts) + summary_picture(facts, is_narrow=True)
    top = (
        f'<div class="cx-summary-top"><div>{picture}</div><div>{costs}</div></div>'
        if picture or costs
        else ""
    )
    warning, more = doubt(summary)
    doubtful = (
        f'<p class="cx-caution cx-doubt">{text(warning)} <a href="{text(summary.file)}#doubts">{more}</a></p>'
        if warning
        else ""
    )
    findings = "".join(map(_finding_line(summary.file), facts["findings"]))
    still = "".join(
        f'<li><a href="{text(summary.file)}#{anchor("card", o["claim"])}">{text(o["statement"])}</a> '
        f"({text(o['settle'])})</li>"
        for o in facts["open"]
    )
    columns = (
        _part("What stands", f'<ul class="cx-findings">{findings}</ul>' if findings else ""),
        _part(open_lead(summary), f"<ul>{still}</ul>" if still else ""),
        _part(
            "Since the last run",
            _items(short_changes(summary.since, summary.statements, summary.min_cell)),
        ),
        _part("What to look at next", _items(next_lines(summary))),
    )
    first, *others = columns
    return (
        f'<section class="cx-summary" aria-label="Summary"><p class="cx-study">{text(summary.study)}</p>'
        f'<h1>{text(answer(summary))}</h1><p class="cx-lead">{text(asked(summary))}</p>{doubtful}{top}'
        f'<div class="cx-summary-columns">{first}<div>{"".join(others)}</div></div></section>'
    )


def _finding_line(file: str) -> Any:
    def line(f: Mapping[str, Any]) -> str:
        claimed = f" <span>claim: {text(f['claimed'])}</span>" if f["claimed"] else ""
        place = f"{text(file)}#{anchor('card', f['claim'])}"
        return (
            f'<li>{verdict(f["verdict"])} <a href="{place}">{text(f["statement"])}</a> '
            f"<strong>{text(f['number'])}</strong>{claimed}</li>"
        )

    return line


def _part(title: str, body: str) -> str:
    return f"<div><h2>{title}</h2>{body}</div>" if body else ""


def _items(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>" if lines else ""


def _number(value: float, digits: int = 0) -> str:
    """A number for reading: of large ones three digits."""
    size = abs(value)
    if size >= 1000:
        unit = 10 ** max(len(f"{size:.0f}") - 3, 0)
        return f"{round(value / unit) * unit:,.0f}"
    return f"{value:z,.{digits}f}"


def _range(values: Sequence[float], digits: int = 0) -> str:
    return f"{_number(values[1], digits)} to {_number(values[2], digits)}"
