"""The run as methods and tasks see it: all that they may use of the outside world."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.digests import stream_seed
from bench.errors import BenchError, BenchWarning
from bench.runs.checkpoint_format import flatten, unflatten
from bench.runs.reported_values import recipe_name, scalar, whole
from bench.runs.stream_roles import ROLES
from bench.runs.tools import Token, Tools, serve, tools_of
from bench.texts import utf8_name

if TYPE_CHECKING:
    import numpy as np
    import torch

    from bench.runs.artifacts import Artifacts


_LOG_LIMIT = 5000


class Run:
    """What a method gets besides its problem.

    Attributes:
        device: the ``torch.device`` to compute on.
        workdir: a folder of the run's own, for scratch files.
    """

    def __init__(
        self,
        *,
        seed: int,
        task: str,
        method: str,
        device: torch.device,
        workdir: Path,
        artifacts: Artifacts | None = None,
        axis: int = 0,
        tools: Tools | None = None,
    ) -> None:
        self.device, self._seed, self._folder = device, seed, workdir
        self._task, self._method, self._axis = task, method, axis
        self._artifacts, self._token = artifacts, Token()
        if tools is not None:
            serve(self._token, tools)
        self._asked: set[str] = set()
        self._told = False
        self._counts = {"forward": 0, "backward": 0}
        self._curve: list[dict[str, Any]] = []
        self._logs: list[dict[str, Any]] = []
        self._kept: dict[str, Any] = {}

    @property
    def seed(self) -> int:
        """The base seed. Streams are derived from it; use them, not this number."""
        self._told = True
        return self._seed

    def _drawn(self) -> bool:
        """Say whether a stream or the seed was asked for."""
        return bool(self._asked) or self._told

    @functools.cached_property
    def workdir(self) -> Path:
        """Make the folder when it is first asked for: most runs never do."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    # Streams ----------------------------------------------------------------

    def seeded(self, role: str, *axes: int | str) -> contextlib.AbstractContextManager[None]:
        """Fork the global streams and seed them for ``role``; they are restored after.

        Build nets inside it.

        Raises:
            BenchError: there is no such role.
        """
        from bench.training.state import streams

        return streams(self._stream(role, axes))

    def torch_generator(
        self, role: str, *axes: int | str, device: str | None = None
    ) -> torch.Generator:
        """Return a torch generator of the stream ``role``, on the run's
        device unless another is given.
        """
        import torch

        return torch.Generator(device or self.device).manual_seed(self._stream(role, axes))

    def numpy_generator(self, role: str, *axes: int | str) -> np.random.Generator:
        """Return a NumPy generator of the stream ``role``.

        Splits and corruptions are drawn with it, on the CPU.
        """
        import numpy as np

        return np.random.Generator(np.random.PCG64(self._stream(role, axes)))

    def _stream(self, role: str, axes: tuple[int | str, ...]) -> int:
        if role not in ROLES:
            raise BenchError(f"there is no stream {role!r}; the streams are {', '.join(ROLES)}.")
        asked = f"{role}{list(axes)}"
        if asked in self._asked:
            warnings.warn(
                f"the stream {role!r} was asked for twice with the axes {list(axes)}, which "
                "repeats its numbers; add an axis.",
                BenchWarning,
                stacklevel=3,
            )
        self._asked.add(asked)
        private = [self._method] if role == "method" else []
        return stream_seed(
            self._seed, self._task, role, list(axes), self._axis if ROLES[role] else 0, private
        )

    # Talking to the harness ---------------------------------------------------

    def report(self, step: int, model: Any) -> None:
        """Show the task the model after ``step``; it is scored on what the method can't see.

        Not the method's time.

        Args:
            step: 1, 2, 3 ... in the unit of the track (epochs, updates), growing.
            model: what the track's solution would hold: mostly a module, or a callable from inputs
                to outputs.
        """
        tools_of(self).report(
            self,
            whole(
                step,
                "the method reported step",
                "steps are whole numbers: 1, 2, 3 ..., or 0 before any training",
            ),
            model,
        )

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Add visits of examples: ``forward`` passes and ``backward``
        passes, the machine-free cost.
        """
        right = "visits of examples are whole numbers, 0 or more"
        self._counts["forward"] += whole(forward, "the method counted forward =", right)
        self._counts["backward"] += whole(backward, "the method counted backward =", right)

    def progress(self, total: int, label: str) -> Callable[[], None]:
        """Return a function to call after each of ``total`` steps, which the command line shows."""
        total, done = (
            whole(total, "the method asked for progress over", "a whole number of steps is wanted"),
            0,
        )

        def step() -> None:
            nonlocal done
            done += 1
            tools_of(self).progress(done, total, label)

        return step

    def log(self, step: int, **scalars: float) -> None:
        """Keep figures of the method's own in the record (at most 5,000
        calls); those that are not finite are kept as null.
        """
        if len(self._logs) < _LOG_LIMIT:
            step = whole(step, "the method logged at step", "steps are whole numbers, 0 or more")
            self._logs.append(
                {"step": step, **{name: scalar(value, name) for name, value in scalars.items()}}
            )

    # Things that outlast the run ----------------------------------------------

    def cached(
        self, recipe: Mapping[str, Any], build: Callable[[Run], Mapping[str, torch.Tensor]]
    ) -> tuple[dict[str, torch.Tensor], float]:
        """Return the artifact of ``recipe``, built once however many runs want it, and the seconds
        that building took.

        Args:
            recipe: all that the result depends on besides the run's data and the builder's code, as
                plain data.
            build: makes it, tensors of any shape by name, drawing only from the streams of the run
                it is given, which are derived from the recipe.
        """
        if self._artifacts is None:
            return dict(build(self)), 0.0
        recipe, tools = dict(recipe), tools_of(self)
        inside = tools.quiet()
        child = type(self)(
            seed=0,
            task=recipe_name(recipe),
            method="",
            device=self.device,
            workdir=self._folder,
            artifacts=self._artifacts,
            tools=inside,
        )
        code: Any = build
        while isinstance(code, functools.partial):
            code = code.func
        parts = {
            "owner": type(self).__name__,
            "device": self.device.type,
            **tools.parts(self, inspect.getmodule(code)),
        }
        start, start_cpu = time.perf_counter(), time.process_time()
        tensors, seconds = tools.fetch(
            self, self._artifacts, recipe, parts, lambda: build(child), inside
        )
        tools.charge(self, seconds, time.perf_counter() - start, time.process_time() - start_cpu)
        return tensors, seconds

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Keep ``state`` (tensors and plain data by name, nested dicts allowed), so that a run cut
        off here goes on here.

        What was reported, counted and logged so far is kept with it; snapshots and the time spent
        are not.
        """
        from safetensors.torch import save_file

        tensors: dict[str, torch.Tensor] = {}
        page = flatten(state, tensors)
        save_file(
            tensors,
            self.workdir / ".checkpoint.part",
            metadata={
                "page": json.dumps(page),
                "said": json.dumps([self._curve, self._counts, self._logs]),
                "mark": tools_of(self).mark(),
            },
        )
        (self.workdir / ".checkpoint.part").replace(self.workdir / "checkpoint.safetensors")

    def restored(self) -> dict[str, Any] | None:
        """Return the last checkpoint of this run, on its device, or None when it starts fresh."""
        from safetensors import safe_open

        file = self._folder / "checkpoint.safetensors"
        if not file.is_file():
            return None
        with (
            utf8_name(file) as name,
            safe_open(name, framework="pt", device=str(self.device)) as opened,
        ):
            # it was made on other data
            if opened.metadata().get("mark", "") != tools_of(self).mark():
                return None
            page = json.loads(opened.metadata()["page"])
            self._curve[:], self._counts, self._logs = json.loads(opened.metadata()["said"])
            restored: dict[str, Any] = unflatten(page, opened.get_tensor)
        return restored


class Setup(Run):
    """What a task gets: a run that may also ask for datasets by name."""

    def dataset(self, name: str, **params: Any) -> Any:
        """Return the dataset ``name``, which the task's card must list.

        Raises:
            DataUnavailable: it is not on this machine.
            BenchError: the card does not list it.
        """
        return tools_of(self).dataset(self, name, params)

    def reads(self, *paths: Path | str) -> None:
        """Say which files or folders a dataset or a task reads where no Python code opens them,
        such as files that C++ code reads.

        What is opened through Python is seen without that. Of a folder all that is in it counts. A
        path that is not there counts for a dataset too: it is looked for again.
        """
        from bench.runs.read_observer import stated

        for path in paths:
            stated(path)
