"""The weakest point of a journey: which touchpoint it is, and how certain that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from cxresearch.disclosure.counts import about, count_text, part_of, rounding_note
from cxresearch.estimators.results import Estimate
from cxresearch.journey.contributions import Contributions, contributions
from cxresearch.journey.touchpoints import (
    MOST,
    TouchpointGroup,
    attribute_records,
    first_days,
    has_column,
    places_of,
    splits,
    tally_moments,
)
from cxresearch.records.contacts import GRADES
from cxresearch.records.records import Records
from cxresearch.study import LEVELS_OF_SERVICE, Study
from cxresearch.utils.checks import arguments, lookup
from cxresearch.utils.html_tables import html_table, isolated
from cxresearch.utils.result import Drawable, Result, limits_of


@dataclass(frozen=True, slots=True)
class WeakestPoint(Result):
    """The touchpoint whose bad moments the largest share of defections goes with, if one stands out.

    Attributes:
        name: the touchpoint; empty where none stands out.
        share: of the defections; None where none stands out.
        not_distinguishable_from: touchpoints whose share may be as large, going by the interval of the difference.
        sentence: the result in plain words.
    """

    name: str
    share: Estimate | None
    not_distinguishable_from: tuple[str, ...]
    sentence: str

    @property
    def is_distinguishable(self) -> bool:
        """Whether its share differs from that of every other."""
        return bool(self.name) and not self.not_distinguishable_from

    def __repr__(self) -> str:
        return f"WeakestPoint({self.sentence})"

    def _repr_html_(self) -> str:
        rows = [("weakest point", self.name or "none stands out")]
        if self.share is not None:
            rows.append(("share of the defections", _spread(self.share)))
            rows.append(
                (
                    "cannot be distinguished from",
                    ", ".join(map(isolated, self.not_distinguishable_from))
                    or "none: it stands apart",
                )
            )
        return html_table(self.sentence, ("what", "is"), rows)


def weakest_point(places: Sequence[TouchpointGroup], result: Contributions) -> WeakestPoint:
    """Name the single touchpoint with the largest share among those whose interval lies above zero.

    Each other share is compared with it by the interval of their difference. That needs no allowance for having picked
    the largest.

    Args:
        places: of the touchpoints.
        result: their contributions.

    References:
        Gutmann & Maymin (1987), Is the selected population the best?, Annals of Statistics 15, 456-461.
    """
    known = [(i, share) for i, share in enumerate(result.shares) if share is not None]
    if not known:
        why = next((lack for lack in result.lacks if lack), "bad moments")
        return WeakestPoint("", None, (), f"No touchpoint can be weighed: the study lacks {why}.")
    above = [(share.value, i, share) for i, share in known if share.low > 0 and places[i].single]
    if not above:
        i, largest = max(known, key=lambda k: k[1].value)
        return WeakestPoint(
            "",
            None,
            (),
            f"None stands out: no touchpoint has a share of the defections that is above zero beyond chance. The "
            f"largest is that of {isolated(places[i].name)}, {_spread(largest)}.",
        )
    _, best, share = max(above)
    others = sorted(((s.value, i) for i, s in known if i != best), reverse=True)
    unclear = tuple(places[i].name for _, i in others if result.more(best, i).low <= 0)
    return WeakestPoint(
        places[best].name, share, unclear, _sentence(places[best].name, share, len(others), unclear)
    )


def _sentence(name: str, share: Estimate, others: int, unclear: tuple[str, ...]) -> str:
    first = f"The weakest point is {isolated(name)}: {_spread(share)} of the defections go with bad moments there."
    if not others:
        return f"{first} No other touchpoint can be weighed."
    if not unclear:
        return f"{first} It can be distinguished from every other touchpoint that can be weighed."
    if len(unclear) == others > 1:
        return f"{first} It cannot be distinguished from any other touchpoint: the share of each may be as large."
    return f"{first} It cannot be distinguished from {_listed(unclear)}: the share there may be as large."


def _listed(names: Sequence[str]) -> str:
    first = ", ".join(map(isolated, names[:-1]))
    return isolated(names[0]) if len(names) == 1 else f"{first} and {isolated(names[-1])}"


def _spread(share: Estimate | None) -> str:
    if share is None:
        return ""
    return f"{share.value:z.1%} ({share.low:z.1%} to {share.high:z.1%})"


_UNKNOWN = "unknown"


def _table(touchpoints: Sequence[Touchpoint]) -> pl.DataFrame:
    rows = [_row(t) for t in touchpoints]
    names = {"touchpoint", "owners", "lacks"}
    kinds = {
        c: pl.Float64 if c.startswith(("share", "hazard_ratio", "first_day")) else pl.Int64
        for row in rows
        for c in row
        if c not in names
    }
    return pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None)


def _row(t: Touchpoint) -> dict[str, object]:
    names = (*LEVELS_OF_SERVICE, f"{_UNKNOWN} level")
    levels = zip(names, t.levels, strict=True) if t.levels else ()
    return {
        "touchpoint": t.name,
        "first_day": t.first_day,
        "owners": ", ".join(t.owners),
        "moments": t.moments,
        "customers": t.customers,
        **dict(zip(GRADES, t.grades, strict=True)),
        **dict(levels),
        **limits_of("share", t.share),
        **limits_of("hazard_ratio", t.hazard_ratio),
        "lacks": t.lacks,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Touchpoint(Result):
    """One row of a map: a touchpoint, or the rare ones put together.

    Attributes:
        name: as in the log; ``other`` for several, ``not recorded`` for contacts without one.
        single: whether it is one touchpoint with a name.
        first_day: median day of tenure of customers' first contact there; None where too few are seen from their start.
        owners: functions responsible for enough moments there to be shown, the one with most first.
        moments: contacts there.
        customers: who had one there.
        grades: shape (4,): moments that were bad, neutral, good, unknown; None where hidden.
        levels: shape (7,): moments of each level of service, criminal to unbelievable, and unknown; None where hidden;
            empty where the log has no levels.
        share: of the defections that goes with bad moments there; None where the data cannot give it.
        hazard_ratio: of customers with a bad moment there so far against those without; None where the data
            cannot give it.
        lacks: what the study lacks for these two; empty where it lacks nothing.
    """

    name: str
    single: bool
    first_day: float | None
    owners: tuple[str, ...]
    moments: int = field(repr=False)
    customers: int = field(repr=False)
    grades: tuple[int | None, ...] = field(repr=False)
    levels: tuple[int | None, ...] = field(repr=False)
    share: Estimate | None
    hazard_ratio: Estimate | None
    lacks: str

    def to_polars(self) -> pl.DataFrame:
        """One row, as of `PerceptionMap.to_polars`."""
        return _table([self])


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PerceptionMap(Result, Drawable, Mapping[str, Touchpoint]):
    """The touchpoints in the order in which customers first meet them.

    Attributes:
        touchpoints: shape (K,): by the day of first contact; those that are no single touchpoint come last.
        weakest: the one that is named.
        clock: of the model: ``tenure`` or ``contact``.
        customers: in the model: those whose beginnings the log shows.
        left_out: customers who are not.
        defections: in the model.
        level: confidence level of all intervals together.
        level_each: confidence level of each.
        min_cell: the smallest count shown.
    """

    touchpoints: tuple[Touchpoint, ...]
    weakest: WeakestPoint
    clock: str
    customers: int
    left_out: int
    defections: int
    level: float
    level_each: float
    min_cell: int

    def __getitem__(self, name: str) -> Touchpoint:
        """The touchpoint of that name."""
        return lookup({t.name: t for t in self.touchpoints}, name, "touchpoint")

    def __iter__(self) -> Iterator[str]:
        return iter([t.name for t in self.touchpoints])

    def __len__(self) -> int:
        return len(self.touchpoints)

    @property
    def has_levels(self) -> bool:
        """Whether the log has levels of service."""
        return any(t.levels for t in self.touchpoints)

    def to_polars(self) -> pl.DataFrame:
        """One row per touchpoint; counts by grade and level, the share and the hazard ratio with their limits."""
        return _table(self.touchpoints)

    def __repr__(self) -> str:
        return (
            f"PerceptionMap({', '.join(t.name for t in self.touchpoints)}; {self.weakest.sentence})"
        )

    def _repr_html_(self) -> str:
        owners = any(t.owners for t in self.touchpoints)
        heads = (
            *("touchpoint", *(("owner",) if owners else ())),
            *(
                "first met on day",
                "moments",
                "customers",
                "hazard ratio",
                "share of the defections",
            ),
        )
        rows = (
            (
                *(t.name, *((", ".join(map(isolated, t.owners)) or "–",) if owners else ())),
                "–" if t.first_day is None else f"{t.first_day:,.0f}",
                count_text(t.moments, self.min_cell),
                count_text(t.customers, self.min_cell),
                _with_limits(t.hazard_ratio, ".2f"),
                _with_limits(t.share, ".1%"),
            )
            for t in self.touchpoints
        )
        return (
            html_table("The touchpoints, by the day of first contact", heads, rows, self._notes())
            + self._split(
                "How the moments there went", GRADES, [t.grades for t in self.touchpoints]
            )
            + (
                self._split(
                    "Levels of service there",
                    (*LEVELS_OF_SERVICE, _UNKNOWN),
                    [t.levels for t in self.touchpoints],
                )
                if self.has_levels
                else ""
            )
        )

    def _notes(self) -> tuple[str, ...]:
        hidden = any(None in (*t.grades, *t.levels) for t in self.touchpoints)
        lacking = [
            f"{isolated(t.name)}: no share, for lack of {t.lacks}."
            for t in self.touchpoints
            if t.lacks
        ]
        return (
            "Day: of tenure, the median over customers. Hazard ratio: of those with a bad moment there so far.",
            f"Limits hold together at {self.level:.0%}.",
            rounding_note(self.min_cell),
            f"From {about(self.defections, self.min_cell)} defections of "
            f"{about(self.customers, self.min_cell)} customers.",
            f"Not among these, as the log does not show their beginnings: {count_text(self.left_out, self.min_cell)}."
            if self.left_out
            else "",
            f"Counts below {self.min_cell} are not shown, nor what would give them away."
            if hidden
            else "",
            *lacking,
        )

    def _split(
        self, caption: str, heads: Sequence[str], counts: Sequence[Sequence[int | None]]
    ) -> str:
        """The shares of a touchpoint's moments."""
        rows = (
            (t.name, *(_part(n, t.moments, self.min_cell) for n in row))
            for t, row in zip(self.touchpoints, counts, strict=True)
        )
        return html_table(caption, ("touchpoint", *heads), rows)


