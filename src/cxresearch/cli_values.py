"""What is given on the command line, checked and turned into values."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path

import click

from cxresearch.errors import ParameterError


def read_pairs(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Values of variables, as NAME=VALUE; the last of a name counts."""
    for value in values:
        if "=" not in value:
            raise click.BadParameter(
                "one is not written NAME=VALUE"
            )  # and may be a password, so it is not shown
        if value.startswith("="):
            raise click.BadParameter("one has no name before its =")
    return dict(v.split("=", 1) for v in values)


def allow_variable(name: str) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], None]:
    """Add what the user allows to a variable of the environment, for as long as the command lasts."""

    def allow(ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> None:
        before = os.environ.get(name)
        if not all(part.strip() for value in values for part in value.split(",")):
            raise click.BadParameter("a name is empty")
        if values:
            os.environ[name] = ",".join([*([before] if before else []), *values])
            ctx.call_on_close(partial(_restore, name, before))

    return allow


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def day_of_log(
    _context: click.Context, _parameter: click.Parameter, given: str | None
) -> date | int | None:
    """A day as the log has them: a date, or a whole number."""
    if given is None:
        return None
    try:
        return int(given) if given.lstrip("-").isdigit() else date.fromisoformat(given)
    except ValueError:
        raise click.BadParameter(
            f"must be a date such as 2024-12-31, or a whole day, was {given!r}"
        ) from None


def output_path(_ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    """The name of a file that will be written."""
    if value == "":
        more = "; - is standard output" * (param.name == "json_file")
        raise click.UsageError(f"{param.opts[0]} needs the name of a file{more}")
    return None if value is None else Path(value)


def new_folder(_ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """A folder that is there, or can be made; said before the long work."""
    if value is not None:
        with suppress(OSError):  # what is wrong with it otherwise is said where it is made
            above = next(p for p in (value, *value.absolute().parents) if p.exists())
            if not above.is_dir():
                raise ParameterError(
                    f"cannot make the folder {value}: {above} is a file; give another folder with {param.opts[0]}"
                )
    return value


def no_nan(_ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """A number, such as one of minutes; None where it is not given."""
    if value is not None and math.isnan(value):
        unit = (param.metavar or "").lower().replace("gb", "GB")
        raise click.BadParameter(f"nan is no number of {unit}")
    return value
