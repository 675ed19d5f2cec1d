"""What MkDocs calls while it builds the site: pages from outside docs/, links to files of the repository, a last check.

Pages in docs/ link to files of the repository as a reader of the repository would. In the site such a link goes to a
page of its own under source/, which shows the file or lists the folder, so that nothing is needed from elsewhere.
"""

from __future__ import annotations

import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# files outside docs/ that are pages of the site, by their name in it
PAGES = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security-policy.md": "SECURITY.md",
}
LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
FILE_LINK = re.compile(r"\[(?:[\w./-]+\.md)\]\(([^)\s]+)\)")  # with the name of a file as its words
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.DOTALL | re.MULTILINE)
_LANGUAGES = {".py": "python", ".toml": "toml", ".sh": "sh", ".json": "json", ".yml": "yaml"}


def path_of(uri: str) -> str:
    """Where a page of the site lies in the repository."""
    if uri.startswith("source/"):
        return uri.removeprefix("source/").removesuffix("/index.md").removesuffix(".md")
    return PAGES.get(uri, f"docs/{uri}")


def uri_of(path: str) -> str:
    """Where a file or folder of the repository lies in the site."""
    if path == "README.md":
        return "index.md"
    for uri, outside in PAGES.items():
        if path == outside:
            return uri
    if path.startswith("docs/"):
        inside = path.removeprefix("docs/")
        return f"{inside}/README.md" if (ROOT / path / "README.md").is_file() else inside
    return f"source/{path}/index.md" if (ROOT / path).is_dir() else f"source/{path}.md"


def prose_of(text: str) -> str:
    """A page without its blocks of code, line for line."""
    return FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)


def target_of(path: str, link: str) -> str | None:
    """The file or folder of the repository that a link leads to.

    Args:
        path: the page with the link, from the root of the repository.
        link: what stands in the brackets.

    Returns:
        A path from the root of the repository; None for a link into the page itself or to another place.
    """
    name = link.partition("#")[0]
    if not name or re.match(r"[a-z]+:", name):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def moved(uri: str, text: str) -> str:
    """The text of a page with links as they are in the site; a link named after a file gets the title of its page."""
    path = path_of(uri)

    def rewrite(link: re.Match[str]) -> str:
        target = target_of(path, link[0])
        if target is None or not (ROOT / target).exists():
            return link[0]
        anchor = link[0].partition("#")[2]
        there = posixpath.relpath(uri_of(target), posixpath.dirname(uri) or ".")
        return f"{there}#{anchor}" if anchor else there

    def named(link: re.Match[str]) -> str:
        target = target_of(path, link[1])
        if target is None or not (ROOT / target).is_file():
            return link[0]
        return f"[{title_of(target)}]({link[1]})"

    def prose(part: str) -> str:
        return LINK.sub(rewrite, FILE_LINK.sub(named, part))

    parts, last = [], 0
    for block in FENCE.finditer(text):
        parts += [prose(text[last : block.start()]), block[0]]
        last = block.end()
    return "".join((*parts, prose(text[last:])))


def title_of(path: str) -> str:
    """The first heading of a page, which says more than the name of its file."""
    found = re.search(r"^# (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else path


def source_page(path: str) -> str:
    """A page that shows a file of the repository, or lists a folder."""
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n"
    place = ROOT / path
    if place.is_dir():
        names = sorted(p.name for p in place.iterdir() if not p.name.startswith(("__", ".")))
        return (
            head + "This folder of the repository holds:\n\n" + "\n".join(f"- `{n}`" for n in names)
        )
    text = place.read_text(encoding="utf-8")
    if place.suffix == ".md":
        return head.partition("# ")[0] + text
    return f"{head}~~~~{_LANGUAGES.get(place.suffix, 'text')}\n{text.rstrip()}\n~~~~\n"


def source_paths(texts: dict[str, str]) -> list[str]:
    """The files and folders outside the site that its pages link to, and those that these link to in turn."""
    found: dict[str, None] = {}
    todo = [(path_of(uri), text) for uri, text in texts.items()]
    while todo:
        path, text = todo.pop()
        for link in LINK.findall(prose_of(text)):
            target = target_of(path, link)
            if target is None or target in found or not (ROOT / target).exists():
                continue
            if uri_of(target).startswith("source/"):
                found[target] = None
                if target.endswith(".md"):
                    todo.append((target, (ROOT / target).read_text(encoding="utf-8")))
    return sorted(found)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages from outside docs/, and a page for every file that is linked to."""
    from mkdocs.structure.files import File

    texts = {uri: (ROOT / path).read_text(encoding="utf-8") for uri, path in PAGES.items()}
    for uri, text in texts.items():
        files.append(File.generated(config, uri, content=text))
    texts |= {f.src_uri: f.content_string for f in files.documentation_pages()}
    for path in source_paths(texts):
        files.append(File.generated(config, uri_of(path), content=source_page(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Links as they are in the site."""
    return moved(page.file.src_uri, markdown)


class _Resources(HTMLParser):
    """What a page loads by itself: not what its links lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.external: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        loaded = [given.get("src"), given.get("srcset")]
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            loaded.append(given.get("href"))
        self.external += [x for x in loaded if x and re.match(r"(https?:)?//", x)]


def external_resources(path: Path) -> list[str]:
    """What a file of the site loads from elsewhere."""
    if path.suffix == ".html":
        parser = _Resources()
        parser.feed(path.read_text(encoding="utf-8"))
        return parser.external
    if path.suffix == ".css":
        text = path.read_text(encoding="utf-8")
        return re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)", text)
    return []


def on_post_build(*, config: MkDocsConfig) -> None:
    """Leave out what only a server needs, and refuse a site that needs the network.

    Raises:
        PluginError: a page or a style sheet loads something from elsewhere.
    """
    from mkdocs.exceptions import PluginError

    for name in ("404.html", "sitemap.xml", "sitemap.xml.gz"):
        Path(config.site_dir, name).unlink(missing_ok=True)
    for path in sorted(Path(config.site_dir).rglob("*")):
        for resource in external_resources(path):
            raise PluginError(f"{path.relative_to(config.site_dir)} loads {resource}")
