"""What the page carries with it: DataTables from the wheel of itables, Vega from that of
vl-convert; packed, so that it stays small.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import importlib.metadata
from pathlib import Path

HERE = Path(__file__).parent / "page"
DISTRIBUTIONS = ("altair", "itables", "jinja2", "vl-convert-python")


def packed(text: str | bytes) -> str:
    """Return text as base64 of gzip, without a time: what the page unpacks
    with DecompressionStream.
    """
    data = text.encode() if isinstance(text, str) else text
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def sha256(script: str) -> str:
    """Return the source that a content security policy names an inline script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@functools.cache
def tables_bundle() -> str:
    """Return the module that exports ITable, DataTables with its extensions, packed."""
    import itables

    return packed((Path(itables.__file__).parent / "html" / "dt_bundle.js").read_bytes())


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
