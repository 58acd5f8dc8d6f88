"""Black box shift estimation (arXiv:1802.03916)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, classes_of
from bench.tracks.target_shift_classes import confusion


class BlackBoxShift(Method):
    """Solve M w = mu: what the net says of the target, as a mixture of what it says of each class
    in the source.
    """

    card: ClassVar = MethodCard(
        name="bbse",
        title="Black box shift estimation",
        track="target-shift",
        paper="arXiv:1802.03916",
        bibtex="""@inproceedings{lipton2018detecting,
  title = {Detecting and Correcting for Label Shift with Black Box Predictors},
  author = {Lipton, Zachary C. and Wang, Yu-Xiang and Smola, Alexander J.},
  booktitle = {International Conference on Machine Learning},
  year = {2018},
  eprint = {1802.03916},
  archivePrefix = {arXiv}
}""",
        claim="The confusion matrix of any predictor on source rows and its answers in the target "
        "give the weights of classes, consistently, where the matrix is invertible.",
        deviates="a singular matrix is solved by least squares, and the record says so "
        "(logs.singular); formula and clipping were checked against the package abstention "
        "0.1.3.1 (BBSEImbalanceAdapter), not against the authors' code",
        signal="held-out",
        needs=("classes",),
        defaults_from="paper",
    )
    soft: bool = False
    """Count probabilities instead of likeliest classes."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return M^-1 mu, negative weights set to 0."""
        found = confusion(classes_of(problem), self.soft)
        joint = found.joint
        singular = int(torch.linalg.matrix_rank(joint)) < len(joint)
        run.log(0, singular=float(singular))
        weights = (
            torch.linalg.pinv(joint) @ found.target
            if singular
            else torch.linalg.solve(joint, found.target)
        )
        return Solution(weights=weights.clamp_min(0))
