"""The documentation: its code runs and prints what is shown, its links lead somewhere, its pages are current."""

import contextlib
import importlib.util
import io
import re
import tomllib
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml
from docs.statistics import draw

import cxresearch as cx
from cxresearch.claims.rivals.apply import rival_entries
from cxresearch.claims.rivals.descriptions import descriptions

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks, site_pages = load("site_hooks"), load("site_pages")


class Loader(yaml.SafeLoader):
    """Takes the tag of the function that makes anchors for a plain value."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
CONFIG_TEXT = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
CONFIG = yaml.load(CONFIG_TEXT, Loader)


def pages_in(nav):
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for value in entry.values():
                yield from [value] if isinstance(value, str) else pages_in(value)


NAV = list(pages_in(CONFIG["nav"]))
PAGES = [
    *sorted(DOCS.rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


# code

# a mark above a block says why it is not run; what stands right below it in a block of text is what it prints
BLOCK = re.compile(
    r"(?P<mark><!-- not run: [^>]+-->\n)?^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
CODE = {path: list(BLOCK.finditer(path.read_text(encoding="utf-8"))) for path in PAGES}
RUN = {p: [b for b in blocks if not b["mark"]] for p, blocks in CODE.items()}
QUICK = {"docs/frames.md"}
ELSEWHERE = {"README.md", "docs/gallery.md"}  # run by test_readme, and below


def test_no_block_of_python_escapes():
    for path, blocks in CODE.items():
        assert len(blocks) == path.read_text(encoding="utf-8").count("```python"), path
    assert {name_of(p) for p, blocks in RUN.items() if blocks} >= QUICK | ELSEWHERE


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path,
            id=name_of(path),
            marks=() if name_of(path) in QUICK else pytest.mark.slow,
        )
        for path, blocks in RUN.items()
        if blocks and name_of(path) not in ELSEWHERE
    ],
)
def test_code_of_a_page_runs_and_prints_what_is_shown(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in RUN[path]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block["code"], name_of(path), "exec"), names)
        if block["shown"] is not None:
            assert printed.getvalue() == block["shown"], block["code"]


def parts(svg):
    """Its words as they are, its numbers as numbers."""
    words = re.split(r"(-?\d+(?:\.\d+)?)", svg)
    return [float(w) if i % 2 else w for i, w in enumerate(words)]


@pytest.mark.slow
def test_pictures_of_the_gallery_are_as_drawn():
    drawn = dict(site_pages.gallery())
    stored = {p.stem: p.read_text(encoding="utf-8") for p in (DOCS / "gallery").glob("*.svg")}
    assert drawn.keys() == stored.keys(), "run make docs"
    for name, svg in drawn.items():
        # a coordinate halfway between two tenths falls to either side, as sums add up in one order or another
        for now, before in zip(parts(svg), parts(stored[name]), strict=True):
            assert now == pytest.approx(before, abs=0.11), f"{name}: run make docs"


def test_gallery_shows_every_chart():
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    no_charts = {"Shares", "claimed", "happening", "shares", "units"}
    for name in set(cx.charts.__all__) - no_charts:
        assert f"charts.{name}(" in text
    names = [name for _, name in site_pages.CODE.findall(text)]
    assert len(names) == len(set(names)) == len(RUN[DOCS / "gallery.md"])


def test_pictures_of_the_statistics_are_as_drawn_and_shown():
    page = (DOCS / "statistics.md").read_text(encoding="utf-8")
    for name, svg in draw.pictures().items():
        stored = (DOCS / "statistics" / f"{name}.svg").read_text(encoding="utf-8")
        assert stored == svg, "run make docs"
        assert f"(statistics/{name}.svg)" in page
        assert "prefers-color-scheme: dark" in svg


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_toml_of_a_page_is_toml(path):
    for text in re.findall(r"```toml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        assert tomllib.loads(text)


def toml_of(page):
    return re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_study_file_of_a_shop_is_complete(tmp_path):
    """It is read as it stands; on a small log that has its columns, claims can be tried, on plain orders none."""
    days = [date(2021, 1, 1) + timedelta(days=3 * i) for i in range(300)]
    log = pl.DataFrame(
        {
            "customer_id": [f"c{i % 40}" for i in range(300)],
            "ordered_at": days,
            "minutes_late": [90 * (i % 3 == 0) for i in range(300)],
            "type": ["order" if i % 5 else "return" for i in range(300)],
        }
    )
    who = [f"c{i}" for i in range(40)]
    customers = {"customer_id": who, "household": who}
    customers |= {name: ["a", "b"] * 20 for name in ("plan", "region", "campaign")}
    log.write_csv(tmp_path / "orders.csv")
    pl.DataFrame(customers).write_csv(tmp_path / "customers.csv")
    (tmp_path / "study.toml").write_text(toml_of("shops.md")[0], encoding="utf-8")
    assert "bad-moments-drive-away" in can_be_tried(cx.read_study(tmp_path / "study.toml"))
    settings = {
        "interactions": {"customer": "customer_id", "at": "ordered_at"},
        "retention": {"kind": "activity", "gap_days": 180},
    }
    orders = log.select("customer_id", "ordered_at")
    assert not can_be_tried(cx.study_from(settings, interactions=orders))
    settings["customers"] = {"customer": "customer_id", "cluster": "household"}
    settings["customers"] |= {"segment": "plan", "marketing": ["campaign"]}
    with_households = cx.study_from(
        settings, interactions=orders, customers=pl.DataFrame(customers)
    )
    assert can_be_tried(with_households) == {"household-contagion"}


def can_be_tried(study):
    tried = cx.check_claims(study)
    return {c for c, lacks in zip(tried.claims, tried.lacks, strict=True) if not lacks}


def test_min_cell_is_where_the_page_says():
    (text,) = toml_of("what-a-page-hides.md")
    study = cx.study_from(
        tomllib.loads(text)
        | {"interactions": {"source": "log.csv"}, "retention": {"source": "customers.csv"}}
    )
    assert study.info.min_cell == 10
    assert study.replace(min_cell=20).info.min_cell == 20


def test_every_cause_of_undecided_is_on_its_page():
    """The sentences that the code gives are those by which a reader finds the cause."""
    page = (DOCS / "undecided.md").read_text(encoding="utf-8")
    code = "".join(
        p.read_text(encoding="utf-8")
        for p in (ROOT / "src/cxresearch/claims").rglob("*")
        if p.suffix in (".py", ".toml")
    )
    quoted = (
        "the range includes values for and against the claim",
        "among comparable customers the two go together",
        "the numbers speak against it",
        "the answer turns with what is held equal",
        "it is not shown that more leave than would without a bad moment",
        "the control fails",
        "of several numbers that must all hold, this one is not far enough outside",
        "of the customers with such a moment have nobody to be compared with",
        "neither of the two says anything about who leaves that the other does not",
        "softening by the years and a selection of those who stayed cannot be distinguished",
    )
    for sentence in quoted:
        assert sentence in page
        assert sentence in code, sentence
    for rival in rivals_that_can_keep_it_open():
        assert f"| {rival} " in page


def rivals_that_can_keep_it_open():
    claims = cx.catalogue().values()
    required = {n for c in claims for n, e in rival_entries(c).items() if e.status == "required"}
    return {descriptions()[name].title for name in required}


# links


def anchors_of(path):
    text = path.read_text(encoding="utf-8")
    prose = hooks.prose_of(text)
    anchors = set(re.findall(r"^::: (\S+)$", prose, re.MULTILINE))
    for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE):
        words = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", heading)
        anchors.add(re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-"))
    return anchors


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(path):
    prose = hooks.prose_of(path.read_text(encoding="utf-8"))
    for link in hooks.LINK.findall(prose):
        target = hooks.target_of(name_of(path), link)
        if target is None:
            assert link.startswith(("#", "https://", "mailto:")), link
            there = path
        else:
            there = ROOT / target
            assert there.exists(), link
        anchor = link.partition("#")[2]
        if anchor and not link.startswith("https://"):
            assert anchor in anchors_of(there), link


def test_links_into_the_repository_become_links_into_the_site():
    text = "[a](../SECURITY.md) [b](../src/cxresearch/cli.py#x) `[c](../README.md)` [d](rivals.md#pace) [e](#f)"
    assert hooks.moved("spark.md", text).split(" ") == [
        "[a](security-policy.md)",
        "[b](source/src/cxresearch/cli.py.md#x)",
        "`[c](index.md)`",
        "[d](rivals.md#pace)",
        "[e](#f)",
    ]
    assert hooks.moved("changelog.md", "[a](docs/decisions) [b](docs/audit.md)") == (
        "[a](decisions/README.md) [b](audit.md)"
    )
    assert hooks.moved("decisions/README.md", "[a](../../README.md)") == "[a](../index.md)"
    assert hooks.moved("spark.md", "([rivals.md](rivals.md#pace))") == (
        "([Rival explanations](rivals.md#pace))"
    )
    code = "```text\n[a](../SECURITY.md)\n```\n"
    assert hooks.moved("spark.md", code) == code


def test_files_that_are_linked_to_have_a_page():
    texts = {uri: (ROOT / path).read_text(encoding="utf-8") for uri, path in hooks.PAGES.items()}
    texts |= {p.relative_to(DOCS).as_posix(): p.read_text(encoding="utf-8") for p in PAGES[:-4]}
    paths = hooks.source_paths(texts)
    assert "src/cxresearch/claims/rivals/explanations.py" in paths
    assert "data/README.md" in paths
    for path in paths:
        assert "# " in hooks.source_page(path)


# what is made from the package


def test_generated_pages_are_current():
    pages = site_pages.pages()
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, f"{name_of(path)}: run make docs"
    assert set((DOCS / "api").iterdir()) == {p for p in pages if p.parent.name == "api"}


def test_every_public_name_is_in_the_reference():
    spaces = set(dir(cx)) - set(cx.__all__)
    assert set(site_pages.MODULES) == {"cx", *(f"cx.{name}" for name in spaces)}
    for module, path in site_pages.MODULES.items():
        uri = f"api/{module.removeprefix('cx.')}.md"
        assert uri in NAV
        text = (DOCS / uri).read_text(encoding="utf-8")
        for name in (cx if module == "cx" else getattr(cx, module.removeprefix("cx."))).__all__:
            assert f"\n::: {path}.{name}\n" in text
            assert f"| [`{module}.{name}`](#{path}.{name}) | " in text


def test_every_error_is_public():
    classes = {n for n, x in vars(cx.errors).items() if isinstance(x, type) and n[0] != "_"}
    assert {n for n in classes if getattr(cx.errors, n).__module__ == cx.errors.__name__} <= set(
        cx.errors.__all__
    )


def test_every_claim_is_in_the_catalogue_page():
    text = (DOCS / "catalogue.md").read_text(encoding="utf-8")
    for claim in cx.catalogue().values():
        entry = text.partition(f"\n### {claim.id}\n")[2].partition("\n### ")[0]
        assert claim.statement in entry
        assert claim.source in entry
        assert f"`{claim.primary.region}`" in entry
        for part in ("Decided by", "Needs", "Rivals", "How often wrong"):
            assert f"- **{part}" in entry


def test_every_page_is_in_the_navigation():
    uris = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")} | set(hooks.PAGES)
    numbered = {u for u in uris if re.match(r"decisions/\d", u)}  # reached from their index
    assert uris - numbered == set(NAV)
    assert len(NAV) == len(set(NAV))


# nothing from elsewhere


def test_configuration_names_nothing_outside():
    assert "//" not in CONFIG_TEXT
    assert CONFIG["theme"]["font"] is False
    assert CONFIG["strict"] is True
    assert CONFIG["use_directory_urls"] is False
    assert "offline" in CONFIG["plugins"]
    assert any("iframe-worker" in script for script in CONFIG["extra"]["polyfills"])
    for name in (*CONFIG["extra"]["polyfills"], *CONFIG["extra_css"], CONFIG["theme"]["favicon"]):
        assert "//" not in re.sub(
            r"^ *// .*|http://www.w3.org/2000/svg",
            "",
            (DOCS / name).read_text(),
            flags=re.MULTILINE,
        )


@pytest.mark.parametrize(
    ("name", "text", "external"),
    [
        (
            "a.html",
            '<a href="https://x.org">x</a><img src="b.svg"><link rel="icon" href="c.svg">',
            [],
        ),
        ("a.html", '<script src="https://x.org/a.js"></script>', ["https://x.org/a.js"]),
        ("a.html", '<link rel="stylesheet" href="//x.org/a.css">', ["//x.org/a.css"]),
        ("a.css", "p { background: url('https://x.org/a.png') }", ["https://x.org/a.png"]),
        ("a.css", "p { background: url(a.png) }", []),
        ("a.js", "fetch('https://x.org')", []),
    ],
)
def test_resources_from_elsewhere_are_seen(tmp_path, name, text, external):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert hooks.external_resources(path) == external


def test_the_tools_of_the_site_stay_out_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    needed = [*project["project"]["dependencies"], *(d for extra in extras for d in extra)]
    assert not [d for d in needed if d.startswith("mkdocs")]
    lock = (ROOT / "requirements-docs.lock").read_text(encoding="utf-8")
    assert "//" not in lock
    for name in project["dependency-groups"]["docs"]:
        assert re.search(rf"^{re.split('[>=]', name)[0]}==", lock, re.MULTILINE)
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        assert "--hash=sha256:" in entry
