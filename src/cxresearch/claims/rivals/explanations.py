"""Each rival explanation as one object: how it is analysed, and what a verdict must show to survive it.

`EXPLANATIONS` holds them in the order in which they are shown. Its words, and how it applies to a kind of reading, are
its entry in rivals.toml; to add a rival, add an object here and an entry there.
"""
# ruff: noqa: ARG002 - all explanations are asked in the same way, and not every one needs every argument

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cxresearch.claims.adjusted_model import (
    Variant,
    asked_grade,
    proneness_entries,
    recent_reading,
    shares_of_all,
)
from cxresearch.claims.compute_gaps import gap_marks
from cxresearch.claims.decide import Region, decide
from cxresearch.claims.kinds import (
    AnyReading,
    HazardContrastReading,
    ModelReading,
)
from cxresearch.claims.results import ReadingResult
from cxresearch.claims.rivals.analyses import (
    Analysis,
    Case,
    Outcome,
    StudyFacts,
    control_sides,
    finds_difference,
    has_untried_leads,
    hazard_reading,
    hold_against_no_difference,
)
from cxresearch.claims.rivals.descriptions import Description, RivalEntry, descriptions
from cxresearch.claims.rivals.outcomes import RivalRow, RivalStatus
from cxresearch.claims.schema import Claim
from cxresearch.estimators.contrasts import e_value
from cxresearch.estimators.looks import at_level
from cxresearch.estimators.shrinkage import MIN_REPEATERS
from cxresearch.records.lapses import Lapse

MANY_UNKNOWN = 0.2  # of moments without a grade: above, it matters who answers
MOST_UNKNOWN = (
    0.5  # of moments without a grade: from here on, counting them all as bad bounds nothing
)
MIN_OTHER_EXITS = 50
RECENT_DAYS = 30  # how long a short effect is looked for
_EQUAL_SHARES = "the share of such moments so far held equal"
_ONE_PROBLEM = (
    f"Fewer than {MIN_REPEATERS} customers had two problems: how theirs are treated cannot be distinguished from how "
    "this one was."
)
_EQUAL_AMONG_ALL = "the share of such moments among all contacts so far, graded or not, held equal"
_EQUAL_MADE_GOOD = "the shares of such moments, and of those made good, so far held equal"
_EQUAL_TREATMENT = "the share of problems so far that were treated so held equal"


