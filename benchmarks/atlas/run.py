"""Runs the recipes whose data are at hand, and writes docs/atlas.md: python -m benchmarks.atlas.run --data FOLDER.

FOLDER holds a folder for each recipe, called as its study file: FOLDER/cdnow for data/recipes/cdnow.toml. Recipes
whose data are not there keep the results that they had. Without --data the page is written anew from kept results.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.atlas import results
from benchmarks.atlas.page import PAGE, page
from benchmarks.atlas.recipes import RECIPES, Recipe, read_recipes

import cxresearch as cx


def run(recipe: Recipe, folder: Path) -> results.Kept:
    """Try all claims on a set, nothing kept from earlier runs, and keep what a page may tell.

    Args:
        recipe: the recipe.
        folder: holds the folder of its data.
    """
    with TemporaryDirectory() as state:
        variables = {recipe.variable: str(folder / recipe.name)}
        study = cx.read_study(recipe.file, variables, state=state)
        checked = [c["claim"] for c in results.checked_by_r() if c["recipe"] == recipe.name]
        return results.kept(cx.evaluate(study, keep=False), recipe.digest, checked)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command.

    Raises:
        SystemExit: there is no such folder or recipe.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.atlas.run", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with a folder for each recipe")
    parser.add_argument("--recipe", action="append", help="only this one; may be repeated")
    parser.add_argument("--recipes", type=Path, default=RECIPES, help="folder of the recipes")
    parser.add_argument("--results", type=Path, default=results.RESULTS, help="where they are kept")
    parser.add_argument("--page", type=Path, default=PAGE, help="what is written")
    given = parser.parse_args(arguments)
    recipes = read_recipes(given.recipes)
    if unknown := set(given.recipe or ()) - {r.name for r in recipes}:
        parser.error(
            f"no recipe {', '.join(sorted(unknown))}: {', '.join(r.name for r in recipes)}"
        )
    if given.data and not given.data.is_dir():
        parser.error(f"no folder {given.data}")
    for recipe in recipes if given.data else ():
        if given.recipe and recipe.name not in given.recipe:
            continue
        if lacks := recipe.lacks(given.data):
            _say(f"{recipe.name}: not run, there is no {', '.join(lacks)} in {recipe.name}")
            continue
        began = time.perf_counter()
        results.write(run(recipe, given.data), recipe.name, given.results)
        _say(f"{recipe.name}: {time.perf_counter() - began:.1f} s")
    by_recipe = [(recipe, results.read(recipe.name, given.results)) for recipe in recipes]
    given.page.write_text(page(by_recipe), encoding="utf-8")
    _say(f"written: {given.page}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
