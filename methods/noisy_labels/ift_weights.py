"""Row weights learned by implicit differentiation (arXiv:1911.02590)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.noisy_labels import (
    Batch,
    NoisyLabelMethod,
    Problem,
    Seeds,
    Solution,
    cross_entropy,
    train,
)
from bench.training.data import stratified_split
from bench.training.implicit import hypergradient


class _State:
    """Hold the rows that are trained on (K, n) and judged by (K, h), and the hyper-parameters (K,
    N), from which the weights come.
    """

    def __init__(self, seeds: Seeds, kept: torch.Tensor, held: torch.Tensor) -> None:
        self.seeds, self.kept, self.held = seeds, kept, held
        self.y_held = seeds.y.gather(1, held)
        self.hyper = seeds.zeros(seeds.members, seeds.n_rows, dtype=seeds.problem.x.dtype)


class ImplicitWeights(NoisyLabelMethod):
    """Give every row a weight, and after every epoch lower the loss of held-out rows over the
    weights: the gradient comes from the implicit function theorem.
    """

    card: ClassVar = MethodCard(
        name="ift-weights",
        title="Row weights learned by implicit differentiation",
        track="noisy-labels",
        paper="arXiv:1911.02590",
        bibtex="""@inproceedings{lorraine2020optimizing,
  title = {Optimizing Millions of Hyperparameters by Implicit Differentiation},
  author = {Lorraine, Jonathan and Vicol, Paul and Duvenaud, David},
  booktitle = {AISTATS},
  year = {2020},
  eprint = {1911.02590},
  archivePrefix = {arXiv}
}""",
        claim="With an approximate inverse Hessian, millions of hyper-parameters can be learned on "
        "a validation set; no claim about wrong labels.",
        deviates="The authors learn pixels, augmentations and weight decays; here every row has a "
        "weight. The held-out rows have given labels, wrong ones among them, as no clean rows are "
        "to be had. The net is the task's, at no minimum, so the Hessian is damped and that of a "
        "batch. A step divides the gradient of a seed by its root mean square over rows.",
        defaults_from="here",
        trials=2,
        tuning={"lr_weights": (0.1, 0.3, 1.0), "damping": (0.03, 0.1, 0.3)},
    )
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    """Share of the rows that is held out, in proportion by given label."""
    solver: Literal["neumann", "cg"] = "neumann"
    """What applies the inverse Hessian: a Neumann series or conjugate gradients."""
    terms: Annotated[int, Meta(ge=0, le=1000)] = 3
    """Products of the Hessian with a vector; 0, of the series: the Hessian is taken for a multiple
    of the identity.
    """
    rate: Annotated[float, Meta(gt=0)] = 0.1
    """Step of the series."""
    damping: Annotated[float, Meta(ge=0)] = 0.1
    """Added to the Hessian's diagonal."""
    lr_weights: Annotated[float, Meta(ge=0)] = 0.3
    """Step of the hyper-parameters after an epoch, root mean square over rows; a weight is twice
    the logistic function of its own.
    """

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Solve problem by problem: the bits of a product with the Hessian depend on the stack."""
        return [self.solve(problem, run) for problem, run in zip(problems, runs, strict=True)]

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Hold rows out, train on the others."""
        problems, runs = [problem], [run]
        seeds = Seeds(problems, runs)
        count = max(1, round(self.share * seeds.n_rows))
        splits = [
            stratified_split(
                problem.y.cpu().numpy(), count, run.numpy_generator("method", "held out")
            )
            for problem, run in zip(problems, runs, strict=True)
        ]
        kept, held = (
            torch.stack([torch.from_numpy(part) for part in parts]).to(seeds.device)
            for parts in zip(*splits, strict=True)
        )
        seeds.nets = seeds.build()
        part = seeds.part(kept)
        state = _State(part, kept, held)
        train(self, part, state)
        return self.solutions(state, part)[0]

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return cross entropy times twice the logistic function of the row's hyper-parameter."""
        weight = 2 * state.hyper.view(-1)[batch.flat].sigmoid()
        return weight * cross_entropy(logits, batch.y)

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Take a step of all hyper-parameters, each seed's of one size."""
        if not self.lr_weights:
            return
        gradient = self.gradient(state)
        size = gradient.gather(1, state.kept).square().mean(1, keepdim=True).sqrt()
        tiny = torch.finfo(size.dtype).tiny
        state.hyper -= self.lr_weights * (gradient / size.clamp_min(tiny))

    def gradient(self, state: _State) -> torch.Tensor:
        """Return the gradient of the held-out rows' 1 - p_y in the hyper-parameters (K, N), batch
        by batch of the rows that are trained on; 0 for rows held out.
        """
        seeds, nets = state.seeds, state.seeds.nets
        weights = list(nets.parameters())
        said = nets(seeds.inputs(state.held)).softmax(-1)
        judged = (1 - said.gather(-1, state.y_held[..., None])[..., 0]).mean(1).sum()
        outer = torch.autograd.grad(judged, weights)
        found = torch.zeros_like(state.hyper)
        size = min(seeds.problem.batch_size, state.kept.shape[1])
        for rows in state.kept.split(size, 1):
            hyper = state.hyper.gather(1, rows).requires_grad_()
            losses = cross_entropy(nets(seeds.inputs(rows)), seeds.y.gather(1, rows))
            inner = (2 * hyper.sigmoid() * losses).mean(1).sum()
            (slope,) = hypergradient(
                inner,
                weights,
                [hyper],
                outer,
                solver=self.solver,
                terms=self.terms,
                rate=self.rate,
                damping=self.damping,
            )
            # of a shorter last batch each row's share of the mean is larger
            found.scatter_(1, rows, slope * (rows.shape[1] / size))
        seen, judges = state.kept.shape[1], state.held.shape[1]
        seeds.count(forward=judges + seen, backward=judges + (1 + self.terms) * seen)
        return found