@dataclass(frozen=True, slots=True)
class RivalExplanation:
    """A rival that needs no separate analysis, since it is in the model already; others build on it.

    Attributes:
        id: the key of its entry in rivals.toml.
    """

    id: str

    @property
    def words(self) -> Description:
        """What it is called and what it is, in plain words."""
        return descriptions()[self.id]

    def exists_in(self, facts: StudyFacts) -> bool:
        """Whether there is such a rival in a study."""
        return True

    def plan(self, case: Case, entry: RivalEntry) -> Iterator[Analysis]:
        """The analyses that are to be computed: those that the claim names, else the standard ones."""
        if entry.status not in ("required", "shown"):
            return
        if not entry.readings:
            yield from self._plan_standard(case, case.lead_days(entry))
            return
        leads = case.lead_days(entry) if entry.lead_days else (0,)
        for name in entry.readings:
            reading = case.claim.reading(name)
            for lead in leads:
                variant = Variant(lead=lead)
                yield self._analysis(reading.label, reading, variant, is_control=entry.is_control)

    def status(
        self, case: Case, entry: RivalEntry, rows: Sequence[RivalRow], decided: ReadingResult
    ) -> tuple[RivalStatus, str]:
        """Whether a verdict on this study must survive it, and why.

        Args:
            case: the reading and the study.
            entry: how it applies to the claim.
            rows: the numbers of its analyses.
            decided: the reading itself, decided by its own number.
        """
        if entry.status != "required":
            return entry.status, entry.reason
        return self._status_if_required(case.facts, entry, rows)

    def data_can_settle(self, facts: StudyFacts, outcomes: Sequence[Outcome]) -> bool:
        """Whether more data of the same kind could let a supported reading stand."""
        return True

    def leaves_support(
        self, facts: StudyFacts, outcomes: Sequence[Outcome], region: Region
    ) -> bool:
        """Whether a supported reading stays so: every interval is inside; without an analysis it does not.

        A negative control must show no difference to the side of the claim, which could be what supports it.

        Args:
            facts: of the study.
            outcomes: of its analyses.
            region: of the claim.
        """
        above, below = control_sides(outcomes)
        others = [o for o in outcomes if not o.analysis.is_control]
        return (
            any(o.row.estimate for o in outcomes)
            and all(o.row.verdict == "supported" for o in others)
            and not (above if region.is_upward else below)
        )

    def leaves_contradiction(
        self, facts: StudyFacts, outcomes: Sequence[Outcome], region: Region, level: float
    ) -> bool:
        """Whether a contradicted reading stays so: no analysis speaks for it.

        Where the region holds no difference, to contradict is to find one. Every analysis must then find one as well,
        as for a support elsewhere: its whole interval lies beyond no difference. One that cannot be computed finds
        none.

        A negative control must show no difference to the other side, which could hide an effect.

        Args:
            facts: of the study.
            outcomes: of its analyses.
            region: of the claim.
            level: confidence level that a contradiction needs.
        """
        above, below = control_sides(outcomes)
        others = [o for o in outcomes if not o.analysis.is_control]
        computed = [o for o in others if o.row.estimate]
        found = [
            hold_against_no_difference(o, level) for o in others if finds_difference(region, o)
        ]
        return (
            all(o.is_outside and o.row.verdict != "supported" for o in computed)
            and all(d is not None and d.verdict == "supported" for d in found)
            and not (below if region.is_upward else above)
        )

    def p_of_support(self, outcomes: Sequence[Outcome]) -> list[float]:
        """The error probabilities that a supported reading rests on besides that of its interval."""
        # a control lies inside nothing: that it shows no difference has no error probability
        return [o.decision.p for o in outcomes if o.decision and not o.analysis.is_control]

    def p_of_contradiction(self, outcomes: Sequence[Outcome]) -> list[float]:
        """The error probabilities that a contradicted reading rests on besides that of its interval."""
        tests = [
            hold_against_no_difference(o)
            for o in outcomes
            if o.decision and not o.analysis.is_control and finds_difference(o.decision.region, o)
        ]
        return [d.p for d in tests if d]

    def _plan_standard(self, case: Case, leads: tuple[int, ...]) -> Iterator[Analysis]:
        """The analyses where the claim names none; `leads` are days that are left out."""
        yield from ()

    def _status_if_required(
        self, facts: StudyFacts, entry: RivalEntry, rows: Sequence[RivalRow]
    ) -> tuple[RivalStatus, str]:
        return "required", entry.reason

    def _analysis(
        self, label: str, reading: AnyReading, variant: Variant, *, is_control: bool = False
    ) -> Analysis:
        """An analysis of this rival; its label ends with how many days are left out."""
        lead = f", the last {variant.lead} days left aside" if variant.lead else ""
        return Analysis(self.id, label + lead, reading, variant, is_control)

    def _dismissed(self, entry: RivalEntry) -> tuple[RivalStatus, str]:
        return "dismissed", f"{entry.reason} Dismissed: {self.words.dismissed}."


class AlreadyLeaving(RivalExplanation):
    """Customers had decided before: what happened in the last days is left out."""

    __slots__ = ()

    def leaves_contradiction(
        self, facts: StudyFacts, outcomes: Sequence[Outcome], region: Region, level: float
    ) -> bool:
        """As of any, and the interval with the longest lead is wholly outside.

        A contradiction that finds a difference needs the longest lead that customers may decide ahead, as support does.
        """
        longest = self._longest(outcomes)
        if longest:
            e = longest.row.estimate
            if e is None or longest.is_withheld:
                return False
            if decide(at_level(e, level), region).verdict != "contradicted":
                return False
            if finds_difference(region, longest) and has_untried_leads(facts, outcomes):
                return False
        return super().leaves_contradiction(facts, outcomes, region, level)

    def p_of_contradiction(self, outcomes: Sequence[Outcome]) -> list[float]:
        """That of the longest lead, besides those of any."""
        longest = self._longest(outcomes)
        own = [longest.decision.p] if longest and longest.decision else []
        return [*own, *super().p_of_contradiction(outcomes)]

    def data_can_settle(self, facts: StudyFacts, outcomes: Sequence[Outcome]) -> bool:
        """Whether no customer decides longer ahead than the longest lead that can be tried."""
        return not has_untried_leads(facts, outcomes)

    def leaves_support(
        self, facts: StudyFacts, outcomes: Sequence[Outcome], region: Region
    ) -> bool:
        """As of any, where the data can settle it."""
        can_settle = self.data_can_settle(facts, outcomes)
        return can_settle and super().leaves_support(facts, outcomes, region)

    def status(
        self, case: Case, entry: RivalEntry, rows: Sequence[RivalRow], decided: ReadingResult
    ) -> tuple[RivalStatus, str]:
        """As of any; says which leads cannot be tried."""
        status, reason = super().status(case, entry, rows, decided)
        leads, longest = case.facts.lead_days, max(entry.lead_days or (0,))
        if status == "required" and longest and leads and leads[-1] > longest:
            reason += (
                f" Who decides more than {longest} days ahead, and the study allows for {leads[-1]}, cannot be told "
                "apart, unless the study declares that nobody does."
            )
        return status, reason

    def _plan_standard(self, case: Case, leads: tuple[int, ...]) -> Iterator[Analysis]:
        for lead in leads:
            label = f"what happened in the last {lead} days left aside"
            yield Analysis(self.id, label, case.reading, Variant(lead=lead))

    def _status_if_required(
        self, facts: StudyFacts, entry: RivalEntry, rows: Sequence[RivalRow]
    ) -> tuple[RivalStatus, str]:
        return ("required", entry.reason) if facts.lead_days else self._dismissed(entry)

    def _longest(self, outcomes: Sequence[Outcome]) -> Outcome | None:
        return max(outcomes, key=lambda o: o.analysis.variant.lead, default=None)


