"""SAGE's score: neighbours, reconstruction and confidence of a supervised autoencoder
(arXiv:2502.16329).

Shapes: N training rows, n rows, L latents.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from bench import InvalidRun, Meta, MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod
from bench.training.fitting import epochs_of
from bench.training.fixed_net import Recipe, descended, outputs

_PIXELS = 784 / 100
"""Weight of the reconstruction of one hundredth of 784 pixels, as a mean over all."""


class Autoencoder(nn.Module):
    """From rows to latents, and from these to rows and logits."""

    def __init__(self, inputs: int, width: int, latents: int, n_classes: int) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, latents), nn.ReLU()
        )
        self.decode = nn.Sequential(nn.Linear(latents, width), nn.ReLU(), nn.Linear(width, inputs))
        self.classify = nn.Linear(latents, n_classes)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Map rows (n, d) to latents (n, L), rows (n, d) and logits (n, C)."""
        z = self.encode(x)
        return z, self.decode(z), self.classify(z)


class SageScore(ScoreMethod):
    """Train a supervised autoencoder, and score a row by the geometric mean of its ranks among the
    training rows in three measures of strangeness.
    """

    card: ClassVar = MethodCard(
        name="sage-score",
        title="Score of a supervised autoencoder (SAGE)",
        track=("ood-detection", "selective-prediction"),
        paper="arXiv:2502.16329",
        bibtex="""@article{schreyer2025generalization,
  title = {Generalization is not a universal guarantee: Estimating similarity to training data with
    an ensemble out-of-distribution metric},
  author = {Schreyer, W. Max and Anderson, Christopher and Thompson, Reid F.},
  journal = {arXiv preprint arXiv:2502.16329},
  year = {2025}
}""",
        claim="The score separates deformed pictures from typical ones, and accuracy is higher on "
        "the rows that it keeps.",
        official_code="flawed",
        deviates="32 latents and one autoencoder of perceptrons for all tasks. For regression the "
        "authors' code ranks the error against the label of the test row; that part is left out.",
        signal="features",
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=1)] = 25
    """Neighbours among the training latents."""
    latents: Annotated[int, Meta(ge=1)] = 32
    """Latents."""
    width: Annotated[int, Meta(ge=1)] = 256
    """Of the layer between rows and latents, on either side."""
    epochs: Annotated[int, Meta(ge=1)] = 20
    """Passes over the training rows."""
    weight: Annotated[float, Meta(ge=0)] = 1.0
    """Of the reconstruction."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """(product of 1 - rank / N over the measures)^(1/3)."""
        if self.k >= len(problem.x):
            raise InvalidRun(
                f"k is {self.k} and there are {len(problem.x)} training rows; take fewer neighbours"
            )
        net, x = self._trained(problem, run), problem.x.flatten(1)
        latents = outputs(net.encode, x)

        def measures(rows: torch.Tensor, own: int) -> torch.Tensor:
            """Return how strange rows (n, d) are in three ways (n, 3), without ``own`` nearest."""
            z, back, logits = net(rows)
            apart = torch.cdist(z.double(), latents.double(), p=1)
            near = apart.topk(self.k + own, largest=False).values[:, own:].mean(1)
            unsure = -logits.double().log_softmax(1).amax(1)
            lost = (back - rows).double().square().mean(1)
            return torch.stack([near.clamp_min(1e-12).log(), lost, unsure], 1)

        usual = outputs(lambda rows: measures(rows, 1), x).sort(0).values.T.contiguous()

        def score(rows: torch.Tensor) -> torch.Tensor:
            found = outputs(lambda part: measures(part, 0), rows.flatten(1)).T.contiguous()
            below = torch.searchsorted(usual, found)  # training rows that are less strange
            return (1 - below / len(x)).prod(0).pow(1 / 3)

        return score

    def _trained(self, problem: FixedProblem, run: Run) -> Autoencoder:
        """Train on labels and on reconstruction together."""
        x, y = problem.x.flatten(1), problem.y
        with run.seeded("init"):
            net = Autoencoder(x.shape[1], self.width, self.latents, problem.n_classes)
        net = net.to(x.device)

        def loss(rows: torch.Tensor) -> torch.Tensor:
            _, back, logits = net(x[rows])
            lost = (back - x[rows]).square().mean() * _PIXELS
            return F.cross_entropy(logits, y[rows]) + self.weight * lost

        order = run.torch_generator("order", device="cpu")
        batches = [rows[0].to(x.device) for rows in epochs_of(len(x), 128, self.epochs, [order])]
        descended(net, batches, Recipe(), loss)
        run.count(forward=self.epochs * len(x), backward=self.epochs * len(x))
        return net.requires_grad_(False)
