"""The same study with another definition: what a conclusion rests on is best seen by changing it."""

from __future__ import annotations

from typing import Any

import msgspec

from cxresearch.errors import StudyError, nearest
from cxresearch.study import checks, strict
from cxresearch.study.settings import Study

_SECTIONS = ("info", "moments", "retention", "decision", "interactions")


def replace_settings(study: Study, **settings: Any) -> Study:
    """A study with some settings changed and checked; its data are the same.

    Args:
        study: the study as declared.
        settings: key of the study file to value, such as ``blackout_days=14``, ``horizon_days=180`` or
            ``bad="stars <= 3"``. A key that stands in two sections is written ``retention__source``.

    Returns:
        The changed study; the given one stays as it is.

    Raises:
        StudyError: no such key, a value of the wrong type, or settings that contradict each other.

    Example:
        >>> import polars as pl
        >>> import cxresearch as cx
        >>> log = pl.DataFrame({"customer": ["a"], "at": ["2024-01-02"], "grade": ["bad"]})
        >>> who = pl.DataFrame({"customer": ["a"], "start": ["2024-01-01"], "end": ["2024-03-01"]})
        >>> study = cx.study_from({}, interactions=log, retention=who)
        >>> study.replace(blackout_days=14).moments.blackout_days
        14
    """
    changed: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        section, field = _place(study, key)
        changed.setdefault(section, {})[field] = value
    made = study
    for section, values in changed.items():
        old = getattr(study, section)
        # through the same door as a study file, so that types are checked; fields that are unset stay out
        raw = {k: v for k, v in msgspec.structs.asdict(old).items() if v is not None} | values
        name = "study" if section == "info" else section
        made = msgspec.structs.replace(made, **{section: strict.convert(name, _plain(raw), type(old))})
    checks.check(made)
    return made


def _place(study: Study, key: str) -> tuple[str, str]:
    """The section of a key."""
    given, _, field = key.rpartition("__")
    given = "info" if given == "study" else given
    homes = [s for s in _SECTIONS if field in getattr(study, s).__struct_fields__ and given in ("", s)]
    if len(homes) == 1:
        return homes[0], field
    if homes:
        ways = " or ".join(f"{'study' if h == 'info' else h}__{field}" for h in homes)
        raise StudyError(f"{field!r} stands in several sections: write {ways}", field=field)
    known = [f for s in _SECTIONS for f in getattr(study, s).__struct_fields__]
    raise StudyError(f"no setting {key!r}{nearest(field, known)}", field=key)


def _plain(raw: dict[str, Any]) -> dict[str, Any]:
    """Tuples and nested sections as TOML would give them."""
    return {k: list(v) if isinstance(v, tuple) else _nested(v) for k, v in raw.items()}


def _nested(value: Any) -> Any:
    return _plain(msgspec.structs.asdict(value)) if isinstance(value, msgspec.Struct) else value
