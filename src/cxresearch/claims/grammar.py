"""The parts that a reading is made of, as they are written in the catalogue and in a study file."""

from __future__ import annotations

from typing import Literal

from cxresearch.study.strict import Section


class Since(Section, frozen=True):
    """A clock that starts when a history reaches a level."""

    since: str
    level: str
    below: str | None = None


class Until(Section, frozen=True):
    """A transition that ends the follow-up, as a cause of its own."""

    history: str
    level: str
    cause: str


class Model(Section, frozen=True):
    """A regression: terms, and strata where the study has them."""

    terms: tuple[str, ...]
    strata: tuple[str, ...] = ()


class Contestants(Section, frozen=True):
    """Two descriptions of the past, as terms: which says more about who leaves."""

    first: tuple[str, ...]
    second: tuple[str, ...]


class Comparators(Section, frozen=True):
    """Whom the exposed are compared with: at risk, same stratum, below `level`, with a recent contact.

    Attributes:
        history: a cumulative history.
        level: reaching it is the exposure.
        recent: a history of contacts in a window; comparators have at least one.
        below: exposed customers who stood at this level or above at once are left out.
        alike: a history in which comparators are at the same level on that day.
    """

    history: str
    level: str
    recent: str
    below: str | None = None
    alike: str | None = None


class Requirement(Section, frozen=True):
    """Another reading without which a verdict does not stand.

    Attributes:
        reading: its id.
        otherwise: why the claim is open without it, in plain words.
        contradicts: whether its being contradicted contradicts the claim; else the claim is undecided.
        control: a negative control: only its being contradicted counts, and leaves the claim undecided.
        asked_of: the verdict that it must share: ``supported``, ``contradicted`` or ``either``; one that it does not
            share becomes undecided.
    """

    reading: str
    otherwise: str
    contradicts: bool = False
    control: bool = False
    asked_of: Literal["supported", "contradicted", "either"] = "supported"


class Published(Section, frozen=True):
    """A number somebody else has published."""

    value: str
    says: str
    source: str


class Text(Section, frozen=True):
    """The plain sentence of each verdict; names in braces are filled in.

    `caution` says why the naive answer is no verdict; it is shown where the naive answer decides otherwise.
    """

    supported: str
    contradicted: str
    undecided: str
    not_testable: str
    caution: str = ""


class AtRisk(Section, frozen=True):
    """Beside those who left: customers at risk on the same day.

    Attributes:
        alike: a history in which they are at the same level.
        strata: further ones, or fixed covariates.
        part: the difference of the two shares, or theirs alone.
    """

    alike: str
    strata: tuple[str, ...] = ()
    part: Literal["excess", "comparators"] = "excess"


class Worst(Section, frozen=True):
    """The share of bad moments at the worst of those whom contacts were with.

    Attributes:
        of: who they are: ``agent``, ``owner``, ``channel`` or ``touchpoint``.
        within: what is held equal: other such columns, and ``month``.
        part: how much of all contacts the worst have.
        chance: what chance alone would give, instead.
    """

    of: Literal["agent", "owner", "channel", "touchpoint"] = "agent"
    within: tuple[Literal["agent", "owner", "channel", "touchpoint", "month"], ...] = ("touchpoint", "month")
    part: float = 0.1
    chance: bool = False
