"""Checks that links lead somewhere, without a network: of the pages, and of a site built from them
(``python docs/links.py build/site``).

Looked at are links, pictures and their anchors that lie in this repository or on the site.
Addresses elsewhere are not asked for.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]*)\)|(?:src|href|srcset)=\"([^\"]*)\"")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//")


def pages() -> list[Path]:
    """Return the Markdown files that people read: at the root, of the
    docs, of the examples, and the published board.
    """
    folders = (ROOT / "docs", ROOT / "examples", ROOT / "leaderboard" / "published")
    return [
        *sorted(ROOT.glob("*.md")),
        *(
            page
            for folder in folders
            for page in sorted(folder.rglob("*.md"))
            if ".pytest_cache" not in page.parts
        ),
    ]


@functools.cache
def headings(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as code hosts and the site
    make them, repeated titles with a number.
    """
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found: dict[str, int] = {}
    for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower().strip()).replace(" ", "-")
        found[slug] = found.get(slug, 0) + 1
    return frozenset(
        f"{slug}-{number}" if number else slug
        for slug, count in found.items()
        for number in range(count)
    )


def dead_of_text(page: Path, text: str) -> list[str]:
    """Return the links of a Markdown text that lead nowhere from where the page lies."""
    found = []
    for link in (link or source for link, source in _LINK.findall(_CODE.sub("", text))):
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not _ELSEWHERE.match(link) and (
            not link
            or not target.exists()
            or (anchor and target.suffix == ".md" and anchor not in headings(target))
        ):
            found.append(link)
    return found


class _Page(HTMLParser):
    """Collects where a page leads, and what it can be led to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag's links and names."""
        for name, value in attrs:
            if name in ("href", "src") and value is not None and (tag, name) != ("base", "href"):
                self.links.append(value)
            elif name == "id" or (tag, name) == ("a", "name"):
                self.anchors.add(value or "")


@functools.cache
def _read(file: Path) -> _Page:
    page = _Page()
    page.feed(file.read_text())
    return page


def dead_of_site(site: Path) -> Iterator[tuple[str, str]]:
    """Yield each page of a site with each of its links that leads to no
    file or anchor of the site.
    """
    site = site.resolve()
    for file in sorted(site.rglob("*.html")):
        for link in _read(file).links:
            path, _, anchor = unquote(
                link.partition("?")[0] if "#" not in link else link
            ).partition("#")
            target = (file.parent / path.partition("?")[0]).resolve() if path else file
            target = target / "index.html" if target.is_dir() else target
            known = target.is_file() and target.is_relative_to(site)
            if not _ELSEWHERE.match(link) and not (
                known
                and (not anchor or target.suffix != ".html" or anchor in _read(target).anchors)
            ):
                yield str(file.relative_to(site)), link


def main() -> int:
    """Print every dead link; the exit code says whether there is one."""
    found = [
        (str(page.relative_to(ROOT)), link)
        for page in pages()
        for link in dead_of_text(page, page.read_text())
    ]
    for site in sys.argv[1:]:
        found += dead_of_site(Path(site))
    for page, link in found:
        print(f"{page}: the link {link!r} leads nowhere", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
