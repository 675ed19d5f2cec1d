"""Writes docs/study-file.md and data/sample/study.schema.json from the settings and the grammar of claims.

Run it with ``make docs`` after a key was added. A test compares both files with what this script writes.
"""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from datetime import date
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from cxresearch.claims import kinds, readings, schema
from cxresearch.study import settings
from cxresearch.study.settings import Section

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "study-file.md"
SCHEMA = ROOT / "data" / "sample" / "study.schema.json"

SECTIONS: dict[str, type[Section]] = {
    "study": settings.StudySection,
    "tables": settings.Table,
    "interactions": settings.Interactions,
    "moments": settings.MomentRules,
    "retention": settings.Retention,
    "customers": settings.Customers,
    "decision": settings.DecisionRules,
}
FORMAT = settings.Format
CLAIM_PARTS: dict[str, type[Section]] = {
    "text": schema.Text,
    "published": schema.Published,
    "rivals": schema.RivalEntry,
}
READING_PARTS: dict[str, type[Section]] = {
    "time_origin": readings.TimeOrigin,
    "competing_event": readings.CompetingEvent,
    "model": readings.Model,
    "compare": readings.Comparison,
    "requires": readings.Requirement,
}
KINDS: tuple[type[readings.Reading], ...] = get_args(kinds.AnyReading)

# an example of each key of a section; a test reads them all
EXAMPLES: dict[str, str] = {
    "study.id": '"online-retail"',
    "study.name": '"Online retail"',
    "study.horizon_days": "365",
    "study.min_cell": "10",
    "source": '"contacts.parquet"',
    "query": '"select * from tickets join accounts using (account_id)"',
    "format": '{ separator = ";" }',
    "sheet": '"Orders"',
    "columns": '["customer", "day", "amount"]',
    "widths": "[7, 9, 3]",
    "encoding": '"utf8-lossy"',
    "null_values": '["?"]',
    "true_values": '["Ja"]',
    "false_values": '["Nein"]',
    "format.separator": '";"',
    "format.quote": '"\'"',
    "format.encoding": '"utf8-lossy"',
    "format.decimal_comma": "true",
    "format.thousands": '"."',
    "format.skip_rows": "2",
    "format.null_values": '["", "NA"]',
    "customer": '"customer_id"',
    "interactions.at": '"occurred_at"',
    "interactions.at_format": '"%d/%m/%Y %H:%M"',
    "interactions.time_zone": '"Europe/London"',
    "interactions.touchpoint": '"page"',
    "interactions.channel": '"channel"',
    "interactions.owner": '"department"',
    "interactions.agent": '"handled_by"',
    "interactions.score": '"stars"',
    "interactions.scale": "[1, 5]",
    "interactions.level": '"service_level"',
    "interactions.grade": '"grade"',
    "interactions.attended": '"with_person"',
    "interactions.is_problem": '"is_complaint"',
    "interactions.handoff": '"was_transferred"',
    "interactions.respect": '"q1"',
    "interactions.solutions": '"q2"',
    "interactions.simplicity": '"q3"',
    "interactions.responsibility": '"q4"',
    "interactions.problem_at": '"reported_at"',
    "interactions.resolved_at": '"closed_at"',
    "interactions.goodwill_at": '"refunded_at"',
    "interactions.informed_at": '"notified_at"',
    "interactions.complained_at": '"complained_at"',
    "interactions.posted_at": '"tweeted_at"',
    "interactions.unattended": '["web", "app", "bill"]',
    "interactions.expectations_scale": "[1, 7]",
    "interactions.known_at_contact": '["complained_at"]',
    "interactions.log_from": "2023-01-01",
    "interactions.log_until": "2024-12-31",
    "moments.bad": '"stars <= 2"',
    "moments.neutral": '"otherwise"',
    "moments.good": '"stars >= 4"',
    "moments.exclude": "\"touchpoint = 'cancellation'\"",
    "moments.blackout_days": "14",
    "moments.lead_days": "[14, 30, 60]",
    "moments.grades": '"measured"',
    "moments.lookback_days": "365",
    "moments.value_per_customer_day": "0.85",
    "moments.currency": '"EUR"',
    "retention.kind": '"activity"',
    "retention.start": '"signed_up"',
    "retention.end": '"cancelled"',
    "retention.date_format": '"%d.%m.%Y"',
    "retention.cause": '"reason"',
    "retention.contract": '"contract_id"',
    "retention.defection": '["switched", "dissatisfied"]',
    "retention.observed_from": '"migrated_at"',
    "retention.observed_until": "2024-12-31",
    "retention.segment": '"plan"',
    "retention.cluster": '"household_id"',
    "retention.covariates": '["region"]',
    "retention.marketing": '["acquisition", "campaign"]',
    "retention.gap_days": "180",
    "retention.returns": '"ignore"',
    "retention.active": "\"type = 'order'\"",
    "retention.at": '"ordered_at"',
    "retention.new_from": "2021-01-01",
    "customers.segment": '"plan"',
    "customers.cluster": '"household_id"',
    "customers.covariates": '["region"]',
    "customers.marketing": '["acquisition", "campaign"]',
    "decision.level": "0.95",
    "decision.multiplicity": '"holm"',
    "decision.looks": '"anytime"',
}


