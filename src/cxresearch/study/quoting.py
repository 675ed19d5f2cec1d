"""Names as SQL writes them."""

from __future__ import annotations


def quote_identifier(name: str) -> str:
    """The name of a column or table in SQL, whatever is in it.

    Example:
        >>> print(quote_identifier('the "new" plan'))
        "the ""new"" plan"
    """
    return '"' + name.replace('"', '""') + '"'
