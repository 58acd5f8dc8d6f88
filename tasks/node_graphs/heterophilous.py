"""The graphs of arXiv:2302.11640, from local files."""

from __future__ import annotations

from typing import ClassVar, Literal

from bench import Preset, Setup, TaskCard

from ._metrics import CLASSES, LOW, MAJORITY
from ._task import NodeTask, Whole, undirected


class HeterophilousGraphs(NodeTask):
    """One of nine graphs with its ten splits; the seed says which, modulo ten."""

    card: ClassVar = TaskCard(
        name="heterophilous",
        title="Heterophilous graphs from files",
        track="node-graphs",
        datasets=("heterophilous",),
        libraries=("sklearn", "scipy"),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"chameleon-filtered": {"subset": "chameleon-filtered"}},
                params={"steps": 20, "hidden": 32},
                seeds=1,
                timeout=600,
            ),
            "paper": Preset(
                variants={
                    "roman-empire": {"subset": "roman-empire"},
                    "amazon-ratings": {"subset": "amazon-ratings"},
                    "minesweeper": {"subset": "minesweeper"},
                    "tolokers": {"subset": "tolokers"},
                    "questions": {"subset": "questions"},
                    "squirrel": {"subset": "squirrel"},
                    "squirrel-filtered": {"subset": "squirrel-filtered"},
                    "chameleon": {"subset": "chameleon"},
                    "chameleon-filtered": {"subset": "chameleon-filtered"},
                },
                params={"steps": 1000, "hidden": 512, "lr": 3e-5},
                seeds=10,
                timeout=7200,
            ),
        },
        budget="200 steps of Adam, each of all nodes",
        references=(LOW, MAJORITY),
        paper="arXiv:2302.11640",
    )
    subset: Literal[
        "roman-empire",
        "amazon-ratings",
        "minesweeper",
        "tolokers",
        "questions",
        "squirrel",
        "squirrel-filtered",
        "chameleon",
        "chameleon-filtered",
    ] = "chameleon-filtered"
    """Name of the graph."""

    def whole(self, run: Setup) -> Whole:
        """Read the graph; its edges count in both directions, and its leak by their direction."""
        data = run.dataset("heterophilous", subset=self.subset)
        arcs, n = data["arcs"].cpu(), len(data["y"])
        directed = self.subset.startswith(("squirrel", "chameleon"))
        return Whole(
            x=data["x"],
            edges=undirected(arcs.numpy(), n),
            y=data["y"],
            parts=data["parts"][run.seed % len(data["parts"])],
            # pages that link to the same pages are twins; a node stands second
            arcs=arcs.flip(0) if directed else None,
        )
