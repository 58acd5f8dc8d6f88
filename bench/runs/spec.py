"""What a run is (its cell), and what its number depends on (its key)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from bench.digests import canonical, digest
from bench.params import render_call
from bench.plugins.source import PROTOCOL, Target
from bench.runs.limits import Limits
from bench.texts import shell_word

Form = Literal["single", "stacked"]


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One cell of the board for one seed: everything that says what is
    computed, nothing that says by which code or machine.
    """

    track: str
    method: str
    params: dict[str, Any]
    task: str
    task_params: dict[str, Any]
    preset: str
    variant: str
    seed: int
    device: str
    dtype: str = "float32"
    form: Form = "single"
    tuning: dict[str, Any] | None = None
    """How the parameters were chosen (see :mod:`bench.runs.search`); None: they were given."""

    @functools.cached_property
    def cell(self) -> str:
        """The digest a board groups by."""
        return self._digest(self.seed)

    @functools.cached_property
    def group(self) -> str:
        """The digest of the cell without its seed: what one stack, one
        average and one row of the board share.
        """
        return self._digest(0)

    def _digest(self, seed: int) -> str:
        """Digest what is computed.

        Of a tuning that is how it was done, not what came of it; parameters that were given say
        nothing of it.
        """
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "tuning"}
        protocol = {
            name: value
            for name, value in (self.tuning or {}).items()
            if name in ("metric", "split", "seeds", "trials")
        }
        return digest({**fields, "seed": seed, **({"tuning": protocol} if protocol else {})})

    def label(self) -> str:
        """Say the run in a line: ``noisy-digits sym40 elr seed 3``."""
        return f"{self.task} {self.variant} {self.method} seed {self.seed}"

    def words(
        self, shown: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda params: params
    ) -> list[str]:
        """Return the words of the command that runs just this cell; of one with parameters that
        ``--tune`` chose, the command that chooses them again.

        Args:
            shown: returns those of a method's parameters that must be said.
        """
        variant, bracket, custom = self.variant.partition("[")
        trials = (self.tuning or {}).get("trials") or []
        # the card says the others by itself
        settings = trials[:1] if (self.tuning or {}).get("space") else trials or [self.params]
        methods = [
            word
            for params in settings
            for word in ("--method", render_call(f"{self.track}/{self.method}", shown(params)))
        ]
        return [
            "bench",
            "run",
            *methods,
            "--task",
            f"{self.track}/{self.task}{bracket}{custom}",
            "--preset",
            self.preset,
            "--variant",
            variant,
            "--seeds",
            f"{self.seed}-{self.seed}",
            "--device",
            self.device,
            *(["--tune", str(len(trials))] if trials else []),
        ]

    def command(self) -> str:
        """Return the command that runs just this cell, every parameter said, for a shell."""
        return " ".join(map(shell_word, self.words()))


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What crosses the border to a worker: specs of one cell that differ
    in their seed, and where the code lives.
    """

    id: str
    specs: list[RunSpec]
    method: Target | None
    task: Target
    reference: str = ""
    """Name of the task's method that solves, for a reference; ``method`` is then None."""
    datasets: dict[str, Target] = {}
    needs: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    count: tuple[int, ...] = ()
    """Seeds whose operations are counted in a second pass (see :mod:`bench.runs.counting`)."""
    versions: dict[str, str] = {}
    """Of the libraries that belong to the key; looking them up takes longer than many a run."""
    cache: str
    workdir: str
    limits: Limits


class KeyMaker:
    """Makes the keys of cells that share code, environment and data: what
    they share is written out once.
    """

    def __init__(
        self, code: list[str], environment: dict[str, Any], data: Mapping[str, str] | None
    ) -> None:
        marked = canonical(
            {
                "cell": "",
                "code": code,
                "data": data,
                "protocol": PROTOCOL,
                "environment": environment,
            }
        )
        # sorted keys: the cell comes first
        self._head, _, self._tail = marked.partition(b'"cell":""')

    def __call__(self, cell: str) -> str:
        """Return the key of a cell, as :func:`run_key` makes it."""
        return blake2b(
            b'%s"cell":"%s"%s' % (self._head, cell.encode(), self._tail), digest_size=16
        ).hexdigest()


def run_key(
    spec: RunSpec,
    code: list[str],
    environment: dict[str, Any],
    data: Mapping[str, str] | None = None,
    protocol: int | None = None,
) -> str:
    """Return the key: the cell, the code it reaches, the data it loads and the environment that
    computes it.

    Same key, same number.

    Args:
        spec: says the cell.
        code: sorted digests of the code.
        environment: what of the machine computes.
        data: fingerprints of what is loaded, by call; None: nothing is known of it.
        protocol: of the harness; None: today's.
    """
    return digest(
        {
            "cell": spec.cell,
            "code": code,
            "data": data,
            "protocol": PROTOCOL if protocol is None else protocol,
            "environment": environment,
        }
    )
