"""Writes the pages of the documentation that are made from the package: docs/api/, docs/catalogue.md, docs/gallery/.

Run it with ``make docs`` after a public name, a claim or a chart was changed. A test compares all of them with what
this script writes. The pages of docs/api/ hold a table of names for every reader, and lines with ``:::`` that the
site replaces by the docstrings.
"""

from __future__ import annotations

import importlib
import inspect
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cxresearch as cx
from cxresearch.charts import renderer
from cxresearch.claims.catalogue_loader import SECTIONS, Claim
from cxresearch.claims.rivals.apply import rival_entries
from cxresearch.claims.rivals.descriptions import descriptions
from cxresearch.claims.testability import missing_requirements

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# the public modules, in the order of the flow
MODULES = {
    "cx": "cxresearch",
    "cx.drafting": "cxresearch.drafting",
    "cx.histories": "cxresearch.histories",
    "cx.estimators": "cxresearch.estimators",
    "cx.curves": "cxresearch.curves",
    "cx.silences": "cxresearch.silences",
    "cx.panel": "cxresearch.panel",
    "cx.journey": "cxresearch.journey",
    "cx.charts": "cxresearch.charts",
    "cx.worlds": "cxresearch.worlds",
    "cx.errors": "cxresearch.errors",
}
SECTION_TITLES = {
    "tolerance": "Tolerance: how much customers put up with",
    "what_counts": "What counts: which moments matter",
    "problems": "Problems and recovery",
    "hidden": "What is hidden",
    "levers": "Levers: what can be done",
}
KIND_WORDS = {
    "incidence": "an incidence: the share to whom it happens within the horizon",
    "excess": "an excess: an incidence less that of comparable customers",
    "hazard_contrast": "a hazard ratio",
    "fading": "a hazard ratio that fades, beyond what selection alone would give",
    "attributable_share": "the share of departures that goes with it",
    "model_comparison": "a comparison of two descriptions of the same departures",
    "share": "a share of leavers",
    "share_at_risk": "a share of leavers, against that of those at risk",
    "concentration": "a share at the worst agents, beyond chance",
}
STATUS_WORDS = {
    "required": "must be survived",
    "shown": "shown next to the verdict",
    "held equal": "held equal",
    "aliased": "cannot be distinguished from the claim",
}
DARK = "<style>svg{color:#1f2328}@media (prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
GALLERY_WIDTH = 680
CODE = re.compile(r"```python\n(.*?)```\s*\n!\[[^\]]*\]\(gallery/([a-z-]+)\.svg\)", re.DOTALL)


# the reference


def public_names(module: str) -> list[str]:
    """The public names of a module of `MODULES`, functions and classes alike, in alphabetical order."""
    return sorted(importlib.import_module(MODULES[module]).__all__, key=str.lower)


def api_page(module: str) -> str:
    """The page of a public module: its names with what each is, then the docstrings."""
    path, names = MODULES[module], public_names(module)
    home = importlib.import_module(path)
    rows = [f"| [`{module}.{n}`](#{path}.{n}) | {_first_sentence(home, n)} |" for n in names]
    parts = [
        f"# {module}",
        _opening(module, home),
        "\n".join(["| name | what it is |", "|---|---|", *rows]),
        *(_directive(module, path, n) for n in names),
    ]
    return "\n\n".join(parts) + "\n"


def api_index() -> str:
    """The page that lists the modules."""
    rows = [
        f"| [`{m}`]({_file_name(m)}) | {_opening(m, importlib.import_module(p))} | {len(public_names(m))} |"
        for m, p in MODULES.items()
    ]
    return "\n".join(
        [
            "# Reference of the Python package",
            "",
            "`import cxresearch as cx` brings the names of everyday work; the other modules are imported when they",
            "are first used. These pages are made by `make docs` from the package. In the repository they list the",
            "names; what each takes and returns is read on the site (`make site`), where links lead, or by `help()`.",
            "",
            "| module | what is in it | names |",
            "|---|---|---|",
            *rows,
            "",
            "What a study file may hold is on [a page of its own](../study-file.md). `cxresearch --help` lists the",
            "commands.",
            "",
        ]
    )


