r"""Which tests `make test` leaves to `make test-all` because they take long: `tests/slow_tests.txt`.

    python -m pytest -p tests.cpu_times --cpu-times FILE -n 2 -q \
      -m "not slow and not browser and not spark and not postgres"
    python scripts/slow_tests.py FILE

A test function is slow if one of its cases takes more than `MOST` seconds of processor time, with what is made for it.
Functions on the list that FILE does not have stay there; leave out ``not slow and`` to measure them again.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

MOST = 0.6  # seconds
LIST = Path(__file__).parents[1] / "tests" / "slow_tests.txt"
_LINE = re.compile(r"([\d.]+)s? (?:setup|call) +(\S+?::\w+(?:::\w+)?)(\[.*)?")


def slow_functions(lines: list[str], before: set[str]) -> set[str]:
    """The functions that are slow by the times of their cases, and those of before that were not measured.

    Args:
        lines: seconds, phase and test, as `tests.cpu_times` writes them.
        before: the functions that were slow so far.
    """
    cases: dict[tuple[str, str], float] = defaultdict(float)
    for line in lines:
        if match := _LINE.fullmatch(line.strip()):
            cases[match[2], match[3] or ""] += float(match[1])
    measured = {function for function, _ in cases}
    return (before - measured) | {f for (f, _), seconds in cases.items() if seconds > MOST}


def main(paths: list[str]) -> None:
    """Write the list anew."""
    lines = [line for path in paths for line in Path(path).read_text("utf-8").splitlines()]
    before = set(LIST.read_text("utf-8").split()) if LIST.exists() else set()
    result = slow_functions(lines, before)
    LIST.write_text("".join(f"{name}\n" for name in sorted(result)), "utf-8")
    print(f"{len(result)} slow test functions, {len(before)} before")


if __name__ == "__main__":
    main(sys.argv[1:])
