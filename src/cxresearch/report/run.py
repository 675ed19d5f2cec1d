"""Runs notebooks and publishes their pages. A page is the last good one or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxresearch.bundled import notebook_path
from cxresearch.errors import ReportError
from cxresearch.report.parameters import checked, declared

KERNEL = "python3"  # always given: it stands for the interpreter that runs this
_ENGINE = "cxresearch"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Job:
    """A notebook to run.

    Attributes:
        name: its name.
        path: where it lies.
        values: its parameters.
        folder: where it runs.
        variables: for its environment.
        keep: where it goes if it fails.
    """

    name: str
    path: Path
    values: Mapping[str, Any]
    folder: Path
    variables: Mapping[str, str]
    keep: Path


def report(
    study: str | Path,
    out: str | Path,
    *,
    notebooks: Sequence[str] = ("verdicts",),
    claims: Sequence[str] | None = None,
    engine: str = "polars",
    variables: Mapping[str, str] | None = None,
    state: str | Path | None = None,
    title: str | None = None,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Run notebooks on a study and publish a page for each, and an index.

    Args:
        study: the study file.
        out: folder for the pages; made if need be.
        notebooks: their names.
        claims: ids of claims; all if not given.
        engine: where tables are read.
        variables: values for ``${NAME}`` in the study file; the kernel gets them in its environment only.
        state: folder for what is kept between runs; ``.cxresearch`` beside the study if not given.
        title: the question at the top of the page.
        progress: called with a line before each step.

    Returns:
        The files written: a page per notebook, in their order, then the index.

    Raises:
        ReportError: a parameter is wrong, a notebook fails (it is kept under the state folder), or the pages
            cannot be written. Pages that are there already stay as they are.
        StudyError: the study file cannot be read.
    """
    from cxresearch.report.page import page, summary
    from cxresearch.report.site import Entry, index
    from cxresearch.study import read_study

    say = progress or (lambda _: None)
    file = Path(study).resolve()
    file = file / "study.toml" if file.is_dir() else file
    loaded = read_study(file, variables)
    given = {"study": file.name, "claims": claims, "engine": engine, "title": title}
    keep = (Path(state) if state is not None else loaded.state) / "failed"
    jobs = [_Job(name, *_plan(name, given), file.parent, dict(variables or {}), keep) for name in notebooks]
    entries, pages = [], []
    with tempfile.TemporaryDirectory(prefix="cxresearch-") as work:
        for job in jobs:
            say(f"running the notebook {job.name}")
            done = _run(job, Path(work), say)
            say(f"making the page {job.name}.html")
            pages.append((f"{job.name}.html", page(done, name=job.name)))
            title_there = str(done.metadata.get("title", job.name))
            entries.append(Entry(f"{job.name}.html", title_there, summary(done)))
    pages.append(("index.html", index(entries)))
    return publish(Path(out), pages)


def publish(out: Path, pages: Sequence[tuple[str, str]]) -> tuple[Path, ...]:
    """Write pages, each by a rename; returns their paths.

    Raises:
        ReportError: the folder cannot be written.
    """
    written: list[Path] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        staged = [(out / f".{name}.{os.getpid()}", out / name, text) for name, text in pages]
        try:
            for part, _, text in staged:
                part.write_text(text, encoding="utf-8")
            for part, target, _ in staged:
                written.append(part.replace(target))
        finally:
            for part, _, _ in staged:
                part.unlink(missing_ok=True)
    except OSError as e:
        raise ReportError(f"cannot write the pages to {out}: {e.strerror}") from None
    return tuple(written)


def _plan(name: str, given: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The notebook of that name and what to tell it: what it takes of the parameters given."""
    from papermill import inspect_notebook

    path = notebook_path(name)
    takes = tuple(inspect_notebook(str(path)))
    if "study" not in takes:
        raise ReportError(f"the notebook {name} needs a cell tagged parameters that sets study")
    declared(takes)
    return path, checked({k: v for k, v in given.items() if v is not None and (k in takes or k == "claims")}, takes)


def _run(job: _Job, work: Path, say: Progress) -> Any:
    """The executed notebook; a failed one is kept and told of."""
    import nbformat
    from nbclient.exceptions import DeadKernelError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillException, PapermillExecutionError

    _register()
    name, variables = job.name, job.variables
    output = work / f"{name}.ipynb"
    environment = {**os.environ, **variables, "IPYTHONDIR": str(work / "ipython")}
    try:
        execute_notebook(
            str(job.path),
            str(output),
            parameters=dict(job.values),
            engine_name=_ENGINE,
            kernel_name=KERNEL,
            progress_bar=False,
            cwd=str(job.folder),
            environment=environment,
            say=say,
        )
    except PapermillExecutionError as e:
        done = nbformat.read(output, as_version=4)  # type: ignore[no-untyped-call]
        message = _redacted(f"{e.ename}: {e.evalue}", variables).strip().splitlines()
        kept = _keep(output, job.keep, variables)
        cell = _position(done, e.source)
        raise ReportError(
            f"notebook {name}, cell {cell}: {message[0] if message else 'failed'}; kept: {kept}"
        ) from None
    except (PapermillException, DeadKernelError, RuntimeError) as e:
        first = _redacted(str(e), variables).strip().splitlines()
        raise ReportError(f"notebook {name}: {first[0] if first else type(e).__name__}") from None
    return nbformat.read(output, as_version=4)  # type: ignore[no-untyped-call]


def _register() -> None:
    """Papermill's engine, but variables enter the kernel's environment and progress comes here."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(
            cls,
            nb_man: Any,
            kernel_name: str,
            *,
            environment: Mapping[str, str],
            say: Progress,
            start_timeout: int = 60,
            **_: Any,
        ) -> Any:
            code = [i for i, c in enumerate(nb_man.nb.cells) if c.cell_type == "code"]

            def starts(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - called with both by name
                if cell_index in code:
                    say(f"cell {code.index(cell_index) + 1} of {len(code)}")

            client = PapermillNotebookClient(
                nb_man,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                on_cell_start=starts,
                config=_transport(),
            )
            return client.execute(env=dict(environment))

    papermill_engines.register(_ENGINE, Engine)


def _transport() -> Any:
    """Kernels are spoken to through files where the system can: no port is opened, and none is needed."""
    from traitlets.config import Config

    return Config({"KernelManager": {"transport": "ipc"}}) if os.name == "posix" else Config()


def _position(notebook: Any, source: str) -> int:
    """The number of a cell as the notebook is shipped: what papermill has put in does not count."""
    added = {"injected-parameters", "papermill-error-cell-tag"}
    own = [c for c in notebook.cells if not added & set(c.metadata.get("tags", ()))]
    return next(
        (
            i
            for i, c in enumerate(own, 1)
            if c.source == source and any(o.output_type == "error" for o in c.get("outputs", ()))
        ),
        0,
    )


def _keep(output: Path, keep: Path, variables: Mapping[str, str]) -> str:
    """Keep a failed notebook where only its owner can read it; returns its place below the study's folder."""
    target = keep / output.name
    try:
        keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = keep / f".{output.name}.{os.getpid()}"
        part.touch(mode=0o600)
        part.write_text(_redacted(output.read_text(encoding="utf-8"), variables), encoding="utf-8")
        part.replace(target)
    except OSError as e:
        return f"not kept, {keep} cannot be written ({e.strerror})"
    return str(target)


def _redacted(text: str, variables: Mapping[str, str]) -> str:
    for name, value in sorted(variables.items(), key=lambda item: -len(item[1])):
        if value:
            text = text.replace(value, f"${{{name}}}")
    return text
