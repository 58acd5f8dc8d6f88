"""Keys of cells: what a number depends on, looked at once a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from bench.plugins.entries import Entry
from bench.plugins.registry import Registry, dataset_card, method_card, task_card
from bench.plugins.source import Places, Target, reach
from bench.runs.data_calls import params_of
from bench.runs.data_index import Want
from bench.runs.plan import Cell
from bench.runs.provenance import environment
from bench.runs.spec import KeyMaker


class Keyed(msgspec.Struct, frozen=True):
    """A cell with its key and what went into it: ``files`` (digests of code by module),
    ``environment`` and ``data``.

    ``data`` is None where nothing was loaded yet: a plan's keys, which say that a cell is at work.
    A record has the key that follows from what was loaded.
    """

    cell: Cell
    key: str
    ingredients: dict[str, Any]


class _Known(NamedTuple):
    files: dict[str, str]
    code: list[str]
    environment: dict[str, Any]
    makers: dict[tuple[tuple[str, str], ...] | None, KeyMaker]


class Keys:
    """Computes keys, each file and library looked at once."""

    def __init__(
        self,
        registry: Registry,
        environment: Callable[[str, Iterable[str]], dict[str, Any]] = environment,
    ) -> None:
        """Keys of what ``registry`` holds, where ``environment`` says what
        of the machines that run it belongs to them.
        """
        self.registry, self._environment = registry, environment
        self._files: dict[tuple[Target, str], dict[str, str]] = {}
        self._imports: Places = {}
        self._known: dict[tuple[Target, Target | None, str], _Known] = {}

    def of(self, cell: Cell, data: Mapping[str, str] | None = None) -> Keyed:
        """Return the cell with its key.

        Args:
            cell: a planned cell.
            data: fingerprints of what it loads, by call, as records have them; None: of a run that
                has not loaded anything yet.
        """
        known = self._ingredients(cell)
        ingredients = {
            "files": known.files,
            "environment": known.environment,
            "data": None if data is None else dict(data),
        }
        return Keyed(cell, self._maker(known, data)(cell.spec.cell), ingredients)

    def machine(self, device: str) -> dict[str, Any]:
        """Return the class of the machines that the keys are made for, as the provenance of a
        record names it (see :mod:`bench.runs.machine_classes`).
        """
        found = self._environment(device, ())
        return {
            "cpu_class": found["cpu"],
            "kernels": found.get("kernels"),
            **({"gpu": found.get("gpu")} if device == "cuda" else {}),
        }

    def key(self, like: Cell, cell: str, data: Mapping[str, str] | None) -> str:
        """Return the key of a cell, by its digest, that differs from ``like`` in its seed alone."""
        return self._maker(self._ingredients(like), data)(cell)

    def _maker(self, known: _Known, data: Mapping[str, str] | None) -> KeyMaker:
        name = None if data is None else tuple(sorted(data.items()))
        if name not in known.makers:
            known.makers[name] = KeyMaker(known.code, known.environment, data)
        return known.makers[name]

    def want(self, cell: Cell, name: str, texts: Mapping[str, str]) -> Want:
        """Return a call of a dataset, from the texts of its parameters, as the index of data knows
        it.

        Raises:
            UsageError: there is no such dataset. ParameterError: it has no such parameters.
        """
        entry, spec = self.registry.get("dataset", name), cell.spec
        card = dataset_card(entry)
        found = self._environment(spec.device, card.libraries)
        versions = {
            library: found["versions"].get(library, "")
            for library in sorted({"numpy", "torch", *card.libraries})
        } | found.get("kernels", {})
        return Want(
            name=name,
            params=params_of(name, entry.params, texts),
            target=entry.target,
            code=sorted(set(self._reached(entry.target, spec.device).values())),
            versions=versions,
            device=spec.device,
            had=card.had,
            stream=(f"{spec.track}/{spec.task}", spec.seed),
        )

    def _ingredients(self, cell: Cell) -> _Known:
        pair = (cell.task.target, cell.method.target if cell.method else None, cell.spec.device)
        if pair not in self._known:
            files = {
                module: digest
                for target in self._targets(cell)
                for module, digest in self._reached(target, cell.spec.device).items()
            }
            found = self._environment(cell.spec.device, libraries(cell, self.registry))
            self._known[pair] = _Known(files, sorted(set(files.values())), found, {})
        return self._known[pair]

    def _targets(self, cell: Cell) -> list[Target]:
        data = [self.registry.get("dataset", name).target for name in task_card(cell.task).datasets]
        return [cell.task.target, *data, *([cell.method.target] if cell.method else [])]

    def _reached(self, target: Target, kind: str) -> dict[str, str]:
        if (target, kind) not in self._files:
            found = reach(target, self.registry.index.scan, self._imports)
            self._files[target, kind] = {
                module: scan.digest_on(kind) for module, scan in found.items()
            }
        return self._files[target, kind]


def libraries(cell: Cell, registry: Registry) -> tuple[str, ...]:
    """Return the import names that a cell's cards list."""
    names = {
        *task_card(cell.task).libraries,
        *(method_card(cell.method).libraries if cell.method else ()),
    }
    for name in task_card(cell.task).datasets:
        names |= set(registry.get("dataset", name).card.libraries)
    return tuple(sorted(names))


def targets_of(cell: Cell) -> tuple[Target, Target | None]:
    """Return where task and method of a cell live."""
    method: Entry | None = cell.method
    return cell.task.target, method.target if method else None
