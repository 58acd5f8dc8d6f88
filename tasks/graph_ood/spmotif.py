"""Spurious-Motif: in training the base tells the label nearly as well as the motif does."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from bench import Meta, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.graph_ood import Problem, Solution

from ._motif_task import MOTIFS, Hidden, MotifTask, environments, split_of, train_on
from ._scores import ACCURACIES
from ._shapes import LARGE, SMALL, SPURIOUS_MOTIFS, balanced, biased, draw
from ._task import Split

FORCED = (0.99, 0.97, 0.95)
"""P(base set to the label) in the three environments of the concept shift;
else the base is drawn evenly from all.
"""
FORCED_OOD = {"ood_val": 0.3, "ood_test": 0.0, "ood_large": 0.0}


class SpuriousMotif(MotifTask):
    """Cycle, house or crane on a tree, a ladder or a wheel.

    OOD: bases drawn evenly, whatever the motif.
    """

    card: ClassVar = TaskCard(
        name="spmotif",
        title="Motifs on bases that nearly tell the label",
        track="graph-ood",
        libraries=("torch_geometric",),
        paper="arXiv:2201.12872",
        bibtex="""@inproceedings{wu2022dir,
  title = {Discovering Invariant Rationales for Graph Neural Networks},
  author = {Wu, Ying-Xin and Wang, Xiang and Zhang, An and He, Xiangnan and Chua, Tat-Seng},
  booktitle = {ICLR},
  year = {2022},
  eprint = {2201.12872},
  archivePrefix = {arXiv}
}""",
        metrics=ACCURACIES,
        presets={
            "smoke": Preset(
                variants={"b97": {"bias": 0.97}},
                params={"per_class": 30, "epochs": 8},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"b90": {"bias": 0.9}, "b97": {"bias": 0.97}, "b99": {"bias": 0.99}},
                seeds=3,
                timeout=300,
            ),
            "more": Preset(
                variants={
                    "rand4-b90": {"bias": 0.9, "feat": "rand4", "perturb": 0.0, "label_noise": 0.0},
                    "concept": {"shift": "concept"},
                },
                seeds=3,
                timeout=300,
            ),
            "paper": Preset(
                variants={"b97": {"bias": 0.97}},
                params={"per_class": 1000, "hidden": 64, "epochs": 100},
                seeds=10,
                timeout=3600,
            ),
        },
        budget="40 epochs of batch 128",
        offers={"env": {}},
        references=(
            Reference(name="erm", kind="low"),
            Reference(
                name="unbiased",
                kind="high",
                title="The null method trained on as many graphs without the bias",
                solve="train_unbiased",
            ),
            Reference(
                name="group-oracle",
                kind="control",
                title="The null method with known groups weighed alike",
                solve="train_with_group_weights",
            ),
        ),
    )
    bias: Annotated[float, Meta(ge=0, le=1)] = 0.97
    """P(base = label) in training; each other base has (1 - bias) / 2. In the three environments
    that methods may ask for it is ``bias``, and two thirds of the lesser of ``bias`` and 1 -
    ``bias`` more and less: .99, .97 and .95 of .97.
    """
    shift: Literal["bias", "concept"] = "bias"
    """``concept``: GOOD's three training environments instead, and its OOD splits."""
    feat: Literal["ones", "rand4"] = "ones"
    """Node features: constant 1, or four uniform random numbers."""

    def splits(self, run: Setup) -> dict[str, Split]:
        """Draw all."""
        return {
            name: self.draw(run, name, name in ("train", "id_val", "id_test"))
            for name in ("train", "id_val", "id_test", "ood_val", "ood_test", "ood_large")
        }

    def draw(self, run: Run, name: str, inside: bool, stream: str = "") -> Split:
        """Draw one split: with the bias, or with bases drawn evenly."""
        generator = run.numpy_generator("split", stream or name)
        motif = balanced(self.count(name), MOTIFS, generator)
        env = None
        if self.shift == "concept":
            env = balanced(len(motif), len(FORCED), generator) if inside else None
            forced = np.take(FORCED, env) if env is not None else FORCED_OOD.get(name, 0.0)
            base = np.where(
                generator.random(len(motif)) < forced,
                motif,
                generator.integers(0, MOTIFS, len(motif)),
            )
        else:
            base = biased(motif, MOTIFS, self.bias if inside else 1 / MOTIFS, generator)
            if inside:
                draws = run.numpy_generator("split", name, "environments")
                env = environments(base == motif, self.bias, draws)
        bases = LARGE if name == "ood_large" else SMALL
        drawn = draw(
            generator,
            list(SPURIOUS_MOTIFS.values()),
            bases,
            motif,
            base,
            random_features=self.feat == "rand4",
            **self.noise(name),
        )
        return split_of(drawn, MOTIFS, base == motif, env)

    def train_unbiased(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the null method on as many graphs, as
        noisy, whose base says nothing of the label.
        """
        train, validation = (
            self.draw(run, name, inside=False, stream=stream)
            for name, stream in (("train", "unbiased"), ("id_val", "unbiased-val"))
        )
        return train_on(train, validation, problem, hidden, run)
