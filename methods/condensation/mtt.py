"""Dataset distillation by matching training trajectories (arXiv:2203.11932)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import InvalidRun, Meta, Method, MethodCard, Run
from bench.tracks import condensation_augment as siamese
from bench.tracks.condensation import Problem, SmallSet, labels_of, real_rows
from bench.tracks.selection import starts
from bench.training.convnet import Net, Params
from bench.training.fitting import Recipe, cross_entropy, epochs_of, fit

from ._part import digest

_CODE = {
    "experts": 100,
    "expert_epochs": 50,
    "lr_expert": 0.01,
    "batch_expert": 256,
    "batch_student": 256,
}
_SMALLEST = 1e-6
"""A learned rate never falls below it: of a rate of 0 the loss has no gradient in the images."""


class TrajectoryMatching(Method):
    """Make images from which a few steps lead a net where epochs on the real images led an expert,
    and learn the rate of these steps.
    """

    card: ClassVar = MethodCard(
        name="mtt",
        title="Matching training trajectories",
        track="condensation",
        paper="arXiv:2203.11932",
        bibtex="""@inproceedings{cazenavette2022dataset,
  title = {Dataset Distillation by Matching Training Trajectories},
  author = {Cazenavette, George and Wang, Tongzhou and Torralba, Antonio and Efros, Alexei A. and
    Zhu, {Jun-Yan}},
  booktitle = {CVPR},
  year = {2022},
  eprint = {2203.11932},
  archivePrefix = {arXiv}
}""",
        claim="Matching long stretches of training beats matching gradients step by step.",
        official_code="ok",
        deviates="3 experts of 10 epochs instead of 100 of 50, at a larger rate, since the "
        "training set has a fortieth of the rows; no ZCA whitening; neither experts nor students "
        "are augmented unless strategy says so, since the evaluation that ranks does not augment; "
        "a learned rate does not fall below a millionth. The number of updates is the task's.",
        defaults_from="here",
        trials=3,
        tuning={"lr_img": (1.0, 3.0, 10.0, 30.0), "span": (1, 2)},
    )
    settings: ClassVar[dict[str, dict[str, Any]]] = {
        "code-cifar10-ipc1": {
            **_CODE,
            "updates": 5000,
            "steps": 50,
            "span": 2,
            "latest": 2,
            "lr_img": 100.0,
            "lr_lr": 1e-7,
            "lr_first": 0.01,
            "strategy": "color_crop_cutout_flip_scale_rotate",
        },
        "code-cifar10-ipc10": {
            **_CODE,
            "updates": 5000,
            "steps": 30,
            "span": 2,
            "latest": 20,
            "lr_img": 100.0,
            "lr_lr": 1e-5,
            "lr_first": 0.001,
            "strategy": "color_crop_cutout_flip_scale_rotate",
        },
        "code-cifar10-ipc50": {
            **_CODE,
            "updates": 5000,
            "steps": 30,
            "span": 2,
            "latest": 40,
            "lr_img": 1000.0,
            "lr_lr": 1e-5,
            "lr_first": 0.001,
            "strategy": "color_crop_cutout_flip_scale_rotate",
        },
    }

    updates: Annotated[int, Meta(ge=0)] = 0
    """Changes of the images; 0: the problem's budget."""
    experts: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Nets that are trained on the real images, their weights kept after every epoch."""
    expert_epochs: Annotated[int, Meta(ge=1)] = 10
    """Epochs of their training."""
    lr_expert: Annotated[float, Meta(gt=0)] = 0.05
    """Their learning rate, without momentum."""
    batch_expert: Annotated[int, Meta(ge=1)] = 64
    """Rows of a batch of theirs."""
    steps: Annotated[int, Meta(ge=1)] = 5
    """N, steps of a student on the images."""
    span: Annotated[int, Meta(ge=1)] = 2
    """M, epochs of an expert that these steps shall replace."""
    latest: Annotated[int, Meta(ge=1)] = 4
    """Students start at the expert's weights after 0 to ``latest`` - 1 epochs."""
    batch_student: Annotated[int, Meta(ge=1)] = 20
    """Images of a student's step."""
    lr_img: Annotated[float, Meta(gt=0)] = 10.0
    """Learning rate of the images."""
    lr_lr: Annotated[float, Meta(ge=0)] = 1e-4
    """Learning rate of the students' rate; 0: it stays."""
    lr_first: Annotated[float, Meta(gt=0, le=10)] = 0.02
    """Where the students' rate starts."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    """Momentum of images and rate."""
    strategy: str = ""
    """Augmentations of experts and students, joined by underscores; empty: none."""

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Minimise the distance between students and experts over images and rate."""
        if self.latest - 1 + self.span > self.expert_epochs:
            raise InvalidRun(
                f"mtt matches {self.span} epochs (span) from up to {self.latest - 1} on (latest - "
                f"1), and its experts train for {self.expert_epochs}; give an expert_epochs of at "
                f"least {self.latest - 1 + self.span}."
            )
        net, device = problem.net(), problem.x.device
        paths = self._paths(problem, run)
        choice, order, draws = (
            run.torch_generator("method", "stretches", device="cpu"),
            run.torch_generator("order", "students", device="cpu"),
            run.torch_generator("augment", "students", device="cpu"),
        )
        images, labels = problem.x[real_rows(problem, run)].clone(), labels_of(problem)
        rate = torch.tensor(self.lr_first, device=device)
        images.requires_grad_()
        rate.requires_grad_()
        optimiser = torch.optim.SGD(
            [{"params": [images], "lr": self.lr_img}, {"params": [rate], "lr": self.lr_lr}],
            momentum=self.momentum,
        )
        size, names = problem.x.shape[2:], siamese.operations(self.strategy, problem.flips)
        augment = siamese.augmenter(names, (size[0], size[1]), draws) if names else None
        updates = self.updates or problem.updates
        tick = run.progress(updates, "updates")
        for update in range(updates):
            expert = int(torch.randint(self.experts, (), generator=choice))
            epoch = int(torch.randint(self.latest, (), generator=choice))
            start, target = (
                [tensor[place, expert : expert + 1] for tensor in paths]
                for place in (epoch, epoch + self.span)
            )
            rows = [
                part[0].to(device)
                for part in _few(problem.budget, self.batch_student, self.steps, order)
            ]
            loss = trajectory_loss(net, start, target, images, labels, rows, rate, augment)
            images.grad, rate.grad = torch.autograd.grad(loss, (images, rate))
            optimiser.step()
            rate.data.clamp_(_SMALLEST, 10.0)
            visits = sum(len(part) for part in rows)
            run.count(forward=visits, backward=3 * visits)
            run.log(update, loss=loss.detach().item(), lr=rate.detach().item())
            tick()
        return SmallSet(x=images.detach(), y=labels, lr=rate.detach().item())

    def _paths(self, problem: Problem, run: Run) -> list[torch.Tensor]:
        """Return the experts' weights, tensors (expert_epochs + 1, experts, ...), shared by all
        runs on these data.
        """
        recipe = {
            "expert trajectories": self.experts,
            "epochs": self.expert_epochs,
            "lr": self.lr_expert,
            "batch": self.batch_expert,
            "strategy": self.strategy,
            "net": [problem.width, problem.depth],
            "part": digest(problem),
        }
        tensors, _ = run.cached(recipe, functools.partial(_walk, problem, self))
        return [tensors[f"weights-{place}"] for place in range(len(tensors))]


