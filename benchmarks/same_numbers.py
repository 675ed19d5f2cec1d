"""Whether two checkouts give the same numbers, to the last digit.

    python benchmarks/same_numbers.py write FILE --data FOLDER
    python benchmarks/same_numbers.py compare FILE FILE

``write`` tries all claims on the sample study, on both recipes and on ten synthetic companies, and writes what came out
as one JSON file. It uses the package that Python would import, through its command line only, so one copy of this
script can measure two checkouts: set ``PYTHONPATH`` to the ``src`` folder of the one to measure. Wording is left out;
numbers within a reason or a warning are kept. ``compare`` names every difference and exits with status 1 if there is
one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

CUSTOMERS = 1_500
# a world and its seed; together with the sample all kinds of readings are computed, with every verdict there is
WORLDS = (
    ("null", 1),
    ("confounded", 2),
    ("harm", 3),
    ("fierce", 4),
    ("frailty", 5),
    ("festering", 6),
    ("weakest", 7),
    ("calmed", 8),
    ("bought", 9),
    ("contagion", 10),
)
ACTIVITY = "harm"  # this world is also tried without its contracts: who is silent for long has left
# recipe, folder of its data, variable that names this folder
RECIPES = (
    ("online_retail_2", "online_retail_2", "ONLINE_RETAIL_2"),
    ("ravenstack", "ravenstack", "RAVENSTACK"),
)
# a field here, and the keys it may have in the JSON of `evaluate`: add the new one when a key is renamed
KEYS = {
    "claim": ("claim",),
    "reading": ("reading", "estimand"),
    "primary": ("primary", "is_primary"),
    "verdict": ("verdict",),
    "verdict_alone": ("verdict_alone",),
    "estimate": ("estimate",),
    "low": ("ci_low",),
    "high": ("ci_high",),
    "p": ("p",),
    "p_family": ("p_family", "p_adjusted"),
    "se": ("se",),
    "se_model": ("se_model",),
    "unit": ("unit",),
    "region": ("region",),
    "customers": ("customers",),
    "events": ("events",),
    "horizon_days": ("horizon_days",),
    "level": ("level",),
}
WORDED = {
    "reason": ("reason",),
    "lacks": ("lacks", "missing_requirement"),
    "warnings": ("warnings",),
}
REFERENCES = {"base_rate": ("base_rate",), "naive": ("naive", "naive_answer")}
LIMITS = {"value": ("value",), "low": ("ci_low",), "high": ("ci_high",)}
SECTIONS = {
    "retention": "customers"
}  # names of an audit's sections, old to new, should they be renamed
NUMBER = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?|[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?"
)


def numbers(text: object) -> list[str]:
    """The numbers and dates within a text or a list of texts, in order and as written."""
    if text is None:
        return []
    if isinstance(text, list):
        return [n for part in text for n in numbers(part)]
    return [n.rstrip(",") for n in NUMBER.findall(str(text))]


def pick(row: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """The value of the one key of these that a row has.

    Raises:
        SystemExit: it has none of them, so a key was renamed.
    """
    for key in keys:
        if key in row:
            return row[key]
    sys.exit(
        f"no key {' or '.join(keys)} among {', '.join(row)}: add its new name to the key maps of this script"
    )


def verdict(row: Mapping[str, Any]) -> dict[str, Any]:
    """One reading of one claim, without its wording."""
    plain = {name: pick(row, keys) for name, keys in KEYS.items()}
    for name, keys in WORDED.items():
        text = pick(row, keys)
        plain[name] = {"given": bool(text), "numbers": numbers(text)}
    for name, keys in REFERENCES.items():
        given = pick(row, keys)
        plain[name] = given and {n: pick(given, k) for n, k in LIMITS.items()}
    return plain


def audit(text: str) -> list[dict[str, Any]]:
    """The sections of a printed audit in order, each with its lines: the value, and the numbers of the note.

    A line is ``section  what  value  note``; the facts at the end have no section. What is counted is wording.
    """
    sections: list[dict[str, Any]] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        cells = re.split(r"\s{2,}", line.strip())
        name = "facts" if line[0] == " " else cells.pop(0)
        name = SECTIONS.get(name, name)
        if not sections or sections[-1]["section"] != name:
            sections.append({"section": name, "lines": []})
        value, note = cells[1], cells[2:]
        sections[-1]["lines"].append({"value": value, "note": numbers(note)})
    return sections


def values(frame: pl.DataFrame) -> str:
    """A digest of a frame's values in order, whatever its columns are called and however narrow they are."""
    digest = sha256(str(frame.shape).encode())
    for column in frame.iter_columns():
        kind = column.dtype
        if kind.is_integer() or kind == pl.Boolean:
            digest.update(
                b"i" + column.cast(pl.Int64).fill_null(-(2**62)).to_numpy().astype("<i8").tobytes()
            )
        else:
            digest.update(b"o" + repr(column.to_list()).encode())
    return digest.hexdigest()[:24]


