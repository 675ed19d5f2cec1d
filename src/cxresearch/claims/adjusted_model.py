"""What an adjusted model holds equal besides the terms that a claim names, and how a rival explanation changes it.

Strata are the study's (segment) and cohorts of 30 days of the clock's origin, so that the calendar is held equal to
within a month. Terms are the contacts of the last 90 days, those so far, and the age of the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from msgspec import structs

from cxresearch.claims.kinds import (
    AnyReading,
    HazardContrastReading,
    ModelComparisonReading,
    ModelReading,
    ShareAtRiskReading,
    ShareReading,
)
from cxresearch.claims.schema import Claim, make_history
from cxresearch.claims.validation import features
from cxresearch.estimators.shrinkage import check_shows_proneness, shrunken_log_odds
from cxresearch.histories import (
    age_of_last,
    age_since,
    contact_count,
    contacts_within,
    gap_before,
    grade_count,
)
from cxresearch.histories.base import History, behind
from cxresearch.histories.lookback import within_lookback
from cxresearch.histories.recency import calendar_month, moment_age
from cxresearch.records.contacts import GRADES
from cxresearch.records.follow_up import Window
from cxresearch.risk.episodes import MONTH
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study

CONTACTS, SO_FAR, RECENCY = "held_contacts", "held_so_far", "held_recency"
SHARE, UNKNOWN, CALENDAR = "held_share", "held_unknown", "held_month"
FRESH = "held_fresh"
POWERS = 3  # of the log odds of a share that is held equal
EARLIER_DAYS = 90  # what recent contacts are replaced by where the claim is about them: the same, so long before
_RECENT = (7, 30, 60, 90)  # last days of the bands of how recently a customer was in touch
# bands of contacts so far where proneness is held equal as well, or two descriptions of the past are compared
_FINE = (1, 2, 3, 4, 5, 6, 8, 11, 15, 21, 30)
_COARSE = (1, 3, 6, 11, 21)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """An analysis of a reading under a rival explanation; as it is written, by default.

    Attributes:
        lead: days: what happened in the last so many days is left aside.
        proneness: whether the share of such moments so far is held equal: among graded ones or, where moments without
            a grade are held equal as well, among all contacts.
        unknown: what moments without a grade count as: nothing, something to be held equal, or as of the grade that is
            asked about.
        event: another cause of leaving, as a negative control; empty for that of the reading.
        own_gaps: whether each customer is compared with that customer alone: does the next contact come later after
            such a contact (``now``), or after one before the last (``before``)?
        recent: of the moments asked about, only the age of the last one counts, up to so many days; 0 for all so far.
    """

    lead: int = 0
    proneness: bool = False
    unknown: Literal["", "held equal", "as asked"] = ""
    event: str = ""
    own_gaps: Literal["", "now", "before"] = ""
    recent: int = 0


@dataclass(frozen=True, slots=True)
class TableContext:
    """What the tables of a study depend on besides a reading.

    Attributes:
        study: its moments and retention.
        fixed: names of its fixed covariates.
        window: of the log.
        lookback: whether histories go back over `lookback_days` instead of to the start, since few customers start
            within the log.
        lapse_days: days of silence that are a lapse, where retention is derived from contacts; else 0.
    """

    study: Study
    fixed: tuple[str, ...]
    window: Window
    lookback: bool = False
    lapse_days: int = 0

    def looks_back(self, reading: AnyReading) -> bool:
        """Whether the histories of a reading go back over the look-back only."""
        return (
            self.lookback
            and isinstance(reading, ModelReading)
            and reading.time_origin is None
            and not reading.time_fixed
        )

    def observed_from(self, reading: AnyReading, lead: int = 0) -> int | None:
        """The day from which on customers are at risk, where histories look back; None where they need not.

        Histories that are set back reach so much further.
        """
        if not self.looks_back(reading):
            return None
        is_earlier = (
            isinstance(reading, ModelReading) and reading.model.held_equal == "earlier contacts"
        )
        back = lead + (EARLIER_DAYS if is_earlier else 0)
        return self.window.first + self.study.moments.lookback_days + back

    def looked_back(self, reading: AnyReading, history: History) -> History:
        """The history over the look-back, where there is one."""
        days = self.study.moments.lookback_days
        return within_lookback(history, days) if self.looks_back(reading) else history


def uses_cohorts(reading: AnyReading) -> bool:
    """Whether a reading compares customers of the same cohort."""
    return isinstance(reading, ModelReading) and not reading.time_fixed and reading.model.calendar


def claim_histories(
    setting: TableContext, claim: Claim, reading: AnyReading, variant: Variant
) -> dict[str, History]:
    """The histories that a reading names, as a variant looks at them.

    What the reading asks about takes effect `lead` days later and keeps its true ages; what it holds equal is set back
    by as many days.
    """
    asked = set(reading.subjects())
    lag = setting.study.moments.blackout_days
    result = {}
    for name in reading.names():
        if name not in claim.histories:
            continue
        entry: Mapping[str, Any] = claim.histories[name]
        if variant.unknown == "as asked" and _grade_counted(entry) == asked_grade(claim, reading):
            entry = {**entry, "or_unknown": True}
        if variant.recent and name in asked:
            entry = {
                "use": "age_of_last",
                "grade": _grade_counted(entry),
                "edges": [variant.recent],
            }
        how = claim.at_lead.get(name, "delayed" if name in asked else "set back")
        history = make_history(f"claims.{claim.id}.histories.{name}", entry)
        if setting.lapse_days and is_of_leavers(reading):
            history = _before_silence(claim, name, entry, setting.lapse_days)
        history = setting.looked_back(reading, history)
        if variant.lead and how != "delayed":
            history = behind(history, variant.lead if how == "set back" else 0, lag)
        result[name] = history
    return result


def is_of_leavers(reading: AnyReading) -> bool:
    """Whether a reading describes what customers had lived through shortly before they left."""
    return isinstance(reading, ShareAtRiskReading) or (
        isinstance(reading, ShareReading) and bool(reading.exit_causes)
    )


def _before_silence(claim: Claim, name: str, entry: Mapping[str, Any], lapse_days: int) -> History:
    """A history of the last so many days, as of the last contact before a lapse: they reach back over the silence.

    What happens during the silence counts, and bands keep their names.
    """
    where = f"claims.{claim.id}.histories.{name}"
    use, longer = entry.get("use"), dict(entry)
    if use in ("age_of_last", "age_since"):
        longer["edges"] = [edge + lapse_days for edge in entry["edges"]]
    elif use == "contacts_within":
        longer["days"] = entry["days"] + lapse_days
    else:
        return make_history(where, entry)
    return replace(make_history(where, longer), levels=make_history(where, entry).levels)


def held_histories(
    setting: TableContext, claim: Claim, reading: AnyReading, variant: Variant, *, calendar: bool
) -> dict[str, History]:
    """The histories that are held equal besides those that a reading names."""
    if not isinstance(reading, ModelReading) or reading.time_fixed:
        return {}
    lag = setting.study.moments.blackout_days
    result: dict[str, History] = {}
    is_shop = setting.study.retention.kind == "activity"
    if is_shop and reading.after_days and reading.time_origin:
        # contacts so soon after the origin are left out; on the clock of days, the days
        result[f"{FRESH}_origin"] = age_since("problem", (reading.after_days,))
    if calendar:
        first, last = setting.window.first, setting.window.last
        result[CALENDAR] = calendar_month(first, (last - first) // MONTH + 1)
    if reading.model.held_equal == "nothing":
        return result
    earlier = EARLIER_DAYS if reading.model.held_equal == "earlier contacts" else 0
    back = variant.lead + earlier
    standard = {
        CONTACTS: contacts_within(90, (1, 3, 6)),
        SO_FAR: contact_count(_FINE),
        RECENCY: _recency(setting, back),
    }
    entries = proneness_entries(claim, reading) if variant.proneness else ()
    if variant.unknown == "held equal":
        entries = shares_of_all(entries)
    for i, entry in enumerate(entries):
        standard[f"{SHARE}_{i}"] = make_history("proneness", entry)
    if variant.lead and is_shop:
        for i, kind in enumerate(fresh_moments(claim, reading)):
            age = moment_age(variant.lead, **kind)
            result[f"{FRESH}_{i}"] = behind(setting.looked_back(reading, age), 0, lag)
    if variant.unknown == "held equal":
        standard[UNKNOWN] = grade_count("unknown", (1, 2, 3))
    for name, history in standard.items():
        wanted = setting.looked_back(reading, history)
        result[name] = behind(wanted, back, lag) if back else wanted
    return result


def _recency(setting: TableContext, back: int) -> History:
    """How recently a customer was in touch; at a contact itself, how long the gap before it was."""
    if setting.study.retention.kind == "activity" and not back:
        return gap_before(_RECENT)
    return age_of_last("any", _RECENT)


def proneness_entries(claim: Claim, reading: AnyReading) -> tuple[Mapping[str, Any], ...]:
    """What customers may be prone to that a reading asks about; empty where there is no such thing.

    Of graded moments of some attribute, such as bad ones without a person, there are two such things: the grade, and
    the attribute whatever the grade. Who does everything in the app may leave sooner anyway.
    """
    if claim.proneness:
        return claim.proneness
    kinds: list[dict[str, Any]] = []
    for name in reading.subjects():
        entry = claim.histories.get(name, {})
        use = entry.get("use")
        if use in ("bad_count", "first_bad"):
            kinds.append({"grade": "bad"})
        elif use == "grade_count":
            kinds.append({"grade": entry.get("grade")})
        elif use == "moment_count":
            kind = {k: v for k, v in entry.items() if k not in ("use", "edges")}
            if kind.get("grade") == "unknown":
                continue
            others = {k: v for k, v in kind.items() if k != "grade"}
            is_both = "grade" in kind and others
            kinds += [{"grade": kind["grade"]}, others] if is_both else [kind]
    result = {repr(sorted(kind.items())): kind for kind in kinds if kind}
    return tuple(
        {"use": "graded_share", **kind}
        for kind in result.values()
        if kind.get("grade") != "unknown"
    )


def shares_of_all(entries: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The shares of graded moments as shares of all contacts, graded or not.

    Where only what annoyed is graded, all that is graded is bad, of whomever; how much of all it is tells them apart.
    """
    graded = (e for e in entries if e.get("use") == "graded_share" and "among" not in e)
    return tuple({**e, "among": list(GRADES)} for e in graded)