def perception_map(study: Study | Records, *, most: int = MOST) -> PerceptionMap:
    """Map the touchpoints: their order, volume, grades and levels, and what goes with bad moments at each.

    The order is that of the median day of tenure on which customers first had a contact there. The share of defections
    that goes with bad moments at a touchpoint is an attributable share from one hazard model of all of them, contacts
    of the last 90 days equal and within the segment (on the contact clock where the study is derived from contacts). It
    is a share of hazard: what goes with bad moments there, not what would be saved without them. Shares overlap, and
    need not add up.

    Args:
        study: a study, or its records.
        most: rows at most; the rarest touchpoints beyond are put together, as are those with fewer moments or customers
            than the study may show.

    Returns:
        The map, with the weakest point named.

    Raises:
        NotTestable: the log names no touchpoint, or none is frequent enough to be shown.
        EstimationError: records that were read without touchpoints.
        SourceError, DataError: as `cxresearch.audit`.

    References:
        Ron Kaufman, Uplifting Blog, on perception points; Bruzzi et al. (1985), American Journal of Epidemiology 122,
        904-914.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = {"customer": ["a", "b"], "at": [3, 9], "touchpoint": ["bill", "call"], "grade": ["bad", "good"]}
        >>> who = pl.DataFrame({"customer": ["a", "b"], "start": [3, 4], "end": [30, None]})
        >>> study = cx.study_from({"study": {"min_cell": 1}}, interactions=pl.DataFrame(log), retention=who)
        >>> result = cx.journey.perception_map(study)
        >>> [(t.name, t.first_day, t.grades) for t in result.touchpoints]
        [('bill', 0.0, (1, 0, 0, 0)), ('call', 5.0, (0, 0, 1, 0))]
        >>> result.weakest.name
        ''
    """
    arguments(most=most)
    records = attribute_records(study, "touchpoint", ("owner", "level"))
    places, days = zip(*in_order(records, most=most), strict=True)
    result = contributions(records, places)
    grades, levels = splits(records, places)
    owners = _owners(records, places)
    rows = zip(
        places,
        days,
        owners,
        grades,
        levels,
        result.shares,
        result.ratios,
        result.lacks,
        strict=True,
    )
    return PerceptionMap(
        touchpoints=tuple(
            Touchpoint(
                name=p.name,
                single=p.single,
                first_day=day,
                owners=owner,
                moments=p.moments,
                customers=p.customers,
                grades=g,
                levels=lv,
                share=share,
                hazard_ratio=ratio,
                lacks=lacks,
            )
            for p, day, owner, g, lv, share, ratio, lacks in rows
        ),
        weakest=weakest_point(places, result),
        clock=result.table.clock,
        customers=result.table.customers,
        left_out=sum(a.customers for a in result.table.exclusions),
        defections=result.events,
        level=result.level,
        level_each=result.level_each,
        min_cell=records.study.info.min_cell,
    )


