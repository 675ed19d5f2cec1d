"""What the README shows works as it stands."""

import re
import tomllib
from pathlib import Path

import pytest

from cxresearch.claims.catalogue_loader import parse_claim
from cxresearch.errors import SourceError
from cxresearch.explore import audit
from cxresearch.study import study_from

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r"```(\w+)\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.mark.slow
def test_python_example(monkeypatch, capsys):
    code, _ = [text for kind, text in BLOCKS if kind == "python"]
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "interactions  read" in shown
    assert "After a bad moment customers left at" in shown
    assert "hazard_ratio" in shown


@pytest.mark.slow
def test_frames_of_pandas_give_a_first_verdict_in_five_lines(monkeypatch, capsys):
    _, code = [text for kind, text in BLOCKS if kind == "python"]
    assert "pandas" in code
    assert len([line for line in code.splitlines() if line.strip()]) <= 5
    monkeypatch.chdir(ROOT)
    exec(compile(code, "README.md", "exec"), {})
    assert "After a bad moment customers left at" in capsys.readouterr().out


def test_study_file_is_accepted_and_names_its_missing_file(tmp_path):
    first, _ = [text for kind, text in BLOCKS if kind == "toml"]
    study = study_from(tomllib.loads(first), folder=tmp_path)
    assert study.retention.defection == ("switched", "dissatisfied")
    with pytest.raises(SourceError, match=r"contacts\.parquet"):
        audit(study)


def test_own_claim_is_in_the_grammar():
    _, second = [text for kind, text in BLOCKS if kind == "toml"]
    (raw,) = tomllib.loads(second)["claims"]
    assert parse_claim(raw).primary.region == "< 1"


def test_commands_named_exist():
    from cxresearch.cli import main

    named = set(
        re.findall(
            r"^cxresearch (\w+)",
            "\n".join(text for kind, text in BLOCKS if kind == "sh"),
            re.MULTILINE,
        )
    )
    assert named <= set(main.commands)
