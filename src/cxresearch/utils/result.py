"""What all results have in common: as a table of Polars or pandas, as plain values, as HTML in JupyterLab."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from datetime import date
from enum import Enum
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from cxresearch.utils.html_tables import html_table

if TYPE_CHECKING:
    import pandas as pd

# metadata of a field on how a result may be shown and is no part of it: in no table and no plain values
DISPLAY_ONLY: Mapping[str, Any] = MappingProxyType({"is_display_only": True})
_LIMITS = ("", "_low", "_high")
# a column has its kind even where the only value is missing
_KINDS = {"int": pl.Int64, "float": pl.Float64, "str": pl.String, "bool": pl.Boolean}


class Result:
    """Mixin of frozen dataclasses: `to_polars`, `to_pandas`, `to_dict` and a table in notebooks."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as values that JSON can hold; arrays are lists, and a number that is not finite is None."""
        return {f.name: plain(getattr(self, f.name)) for f in value_fields(self)}

    def to_polars(self) -> pl.DataFrame:
        """One row; if there are arrays of one length, one row per entry, with the other fields repeated.

        An estimate becomes three columns, such as ``excess``, ``excess_low`` and ``excess_high``; other results within
        this one are left out. Texts of a tuple are joined by commas.
        """
        columns: dict[str, Any] = {}
        kinds: dict[str, Any] = {}
        for f in value_fields(self):
            value, kind = getattr(self, f.name), str(f.type).removesuffix(" | None")
            if kind == "Estimate":
                columns |= (limits := limits_of(f.name, value))
                kinds |= dict.fromkeys(limits, pl.Float64)
            elif isinstance(value, tuple):
                columns[f.name] = ", ".join(map(str, value))
            elif not isinstance(value, Result):
                columns[f.name] = plain(value)
                if kind in _KINDS:
                    kinds[f.name] = _KINDS[kind]
        height = max((len(v) for v in columns.values() if isinstance(v, list)), default=1)
        repeated = {n: v if isinstance(v, list) else [v] * height for n, v in columns.items()}
        return pl.DataFrame(repeated, schema_overrides=kinds, strict=False)

    def to_pandas(self) -> pd.DataFrame:
        """The table of `to_polars` in pandas."""
        return self.to_polars().to_pandas()

    def _repr_html_(self) -> str:
        # counts of a part of a result, which does not know how small they may be: they are in `to_polars`
        uncounted = {f.name for f in value_fields(self) if not f.repr}
        frame = self.to_polars()
        varying = [
            c
            for c in frame.columns
            if c not in uncounted
            and not (uncounted and frame[c].dtype.is_integer())
            and frame[c].dtype != pl.List
            and (frame.height == 1 or frame[c].n_unique() > 1)
        ]
        rows = ([cell(v) for v in row] for row in frame.select(varying).head(60).iter_rows())
        return html_table(type(self).__name__, varying, rows)


class Drawable:
    """Mixin of results of which there is a chart."""

    __slots__ = ()

    def plot(self, **options: Any) -> Any:
        """The chart of this result, which shows itself in JupyterLab.

        Args:
            options: of the function in `cxresearch.charts` that draws it, such as ``min_cell``; what the result knows
                itself need not be given.

        Returns:
            An Altair chart.
        """
        # charts come after results in the flow, and Altair takes seconds to import
        return import_module("cxresearch.charts.of_results").draw(self, **options)


def value_fields(result: Result) -> tuple[Field[Any], ...]:
    """The fields of a result that belong to it, without those that only say how it may be shown."""
    every: tuple[Field[Any], ...] = fields(result)  # type: ignore[arg-type]
    return tuple(f for f in every if not f.metadata.get("is_display_only"))


def plain(value: Any) -> Any:
    """A value as JSON can hold it.

    Args:
        value: of a field of a result: a number, a text, a unit, a day, an array, a data frame, or several of them.

    Returns:
        Numbers, texts, lists and dictionaries; None for a number that is not finite.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    elif isinstance(value, Enum):
        value = value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, pl.DataFrame):
        value = value.to_dict(as_series=False)
    elif isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, Iterable):
        return [plain(v) for v in value]
    raise TypeError(f"a result cannot hold a {type(value).__name__}")


def limits_of(name: str, estimate: Any) -> dict[str, float | None]:
    """The columns of an estimate: its value, ``_low`` and ``_high``; all None where there is none.

    Args:
        name: of the first column.
        estimate: an `Estimate`, or None.
    """
    values = (None,) * 3 if estimate is None else (estimate.value, estimate.low, estimate.high)
    return {f"{name}{end}": plain(v) for end, v in zip(_LIMITS, values, strict=True)}


def cell(value: Any) -> str:
    """A value as a cell of a table shows it; – where there is none."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