def example_of(section: str, key: str) -> str:
    """An example of a key, as TOML.

    Raises:
        KeyError: there is none; write one.
    """
    for name in (f"{section}.{key}", key):
        if name in EXAMPLES:
            return EXAMPLES[name]
    raise KeyError(f"write an example of {section}.{key} in EXAMPLES of scripts/study_file.py")


def attributes_of(section: type) -> dict[str, str]:
    """What the docstring of a class, or of one that it is derived from, says of each field."""
    result: dict[str, str] = {}
    for cls in reversed(section.__mro__):
        text = inspect.cleandoc(vars(cls).get("__doc__") or "")
        block = text.partition("Attributes:\n")[2]
        block = re.split(r"\n(?=\S)", block)[0]
        for entry in re.split(r"\n(?=    \w)", block):
            name, _, meaning = entry.strip().partition(": ")
            if meaning:
                result[name] = " ".join(meaning.split())
    return result


def type_in_words(kind: Any) -> str:
    """A type as a reader of a study file knows it."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{json.dumps(a)}`" for a in args)
    if origin in (Union, types.UnionType):
        given = [a for a in args if a is not type(None)]
        return " or ".join(dict.fromkeys(type_in_words(a) for a in given))
    if origin is tuple:
        number = "list of" if Ellipsis in args else {2: "two"}[len(args)]
        return f"{number} {_plural(type_in_words(args[0]))}"
    if origin is dict:
        if get_origin(args[1]) is dict or issubclass(_class_of(args[1]), Section):
            return "sections, each with a name"
        return f"names with {_plural(type_in_words(args[1]))}"
    return "a section" if issubclass(_class_of(kind), Section) else _WORDS[kind]


def _class_of(kind: Any) -> type:
    return kind if isinstance(kind, type) else object


_WORDS: dict[Any, str] = {
    Any: "text, a date or a number",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    date: "date",
    dict: "a section",
}


def _plural(words: str) -> str:
    plain = {
        "text": "texts",
        "whole number": "whole numbers",
        "number": "numbers",
        "a section": "sections",
    }
    return plain.get(words, words if " " in words or "`" in words else f"{words}s")


def default_in_words(field: msgspec.structs.FieldInfo) -> str:
    """The default as TOML; a dash where there is none."""
    if field.required:
        return "needed"
    default = field.default
    if default is msgspec.NODEFAULT:
        factory: Any = field.default_factory
        default = factory()
    if default is None or isinstance(default, Section):
        return "–"
    if isinstance(default, dict | tuple):
        return f"`{json.dumps(list(default) if isinstance(default, tuple) else default)}`"
    return f"`{json.dumps(default)}`"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def table(
    section: str, cls: type[Section], *, skip: tuple[str, ...] = (), examples: bool
) -> list[str]:
    """The keys of a section as a Markdown table."""
    meaning = attributes_of(cls)
    head = ("key", "type", "default", *(("example",) if examples else ()), "meaning")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for field in msgspec.structs.fields(cls):
        if field.name in skip:
            continue
        if field.name not in meaning:
            raise KeyError(f"describe {field.name} under Attributes of {cls.__name__}")
        row = [f"`{field.name}`", type_in_words(field.type), default_in_words(field)]
        row += [f"`{example_of(section, field.name)}`"] if examples else []
        lines.append(f"| {' | '.join(map(_cell, (*row, meaning[field.name])))} |")
    return lines


def page() -> str:
    """docs/study-file.md."""
    lines = [
        "# The study file",
        "",
        "All keys, by section. This page is made by `make docs` from the settings; a test compares the two. A wrong",
        "key or value is an error that names the nearest known one. [columns.md](columns.md) says what each column of",
        "the log opens, [rivals.md](rivals.md#what-to-declare) how to choose `lead_days`, `grades` and",
        "`lookback_days`, [what-a-page-hides.md](what-a-page-hides.md) what `min_cell` does. Words are in",
        "[the glossary](glossary.md).",
        "",
        "Editors complete and check study files that begin with `#:schema study.schema.json`, where that file lies",
        "beside the study: `cxresearch init` and `cxresearch sample` write both. Taplo, and with it Even Better TOML,",
        "reads that line.",
        "",
    ]
    for name, cls in SECTIONS.items():
        lines += [f"## [{name}]", ""]
        if name == "tables":
            lines += [
                'Each key is the name of a table, as queries write it: `tickets = "tickets.csv"`, or a section',
                "`[tables.tickets]` with these keys.",
                "",
            ]
        lines += [*table(name, cls, examples=True), ""]
    lines += [
        "## format",
        "",
        "Under `[interactions.format]`, `[retention.format]` and `[tables.NAME.format]`.",
        "",
        *table("format", FORMAT, examples=True),
        "",
        *_claims(),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _claims() -> list[str]:
    lines = [
        "## [[claims]]",
        "",
        "A claim of one's own; `src/cxresearch/claims/catalogue/` holds those of the catalogue in the same form.",
        "`base_rate` may be the keys of a reading in place of the id of one.",
        "",
        *table("claims", schema.Claim, examples=False),
        "",
    ]
    for name, cls in CLAIM_PARTS.items():
        lines += [f"### claims.{name}", "", *table(name, cls, examples=False), ""]
    lines += [
        "## [[claims.readings]]",
        "",
        "A number that a claim can be read as. Every kind of reading has these keys, and those of its kind. With",
        "`same_as`, the id of a reading above it, a reading has the keys of that one, except for those that it gives",
        "itself and for `kind`.",
        "",
        *table("readings", readings.Reading, examples=False),
        "",
    ]
    common = tuple(f.name for f in msgspec.structs.fields(readings.Reading))
    for cls in KINDS:
        first = inspect.cleandoc(cls.__doc__ or "").splitlines()[0]
        lines += [f'### kind = "{cls.__struct_config__.tag}"', "", first, ""]
        lines += [*table("readings", cls, skip=common, examples=False), ""]
    for name, cls in READING_PARTS.items():
        first = inspect.cleandoc(cls.__doc__ or "").splitlines()[0]
        lines += [f"### {name}", "", first, "", *table(name, cls, examples=False), ""]
    lines += [
        "## claims.histories",
        "",
        "What customers have lived through, each under a name of its own: "
        '`histories.bad = { use = "bad_count", cap = 3 }`. The functions, with their parameters:',
        "",
        "| use | parameters | counts |",
        "|---|---|---|",
    ]
    for name, function in schema.HISTORIES.items():
        first = inspect.cleandoc(function.__doc__ or "").splitlines()[0]
        given = ", ".join(
            p.name if p.default is inspect.Parameter.empty else f"{p.name} = {_toml(p.default)}"
            for p in inspect.signature(function).parameters.values()
        )
        lines.append(f"| `{name}` | {f'`{given}`' if given else '–'} | {_cell(first)} |")
    return lines


def _toml(value: Any) -> str:
    return (
        "none" if value is None else json.dumps(list(value) if isinstance(value, tuple) else value)
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of study files."""
    classes = [*SECTIONS.values(), FORMAT, schema.Claim]
    _, parts = msgspec.json.schema_components(classes, ref_template="#/$defs/{name}")
    described = {
        c.__name__: c for c in (*classes, *CLAIM_PARTS.values(), *READING_PARTS.values(), *KINDS)
    }
    parts = {name: _mended(part, described.get(name)) for name, part in parts.items()}
    kinds_of_readings = [{"$ref": f"#/$defs/{c.__name__}"} for c in KINDS]
    parts["Claim"]["properties"]["readings"]["items"] = {
        "anyOf": [*kinds_of_readings, {"$ref": "#/$defs/SameReading"}]
    }
    parts["SameReading"] = _same_reading(parts)
    parts["Claim"]["properties"]["base_rate"] = {
        "anyOf": [{"type": "string"}, {"type": "object"}],
        "description": parts["Claim"]["properties"]["base_rate"]["description"],
    }
    sections: dict[str, Any] = {n: {"$ref": f"#/$defs/{c.__name__}"} for n, c in SECTIONS.items()}
    table_or_file = {"anyOf": [{"type": "string"}, sections["tables"]]}
    sections["tables"] = {"type": "object", "additionalProperties": table_or_file}
    sections["claims"] = {"type": "array", "items": {"$ref": "#/$defs/Claim"}}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Study file of cxresearch",
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
        "$defs": dict(sorted(parts.items())),
    }
    return typing.cast(dict[str, Any], json.loads(json.dumps(whole)))  # tuples are lists there


