"""Tables in the layout of a public data set, of a synthetic company, for where the data themselves are not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from cxresearch.utils.checks import one_of, whole_number
from cxresearch.worlds.simulation import Simulated, simulate
from cxresearch.worlds.world import World

_WORLD = World(hr_bad=(1, 1.5, 2, 2.5))


def write_stand_in(recipe: str, folder: str | Path, *, customers: int = 1500, seed: int = 1) -> str:
    """Write the files that a recipe reads, of a synthetic company in which bad moments drive customers away.

    Args:
        recipe: its name, such as ``ravenstack``.
        folder: where the files go; it must exist.
        customers: how many.
        seed: of the random numbers.

    Returns:
        The variable of the recipe that names the folder.

    Raises:
        ArgumentError: there is no stand-in for that recipe.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import cxresearch as cx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     variable = cx.worlds.write_stand_in("ravenstack", folder, customers=50)
        ...     print(variable, *sorted(p.name for p in Path(folder).iterdir()))
        RAVENSTACK ravenstack_accounts.csv ravenstack_churn_events.csv ravenstack_support_tickets.csv
    """
    variable, make = _STAND_INS[one_of("recipe", recipe, list(_STAND_INS))]
    company = simulate(_WORLD, whole_number("customers", customers, 1), seed=seed)
    for name, table in make(company).items():
        table.write_csv(Path(folder) / name)
    return variable


def has_stand_in(recipe: str) -> bool:
    """Whether there is a stand-in for the data of a recipe."""
    return recipe in _STAND_INS


def stand_in_variable(recipe: str) -> str:
    """The variable that names the folder of a recipe's files; errors as `write_stand_in`."""
    return _STAND_INS[one_of("recipe", recipe, list(_STAND_INS))][0]


def _ravenstack(company: Simulated) -> Mapping[str, pl.DataFrame]:
    """Accounts, churn events and support tickets; a rating of one star was escalated."""
    who, log = company.customers, company.interactions
    gone = who.filter(pl.col("end").is_not_null())
    rated = log.filter(pl.col("stars").is_not_null())
    return {
        "ravenstack_accounts.csv": who.select(
            account_id="customer",
            signup_date=pl.col("start"),
            plan_tier="plan",
            churn_flag=pl.col("end").is_not_null(),
        ),
        "ravenstack_churn_events.csv": gone.select(
            churn_event_id=pl.format("C-{}", "customer"),
            account_id="customer",
            churn_date=pl.col("end"),
        ),
        "ravenstack_support_tickets.csv": rated.select(
            ticket_id=pl.format("T-{}", pl.int_range(pl.len())),
            account_id="customer",
            submitted_at=pl.col("at"),
            priority=pl.lit("normal"),
            satisfaction_score="stars",
            escalation_flag=pl.col("stars") == 1,
        ),
    }


_STAND_INS: Mapping[str, tuple[str, Callable[[Simulated], Mapping[str, pl.DataFrame]]]] = {
    "ravenstack": ("RAVENSTACK", _ravenstack),
}
