"""Digits in a graph, to which edges are added whose ends' classes follow a pattern."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.node_graphs import Fixed, Problem, Solution

from ._metrics import CLASSES, LOW, MAJORITY
from ._patterns import DIGITS, base_pairs, expected, log_posterior, pattern_pairs
from ._task import Hidden, NodeTask, Whole, drawn_parts, undirected


class PatternDigits(NodeTask):
    """1,797 digits under noise; the more edges of the pattern, the less homophilous the graph."""

    card: ClassVar = TaskCard(
        name="pattern-digits",
        title="Digits with edges between neighbouring classes",
        track="node-graphs",
        datasets=("digits",),
        libraries=("sklearn", "scipy"),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"k3000": {"added": 3000}},
                params={"steps": 20, "hidden": 32},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "k0": {"added": 0},
                    "k3000": {"added": 3000},
                    "k6000": {"added": 6000},
                    "k12000": {"added": 12000},
                    "k24000": {"added": 24000},
                    "k6000-random": {"added": 6000, "gamma": 1.0},
                    "k24000-random": {"added": 24000, "gamma": 1.0},
                },
                seeds=5,
                timeout=300,
            ),
            "extended": Preset(
                variants={
                    "k3000-random": {"added": 3000, "gamma": 1.0},
                    "k12000-random": {"added": 12000, "gamma": 1.0},
                    "k12000-half": {"added": 12000, "gamma": 0.5},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="100 steps of Adam, each of all nodes",
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
        paper="arXiv:2106.06134",
        bibtex="""@inproceedings{ma2022homophily,
  title = {Is Homophily a Necessity for Graph Neural Networks?},
  author = {Ma, Yao and Liu, Xiaorui and Shah, Neil and Tang, Jiliang},
  booktitle = {ICLR},
  year = {2022},
  eprint = {2106.06134},
  archivePrefix = {arXiv}
}""",
    )
    added: Annotated[int, Meta(ge=0, le=1_000_000)] = 3000
    """Edges of the pattern."""
    gamma: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Chance that an edge of the pattern leads to any class instead."""
    noise: Annotated[float, Meta(ge=0)] = 1.5
    """Standard deviation of what is added to each pixel, which is from 0 to 1."""
    steps: Annotated[int, Meta(ge=1)] = 100
    """Updates, each of all nodes."""

    def whole(self, run: Setup) -> Whole:
        """Draw noise, edges and parts."""
        data = run.dataset("digits")
        n = len(data.y)
        # in the dataset many digits follow the one before them: the place of a node must not say
        order = run.numpy_generator("split", "nodes").permutation(n)
        y, x = data.y.cpu().numpy()[order], data.x.flatten(1).float().cpu()[order] / 16
        noise = run.numpy_generator("corruption", "noise").standard_normal(x.shape)
        generator = run.numpy_generator("corruption", "edges")
        pairs = [base_pairs(y, generator), pattern_pairs(y, self.added, self.gamma, generator)]
        return Whole(
            x=x + self.noise * torch.from_numpy(noise).float(),
            edges=undirected(np.concatenate(pairs, 1), n),
            y=torch.from_numpy(y),
            parts=drawn_parts(n, (0.3, 0.2), run.numpy_generator("split", "parts")),
        )

    def with_others(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: Bayes' rule on the classes of a node's neighbours, with the true
        rates of edges between classes, and without its features.
        """
        y, (first, second) = hidden.labels.cpu().numpy(), problem.edges.cpu().numpy()
        counts = np.bincount(second * DIGITS + y[first], minlength=len(y) * DIGITS)
        found = log_posterior(
            counts.reshape(-1, DIGITS),
            expected(y, self.added, self.gamma),
            np.bincount(y, minlength=DIGITS).tolist(),
        )
        return Solution(model=Fixed(torch.from_numpy(found).to(problem.x)))
