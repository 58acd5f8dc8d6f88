"""Cross entropy on large batches: the plain answer to many wrong labels a right one
(arXiv:1705.10694).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec

from bench import Meta, MethodCard, Run
from bench.tracks.noisy_labels import NoisyLabelMethod, Problem, Seeds


class LargeBatchCrossEntropy(NoisyLabelMethod):
    """Cross entropy whose steps see several batches' rows, so that the gradients of wrong labels
    cancel within a step.
    """

    card: ClassVar = MethodCard(
        name="ce-large-batch",
        title="Cross entropy on large batches with a larger learning rate",
        track="noisy-labels",
        paper="arXiv:1705.10694",
        bibtex="""@article{rolnick2017deep,
  title = {Deep Learning is Robust to Massive Label Noise},
  author = {Rolnick, David and Veit, Andreas and Belongie, Serge and Shavit, Nir},
  journal = {arXiv preprint},
  year = {2017},
  eprint = {1705.10694},
  archivePrefix = {arXiv}
}""",
        claim="Where right labels are diluted by wrong ones, a larger batch with a learning rate "
        "scaled to it is more accurate.",
        official_code="none",
        deviates="The task's epochs, and so fewer steps than it takes with its own batch; the "
        "paper trains until the accuracy stands still.",
        stacked=True,
        plain=True,
        defaults_from="here",
        trials=4,
        tuning={"times": (2, 4, 8), "growth": (0.0, 0.5, 1.0)},
    )
    times: Annotated[int, Meta(ge=1)] = 2
    """Batches of the task that one of this method holds."""
    growth: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """The learning rate is multiplied by ``times`` to this power: 1 is linear scaling."""

    def gather(self, problems: Sequence[Problem], runs: Sequence[Run]) -> Seeds:  # type: ignore[override]
        """Return the problems, with larger batches and rates, as one pass."""
        return super().gather(
            [
                msgspec.structs.replace(
                    problem,
                    batch_size=problem.batch_size * self.times,
                    lr=problem.lr * self.times**self.growth,
                )
                for problem in problems
            ],
            runs,
        )
