"""What the wheel says it is made of, under which licences, and that nothing is taken on trust."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def loaded(path):
    """A module of the repository that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = loaded(ROOT / "hatch_build.py")
LICENCES = loaded(ROOT / "scripts" / "licences.py")
LOCKS = sorted(ROOT.glob("requirements*.lock"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The wheel, built twice."""
    made = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("dist")
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        made += folder.glob("*.whl")
    return made


def test_nothing_that_was_kept_of_a_study_is_packed(tmp_path):
    """The sample study of a checkout in which it was tried has a state folder of hundreds of megabytes beside it."""
    for name in ("data/sample/study.toml", "data/sample/.cxresearch/cache/a", "notebooks/n.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    packed = BUILD.bundled_files(tmp_path)
    assert list(packed) == [
        str(tmp_path / n) for n in ("data/sample/study.toml", "notebooks/n.ipynb")
    ]
    assert next(iter(packed.values())) == "cxresearch/_bundled/data/sample/study.toml"


@pytest.mark.slow
def test_the_build_writes_a_bill_of_materials(wheels):
    with zipfile.ZipFile(wheels[0]) as packed:
        (name,) = [n for n in packed.namelist() if n.endswith(".cdx.json")]
        assert re.fullmatch(r"cxresearch-[\d.]+\.dist-info/sboms/cxresearch\.cdx\.json", name)
        bill = json.loads(packed.read(name))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["purl"] == "pkg:pypi/cxresearch@0.1.0"
    told = {c["name"]: c["version"] for c in bill["components"]}
    assert told == BUILD.pinned(ROOT / "requirements.lock")
    assert all(c["licenses"][0]["expression"] for c in bill["components"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {c["name"] for c in bill["components"] if c["scope"] == "required"}
    assert required == {BUILD.normal(re.match(r"[\w.-]+", d)[0]) for d in project["dependencies"]}
    references = {c["bom-ref"] for c in bill["components"]}
    assert set(bill["dependencies"][0]["dependsOn"]) <= references
    assert not (ROOT / "build" / "cxresearch.cdx.json").exists()


@pytest.mark.slow
def test_equal_trees_give_equal_wheels(wheels):
    first, second = (path.read_bytes() for path in wheels)
    assert first == second


def test_each_pinned_package_has_a_licence_that_allows_use():
    listed = BUILD.listed_licences(ROOT)
    assert listed.keys() == BUILD.pinned(ROOT / "requirements.lock").keys()
    wrong = {n: x for n, x in listed.items() if not LICENCES.parts(x) <= LICENCES.ALLOWED}
    assert not wrong


def test_listed_licences_are_those_of_what_is_installed():
    """Of those whose version is the one that is pinned."""
    listed, versions = BUILD.listed_licences(ROOT), BUILD.pinned(ROOT / "requirements.lock")
    here = {BUILD.normal(d.name): d for d in distributions()}
    same = [n for n, d in here.items() if versions.get(n) == d.version]
    assert len(same) > 100
    assert {n: listed[n] for n in same} == {n: LICENCES.licence_of(here[n]) for n in same}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda p: p.name)
def test_every_line_of_a_lock_is_pinned_and_has_a_digest(lock):
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert len(blocks) > 5
    for block in blocks:
        assert re.match(r"[\w.-]+==[\w.!+]+( ; .+)? \\\n", block), block
        assert "--hash=sha256:" in block
        assert "://" not in block


def test_pip_itself_is_pinned_and_of_this_year():
    version = BUILD.pinned(ROOT / "requirements.lock")["pip"]
    assert tuple(map(int, version.split("."))) >= (26, 3)


def test_the_example_for_actions_is_pinned_and_may_only_read():
    page = (ROOT / "docs" / "unattended.md").read_text()
    block = page.partition("## GitHub Actions")[2].partition("```yaml")[2].partition("```")[0]
    used = re.findall(r"uses: (\S+)(.*)", block)
    assert len(used) == 5
    for action, comment in used:
        assert re.fullmatch(r"actions/[a-z-]+(/[a-z]+)?@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), comment
    assert "permissions:\n  contents: read\n" in block
    assert "persist-credentials: false" in block
    assert "pip install --require-hashes -r requirements.lock" in block
