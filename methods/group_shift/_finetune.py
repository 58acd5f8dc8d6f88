"""Fine-tuning of a trained net: the head is fitted first, so that what follows does not break the
body, and the weights before and after can be averaged.
"""

from __future__ import annotations

import copy
from typing import Annotated, Any

import torch

from bench import InvalidRun, Meta
from bench.tracks.group_shift import Batch, GroupMethod, Model, Seeds, train
from bench.training import optimisers
from bench.training.stack import StackedMLP, StackedNet


def load(seeds: Any) -> StackedMLP:
    """Put the trained body into the stack, below the head as it was drawn, and return it.

    Raises:
        InvalidRun: there is no trained net.
    """
    nets: StackedMLP = seeds.nets
    for k, problem in enumerate(seeds.problems):
        if problem.pretrained is None:
            raise InvalidRun(
                "the method starts from a trained net, and the problem has pretrained None; run "
                "it on a task that offers 'pretrained'"
            )
        trained = problem.pretrained
        with torch.no_grad():
            for layer, (weight, bias) in enumerate(
                zip(trained.weights[:-1], trained.biases[:-1], strict=True)
            ):
                nets.weights[layer][k] = weight.to(seeds.device)
                nets.biases[layer][k] = bias.to(seeds.device)
    return nets


class HeadOnly(GroupMethod):
    """Train the last layer alone."""

    def optimiser(self, seeds: Any) -> torch.optim.Optimizer:
        """Return AdamW for the last layer."""
        nets = seeds.nets
        found = optimisers.adam([nets.weights[-1], nets.biases[-1]], seeds.problem.lr)
        for group in found.param_groups:
            group.update(weight_decay=seeds.problem.weight_decay, decoupled_weight_decay=True)
        return found

    def forward(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return logits (K, B, C); no gradient reaches the body."""
        with torch.no_grad():
            features = nets.features(batch.x)
        return nets.head(features)


class Ends:
    """Where fine-tuning starts, tensors (K, ...), and a stack to put averages into."""

    def __init__(self, nets: StackedMLP) -> None:
        self.start = [tensor.detach().clone() for tensor in nets.parameters()]
        self.between = copy.deepcopy(nets)


class FineTuned(GroupMethod):
    """Fit the head on the trained body, then train all layers."""

    probe_epochs: Annotated[int, Meta(ge=1)] = 10
    """Epochs of the head alone."""

    def start(self, seeds: Any) -> Any:
        """Fit the head, which nobody is shown."""
        nets = load(seeds)
        stage: Seeds = seeds.stage(self.probe_epochs, "probe")
        stage.nets = nets
        train(HeadOnly(), stage, None, report=False)
        return self.prepared(seeds, Ends(nets))

    def prepared(self, seeds: Seeds, ends: Ends) -> Any:
        """Return the state of the fine-tuning; methods add what they draw."""
        return ends


class Averaged(FineTuned):
    """Fine-tuning whose weights are averaged with those before it."""

    alpha: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the fine-tuned weights."""

    def readout(self, state: Any, nets: StackedNet, k: int) -> Model:
        """Return the net of (1 - alpha) theta_0 + alpha theta."""
        between: Any = state.between
        with torch.no_grad():
            for mean, start, now in zip(
                between.parameters(), state.start, nets.parameters(), strict=True
            ):
                mean[k] = torch.lerp(start[k], now[k], self.alpha)
        found: Model = between.member(k)
        return found