def _same_reading(parts: dict[str, Any]) -> dict[str, Any]:
    """A reading that takes its keys from another one."""
    keys: dict[str, Any] = {}
    for cls in KINDS:
        for key, value in parts[cls.__name__]["properties"].items():
            options = keys.setdefault(key, [])
            if value not in options:
                options.append(value)
    properties = {k: v[0] if len(v) == 1 else {"anyOf": v} for k, v in keys.items() if k != "kind"}
    return {
        "title": "SameReading",
        "type": "object",
        "properties": {
            **properties,
            "same_as": {"type": "string", "description": "the id of a reading above"},
        },
        "required": ["id", "same_as"],
        "additionalProperties": False,
    }


def _mended(part: dict[str, Any], cls: type | None) -> dict[str, Any]:
    """A part with what its keys mean, and without null, which TOML does not have."""
    meaning = attributes_of(cls) if cls else {}
    result = typing.cast(dict[str, Any], _without_null(part))
    result.pop("description", None)
    for key, value in result.get("properties", {}).items():
        if key in meaning:
            value["description"] = meaning[key].replace("``", "`")
    return result


def _without_null(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_null(n) for n in node]
    if not isinstance(node, dict):
        return node
    result = {
        k: _without_null(v) for k, v in node.items() if not (k == "default" and v in (None, {}))
    }
    options = result.get("anyOf")
    if options is not None:
        options = [o for o in options if o != {"type": "null"}]
        result.pop("anyOf")
        result = {**options[0], **result} if len(options) == 1 else {**result, "anyOf": options}
    return result


def main() -> None:
    """Write both files."""
    PAGE.write_text(page(), encoding="utf-8")
    text = json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"
    SCHEMA.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
