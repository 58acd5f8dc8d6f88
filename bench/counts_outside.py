"""What computes beside torch while operations are counted: NumPy, libraries with code of their own,
other threads and processes.

Nothing of it can be counted, so it is named. Where the look can't be sure it names too much rather
than too little: a tensor of floating-point numbers that becomes an array is called NumPy's,
whatever is done with the array.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import CodeType, FrameType, ModuleType
from typing import Any

from bench.counts_code import HARMLESS, PRODUCTS, computes, multiplies, names_of, package_of
from bench.watches import Watch

_LEAVING = {
    "numpy": "NumPy",
    "__array__": "NumPy",
    "__dlpack__": "DLPack",
    "_to_dlpack": "DLPack",
    "to_dlpack": "DLPack",
    "data_ptr": "addresses of tensors",
}
"""C functions and methods by which a tensor's numbers leave torch, and what then computes."""


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

_THREADS = ("start_new_thread", "start_joinable_thread")
_NAMES = PRODUCTS.union(_LEAVING, _VALUES_ONLY, _THREADS)
"""C functions and methods that are looked at in every call: their arguments say what they do."""

_PLAIN = frozenset(
    (list, dict, set, frozenset, tuple, str, bytes, int, float, type(re.compile("")))
)
"""Kinds of objects whose methods compute nothing that is counted."""

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


class Outside(Watch):
    """Watches one thread for what the dispatcher can't see and names it by ``add``."""

    def __init__(self, add: Callable[[str], object]) -> None:
        self._add = add
        self._seen: set[CodeType] = set()
        self._ends: set[CodeType] = set()  # functions whose ends are listened to
        self._open: set[FrameType] = set()  # their calls that have not ended
        # what nothing is to be heard of any more: Python functions by their place in memory, since
        # the hash of one's code reads all of it, and C functions
        self._quiet: dict[int, CodeType] = {}
        self._mute: set[Any] = set()
        self._before: Any = None
        self._around: Outside | None = None
        self._imports = 0
        self.values_only = False

    def start(self) -> None:
        """Begin to watch the calling thread; what it profiled with before
        is put back by :meth:`stop`. A watch that was on goes on meanwhile.
        """
        _listen(self)
        self._before = sys.getprofile()
        owner = getattr(self._before, "__self__", None)
        self._around = owner if isinstance(owner, Outside) else None
        sys.setprofile(self.hear)

    def stop(self) -> None:
        """End the watch."""
        sys.setprofile(self._before)
        _listeners.remove(self)

    def name(self, what: str) -> None:
        """Say that something computed that was not counted."""
        self._add(what)

    def hear(self, frame: FrameType, event: str, argument: Any) -> None:
        """Hear an event of the interpreter. There are millions, and most say nothing: those of
        functions that were looked at leave by the first tests.
        """
        if self._around is not None:
            self._around.hear(frame, event, argument)
        if event == "c_call":
            if (
                argument not in self._mute
                and type(getattr(argument, "__self__", None)) not in _PLAIN
            ):
                self._c_enters(frame, argument)
        elif event == "call":
            code = frame.f_code  # each look is an event for audit hooks: one a call
            if id(code) not in self._quiet:
                self._enters(frame, code)
        elif event == "return":
            if self._open and frame in self._open:
                self._open.discard(frame)
                self._leaves(frame, argument)
        elif self.values_only and not self._imports and argument.__name__ in _VALUES_ONLY:
            self.values_only = False

    def _c_enters(self, frame: FrameType, function: Any) -> None:
        """Hear of a C function."""
        owner = getattr(function, "__self__", None)
        if function.__name__ in _NAMES:
            if not self._imports:
                self._called(frame, function)
        elif owner is None or isinstance(owner, ModuleType):
            if self._belongs(function):
                self._mute.add(function)

    def _belongs(self, function: Any) -> bool:
        """Name the package of a C function if it computes; say whether it does not."""
        module = getattr(function, "__module__", None)
        package = module.partition(".")[0] if isinstance(module, str) else ""
        silent = not computes(package)
        # what a library does when it is first imported is no method's work
        if not silent and not self._imports:
            self.name(package)
        return silent

    def _enters(self, frame: FrameType, code: CodeType) -> None:
        """Hear of a Python function that has not been looked at, or whose end is listened to."""
        if code not in self._seen:
            if code.co_name == "_find_and_load" and code.co_filename == _IMPORTING:
                self._imports += 1
                self._ends.add(code)
            elif not self._imports:
                self._seen.add(code)
                self._look(frame)
        if code in self._ends:
            self._open.add(frame)
        elif code in self._seen:
            self._quiet[id(code)] = code

    def _leaves(self, frame: FrameType, answer: Any) -> None:
        """Hear what a function that multiplies answers, and that an import ends."""
        if frame.f_code.co_filename == _IMPORTING:
            self._imports -= 1
        elif not self._imports and _holds_array((*frame.f_locals.values(), answer)):
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
        package = package_of(path)
        if package is not None and computes(package):
            self.name(package)
        elif package is not None and (package in HARMLESS or package in sys.stdlib_module_names):
            return
        if multiplies(code):
            self._ends.add(code)
        for found in names_of(frame):
            if found.partition(".")[0] == "numpy":
                self.name("NumPy")
            elif found == "ctypes" or computes(found):
                self.name(found)

    def _called(self, frame: FrameType, function: Any) -> None:
        name, owner = function.__name__, getattr(function, "__self__", None)
        self.values_only = self.values_only or name in _VALUES_ONLY
        if name in _LEAVING and (package := package_of(frame.f_code.co_filename)) not in (
            "bench",
            "safetensors",
        ):
            if name == "data_ptr" and package == "torch":
                return
            if owner is None or isinstance(owner, ModuleType) or _numbers(owner):
                self.name(_LEAVING[name])
        elif name in _THREADS:
            # its thread watches a clock
            if type(frame.f_locals.get("self")).__module__.partition(".")[
                0
            ] != "tqdm" and not _compiles(frame):
                self.name("another thread")
        elif isinstance(owner, ModuleType) or owner is None:
            self._belongs(function)
        elif name in PRODUCTS and _holds_array((owner,)):
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
        for outside in _listeners:
            outside.name(_STARTS[event])


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
