"""The chance that a customer stays, and what a hazard ratio makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cxresearch.claims.context import MIN_EXPECTED
from cxresearch.disclosure.counts import count_text, hide, rounding_note
from cxresearch.errors import NotTestable, ShortFollowUp
from cxresearch.estimators.contrasts import contrast
from cxresearch.estimators.discrete import fit_hazards
from cxresearch.estimators.incidence import aalen_johansen, curve_influence, first_time, support
from cxresearch.estimators.influence import Clusters, places, robust_error
from cxresearch.estimators.rates import expected_events
from cxresearch.estimators.results import CoxFit, Estimate, Vector, estimate
from cxresearch.explore import records_of
from cxresearch.histories import contacts_within, grade_count
from cxresearch.journey.perception import in_order
from cxresearch.journey.touchpoints import counted, has_column, strata_of, tally_moments
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import Records
from cxresearch.records.restrict import restrict_to_log
from cxresearch.risk.episodes import clock_of
from cxresearch.risk.table import RiskTable
from cxresearch.study import Study
from cxresearch.utils.html_tables import html_table
from cxresearch.utils.result import Drawable, Result

_CAUSE = "defection"
_LEAST = 1e-9  # a chance that is not nothing, so that it has powers


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """The chance to stay.

    Attributes:
        every: to be still there, whatever others leave for.
        only_defection: the same if defection were all there is to leave for.
        influence: shape (G, 2): how much each cluster moves the two.
        clusters: whom errors are summed over.
        meaning: what staying is.
    """

    every: float
    only_defection: float
    influence: NDArray[np.float64]
    clusters: Clusters
    meaning: str

    def change(self, log: float, by_cluster: Vector) -> tuple[float, Vector]:
        """By how much `every` changes where the hazard of defection is exp(log) times as high, and no other hazard.

        Without other causes that is S^exp(b) - S.

        Args:
            log: b.
            by_cluster: shape (G,): how much each cluster moves it.

        Returns:
            The change, and how much each cluster moves it.
        """
        base, extra = max(self.only_defection, _LEAST), float(np.expm1(log))
        power = base**extra
        by_log = self.every * power * np.log(base) * np.exp(log)
        moves = (power - 1) * self.influence[:, 0]
        moves = moves + self.every * extra * power / base * self.influence[:, 1]
        return self.every * (power - 1), np.asarray(moves + by_log * by_cluster)

    def estimate(self, level: float) -> Estimate:
        """The chance itself."""
        inside = min(max(self.every, _LEAST), 1 - _LEAST)
        se = float(robust_error(self.influence[:, 0])) / (inside * (1 - inside))
        return estimate(inside, se, scale="logit", level=level, clusters=self.clusters)


def still_there(table: RiskTable, horizon: int, clusters: Clusters, min_at_risk: int) -> Chance:
    """The chance to be there after so many days of tenure.

    Args:
        table: on the tenure clock; its features are summed over.
        horizon: days.
        clusters: of the model that it goes with.
        min_at_risk: from where on as many are at risk, days count.

    Raises:
        NotTestable: a horizon beyond the follow-up.
    """
    causes = (_CAUSE, *(c for c in table.causes[1:] if c != _CAUSE))
    start = first_time(table, min_at_risk)
    end = support(aalen_johansen(table, causes, start), min_at_risk)
    if horizon > end:
        raise ShortFollowUp(horizon, end)
    point = np.array([horizon])
    alone = _stays(table, (_CAUSE,), start, horizon)
    every, moves = alone, curve_influence(table, (_CAUSE,), start, point)[:, 0]
    of_every = moves
    if len(causes) > 1:
        every = _stays(table, causes, start, horizon)
        # all who left, whatever for: the incidences of all causes together
        orders = [(c, *(d for d in causes if d != c)) for c in causes]
        of_every = np.sum([curve_influence(table, o, start, point)[:, 0] for o in orders], axis=0)
    influence = -np.column_stack([of_every, moves])
    return Chance(every, alone, influence, clusters, f"still there after {horizon:,} days")


def comes_back(table: RiskTable, gap_days: int, clusters: Clusters) -> Chance:
    """The chance that another contact follows a contact within the gap.

    Args:
        table: on the contact clock; its features are summed over.
        gap_days: days.
        clusters: as `still_there`.
    """
    flows, place = table.flows, places(table.population, table.flows["group"])
    time = flows["time"].to_numpy().astype(np.float64)
    out = flows.select(pl.col("left").cast(pl.Int64) - pl.col("entered")).to_series().to_numpy()
    contacts = np.bincount(place, time * out, table.groups)
    lapsed = np.bincount(place, flows[_CAUSE].to_numpy(), table.groups).astype(np.float64)
    rate = float(lapsed.sum() / contacts.sum())
    moves = -(lapsed - contacts * rate) / float(contacts.sum())
    return Chance(
        1 - rate,
        1 - rate,
        np.column_stack([moves, moves]),
        clusters,
        f"back within {gap_days:,} days of a contact",
    )


def _stays(table: RiskTable, causes: tuple[str, ...], start: int, horizon: int) -> float:
    """Still there at the horizon, if these causes were all there is to leave for."""
    curve = aalen_johansen(table, causes, start)
    at = int(np.searchsorted(curve.times, horizon, side="right")) - 1
    return float(curve.survival[at]) if at >= 0 else 1.0


_CAUSE_LOYALTY, _CONTACTS, _EVERYWHERE = "defection", "contacts", "all moments"
_CAP = (1, 2, 3, 4, 5)
_AGAINST = (
    "neutral",
    "good",
    "bad",
)  # what a moment is held against: the first of which there are enough


@dataclass(frozen=True, slots=True)
class Shift(Result):
    """By how much the chance to stay is another after some moments.

    Attributes:
        of: a grade, a touchpoint, or ``all moments``.
        moments: how many; None where hidden.
        change: of the chance, a difference of shares; None where the data cannot give it.
    """

    of: str
    moments: int | None = field(repr=False)
    change: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LoyaltyShift(Result, Drawable):
    """The chance that a customer stays, and by how much it is another after a moment.

    Attributes:
        stays: the chance, over all customers.
        meaning: what staying is, such as ``still there after 365 days``.
        reference_grade: the grade of the moment that others are held against.
        hazard_ratios: shape (4,): of one more bad, neutral, good, unknown moment in place of one of that grade; None
            where there are too few.
        grades: shape (4,): the change by grade.
        touchpoints: shape (K,): the change by touchpoint, averaged over its moments, in the order of first contact;
            empty where the log names none.
        everywhere: the change averaged over all moments.
        customers: in the model.
        level: confidence level.
        min_cell: the smallest count shown.
    """

    stays: Estimate
    meaning: str
    reference_grade: str
    hazard_ratios: tuple[Estimate | None, ...]
    grades: tuple[Shift, ...]
    touchpoints: tuple[Shift, ...]
    everywhere: Shift
    customers: int
    level: float
    min_cell: int

    def to_polars(self) -> pl.DataFrame:
        """One row per grade, touchpoint and for all moments: kind, of, moments, change, limits."""
        kinds = (
            ("grade", self.grades),
            ("touchpoint", self.touchpoints),
            ("all", (self.everywhere,)),
        )
        rows = [
            (
                kind,
                s.of,
                s.moments,
                *((s.change.value, s.change.low, s.change.high) if s.change else (None,) * 3),
            )
            for kind, shifts in kinds
            for s in shifts
        ]
        numbers = dict.fromkeys(("change", "low", "high"), pl.Float64)
        return pl.DataFrame(
            rows, {"kind": pl.String, "of": pl.String, "moments": pl.Int64, **numbers}, orient="row"
        )

    def __repr__(self) -> str:
        change = _points(self.everywhere.change)
        return f"LoyaltyShift({self.stays.value:.0%} {self.meaning}; {change} points after a moment, on average)"

    def _repr_html_(self) -> str:
        stays = f"{self.stays.value:.0%} ({self.stays.low:.0%} to {self.stays.high:.0%}) are {self.meaning}"
        grades = (
            *((f"{s.of} moments", s) for s in self.grades if s.moments != 0),
            *((s.of, s) for s in self.touchpoints),
            (self.everywhere.of, self.everywhere),
        )
        return html_table(
            f"{stays}. After one more moment it is so many points more or fewer",
            ("after", "moments", f"points, against a {self.reference_grade} moment"),
            (
                (
                    name,
                    count_text(s.moments, self.min_cell),
                    "–" if s.of == self.reference_grade else _points(s.change),
                )
                for name, s in grades
            ),
            (
                f"Limits at {self.level:.0%}.",
                "An association, not an effect.",
                rounding_note(self.min_cell),
            ),
        )


def loyalty_shift(study: Study | Records) -> LoyaltyShift:
    """By how much the chance that a customer stays is another after a moment, by grade and by touchpoint.

    With a contract, staying is to be there after the study's horizon, whatever others leave for; without one, to come
    back within the gap. That chance, over all customers, is moved by the hazard ratio of one more moment of a grade in
    place of a neutral one (a good one, where there are too few neutral ones), the other moments and the contacts of the
    last 90 days equal, within the segment. A touchpoint gets the average over the grades of its moments.

    What this does not say: that a moment *made* the difference (customers with bad moments may differ in ways the data
    do not show); what becomes of any one customer; nor that touchpoints differ in more than the grades of their
    moments, since a bad moment counts alike wherever it was (`cxresearch.journey.perception_map` distinguishes these).

    Args:
        study: a study, or its records.

    Returns:
        The chance and its changes. Errors are robust, by cluster; the grades of a touchpoint's moments are held fixed.

    Raises:
        NotTestable: too few customers or defections, a horizon beyond the follow-up, or one grade alone.
        EstimationError: moments of several grades that always come together.
        SourceError, DataError: as `cxresearch.audit`.

    References:
        Shep Hyken, Manage Every Moment, for the question.

    Example:
        >>> import cxresearch as cx
        >>> study = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 1000, seed=1).study()
        >>> cx.journey.loyalty_shift(study)
        LoyaltyShift(49% still there after 365 days; -1.3 (-3.0 to +0.3) points after a moment, on average)
    """
    records = restrict_to_log(records_of(study, required_columns=("touchpoint",)))
    info, level = records.study.info, records.study.decision.level
    result = _model(records)
    clusters = result.fit.clusters
    assert clusters is not None  # of a fit with robust errors
    if result.table.clock == "contact":
        chance = comes_back(result.table, records.lapse.days if records.lapse else 0, clusters)
    else:
        chance = still_there(result.table, info.horizon_days, clusters, info.min_cell)
    moved = {g: chance.change(*result.log_ratio(g)) for g in result.grades}
    by_place, names = _counts(records)
    by_grade = [int(n) for n in by_place.sum(axis=0)]

    def shift(of: str, moments: int | None, counts: Mapping[str, int]) -> Shift:
        weights = {g: counts.get(g, 0) for g in moved}
        total = sum(weights.values())
        if not total:
            return Shift(of, moments, None)
        value = sum(weights[g] / total * moved[g][0] for g in moved)
        moves: Vector = np.sum([weights[g] / total * moved[g][1] for g in moved], axis=0)
        se = float(robust_error(moves))
        return Shift(
            of, moments, estimate(value, se, scale="identity", level=level, clusters=clusters)
        )

    counts = [dict(zip(GRADES, row.tolist(), strict=True)) for row in by_place]
    shown_counts = hide(by_grade, info.min_cell)
    return LoyaltyShift(
        stays=chance.estimate(level),
        meaning=chance.meaning,
        reference_grade=result.reference_grade,
        hazard_ratios=tuple(result.ratio(g) if g in result.grades else None for g in GRADES),
        grades=tuple(shift(g, n, {g: 1}) for g, n in zip(GRADES, shown_counts, strict=True)),
        touchpoints=tuple(
            shift(name, sum(row.values()), row)
            for name, row in zip(names, counts, strict=True)
            if name
        ),
        everywhere=shift(_EVERYWHERE, sum(by_grade), dict(zip(GRADES, by_grade, strict=True))),
        customers=result.table.customers,
        level=level,
        min_cell=info.min_cell,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """The hazard by the number of moments of each grade so far.

    Attributes:
        table: the risk table.
        fit: the model; moments of the grade `against` are no term of it on the contact clock, where the number of all
            moments is the time.
        grades: of which there are enough.
        reference_grade: the grade that others are held against.
    """

    table: RiskTable
    fit: CoxFit
    grades: tuple[str, ...]
    reference_grade: str

    def log_ratio(self, grade: str) -> tuple[float, Vector]:
        """The log hazard ratio of a moment in place of one held against, and how much each cluster moves it."""
        weights = np.zeros(len(self.fit.terms))
        for term, weight in self._weights(grade).items():
            weights[self.fit.terms.index(term)] = weight
        return float(weights @ self.fit.coef), self.fit.influence @ weights

    def ratio(self, grade: str) -> Estimate:
        """The hazard ratio with its interval."""
        return contrast(self.fit, self._weights(grade))

    def _weights(self, grade: str) -> dict[str, float]:
        terms = (
            {}
            if grade == self.reference_grade
            else {_term(grade): 1.0, _term(self.reference_grade): -1.0}
        )
        return {t: w for t, w in terms.items() if t in self.fit.terms}


def _model(records: Records) -> _Model:
    settings, strata, clock = records.study.decision, strata_of(records), clock_of(records.study)
    histories = {_name(g): grade_count(g, _CAP) for g in GRADES}
    table = counted(records, {**histories, _CONTACTS: contacts_within(90)}, clock, strata)
    if table.events(_CAUSE_LOYALTY) == 0:
        raise NotTestable("no_such_data", "defections among customers seen from their start")
    known = tuple(g for g in GRADES if _expected(table, g, strata) >= MIN_EXPECTED)
    reference_grade = next((g for g in _AGAINST if g in known), "")
    if len(known) < 2 or not reference_grade:
        raise NotTestable("too_few", "moments enough of two grades to compare")
    contact = table.clock == "contact"
    terms = [_term(g) for g in known if not (contact and g == reference_grade)]
    fit = fit_hazards(
        table,
        [*terms, _CONTACTS],
        held=[_CONTACTS],
        strata=strata,
        cause=_CAUSE_LOYALTY,
        level=settings.level,
    )
    return _Model(table, fit, known, reference_grade)


def _expected(table: RiskTable, grade: str, strata: tuple[str, ...]) -> float:
    """Defections expected after a first moment of a grade."""
    counts = expected_events(table, _name(grade), _CAUSE_LOYALTY, strata)
    return float(counts.filter(pl.col("level") != "0")["expected"].sum())


def _counts(records: Records) -> tuple[np.ndarray, tuple[str, ...]]:
    """Moments by touchpoint and grade, in the order of first contact; one row without a name if the log names none."""
    if "touchpoint" not in records.available or not has_column(records, "touchpoint"):
        by = dict(tally_moments(records, "grade").iter_rows())
        return np.array([[by.get(g, 0) for g in range(len(GRADES))]]), ("",)
    cells = {(p, g): n for p, g, n in tally_moments(records, "touchpoint", "grade").iter_rows()}
    try:
        places = in_order(records)
    except NotTestable:
        rows = [[sum(n for (_, h), n in cells.items() if h == g) for g in range(len(GRADES))]]
        return np.array(rows), ("",)
    rows = [
        [sum(cells.get((p, g), 0) for p in place.positions) for g in range(len(GRADES))]
        for place, _ in places
    ]
    return np.array(rows), tuple(place.name for place, _ in places)


def _name(grade: str) -> str:
    return f"each_{grade}"


def _term(grade: str) -> str:
    return f"linear({_name(grade)})"


def _points(change: Estimate | None) -> str:
    if change is None:
        return "–"
    value, low, high = (100 * v for v in (change.value, change.low, change.high))
    return f"{value:+z.1f} ({low:+z.1f} to {high:+z.1f})"
