"""Steps by the signs of gradients, on heavy-tailed classes (arXiv:1802.04434, arXiv:2402.19449)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training import optimisers
from bench.training.recipe import Batch, Recipe, Seeds, train_step
from bench.training.stack import StackedNet


class SignSgd(Recipe):
    """Plain training whose steps have the sign of an average gradient, and one size."""

    card: ClassVar = MethodCard(
        name="sign-sgd",
        title="Plain training by signs of gradients",
        track="long-tail",
        paper="arXiv:2402.19449",
        bibtex="""@inproceedings{kunstner2024heavy,
  title = {Heavy-Tailed Class Imbalance and Why Adam Outperforms Gradient Descent on Language
    Models},
  author = {Kunstner, Frederik and Yadav, Robin and Milligan, Alan and Schmidt, Mark and Bietti,
    Alberto},
  booktitle = {NeurIPS},
  year = {2024},
  eprint = {2402.19449},
  archivePrefix = {arXiv}
}""",
        claim="Signs alone explain most of what Adam gains where most rows are of rare classes.",
        deviates="The claim is about the training loss; there is no weight decay.",
        stacked=True,
        defaults_from="here",
        trials=4,
        tuning={"lr": (3e-5, 1e-4, 3e-4, 1e-3)},
    )
    lr: Annotated[float, Meta(gt=0)] = 3e-4
    """Rate at the start; it falls as the task's does."""
    memory: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """What the average gradient keeps in a step."""

    def start(self, seeds: Seeds) -> float:
        """Return the rate over the task's."""
        return self.lr / seeds.problem.lr

    def optimiser(self, seeds: Seeds) -> torch.optim.Optimizer:
        """Return the optimiser."""
        return _Signs(seeds.nets.parameters(), self.lr, self.memory)

    def step(
        self, state: float, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Take a step at the method's own rate."""
        optimisers.set_rate(optimiser, state * optimiser.param_groups[0]["lr"])
        train_step(self, nets, optimiser, state, batch)


class _Signs(torch.optim.Optimizer):
    """w <- w - lr sign(m), with m the average gradient (arXiv:1802.04434, algorithm 2)."""

    def __init__(self, parameters: Iterable[torch.Tensor], lr: float, memory: float) -> None:
        super().__init__(parameters, {"lr": lr, "memory": memory})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Move the parameters."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                mean = state.setdefault("mean", torch.zeros_like(weight))
                mean.lerp_(weight.grad, 1 - group["memory"])
                weight.sub_(mean.sign(), alpha=group["lr"])
