"""The kept results as a page: a table of claims by sets, then each set by itself. Nothing is added up over sets."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.atlas.recipes import ROOT, Recipe
from benchmarks.atlas.results import FORMAT, Kept, checked_by_r

from cxresearch.claims.catalogue_loader import catalogue
from cxresearch.claims.decide import parse_region
from cxresearch.claims.results import SYMBOLS
from cxresearch.claims.units import Unit

PAGE = ROOT / "docs" / "atlas.md"
Sets = Sequence[tuple[Recipe, Kept | None]]

# why a claim is not testable, in the words of a cell: by the codes of cxresearch.errors.NOT_TESTABLE
WHY = {
    "missing_column": "no column",
    "no_such_data": "nothing of the kind",
    "nobody_at_risk": "nobody to compare",
    "too_few": "too few",
    "short_follow_up": "too short",
    "other_kind": "makes no sense here",
    "no_repeaters": "too few twice",
    "no_fit": "cannot be fitted",
}
_CODE = re.compile(r"`[^`]+`")
SILENCE = "an end of the relation"  # what shops without contracts lack
_INTRODUCTION = """\
# Atlas: the claims on public data

All claims of the [catalogue](catalogue.md), tried on sets of data that anybody can get. `make atlas DATA=FOLDER` makes
this page: it runs each recipe of [data/recipes](../data/recipes) whose files lie in a folder of its name in FOLDER
(`FOLDER/cdnow` for `cdnow.toml`). What it finds is kept in [benchmarks/atlas/results](../benchmarks/atlas/results) and
is all that this page is made of; `make atlas` alone writes the page anew from there. The data are not part of the
project. Counts are rounded, and small ones left out, as on [any page](what-a-page-hides.md).

## What this page cannot say

**Definitions differ from set to set.** A bad moment is a return here and a late ticket there. Having left is a
cancelled contract in one set and a silence of a fortnight in another. Horizons, customers and what could be held
equal differ as well. From that follows:

- A column answers its own question. Two numbers of a row answer two questions, and neither repeats the other.
- Verdicts of a row must not be counted, and its numbers not averaged. So there is no total and no pooled number here.
- *Supported* in one set and *contradicted* in another would be no contradiction, and twice the same no confirmation.
- An empty cell says what a set lacks, nothing about the claim. Few public sets say how a contact went.
- These sets were taken because they can be had, and for being untidy. They stand for no kind of company.

"""
_CHECKED = (
    "[check.R](../benchmarks/atlas/check.R) computes two cells again, in R with the package survival. It knows"
    " nothing of this package: it begins with the raw files of RavenStack, and with a plain table of contacts "
    "that [contacts.py](../benchmarks/atlas/contacts.py) takes from those of Online Retail II, and grades, "
    "follows up and counts by itself. Shares that are shown are rounded ([what a page "
    "hides](what-a-page-hides.md)), so numbers are held against each other before that."
)
_LEGEND = """\
- A verdict allows for the number of claims that a set can be asked; the interval is of the number by itself, at 95%.
- Percentages are shares, mostly incidences within the horizon; numbers without a sign of percent are hazard ratios.
- *Open*: the number would decide the claim, and these [rival explanations](rivals.md) keep it open. Without this word,
  the number does not decide it: by itself, for the number of claims, or because others of the claim must hold as well.
- *No column*: the set lacks a column that the claim asks about. *No bad moments* and its like, *nothing of the kind*:
  no row holds what is asked for. *Silence is leaving*: where contacts alone tell who has left, it cannot be asked
  whether a silence foretells it.