def recent_reading(claim: Claim, reading: AnyReading, days: int) -> HazardContrastReading | None:
    """A reading that compares customers with a first moment and without, asked of the last such moment's age instead.

    To be computed with `Variant.recent`.

    Args:
        claim: whose reading it is.
        reading: the reading.
        days: how old the last moment may be.

    Returns:
        The rate of leaving so soon after such a moment, over that without one; None where the reading compares other
        levels, or moments that are no grade.
    """
    if (
        not isinstance(reading, HazardContrastReading)
        or len(reading.contrast) != 1
        or reading.subset
    ):
        return None
    name, _, level = next(iter(reading.contrast)).removesuffix("]").partition("[")
    entry = claim.histories.get(name)
    if entry is None or not _grade_counted(entry) or claim.history(name).levels[1] != level:
        return None
    contrast = {f"{name}[0-{days}]": 1.0}
    return structs.replace(reading, id=f"{reading.id}-recent", contrast=contrast)


def asked_grade(claim: Claim, reading: AnyReading) -> str:
    """The grade of the moments that a reading asks about; bad where it counts none."""
    counted = (_grade_counted(claim.histories.get(name, {})) for name in reading.subjects())
    return next((g for g in counted if g not in ("", "unknown")), "bad")


def terms_of(claim: Claim, reading: ModelReading, variant: Variant) -> tuple[str, ...]:
    """The terms that a reading names; moments without a grade are none where they count as of the grade asked about."""
    terms = reading.model.terms
    if variant.unknown != "as asked":
        return terms
    entries = claim.histories
    return tuple(
        t
        for t in terms
        if all(_grade_counted(entries.get(name, {})) != "unknown" for name in features(t))
    )


