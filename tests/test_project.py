"""The project itself: what its files promise about each other, and that it is quick to import."""

from __future__ import annotations

import ast
import doctest
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import cxresearch as cx

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = (
    "polars",
    "narwhals",
    "scipy",
    "statsmodels",
    "altair",
    "papermill",
    "lifelines",
    "duckdb",
    "pandas",
    "sqlglot",
    "fastexcel",
    "charset_normalizer",
)
MODULES = sorted((ROOT / "src").rglob("*.py"))
LINES = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()


def test_every_module_that_the_architecture_names_exists():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "cxresearch"
    rows = re.findall(r"^\| `([a-z/]+)/` \|[^|]*\| ([^|]*) \|$", text, re.MULTILINE)
    named = [
        f"{folder}/{name}" for folder, names in rows for name in re.findall(r"`(\w[^`]*)`", names)
    ]
    assert len(rows) == len(re.findall(r"^\| `[a-z/]+/` ", text, re.MULTILINE)) > 10
    questions = text.partition("## Where to find what")[2]
    elsewhere = re.findall(r"`([a-z_]+)`", questions.replace("`init`", ""))
    assert not elsewhere  # a module is named with its package
    named += re.findall(r"`([a-z_]+(?:/[a-z_]+)+)`", questions)
    for name in named:
        path = package / name
        assert path.with_suffix(".py").exists() or path.is_dir(), name


def test_the_conda_environment_says_what_the_project_says():
    entries = [line.strip().removeprefix("- ") for line in LINES if line.strip().startswith("- ")]
    asked = [e for e in entries if re.match(r"[a-z0-9-]+>=", e) and not e.startswith("python>=")]
    extras = PYPROJECT["optional-dependencies"]
    assert sorted(asked) == sorted({*PYPROJECT["dependencies"], *extras["duckdb"], *extras["lab"]})
    assert f"python{PYPROJECT['requires-python']}" in entries
    assert "-e ." in entries


def locked(name):
    """The entries of a lock, by package."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip())
    return {re.match(r"[A-Za-z0-9._-]+", e)[0].lower(): e for e in entries}


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-spark.lock", "requirements-postgres.lock"]
)
def test_a_lock_names_no_address_and_hashes_every_entry(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|-e)\b", text, re.M)
    entries = locked(name)
    assert len(entries) > 50
    for entry in entries.values():
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:80]
    needed = {re.match(r"[A-Za-z0-9._-]+", d)[0].lower() for d in PYPROJECT["dependencies"]}
    assert needed <= set(entries)


@pytest.mark.parametrize(
    ("extra", "adds"),
    [
        ("spark", {"pyspark", "py4j"}),
        ("postgres", {"adbc-driver-postgresql", "adbc-driver-manager"}),
    ],
)
def test_an_extra_is_in_a_lock_of_its_own_that_changes_nothing_else(extra, adds):
    own, more = locked("requirements.lock"), locked(f"requirements-{extra}.lock")
    assert set(more) - set(own) == adds
    for name in set(more) & set(own):  # the markers tell who needs it, and may differ
        assert more[name].split()[0] == own[name].split()[0]
        assert re.findall("sha256:[0-9a-f]+", more[name]) == re.findall(
            "sha256:[0-9a-f]+", own[name]
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.name)
def test_no_module_is_longer_than_can_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 560


def test_every_marker_is_run_by_somebody():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    markers = {text.partition(":")[0] for text in tool["pytest"]["ini_options"]["markers"]}
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    quick, everything = (
        set(re.findall(r"not (\w+)", line)) for line in re.findall(r'-m "(not .*?)"', make)
    )
    assert quick == markers
    assert everything == markers - {"slow"}
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test-all" in run
    asked = re.findall(r'tests -m ("[^"]+"|\w+)', run)
    assert {name for words in asked for name in re.findall(r"\w+", words)} - {"or"} == everything


def dataclasses_in(path):
    """The dataclasses of a module: name, number of fields, whether they are built by keyword only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        made = [d for d in getattr(node, "decorator_list", ()) if "dataclass" in ast.unparse(d)]
        if isinstance(node, ast.ClassDef) and made:
            fields = sum(isinstance(line, ast.AnnAssign) for line in node.body)
            yield node.name, fields, "kw_only=True" in ast.unparse(made[0])


# built by the position of their arguments in few places beside their definition
BY_POSITION = {"CellFlows", "MatchedTable", "TieTerms", "World"}


def test_every_slow_test_exists():
    """A test that was renamed would be run by `make test` again, in silence."""
    names: dict[str, set[str]] = {}
    for line in (ROOT / "tests" / "slow_tests.txt").read_text("utf-8").split():
        file, *_, name = line.split("::")
        names.setdefault(file, set()).add(name)
    for file, wanted in names.items():
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert wanted <= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}, file


def test_what_has_many_fields_is_built_by_keyword():
    every = [found for path in MODULES for found in dataclasses_in(path)]
    assert len(every) > 80
    assert {name for name, fields, named in every if fields > 5 and not named} <= BY_POSITION


FLOW = (
    "errors", "utils", "disclosure", "study", "engines", "records", "histories", "risk", "estimators", "explore",
    "silences", "curves", "claims", "panel", "journey", "worlds", "planning", "charts", "drafting", "report",
    "cli_streams", "cli_values", "cli_options", "cli_planning", "cli",
    "__main__", "__init__",
)  # fmt: skip


