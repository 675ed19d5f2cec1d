"""Tables for spreadsheets: CSV in which no text is taken for a formula, and workbooks."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import polars as pl

# the wide forms as well: some spreadsheets take them for the narrow ones
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[+-]?[0-9][0-9.,]*$"


def csv_text(table: pl.DataFrame) -> str:
    """A table as CSV; texts that a spreadsheet would take for a formula begin with an apostrophe.

    Args:
        table: of plain values; lists are joined by semicolons.
    """
    text = pl.col(pl.String)
    is_formula = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    inert = _flat(table).with_columns(
        pl.when(is_formula).then("'" + text).otherwise(text).name.keep()
    )
    return inert.write_csv()


def workbook(sheets: Mapping[str, pl.DataFrame]) -> bytes:
    """An Excel workbook with a sheet per table; texts stay texts, whatever they begin with.

    Args:
        sheets: name of each sheet to its table.
    """
    from xlsxwriter import Workbook

    out = BytesIO()
    with Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        for name, table in sheets.items():
            _flat(table).write_excel(
                book, worksheet=name, table_style="Table Style Light 1", autofit=True
            )
    return out.getvalue()


def _flat(table: pl.DataFrame) -> pl.DataFrame:
    lists = [c for c, kind in table.schema.items() if kind == pl.List]
    return (
        table.with_columns(pl.col(lists).cast(pl.List(pl.String)).list.join("; "))
        if lists
        else table
    )
