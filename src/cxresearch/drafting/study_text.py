"""The text of a study file: values as TOML, guesses with their reasons, and what is left open as comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from cxresearch.drafting.facts import plain
from cxresearch.errors import RuleError
from cxresearch.study import sql
from cxresearch.study.quoting import quote_identifier

WIDTH = 118


def toml_value(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        is_literal = '"' in value and "'" not in value and value.isprintable()
        return f"'{value}'" if is_literal else _basic(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Iterable):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return str(value)


def _basic(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def rule_column(column: str) -> str:
    """A column as a rule names it: in quotes unless it can be written plainly."""
    try:
        if column.islower() and sql.columns_of(f"{column} is null", "moments.bad") == (column,):
            return column
    except RuleError:
        pass  # a word of SQL, or a name with a blank
    return quote_identifier(column)


class StudyText:
    """A study file as it is written, line by line.

    Attributes:
        open_keys: keys that could not be guessed and without which there is no verdict.
        guesses: number of guesses.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.open_keys: list[str] = []
        self.guesses = 0
        self._section = ""

    def schema(self, place: str) -> None:
        """The line by which editors find the JSON Schema."""
        self._lines.append(f"#:schema {place}")

    def gap(self) -> None:
        """An empty line."""
        self._lines.append("")

    def section(self, name: str) -> None:
        """Begin a section."""
        self._lines += ["", f"[{name}]"]
        self._section = name

    def comment(self, text: str) -> None:
        """A remark, wrapped."""
        self._lines += textwrap.wrap(
            plain(text, 10_000),
            WIDTH,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )

    def key(self, name: str, value: Any) -> None:
        """A key that is no guess."""
        self._lines.append(f"{name} = {toml_value(value)}")

    def guess(self, name: str, value: Any, what: str, why: str) -> None:
        """A key that is guessed.

        Args:
            name: of the key.
            value: its value.
            what: what is guessed, in words.
            why: the reason.
        """
        self.comment(f"guess: {what}; because {why}")
        self.key(name, value)
        self.guesses += 1

    def left_open(
        self, name: str, what: str, candidates: Iterable[tuple[Any, str]], *, is_needed: bool
    ) -> None:
        """A key that is not guessed, as a comment with its candidates.

        Args:
            name: of the key.
            what: why it is open.
            candidates: values that it may have, each with what speaks for it.
            is_needed: whether there is no verdict without it.
        """
        self.comment(f"{'TO FILL IN' if is_needed else 'not guessed'}: {what}")
        shown = list(candidates) or [("…", "no candidate")]
        for value, why in shown:
            self._lines.append(
                f"# {name} = {toml_value(value)}" + (f"  # {plain(why, 90)}" if why else "")
            )
        if is_needed:
            self.open_keys.append(f"{self._section}.{name}")

    def query(self, name: str, lines: Iterable[str]) -> None:
        """A query over several lines."""
        self._lines += [
            f'{name} = """',
            *(x.replace("\\", "\\\\").replace('"""', '""\\"') for x in lines),
            '"""',
        ]

    def __str__(self) -> str:
        return "\n".join(self._lines).strip("\n") + "\n"
