"""Agreement of a net with a copy that is adapted to the target (arXiv:2307.10062)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.accuracy_estimation import Problem, Solution, agreement
from bench.tracks.accuracy_estimation_adapted import adapted


class AdaptedAgreement(Method):
    """Adapt a copy of the net to each set, and take its answers for labels."""

    card: ClassVar = MethodCard(
        name="sf-pseudo",
        title="Agreement with an adapted copy",
        track="accuracy-estimation",
        paper="arXiv:2307.10062",
        bibtex="""@inproceedings{lee2023unsupervised,
  title = {Unsupervised Accuracy Estimation of Deep Visual Models using Domain-Adaptive Adversarial
    Perturbation without Source Samples},
  author = {Lee, JoonHo and Woo, Jae Oh and Moon, Hankyu and Lee, Kwonho},
  booktitle = {International Conference on Computer Vision},
  year = {2023},
  eprint = {2307.10062},
  archivePrefix = {arXiv}
}""",
        claim="The disagreement of a net with pseudo-labels of a net that is adapted to the target "
        "without source rows estimates its accuracy there.",
        deviates="the step before the perturbation of sf-dap, written from the abstract: "
        "adaptation by information maximisation without pseudo-labels in the loss is ours; the "
        "formula was not checked against a second implementation",
        signal="features",
        defaults_from="here",
    )
    epochs: Annotated[int, Meta(ge=0)] = 3
    """Passes over the rows of a set."""
    lr: Annotated[float, Meta(gt=0)] = 3e-4
    """Learning rate of Adam."""
    batch_size: Annotated[int, Meta(ge=2)] = 128
    """Rows of a step."""

    @torch.no_grad()
    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return how often net and copy agree; validation rows are not read."""
        with torch.enable_grad():
            copies = adapted(problem, run, self.epochs, self.lr, self.batch_size)
        said = copies(torch.stack(list(problem.targets))).argmax(-1)
        run.count(forward=said.numel())
        found = [
            agreement(logits.argmax(1), own)
            for logits, own in zip(problem.logits, said, strict=True)
        ]
        return Solution(accuracy=torch.tensor(found, dtype=torch.float64))
