"""A page on paper: Chromium prints it to a PDF, without a window and without a network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from cxresearch.errors import ReportError
from cxresearch.utils.atomic import put_in_place, stage

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
SECONDS = 120  # the longest page of the sample study takes about 5
_ELSEWHERE = (  # where installers put it outside the search path
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    r"C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
)
_FLAGS = (
    "--headless",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",  # headings as bookmarks; a browser that does not know it prints without
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--proxy-server=127.0.0.1:9",  # nothing answers there: a page that asks for something gets nothing
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def browser() -> str:
    """The browser that prints.

    Raises:
        ReportError: none is found.
    """
    # a search path may hold "." or "", which is the working folder, and that may be a stranger's
    found = (path for name in NAMES if (path := shutil.which(name)) and Path(path).is_absolute())
    result = next(found, None) or next(filter(_there, _ELSEWHERE), None)
    if result is None:
        raise ReportError(
            f"a PDF needs Chromium, Chrome or Edge, and none is on the search path (looked for {', '.join(NAMES)}); "
            "install one, or open the page in any browser and print it from there"
        )
    return result


def pdf(page: Path, target: Path) -> Path:
    """Print a page to a PDF, complete or not at all.

    Args:
        page: an HTML file of ours.
        target: the PDF.

    Returns:
        The PDF.

    Raises:
        ReportError: there is no such page, no browser is found, it fails or takes too long, or the PDF cannot be
            written.
    """
    if not page.is_file():
        raise ReportError(f"there is no page {page} to print")
    program = browser()
    try:
        part = stage(target, lambda place: _print(program, page, place))
        return put_in_place(part, target)
    except OSError as e:
        raise ReportError(f"cannot write {target}: {e.strerror or e}") from None


def _there(path: str) -> bool:
    return Path(path).is_file()


def _print(program: str, page: Path, place: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="cxresearch-", ignore_cleanup_errors=True) as home:
        made = Path(home) / "page.pdf"
        command = [
            program,
            *_FLAGS,
            *_sandbox(),
            f"--user-data-dir={home}",
            f"--print-to-pdf={made}",
            page.resolve().as_uri(),
        ]
        log = Path(home) / "browser.log"
        with log.open("wb") as out:
            # a separate process group, so that its children end with it
            running = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
            try:
                failed = running.wait(SECONDS)
            except BaseException as e:
                _end(running)
                if not isinstance(e, subprocess.TimeoutExpired):
                    raise
                raise ReportError(
                    f"{Path(program).name} took more than {SECONDS} s to print {page.name}"
                ) from None
        printed = made.read_bytes() if made.is_file() else b""
        if failed or not printed.startswith(b"%PDF"):
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [
                "it wrote no PDF"
            ]
            raise ReportError(f"{Path(program).name} could not print {page.name}: {lines[-1]}")
        place.write_bytes(printed)


def _sandbox() -> tuple[str, ...]:
    """Chromium's sandbox does not start for the superuser, who runs it in containers."""
    return ("--no-sandbox",) if sys.platform == "linux" and os.geteuid() == 0 else ()


def _end(running: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):  # it has ended
        if os.name == "posix":
            os.killpg(running.pid, signal.SIGKILL)
        else:
            running.kill()
    running.wait()
