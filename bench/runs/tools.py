"""What serves a run: reports, progress, datasets and artifacts.

A run names its tools and does not hold them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from bench.errors import BenchError

if TYPE_CHECKING:
    import torch

    from bench.runs.artifacts import Artifacts


class Served(Protocol):
    """What tools rely on of a run (:class:`bench.runs.context.Run`)."""

    device: torch.device
    _token: Token
    _curve: list[dict[str, Any]]
    _kept: dict[str, Any]


class Tools:
    """What a run asks of its worker.

    The defaults serve a run made by hand, in a test or a notebook.
    """

    def report(self, run: Served, step: int, model: Any) -> None:
        """Score a model after ``step``, or at least note the step."""
        run._curve.append({"step": step})

    def progress(self, done: int, total: int, label: str) -> None:
        """Show progress."""

    def parts(self, run: Served, module: Any) -> dict[str, Any]:
        """Return what an artifact depends on besides its recipe."""
        return {}

    def fetch(
        self,
        run: Served,
        artifacts: Artifacts,
        recipe: Mapping[str, Any],
        parts: Mapping[str, Any],
        build: Callable[[], Mapping[str, Any]],
        inside: Tools,
    ) -> tuple[dict[str, Any], float]:
        """Return an artifact, built if nobody has, with ``inside`` serving
        its builder, and the seconds that building took.
        """
        return artifacts.get(recipe, parts, build, str(run.device), inside)

    def charge(self, run: Served, seconds: float, wall: float, cpu: float) -> None:
        """Note what an artifact cost (``seconds``), and what of the clocks
        it took just now, built or read.
        """

    def quiet(self) -> Tools:
        """Return tools for building an artifact: no report reaches the task."""
        return self

    def fingerprints(self) -> dict[str, str]:
        """Return the datasets that were loaded with these tools, by their
        call, with their fingerprints.
        """
        return {}

    def unchanged(self, loaded: Mapping[str, str]) -> bool:
        """Say whether datasets that an artifact's builder loaded are as
        they were then, and count them as loaded if so.
        """
        return not loaded

    def mark(self) -> str:
        """Return the digest of the data that a checkpoint belongs to."""
        return ""

    def dataset(self, run: Served, name: str, params: dict[str, Any]) -> Any:
        """Return a dataset.

        Raises:
            BenchError: the task's card does not list it.
        """
        raise BenchError(f"no dataset {name!r} here; the task's card must list it in 'datasets'.")


class Token:
    """Names the tools of a run without holding them: tools reach the case,
    and what methods are handed must not.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = next(_numbers)

    def __copy__(self) -> Token:
        return self

    def __deepcopy__(self, memory: Any) -> Token:
        return self

    def __reduce__(self) -> tuple[type[Token], tuple[()]]:
        return Token, ()  # in another process the number stands for nothing, or for another run

    def __del__(self) -> None:
        if _serving:  # None where the interpreter is shutting down
            _serving.pop(self.number, None)


_numbers = itertools.count()
_serving: dict[int, Tools] = {}
"""Number of a run's token -> what serves the run."""
_BY_HAND = Tools()


def serve(token: Token, tools: Tools) -> None:
    """Let tools serve the run that has a token."""
    _serving[token.number] = tools


def tools_of(run: Served) -> Tools:
    """Return what serves a run."""
    return _serving.get(run._token.number, _BY_HAND)


def release(run: Served) -> None:
    """Let go of what served a run; from now on it is like one made by hand."""
    _serving.pop(run._token.number, None)
