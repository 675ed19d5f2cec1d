"""Write `licences.csv`: the licence of each package that `requirements.lock` pins, as an SPDX expression.

    python scripts/licences.py

Of a package that is not installed here, such as one for another system, the line that is there stays. What metadata say
in other words stands in `WORDS`; a package of which they say nothing, in `SILENT`.
"""

from __future__ import annotations

import csv
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from hatch_build import listed_licences, normal, pinned  # noqa: E402

# may be used, changed and sold with a programme of one's own; MPL-2.0 asks for changes of its own files only
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0",
    "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
}  # fmt: skip
WORDS = {
    "2-clause BSD": "BSD-2-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
SILENT = {"axe-playwright-python": "MIT", "polars-hash": "MIT"}


def licence_of(package: Distribution) -> str:
    """What a package's metadata say of its licence; empty where they say nothing that is known."""
    meta = package.metadata
    classifiers = [
        c.rpartition(" :: ")[2] for c in meta.get_all("Classifier", []) if "License ::" in c
    ]
    for said in (meta.get("License-Expression"), meta.get("License"), *classifiers):
        expression = WORDS.get(said or "", said or "")
        if expression and parts(expression) <= ALLOWED:
            return expression
    return SILENT.get(normal(package.name), "")


def parts(expression: str) -> set[str]:
    """The licences that an SPDX expression names."""
    return set(
        re.split(r"\s+(?:AND|OR)\s+", expression.replace("(", " ").replace(")", " ").strip())
    )


def licences() -> dict[str, str]:
    """Packages of the lock with their licences; empty where one is not known."""
    before = listed_licences(ROOT) if (ROOT / "licences.csv").exists() else {}
    here = {normal(d.name): licence_of(d) for d in distributions()}
    names = pinned(ROOT / "requirements.lock")
    return {name: here.get(name) or before.get(name, "") for name in sorted(names)}


if __name__ == "__main__":
    listed = licences()  # it reads the file that is written now
    with (ROOT / "licences.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("package", "licence"))
        rows.writerows(listed.items())
