"""Recipes parse, validate, and say what is to be known of their data."""

import tomllib

import pytest
from benchmarks.atlas.recipes import RECIPES, read_recipe, read_recipes

import cxresearch as cx

ALL = read_recipes()
ABOUT = """\
what = "w"
source = "s"
licence = "l"
quirks = ["q"]
bad = "b"
left = "f"
lapse = "Gone."
returned = "r"
read_as = "a"
"""
STUDY = """\
[study]
name = "Made up"

[interactions]
source = "${MADE_UP}/log.csv"

[moments]
bad = "stars <= 2"

[retention]
source = "${MADE_UP}/part-*.csv"
"""


def recipe_in(folder, study=STUDY, about=ABOUT):
    (folder / "about").mkdir()
    (folder / "made_up.toml").write_text(study, encoding="utf-8")
    (folder / "about" / "made_up.toml").write_text(about, encoding="utf-8")
    return folder / "made_up.toml"


def test_every_recipe_has_a_description_and_every_description_a_recipe():
    names = {r.name for r in ALL}
    assert len(names) == 6
    assert {p.stem for p in (RECIPES / "about").glob("*.toml")} == names


@pytest.mark.parametrize("recipe", ALL, ids=lambda r: r.name)
def test_a_recipe_is_a_study_file_for_a_folder(recipe, tmp_path):
    study = cx.read_study(recipe.file, {recipe.variable: str(tmp_path)})
    assert study.name == recipe.title
    assert recipe.files
    assert recipe.lacks(tmp_path) == recipe.files


@pytest.mark.parametrize("recipe", ALL, ids=lambda r: r.name)
def test_what_is_said_of_a_set_is_sentences(recipe):
    about = recipe.about
    for text in (about.what, about.lapse, about.returned, about.read_as, *about.quirks):
        assert text.endswith(".")
        assert text[0].isupper()
    assert about.what.rpartition("; ")[2] in ("real.", "synthetic.", "fictional.")
    assert about.quirks


def test_files_that_are_there_are_not_lacking(tmp_path):
    recipe = read_recipe(recipe_in(tmp_path))
    assert (recipe.title, recipe.variable) == ("Made up", "MADE_UP")
    assert recipe.files == ("log.csv", "part-*.csv")
    data = tmp_path / "data" / "made_up"
    data.mkdir(parents=True)
    (data / "part-1.csv").touch()
    assert recipe.lacks(tmp_path / "data") == ("log.csv",)
    (data / "log.csv").touch()
    assert recipe.lacks(tmp_path / "data") == ()


def test_a_comment_does_not_change_the_digest_and_a_definition_does(tmp_path):
    file = recipe_in(tmp_path)
    before = read_recipe(file).digest
    file.write_text("# a comment\n" + STUDY, encoding="utf-8")
    assert read_recipe(file).digest == before
    file.write_text(STUDY.replace("<= 2", "<= 1"), encoding="utf-8")
    assert read_recipe(file).digest != before


@pytest.mark.parametrize(
    ("study", "about", "message"),
    [
        (STUDY, ABOUT.replace("licence", "license"), "unknown or missing: licence, license"),
        (STUDY, ABOUT.replace('lapse = "Gone."\n', ""), "unknown or missing: lapse"),
        (STUDY.replace("MADE_UP}/log", "OTHER}/log"), ABOUT, r"must begin with one \$\{NAME\}"),
        (STUDY.replace("${MADE_UP}/", ""), ABOUT, r"must begin with one \$\{NAME\}"),
    ],
)
def test_a_recipe_that_says_too_little_is_refused(tmp_path, study, about, message):
    assert tomllib.loads(study)
    with pytest.raises(ValueError, match=message):
        read_recipe(recipe_in(tmp_path, study, about))
