"""The command, from files to a page, on a small made-up set."""

import json

import pytest
from benchmarks.atlas.recipes import RECIPES
from benchmarks.atlas.run import main

import cxresearch as cx
from tests.atlas.test_recipes import ABOUT

STUDY = """\
[study]
name = "Made up"

[interactions]
source = "${MADE_UP}/log.csv"

[moments]
bad = "stars <= 2"
neutral = "otherwise"

[retention]
source = "${MADE_UP}/customers.csv"
"""


@pytest.fixture
def folders(tmp_path):
    recipes, data = tmp_path / "recipes", tmp_path / "data"
    (recipes / "about").mkdir(parents=True)
    (data / "made_up").mkdir(parents=True)
    for name in ("made_up", "not_at_hand"):
        text = STUDY.replace("MADE_UP", name.upper()).replace("Made up", name)
        (recipes / f"{name}.toml").write_text(text, encoding="utf-8")
        (recipes / "about" / f"{name}.toml").write_text(ABOUT, encoding="utf-8")
    made = cx.worlds.simulate(cx.worlds.World(hr_bad=(1, 1.5, 2, 2.5)), 200, seed=3)
    made.interactions.select("customer", "at", "stars").write_csv(data / "made_up" / "log.csv")
    made.customers.select("customer", "start", "end").write_csv(data / "made_up" / "customers.csv")
    return tmp_path


def run(folder, *more):
    given = [
        "--recipes",
        folder / "recipes",
        "--results",
        folder / "out",
        "--page",
        folder / "page",
    ]
    main([*map(str, given), *more])
    return (folder / "page").read_text(encoding="utf-8")


def test_from_files_to_the_page_and_the_same_again(folders, capsys):
    text = run(folders, "--data", str(folders / "data"))
    said = capsys.readouterr().err
    assert "made_up: " in said
    assert " s\n" in said
    assert "not_at_hand: not run, there is no log.csv, customers.csv" in said
    assert "Not run, since the data were not at hand: not_at_hand." in text
    kept = json.loads((folders / "out" / "made_up.json").read_text(encoding="utf-8"))
    study = cx.read_study(
        folders / "recipes" / "made_up.toml", {"MADE_UP": str(folders / "data" / "made_up")}
    )
    claim = "bad-moments-drive-away"
    trial = cx.evaluate(study, [claim], alone=True, verdicts_only=True, keep=False)[claim]
    row = kept["claims"][claim]
    assert row["estimate"] == float(f"{trial.primary.estimate.value:.6g}")
    assert f"{trial.primary.estimate.value:.2f} (" in text
    results = (folders / "out" / "made_up.json").read_bytes()
    # nothing of the machine is written, and nothing beside the recipes
    assert str(folders) not in text + results.decode()
    assert {p.name for p in (folders / "recipes").iterdir()} == {
        "about",
        "made_up.toml",
        "not_at_hand.toml",
    }
    assert run(folders, "--data", str(folders / "data"), "--recipe", "made_up") == text
    assert (folders / "out" / "made_up.json").read_bytes() == results
    # without data the page is that of what is kept
    assert run(folders) == text
    (folders / "data" / "made_up" / "log.csv").unlink()
    assert run(folders, "--data", str(folders / "data")) == text


def test_what_cannot_be_run_is_wrong_usage(folders, capsys):
    with pytest.raises(SystemExit):
        run(folders, "--data", str(folders / "nowhere"))
    assert "no folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(folders, "--recipe", "made_down")
    assert "no recipe made_down: made_up, not_at_hand" in capsys.readouterr().err
    assert RECIPES.is_dir()
