"""The number and the verdict of a claim under each choice of definitions; each is computed once and remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from cxresearch.claims.catalogue_loader import claims_of
from cxresearch.claims.context import EvaluationContext
from cxresearch.claims.decide import Verdict
from cxresearch.claims.definitions import find_alternatives
from cxresearch.claims.evaluate import choose
from cxresearch.claims.results import SYMBOLS
from cxresearch.claims.specification_curve import DefinitionStore, specification_curve
from cxresearch.engines import Engine
from cxresearch.errors import CxResearchError, NotTestable
from cxresearch.panel.choices import Choice, Choices, describe
from cxresearch.records.records import Records
from cxresearch.records.redefine import redefine_bad
from cxresearch.records.restrict import count_customers, restrict
from cxresearch.study import Study
from cxresearch.utils.result import Result, plain

SEGMENT = "segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Result):
    """What the claim's number is under a choice.

    Attributes:
        choice: the definitions.
        what: how they differ from the study's own, in words.
        verdict: of the interval alone or, where `is_whole_rule`, with every rival explanation that can be tried.
        symbol: of the verdict.
        is_whole_rule: what the verdict rests on.
        text: the number with its interval; empty where there is none.
        value: the number; None where there is none.
        low: its lower limit.
        high: its upper limit.
        note: why there is no number; empty where there is one.
    """

    choice: Choice
    what: str
    verdict: Verdict
    symbol: str
    is_whole_rule: bool
    text: str
    value: float | None
    low: float | None
    high: float | None
    note: str


class Answers:
    """A claim's answers under choices of definitions. Safe to ask from several threads.

    Contacts are read and joined once, and graded for each definition of bad.

    Args:
        study: a study, or its records.
        claim: id.
        engine: where the tables are read; ignored for records.
        shares_contacts: read contacts that can be graded for each definition of bad; not worth it where only the
            choices are wanted.

    Attributes:
        claim: the claim.
        choices: what can be chosen.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 2000, seed=1).study()
        >>> answers = cx.panel.Answers(study, "bad-moments-drive-away")
        >>> answers.get(answers.choices.own).text
        '1.62 (1.41 to 1.86)'
    """

    def __init__(
        self,
        study: Study | Records,
        claim: str,
        *,
        engine: Engine | str = "polars",
        shares_contacts: bool = True,
    ) -> None:
        self._base = DefinitionStore(study, engine=engine, claims=[claim])
        (self.claim,) = choose(claims_of(self._base.study.claims), [claim])
        self._lock = Lock()
        self._records: dict[tuple[str, str], Records] = {}
        self._known: dict[tuple[Choice, bool], Answer] = {}
        if shares_contacts:
            self._base.share_contacts()
        self.choices = self._find_choices()

    @property
    def study(self) -> Study:
        """As it is declared."""
        return self._base.study

    def known(self, choice: Choice) -> Answer | None:
        """The best answer that is there already, without computing anything."""
        return self._known.get((choice, True)) or self._known.get((choice, False))

    def get(self, choice: Choice, *, whole_rule: bool = False) -> Answer:
        """The answer under a choice; what cannot be computed is an answer, too.

        Args:
            choice: from `Choices.read`.
            whole_rule: try the rival explanations as well; takes several times as long.
        """
        key = (choice, whole_rule)
        if key not in self._known:
            self._known[key] = self._computed(choice, whole_rule=whole_rule)
        return self._known[key]

    def _computed(self, choice: Choice, *, whole_rule: bool) -> Answer:
        what = describe(choice, self.choices.own)
        try:
            records = self._records_of(choice)
            store = DefinitionStore(records, claims=[self.claim.id], keep=False)
            specification = specification_curve(
                store,
                self.claim.id,
                bad=(),
                blackout_days=() if len(self.choices.blackout_days) > 1 else None,
                window_days=(),
                horizon_days=() if self.choices.own.horizon_days else None,
                adjustments=(),
                rivals=whole_rule,
            ).own
        except (CxResearchError, NotTestable) as e:
            return _without_number(choice, what, str(e), whole_rule=whole_rule)
        except (
            Exception
        ) as e:  # of an engine, of memory: the other choices still have their answers
            note = f"It could not be computed ({type(e).__name__})."
            return _without_number(choice, what, note, whole_rule=whole_rule)
        number = specification.estimate
        if number is None:
            lacks = f"The data lack {specification.lacks}."
            return _without_number(choice, what, lacks, whole_rule=whole_rule)
        return Answer(
            choice=choice,
            what=what,
            verdict=specification.verdict,
            symbol=SYMBOLS[specification.verdict],
            is_whole_rule=whole_rule,
            text=specification.text,
            value=number.value,
            low=number.low,
            high=number.high,
            note="",
        )

    def _records_of(self, choice: Choice) -> Records:
        """The records under a choice; read once for each definition of bad."""
        with self._lock:
            key = (choice.bad, choice.segment)
            if key not in self._records:
                records = self._base.records(choice.bad)
                self._records[key] = (
                    restrict(records, SEGMENT, choice.segment) if choice.segment else records
                )
            records = self._records[key]
        settings: dict[str, Any] = {"blackout_days": choice.blackout_days}
        if choice.horizon_days:
            settings["horizon_days"] = choice.horizon_days
        return replace(records, study=records.study.replace(**settings))

    def _find_choices(self) -> Choices:
        store, study = self._base.own, self._base.study
        context = EvaluationContext(store)
        try:
            reading = context.adapt(self.claim, self.claim.primary)
        except NotTestable:
            reading = self.claim.primary
        near: Mapping[str, Any] = {
            "log_days": store.window.last - store.window.first,
            "looks_back": store.lookback,
            "engine": self._base.engine,
            "window_days": (),
        }
        found = find_alternatives(study, self.claim, reading, **near)
        own_horizon = found.own.horizon_days
        horizons = found.horizon_days
        if (
            own_horizon
        ):  # a question of another horizon may be another question: here somebody asks it
            others = {own_horizon // 2, own_horizon, 2 * own_horizon}
            horizons = tuple(
                sorted(h for h in others if 0 < h < near["log_days"] or h == own_horizon)
            )
        return Choices(
            own=Choice(
                bad=found.own.bad,
                blackout_days=found.own.blackout_days,
                horizon_days=own_horizon,
                segment="",
            ),
            bad=_from_narrow_to_wide(found.bad),
            blackout_days=tuple(sorted(found.blackout_days)),
            horizon_days=horizons,
            segments=self._find_segments(),
        )

    def _find_segments(self) -> tuple[str, ...]:
        """The segments that are large enough to be looked at; none where there is only one."""
        if not self._base.study.described_by.segment:
            return ()
        records = self._base.records(self._base.own_bad)
        if SEGMENT not in records.levels or records.restricted_to:
            return ()
        least = records.study.info.min_cell
        names = tuple(name for name, n in count_customers(records, SEGMENT).items() if n >= least)
        return names if len(names) > 1 else ()


def _from_narrow_to_wide(conditions: tuple[str, ...]) -> tuple[str, ...]:
    """The study's own condition comes with one a step narrower before it and one a step wider after it."""
    own, *others = conditions
    if len(others) == 2:
        return (others[0], own, others[1])
    return (own, *others)


