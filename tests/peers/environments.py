"""An environment of its own for each package that values or attributes rows, since they pin other
versions of NumPy than this project, and calls into it: arrays go there and come back in a file.

Environments are made once, in build/peers (or the folder that BENCH_PEERS names), and kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


class Peer(NamedTuple):
    """A package, and what it takes to have it.

    Attributes:
        package: name and version.
        needs: what is installed before it.
        alone: whether it is installed without what it declares.
    """

    package: str
    needs: tuple[str, ...]
    alone: bool


_TORCH = next(
    line.split("+")[0]
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line.startswith("torch==")
)
PEERS = {
    "pydvl": Peer("pyDVL==0.10.0", ("numpy<2", "scikit-learn<1.8"), False),
    "opendataval": Peer(
        "opendataval==1.3.0",
        (_TORCH, "numpy<2", "pandas<3", "scikit-learn<1.8", "tqdm", "requests", "matplotlib"),
        True,
    ),
    "dattri": Peer("dattri==0.3.0", (_TORCH, "numpy", "scipy", "tqdm", "pyyaml"), True),
    "captum": Peer("captum==0.9.0", (_TORCH, "numpy<2", "tqdm", "packaging", "matplotlib"), True),
}


class NotHere(Exception):
    """An environment can't be made."""


def interpreter(name: str) -> Path:
    """Return the interpreter of a peer's environment, made where it is not there yet.

    Raises:
        NotHere: a package can't be installed; the last line of pip says why.
    """
    peer = PEERS[name]
    folder = Path(os.environ.get("BENCH_PEERS") or ROOT / "build" / "peers") / name
    python = folder / "bin" / "python"
    done = folder / peer.package
    if done.exists():
        return python
    _call([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([*pip, *peer.needs])
    _call([*pip, *(["--no-deps"] if peer.alone else []), peer.package])
    done.touch()
    return python


def _call(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        last = (ended.stderr.strip() or ended.stdout.strip()).splitlines()[-1:]
        raise NotHere(f"{' '.join(command[-3:])}: {''.join(last)}")


def ask(name: str, question: str, **arrays: object) -> dict[str, np.ndarray]:
    """Return what ``of_NAME.py`` answers to a question, in the peer's environment, on one thread.

    Args:
        name: of the peer.
        question: a function of that script.
        arrays: its arguments.

    Raises:
        NotHere: the environment can't be made.
        RuntimeError: the script fails; its last lines say why.
    """
    python = interpreter(name)
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "asked.npz"), Path(folder, "answered.npz")
        np.savez(asked, **{key: np.asarray(value) for key, value in arrays.items()})
        single = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        ended = subprocess.run(
            [python, HERE / f"of_{name}.py", question, asked, answered],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **single, "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(HERE)},
        )
        if ended.returncode:
            raise RuntimeError("\n".join(ended.stderr.strip().splitlines()[-8:]))
        with np.load(answered) as answer:
            return dict(answer)
