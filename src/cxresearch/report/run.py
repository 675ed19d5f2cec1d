"""Runs notebooks and publishes their pages. A page is the last good one or the new one, never half of one."""

from __future__ import annotations

import ast
import os
import re
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
        name: its page's name.
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

    A notebook that is about one claim makes a page for each claim asked for, such as ``claim-three-strikes.html``;
    without any, one about the claim it names itself.

    Args:
        study: the study file.
        out: folder for the pages; made if need be.
        notebooks: their names.
        claims: ids of claims; all if not given, or the notebook's own where it is about one.
        engine: where tables are read.
        variables: values for ``${NAME}`` in the study file; the kernel gets them in its environment only.
        state: folder for what is kept between runs; ``.cxresearch`` beside the study if not given.
        title: the question at the top of the page.
        progress: called with a line before each step.

    Returns:
        The files written: the pages, in the order of the notebooks and claims, then the index.

    Raises:
        ReportError: a parameter is wrong, a notebook fails (it is kept under the state folder), or the pages
            cannot be written. Pages that are there already stay as they are.
        ClaimError: no such claim.
        StudyError: the study file cannot be read.
    """
    from cxresearch.claims.claim import claims_of
    from cxresearch.claims.docket import choose
    from cxresearch.report.page import page, summary, title_of
    from cxresearch.report.site import Entry, depth_of, index
    from cxresearch.study import read_study

    say = progress or (lambda _: None)
    file = Path(study).resolve()
    file = file / "study.toml" if file.is_dir() else file
    loaded = read_study(file, variables, state=state)
    choose(claims_of(loaded.claims), claims)
    given = {"study": file.name, "claims": claims, "engine": engine, "title": title}
    keep = loaded.state.resolve() / "failed"
    plans = [p for name in notebooks for p in _plans(name, given)]
    if claims and not any({"claims", "claim"} & set(p.values) for p in plans):
        raise ReportError(f"claims were given, and none of these notebooks takes them: {', '.join(notebooks)}")
    jobs = [_Job(p.page, p.path, p.values, file.parent, dict(variables or {}), keep) for p in plans]
    _distinct([j.name for j in jobs])
    with tempfile.TemporaryDirectory(prefix="cxresearch-") as work:
        done = []
        for job in jobs:
            say(f"running the notebook {job.name}")
            done.append((job.name, _run(job, Path(work), say)))
        entries = [Entry(f"{name}.html", title_of(nb, name), summary(nb)) for name, nb in done]
        depth = depth_of(entries)
        pages = []
        for name, nb in done:
            say(f"making the page {name}.html")
            pages.append((f"{name}.html", page(nb, name=name, depth=depth)))
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """A page to be made: from which notebook, with what."""

    page: str
    path: Path
    values: Mapping[str, Any]


def _plans(name: str, given: Mapping[str, Any]) -> list[_Plan]:
    """The pages that a notebook makes, and what to tell it for each of them: what it takes of the parameters given."""
    from papermill import inspect_notebook

    path = notebook_path(name)
    taken = inspect_notebook(str(path))
    if "study" not in taken:
        raise ReportError(f"the notebook {name} needs a cell tagged parameters that sets study")
    declared(taken)
    values = checked({k: v for k, v in given.items() if v is not None and k in taken}, tuple(taken))
    if "claim" not in taken:
        return [_Plan(name, path, values)]
    own = ast.literal_eval(taken["claim"]["default"])
    return [
        _Plan(f"{name}-{_file_name(claim)}", path, values | checked({"claim": claim}, tuple(taken)))
        for claim in dict.fromkeys(given["claims"] or (own,))
    ]


def _file_name(claim: str) -> str:
    """The id of a claim as part of a file's name, whatever a study file calls it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", claim).strip("-") or "unnamed"


def _distinct(names: Sequence[str]) -> None:
    twice = [n for n in names if names.count(n) > 1]
    if twice:
        raise ReportError(f"two pages would both be called {twice[0]}.html; run them one by one, to different folders")


def _run(job: _Job, work: Path, say: Progress) -> Any:
    """The executed notebook; a failed one is kept and told of."""
    import nbformat
    from nbclient.exceptions import DeadKernelError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillException, PapermillExecutionError

    _register()
    name, variables = job.name, job.variables
    output = work / f"{name}.ipynb"
    own = {"IPYTHONDIR": str(work / "ipython"), "CXRESEARCH_STATE": str(job.keep.parent)}
    environment = {**os.environ, **variables, **own}
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