def in_order(
    records: Records, *, most: int = MOST
) -> tuple[tuple[TouchpointGroup, float | None], ...]:
    """The touchpoints with the median day of first contact, in that order; what is no single touchpoint comes last."""
    places = places_of(records, "touchpoint", most=most)
    result = zip(places, first_days(records, "touchpoint", places), strict=True)
    return tuple(
        sorted(result, key=lambda f: (not f[0].single, f[1] is None, f[1] or 0.0, f[0].name))
    )


def _owners(records: Records, places: Sequence[TouchpointGroup]) -> tuple[tuple[str, ...], ...]:
    """Who is responsible for enough moments of each place to be shown, most first."""
    if not has_column(records, "owner"):
        return ((),) * len(places)
    names, least = records.names["owner"], records.study.info.min_cell
    by = list(tally_moments(records, "touchpoint", "owner").iter_rows())
    result = []
    for place in places:
        mine: dict[str, int] = {}
        for p, owner, n in by:
            if p in place.positions and owner >= 0:
                mine[names[owner]] = mine.get(names[owner], 0) + n
        result.append(
            tuple(sorted((o for o, n in mine.items() if n >= least), key=lambda o: (-mine[o], o)))
        )
    return tuple(result)


def _part(n: int | None, total: int, min_cell: int) -> str:
    return "not shown" if n is None else f"{part_of(n, total, min_cell):.0%}"


def _with_limits(result: Estimate | None, form: str) -> str:
    return (
        "–"
        if result is None
        else f"{result.value:{form}} ({result.low:{form}} to {result.high:{form}})"
    )