def _grade_counted(entry: Mapping[str, Any]) -> str:
    """The grade whose moments a history counts; empty where it counts no grade."""
    use = entry.get("use")
    return "bad" if use == "bad_count" else str(entry["grade"]) if use == "grade_count" else ""


CONDITIONS = (
    "grade",
    "attended",
    "is_problem",
    "handoff",
    "respect",
    "solutions",
    "simplicity",
    "responsibility",
)


def counted_contacts(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """What contacts must be like that a history counts; None where it is no count of contacts of one kind.

    Args:
        entry: the history, as a claim writes it.
    """
    use = entry.get("use")
    if use == "bad_count":
        return {"grade": "bad"}
    if use not in ("grade_count", "moment_count"):
        return None
    return {name: entry[name] for name in CONDITIONS if entry.get(name) is not None}


def fresh_moments(claim: Claim, reading: AnyReading) -> tuple[dict[str, Any], ...]:
    """The moments of which a contrast asks whether there was any so far; empty where it asks for how many.

    With a lead on the clock of contacts, whoever had one of late is in no group: among those taken to have had none
    they would hide what moments do, and if they alone were taken out of these, only leavers who show no sign would
    be left there.
    """
    if not isinstance(reading, HazardContrastReading):
        return ()
    levels = {n for t in reading.contrast if t.endswith("]") for n in features(t)}
    kinds = (counted_contacts(claim.histories.get(name, {})) for name in sorted(levels))
    return tuple(kind for kind in kinds if kind)


@dataclass(frozen=True, slots=True, eq=False)
class AdjustedModel:
    """A table made ready for a fit.

    Attributes:
        table: the risk table.
        terms: those that the reading names, and those held equal.
        held: of them, those that are only held equal.
    """

    table: RiskTable
    terms: tuple[str, ...]
    held: tuple[str, ...]


def adjusted_model(table: RiskTable, reading: ModelReading, terms: Sequence[str]) -> AdjustedModel:
    """Add to the terms of a reading what is held equal.

    Args:
        table: with the features of `claim_histories` and `held_histories`.
        reading: whose model it is.
        terms: of the reading, as they can be had.

    Raises:
        NotTestable: shares so far are to be held equal and do not show what customers are prone to.
    """
    names = {f.name for f in table.features}
    asked = {n for t in reading.weighted() for n in features(t)}
    held = [t for t in terms if not set(features(t)) & asked]
    months = () if table.clock == "contact" else (CALENDAR,)  # there they are strata
    extra = [n for n in (CONTACTS, RECENCY, *months, UNKNOWN) if n in names]
    shares = sorted(n for n in names if n.startswith(SHARE))
    if SO_FAR in names:
        extra.insert(0, SO_FAR)
        if not shares and not isinstance(reading, ModelComparisonReading):
            table = table.relabel(SO_FAR, _coarse(table))
    for name in shares:
        check_shows_proneness(table, name)
    for name in shares:
        table, has_differences = shrunken_log_odds(table, name)
        linear = f"linear({name})"
        # who grumbles at everything may stay: the rate of leaving need not rise all the way
        extra += (
            [":".join([linear] * power) for power in range(1, POWERS + 1)]
            if has_differences
            else []
        )
    extra = [n for n in extra if n.startswith("linear(") or len(table.positions(n)) > 1]
    wanted = [t for t in extra if t not in terms]
    return AdjustedModel(table, (*terms, *wanted), (*held, *wanted))


def _coarse(table: RiskTable) -> dict[str, str]:
    """The names of the bands of contacts so far that most models tell apart."""
    result = {}
    for level in table.feature(SO_FAR).levels[:-1]:
        first = int(level.removesuffix("+").partition("-")[0])
        at = sum(first >= e for e in _COARSE)
        edges = (0, *_COARSE)
        last = edges[at + 1] - 1 if at + 1 < len(edges) else None
        result[level] = f"{edges[at]}+" if last is None else f"{edges[at]}-{last}"
    return result
