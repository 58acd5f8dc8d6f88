"""Digits among rows without a right answer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch

from bench import Meta, Preset, Setup, TaskCard
from bench.training.data import standardised

from ._digits import digits, laid_over, other_labels
from ._metrics import CLASSES, CONTROL, REFERENCES
from ._task import ActiveTask, Pool


class AlOutliers(ActiveTask):
    """A pool of 1,438 digits with outliers, other sources or wrong labels; 359 plain ones to judge
    by.
    """

    card: ClassVar = TaskCard(
        name="al-outliers",
        title="Active learning on digits with outliers or wrong labels in the pool",
        track="active-learning",
        datasets=("digits",),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"outliers40": {}},
                params={"n_pool": 200, "budget": 20, "batch": 10, "steps": 15},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "outliers40": {"kind_of": "outliers"},
                    "sources3": {"kind_of": "sources"},
                    "noise20": {"kind_of": "noise", "share": 0.2},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="7 rounds of 20 labels; a training takes 120 steps of at most 64 known rows",
        offers={"classes": {}},
        references=(*REFERENCES, CONTROL),
        clock_arrays=("asked_s",),
        paper="arXiv:2107.02331",
        bibtex="""@inproceedings{karamcheti2021mind,
  title = {Mind Your Outliers! Investigating the Negative Impact of Outliers on Active Learning for
    Visual Question Answering},
  author = {Karamcheti, Siddharth and Krishna, Ranjay and Fei-Fei, Li and Manning, Christopher D.},
  booktitle = {ACL},
  year = {2021},
  eprint = {2107.02331},
  archivePrefix = {arXiv}
}""",
    )
    n_pool: Annotated[int, Meta(ge=0)] = 0
    """Rows of the pool, drawn class by class; 0: all."""
    kind_of: Literal["outliers", "sources", "noise"] = "outliers"
    """``outliers``: a share of the pool are two digits of different classes laid over each other,
    labelled as either; ``sources``: a third are inverted, and of another third a share has wrong
    labels; ``noise``: a share has wrong labels.
    """
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.4
    """Of outliers, or of wrong labels (of ``sources``: .2 whatever it says)."""

    def pool(self, run: Setup) -> Pool:
        """Return the digits with what is wrong among them."""
        data = digits(run, self.n_pool)
        drawn = run.numpy_generator("corruption", self.kind_of)
        x, y, true = data.x, data.y, data.y
        count = len(y)
        if self.kind_of == "outliers":
            x, y, stranger = laid_over(x, y, self.share, drawn)
            true = torch.where(stranger, -1, true)
        elif self.kind_of == "noise":
            rows = drawn.permutation(count)[: round(self.share * count)]
            y = other_labels(y, rows, 10, drawn)
            stranger = y != true
        else:
            source = torch.from_numpy(drawn.permutation(np.arange(count) % 3)).to(y.device)
            x = torch.where((source == 1).view(-1, 1, 1, 1), 1 - x, x)
            noisy = drawn.permutation((source == 2).nonzero()[:, 0].cpu().numpy())
            y = other_labels(y, noisy[: round(0.2 * len(noisy))], 10, drawn)
            stranger = source > 0
        own, other = standardised(x, data.x_test)
        return Pool(
            x=own,
            answers=y,
            true=true,
            x_test=other,
            y_test=data.y_test,
            stranger=stranger,
            shown=x,
        )
