"""A claim over the runs of the report: verdict, number and interval of each, as a small picture and as words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cxresearch.claims.decide import parse_region
from cxresearch.claims.results import SYMBOLS
from cxresearch.claims.units import Unit
from cxresearch.disclosure.counts import rests_on_enough, round_count, round_estimate
from cxresearch.estimators.intervals import expit, logit, quantile
from cxresearch.report.pages.text import day, day_of, headline, text, verdict
from cxresearch.report.runs.ledger import SHOWN, RunRecord

_STEP, _HEIGHT, _SIGNS = (
    13,
    44,
    16,
)  # pixels: a run's width, the picture's height, the line of symbols below


def over_runs(records: Sequence[RunRecord], region: str, unit: Unit) -> str:
    """What became of a claim over the runs.

    Args:
        records: those the verdicts rested on, oldest first.
        region: that of the claim, as written; may be empty.
        unit: as `ReadingResult.unit`.

    Returns:
        HTML; all text in it is escaped.
    """
    if not records:
        return "not tried in a run that is on record"
    last, total = records[-SHOWN:], _total(records)
    items = "".join(
        f"<li>{text(day_of(x.at))}: {verdict(x.verdict)} {text(_number(x, region))}</li>"
        for x in reversed(last)
    )
    many = f"The last {SHOWN} of {total:,} runs" if total > SHOWN else _runs(total)
    return (
        f'{_picture(last, region, unit)}<div><p class="cx-turn">{_turn(records)}</p>'
        f"<details><summary>{many}<span class='cx-hidden'> of: {text(records[-1].claim)}</span></summary>"
        f'<ol class="cx-runs">{items}</ol></details></div>'
    )


def public_record(record: RunRecord, min_cell: int, region: str = "") -> RunRecord:
    """A record as a page may show it: shares rounded, and without a number that rests on too few."""
    if record.estimate is None or record.ci_low is None or record.ci_high is None:
        return record
    if rests_on_enough(
        record.estimate,
        *_limits_of_one_look(record, record.estimate, record.ci_low, record.ci_high),
        is_share=record.unit == Unit.SHARE,
        level=record.level,
        min_cell=min_cell,
        customers=record.customers,
        events=record.events,
    ):
        if record.unit != Unit.SHARE:
            return record
        value, low, high = round_estimate(
            record.estimate,
            record.ci_low,
            record.ci_high,
            customers=round_count(max(record.customers, record.events), min_cell),
            min_cell=min_cell,
            edges=edges_of(region),
        )
        return replace(record, estimate=value, ci_low=low, ci_high=high)
    return replace(record, estimate=None, ci_low=None, ci_high=None)


def _limits_of_one_look(
    record: RunRecord, value: float, low: float, high: float
) -> tuple[float, float]:
    """The limits that tell how many customers stand behind a share: wider ones hold at every look."""
    is_share = record.unit == Unit.SHARE and 0 < value < 1
    if record.interval == "fixed" or record.se is None or not is_share:
        return low, high
    half = quantile(record.level, 0) * record.se
    return expit(logit(value) - half), expit(logit(value) + half)


def _total(records: Sequence[RunRecord]) -> int:
    """How many runs there were; those that no page needs were not read."""
    read = [x.number for x in records if x.number]
    return max(read, default=0) + len(records) - len(read)


def _runs(n: int) -> str:
    return f"{n:,} run{'' if n == 1 else 's'}"


def _number(record: RunRecord, region: str) -> str:
    if record.estimate is None or record.ci_low is None or record.ci_high is None:
        return ""
    unit = Unit(record.unit)
    interval = unit.interval_text(record.ci_low, record.ci_high, edges_of(region))
    return f"{headline(record.estimate, unit)} ({interval}), data until {day(record.data_until)}"


def _turn(records: Sequence[RunRecord]) -> str:
    """Since when the verdict is what it is, and what it was before."""
    now = records[-1].verdict
    earlier = range(len(records) - 1, -1, -1)
    other = next((i for i in earlier if records[i].verdict != now), None)
    if other is None:
        return f"the same in {_runs(_total(records))}" if len(records) > 1 else "first run"
    return f"since {text(day_of(records[other + 1].at))}; before: {verdict(records[other].verdict)}"


def _picture(records: Sequence[RunRecord], region: str, unit: Unit) -> str:
    """A point and an interval for each run, left to right, over the region of the claim."""
    drawn = [(i, x) for i, x in enumerate(records) if x.unit == unit and _finite(x)]
    if len(records) < 2 or not drawn:
        return ""
    edges = _edges(region)
    scale = _Scale(
        [v for _, x in drawn for v in (x.ci_low, x.ci_high) if v is not None], edges, unit
    )
    width = _STEP * len(records)
    intervals = "".join(
        f'<path class="cx-strip-interval" d="M{_x(i)} {scale.y(x.ci_low)}V{scale.y(x.ci_high)}"/>'
        f'<circle class="cx-strip-value" cx="{_x(i)}" cy="{scale.y(x.estimate)}" r="3.5"/>'
        for i, x in drawn
    )
    signs = "".join(
        f'<text x="{_x(i)}" y="{_HEIGHT + 12}" text-anchor="middle">{text(SYMBOLS.get(x.verdict, "–"))}</text>'
        for i, x in enumerate(records)
    )
    shade = ""
    if edges:
        low, high = edges
        top, bottom = scale.y(high), scale.y(low)
        shade = f'<rect class="cx-strip-claim" x="0" y="{top}" width="{width}" height="{max(bottom - top, 2):.1f}"/>'
    description = "; ".join(
        f"{day_of(x.at)}: {x.verdict} {_number(x, region)}".rstrip() for x in records
    )
    return (
        f'<svg class="cx-trace" width="{width}" height="{_HEIGHT + _SIGNS}" viewBox="0 0 {width} {_HEIGHT + _SIGNS}" '
        f'role="img" aria-label="{text(description)}">{shade}{intervals}{signs}</svg>'
    )


def _x(position: int) -> float:
    return _STEP * (position + 0.5)


def _finite(record: RunRecord) -> bool:
    return all(
        v is not None and math.isfinite(v) for v in (record.estimate, record.ci_low, record.ci_high)
    )


def edges_of(region: str) -> tuple[float, ...]:
    """The finite edges of a region as the ledger has it; none where it cannot be read."""
    return tuple(e for e in _edges(region) or () if math.isfinite(e))


def _edges(region: str) -> tuple[float, float] | None:
    try:
        result = parse_region(region) if region else None
    except ValueError:
        return None
    return (result.low, result.high) if result else None


class _Scale:
    """From a number to a height; ratios on a logarithmic scale."""

    def __init__(
        self, values: Sequence[float], edges: tuple[float, float] | None, unit: Unit
    ) -> None:
        self._log = unit.is_ratio
        at = [self._at(v) for v in (*values, *(e for e in edges or () if math.isfinite(e)))]
        low, high = min(at), max(at)
        room = max((high - low) * 0.12, 1e-6)
        self._low, self._high = low - room, high + room

    def y(self, value: float | None) -> float:
        """Pixels from the top; what lies outside is at the border."""
        assert value is not None
        part = (self._at(value) - self._low) / (self._high - self._low)
        return round(_HEIGHT * (1 - min(max(part, 0.0), 1.0)), 1)

    def _at(self, value: float) -> float:
        if not self._log:
            return value
        return math.log(value) if 0 < value < math.inf else math.copysign(math.inf, value - 1)
