"""Pinned checkouts of official code, and how their modules are imported: by path, unchanged."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import nn


class Repository(msgspec.Struct, frozen=True):
    """What a checkout must be.

    Attributes:
        name: owner and name on GitHub.
        commit: the whole hash.
        stubs: packages that its modules import and the compared functions do not use; each is
            replaced by an empty one where it is not installed.
    """

    name: str
    commit: str
    stubs: tuple[str, ...] = ()


REPOSITORIES = {
    "dc": Repository(
        "VICO-UoE/DatasetCondensation", "53f63a672eab9ade02aabe6432706ef56f317d64", ("torchvision",)
    ),
    "dcc": Repository(
        "Saehyung-Lee/DCC", "5073a447691b5de2fbcb1ae8451d0e7bb8e70460", ("torchvision",)
    ),
    "mtt": Repository("DongyaoZhu/mtt-distillation", "d208bdf20e8db3e8a0ff24a270991d25483878b6"),
    "ncfm": Repository("gszfwsb/NCFM", "de92fb8a6d85562ef2df0ca4bbc74012f62b0d15"),
    "krr-st": Repository(
        "db-Lee/selfsup_dd", "4beb4b19c23872394d8f6418938b0e2bb3ce0466", ("torchvision",)
    ),
    "elr": Repository(
        "shengliu66/ELR",
        "934af53434a336b6db80d05d7649d23216e8ca6d",
        ("torchvision",),
    ),
    "sop": Repository(
        "shengliu66/SOP",
        "4d991cedf1fafec98f858a213ccc31e52318a77f",
        ("torchvision",),
    ),
    "coteaching": Repository("bhanML/Co-teaching", "7c7fbe23e15e517db76a0882b6d108e4508e09d6"),
    "gce": Repository("AlanChou/Truncated-Loss", "fef5908729a8e8446eb2d4ec327664cc6b11d6c6"),
    "deepcore": Repository(
        "PatrickZH/DeepCore", "74ec709f5ccba3b1e921b06c6e312d57741de3f8", ("torchvision",)
    ),
    "bmdal": Repository("dholzmueller/bmdal_reg", "08c28e131d9dc49cf1e47ddb80f7230ca4e10d72"),
    "scrub": Repository("meghdadk/SCRUB", "98ffb1196ffbec2665092598c13ad3b6ec3d095d"),
    "ssd": Repository(
        "if-loops/selective-synaptic-dampening",
        "cdfdc0e35c1908e032a6e150d882b0fa17833f85",
        ("torchvision", "wandb", "seaborn"),
    ),
    "salun": Repository(
        "OPTML-Group/Unlearn-Saliency",
        "a6e89fd17ff737c24c6aa16c9574469a234ffd91",
        ("torchvision", "lmdb", "six"),
    ),
    "sparse": Repository(
        "OPTML-Group/Unlearn-Sparse",
        "80ba55d36d0871465c2d3e3896db26a98070e065",
        ("torchvision", "einops", "lmdb", "six"),
    ),
    "bad-teacher": Repository(
        "vikram2000b/bad-teaching-unlearning",
        "f1aa988f71cccf1be6d50e0c6f7b2b905e4c9126",
        ("torchvision",),
    ),
    "blindspot": Repository(
        "ayu987/deep-regression-unlearning",
        "97b097ed50f82d01c3659001e05506f993d2772a",
        ("torchvision", "nltk", "pyunpack", "wget"),
    ),
    "laf": Repository(
        "ShaofeiShen768/LAF",
        "bda3694ddcddb6d3ee01077605996d23cdbb1e50",
        ("torchvision", "torchsummary", "xgboost", "seaborn"),
    ),
    "l-codec": Repository(
        "vsingh-group/LCODEC-deep-unlearning", "1d4873edd71bcf8dd23f7290e52c5a5185a1107d"
    ),
    "good": Repository(
        "divelab/GOOD",
        "fff0e2dc311e1d0e0a23052f6c601db4f185e12e",
        ("munch", "ruamel", "tap", "cilog", "gdown", "rdkit", "tensorboard", "ogb", "dig",
         "pynvml", "PYNVML", "cvxopt", "torch_sparse"),
    ),
    "stablenet": Repository("xxgege/StableNet", "aa7fa59804e883a1e77b6b0520db7eb40fc945af"),
    "trl": Repository("huggingface/trl", "f2cd57710ae345ea6428ae95363267fcf38a3dc8"),
    "aum": Repository("asappresearch/aum", "892e76eda4b6b85e21bda441d86134e0430ded7a"),
}  # fmt: skip


class Refused(Exception):
    """A checkout is not there, or not what it must be: one sentence says what to do."""


class Checkout:
    """A checkout whose modules are imported.

    Args:
        key: of :data:`REPOSITORIES`.
        path: where it lies.
        pinned: whether it must stand at the commit, without changes.
    """

    def __init__(self, key: str, path: Path, pinned: bool = True) -> None:
        self.repository, self.path = REPOSITORIES[key], path.resolve()
        self.stubbed: set[str] = set()
        if not path.is_dir():
            raise Refused(
                f"the checkout {key!r} names {path}, which is no folder; {to_clone(self.repository)}."
            )
        if pinned:
            self._check(key)

    def _check(self, key: str) -> None:
        found = self._git("rev-parse", "HEAD")
        if found != self.repository.commit:
            came = f"stands at {found[:12]}" if found else "is no git checkout"
            raise Refused(
                f"the checkout {key!r} in {self.path} {came}, and {self.repository.name} is "
                f"compared at {self.repository.commit}; {to_clone(self.repository)}, or pass "
                "--any-commit."
            )
        if changed := self._git("diff", "--name-only", "--diff-filter=M", "HEAD"):
            raise Refused(
                f"the checkout {key!r} in {self.path} has changed files ({changed.split()[0]}), and "
                f"official code is called as it is; undo them with git checkout, or pass --any-commit."
            )

    def _git(self, *arguments: str) -> str:
        if not (self.path / ".git").exists():
            return ""
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    def load(self, module: str, root: str = "", without: Sequence[str] = ()) -> types.ModuleType:
        """Import a module as its own scripts do, with ``root`` first on the path, and forget it
        and its neighbours in ``sys.modules``: other checkouts have modules of the same names.

        Packages ``without`` are replaced by empty ones although they are there: they cannot be
        imported.
        """
        folder = self.path / root
        own = {part.stem for part in folder.iterdir() if part.suffix == ".py" or part.is_dir()}
        finder = _Stubs(self.repository.stubs)
        kept = {name: sys.modules.pop(name) for name in _named(own)}
        before, argv, popen, here = set(sys.modules), sys.argv, os.popen, Path.cwd()
        sys.path.insert(0, str(folder))
        sys.meta_path.append(finder)
        sys.meta_path.insert(0, broken := _Stubs(without))
        sys.argv = [module]
        os.popen = lambda *_: io.StringIO("24 80")  # some ask the terminal for its size
        try:
            # some scripts make folders where they are imported
            with tempfile.TemporaryDirectory() as scratch, quiet():
                os.chdir(scratch)
                return importlib.import_module(module)
        finally:
            os.chdir(here)
            sys.argv, os.popen = argv, popen
            sys.meta_path.remove(finder)
            sys.meta_path.remove(broken)
            sys.path.remove(str(folder))
            sys.path_importer_cache.pop(str(folder), None)
            for name in set(sys.modules) - before:
                if name.split(".")[0] in own | finder.made:
                    del sys.modules[name]
            sys.modules.update(kept)
            self.stubbed |= finder.made | broken.made


def to_clone(repository: Repository) -> str:
    """Return what to do to get a checkout."""
    return (
        f"clone https://github.com/{repository.name} and check {repository.commit[:12]} out there"
    )


def _named(tops: set[str]) -> list[str]:
    return [name for name in sys.modules if name.split(".")[0] in tops]


class _Anything(type):
    """Classes with every attribute, that can be called, subclassed and used as decorators."""

    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _anything(name)


def _anything(name: str) -> type:
    return _Anything(
        name,
        (),
        {
            "__init__": lambda self, *_, **__: None,
            "__call__": lambda self, *arguments, **_: arguments[0] if arguments else self,
            "__getattr__": lambda self, name: _anything(name)(),
            "__len__": lambda self: 1,
            "__iter__": lambda self: iter(()),
        },
    )


class _Empty(types.ModuleType):
    __version__ = "99.0"

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _anything(name)


class _Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes empty packages in place of some that are not installed; it is asked last."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.made = frozenset(names), set[str]()

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] not in self.names:
            return None
        self.made.add(fullname.split(".")[0])
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        return _Empty(spec.name)

    def exec_module(self, module) -> None:
        pass


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let nobody print: official code does at every epoch."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


@contextlib.contextmanager
def on_the_cpu() -> Iterator[None]:
    """Let ``.cuda()`` leave tensors and modules where they are: some official code has no other
    way to say where it computes. NumPy's former name of ``isin`` is there, too.
    """
    before = torch.Tensor.cuda, nn.Module.cuda
    torch.Tensor.cuda = nn.Module.cuda = lambda self, *_, **__: self
    if former := not hasattr(np, "in1d"):
        np.in1d = np.isin
    try:
        yield
    finally:
        torch.Tensor.cuda, nn.Module.cuda = before
        if former:
            del np.in1d


@contextlib.contextmanager
def overlapping() -> Iterator[None]:
    """Let a part of a tensor be assigned to the whole, which torch refuses since it checks for
    overlapping memory.
    """
    before = torch.Tensor.__setitem__

    def assign(self, place, value):
        before(self, place, value.clone() if isinstance(value, torch.Tensor) else value)

    torch.Tensor.__setitem__ = assign
    try:
        yield
    finally:
        torch.Tensor.__setitem__ = before
