"""What the coefficients of a fit are against."""

from __future__ import annotations

from collections.abc import Sequence

from cxresearch.risk.table import RiskTable


def references(table: RiskTable, terms: Sequence[str]) -> tuple[str, ...]:
    """The level of each feature that has no coefficient, as ``bad[0]``.

    Args:
        table: that the fit was made from.
        terms: names of its coefficients.
    """
    parts = [part for term in terms for part in term.split(":") if part.endswith("]")]
    found = []
    for feature in table.features:
        own = {p.partition("[")[2].removesuffix("]") for p in parts if p.partition("[")[0] == feature.name}
        if own:
            seen = table.flows[feature.name].unique().sort().to_list()
            first = next((feature.levels[i] for i in seen if feature.levels[i] not in own), feature.levels[0])
            found.append(f"{feature.name}[{first}]")
    return tuple(found)
