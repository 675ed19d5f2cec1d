"""What is true in a synthetic company."""

from __future__ import annotations

from dataclasses import dataclass, fields

# effects that look at more of a contact than its day and grade, or at households
_CLOSER = {
    *(
        "log_hr_worst",
        "log_hr_mean",
        "hr_last",
        "hr_first_bad",
        "hr_bad_attended",
        "hr_bad_unattended",
    ),
    *(
        "hr_problem",
        "hr_routine",
        "hr_open",
        "hr_open_late",
        "hr_resolved",
        "hr_resolved_late",
        "hr_gesture",
        "hr_informed",
    ),
    *("hr_flipped", "hr_complained", "hr_household", "hr_failed", "hr_sour", "hr_handoff"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true in a synthetic company. Hazards and rates are per day.

    Parameters that begin with ``hr_`` are hazard ratios, those with ``log_hr_`` their logarithms; the defaults do
    nothing. "Once" means from the day after the first such moment on, for good.

    Attributes:
        days: length of the log.
        entry_days: customers start evenly over the first so many days.
        base_hazard: of defection, for a customer without a moment, in the first segment.
        segment_ratios: hazard ratio of each segment.
        acquisition_ratios: hazard ratio by how the customer was won: shop, web, friend.
        campaign_ratios: hazard ratio by the campaign that the customer came with: none, spring, autumn.
        hr_bad: hazard ratio by number of bad moments so far: none, one, two, three or more.
        late_ratio: what a first bad moment multiplies `hr_bad` by when it comes after `late_after` days.
        late_after: days since the start; later ones are late.
        recent_ratio: for 30 days after each bad moment.
        log_hr_neutral: per neutral moment so far, up to five.
        log_hr_good: per good moment so far, up to five.
        log_hr_worst: per star by which the worst score so far falls short of five.
        log_hr_mean: per fifth of the scale by which the mean score so far falls short of the highest fifth.
        hr_last: by the grade of the last contact: bad, neutral, good; after one of unknown grade 1.
        hr_first_bad: once the very first contact was bad.
        hr_bad_attended: once a moment with a person was bad.
        hr_bad_unattended: once a moment without a person was bad.
        hr_problem: per moment with a problem that was bad, and per one that was good, up to five of each.
        hr_routine: per moment without a problem that was bad, and per one that was good, up to five of each.
        hr_open: while a problem is open, none of them for more than 48 hours.
        hr_open_late: while a problem is open for more than 48 hours.
        hr_resolved: while all problems are resolved, the latest within 48 hours.
        hr_resolved_late: while all problems are resolved, the latest after more than 48 hours.
        hr_gesture: while there has been a gesture since the last problem.
        hr_informed: while the last problem was one that the customer had been informed of beforehand.
        hr_flipped: once a good moment came within 14 days after a bad one.
        hr_complained: for 90 days after a complaint.
        hr_quiet: after 90 days without a contact, from the 91st day of tenure on.
        hr_household: once another member of the household has defected.
        hr_failed: once a moment failed in respect, solutions, simplicity, responsibility.
        hr_sour: per moment that failed in responsibility and not in respect, up to five.
        hr_handoff: per moment that was handed off, up to five.
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
        agents: how many.
        bad_agents: share of the agents who are bad.
        bad_agent_ratio: how many times as often moments are bad with them; who has which contact is otherwise chance.
        problem_shares: of bad, neutral and good moments, those with a problem; of unknown ones as of neutral ones.
        one_problem: whether a customer has one problem at most.
        resolution_days: mean time to the resolution of those that are resolved (exponential).
        unresolved_share: of problems, never resolved.
        goodwill_shares: of problems with a bad, neutral and good moment, those with a gesture, a few days later.
        informed_share: of problems, those that the customer had been informed of beforehand.
        complaint_share: of bad moments, complained of within days.
        post_share: of first bad moments, posted about in public within a week.
        handoff_share: of contacts.
        failed_shares: of bad, neutral and good moments, those that fail in an expectation; each of the four alike.
    """

    days: int = 730
    entry_days: int = 365
    base_hazard: float = 0.0012
    segment_ratios: tuple[float, ...] = (1.0, 0.8, 1.3)
    acquisition_ratios: tuple[float, float, float] = (1.0, 1.0, 1.0)
    campaign_ratios: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hr_bad: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    late_ratio: float = 1.0
    late_after: int = 365
    recent_ratio: float = 1.0
    log_hr_neutral: float = 0.0
    log_hr_good: float = 0.0
    log_hr_worst: float = 0.0
    log_hr_mean: float = 0.0
    hr_last: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hr_first_bad: float = 1.0
    hr_bad_attended: float = 1.0
    hr_bad_unattended: float = 1.0
    hr_problem: tuple[float, float] = (1.0, 1.0)
    hr_routine: tuple[float, float] = (1.0, 1.0)
    hr_open: float = 1.0
    hr_open_late: float = 1.0
    hr_resolved: float = 1.0
    hr_resolved_late: float = 1.0
    hr_gesture: float = 1.0
    hr_informed: float = 1.0
    hr_flipped: float = 1.0
    hr_complained: float = 1.0
    hr_quiet: float = 1.0
    hr_household: float = 1.0
    hr_failed: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    hr_sour: float = 1.0
    hr_handoff: float = 1.0
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
    agents: int = 40
    bad_agents: float = 0.1
    bad_agent_ratio: float = 1.0
    problem_shares: tuple[float, float, float] = (0.5, 0.1, 0.05)
    one_problem: bool = False
    resolution_days: float = 5.0
    unresolved_share: float = 0.15
    goodwill_shares: tuple[float, float, float] = (0.3, 0.15, 0.15)
    informed_share: float = 0.3
    complaint_share: float = 0.2
    post_share: float = 0.15
    handoff_share: float = 0.12
    failed_shares: tuple[float, float, float] = (0.4, 0.08, 0.02)

    @property
    def closer(self) -> bool:
        """Whether the hazard looks at more than days, grades and the customer."""
        return any(f.name in _CLOSER and getattr(self, f.name) != f.default for f in fields(self))
