"""Self-supervised dataset distillation by kernel ridge regression (arXiv:2310.06511)."""

from __future__ import annotations

import functools
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks import condensation_augment as siamese
from bench.tracks.condensation import Problem, SmallSet, labels_of, real_rows
from bench.tracks.condensation_calls import seen
from bench.training.convnet import ConvNet, Params


class KernelSelfSupervised(Method):
    """Learn images and targets from which ridge regression on a net's features predicts a
    self-supervised teacher on the real data.

    No loss reads a label. The images start from as many real ones of each class, whose labels are
    handed over.
    """

    card: ClassVar = MethodCard(
        name="krr-st",
        title="Self-supervised distillation by kernel ridge regression",
        track="condensation",
        paper="arXiv:2310.06511",
        bibtex="""@inproceedings{lee2024selfsupervised,
  title = {Self-Supervised Dataset Distillation for Transfer Learning},
  author = {Lee, Dong Bok and Lee, Seanie and Ko, Joonho and Kawaguchi, Kenji and Lee, Juho and
    Hwang, Sung Ju},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2310.06511},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Teacher: a small ConvNet trained by Barlow Twins, not a ResNet-18; its outputs "
        "are standardised, and its projection is one linear layer of 128. Images start from as "
        "many real ones of each class, which uses labels (the authors' from any rows). Pool nets "
        "have instance norm, blocks of equal width and 30 steps to live, not 1000; a batch holds "
        "320 real images, not 1024; the learning rate is larger for the far shorter run.",
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.005, 0.01, 0.02, 0.05), "teacher_epochs": (10, 20)},
    )
    settings: ClassVar[dict[str, dict[str, Any]]] = {
        "paper-cifar100": {
            "updates": 160000,
            "lr": 1e-4,
            "pool": 10,
            "age": 1000,
            "teacher_epochs": 1000,
            "batch": 1024,
        }
    }

    updates: Annotated[int, Meta(ge=0)] = 0
    """Changes of the images; 0: the problem's budget."""
    lr: Annotated[float, Meta(gt=0)] = 0.02
    """Learning rate of images and targets (AdamW), falling linearly to a thousandth."""
    pool: Annotated[int, Meta(ge=1)] = 10
    """Nets whose features are used in turn."""
    age: Annotated[int, Meta(ge=1)] = 30
    """Training steps after which a net is drawn anew; the first nets have taken a random number
    of them.
    """
    lr_net: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate of the pool's nets, with momentum 0.9 and weight decay 1e-3."""
    batch: Annotated[int, Meta(ge=1)] = 320
    """Real images in each update."""
    teacher_epochs: Annotated[int, Meta(ge=1)] = 10
    """Epochs of the teacher."""
    strategy: str = "crop_scale_rotate_flip"
    """Augmentations of teacher and real images."""

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Minimise the ridge prediction's squared error on real images
        over the small images and their targets (eq. 6).
        """
        names, size = (
            siamese.operations(self.strategy, problem.flips),
            (problem.x.shape[2], problem.x.shape[3]),
        )
        encoder, teacher = self._teacher(problem, run)
        mean, std = _moments(encoder, teacher, problem.x)
        net = ConvNet(
            shape=encoder.shape,
            classes=encoder.n_features,
            width=problem.width,
            depth=problem.depth,
        )
        images = problem.x[real_rows(problem, run)].clone()
        answers = (seen(encoder, teacher, images, "features")[0] - mean) / std
        images, answers = images.requires_grad_(), answers.requires_grad_()
        optimiser = torch.optim.AdamW([images, answers], lr=self.lr, weight_decay=0.0)
        weights, private = (
            run.torch_generator("init", "matching", device="cpu"),
            run.torch_generator("method", device="cpu"),
        )
        order, draws = (
            run.torch_generator("order", "matching", device="cpu"),
            run.torch_generator("augment", "matching", device="cpu"),
        )
        pool = [
            _Aging(net, weights, problem.x.device, self.lr_net, self.age) for _ in range(self.pool)
        ]
        for aging in pool:
            age = int(torch.randint(1, max(2, self.age), (), generator=private))
            for _ in range(age):
                aging.train(images.detach(), answers.detach())
            run.count(forward=age * len(images), backward=age * len(images))
        updates = self.updates or problem.updates
        tick = run.progress(updates, "updates")
        for step in range(updates):
            optimiser.param_groups[0]["lr"] = self.lr * (1 - (1 - 1e-3) * step / updates)
            chosen = pool[int(torch.randint(self.pool, (), generator=private))]
            real = problem.x[
                torch.randperm(len(problem.y), generator=order)[: self.batch].to(problem.x.device)
            ]
            if names:
                real = siamese.apply(
                    siamese.draw(names, 1, size, draws, images=len(real)), real[None]
                )[0]
            wanted = (seen(encoder, teacher, real, "features")[0] - mean) / std
            features = seen(net, chosen.params, real, "features")[0]
            loss = (
                (ridge(features, net.features(chosen.params, images[None])[0], answers) - wanted)
                .square()
                .mean()
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            chosen.train(images.detach(), answers.detach())
            run.count(forward=2 * len(real) + 2 * len(images), backward=2 * len(images))
            tick()
        return SmallSet(x=images.detach(), y=labels_of(problem), targets=answers.detach())

    def _teacher(self, problem: Problem, run: Run) -> tuple[ConvNet, Params]:
        """Return the teacher, trained once for all runs on these data."""
        encoder = ConvNet(
            shape=problem.net().shape, classes=128, width=problem.width, depth=problem.depth
        )
        recipe = {
            "barlow twins": self.teacher_epochs,
            "strategy": self.strategy,
            "net": [problem.width, problem.depth],
        }
        tensors, _ = run.cached(
            recipe,
            functools.partial(_train_teacher, encoder, problem, self.teacher_epochs, self.strategy),
        )
        return encoder, [tensors[str(i)] for i in range(len(tensors))]


def ridge(real: torch.Tensor, small: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Return K_rs (K_ss + 1e-6 tr(K_ss) I)^-1 y_s, (B, D), for features (B, F) and (n, F) with a 1
    appended and a linear kernel; the trace is a constant.
    """
    real, small = (torch.cat([part, torch.ones_like(part[:, :1])], 1) for part in (real, small))
    gram = small @ small.T
    ridged = gram + 1e-6 * gram.trace().detach() * torch.eye(len(gram), device=gram.device)
    solved: torch.Tensor = torch.linalg.solve(ridged, answers)
    return real @ small.T @ solved


def barlow_twins(a: torch.Tensor, b: torch.Tensor, weight: float = 5e-3) -> torch.Tensor:
    """Return sum_i (1 - C_ii)^2 + ``weight`` sum_ij C_ij^2 (i != j), C the correlation of two
    views' outputs (B, D) (arXiv:2103.03230, eq. 1).
    """
    a, b = ((part - part.mean(0)) / (part.std(0, correction=0) + 1e-6) for part in (a, b))
    correlation = a.T @ b / len(a)
    diagonal = correlation.diagonal()
    return (1 - diagonal).square().sum() + weight * (
        correlation.square().sum() - diagonal.square().sum()
    )


def _moments(
    encoder: ConvNet, teacher: Params, x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    features = seen(encoder, teacher, x, "features")[0]
    return features.mean(0), features.std(0).clamp_min(1e-3)


def _train_teacher(
    encoder: ConvNet, problem: Problem, epochs: int, strategy: str, run: Run
) -> dict[str, torch.Tensor]:
    """Train an encoder with a linear projection by Barlow Twins on two
    augmented views of each batch.
    """
    device, size = problem.x.device, (problem.x.shape[2], problem.x.shape[3])
    params = [
        tensor.to(device).requires_grad_()
        for tensor in encoder.init([run.torch_generator("init", device="cpu")])
    ]
    order, draws = (
        run.torch_generator("order", device="cpu"),
        run.torch_generator("augment", device="cpu"),
    )
    names = siamese.operations(strategy, problem.flips)
    optimiser = torch.optim.Adam(params, lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(problem.y), generator=order).split(128):
            if len(rows) < 64:
                continue
            x = problem.x[rows.to(device)].expand(2, -1, -1, -1, -1)
            views = (
                siamese.apply(siamese.draw(names, 2, size, draws, images=len(rows)), x)
                if names
                else x
            )
            a, b = encoder.logits(params, views.flatten(0, 1)[None])[0].chunk(2)
            optimiser.zero_grad(set_to_none=True)
            barlow_twins(a, b).backward()
            optimiser.step()
    return {str(i): tensor.detach() for i, tensor in enumerate(params)}


class _Aging:
    """A net of the pool: after each use it is trained a step, or drawn anew when it is old.

    Source: db-Lee/selfsup_dd, model_pool.py.
    """

    def __init__(
        self,
        net: ConvNet,
        weights: torch.Generator,
        device: torch.device,
        lr: float,
        life: int,
    ) -> None:
        self.net, self.weights, self.device, self.lr, self.life = net, weights, device, lr, life
        self._renew()

    def _renew(self) -> None:
        self.params = [
            tensor.to(self.device).requires_grad_() for tensor in self.net.init([self.weights])
        ]
        self.optimiser = torch.optim.SGD(self.params, lr=self.lr, momentum=0.9, weight_decay=1e-3)
        self.age = 0

    def train(self, images: torch.Tensor, answers: torch.Tensor) -> None:
        """Take one step towards the answers, the mean squared error of all outputs."""
        if self.age >= self.life:
            self._renew()
            return
        self.optimiser.zero_grad(set_to_none=True)
        (self.net.logits(self.params, images[None])[0] - answers).square().mean().backward()
        self.optimiser.step()
        self.age += 1
