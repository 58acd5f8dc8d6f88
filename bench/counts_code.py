"""Which packages a piece of code belongs to and names, and which compute by code of their own."""

from __future__ import annotations

import contextlib
import dis
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

PRODUCTS = frozenset(
    (
        "dot",
        "matmul",
        "vdot",
        "vecdot",
        "matvec",
        "vecmat",
        "inner",
        "tensordot",
        "einsum",
        "convolve",
        "correlate",
        "linalg",
        "fft",
        "polyfit",
        "cov",
        "corrcoef",
    )
)
"""Names in NumPy of what sums products."""


HARMLESS = frozenset(
    (
        "torch",
        "torchgen",
        "functorch",
        "bench",
        "numpy",
        "msgspec",
        "yaml",
        "regex",
        "safetensors",
        "tokenizers",
        "sentencepiece",
        "tiktoken",
        "PIL",
        "pyarrow",
        "psutil",
        "xxhash",
        "orjson",
        "markupsafe",
        "charset_normalizer",
        "google",
        "hf_xet",
        "coverage",
        "zmq",
        "setproctitle",
        "sympy",
        "mpmath",
        "cffi",
        "pandas",
        "dateutil",
        "pytz",
        "lxml",
        "cryptography",
        "aiohttp",
        "multidict",
        "yarl",
        "frozenlist",
        "propcache",
        "mypy",
        "hypothesis",
        "greenlet",
        "rpds",
        "ray",
    )
)
"""Packages with compiled code that does no arithmetic worth counting, or whose arithmetic is seen
elsewhere.

The standard library is another.
"""


def multiplies(code: CodeType) -> bool:
    """Say whether code holds ``@`` or a name of a sum of products."""
    if not PRODUCTS.isdisjoint(code.co_names):
        return True
    return any(
        step.opname == "BINARY_OP" and step.argrepr.startswith("@")
        for step in dis.get_instructions(code)
    )


def names_of(frame: FrameType) -> set[str]:
    """Return the packages whose code a function names, ``numpy`` only with
    a name of a sum of products.
    """
    found, code = set(), frame.f_code
    imported = {
        step.argval.partition(".")[0]
        for step in dis.get_instructions(code)
        if step.opname == "IMPORT_NAME" and step.argval
    }
    for package in imported:
        if package != "numpy" or not PRODUCTS.isdisjoint(code.co_names):
            found.add(package)
    place: Any = None
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
            place = frame.f_globals.get(step.argval, frame.f_locals.get(step.argval))
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(place, ModuleType):
            place = vars(place).get(str(step.argval))
        elif step.opname not in ("PRECALL", "PUSH_NULL", "CACHE", "EXTENDED_ARG"):
            place = None
        if place is not None and (home := _home(place)):
            found.add(home)
    return found


def _home(value: Any) -> str:
    """Return the package that a module, function or class comes from; of
    NumPy only what sums products.
    """
    if isinstance(value, ModuleType):
        package, _, rest = value.__name__.partition(".")
        return package if package != "numpy" or rest.partition(".")[0] in PRODUCTS else ""
    if not (callable(value) and isinstance(getattr(value, "__module__", None), str)):
        return (
            "numpy"
            if type(value).__name__ == "ufunc" and getattr(value, "__name__", "") in PRODUCTS
            else ""
        )
    package, _, rest = value.__module__.partition(".")
    if (
        package == "numpy"
        and rest.partition(".")[0] not in PRODUCTS
        and getattr(value, "__name__", "") not in PRODUCTS
    ):
        return ""
    return str(package)


def package_of(path: str) -> str | None:
    """Return the package that a file of an installed library belongs to, ``sys`` of the standard
    library; None of a plugin's own file.
    """
    parts = path.replace("\\", "/").split("/")
    for mark in ("site-packages", "dist-packages"):
        if mark in parts[:-1]:
            return parts[len(parts) - parts[::-1].index(mark)].removesuffix(".py")
    if path.startswith(_BENCH):
        return "bench"
    return "sys" if path.startswith(_STANDARD) or path.startswith("<frozen") else None


_BENCH, _STANDARD = (
    f"{Path(__file__).parent.as_posix()}/",
    f"{Path(contextlib.__file__).parent.as_posix()}/",
)


_native: dict[str, bool] = {}


def computes(package: str) -> bool:
    """Say whether a loaded package brings compiled code of its own, other
    than such as is known to do no arithmetic.
    """
    if package in HARMLESS or package in sys.stdlib_module_names or package not in sys.modules:
        return False
    if package not in _native:
        modules = [
            module
            for name, module in list(sys.modules.items())
            if name == package or name.startswith(f"{package}.")
        ]
        files = [getattr(module, "__file__", None) or "" for module in modules]
        _native[package] = any(file.endswith(tuple(EXTENSION_SUFFIXES)) for file in files) or _maps(
            getattr(sys.modules[package], "__file__", None)
        )
    return _native[package]


def _maps(file: str | None) -> bool:
    """Say whether the process has loaded a shared library from the folder of a package."""
    with contextlib.suppress(OSError):
        return (
            file is not None
            and file.endswith("__init__.py")
            and f"{Path(file).parent}/" in Path("/proc/self/maps").read_text()
        )
    return False
