"""The notebooks as a data scientist has them: in JupyterLab, all cells run, charts that answer the pointer."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from cxresearch.bundled import bundled, copy_sample
from cxresearch.charts.look import BLUE, GREEN, GREY, ORANGE
from tests.browser.browsers import chromium

pytestmark = pytest.mark.browser

TOKEN = "for-this-test-only"
MINUTE = 60_000  # in the browser's milliseconds
PLAIN = (
    "import cxresearch as cx\nfrom cxresearch import charts",
    "table = cx.risk_table(cx.read_study('data/sample/study.toml'), bad=cx.bad_count(1), whole=True)",
    "fit = cx.cox(table, ['bad'])\ncharts.hazard_ratios(fit)",
)
# what a cell has left, as the notebook holds it
OUTPUTS = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells
    .flatMap(cell => cell.outputs || [])"""

MARKS = tuple(tuple(bytes.fromhex(colour[1:])) for colour in (BLUE, ORANGE, GREEN, GREY))
# the middle of the first mark of a chart that is drawn on a canvas: a spot with its colour all around
MARK = """(canvas, colours) => {
    const {width, height} = canvas;
    const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    const scale = width / canvas.clientWidth, reach = Math.round(4 * scale);
    const is = (x, y, c) => c.every((v, i) => data[4 * (y * width + x) + i] === v);
    for (let y = reach; y < height - reach; y++)
        for (let x = reach; x < width - reach; x++)
            for (const c of colours)
                if ([[0, 0], [-reach, 0], [reach, 0], [0, -reach], [0, reach]].every(([a, b]) => is(x + a, y + b, c)))
                    return [x / scale, y / scale];
    return null;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Copies of the notebooks, the sample study where they look for it, and a notebook that only makes a chart."""
    found = tmp_path_factory.mktemp("lab")
    for path in bundled("notebooks").glob("*.ipynb"):
        shutil.copy(path, found)
    copy_sample(found / "data" / "sample")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    plain = new_notebook(cells=[new_code_cell(c) for c in PLAIN], metadata={"kernelspec": kernel})
    nbformat.write(plain, found / "plain.ipynb")
    return found


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    """The address of a JupyterLab on that folder, which knows nothing of its user."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = (
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
    )
    own = {name: str(home) for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    log = home / "lab.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *told],
            env={**os.environ, **own, "JUPYTER_TOKEN": TOKEN},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(f"http://127.0.0.1:{port}/api?token={TOKEN}", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(30)


def _wait(address, server, log):
    for _ in range(240):
        assert server.poll() is None, log.read_text()
        try:
            with urlopen(address, timeout=5):  # the server of this test
                return
        except (URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"JupyterLab did not answer:\n{log.read_text()}")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(params=["plain", "explore", "claim", "verdicts"])
def ran(request, lab, browser):
    """A notebook open in JupyterLab with all cells run; what the page asked for elsewhere is refused and noted."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    elsewhere = []

    def only_here(route):
        address = route.request.url
        if address.startswith((lab, "data:", "blob:")):
            route.continue_()
        else:
            elsewhere.append(address)
            route.abort()

    context.route("**/*", only_here)
    page.goto(f"{lab}/lab/tree/{request.param}.ipynb?token={TOKEN}&reset", timeout=3 * MINUTE)
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget?.content?.model", timeout=3 * MINUTE)
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=3 * MINUTE,
    )
    page.set_default_timeout(5 * MINUTE)
    page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    yield request.param, page, elsewhere
    context.close()


def _tooltip(page):
    """The text that the first chart's first mark shows to the pointer."""
    page.wait_for_function("() => document.querySelector('.jp-Notebook .vega-embed canvas') !== null")
    canvas = page.locator(".jp-Notebook .vega-embed canvas").first
    tooltip = page.locator("#vg-tooltip-element.visible")
    for _ in range(20):  # JupyterLab may still be scrolling to the last cell
        canvas.evaluate("e => e.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(500)
        place, box = canvas.evaluate(MARK, list(MARKS)), canvas.bounding_box()
        if place is None or box is None:
            continue
        for nudge in (0, 1):
            page.mouse.move(box["x"] + place[0] + nudge, box["y"] + place[1])
        page.wait_for_timeout(500)
        if tooltip.count():
            return tooltip.inner_text()
    return ""


def test_runs_and_its_charts_live(ran, tmp_path_factory):
    name, page, elsewhere = ran
    outputs = page.evaluate(OUTPUTS)
    assert [o for o in outputs if o["output_type"] == "error"] == []
    made = sum("application/vnd.vega.v5+json" in o.get("data", {}) for o in outputs)
    assert made >= {"plain": 1, "explore": 5, "claim": 3, "verdicts": 6}[name]
    found = _tooltip(page)
    shots = Path(os.environ.get("CX_SHOTS") or tmp_path_factory.mktemp("shots"))
    page.screenshot(path=shots / f"lab-{name}.png")
    expected = {"plain": "hazard ratio", "explore": "moments", "claim": "in these data", "verdicts": "in these data"}
    assert expected[name] in found
    assert elsewhere == []