- *Too few*: fewer than ten departures would be expected in a group that is compared, or too few are at risk. *Too
  short*: nobody is followed to the horizon. *Not shown*: too few stand behind the number."""


def page(sets: Sets) -> str:
    """The page, the same for the same results.

    Args:
        sets: recipes with their kept results; None where a recipe was never run.
    """
    there = [(recipe, kept) for recipe, kept in sets if kept]
    parts = [
        _INTRODUCTION,
        _definitions(there),
        _verdicts(there),
        _missing(sets),
        *(_one(recipe, kept) for recipe, kept in there),
        _checked(there),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def cell(result: Mapping[str, Any] | None) -> str:
    """A claim on a set: the verdict, the number with its interval or what is lacking, and which rivals keep it open.

    Args:
        result: of the claim, as kept; None where it was not tried, since the claim is newer.
    """
    if result is None:
        return "not tried"
    sign, verdict = SYMBOLS[result["verdict"]], result["verdict"]
    if verdict == "not testable":
        return f"{sign} {_lack(result)}"
    still = f"<br>open: {', '.join(result['kept_open_by'])}" if result["kept_open_by"] else ""
    return f"{sign} {verdict}<br>{number(result)}{still}"


def _lack(result: Mapping[str, Any]) -> str:
    lacks = result["lacks"].partition(":")[0]
    if lacks in ("bad moments", "neutral moments", "good moments"):
        return f"no {lacks}"
    return "silence is leaving" if lacks == SILENCE else WHY[result["code"]]


def number(result: Mapping[str, Any]) -> str:
    """A number with its interval, as on any page; that it is not shown where too few stand behind it."""
    if result["estimate"] is None:
        return "not shown"
    unit = Unit(result["unit"])
    edges = parse_region(result["region"]).thresholds if result["region"] else ()
    interval = unit.interval_text(result["low"], result["high"], edges)
    return f"{unit.text(result['estimate'])} ({interval})"


def why_open(result: Mapping[str, Any]) -> str:
    """Why a claim is undecided: the rivals that keep it open, or that the number does not decide."""
    if result["verdict"] != "undecided":
        return ""
    if result["kept_open_by"]:
        return f"kept open by **{', '.join(result['kept_open_by'])}**"
    still = ", ".join(result["required"])
    return result["reason"] + (f" (no rival is asked before it does: {still})" if still else "")


def _definitions(sets: Sets) -> str:
    rows = [
        (
            f"[{recipe.title}](#{_anchor(recipe.title)})",
            recipe.about.what.rpartition("; ")[2].rstrip("."),
            recipe.about.bad.partition(". ")[0].partition(": ")[0].rstrip("."),
            recipe.about.left,
            f"{recipe.settings['study'].get('horizon_days', 365)} days",
        )
        for recipe, _ in sets
    ]
    heads = ("set", "data", "a bad moment is", "having left means", "horizon")
    return f"## What the columns mean\n\n{_table(heads, rows)}"


def _verdicts(sets: Sets) -> str:
    heads = ("claim", *(recipe.title for recipe, _ in sets))
    rows = [
        (
            f"[{claim}](catalogue.md#{claim})",
            *(cell(kept["claims"].get(claim)) for _, kept in sets if kept),
        )
        for claim in catalogue()
    ]
    signs = ", ".join(
        f"{SYMBOLS[v]} {v}" for v in ("supported", "contradicted", "undecided", "not testable")
    )
    return f"## Claims and sets\n\n{signs}.\n\n{_LEGEND}\n\n{_table(heads, rows)}"


def _missing(sets: Sets) -> str:
    never = [recipe.title for recipe, kept in sets if not kept]
    late = [recipe.title for recipe, kept in sets if kept and _is_stale(recipe, kept)]
    parts = [f"Not run, since the data were not at hand: {', '.join(never)}."] if never else []
    parts += [f"Run by an earlier form of the recipe: {', '.join(late)}."] if late else []
    return "\n".join(parts)


def _is_stale(recipe: Recipe, kept: Kept) -> bool:
    return kept["recipe"] != recipe.digest or kept["format"] != FORMAT


def _one(recipe: Recipe, kept: Kept) -> str:
    about = recipe.about
    facts = ", ".join(f"{name} {value}" for name, value in kept["facts"].items())
    lines = [
        f"## {recipe.title}",
        "",
        f"{about.what} {about.read_as}",
        "",
        f"- **Data**: {about.source}. Licence: {about.licence}.",
        f"- **Recipe**: [{recipe.file.name}](../data/recipes/{recipe.file.name}). Files: "
        + ", ".join(f"`{name}`" for name in recipe.files)
        + f". The log runs from {kept['data_from']} to {kept['data_until']}; fingerprint of the data "
        f"`{kept['fingerprint']}`.",
        f"- **Quirks**: {' '.join(about.quirks)}",
        f"- **A bad moment**: {_dotted(about.bad)} {_rules(recipe)}",
        *([f"- **A good moment**: {_dotted(about.good)}"] if about.good else []),
        f"- **Retention**: {_retention(recipe)} {about.lapse}",
        f"- **Coming back**: {about.returned}",
        f"- **Compared within**: {_strata(recipe)}",
        f"- **Counted**: {facts}.",
        *([f"- **The audit warns**: {_dotted(w)}" for w in kept["warnings"]]),
        "",
    ]
    return "\n".join([*map(_wrapped, lines), *_tried(kept), *_held(kept), *_untried(kept)])


def _rules(recipe: Recipe) -> str:
    moments = recipe.settings["moments"]
    written = [f"`{k} = {_toml(moments[k])}`" for k in ("bad", "good", "neutral") if k in moments]
    leads = moments.get("lead_days", [14, 30, 60])
    grades = moments.get("grades", "given")
    return (
        f"In the study file: {', '.join(written)}; `grades = {_toml(grades)}`, `lead_days = {leads}`"
        f"{'' if 'lead_days' in moments else ' by default'}."
    )


def _retention(recipe: Recipe) -> str:
    retention = recipe.settings["retention"]
    keys = ("kind", "gap_days", "active", "new_from", "start", "end", "returns")
    written = ", ".join(f"`{k} = {_toml(retention[k])}`" for k in keys if k in retention)
    how = "By activity" if retention.get("kind") == "activity" else "By contract"
    return f"{how} ({written})." if written else f"{how}."


def _strata(recipe: Recipe) -> str:
    settings = recipe.settings
    segment = settings.get("customers", {}).get("segment") or settings["retention"].get("segment")
    return f"segments (`{segment}`)." if segment else "no segments: the set names none."


def _tried(kept: Kept) -> Iterator[str]:
    tried = {c: r for c, r in kept["claims"].items() if r["verdict"] != "not testable"}
    if not tried:
        yield "No claim could be tried.\n"
        return
    family = kept["family"]
    by = (
        ""
        if family["multiplicity"] == "none"
        else f", by {family['multiplicity'].capitalize()}'s method"
    )
    yield f"Verdicts allow for {family['size']} claims{by}.\n"
    rows = []
    for claim, result in tried.items():
        besides = [
            f"<br>beside it {number(x)} {x['label']}"
            for x in result["rests_on"]
            if x["estimate"] is not None
        ]
        rows.append(
            (
                f"[{claim}](catalogue.md#{claim})",
                f"{SYMBOLS[result['verdict']]} {result['verdict']}",
                number(result) + "".join(besides),
                _base(result["base_rate"]),
                _base(result["naive"]),
                result["customers"] or "–",
                ", ".join(result["held_equal"]) or "–",
                why_open(result) or "–",
            )
        )
    heads = (
        "claim",
        "verdict",
        "number",
        "happens anyway",
        "counted naively",
        "customers",
        "held equal",
        "why open",
    )
    yield _table(heads, rows)


def _held(kept: Kept) -> Iterator[str]:
    held: dict[str, dict[str, None]] = {}
    for result in kept["claims"].values():
        for title, reason in result["held_equal"].items():
            if result["verdict"] != "not testable":
                held.setdefault(title, {})[reason] = None
    if held:
        said = "; ".join(
            f"*{title}*: {' '.join(reasons)}".rstrip(".") for title, reasons in held.items()
        )
        yield _wrapped(f"Held equal: {said}.") + "\n"


def _untried(kept: Kept) -> Iterator[str]:
    by_lack: dict[str, list[str]] = {}
    for claim, result in kept["claims"].items():
        if result["verdict"] == "not testable":
            by_lack.setdefault(result["lacks"].partition(":")[0], []).append(claim)
    if by_lack:
        said = "; ".join(f"{lack} ({', '.join(claims)})" for lack, claims in by_lack.items())
        yield _wrapped(f"Not testable, for want of: {said}.")


def _base(value: Mapping[str, Any] | None) -> str:
    return f"{Unit(value['unit']).text(value['value'])} {value['label']}" if value else "–"


def _checked(sets: Sets) -> str:
    by_name = {recipe.name: (recipe, kept) for recipe, kept in sets if kept}
    rows = []
    for by_r in checked_by_r():
        recipe, kept = by_name.get(by_r["recipe"], (None, None))
        if recipe is None or kept is None or by_r["claim"] not in kept["checked"]:
            continue
        here, there = kept["checked"][by_r["claim"]]["estimate"], float(by_r["estimate"])
        shown = number(kept["claims"][by_r["claim"]])
        rows.append(
            (
                f"{recipe.title}, {by_r['claim']}",
                shown,
                f"{here:.10f}",
                f"{there:.10f}",
                _distance(here, there),
                by_r["how"],
            )
        )
    if not rows:
        return ""
    heads = ("cell", "shown above", "before rounding", "R", "apart by", "how")
    return f"""## Cells checked by hand

{_wrapped(_CHECKED)}

{_table(heads, rows)}"""


def _distance(here: float, there: float) -> str:
    apart = abs(here - there)
    return "less than 1e-10" if apart < 1e-10 else f"{apart:.0e}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return (
        "\n".join(
            f"| {' | '.join(c.replace('|', chr(92) + '|') for c in line)} |" for line in lines
        )
        + "\n"
    )


def _wrapped(text: str) -> str:
    indent = "  " if text.startswith("- ") else ""
    whole = _CODE.sub(lambda code: code[0].replace(" ", "\0"), text)  # code stays on one line
    wrapped = textwrap.fill(
        whole, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapped.replace("\0", " ")


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _dotted(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
