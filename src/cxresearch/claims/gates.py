"""Enough events to say anything: what must be expected before a reading is tried, whatever was observed."""

from __future__ import annotations

from cxresearch.claims.bench import given
from cxresearch.claims.claim import Reading
from cxresearch.errors import NotTestable
from cxresearch.estimators.expected import expected_events
from cxresearch.risk.table import RiskTable

MIN_EXPECTED = 10  # fewer expected events in a cell that matters: not testable


def expect(table: RiskTable, name: str, reading: Reading, strata: tuple[str, ...]) -> None:
    """Enough expected events in every level of the contrast, or in all but the reference together, and in that."""
    counts = expected_events(table, name, reading.event, strata)
    by = dict(zip(counts["level"], counts["expected"], strict=True))
    reference = next((level for level, n in by.items() if n > 0), table.feature(name).levels[0])
    weights = {t: w for t, w in reading.contrast.items() if t.startswith(f"{name}[")}
    wanted, one_sided = [t.partition("[")[2].removesuffix("]") for t in weights], sum(weights.values()) != 0
    cells = {level: by.get(level, 0.0) for level in wanted}
    if not wanted or one_sided:
        cells[reference] = by[reference]
    if not wanted:
        cells[f"anything but {reference}"] = sum(by.values()) - by[reference]
    for level, few in cells.items():
        if few < MIN_EXPECTED:
            raise NotTestable(
                f"events enough where {name} is {level}: {few:.1f} would be expected, {MIN_EXPECTED} are needed"
            )


def expect_events(table: RiskTable, reading: Reading) -> None:
    """After the origin, as many events as a verdict needs would be expected at everybody's hazard."""
    origin = given(reading.clock)
    if reading.event not in table.causes:
        return  # what `until` makes an end has no hazard before the origin
    counts = expected_events(table, origin.since, reading.event)
    levels = table.feature(origin.since).levels
    within = reading.until is not None and reading.until.history == origin.since
    stop = levels.index(reading.until.level) if reading.until and within else len(levels)
    inside = counts["expected"][levels.index(origin.level) : stop].sum()
    if inside < MIN_EXPECTED:
        cell = f"from {origin.since} {origin.level} on"
        raise NotTestable(f"events enough {cell}: {inside:.1f} would be expected, {MIN_EXPECTED} are needed")
