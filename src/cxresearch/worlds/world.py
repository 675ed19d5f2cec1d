"""What is true in a synthetic company."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true in a synthetic company. Hazards and rates are per day.

    Attributes:
        days: length of the log.
        entry_days: customers start evenly over the first so many days.
        base_hazard: of defection, for a customer without a moment, in the first segment.
        segment_ratios: hazard ratio of each segment.
        hr_bad: hazard ratio by number of bad moments so far: none, one, two, three or more.
        late_ratio: what a first bad moment multiplies `hr_bad` by when it comes after `late_after` days.
        late_after: days since the start; later ones are late.
        log_hr_neutral: per neutral moment so far, up to five.
        log_hr_good: per good moment so far, up to five.
        other_hazard: of leaving for another cause.
        contact_rate: contacts, for a customer of average intensity.
        intensity_variance: between customers (gamma).
        bad_share: of contacts, for a customer of average proneness.
        proneness_variance: between customers (gamma).
        good_share: of the contacts that are not bad.
        unknown_share: of all contacts, without a score.
        busy_stay: log hazard ratio per unit of log intensity; negative if busy customers stay.
        frailty_variance: of the hazard between customers (gamma).
        desk_share: of those who defect, who say so at the cancellation desk that day: a contact that is a consequence.
    """

    days: int = 730
    entry_days: int = 365
    base_hazard: float = 0.0012
    segment_ratios: tuple[float, ...] = (1.0, 0.8, 1.3)
    hr_bad: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    late_ratio: float = 1.0
    late_after: int = 365
    log_hr_neutral: float = 0.0
    log_hr_good: float = 0.0
    other_hazard: float = 0.0002
    contact_rate: float = 1 / 25
    intensity_variance: float = 0.5
    bad_share: float = 0.15
    proneness_variance: float = 0.5
    good_share: float = 0.5
    unknown_share: float = 0.1
    busy_stay: float = 0.0
    frailty_variance: float = 0.0
    desk_share: float = 0.6
