"""Where runs work: each attempt in a fresh folder of its own, and paths
that mean the same there as where the command started.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "attempt-"
_ONE = (
    "BENCH_CACHE",
    "BENCH_DATA",
    "BENCH_RESULTS",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_ASSETS_CACHE",
    "HF_DATASETS_CACHE",
    "HF_MODULES_CACHE",
    "HF_TOKEN_PATH",
    "HF_XET_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "TRANSFORMERS_CACHE",
    "TORCH_HOME",
    "TORCH_EXTENSIONS_DIR",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "CUDA_CACHE_PATH",
    "NUMBA_CACHE_DIR",
    "JOBLIB_TEMP_FOLDER",
    "MPLCONFIGDIR",
    "SCIKIT_LEARN_DATA",
    "KERAS_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "HOME",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUSERBASE",
)
"""Variables that name a folder."""
_MANY = ("BENCH_PLUGINS", "PYTHONPATH", "PATH", "LD_LIBRARY_PATH", "NLTK_DATA")
"""Variables that name several."""


def absolute_paths() -> None:
    """Make relative paths in the environment absolute, so that processes
    and attempts that work elsewhere read them alike.
    """
    for name in (*_ONE, *_MANY):
        text = os.environ.get(name, "")
        parts = text.split(os.pathsep) if name in _MANY else [text]
        made = os.pathsep.join(
            part if part in ("", "~") or part.startswith(("~/", os.sep)) else os.path.abspath(part)  # noqa: PTH100 - of many, a string
            for part in parts
        )
        if made != text:
            os.environ[name] = made


@contextlib.contextmanager
def attempt(place: Path, home: str) -> Iterator[str]:
    """Work in a fresh folder below ``place`` meanwhile, and yield its path; it is removed after,
    with what a killed attempt left there.

    Args:
        place: the scratch folder of the job. Its checkpoints stay.
        home: the folder where the command started, which is gone back to.
    """
    place.mkdir(parents=True, exist_ok=True)
    for left in place.glob(f"{_PREFIX}*"):
        _remove(left)
    folder, process = tempfile.mkdtemp(prefix=_PREFIX, dir=place), os.getpid()
    paths = list(sys.path)
    sys.path[:] = [path or home for path in paths]  # "" is where the process works
    try:
        with at(folder):
            yield os.getcwd()  # noqa: PTH109 - as flags() will say it
    finally:
        if sys.path == [path or home for path in paths]:
            sys.path[:] = paths
        os.chdir(home)
        if os.getpid() == process:  # not where the method forked and its child came out here
            _remove(Path(folder))


@contextlib.contextmanager
def at(folder: str) -> Iterator[None]:
    """Work in a folder meanwhile, and go back where that is still there."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.fchdir(before)
        os.close(before)


def _remove(folder: Path) -> None:
    """Remove a folder and all in it, also where a run took its own rights away."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for place, folders, _ in os.walk(folder):
            for name in (".", *folders):
                with contextlib.suppress(OSError):
                    (Path(place) / name).chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