def _without_number(choice: Choice, what: str, note: str, *, whole_rule: bool) -> Answer:
    return Answer(
        choice=choice,
        what=what,
        verdict="not testable",
        symbol=SYMBOLS["not testable"],
        is_whole_rule=whole_rule,
        text="",
        value=None,
        low=None,
        high=None,
        note=note,
    )


def other_definitions(records: Records, claim: str) -> dict[str, Study]:
    """The study with one definition moved at a time: in words to what it is then.

    Args:
        records: of the study.
        claim: id of the claim whose number shall be asked for; what it does not depend on is left as it is.

    Raises:
        ClaimError: an unknown id.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(), 200, seed=1).study()
        >>> list(cx.panel.other_definitions(cx.read_records(study), "bad-moments-drive-away"))
        ['bad: stars <= 1', 'bad: stars <= 3', 'blackout: 7 days', 'blackout: 14 days']
    """
    answers = Answers(records, claim, shares_contacts=False)
    own, study = answers.choices.own, records.study
    result = {}
    for choice in answers.choices.one_at_a_time():
        if choice == own or choice.segment:
            continue
        settings: dict[str, Any] = {"blackout_days": choice.blackout_days}
        if choice.bad != own.bad:
            settings |= redefine_bad(study, choice.bad, records.engine)
        if choice.horizon_days:
            settings["horizon_days"] = choice.horizon_days
        result[describe(choice, own)] = study.replace(**settings)
    return result


def to_plain(answer: Answer) -> dict[str, Any]:
    """An answer as JSON."""
    result: dict[str, Any] = plain(answer)
    return result
