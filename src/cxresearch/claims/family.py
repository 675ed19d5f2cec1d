"""The family of a study's claims: how many verdicts are allowed for at once, whichever of them are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from cxresearch.claims.schema import Claim
from cxresearch.claims.testability import missing_requirement
from cxresearch.study import Study
from cxresearch.utils.result import Result

Method = Literal["holm", "benjamini-hochberg", "none"]
_METHODS = {"holm": "Holm's method", "benjamini-hochberg": "the method of Benjamini and Hochberg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Result):
    """The claims that are judged together.

    Attributes:
        claims: ids of the claims whose columns the study has, its own included, in the order of the catalogue.
        method: how verdicts allow for their number: ``holm``, ``benjamini-hochberg`` or ``none``.
        groups: in how many groups of customers, such as segments, each is tried.
        is_alone: whether the claims asked for are judged without computing the others, at the level of the study
            divided by the number of all.

    Example:
        >>> from cxresearch.claims.family import Family
        >>> Family(claims=("one-strike", "three-strikes"), method="holm", groups=3).note
        "Verdicts allow for 6 comparisons, 2 claims in 3 segments, by Holm's method."
    """

    claims: tuple[str, ...]
    method: Method
    groups: int = 1
    is_alone: bool = False

    @property
    def size(self) -> int:
        """How many verdicts are allowed for."""
        return max(1, len(self.claims) * self.groups)

    @property
    def needs_all(self) -> bool:
        """Whether a verdict depends on the numbers of the other claims."""
        return not self.is_alone and self.method != "none"

    @property
    def members(self) -> str:
        """How many claims there are, and in how many segments, in words."""
        claims = f"{len(self.claims):,} claim{'s' * (len(self.claims) != 1)}"
        if self.groups == 1:
            return claims
        product = f"{claims} in {self.groups:,} segments"
        return f"{self.size:,} comparisons, {product}"

    @property
    def note(self) -> str:
        """What the verdicts allow for, as a sentence."""
        if self.method == "none":
            return f"Verdicts do not allow for their number, {self.members}: some decide by chance alone."
        if self.is_alone:
            return (
                f"Each verdict is judged by itself, as one of {self.members}: its error is that of the study divided "
                f"by {self.size:,}."
            )
        return f"Verdicts allow for {self.members}, by {_METHODS[self.method]}."


def count_family(
    known: Sequence[Claim], study: Study, available: Collection[str], *, is_alone: bool = False
) -> Family:
    """The family of a study's claims, by its columns alone: no row is looked at.

    Args:
        known: all claims of the catalogue and of the study.
        study: the study.
        available: what histories may read.
        is_alone: as of `Family`.
    """
    return Family(
        claims=tuple(c.id for c in known if not missing_requirement(c, study, available)),
        method=study.decision.multiplicity,
        is_alone=is_alone,
    )