class Temperament(RivalExplanation):
    """Some customers grade harshly: the share of such moments so far is held equal.

    Where a study declares that nobody decides ahead (`lead_days` is empty), a short effect counts as well: those with
    such a moment in the last days against those with none, of equal shares. Either of the two will do, each at half
    the error.
    """

    __slots__ = ()

    def leaves_support(
        self, facts: StudyFacts, outcomes: Sequence[Outcome], region: Region
    ) -> bool:
        """As of any; where a short effect is looked for, by either analysis at half the error."""
        if not any(o.analysis.variant.recent for o in outcomes):
            return super().leaves_support(facts, outcomes, region)
        return any(
            o.decision is not None
            and o.row.estimate is not None
            and o.row.verdict == "supported"
            and 2 * o.decision.p <= 1 - o.row.estimate.level
            for o in outcomes
        )

    def leaves_contradiction(
        self, facts: StudyFacts, outcomes: Sequence[Outcome], region: Region, level: float
    ) -> bool:
        """As of any, and no short effect shows."""
        recent = [o for o in outcomes if o.analysis.variant.recent]
        others = [o for o in outcomes if not o.analysis.variant.recent]
        return super().leaves_contradiction(facts, others, region, level) and all(
            o.row.verdict != "supported" for o in recent
        )

    def p_of_contradiction(self, outcomes: Sequence[Outcome]) -> list[float]:
        """As of any, of the analyses that a contradiction must survive."""
        return super().p_of_contradiction([o for o in outcomes if not o.analysis.variant.recent])

    def p_of_support(self, outcomes: Sequence[Outcome]) -> list[float]:
        """As of any; where a short effect is looked for, twice the smaller one."""
        ps = super().p_of_support(outcomes)
        has_recent = any(o.analysis.variant.recent for o in outcomes)
        return [min(1.0, 2 * min(ps))] if has_recent and ps else ps

    def _plan_standard(self, case: Case, leads: tuple[int, ...]) -> Iterator[Analysis]:
        reading = hazard_reading(case.claim, case.reading)
        if reading is None or not _holds_contacts_equal(reading):
            return
        if not proneness_entries(case.claim, reading):
            return
        if _asks_for(case.claim, "problem_share"):
            # the share of some days ago leaves out the very problem whose treatment is asked about
            yield self._analysis(_EQUAL_TREATMENT, reading, Variant(proneness=True))
            return
        label = _EQUAL_MADE_GOOD if _asks_for(case.claim, "made_good_share") else _EQUAL_SHARES
        for lead in (0, *leads[-1:]):
            yield self._analysis(label, reading, Variant(lead=lead, proneness=True))
        recent = recent_reading(case.claim, reading, RECENT_DAYS)
        if recent and not case.facts.lead_days:
            label = f"{label}, within {RECENT_DAYS} days of such a moment"
            yield self._analysis(label, recent, Variant(proneness=True, recent=RECENT_DAYS))

    def status(
        self, case: Case, entry: RivalEntry, rows: Sequence[RivalRow], decided: ReadingResult
    ) -> tuple[RivalStatus, str]:
        """As of any; dismissed where grades are measured, if it is grades that a customer may be prone to.

        Where hardly anybody has had two problems, how a customer's problems are treated is how this one was: then it is
        shown that nothing tells the two apart, and required of nobody.
        """
        # whom the company makes a bad moment good to has nothing to do with who grades
        is_about_grades = not _asks_for(case.claim, "made_good_share")
        is_measured = is_about_grades and case.facts.has_measured_grades
        if entry.status == "required" and _asks_for(case.claim, "problem_share"):
            if any(row.code == "no_repeaters" for row in rows):
                return "shown", _ONE_PROBLEM
        elif entry.status == "required" and is_measured:
            return self._dismissed(entry)
        return super().status(case, entry, rows, decided)

    def _status_if_required(
        self, facts: StudyFacts, entry: RivalEntry, rows: Sequence[RivalRow]
    ) -> tuple[RivalStatus, str]:
        if not rows:
            return (
                "aliased",
                "How customers tend to grade cannot be distinguished from what the claim asks about.",
            )
        return "required", entry.reason


