"""A grid of cells, some of them mines; half of the cells say how many mines are around them."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.node_graphs import Fixed, Problem, Solution

from ._metrics import CLASSES, LOW, MAJORITY
from ._task import Hidden, NodeTask, Whole, drawn_parts, undirected

MOST = 5
"""Mines around a cell from which on counts are not told apart."""


class Minesweeper(NodeTask):
    """Mines of a square grid with eight neighbours a cell, as in arXiv:2302.11640."""

    card: ClassVar = TaskCard(
        name="minesweeper",
        title="Mines of a grid",
        track="node-graphs",
        libraries=("sklearn", "scipy"),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"grid": {}},
                params={"side": 20, "steps": 40, "hidden": 32},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"grid": {}}, params={"side": 50}, seeds=5, timeout=300),
            "paper": Preset(
                variants={"grid": {}},
                params={"side": 100, "hidden": 512, "lr": 3e-5, "steps": 1000},
                seeds=10,
                timeout=7200,
            ),
        },
        budget="200 steps of Adam, each of all nodes",
        references=(
            LOW,
            Reference(
                name="others-known",
                kind="high",
                title="told the labels of all other nodes",
                solve="with_others",
            ),
            MAJORITY,
        ),
        paper="arXiv:2302.11640",
        bibtex="""@inproceedings{platonov2023critical,
  title = {A critical look at the evaluation of GNNs under heterophily: Are we really making
    progress?},
  author = {Platonov, Oleg and Kuznedelev, Denis and Diskin, Michael and Babenko, Artem and
    Prokhorenkova, Liudmila},
  booktitle = {ICLR},
  year = {2023},
  eprint = {2302.11640},
  archivePrefix = {arXiv}
}""",
    )
    side: Annotated[int, Meta(ge=4, le=1000)] = 50
    """Cells of the grid each way."""
    mines: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    """Share of the cells that are mines."""
    covered: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    """Share of the cells, mines too, that do not say how many mines are around them."""

    def whole(self, run: Setup) -> Whole:
        """Draw mines and covered cells, exactly as many as said, and the parts.

        Raises:
            InvalidRun: all cells of a part are mines, or none is.
        """
        n, generator = self.side**2, run.numpy_generator("corruption", "mines")
        y = np.zeros(n, dtype=np.int64)
        y[generator.permutation(n)[: max(1, round(self.mines * n))]] = 1
        covered = np.zeros(n, dtype=bool)
        covered[generator.permutation(n)[: round(self.covered * n)]] = True
        edges = undirected(grid(self.side), n)
        around = np.bincount(edges[1].numpy(), weights=y[edges[0].numpy()], minlength=n)
        column = np.where(covered, 0, 1 + around.astype(np.int64).clip(max=MOST))
        parts = drawn_parts(n, (0.5, 0.25), run.numpy_generator("split", "parts"))
        for number, name in enumerate(("training", "validation", "test")):
            if len(np.unique(y[parts.numpy() == number])) < 2:
                raise InvalidRun(
                    f"with mines={self.mines:g} and side={self.side} all {name} cells are of one "
                    "class; take a share nearer to one half, or a larger side"
                )
        return Whole(
            x=torch.eye(MOST + 2)[torch.from_numpy(column)],
            edges=edges,
            y=torch.from_numpy(y),
            parts=parts,
        )

    def with_others(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: a cell is a mine if a neighbour counts one more than there are
        mines among its other neighbours.
        """
        (first, second), y = problem.edges, hidden.labels.float()
        around = y.new_zeros(len(y)).index_add_(0, second, y[first])
        count = problem.x.argmax(1) - 1
        tells = (count >= 0) & (count < MOST)  # the last column holds several counts
        others = around[first] - y[second]
        votes = torch.where(tells[first], count[first] - others, 0.0)
        votes = y.new_zeros(len(y)).index_add_(0, second, votes)
        heard = y.new_zeros(len(y)).index_add_(0, second, tells[first].to(y.dtype))
        share = torch.where(heard > 0, votes / heard.clamp_min(1), torch.full_like(y, self.mines))
        return Solution(model=Fixed(torch.stack([-share, share], 1)))


def grid(side: int) -> np.ndarray:
    """Return the pairs of cells of a square grid that share a side or a corner (2, m)."""
    cells = np.arange(side * side).reshape(side, side)
    pairs = [
        (cells[:, :-1], cells[:, 1:]),
        (cells[:-1], cells[1:]),
        (cells[:-1, :-1], cells[1:, 1:]),
        (cells[:-1, 1:], cells[1:, :-1]),
    ]
    return np.concatenate([np.stack([a.ravel(), b.ravel()]) for a, b in pairs], 1)
