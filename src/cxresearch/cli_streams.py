"""The streams of the command line: closed, full, gone, or a terminal that obeys what is written to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Protocol
from unicodedata import category

import click

from cxresearch.errors import ReportError
from cxresearch.utils.outputs import check_writable, write_output

LONGEST = 1000  # letters of an error
_STREAMS = ("stdin", "stdout", "stderr")


def fail(message: str, status: int) -> NoReturn:
    """Say what is wrong, in one line on standard error that can be read, and exit with this status."""
    line = " ".join(message.split())
    if (
        len(line) > LONGEST
    ):  # a value of a study may be as long as it likes; the end says what to do
        line = f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"
    say(f"cxresearch: {line}", err=True)
    sys.exit(status)


def say(line: object, *, err: bool = False) -> None:
    """Print text that may come from a study or its tables: no character of it steers the terminal."""
    write(f"{inert(str(line))}\n", err=err)


def write(text: str, *, err: bool = False) -> None:
    """Print a text as it is.

    Raises:
        ReportError: standard output cannot be written to.
        BrokenPipeError: its reader has gone.
    """
    try:
        click.echo(text, nl=False, err=err)
    except BrokenPipeError:
        raise
    except OSError as e:
        if not err:  # where nothing can be written, the exit status is the message
            raise ReportError(f"cannot write to standard output: {e.strerror or e}") from None


def inert(text: str) -> str:
    """A text without characters that steer a terminal."""
    return "".join(
        c if c.isprintable() or c in "\n\t" or category(c) == "Zs" else "\ufffd" for c in text
    )


def open_streams() -> None:
    """Open what is closed of standard input, output and error, so that no file takes its number."""
    for number, name in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def settle_streams() -> None:
    """Write what is left; a stream that fails, or whose reader has gone, is silent from now on.

    Without this, Python would try again while it ends, and tell of that.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            except (OSError, ValueError):
                continue  # it has no number: nothing is written at the end


def escape_json(text: str) -> str:
    """The same JSON, without a character that steers a terminal: all of them stand in texts."""
    return "".join(
        c
        if c.isprintable() or c in "\n\t" or category(c) == "Zs"
        else "".join(f"\\u{unit:04x}" for unit in _units(c))
        for c in text
    )


def _units(character: str) -> tuple[int, ...]:
    """The 16-bit units of a character, of which JSON's escapes are made."""
    code = ord(character)
    if code < 0x10000:
        return (code,)
    return 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF)


def step_and_log() -> tuple[Callable[[str], None], Callable[[str], None]]:
    """For each step, and for what is to be read afterwards: on a terminal one line is overwritten and the other stays.

    In a log both are plain lines that begin with the time.
    """
    if not sys.stderr.isatty():
        return _dated, _dated
    step = step_line()

    def stays(line: str) -> None:
        from tqdm import tqdm

        tqdm.write(inert(f"cxresearch: {line}"), file=sys.stderr)

    return step, stays


def _dated(line: str) -> None:
    say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(line.split())}", err=True)


def step_line() -> Callable[[str], None]:
    """A line that is overwritten on a terminal, plain lines in a log."""
    if not sys.stderr.isatty():
        return lambda line: say(f"cxresearch: {line}", err=True)
    from tqdm import tqdm

    bar = tqdm(bar_format="{desc} {elapsed}", leave=False, file=sys.stderr)
    return lambda line: bar.set_description_str(inert(line), refresh=True)


class _Result(Protocol):
    """What can be printed, and written as JSON."""

    def to_json(self) -> str:
        """As text."""


class _Chart(Protocol):
    """A chart of Altair."""

    def to_dict(self) -> dict[str, Any]:
        """Its specification."""


def check_files(json_file: Path | None, *others: Path | None) -> None:
    """Whether files can be written, before the long work; ``-`` is standard output.

    Raises:
        ParameterError: there is no such folder.
        ReportError: a file cannot be written.
    """
    for file in (None if str(json_file) == "-" else json_file, *others):
        if file is not None:
            check_writable(file)


def write_result(result: _Result, json_file: Path | None) -> None:
    """Print a result, and write it as JSON where a file is named; ``-`` prints the JSON in its place.

    Raises:
        ReportError: the file cannot be written.
    """
    if str(json_file) == "-":
        write(escape_json(result.to_json()))
        return
    say(str(result))
    if json_file is not None:
        write_output(json_file, result.to_json())


def write_chart(file: Path, chart: _Chart) -> None:
    """Write a picture of the kind that the file's name ends in.

    Raises:
        ReportError: the file cannot be written.
    """
    from cxresearch.charts import renderer  # slow to import

    write_output(file, renderer.as_file(chart.to_dict(), file.suffix.lower()))
