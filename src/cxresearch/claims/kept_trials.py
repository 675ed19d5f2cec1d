"""Trials kept between runs, so that a second look at the same data costs reading them from a file.

They lie next to the tables of the same inputs, and are signed as these are. A trial is kept under a name made of all
else that it depends on: the claim, the readings that were computed, the study's section on decisions, and `TRIALS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from typing import Any, get_args

import msgspec
import numpy as np

from cxresearch.claims.decide import Verdict
from cxresearch.claims.kept_plans import KeptPlans
from cxresearch.claims.kinds import AnyReading
from cxresearch.claims.phrases import Sentence, Value
from cxresearch.claims.results import Activity, ReadingResult, ReferenceValue, Trial
from cxresearch.claims.rivals.outcomes import RivalOutcome
from cxresearch.claims.schema import Claim
from cxresearch.risk.cache import Cache
from cxresearch.study import Study

# Raise this number when equal tables give another number, verdict or sentence than before, or when a field of a stored
# class changes. Trials of another number are not read. A test in `tests/claims/test_kept_trials.py` fails if what is
# stored of the sample study changes and this number does not.
TRIALS = 20
_LIBRARIES = ("cxresearch", "numpy", "scipy")
_VALUES: Mapping[str, Any] = {kind.__name__: kind for kind in get_args(Value)}


class _Text(msgspec.Struct, frozen=True):
    """A `Sentence`, whose values may be of several classes."""

    template: str
    values: tuple[tuple[str, str, dict[str, Any]], ...]

    @classmethod
    def of(cls, sentence: Sentence) -> _Text:
        values = (
            (name, type(value).__name__, {f: getattr(value, f) for f in value.__slots__})
            for name, value in sentence.values
        )
        return cls(sentence.template, tuple(values))

    def sentence(self) -> Sentence:
        """The sentence again."""
        values = (
            (name, msgspec.convert(fields, _VALUES[kind])) for name, kind, fields in self.values
        )
        return Sentence(self.template, tuple(values))


class _Plain(msgspec.Struct, frozen=True, kw_only=True):
    """A `Trial` without its claim, and the fingerprints of the tables that it rests on."""

    tables: dict[str, str]
    results: tuple[ReadingResult, ...]
    base_rate: ReferenceValue | None
    naive: ReferenceValue | None
    sentence: _Text
    sentence_if_open: _Text
    caution: _Text
    activity: tuple[Activity, ...]
    association: Verdict
    rivals: tuple[RivalOutcome, ...]
    declared: tuple[str, ...]
    tuned: tuple[tuple[str, float], ...]


class KeptTrials:
    """The trials of one state of a study's inputs.

    Args:
        cache: where they are kept; None where nothing is.
        study: its section on decisions.
        look: what numbers depend on besides the data, where they hold at every look; else empty.
    """

    def __init__(self, cache: Cache | None, study: Study, look: str = "") -> None:
        self._cache, self._study, self._look = cache, study, look

    def find(
        self, claim: Claim, readings: Sequence[AnyReading]
    ) -> tuple[Trial, Mapping[str, str]] | None:
        """What an earlier run has made of a claim on the same data, and the fingerprints of its tables, by key."""
        content = self._cache.read_result(self._name(claim, readings)) if self._cache else None
        if content is None:
            return None
        try:
            plain = msgspec.msgpack.decode(content, type=_Plain)
            trial = Trial(
                claim=claim,
                results=plain.results,
                base_rate=plain.base_rate,
                naive=plain.naive,
                sentence=plain.sentence.sentence(),
                sentence_if_open=plain.sentence_if_open.sentence(),
                caution=plain.caution.sentence(),
                activity=plain.activity,
                association=plain.association,
                rivals=plain.rivals,
                declared=plain.declared,
                tuned=plain.tuned,
            )
        except (msgspec.MsgspecError, KeyError, TypeError):
            return None
        return trial, plain.tables

    def keep(
        self, trial: Trial, readings: Sequence[AnyReading], fingerprints: Mapping[str, str]
    ) -> None:
        """Keep a trial, as it is before the number of claims is allowed for.

        Args:
            trial: the trial.
            readings: those that were computed.
            fingerprints: of its tables, by their keys.
        """
        if self._cache is None:
            return
        plain = _Plain(
            tables=dict(fingerprints),
            results=trial.results,
            base_rate=trial.base_rate,
            naive=trial.naive,
            sentence=_Text.of(trial.sentence),
            sentence_if_open=_Text.of(trial.sentence_if_open),
            caution=_Text.of(trial.caution),
            activity=trial.activity,
            association=trial.association,
            rivals=trial.rivals,
            declared=trial.declared,
            tuned=trial.tuned,
        )
        name = self._name(trial.claim, readings)
        self._cache.keep_result(name, msgspec.msgpack.encode(plain, enc_hook=_number))

    def _name(self, claim: Claim, readings: Sequence[AnyReading]) -> str:
        plan = KeptPlans(self._cache, self._study).find(claim)
        parts = (
            f"trials {TRIALS}",
            *_versions(),
            msgspec.json.encode(claim, order="deterministic").decode(),
            *sorted(r.id for r in readings),
            msgspec.json.encode((self._study.info, self._study.decision)).decode(),
            self._look,
            *(() if plan is None else (msgspec.json.encode(plan).decode(),)),
        )
        return f"trial-{blake2b(chr(0).join(parts).encode(), digest_size=12).hexdigest()}"


@cache
def _versions() -> tuple[str, ...]:
    """Of the libraries that numbers depend on; a file is read for each."""
    return tuple(f"{name} {version(name)}" for name in _LIBRARIES)


def _number(value: object) -> object:
    """A number of NumPy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a trial holds {type(value).__name__}")
