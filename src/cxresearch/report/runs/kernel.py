"""Runs one notebook with papermill, in a separate kernel, without a port and without secrets in its output."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cxresearch.errors import ReportError
from cxresearch.report.pages.progress import PROGRESS
from cxresearch.report.pages.stale import kind_of, plainly
from cxresearch.report.runs.commit_files import DEEPEST, LOG_SUFFIX, hold
from cxresearch.report.runs.jobs import PageJob
from cxresearch.study import Study
from cxresearch.utils.atomic import atomic_write
from cxresearch.utils.limits import MEMORY, NO_LIMITS, Limits, watched
from cxresearch.utils.notebook_progress import UNATTENDED
from cxresearch.utils.redaction import Secrets, forms_in_text, redact_json
from cxresearch.utils.trust import ALLOW_ENV, allowing, kernel_variables, make_private, variable

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no other than the latter
KERNEL = "python3"  # always given: it stands for the interpreter that runs this
FAILED = "failed"
_ENGINE = "cxresearch"
_LONGEST_LINE = 200  # letters of a notebook's line of progress
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_COMMAND = [
    *(sys.executable, "-P"),  # the study folder, in which a kernel works, is no place for modules
    *("-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.ignore_cwd=1"),
    "--IPKernelApp.capture_fd_output=0",  # what libraries write past the notebook belongs on no page
]


class NotebookError(ReportError):
    """A notebook failed.

    Attributes:
        reason: which, where and why, without a path of this machine.
        kept: where it is kept; empty if it is not.
        public: what a page may tell of it: the kind of error, nothing of the data.
    """

    def __init__(self, reason: str, kept: str = "", *, public: str = "") -> None:
        super().__init__(f"{reason}; kept: {kept}" if kept else reason)
        self.reason = reason
        self.kept = kept
        self.public = public or kind_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSettings:
    """Where notebooks run, and what they may know.

    Attributes:
        folder: the study's.
        state: for what is kept between runs.
        failed: for notebooks that failed.
        work: for what is needed while the run lasts.
        sockets: for the files through which a kernel is spoken to.
        variables: for the kernel's environment.
        redact: takes secrets out of a text.
        server: whether the study asks a PostgreSQL server.
        limits: of each notebook.
    """

    folder: Path
    state: Path
    failed: Path
    work: Path
    sockets: Path
    variables: Mapping[str, str]
    redact: Callable[[str], str]
    server: bool = False
    limits: Limits = NO_LIMITS


def redactor(file: Path, study: Study, variables: Mapping[str, str]) -> Callable[[str], str]:
    """What turns the values of variables back into ``${NAME}``, in whatever way a notebook or a message writes them.

    Args:
        file: the study file.
        study: what was read from it.
        variables: values that were given; the environment holds the others that the user allows.

    Returns:
        A function of a text.
    """
    names = set(_VARIABLE.findall(file.read_text(encoding="utf-8-sig", errors="replace")))
    values = {name: variable(name, variables) for name in names} | dict(variables)
    secrets = Secrets(values, forms_in_text)
    return lambda text: secrets.redact(study.redact(text))


def execute(job: PageJob, at: KernelSettings, say: Callable[[str], None]) -> Any:
    """Run a notebook.

    Args:
        job: the notebook and its parameters.
        at: where.
        say: called with a line before each cell.

    Returns:
        The executed notebook.

    Raises:
        NotebookError: a cell failed, and the notebook is kept; or the kernel did not start, or died; or the notebook
            went beyond a limit.
    """
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillException, PapermillExecutionError

    _register()
    output, log = at.work / f"{job.page}.ipynb", at.work / f"{job.page}{LOG_SUFFIX}"
    beyond: list[str] = []  # what is to be said of a notebook that went beyond a limit of memory
    try:
        execute_notebook(
            str(job.notebook),
            str(output),
            parameters=dict(job.values),
            engine_name=_ENGINE,
            kernel_name=KERNEL,
            progress_bar=False,
            cwd=str(at.folder),
            environment=_environment(at, spark=job.values.get("engine") == "spark"),
            sockets=at.sockets,
            log=log,
            say=partial(_redacted, at.redact, say),
            limits=at.limits,
            beyond=beyond.append,
        )
        done = nbformat.read(output, as_version=4)  # type: ignore[no-untyped-call]
    except PapermillExecutionError as e:
        cell = _position(nbformat.read(output, as_version=4), e.source)  # type: ignore[no-untyped-call]
        message = _first_line(at, f"{e.ename}: {e.evalue}") or "failed"
        public = f"notebook {job.page}, cell {cell}: {kind_of(e.ename, str(e.evalue))}"
        raise NotebookError(
            f"notebook {job.page}, cell {cell}: {message}", _keep(output, at), public=public
        ) from None
    except CellTimeoutError:
        message = at.limits.time_message(f"notebook {job.page}")
        raise NotebookError(message, public=message.partition(";")[0]) from None
    except OSError as e:
        raise NotebookError(
            f"notebook {job.page}: {_first_line(at, e.strerror or str(e))}"
        ) from None
    except (PapermillException, DeadKernelError, RuntimeError) as e:
        if beyond:
            message = f"notebook {job.page} {beyond[0]}"
            raise NotebookError(message, public=message.partition(";")[0]) from None
        message = _first_line(at, str(e)) or type(e).__name__
        last = _last_line(at, log)
        raise NotebookError(
            f"notebook {job.page}: {message}{f' (it last said: {last})' if last else ''}"
        ) from None
    with suppress(OSError):  # what failed earlier has been put right
        (at.failed / output.name).unlink(missing_ok=True)
    return done


def _redacted(redact: Callable[[str], str], say: Callable[[str], None], line: str) -> None:
    say(redact(line))


def _environment(at: KernelSettings, *, spark: bool) -> dict[str, str]:
    """What the kernel needs to know: no other variable of this program's, no settings and no start-up files."""
    allowed = {n: os.environ[n] for n in allowing(at.variables).split(",") if n in os.environ}
    settings = {
        **{
            name: str(at.work / "ipython")
            for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
        },
        "JUPYTER_NO_CONFIG": "1",
        UNATTENDED: "1",
        "PYTHONSAFEPATH": "1",
        "CXRESEARCH_STATE": str(at.state),
        MEMORY: f"{at.limits.memory:g}",
        ALLOW_ENV: allowing(at.variables),
    }
    passed = kernel_variables(spark=spark, server=at.server)
    return {"TMPDIR": str(at.work / "tmp"), **passed, **allowed, **at.variables, **settings}


