"""The definitions that a reader can move, and what is chosen of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from cxresearch.errors import ArgumentError
from cxresearch.utils.checks import text, whole_number
from cxresearch.utils.result import Result

MOST_DAYS = 3650  # of a blackout or a horizon that can be asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Result):
    """One combination of definitions.

    Attributes:
        bad: condition under which a contact is bad.
        blackout_days: moments take effect so many days later.
        horizon_days: how many days ahead the claim looks; 0 where its number has no horizon.
        segment: the customers that are counted; empty for all.
    """

    bad: str
    blackout_days: int
    horizon_days: int
    segment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices(Result):
    """What can be chosen of each definition.

    Attributes:
        own: the study's own definitions.
        bad: conditions, from the narrowest to the widest, the study's own among them; any other can be written.
        blackout_days: in order.
        horizon_days: in order; (0,) where the claim's number has no horizon.
        segments: names of segments; empty where the study has none, or only one.
    """

    own: Choice
    bad: tuple[str, ...]
    blackout_days: tuple[int, ...]
    horizon_days: tuple[int, ...]
    segments: tuple[str, ...]

    def one_at_a_time(self) -> tuple[Choice, ...]:
        """The study's own definitions, then every choice that differs from them in one."""
        others = [
            *(replace(self.own, bad=bad) for bad in self.bad),
            *(replace(self.own, blackout_days=days) for days in self.blackout_days),
            *(replace(self.own, horizon_days=days) for days in self.horizon_days),
            *(replace(self.own, segment=name) for name in self.segments),
        ]
        return tuple(dict.fromkeys((self.own, *others)))

    def near(self, choice: Choice) -> tuple[Choice, ...]:
        """Every choice that a single move leads to: the nearest values first, and what is bad before the others."""
        moves: dict[str, tuple[Any, ...]] = {
            "bad": self.bad,
            "blackout_days": self.blackout_days,
            "horizon_days": self.horizon_days,
            "segment": ("", *self.segments),
        }
        result: list[tuple[int, Choice]] = []
        for name, values in moves.items():
            now = getattr(choice, name)
            place = values.index(now) if now in values else 0
            # any segment is one move away from any other
            far = [1 if name == "segment" else abs(i - place) for i in range(len(values))]
            result += [
                (steps, replace(choice, **{name: value}))
                for steps, value in zip(far, values, strict=True)
                if value != now
            ]
        return tuple(c for _, c in sorted(result, key=lambda r: r[0]))

    def read(self, asked: Mapping[str, Any]) -> Choice:
        """What was asked for, checked; a definition that is not named is the study's own.

        Raises:
            ArgumentError: a value of the wrong kind, or no such segment.
        """
        given = {f.name: asked.get(f.name, getattr(self.own, f.name)) for f in fields(Choice)}
        bad = " ".join(text("bad", given["bad"]).split())
        if not bad:
            raise ArgumentError("bad", given["bad"], "a condition, such as stars <= 2")
        return Choice(
            bad=bad,
            blackout_days=_days("blackout_days", given["blackout_days"], 0),
            horizon_days=_days("horizon_days", given["horizon_days"], 1)
            if self.own.horizon_days
            else 0,
            segment=_segment(given["segment"], self.segments),
        )


def describe(choice: Choice, own: Choice) -> str:
    """What differs from the study's own definitions, in words; that nothing does, where nothing does."""
    parts = []
    if choice.bad != own.bad:
        parts.append(f"bad: {choice.bad}")
    if choice.blackout_days != own.blackout_days:
        parts.append(f"blackout: {choice.blackout_days:,} days")
    if choice.horizon_days != own.horizon_days:
        parts.append(f"horizon: {choice.horizon_days:,} days")
    if choice.segment != own.segment:
        parts.append(f"segment: {choice.segment or 'all'}")
    return "; ".join(parts) or "as the study says"


def _days(argument: str, given: object, low: int) -> int:
    days = whole_number(argument, given, low)
    if days > MOST_DAYS:
        raise ArgumentError(argument, given, f"at most {MOST_DAYS:,} days")
    return days


def _segment(given: object, known: Collection[str]) -> str:
    name = text("segment", given)
    if name and name not in known:
        raise ArgumentError("segment", given, f"one of {', '.join(known) or 'none'}, or empty")
    return name