def _file_name(module: str) -> str:
    return f"{module.removeprefix('cx.')}.md"


def _opening(module: str, home: Any) -> str:
    if module == "cx":
        return "The names of everyday work."
    return _sentence(home)


def _sentence(thing: Any) -> str:
    """The first paragraph of a docstring, for a cell of a table."""
    text = inspect.cleandoc(thing.__doc__).partition("\n\n")[0].replace("\n", " ")
    return text.replace("``", "`").replace("|", "\\|")


def _first_sentence(home: Any, name: str) -> str:
    thing = getattr(home, name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing) or hasattr(thing, "__wrapped__")):
        return f"A mapping with {len(thing)} keys: {', '.join(f'`{key}`' for key in thing)}."
    return _sentence(thing)


def _directive(module: str, path: str, name: str) -> str:
    lines = ["options:", f"  heading: {module}.{name}", f"  toc_label: {name}"]
    return "\n".join([f"::: {path}.{name}", *(f"    {line}" for line in lines)])


# the catalogue


def catalogue_page() -> str:
    """The page of all claims."""
    claims = cx.catalogue()
    sections = _claims_by_section()
    rows = [f"| [{c.id}](#{c.id}) | {c.statement} |" for c in claims.values()]
    parts = [
        "# The catalogue of claims",
        f"All {len(claims)} claims that the package tries. Each entry says who makes the claim, what number decides "
        "it, which columns it needs besides customer, time and grade, and which [rival explanations](rivals.md) it "
        "must survive. How often verdicts were wrong is measured in synthetic companies whose truth is known "
        "([calibration.md](calibration.md)). This page is made by `make docs` from `cx.catalogue()`.",
        "`cxresearch claims STUDY` says which of them a study can try. [A claim of your own](own-claim.md) has the "
        "same grammar.",
        "An interval of 1.02 to 1.08 lies below 1.10 and is inside `> 1` all the same: it supports, and the verdict "
        "adds that the effect is negligible ([the rule](statistics.md#from-an-interval-to-a-verdict)).",
        "\n".join(["| claim | what it says |", "|---|---|", *rows]),
    ]
    for section, members in sections.items():
        parts += [f"## {SECTION_TITLES[section]}", *(_entry(c) for c in members)]
    return "\n\n".join(parts) + "\n"


def _claims_by_section() -> dict[str, list[Claim]]:
    folder = ROOT / "src" / "cxresearch" / "claims" / "catalogue"
    result = {}
    for section in SECTIONS:
        text = (folder / f"{section}.toml").read_text(encoding="utf-8")
        ids = re.findall(r'^\[\[claims\]\]\nid = "([^"]+)"', text, re.MULTILINE)
        result[section] = [cx.catalogue()[i] for i in ids]
    return result


def _entry(claim: Claim) -> str:
    primary = claim.primary
    lines = [
        f"**Said by**: {claim.source}",
        f"**Decided by**: {primary.label}. It is {KIND_WORDS[primary.kind]}; the claim needs `{primary.region}`.",
    ]
    if primary.requires:
        also = "; ".join(
            f"{claim.reading(r.reading).label} (`{claim.reading(r.reading).region}`)"
            for r in primary.requires
        )
        lines.append(f"**Must hold too**: {also}.")
    for word, name in (("What happens anyway", claim.base_rate), ("The naive answer", claim.naive)):
        if name:
            lines.append(f"**{word}**: {claim.reading(name).label}.")
    lines.append(f"**Needs**: {_needs(claim)}.")
    for status, words in STATUS_WORDS.items():
        rivals = [
            descriptions()[n].title for n, e in rival_entries(claim).items() if e.status == status
        ]
        if rivals:
            lines.append(f"**Rivals, {words}**: {', '.join(rivals)}.")
    if not any(e.status in STATUS_WORDS for e in rival_entries(claim).values()):
        lines.append("**Rivals**: none; it is a fact of the data and claims no cause.")
    if claim.published:
        published = "; ".join(f"{p.value} {p.statement} ({p.source})" for p in claim.published)
        lines.append(f"**Published**: {published}.")
    if claim.change_our_mind:
        lines.append(
            f"**What would change our mind**: {claim.change_our_mind}{_unless_inside(claim)}"
        )
    lines.append(f"**How often wrong**: {_error_rate(claim.id)}")
    return f"### {claim.id}\n\n{claim.statement}\n\n" + "\n".join(f"- {line}" for line in lines)