def trajectory_loss(
    net: Net,
    start: Params,
    target: Params,
    images: torch.Tensor,
    labels: torch.Tensor,
    rows: Sequence[torch.Tensor],
    rate: torch.Tensor,
    augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return |theta_N - target|^2 / |start - target|^2, a number, where theta_N is reached from
    ``start`` by plain gradient descent on the images.

    Args:
        net: what the weights mean.
        start: of one net, tensors (1, ...).
        target: likewise.
        images: (n, channels, height, width).
        labels: (n,).
        rows: the images of each of the N steps, (B,) each.
        rate: of the steps, a number above 0; like the images it may require a gradient.
        augment: changes a batch (1, B, channels, height, width).

    Source: arXiv:2203.11932, eq. 2 and algorithm 1.
    """
    weights = [tensor.detach().requires_grad_() for tensor in start]
    for part in rows:
        batch = images[part][None]
        shown = batch if augment is None else augment(batch)
        loss = cross_entropy(net.logits(weights, shown), labels[part][None]).sum()
        gradient = torch.autograd.grad(loss, weights, create_graph=True)
        weights = [own - rate * slope for own, slope in zip(weights, gradient, strict=True)]
    return _distance(weights, target) / _distance(start, target)


def _distance(a: Params, b: Params) -> torch.Tensor:
    """Return the squared distance of two nets, a number."""
    return torch.stack([(one - two).square().sum() for one, two in zip(a, b, strict=True)]).sum()


def _few(count: int, batch: int, steps: int, order: torch.Generator) -> list[torch.Tensor]:
    """Return the rows of so many steps, (1, B) each, of as many passes over the set as they take;
    each step of the last may be a smaller one.
    """
    passes = -(-steps // -(-count // batch))
    return list(epochs_of(count, batch, passes, [order]))[:steps]


def _walk(problem: Problem, method: TrajectoryMatching, run: Run) -> dict[str, torch.Tensor]:
    """Train the experts side by side by plain gradient descent, and keep their weights before the
    first epoch and after each.
    """
    nets, count = method.experts, len(problem.y)
    each = -(-count // method.batch_expert)
    params = starts(problem, run, "experts", nets)
    kept = [[tensor.clone()] for tensor in params]

    def keep(step: int, now: Params) -> None:
        if (step + 1) % each == 0:
            for own, tensor in zip(kept, now, strict=True):
                own.append(tensor.detach().clone())

    size, names = problem.x.shape[2:], siamese.operations(method.strategy, problem.flips)
    draws = run.torch_generator("augment", "experts", device="cpu")
    orders = [run.torch_generator("order", "experts", k, device="cpu") for k in range(nets)]
    fit(
        problem.net(),
        params,
        problem.x,
        problem.y,
        epochs_of(count, method.batch_expert, method.expert_epochs, orders),
        Recipe(
            steps=each * method.expert_epochs, lr=method.lr_expert, momentum=0.0, weight_decay=0.0
        ),
        augment=siamese.augmenter(names, (size[0], size[1]), draws) if names else None,
        watch=keep,
    )
    visits = nets * count * method.expert_epochs
    run.count(forward=visits, backward=visits)
    return {f"weights-{place}": torch.stack(own) for place, own in enumerate(kept)}