def imports():
    """What each module imports of the package, late imports and those for types included."""
    src = ROOT / "src"
    modules = {
        ".".join(p.relative_to(src).with_suffix("").parts).removesuffix(".__init__"): p
        for p in MODULES
    }
    for name, path in modules.items():
        result = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").split(".")[0] == "cxresearch"
            ):
                inside = {f"{node.module}.{a.name}" for a in node.names}
                result |= inside & set(modules) or {node.module}
        yield name, result - {name}


def test_no_two_classes_share_a_name():
    """One noun, one meaning: a class that others import has a name of its own in the whole package."""
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.name)
    assert len(places) > 200
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_nothing_flows_back():
    def room(name):
        return FLOW.index([*name.split("."), "__init__"][1])

    for name, result in imports():
        assert all(room(other) <= room(name) for other in result), (
            f"{name} imports {sorted(result)}"
        )


def test_no_two_modules_need_each_other():
    assert list(TopologicalSorter(dict(imports())).static_order())


@pytest.mark.parametrize(
    "code",
    [
        "import cxresearch",
        "from cxresearch.cli import main; main(['--help'], standalone_mode=False)",
    ],
)
def test_importing_and_helping_load_nothing_heavy(code):
    check = f"{code}\nimport sys\nprint('LOADED', *(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", check], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert done.stderr == ""


@pytest.mark.parametrize("name", cx.__all__)
def test_every_public_name_resolves_and_is_described(name):
    result = getattr(cx, name)
    assert result.__doc__
    # a dataclass without a docstring gets its signature for one
    assert not result.__doc__.startswith(f"{name}(")


EXPLAINED = [
    (space, name)
    for space in (cx, cx.histories, cx.estimators, cx.charts)
    for name in space.__all__
]


@pytest.mark.parametrize(("space", "name"), EXPLAINED, ids=[name for _, name in EXPLAINED])
def test_every_public_name_has_an_example_with_output(space, name):
    tests = doctest.DocTestFinder(recurse=False).find(getattr(space, name), name)
    examples = [e for t in tests for e in t.examples]
    assert any(e.want for e in examples)
    assert all(e.source.count("\n") < 10 for e in examples)


def test_public_names_are_sorted_and_complete():
    assert list(cx.__all__) == sorted(cx.__all__)
    assert set(cx.__all__) < set(dir(cx))
    assert len(cx.__all__) <= 36
    with pytest.raises(AttributeError, match="no attribute 'audti'"):
        cx.audti  # noqa: B018


def test_the_catalogue_parses():
    claims = cx.catalogue().values()
    assert len({c.id for c in claims}) == len(claims) >= 1
    for claim in claims:
        assert claim.statement
        assert claim.source
        assert claim.primary.primary


# folders of tests that are no packages: what needs a browser, Spark or a server, what all notebooks must do, numbers
# that were made without the package, and the hostile companies and the atlas of the benchmarks
OTHER_TESTS = {
    "browser",
    "spark",
    "postgres",
    "notebooks",
    "golden",
    "reference",
    "hostile",
    "atlas",
}


def test_folders_of_tests_are_those_of_the_package():
    tests, package = ROOT / "tests", ROOT / "src" / "cxresearch"
    folders = {p.parent.relative_to(tests) for p in tests.rglob("test_*.py")} - {Path()}
    packages = {p.parent.relative_to(package) for p in package.rglob("__init__.py")}
    assert {f for f in folders if f.parts[0] not in OTHER_TESTS} <= packages
    assert {p for p in packages if len(p.parts) == 1} <= folders | {Path("report")}


MAPS = [p for p in (ROOT / "src" / "cxresearch").glob("*/__init__.py") if p.parent.name != "report"]


@pytest.mark.parametrize("package", MAPS, ids=lambda p: p.parent.name)
def test_the_map_of_a_package_names_its_modules(package):
    """Every module is named in the docstring of its package, and every name there is one of a module."""
    text = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8"))) or ""
    modules = {p.stem for p in package.parent.glob("*.py")} - {"__init__"}
    if len(modules) > 1:
        assert [m for m in modules if not re.search(rf"\b{m}\b", text)] == []
    # a map is indented: names, two spaces or more, and what is there
    first = {
        n for line in re.findall(r"^    ([a-z_0-9, ]+?)  ", text, re.M) for n in line.split(", ")
    }
    assert first <= modules


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.stem)
def test_documented_arguments_are_those_of_the_function(module):
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        _, args, rest = (ast.get_docstring(node) or "").partition("Args:\n")
        if not args:
            continue
        block = re.split(r"\n\S", rest)[0]
        documented = {
            name
            for line in re.findall(r"^    (\w[^:]*):", block, re.M)
            for name in line.split(", ")
        }
        assert documented <= parameters(node), node.name


def parameters(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    """What a function, or the constructor of a class, takes."""
    if isinstance(node, ast.ClassDef):
        made = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        if not made:
            fields = [n.target for n in node.body if isinstance(n, ast.AnnAssign)]
            return {t.id for t in fields if isinstance(t, ast.Name)}
        node = made[0]
    a = node.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return {x.arg for x in every}
