"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cxresearch.cli_values import allow_variable, new_folder, no_nan, output_path, read_pairs
from cxresearch.utils.engine_names import ENGINES
from cxresearch.utils.limits import MEMORY, MINUTES, PART, TIME, Limits, enforced, machine_memory
from cxresearch.utils.trust import ALLOW_ENV, ALLOW_HOSTS

study = click.argument("study", type=click.Path(path_type=Path))
_value = click.option(
    "-D",
    "--define",
    "variables",
    multiple=True,
    callback=read_pairs,
    metavar="NAME=VALUE",
    help="Value of ${NAME} in the study's sources.",
)
_allow_env = click.option(
    "--allow-env",
    multiple=True,
    callback=allow_variable(ALLOW_ENV),
    expose_value=False,
    metavar="NAME",
    help="Let the study's sources use this environment variable; may be repeated.",
)
_allow_host = click.option(
    "--allow-host",
    multiple=True,
    callback=allow_variable(ALLOW_HOSTS),
    expose_value=False,
    metavar="HOST",
    help="Confirm the host of a database: user, host and database may then come from variables; may be repeated.",
)


def define(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what the sources of a study may be filled in with."""
    return _value(_allow_env(_allow_host(command)))


engine = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="polars",
    show_default=True,
    help="Where tables are read.",
)
state = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    callback=new_folder,
    help="Folder for what is kept between runs, risk tables and quarantined rows among it.  "
    "[default: .cxresearch next to study.toml, .cxresearch-NAME next to NAME.toml]",
)


def limited(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that limit time and memory, held to while the command runs; `report` takes them as ``limits``."""

    @wraps(command)
    def within(*args: Any, time_limit: float, memory_limit: float | None, **given: Any) -> Any:
        memory = PART * machine_memory() if memory_limit is None else memory_limit
        limits = Limits(time_limit, memory)
        if command.__name__ == "report":  # each notebook has the time for itself
            given["limits"], limits = limits, Limits(memory=memory)
        with enforced(limits):
            return command(*args, **given)

    return _time_limit(_memory_limit(within))


_time_limit = click.option(
    "--time-limit",
    type=click.FloatRange(min=0),
    callback=no_nan,
    default=MINUTES,
    show_default=True,
    envvar=TIME,
    metavar="MINUTES",
    help="How long the command, or each notebook, may take; 0 for no limit.",
)
_memory_limit = click.option(
    "--memory-limit",
    type=click.FloatRange(min=0),
    callback=no_nan,
    envvar=MEMORY,
    metavar="GB",
    help="How much memory the command, and each notebook, may hold; 0 for no limit.  "
    f"[default: {PART:.0%} of the machine's]",
)


def chart_file(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--chart``, which names a picture; its ending tells of which kind.

    Args:
        what: is drawn.
    """
    said = f"Draw {what}: as PNG, PDF or SVG, by the ending of the file's name."
    return output_file("--chart", said, endings=(".svg", ".png", ".pdf"))


claim = click.option(
    "--claim", "claims", multiple=True, metavar="ID", help="Only this claim; may be repeated."
)


def output_file(
    name: str, description: str, *, may_be_piped: bool = False, endings: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that names a file to be written, as argument ``NAME_file`` of the command.

    Args:
        name: of the option, such as ``--csv``.
        description: what is written.
        may_be_piped: whether ``-`` is standard output.
        endings: what its name may end in, if it has an ending; anything if there are none.
    """

    def checked(ctx: click.Context, option: click.Parameter, value: str | None) -> Path | None:
        path = output_path(ctx, option, value)
        if path is not None and endings and path.suffix and path.suffix.lower() not in endings:
            raise click.BadParameter(f"{path.name} does not end in {' or '.join(endings)}")
        return path

    return click.option(
        name,
        f"{name.removeprefix('--')}_file",
        type=click.Path(dir_okay=False, readable=False, writable=True, allow_dash=may_be_piped),
        callback=checked,
        metavar="FILE",
        help=description,
    )