def _register() -> None:
    """Papermill's engine, but variables enter the kernel's environment and progress comes here."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import CellTimeoutError
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    class Specs(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> Any:
            """This interpreter, whatever kernels are installed under that name."""
            if kernel_name != KERNEL:
                raise RuntimeError(f"no kernel {kernel_name}")
            return KernelSpec(argv=_COMMAND, name=KERNEL, display_name=KERNEL, language="python")

    class Manager(AsyncKernelManager):
        def _kernel_spec_manager_default(self) -> Any:
            return Specs()

    class Client(PapermillNotebookClient):  # type: ignore[misc]
        say: Callable[[str], None] = staticmethod(lambda _line: None)

        def process_message(self, msg: Any, *args: Any, **more: Any) -> Any:
            """A notebook's lines of progress go to the log, and onto no page."""
            line = msg.get("content", {}).get("data", {}).get(PROGRESS)
            if line is not None:
                self.say(" ".join(str(line).split())[:_LONGEST_LINE])
                return None
            return super().process_message(msg, *args, **more)

        def papermill_execute_cells(self) -> None:
            try:
                super().papermill_execute_cells()
            except (KeyboardInterrupt, CellTimeoutError):
                self.shutdown_kernel = "immediate"
                _expect_errors()
                raise

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(
            cls,
            nb_man: Any,
            kernel_name: str,
            *,
            environment: Mapping[str, str],
            sockets: Path,
            log: Path,
            say: Callable[[str], None],
            limits: Limits,
            beyond: Callable[[str], None],
            start_timeout: int = 60,
            **_: Any,
        ) -> Any:
            code = [i for i, c in enumerate(nb_man.nb.cells) if c.cell_type == "code"]

            def starts(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - called with both by name
                if cell_index in code:
                    say(f"cell {code.index(cell_index) + 1} of {len(code)}")

            say("starting a kernel")
            client = Client(
                nb_man,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                on_cell_start=starts,
                config=_transport(sockets),
                kernel_manager_class=Manager,
                timeout_func=_seconds_left(limits),
            )
            client.say = say

            def ends(reason: str) -> None:
                beyond(reason.removeprefix("the notebook "))
                with suppress(OSError):
                    os.kill(_process_of(client) or 0, _KILL)

            # what libraries write past the notebook may hold anything, so it goes into no log
            memory = Limits(memory=limits.memory)
            with (
                log.open("wb") as stream,
                watched(memory, partial(_process_of, client), ends, "the notebook"),
            ):
                hold(stream)
                return client.execute(env=dict(environment), stdout=stream, stderr=stream)

    papermill_engines.register(_ENGINE, Engine)


def _expect_errors() -> None:
    """Whatever still waits for the kernel fails when it is ended: nobody needs to know."""
    from jupyter_core.utils import ensure_event_loop

    for task in asyncio.all_tasks(ensure_event_loop()):
        task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _seconds_left(limits: Limits) -> Callable[[Any], int | None]:
    """How long a cell may take, of the time that its notebook has."""
    begun = time.monotonic()
    if not limits.minutes:
        return lambda _cell: None
    return lambda _cell: max(math.ceil(begun + limits.seconds - time.monotonic()), 1)


def _process_of(client: Any) -> int | None:
    """The id of a kernel's process; None while there is none."""
    return getattr(getattr(client.km, "provisioner", None), "pid", None)


def _transport(sockets: Path) -> Any:
    """Kernels are spoken to through files where the system can: no port is opened, and none is needed.

    A system's temporary folder may lie too deep for the name of such a file; then ports of this machine must do.
    """
    from traitlets.config import Config

    manager = {"connection_file": str(sockets / "k.json")}
    files = os.name == "posix" and len(os.fsencode(sockets)) < DEEPEST
    return Config({"KernelManager": manager | ({"transport": "ipc"} if files else {})})


def _position(notebook: Any, source: str) -> int:
    """The number of a cell as the notebook is shipped: what papermill has put in does not count."""
    added = {"injected-parameters", "papermill-error-cell-tag"}
    cells = [c for c in notebook.cells if not added & set(c.metadata.get("tags", ()))]
    return next(
        (
            i
            for i, c in enumerate(cells, 1)
            if c.source == source and any(o.output_type == "error" for o in c.get("outputs", ()))
        ),
        0,
    )


def _keep(output: Path, at: KernelSettings) -> str:
    """Keep a failed notebook where only its owner can read it; returns where."""
    keep = at.failed
    try:
        make_private(keep)
        clean = redact_json(json.loads(output.read_text(encoding="utf-8")), at.redact)
        return str(
            atomic_write(
                keep / output.name,
                json.dumps(clean, ensure_ascii=False, indent=1) + "\n",
                mode=0o600,
            )
        )
    except OSError as e:
        return f"nowhere, {keep} cannot be written ({e.strerror})"


def _first_line(at: KernelSettings, message: str) -> str:
    return plainly(at.redact(message), (at.work, at.state, at.folder))


def _last_line(at: KernelSettings, log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return _first_line(at, lines[-1]) if lines else ""
    return ""
