"""Where the numbers come from: every row accounted for, and what made the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cxresearch.claims.kinds import ExcessReading, IncidenceReading
from cxresearch.claims.results import Docket
from cxresearch.disclosure.counts import count_text, hide, part_of, rounding_note
from cxresearch.records.audit import Audit, Fact
from cxresearch.records.audit_values import CountOfTotal, Day, FactValue
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import Records
from cxresearch.report.pages.text import day, period, table, text

_KIND, _NUMERIC = "cx-accounts", ("rows", "how many")
_METHOD = """<p>Each claim says where a number should lie. The number is counted in time: what a customer had
lived through before a day explains what happened on it, never the other way round. A bad, neutral or good moment is a
contact graded so by the study's own rules or scores. A rate is the chance to leave on a day, among those still there;
at 1.69 times the rate, the share that leaves in the end is not 1.69 times as large.{HORIZON}</p>
<p>The range behind a number, its interval, says how far chance alone may move it. It comes from how much each
customer, or household, moves the number. The smallest effect taken to matter is set by the catalogue: for rates mostly
1.10, or 0.909 where they should fall.</p>
<ul>
<li><strong>Supported</strong>: the whole interval lies where the claim says, even if the effect is small, and so does
that of every other explanation that must be tried.</li>
<li><strong>Contradicted</strong>: it lies wholly outside, or shows an effect too small to matter, and no other
explanation speaks against that.</li>
<li><strong>Undecided</strong>: neither; the page says what is missing, or which other explanation is not excluded.</li>
<li><strong>Not testable</strong>: the data cannot answer, however long one computes.</li>
</ul>
<p>The more claims are tried, the likelier one passes or fails by chance alone. So all claims whose columns the study
has are judged together, whichever are shown: each must clear a higher bar, and one that does not is undecided, with
what it would be by itself next to it.</p>
<p>These are observations, not experiments: customers who have a bad moment may differ from the others in ways
the data do not show.</p>"""
_FACTS = {"customers who defected": "customers who left"}
_GRADES = {f"{grade} moments" for grade in GRADES}
_TITLES = {"interactions": "contacts", "retention": "customers"}
_ACTIVE = "rows that keep customers active"


def audit(result: Audit, min_cell: int, *, heading: bool = True, is_folded: bool = False) -> str:
    """Rows read, kept, quarantined and excluded, with the reasons; no row and no customer is named.

    Args:
        result: every row accounted for.
        min_cell: the smallest count that may be shown.
        heading: whether the block brings its heading along.
        is_folded: whether what is below the heading is folded away.
    """
    sources = "".join(
        f'<tr><th scope="row">{text(n)}</th><td class="cx-num">{count_text(rows, min_cell)}</td></tr>'
        for n, rows in result.tables
    )
    facts = "".join(
        f'<tr><th scope="row">{text(_FACTS.get(f.name, f.name))}</th>'
        f'<td class="cx-num">{text(value)}</td><td>{text(f.note)}</td></tr>'
        for f, value in zip(result.facts, _fact_texts(result.facts, min_cell), strict=True)
    )
    body = (
        _rows(result, min_cell)
        + (f"<p>Contacts are graded by {text(result.graded_by)}.</p>" if result.graded_by else "")
        + table(
            "What the tables hold",
            ("what", "how many", "note"),
            facts,
            kind=_KIND,
            numeric=_NUMERIC,
        )
        + (
            table("Files and queries read", ("name", "rows"), sources, kind=_KIND, numeric=_NUMERIC)
            if sources
            else ""
        )
    )
    title = '<h2 id="audit">The data: every row accounted for</h2>' if heading else ""
    return f"{title}{_folded('All rows', body) if is_folded else body}"


def _folded(title: str, body: str) -> str:
    return f'<details class="cx-fold"><summary>{title}</summary>{body}</details>'


def _rows(result: Audit, min_cell: int) -> str:
    kept = dict(result.kept)
    lines = []
    has_contracts = result.fact("customers who lapsed") is None
    for name, rows in result.read:
        title = _TITLES.get(name, name) if has_contracts or name != "retention" else _ACTIVE
        lines.append((title, "rows read", rows, "cx-total"))
        for f in result.findings:
            if f.table == name:
                lines.append(
                    (title, f"{'quarantined' if f.fault else 'set aside'}: {f.reason}", f.rows, "")
                )
        lines.append((title, "rows kept", kept[name], "cx-total"))
    body = "".join(
        f'<tr{f" class={kind}" if kind else ""}><td>{text(title)}</td><th scope="row">{text(what)}</th>'
        f'<td class="cx-num">{text(_signed(n, min_cell, is_left=not kind))}</td></tr>'
        for title, what, n, kind in lines
    )
    caption = "From the rows read to the rows kept; faulty rows are quarantined, others set aside on purpose"
    if min_cell > 1:
        caption += f". {rounding_note(min_cell)} The command audit gives them exactly, to whoever has the data."
    return table(caption, ("table", "what", "rows"), body, kind=_KIND, numeric=_NUMERIC)


def _fact_texts(facts: Sequence[Fact], min_cell: int) -> list[str]:
    """What the facts say, without small counts; the grades add up to all moments, so they are hidden together."""
    grades = [
        (i, f.value.count)
        for i, f in enumerate(facts)
        if f.name in _GRADES and isinstance(f.value, CountOfTotal)
    ]
    shown = hide([n for _, n in grades], min_cell)
    hidden = {i for (i, _), n in zip(grades, shown, strict=True) if n is None}
    return ["not shown" if i in hidden else _fact(f.value, min_cell) for i, f in enumerate(facts)]


def _signed(rows: int, min_cell: int, *, is_left: bool) -> str:
    """Rows, with a minus before those that are left out."""
    shown = count_text(rows, min_cell)
    return f"−{shown}" if is_left and rows >= min_cell else shown


def _fact(value: FactValue, min_cell: int) -> str:
    if isinstance(value, Day):
        return day(str(value))
    if value.count < min_cell:
        return f"fewer than {min_cell}"
    if isinstance(value, CountOfTotal) and value.total:
        share = part_of(value.count, value.total, min_cell)
        return f"{count_text(value.count, min_cell)} ({share:.1%})"
    return count_text(value.count, min_cell)


def method(docket: Docket, *, notebook: str, parameters: Mapping[str, Any]) -> str:
    """How verdicts are decided, in short, and what it takes to make the page again.

    Args:
        docket: the claims, tried.
        notebook: its name.
        parameters: those of the notebook; of a path only the last part is shown.
    """
    rows = (
        ("Study", docket.study),
        ("Data", period(docket.data_from, docket.data_until)),
        ("Program", f"cxresearch {docket.version}"),
        ("Fingerprint of the data", docket.fingerprint),
        ("Confidence level", f"{100 * docket.level:.4g}%"),
        ("Several claims at once", docket.note),
        ("Smallest count shown", str(docket.min_cell)),
        *_run(notebook, parameters),
    )
    method = _METHOD.replace("{HORIZON}", _horizon(docket))
    folded = _folded("All details", f"{method}{_list(rows)}")
    return f'<h2 id="method">Method and provenance</h2>{folded}'


def _horizon(docket: Docket) -> str:
    """The study's horizon, if a reading of the docket has one."""
    days = set()
    for t in docket.values():
        for e in t.results:
            reading = t.claim.reading(e.reading_id)
            if (
                isinstance(reading, IncidenceReading | ExcessReading)
                and reading.horizon_days == "study"
            ):
                days.add(e.horizon_days)
    return "".join(f" The study's horizon is {n} days." for n in days if n)


def origin(records: Records, *, notebook: str, parameters: Mapping[str, Any]) -> str:
    """What it takes to make a page again that shows no verdicts; args as `method`."""
    first, last = (str(records.audit.fact(name)) for name in ("log from", "log until"))
    rows = (
        ("Study", records.study.name),
        ("Data", period(first, last)),
        ("Program", f"cxresearch {version('cxresearch')}"),
        ("Fingerprint of the data", records.audit.fingerprint),
        ("Smallest count shown", str(records.study.info.min_cell)),
        *_run(notebook, parameters),
    )
    return f'<h2 id="method">Where the page comes from</h2>{_list(rows)}'


def _run(notebook: str, parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    parameters_text = ", ".join(f"{k} = {_short(v)}" for k, v in parameters.items())
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (("Notebook", notebook), ("Parameters", parameters_text), ("Made", made))


def _list(rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f'<tr><th scope="row">{text(k)}</th><td>{text(v)}</td></tr>' for k, v in rows)
    return table("What made this page", ("what", "is"), body, kind="cx-provenance")


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "all"
    shown = str(value)
    return Path(shown).name if "/" in shown or "\\" in shown else shown
