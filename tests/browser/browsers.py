"""How a browser is started for tests: Debian's Chromium, without a network of its own; and a page in it."""

import shutil
from contextlib import contextmanager

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE, LAPTOP = {"width": 360, "height": 780}, {"width": 1440, "height": 900}
TABLET = {"width": 768, "height": 1024}


@contextmanager
def chromium():
    """A running browser."""
    from playwright.sync_api import sync_playwright

    path = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    with sync_playwright() as playwright:
        result = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield result
        finally:
            result.close()


class Reader:
    """A page with what it asked for and what it complained of."""

    def __init__(self, browser, file, *, charts=True, **options):
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.go(file)
        self.figures = self.page.locator("figure.cx-chart")
        if charts:
            self.unfold()
            self.page.wait_for_function(
                "() => [...document.querySelectorAll('figure.cx-chart')].every(f => f.dataset.ready || f.dataset.error)"
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def go(self, file):
        """Open a file; what was asked for and complained of before is forgotten."""
        self.requests.clear()
        self.complaints.clear()
        self.page.goto(file.as_uri())

    def unfold(self):
        """Open all that is folded away; charts there wait for it."""
        self.page.evaluate(
            "document.querySelectorAll('main details').forEach(d => { d.open = true; })"
        )

    def too_wide(self):
        """By how many pixels the page scrolls sideways."""
        return max(0, self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))
