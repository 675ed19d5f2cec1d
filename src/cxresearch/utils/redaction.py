"""Secrets: values that may be in no file and in no message, and the names that are written instead."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote


class Secrets:
    """Values of variables, and the ``${NAME}`` that is written in their place.

    Args:
        values: name to value; a variable without a value hides nothing.
        forms: a value to all texts by which it is recognised: `forms_of_source` or `forms_in_text`.

    Example:
        >>> Secrets({"PW": "pa?ss"}, forms_of_source).redact("cannot open pa%3Fss")
        'cannot open ${PW}'
    """

    def __init__(self, values: Mapping[str, str | None], forms: Callable[[str], set[str]]) -> None:
        self._names = {form: n for n, value in values.items() if value for form in forms(value)}
        # the longest first, so that no part of a value remains
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        )

    def __repr__(self) -> str:
        """The names alone."""
        return f"Secrets({', '.join(sorted(set(self._names.values())))})"

    def redact(self, text: str) -> str:
        """The text with every form of every value replaced by its name."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: f"${{{self._names[match[0]]}}}", text)


def forms_of_source(value: str) -> set[str]:
    """How a reader of files or a server may echo the place that it was given.

    A path may have been taken apart or its ~ spelt out; an address may have been encoded, decoded or taken apart.
    """
    login, _, place = value.partition("://")[2].rpartition("@")
    parts = [*re.split("[:/@?&=#]", login), *re.findall(r"[?&](?:user|\w*password)=([^&]*)", place)]
    forms = {value, str(Path(value)), *parts}
    with suppress(RuntimeError):  # no such home
        forms.add(str(Path(value).expanduser()))
    forms |= {unquote(form) for form in forms}
    forms |= {
        quote(form, safe, errors="surrogateescape") for form in forms for safe in ("", "/", ":/,[]")
    }
    return (forms | {form.replace("%20", "+") for form in forms}) - {"", "."}


def forms_in_text(value: str) -> set[str]:
    """A value as it is, and as JSON, Python and HTML write it, once and twice."""
    forms = {value}
    for _ in range(2):
        forms |= {json.dumps(form)[1:-1] for form in forms}
        forms |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms}
        # Python escapes a quote only next to one of the other kind
        forms |= {
            repr(form + other)[1:-1].removesuffix(other) for form in forms for other in ("", '"')
        }
        forms |= {html.escape(form) for form in forms}
    return forms - {""}


def redact_json(content: Any, redact: Callable[[str], str]) -> Any:
    """JSON, such as that of a notebook, with every text redacted.

    Args:
        content: objects, lists, texts and numbers.
        redact: from a text to a text, such as `Secrets.redact`.
    """
    if isinstance(content, str):
        return redact(content)
    if isinstance(content, list):
        # the lines of one text stand in a list, and a value may go over several
        if content and all(isinstance(part, str) for part in content):
            return redact("".join(content)).splitlines(keepends=True)
        return [redact_json(part, redact) for part in content]
    if isinstance(content, dict):
        return {redact(key): redact_json(value, redact) for key, value in content.items()}
    return content