class WhoAnswers(RivalExplanation):
    """Customers about to leave do not grade: moments without a grade are held equal, or count as asked about."""

    __slots__ = ()

    def _plan_standard(self, case: Case, leads: tuple[int, ...]) -> Iterator[Analysis]:
        reading = hazard_reading(case.claim, case.reading)
        if reading is None or case.facts.unknown_share <= MANY_UNKNOWN:
            return
        for lead in (0, *leads[-1:]):
            variant = Variant(lead=lead, unknown="held equal")
            yield self._analysis("moments without a grade held equal", reading, variant)
        entries = shares_of_all(proneness_entries(case.claim, reading))
        if entries and not case.facts.has_measured_grades:  # which dismisses temperament
            variant = Variant(proneness=True, unknown="held equal")
            yield self._analysis(_EQUAL_AMONG_ALL, reading, variant)
        if case.facts.unknown_share < MOST_UNKNOWN:
            label = f"moments without a grade counted as {asked_grade(case.claim, reading)}"
            yield self._analysis(label, reading, Variant(unknown="as asked"))

    def _status_if_required(
        self, facts: StudyFacts, entry: RivalEntry, rows: Sequence[RivalRow]
    ) -> tuple[RivalStatus, str]:
        if rows:
            return "required", entry.reason
        if facts.unknown_share > MANY_UNKNOWN:
            why = "No model of this number can hold moments without a grade equal."
            return "cannot be tested", why
        return "not required", f"No more than {MANY_UNKNOWN:.0%} of the moments have no grade."


class OtherExits(RivalExplanation):
    """Whatever it is ends relations of every kind: the same for exits that are no defection, as a negative control.

    A difference to the side of the claim could be what supports it; one to the other side could hide an effect.
    """

    __slots__ = ()

    def _plan_standard(self, case: Case, leads: tuple[int, ...]) -> Iterator[Analysis]:
        reading = hazard_reading(case.claim, case.reading)
        if reading is not None and case.facts.other_exits >= MIN_OTHER_EXITS:
            label = "exits that are no defection"
            yield self._analysis(label, reading, Variant(event="other exit"), is_control=True)

    def _status_if_required(
        self, facts: StudyFacts, entry: RivalEntry, rows: Sequence[RivalRow]
    ) -> tuple[RivalStatus, str]:
        if not rows:
            few = f"Fewer than {MIN_OTHER_EXITS} customers" if facts.other_exits else "No customer"
            why = f"{few} left for another cause; at least {MIN_OTHER_EXITS} are needed."
            return "cannot be tested", why
        if all(r.estimate is None for r in rows):
            why = f"The control cannot be computed: it lacks {rows[0].lacks}."
            return "cannot be tested", why
        return "required", entry.reason


