"""What the fork server imports before it forks, and what it must leave to the runs."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from bench.executors import processes
from bench.plugins.index import Index
from bench.plugins.source import Target, code_key, import_target
from bench.runs.provenance import kernels_here
from bench.runs.spec import Job

_MOST = 4
"""When so many modules were found to start CUDA, one after the other, no
more are tried: each costs a start.
"""

_known: set[Target] = set()


class Banned(BaseException):
    """Something banned was imported.

    No ``Exception``, so that no library takes it for a missing module and goes on without it.
    """


class Ban(importlib.abc.MetaPathFinder):
    """Keeps modules of some names from being imported, with all below them."""

    def __init__(self, names: list[str]) -> None:
        self._names = tuple(names)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse what is banned, and leave the rest to others."""
        if any(fullname == name or fullname.startswith(f"{name}.") for name in self._names):
            raise Banned


def preload(names: list[str], begin_anew: Callable[[list[str]], NoReturn]) -> list[str]:
    """Import modules, but none that starts CUDA, and nothing that needs one of these: no process
    forked after could use a GPU.

    Args:
        names: of modules; a ``-`` before one says that an earlier try found it to start CUDA.
        begin_anew: becomes a process that has imported nothing and preloads the names it is given.

    Returns:
        The names left out.
    """
    banned = [name[1:] for name in names if name.startswith("-")]
    ban = Ban(banned)
    sys.meta_path.insert(0, ban)
    # what started it came before any of these, and would again
    blameless = processes.cuda_started()
    for position, name in enumerate(names):
        if name.startswith("-"):
            continue
        with contextlib.suppress(Exception, Banned):  # the run that needs it will say what is wrong
            importlib.import_module(name)
        if not blameless and processes.cuda_started():
            begin_anew(
                [
                    *names[:position],
                    f"-{name}",
                    *(names[position + 1 :] if len(banned) < _MOST else []),
                ]
            )
    sys.meta_path.remove(ban)
    return banned


def warm(job: Job) -> None:
    """Look here at what every run of a job's kind looks at first, so that the processes forked
    after have it: the index of plugins, this machine's kernels, and what classes that are imported
    already declare. What goes wrong is left to the run to say.
    """
    with contextlib.suppress(Exception):
        index = Index(Path(job.cache))
        kernels_here(job.specs[0].device)
        for target in (job.task, job.method, *job.datasets.values()):
            if target is not None and target.module in sys.modules:
                found: Any = import_target(target)
                found.schema()
                if target not in _known:  # where its files lie is found once
                    _known.add(target)
                    code_key(target, index.scan, job.specs[0].device)
        if job.task.module in sys.modules:
            task: Any = import_target(job.task)
            from bench.checks.cases import kinds_of  # imports torch
            from bench.checks.fields import fields_of

            for kind in itertools.chain(*kinds_of(job.specs[0].track, task)):
                fields_of(kind)
