"""What a sequence of looks at growing data has fixed and seen, and where it is kept."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import msgspec

from cxresearch.utils.trust import unsigned

_FOLDER = "ledger"


class LookState(msgspec.Struct, frozen=True, kw_only=True):
    """What a sequence of looks has fixed and seen so far.

    Attributes:
        sequence: its number among those of the study, from 1.
        why: what had changed when it began, in words; empty for the first.
        plan: name of what must not change to its value, or to a digest of it.
        looks: how many there have been.
        until: the last day of the data at the last of them.
        rows: digest of the rows until then.
        r: number (claim, reading, variant) to the r of its intervals.
        least: claim to verdict to the smallest p that it has had with that verdict.
    """

    sequence: int
    why: str
    plan: dict[str, str]
    looks: int = 0
    until: int = 0
    rows: str = ""
    r: dict[str, float] = {}
    least: dict[str, dict[str, float]] = {}


def looks_file(state: Path, study: str) -> Path:
    """Where the looks of a study are kept in a state folder.

    Args:
        state: the folder.
        study: id of the study in the ledger.
    """
    return state / _FOLDER / f"looks-{blake2b(study.encode(), digest_size=8).hexdigest()}.signed"


def read_state(file: Path) -> LookState | None:
    """What the last look has left; None before the first, and where this user has not recorded it."""
    try:
        content = unsigned(file.name, file.read_bytes())
        return None if content is None else msgspec.json.decode(content, type=LookState)
    except (OSError, msgspec.MsgspecError):
        return None


def merge_states(one: LookState, other: LookState) -> LookState:
    """What two dockets of one look leave together, of which each has seen some of the numbers."""
    least = {claim: dict(ps) for claim, ps in one.least.items()}
    for claim, ps in other.least.items():
        mine = least.setdefault(claim, {})
        mine |= {verdict: min(p, mine.get(verdict, 1.0)) for verdict, p in ps.items()}
    return msgspec.structs.replace(one, r=other.r | one.r, least=least)
