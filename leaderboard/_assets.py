"""What pages share: style, script, and Vega from the wheel of vl-convert, packed so that it stays
small.
"""

from __future__ import annotations

import base64
import functools
import gzip
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent / "page"
DISTRIBUTIONS = ("altair", "jinja2", "vl-convert-python")
FILES = ("assets/page.css", "assets/page.js", "assets/charts.js")


def packed(text: str | bytes) -> str:
    """Return text as base64 of gzip, without a time: what the page unpacks
    with DecompressionStream.
    """
    data = text.encode() if isinstance(text, str) else text
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def files() -> Iterator[tuple[str, str]]:
    """Yield the files that all pages share, each with its text."""
    yield FILES[0], text("page.css")
    yield FILES[1], text("page.js")
    yield FILES[2], f'window.benchVega = "{vega_bundle()}";\n'


@functools.cache
def vega_bundle() -> str:
    """Return the module that sets window.vegaEmbed, packed."""
    import vl_convert

    return packed(vl_convert.javascript_bundle())


def text(name: str) -> str:
    """Return a file of the page's folder."""
    return (HERE / name).read_text(encoding="utf-8")


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of what the page is made with."""
    return {name: importlib.metadata.version(name) for name in DISTRIBUTIONS}


def own_version() -> str:
    """Return the version of the package."""
    import bench

    return bench.__version__
