"""Where pages of the board lie, and which addresses they may link to."""

from __future__ import annotations

import functools
import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from bench.digests import digest

from . import _assets

DISTRIBUTION = "datacentric-bench"
_PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/-]*)?")
_ARXIV = re.compile(r"(?<![\w/.])arXiv:(\d{4}\.\d{4,5})(v\d+)?", re.IGNORECASE)
_DOI = re.compile(r"(?<![\w/.])doi:(10\.\d{4,9}/[A-Za-z0-9./_()-]*[A-Za-z0-9])", re.IGNORECASE)
_FOUND = re.compile(
    r"https://[A-Za-z0-9.-]*[A-Za-z0-9](:\d+)?(/([A-Za-z0-9._~%/?=&+#-]*[A-Za-z0-9/_~=-])?)?"
)


class Link(NamedTuple):
    """A text, and where it leads; an empty address is no link."""

    text: str
    address: str = ""


def slug(name: str) -> str:
    """Return a name as a part of an address: itself where it is plain, else its digest."""
    return name if len(name) <= 80 and _PLAIN.fullmatch(name) else f"_{digest(name, 8)}"


def track_page(name: str) -> str:
    """Return the file of a track's page."""
    return f"tracks/{slug(name)}.html"


def method_page(name: str) -> str:
    """Return the file of a method's page."""
    return f"methods/{slug(name)}.html"


@functools.cache
def repository() -> str:
    """Return the address of the project's repository as the package states it; empty: there is
    none yet, and nothing links to it.
    """
    try:
        stated = importlib.metadata.metadata(DISTRIBUTION).get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    for line in stated:
        label, _, address = str(line).partition(",")
        if label.strip() == "Repository" and _ADDRESS.fullmatch(address.strip()):
            return address.strip().rstrip("/")
    return ""


def file_link(text: str, path: str) -> Link:
    """Return a link to a file of the repository; without an address of it, the text alone."""
    return Link(text, f"{repository()}/blob/main/{path}" if repository() else "")


def docs_link(track: str) -> Link | None:
    """Return a link to the docs of a built-in track; None: it has no page there."""
    page = docs_pages().get(track)
    return file_link("Docs", f"docs/tracks/{page}.md") if page and repository() else None


@functools.cache
def docs_pages() -> Mapping[str, str]:
    """Return track -> the name of its page in the docs."""
    pages: dict[str, str] = tomllib.loads(_assets.text("links.toml"))["docs"]
    return pages


def linked(text: str) -> list[Link]:
    """Return a text in pieces: arXiv ids, DOIs and https addresses lead there."""
    found: list[tuple[int, int, str]] = []
    for pattern, form in ((_ARXIV, "https://arxiv.org/abs/{}"), (_DOI, "https://doi.org/{}")):
        found += [
            (match.start(), match.end(), form.format(match[1])) for match in pattern.finditer(text)
        ]
    found += [(match.start(), match.end(), match[0]) for match in _FOUND.finditer(text)]
    pieces, at = [], 0
    for start, end, address in sorted(found):
        if start >= at:
            pieces += [Link(text[at:start]), Link(text[start:end], address)]
            at = end
    return [piece for piece in [*pieces, Link(text[at:])] if piece.text]


def paper_links(cards: Iterable[Any]) -> list[Link]:
    """Return the papers that cards name and that have an address, each once, by where they lie."""
    pieces = dict.fromkeys(
        piece.address for card in cards for piece in linked(card.paper) if piece.address
    )
    return [Link(_site(address), address) for address in pieces]


def _site(address: str) -> str:
    """Return what a paper's link is called: short, since it stands in a column."""
    if address.startswith("https://arxiv.org/"):
        return "arXiv"
    return "DOI" if address.startswith("https://doi.org/") else "paper"
