"""Recipes: study files for public data, with what is to be known of the data and the files that they need."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "data" / "recipes"
_SOURCE = re.compile(r"\$\{(\w+)\}/(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is to be known of a set of data; one file of data/recipes/about.

    Attributes:
        what: what the data are, and whether they are real.
        source: where a user gets them.
        licence: on which terms.
        quirks: what is odd about them, in sentences.
        bad: what a bad moment is.
        good: what a good moment is; empty where the study has none, or it needs no word.
        left: what having left means, in a few words.
        lapse: when a relation ends.
        returned: what coming back means.
        read_as: how its numbers have to be read.
    """

    what: str
    source: str
    licence: str
    quirks: tuple[str, ...]
    bad: str
    good: str = ""
    left: str
    lapse: str
    returned: str
    read_as: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe.

    Attributes:
        name: of its study file, and of the folder of its data.
        file: the study file.
        settings: what the study file says.
        about: what is to be known of the data.
    """

    name: str
    file: Path
    settings: dict[str, Any]
    about: About

    @property
    def title(self) -> str:
        """What the study is called."""
        return str(self.settings["study"]["name"])

    @property
    def variable(self) -> str:
        """The name under which the study file asks for the folder of its data."""
        return next(iter({found[1] for found in self._sources()}))

    @property
    def files(self) -> tuple[str, ...]:
        """The files, or patterns of files, that it reads."""
        return tuple(dict.fromkeys(found[2] for found in self._sources()))

    @property
    def digest(self) -> str:
        """Of what the study file says, comments left out: results of another digest are out of date."""
        text = json.dumps(self.settings, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def lacks(self, folder: Path) -> tuple[str, ...]:
        """The files that are not in the folder of its data."""
        return tuple(name for name in self.files if not any((folder / self.name).glob(name)))

    def _sources(self) -> list[re.Match[str]]:
        texts = (text for text in _texts(self.settings) if "\n" not in text)
        return [found for text in texts if (found := _SOURCE.fullmatch(text))]


def read_recipes(folder: Path = RECIPES) -> tuple[Recipe, ...]:
    """The recipes of a folder, by name."""
    return tuple(read_recipe(file) for file in sorted(folder.glob("*.toml")))


def read_recipe(file: Path) -> Recipe:
    """A recipe: the study file, and what the file of the same name in the folder `about` says.

    Raises:
        ValueError: an unknown or missing key, or a file that is not in one folder of its own.
    """
    said = tomllib.loads((file.parent / "about" / file.name).read_text(encoding="utf-8"))
    known = {f.name for f in fields(About)}
    if odd := (said.keys() - known) | (known - {"good"} - said.keys()):
        raise ValueError(f"about/{file.name}: unknown or missing: {', '.join(sorted(odd))}")
    about = About(**{**said, "quirks": tuple(said["quirks"])})
    settings = tomllib.loads(file.read_text(encoding="utf-8"))
    recipe = Recipe(name=file.stem, file=file, settings=settings, about=about)
    if len({found[1] for found in recipe._sources()}) != 1:
        raise ValueError(f"{file.name}: its sources must begin with one ${{NAME}} for their folder")
    return recipe


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
