"""The page and the JSON Schema of study files hold every key, and are what the script makes of the settings."""

import importlib.util
import json
import tomllib
from datetime import date
from pathlib import Path

import jsonschema
import msgspec
import pytest

import cxresearch as cx
from cxresearch.claims.catalogue_loader import SECTIONS
from cxresearch.errors import StudyError
from cxresearch.study import settings

ROOT = Path(__file__).resolve().parents[1]
STUDIES = [
    ROOT / "data" / "sample" / "study.toml",
    *sorted((ROOT / "data" / "recipes").glob("*.toml")),
]
_spec = importlib.util.spec_from_file_location("study_file", ROOT / "scripts" / "study_file.py")
script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(script)
SCHEMA = json.loads(script.SCHEMA.read_text(encoding="utf-8"))
KEYS = [
    (section, field)
    for section, kind in {**script.SECTIONS, "format": script.FORMAT}.items()
    for field in msgspec.structs.fields(kind)
]


def as_json(value):
    """As an editor hands TOML to a schema: dates are texts."""
    if isinstance(value, dict):
        return {k: as_json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [as_json(v) for v in value]
    return value.isoformat() if isinstance(value, date) else value


def check(raw):
    jsonschema.validate(as_json(raw), SCHEMA, jsonschema.Draft202012Validator)


def test_both_files_are_as_the_script_writes_them():
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run make docs"
    assert script.json_schema() == SCHEMA, "run make docs"


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("section", "field"), KEYS, ids=lambda x: getattr(x, "name", x))
def test_each_example_is_a_value_of_its_key(section, field):
    raw = tomllib.loads(f"value = {script.example_of(section, field.name)}")["value"]
    assert msgspec.convert(raw, field.type, strict=True) is not None
    where = {
        "tables": {"tables": {"tickets": {field.name: raw}}},
        "format": {"interactions": {"format": {field.name: raw}}},
    }
    check(where.get(section, {section: {field.name: raw}}))
    assert f"| `{field.name}` |" in script.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_studies_of_the_project_fit_the_schema_and_name_it(path):
    text = path.read_text(encoding="utf-8")
    check(tomllib.loads(text))
    first = text.splitlines()[0]
    assert first.startswith("#:schema ")
    assert (path.parent / first.removeprefix("#:schema ")).resolve() == script.SCHEMA


@pytest.mark.parametrize("section", SECTIONS)
def test_claims_of_the_catalogue_fit_the_schema(section):
    path = ROOT / "src" / "cxresearch" / "claims" / "catalogue" / f"{section}.toml"
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    shared = raw.get("histories", {})
    for claim in raw["claims"]:
        check({"claims": [{**claim, "histories": {**shared, **claim.get("histories", {})}}]})


@pytest.mark.parametrize(
    "raw",
    [
        {"moment": {}},
        {"moments": {"badd": "x"}},
        {"moments": {"bad": 2}},
        {"study": {"horizon_days": "365"}},
        {"interactions": {"scale": [1, 2, 3]}},
        {"retention": {"kind": "rent"}},
        {"decision": {"multiplicity": "bonferroni"}},
        {"tables": {"a": 3}},
        {"claims": [{"id": "a"}]},
    ],
)
def test_what_a_study_refuses_the_schema_refuses_too(raw):
    with pytest.raises(jsonschema.ValidationError):
        check(raw)
    with pytest.raises(StudyError) if "claims" not in raw else pytest.raises(cx.CxResearchError):
        study = cx.study_from(
            {"retention": {"kind": "activity", "gap_days": 9}, **raw}, interactions=None
        )
        cx.check_claims(study)


def test_every_kind_of_reading_is_on_the_page():
    page = script.page()
    for kind in script.KINDS:
        assert f'### kind = "{kind.__struct_config__.tag}"' in page
    for name in cx.histories.__all__:
        if name[0].islower():
            assert f"| `{name}` |" in page


def test_a_key_without_a_meaning_is_refused():
    class Bare(settings.Section, frozen=True):
        """Nothing is said here."""

        key: str = ""

    with pytest.raises(KeyError, match="describe key under Attributes of Bare"):
        script.table("bare", Bare, examples=False)
