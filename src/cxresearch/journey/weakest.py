"""The weakest point of a journey: which touchpoint is named, and what can be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cxresearch.estimators.results import Estimate, Result
from cxresearch.html_tables import html_table, isolated
from cxresearch.journey.contributions import Contributions
from cxresearch.journey.places import Place


@dataclass(frozen=True, slots=True)
class WeakestPoint(Result):
    """The touchpoint whose bad moments the largest share of defections goes with, if one stands out.

    Attributes:
        name: the touchpoint; empty where none stands out.
        share: of the defections; None where none stands out.
        not_told_from: touchpoints whose share may be as large, going by the interval of the difference.
        sentence: what can be said, in plain words.
    """

    name: str
    share: Estimate | None
    not_told_from: tuple[str, ...]
    sentence: str

    @property
    def told_apart(self) -> bool:
        """Whether it can be told from every other."""
        return bool(self.name) and not self.not_told_from

    def __repr__(self) -> str:
        return f"WeakestPoint({self.sentence})"

    def _repr_html_(self) -> str:
        rows = [("weakest point", self.name or "none stands out")]
        if self.share is not None:
            rows.append(("share of the defections", _spread(self.share)))
            rows.append(
                ("cannot be told from", ", ".join(map(isolated, self.not_told_from)) or "none: it stands apart")
            )
        return html_table(self.sentence, ("what", "is"), rows)


def weakest_point(places: Sequence[Place], found: Contributions) -> WeakestPoint:
    """Name the single touchpoint with the largest share among those whose interval lies above zero.

    Each other share is compared with it by the interval of their difference. That needs no allowance for having picked
    the largest.

    Args:
        places: of the touchpoints.
        found: their contributions.

    References:
        Gutmann & Maymin (1987), Is the selected population the best?, Annals of Statistics 15, 456-461.
    """
    known = [(i, share) for i, share in enumerate(found.shares) if share is not None]
    if not known:
        why = next((lack for lack in found.lacks if lack), "bad moments")
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
    unclear = tuple(places[i].name for _, i in others if found.more(best, i).low <= 0)
    return WeakestPoint(places[best].name, share, unclear, _sentence(places[best].name, share, len(others), unclear))


def _sentence(name: str, share: Estimate, others: int, unclear: tuple[str, ...]) -> str:
    first = f"The weakest point is {isolated(name)}: {_spread(share)} of the defections go with bad moments there."
    if not others:
        return f"{first} No other touchpoint can be weighed."
    if not unclear:
        return f"{first} It can be told from every other touchpoint that can be weighed."
    if len(unclear) == others > 1:
        return f"{first} It cannot be told from any other touchpoint: the share of each may be as large."
    return f"{first} It cannot be told from {_listed(unclear)}: the share there may be as large."


def _listed(names: Sequence[str]) -> str:
    first = ", ".join(map(isolated, names[:-1]))
    return isolated(names[0]) if len(names) == 1 else f"{first} and {isolated(names[-1])}"


def _spread(share: Estimate | None) -> str:
    if share is None:
        return ""
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"
