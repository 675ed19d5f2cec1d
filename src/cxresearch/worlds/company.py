"""The two tables of a synthetic company, as a study or as files."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cxresearch.errors import SourceError
from cxresearch.study import Study, study_from

SETTINGS = """\
[study]
name = "{name}"
horizon_days = 365

[interactions]
source = "interactions.parquet"
score = "stars"
scale = [1, 5]
unattended = ["app", "bill"]               # touchpoints without a person

[moments]
exclude = "touchpoint = 'cancellation'"    # said when leaving: a consequence, not a cause

[retention]
kind = "contract"
source = "customers.csv"
cause = "reason"
defection = ["switched"]                   # "moved away" competes; it is neither loyalty nor defection
segment = "plan"
cluster = "household"
marketing = ["acquisition", "campaign"]    # as of entry
"""


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """The two tables of a synthetic company.

    Attributes:
        interactions: customer, at, touchpoint, channel, agent, stars (1 to 5 or null), owner, level; respect,
            solutions, simplicity, responsibility (1 to 5 or null); handoff, is_problem; problem_at, informed_at,
            resolved_at, goodwill_at, complained_at, posted_at (null: it did not happen, or not while the customer was
            there).
        customers: customer, start, end (null: still there), reason, plan, household, acquisition, campaign.
    """

    interactions: pl.DataFrame
    customers: pl.DataFrame

    def study(self, name: str = "a synthetic company") -> Study:
        """The company as a study, in memory."""
        raw = tomllib.loads(SETTINGS.format(name=name))
        for section in ("interactions", "retention"):
            del raw[section]["source"]
        return study_from(raw, interactions=self.interactions, retention=self.customers)

    def write(self, folder: Path, *, name: str, truth: Mapping[str, Any], force: bool = False) -> tuple[Path, ...]:
        """Write the tables, a study file and what is true to a folder, made if need be.

        Args:
            folder: where to.
            name: of the study.
            truth: what is true of the company, for ``truth.json``.
            force: overwrite files that are there.

        Returns:
            The files written, the study file first.

        Raises:
            SourceError: a file is in the way, or the folder cannot be written.
        """
        names = ("study.toml", "interactions.parquet", "customers.csv", "truth.json")
        paths = tuple(folder / n for n in names)
        taken = [p for p in paths if p.exists()]
        if taken and not force:
            raise SourceError(f"{taken[0]} is there already; --force overwrites it")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths[0].write_text(SETTINGS.format(name=name), encoding="utf-8")
            self.interactions.write_parquet(paths[1])
            self.customers.write_csv(paths[2])
            paths[3].write_text(json.dumps(dict(truth), indent=2) + "\n", encoding="utf-8")
        except OSError as e:
            raise SourceError(f"cannot write to {folder}: {e.strerror}") from None
        return paths
