"""From TOML to frozen settings: a wrong key or value is an error that names the field and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from cxresearch.errors import StudyError, nearest


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section of a file: its fields are the keys it may hold."""


S = TypeVar("S", bound=Section)


def convert(where: str, raw: object, kind: type[S], *, elsewhere: Callable[[str], list[str]] | None = None) -> S:
    """A section from plain values.

    Args:
        where: its path, for messages.
        raw: a mapping.
        kind: the section.
        elsewhere: the sections that a misplaced key belongs to.

    Raises:
        StudyError: not a mapping, an unknown key, a missing one, or a value of the wrong type.
    """
    if not isinstance(raw, Mapping):
        raise StudyError(f"{where} must be a section with keys of its own, written [{where}], was {raw!r}", field=where)
    check_keys(where, raw, kind.__struct_fields__, elsewhere=elsewhere)
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, Section) and field.name in raw:
            convert(f"{where}.{field.name}", raw[field.name], field.type)
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as e:
        said, _, at = str(e).partition(" - at ")
        field_path = where + at.strip("`").removeprefix("$")
        raise StudyError(f"{field_path}: {said[0].lower()}{said[1:]}", field=field_path) from None


def check_keys(
    where: str,
    raw: Mapping[str, Any],
    known: Iterable[str],
    *,
    elsewhere: Callable[[str], list[str]] | None = None,
) -> None:
    """Every key of `raw` is known.

    Raises:
        StudyError: one is not; the nearest known one, or the section it belongs to, is named.
    """
    known = tuple(known)
    for key in raw:
        if key in known:
            continue
        label = f"[{where}]" if where else "the study file"
        homes = [h for h in elsewhere(key) if h != where] if elsewhere else []
        places = " or ".join(f"[{h}]" for h in homes)
        hint = f"; it belongs in {places}" if homes else nearest(key, known)
        raise StudyError(
            f"unknown key {key!r} in {label}{hint or '; known: ' + ', '.join(known)}",
            field=f"{where}.{key}" if where else key,
        )
