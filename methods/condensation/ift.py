"""Condensation by implicit differentiation (arXiv:1911.02590)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.condensation import ClassSampler, Problem, SmallSet, labels_of, real_rows
from bench.training.convnet import Net, Params
from bench.training.fitting import Recipe, cross_entropy, epochs_of, fit
from bench.training.implicit import hypergradient


class ImplicitCondensation(Method):
    """Move the images down the loss of real images, at nets that were trained on the images: the
    gradient comes from the implicit function theorem.
    """

    card: ClassVar = MethodCard(
        name="ift",
        title="Condensation by implicit differentiation",
        track="condensation",
        paper="arXiv:1911.02590",
        bibtex="""@inproceedings{lorraine2020optimizing,
  title = {Optimizing Millions of Hyperparameters by Implicit Differentiation},
  author = {Lorraine, Jonathan and Vicol, Paul and Duvenaud, David},
  booktitle = {AISTATS},
  year = {2020},
  eprint = {1911.02590},
  archivePrefix = {arXiv}
}""",
        claim="With an approximate inverse Hessian, millions of hyper-parameters, such as the "
        "pixels of a distilled training set, can be learned.",
        deviates="The authors distil for a linear net; here the net is the task's, which no "
        "training brings to a minimum, so the Hessian is damped. A fresh net begins after every "
        "ten updates, since new nets are judged. Images move by Adam.",
        defaults_from="here",
        trials=2,
        tuning={"lr_img": (0.03, 0.1, 0.3), "damping": (0.01, 0.1, 1.0)},
    )

    updates: Annotated[int, Meta(ge=0)] = 0
    """Changes of the images; 0: the problem's budget."""
    solver: Literal["neumann", "cg"] = "neumann"
    """What applies the inverse Hessian: a Neumann series or conjugate gradients."""
    terms: Annotated[int, Meta(ge=0, le=1000)] = 5
    """Products of the Hessian with a vector; 0, of the series: the Hessian is taken for a multiple
    of the identity.
    """
    rate: Annotated[float, Meta(gt=0)] = 0.05
    """Step of the series."""
    damping: Annotated[float, Meta(ge=0)] = 0.1
    """Added to the Hessian's diagonal."""
    changes: Annotated[int, Meta(ge=1)] = 10
    """Changes of the images at one net."""
    first_steps: Annotated[int, Meta(ge=1)] = 20
    """Steps of a fresh net on the images before the first of these."""
    steps: Annotated[int, Meta(ge=1)] = 5
    """Steps of the net between two changes."""
    lr_net: Annotated[float, Meta(gt=0)] = 0.02
    """Learning rate of the nets, with a momentum of 0.9 and a weight decay of 5e-4."""
    lr_img: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate of the images (Adam)."""

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Alternate between training nets on the images and moving the images."""
        net, labels = problem.net(), labels_of(problem)
        sampler = ClassSampler(problem, run.torch_generator("order", "matching", device="cpu"))
        weights = run.torch_generator("init", "matching", device="cpu")
        order = run.torch_generator("order", "nets", device="cpu")
        images = problem.x[real_rows(problem, run)].clone().requires_grad_()
        optimiser = torch.optim.Adam([images], lr=self.lr_img)
        updates = self.updates or problem.updates
        params: Params = []
        tick = run.progress(updates, "updates")
        for update in range(updates):
            fresh = update % self.changes == 0
            if fresh:
                params = [tensor.to(problem.x.device) for tensor in net.init([weights])]
            steps = self.first_steps if fresh else self.steps
            recipe = Recipe(steps=steps, lr=self.lr_net)
            batches = list(epochs_of(problem.budget, problem.budget, steps, [order]))
            params = fit(net, params, images.detach(), labels, batches, recipe)
            real = sampler.rows(problem.batch_real).flatten()
            images.grad = self.gradient(net, params, images, labels, problem, real)
            optimiser.step()
            run.count(
                forward=(steps + 1) * problem.budget + len(real),
                backward=(steps + 2 + self.terms) * problem.budget + len(real),
            )
            tick()
        return SmallSet(x=images.detach(), y=labels)

    def gradient(
        self,
        net: Net,
        params: Params,
        images: torch.Tensor,
        labels: torch.Tensor,
        problem: Problem,
        real: torch.Tensor,
    ) -> torch.Tensor:
        """Return the gradient of the real rows' cross entropy in the images, of their shape, at
        the weights (1, ...) of a net that was trained on the images (eq. 2 and algorithm 2).
        """
        weights = [tensor.detach().requires_grad_() for tensor in params]
        judged = cross_entropy(net.logits(weights, problem.x[real][None]), problem.y[real][None])
        outer = torch.autograd.grad(judged.sum(), weights)
        inner = cross_entropy(net.logits(weights, images[None]), labels[None]).sum()
        decay = [tensor.square().sum() for tensor in weights]
        (found,) = hypergradient(
            inner + 0.5 * _DECAY * torch.stack(decay).sum(),
            weights,
            [images],
            outer,
            solver=self.solver,
            terms=self.terms,
            rate=self.rate,
            damping=self.damping,
        )
        return found


_DECAY = Recipe(steps=1).weight_decay
"""Weight decay of the nets: a part of the loss that they minimise."""
