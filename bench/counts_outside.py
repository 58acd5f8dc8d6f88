"""What computes beside torch while operations are counted: NumPy, libraries with code of their own,
other threads and processes.

Nothing of it can be counted, so it is named. Where the look can't be sure it names too much rather
than too little: a tensor of floating-point numbers that becomes an array is called NumPy's,
whatever is done with the array.
"""

from __future__ import annotations

import contextlib
import dis
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.counts import Counter

_PRODUCTS = frozenset(
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

_LEAVING = {
    "numpy": "NumPy",
    "__array__": "NumPy",
    "__dlpack__": "DLPack",
    "_to_dlpack": "DLPack",
    "to_dlpack": "DLPack",
    "data_ptr": "addresses of tensors",
}
"""C functions and methods by which a tensor's numbers leave torch, and what then computes."""

_HARMLESS = frozenset(
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

_VALUES_ONLY = frozenset(
    (
        "linalg_eigvals",
        "linalg_eigvalsh",
        "linalg_svdvals",
        "linalg_matrix_rank",
        "linalg_cond",
        "linalg_matrix_norm",
        "linalg_norm",
        "nuclear_norm",
    )
)
"""Functions of torch that ask for eigenvalues or singular values without their vectors."""

_IMPORTING = "<frozen importlib._bootstrap>"

_STARTS = {
    "os.fork": "another process",
    "os.forkpty": "another process",
    "os.posix_spawn": "another process",
    "os.spawn": "another process",
    "os.system": "another process",
    "os.exec": "another process",
    "subprocess.Popen": "another process",
    "socket.connect": "another machine or process",
}
"""Events that Python's audit hooks hear, and what then computes."""

_HANDED = {
    ("multiprocessing/process.py", "start"): "another process",
    ("multiprocessing/pool.py", "_check_running"): "another process",
    ("concurrent/futures/thread.py", "submit"): "another thread",
    ("concurrent/futures/process.py", "submit"): "another process",
    ("torch/cuda/graphs.py", "replay"): "replays of CUDA graphs",
}
"""Python functions that hand work on, by the end of their file's path, and to what."""


class Outside:
    """Watches one thread for what the dispatcher can't see and names it in the counter's tally."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._seen: set[CodeType] = set()
        self._products: set[CodeType] = set()
        self._before: Any = None
        self._imports = 0
        self.values_only = False

    def start(self) -> None:
        """Begin to watch the calling thread; what it profiled with before
        is put back by :meth:`stop`.
        """
        _listen(self)
        self._before = sys.getprofile()
        sys.setprofile(self._profile)

    def stop(self) -> None:
        """End the watch."""
        sys.setprofile(self._before)
        _listeners.remove(self)

    def name(self, what: str) -> None:
        """Say that something computed that was not counted."""
        self._counter.tally.uncounted.add(what)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if code.co_name == "_find_and_load" and code.co_filename == _IMPORTING:
            self._imports += {"call": 1, "return": -1}.get(event, 0)
        elif self._imports:
            return  # what a library does when it is first imported is no method's work
        elif event == "call":
            if code not in self._seen:
                self._seen.add(code)
                self._look(frame)
        elif event == "c_call":
            self._called(frame, argument)
        elif event == "c_return" or event == "c_exception":
            if argument.__name__ in _VALUES_ONLY:
                self.values_only = False
        elif (
            event == "return"
            and code in self._products
            and _holds_array((*frame.f_locals.values(), argument))
        ):
            self.name("NumPy")

    def _look(self, frame: FrameType) -> None:
        """Look at a function that runs for the first time: whose it is,
        whom it hands work to, and which libraries it names.
        """
        code = frame.f_code
        path = code.co_filename.replace("\\", "/")
        for (end, name), what in _HANDED.items():
            if code.co_name == name and path.endswith(end) and not _compiles(frame):
                self.name(what)
        if "torchinductor_" in path:
            # what torch compiled: it calls torch's own kernels for products, and is elementwise
            # otherwise
            return
        if (
            code.co_name in ("__array__", "__dlpack__")
            and path.endswith("torch/_tensor.py")
            and _numbers(frame.f_locals.get("self"))
        ):
            self.name(_LEAVING[code.co_name])
            self._seen.discard(code)
        package = _package(path)
        if package is not None and _computes(package):
            self.name(package)
        elif package is not None and (package in _HARMLESS or package in sys.stdlib_module_names):
            return
        if _multiplies(code):
            self._products.add(code)
        for found in _names_of(frame):
            if found.partition(".")[0] == "numpy":
                self.name("NumPy")
            elif found == "ctypes" or _computes(found):
                self.name(found)

    def _called(self, frame: FrameType, function: Any) -> None:
        name, owner = function.__name__, getattr(function, "__self__", None)
        self.values_only = self.values_only or name in _VALUES_ONLY
        if name in _LEAVING and (package := _package(frame.f_code.co_filename)) not in (
            "bench",
            "safetensors",
        ):
            if name == "data_ptr" and package == "torch":
                return
            if owner is None or isinstance(owner, ModuleType) or _numbers(owner):
                self.name(_LEAVING[name])
        elif name in ("start_new_thread", "start_joinable_thread"):
            # its thread watches a clock
            if type(frame.f_locals.get("self")).__module__.partition(".")[
                0
            ] != "tqdm" and not _compiles(frame):
                self.name("another thread")
        elif isinstance(owner, ModuleType) or owner is None:
            module = getattr(function, "__module__", None)
            if isinstance(module, str) and _computes(module.partition(".")[0]):
                self.name(module.partition(".")[0])
        elif name in _PRODUCTS and _holds_array((owner,)):
            self.name("NumPy")


_listeners: list[Outside] = []
_listening: list[bool] = []


def _listen(outside: Outside) -> None:
    if not _listening:
        # it can't be taken away again, so one is added and asked for whoever listens
        sys.addaudithook(_heard)
        _listening.append(True)
    _listeners.append(outside)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if _listeners and event in _STARTS and not _compiles(sys._getframe()):
        _listeners[-1].name(_STARTS[event])


def _compiles(frame: FrameType | None) -> bool:
    """Say whether torch's compiler is at work, which has helpers of its own."""
    while frame is not None:
        if (
            "/torch/_inductor/" in frame.f_code.co_filename
            or "/torch/_dynamo/" in frame.f_code.co_filename
        ):
            return True
        frame = frame.f_back
    return False


def _numbers(tensor: Any) -> bool:
    """Say whether a tensor holds several numbers that are no integers."""
    torch = sys.modules["torch"]
    return (
        isinstance(tensor, torch.Tensor)
        and (tensor.is_floating_point() or tensor.is_complex())
        and tensor.numel() > 1
    )


def _holds_array(values: tuple[Any, ...]) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return False
    flat = [
        part
        for value in values
        for part in (value if isinstance(value, tuple | list) else (value,))
    ]
    return any(
        isinstance(value, numpy.ndarray) and value.dtype.kind in "fc" and value.size > 1
        for value in flat
    )


def _multiplies(code: CodeType) -> bool:
    """Say whether code holds ``@`` or a name of a sum of products."""
    if not _PRODUCTS.isdisjoint(code.co_names):
        return True
    return any(
        step.opname == "BINARY_OP" and step.argrepr.startswith("@")
        for step in dis.get_instructions(code)
    )


def _names_of(frame: FrameType) -> set[str]:
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
        if package != "numpy" or not _PRODUCTS.isdisjoint(code.co_names):
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
        return package if package != "numpy" or rest.partition(".")[0] in _PRODUCTS else ""
    if not (callable(value) and isinstance(getattr(value, "__module__", None), str)):
        return (
            "numpy"
            if type(value).__name__ == "ufunc" and getattr(value, "__name__", "") in _PRODUCTS
            else ""
        )
    package, _, rest = value.__module__.partition(".")
    if (
        package == "numpy"
        and rest.partition(".")[0] not in _PRODUCTS
        and getattr(value, "__name__", "") not in _PRODUCTS
    ):
        return ""
    return str(package)


def _package(path: str) -> str | None:
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


def _computes(package: str) -> bool:
    """Say whether a loaded package brings compiled code of its own, other
    than such as is known to do no arithmetic.
    """
    if package in _HARMLESS or package in sys.stdlib_module_names or package not in sys.modules:
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