class Pace(RivalExplanation):
    """Customers who buy rarely look as if they had left: each customer's own gaps must tell the same.

    Support also needs a silence of which few enough lapses are false. Own gaps can support and never contradict: what
    drives customers away lengthens the gaps of those who come back by little.
    """

    __slots__ = ()

    def exists_in(self, facts: StudyFacts) -> bool:
        """Only where the end of a relation is derived from contacts."""
        return not facts.has_contracts

    def data_can_settle(self, facts: StudyFacts, outcomes: Sequence[Outcome]) -> bool:
        """Whether few lapses are false, contacts are occasions to leave, and a customer's own gaps can tell."""
        lapse = facts.lapse
        is_certain = lapse is not None and lapse.is_certain and not lapse.brings_contacts
        return is_certain and bool(outcomes)

    def leaves_support(
        self, facts: StudyFacts, outcomes: Sequence[Outcome], region: Region
    ) -> bool:
        """Where the data can settle it, and own gaps support it, too."""
        can_settle = self.data_can_settle(facts, outcomes)
        return can_settle and super().leaves_support(facts, outcomes, region)

    def p_of_support(self, outcomes: Sequence[Outcome]) -> list[float]:
        """That of a test to one side, as own gaps can support only."""
        # of a sequence of looks, each side has the whole error: both may be reached one after the other
        return [
            o.decision.p / (2 if o.row.estimate and o.row.estimate.interval == "fixed" else 1)
            for o in outcomes
            if o.decision
        ]

    def p_of_contradiction(self, outcomes: Sequence[Outcome]) -> list[float]:
        """None: own gaps can support and never contradict."""
        return []

    def leaves_contradiction(
        self, facts: StudyFacts, outcomes: Sequence[Outcome], region: Region, level: float
    ) -> bool:
        """Where few lapses are false, nothing that may drive customers away is missing, and own gaps do not object."""
        lapse = facts.lapse
        is_clear = lapse is not None and lapse.is_certain and not lapse.has_inactive
        is_clear = is_clear and lapse is not None and not lapse.brings_contacts
        is_clear = is_clear and not facts.looks_back
        return is_clear and not any(o.row.verdict == "supported" for o in outcomes)

    def _status_if_required(
        self, facts: StudyFacts, entry: RivalEntry, rows: Sequence[RivalRow]
    ) -> tuple[RivalStatus, str]:
        why = [entry.reason]
        lapse = facts.lapse
        if lapse is not None and not lapse.is_certain:
            why.append(_describe_false_lapses(lapse))
        if lapse is not None and lapse.brings_contacts:
            why.append(
                "Bad contacts bring about further ones within a week, such as those about a return, at which nobody "
                "would leave: per contact, customers seem to stay for that. Say under retention.active which contacts "
                "are purchases."
            )
        if lapse is not None and lapse.has_inactive:
            why.append(
                "What happens between the last contact that keeps a customer active and a lapse is not in the number, "
                "so it does not speak against the claim."
            )
        if facts.looks_back:
            why.append(
                "Histories look back over some days only: customers without such a moment in these may have had older "
                "ones, so that a small difference does not speak against the claim."
            )
        if not rows:
            why.append("No single contact is such a moment, so a customer's own gaps cannot tell.")
        return "required", " ".join(why)

    def _plan_standard(self, case: Case, leads: tuple[int, ...]) -> Iterator[Analysis]:
        reading = hazard_reading(case.claim, case.reading)
        if case.facts.has_contracts or reading is None or not gap_marks(case.claim, reading):
            return
        label = (
            "how much later customers come back after such a moment than they themselves did before"
        )
        yield Analysis(self.id, label, reading, Variant(own_gaps="now"))


class Unseen(RivalExplanation):
    """Something that is not in the data: how strong it would have to be is shown, as an E-value."""

    __slots__ = ()

    def status(
        self, case: Case, entry: RivalEntry, rows: Sequence[RivalRow], decided: ReadingResult
    ) -> tuple[RivalStatus, str]:
        """As declared by the claim; of a hazard ratio, with its E-value."""
        e = decided.estimate
        if e is None or not isinstance(case.reading, HazardContrastReading):
            return entry.status, entry.reason
        nearest = 1.0 if e.low <= 1 <= e.high else e.low if e.low > 1 else e.high
        return entry.status, (
            f"Something unseen would have to go with both at a risk ratio of {e_value(e.value):.1f} to explain the "
            f"number away, and of {e_value(nearest):.1f} for the limit nearest to 1."
        )


EXPLANATIONS: tuple[RivalExplanation, ...] = (
    RivalExplanation("calendar"),
    RivalExplanation("busy"),
    RivalExplanation("recency"),
    AlreadyLeaving("already-leaving"),
    Temperament("temperament"),
    WhoAnswers("who-answers"),
    OtherExits("other-exits"),
    Pace("pace"),
    Unseen("unseen"),
)


def _describe_false_lapses(lapse: Lapse) -> str:
    """Why no silence is known to be an end."""
    known = [t for t in lapse.tried if t.is_known]
    if not known:
        return f"The log is too short to tell how many come back after {lapse.declared:,} days of silence."
    longest = known[-1]
    return (
        f"Of customers silent for {longest.days:,} days, {longest.returned:.0%} come back within as long again, so a "
        "silence is not known to be an end."
    )


def _asks_for(claim: Claim, share: str) -> bool:
    """Whether a claim names such a share as what customers may be prone to, or are treated to: a history."""
    return any(entry.get("use") == share for entry in claim.proneness)


def _holds_contacts_equal(reading: AnyReading) -> bool:
    return isinstance(reading, ModelReading) and reading.model.held_equal != "nothing"
