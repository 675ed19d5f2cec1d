"""Tables for spreadsheets: CSV in which no text is taken for a formula, and workbooks."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import polars as pl

from cxresearch.utils.outputs import write_output

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


def write_tables(
    tables: Mapping[str, pl.DataFrame], csv_file: Path | None, xlsx_file: Path | None, *, first: str
) -> None:
    """Write one table as CSV and all of them as a workbook, each if its file is named.

    Args:
        tables: name to table.
        csv_file: where the table `first` goes; None for nowhere.
        xlsx_file: where all tables go; None for nowhere.
        first: name of the table that the CSV holds.

    Raises:
        ReportError: a file cannot be written.
    """
    if csv_file is not None:
        write_output(csv_file, csv_text(tables[first]))
    if xlsx_file is not None:
        write_output(xlsx_file, workbook(tables))


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