def _unless_inside(claim: Claim) -> str:
    """Of a claim of a direction: that an interval short of the smallest effect supports where it is inside."""
    regions = [claim.primary.claimed_region] + [
        claim.reading(r.reading).claimed_region
        for r in claim.primary.requires
        if r.contradicts and claim.reading(r.reading).region
    ]
    if claim.primary.why_not_contradicted or all(math.isnan(r.effect) for r in regions):
        return ""
    return " Unless it is inside the claimed region: then it supports, but as negligible."


def _needs(claim: Claim) -> str:
    study = cx.study_from(
        {"interactions": {"source": "log.csv"}, "retention": {"source": "customers.csv"}}
    )
    keys = {"household": "`cluster` (households)", "marketing": "`marketing`"}
    missing = [keys.get(name, f"`{name}`") for name in missing_requirements(claim, study, ())]
    end = "" if "activity" in claim.retention else "an end of the relation (retention by contract)"
    return ", ".join(filter(None, (*missing, end))) or "nothing else"


def _error_rate(claim: str) -> str:
    """From the table of calibration.md, which holds what was measured."""
    tries = wrong = worlds = 0
    for line in (DOCS / "calibration.md").read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 11 and cells[1] == claim:
            times = int(cells[3])
            worlds += 1
            tries += times
            wrong += round(times * float(cells[9].partition("%")[0]) / 100)
    if not tries:
        return "not measured."
    companies = "a synthetic company" if worlds == 1 else f"{worlds} synthetic companies"
    return f"{wrong} of {tries} verdicts, in {companies} in which it is true, false or at the edge."


# the gallery


def gallery() -> Iterator[tuple[str, str]]:
    """Name and SVG of each picture of docs/gallery.md, by the code above it."""
    names: dict[str, Any] = {}
    for code, name in CODE.findall((DOCS / "gallery.md").read_text(encoding="utf-8")):
        exec(compile(code, f"gallery.md: {name}", "exec"), names)
        yield name, picture(names["chart"].to_dict())


def picture(spec: dict[str, Any]) -> str:
    """A chart as a picture of its own, with its title, that is readable on light and on dark pages."""
    svg = renderer.still(spec, GALLERY_WIDTH)
    # the renderer counts what it clips over all pictures of a process
    numbers = {n: str(i) for i, n in enumerate(dict.fromkeys(re.findall(r"clip(\d+)", svg)))}
    svg = re.sub(r"clip(\d+)", lambda m: f"clip{numbers[m[1]]}", svg)
    head, _, rest = svg.partition(">")
    return f"{head}>{DARK}{rest}\n"


def pages() -> dict[Path, str]:
    """All generated pages, but for the pictures of the gallery."""
    api = {DOCS / "api" / _file_name(m): api_page(m) for m in MODULES}
    return api | {DOCS / "api" / "index.md": api_index(), DOCS / "catalogue.md": catalogue_page()}


def main(arguments: Sequence[str] = ()) -> None:
    """Write all of them; with ``--without-pictures``, all but those of the gallery."""
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if "--without-pictures" not in arguments:
        (DOCS / "gallery").mkdir(exist_ok=True)
        for name, svg in gallery():
            (DOCS / "gallery" / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