def frames(folder: Path) -> list[str]:
    """The digests of all tables below a folder, sorted."""
    return sorted(values(pl.read_parquet(path)) for path in folder.rglob("*.parquet"))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the package's command line.

    Raises:
        SystemExit: it failed; its message is passed on.
    """
    command = [sys.executable, "-m", "cxresearch", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done


def measure(study: Path, options: Sequence[str] = ()) -> dict[str, Any]:
    """All numbers of one study; its state folder is new, so that nothing is taken from an earlier run."""
    print(f"{study}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as made:
        state, file = Path(made) / "state", Path(made) / "verdicts.json"
        printed = run("audit", study, *options, "--state", Path(made) / "audit-state").stdout
        run("evaluate", study, *options, "--state", state, "--json", file)
        docket = json.loads(file.read_text(encoding="utf-8"))
        quarantine = sorted(
            pl.read_csv(f, infer_schema=False).height for f in state.rglob("quarantine/*.csv")
        )
        tables = frames(state)
    return {
        "fingerprint": docket.get("counted", docket["fingerprint"]),
        "tables": tables,
        "audit": audit(printed),
        "quarantined_rows": quarantine,
        "verdicts": {
            f"{pick(row, KEYS['claim'])}/{pick(row, KEYS['reading'])}": verdict(row)
            for row in docket["verdicts"]
        },
    }


def without_contracts(folder: Path) -> Path:
    """The study file of a simulated company, rewritten so that silence is leaving; returns the new file."""
    text = (folder / "study.toml").read_text(encoding="utf-8")
    kept, _, _ = text.partition("[retention]")
    file = folder / "activity.toml"
    file.write_text(f'{kept}[retention]\nkind = "activity"\ngap_days = 120\n', encoding="utf-8")
    return file


def inputs(folder: Path) -> list[str]:
    """Digests of the tables of a study that was written here, so that other data are told from other estimates."""
    read = {".csv": lambda p: pl.read_csv(p, infer_schema=False), ".parquet": pl.read_parquet}
    return sorted(values(read[p.suffix](p)) for p in folder.iterdir() if p.suffix in read)


def write(file: Path, data: Path | None, recipes: Path | None) -> None:
    """Measure the importable package and write the result."""
    where = "import cxresearch; print(cxresearch.__file__)"
    package = Path(
        subprocess.run(
            [sys.executable, "-c", where], capture_output=True, text=True, check=True
        ).stdout
    )
    recipes = recipes or package.parents[2] / "data" / "recipes"
    print(f"measuring {package.parent}", file=sys.stderr)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        sample = Path(made) / "sample"
        run("sample", sample)
        found["sample"] = {"inputs": inputs(sample), **measure(sample / "study.toml")}
        if data:
            for name, folder, variable in RECIPES:
                options = ("-D", f"{variable}={data.resolve() / folder}")
                found[f"recipe {name}"] = measure(recipes / f"{name}.toml", options)
        for name, seed in WORLDS:
            world = Path(made) / name
            run("simulate", name, "--customers", CUSTOMERS, "--seed", seed, "--out", world)
            found[f"world {name}"] = {"inputs": inputs(world), **measure(world / "study.toml")}
            if name == ACTIVITY:
                found[f"world {name} without contracts"] = measure(without_contracts(world))
    # json writes a float as its repr, so equal texts are equal numbers
    text = json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def differences(a: Any, b: Any, path: str = "") -> Iterator[str]:
    """One line for each place in which two values read from JSON differ; 1 and 1.0 differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            where = f"{path} > {key}" if path else key
            if key not in a or key not in b:
                yield f"{where}: only in the {'first' if key in a else 'second'} file"
            else:
                yield from differences(a[key], b[key], where)
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            yield f"{path}: {len(a)} entries, then {len(b)}"
        for i, (x, y) in enumerate(zip(a, b, strict=False)):
            yield from differences(x, y, f"{path}[{i}]")
    elif type(a) is not type(b) or repr(a) != repr(b):
        yield f"{path}: {a!r}, then {b!r}"


def compare(first: Path, second: Path, *, ignore_fingerprint: bool) -> int:
    """Print every difference; returns how many there are."""
    a, b = (json.loads(f.read_text(encoding="utf-8")) for f in (first, second))
    lines = list(differences(a, b))
    if ignore_fingerprint:
        lines = [line for line in lines if " > fingerprint: " not in line]
    for line in lines:
        print(line)
    readings = sum(len(study["verdicts"]) for study in a.values())
    tables = sum(len(study["tables"]) for study in a.values())
    print(
        f"{len(a)} studies, {readings} readings, {tables} tables: {len(lines) or 'no'} differences"
    )
    return len(lines)


def main() -> int:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="measure the importable package")
    writing.add_argument("file", type=Path)
    writing.add_argument(
        "--data", type=Path, help="folder with the folders online_retail_2 and ravenstack"
    )
    writing.add_argument(
        "--recipes", type=Path, help="folder of the recipes; the measured checkout's if not given"
    )
    comparing = commands.add_parser(
        "compare", help="name every difference between two measurements"
    )
    comparing.add_argument("files", type=Path, nargs=2)
    comparing.add_argument(
        "--ignore-fingerprint",
        action="store_true",
        help="where names or reasons that it is made of were renamed",
    )
    given = parser.parse_args()
    if given.command == "compare":
        return int(bool(compare(*given.files, ignore_fingerprint=given.ignore_fingerprint)))
    if given.data is None:
        print("without --data the recipes are left out", file=sys.stderr)
    write(given.file, given.data, given.recipes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
