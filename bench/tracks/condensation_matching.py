"""Gradient matching: the distance of two gradients, the gradients of all classes, and the loop that
DC, DSA, DCC and DSAC share.

Backends give the same numbers by different kernels: ``loop`` takes the classes one by one;
``grouped`` gives each class a copy of the weights and convolves all in one grouped convolution;
``hybrid`` loops over the real side, which needs no second derivative, and groups the synthetic one;
``vmap`` lets ``torch.func`` batch the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import torch
from msgspec import Meta

from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks import condensation_augment as siamese
from bench.tracks import condensation_tuned
from bench.tracks.condensation import ClassSampler, Problem, SmallSet, labels_of, real_rows
from bench.tracks.condensation_gradients import class_loss
from bench.training import tuned
from bench.training.convnet import ConvNet, Net, Params
from bench.training.fitting import Recipe, epochs_of, fit

__all__ = [
    "BACKENDS",
    "GradientMatching",
]

BACKENDS = ("loop", "hybrid", "grouped", "vmap")


class GradientMatching(Method, frozen=True, kw_only=True):
    """Move images so that their gradient resembles that of real ones, at the weights that training
    on them visits.

    As it stands it is DC; methods replace ``loss`` or the augmentation. The loops are the
    problem's, so that methods differ in these alone. Source: arXiv:2006.05929, algorithm 1.
    """

    augmented: ClassVar[bool] = False

    outer: Annotated[int, Meta(ge=0)] = 0
    """Fresh nets K; 0: as many as the problem's budget of image updates allows."""
    inner: Annotated[int, Meta(ge=0)] = 0
    """Image updates J a net; 0: the problem's."""
    net_epochs: Annotated[int, Meta(ge=0)] = 0
    """Epochs T of the net between two updates; 0: the problem's."""
    init: Literal["real", "noise"] = "real"
    """Where the images start: from real ones of their class, or from noise."""
    lr_img: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate of the images."""
    mom_img: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    """Momentum of the images."""
    lr_net: Annotated[float, Meta(gt=0)] = 0.01
    """Learning rate of the nets, without momentum."""
    metric: Literal["ours", "mse", "cos"] = "ours"
    """Distance of gradients."""
    strategy: str = "color_crop_cutout_flip_scale_rotate"
    """Augmentations to draw among, where the method augments."""
    backend: Literal["auto", "loop", "hybrid", "grouped", "vmap"] = "auto"
    """How class gradients are computed; auto: what was measured to be quickest for the shape."""

    def plan(self, problem: Problem) -> tuple[int, int, int]:
        """Return K, J and T for a problem."""
        inner = self.inner or min(problem.inner, problem.updates)
        return (
            self.outer or max(1, problem.updates // inner),
            inner,
            self.net_epochs or problem.net_epochs,
        )

    def loss(
        self,
        net: Net,
        params: Params,
        real: torch.Tensor,
        synthetic: torch.Tensor,
        moment: tuple[float, int],
        backend: str,
    ) -> torch.Tensor:
        """Return the matching loss for images (C, B, ...) at the weights of one net.

        Args:
            net: what the parameters mean.
            params: of one net, (1, ...).
            real: real images.
            synthetic: the images that are learnt.
            moment: the share of outer iterations done, and the number of the inner one.
            backend: how class gradients are computed.
        """
        return class_loss(net, params, real, synthetic, backend, self.metric)

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Learn ``ipc`` images a class."""
        net, shape = problem.net(), problem.x.shape[1:]
        outer, inner, net_epochs = self.plan(problem)
        sampler = ClassSampler(problem, run.torch_generator("order", "matching", device="cpu"))
        weights, draws = (
            run.torch_generator("init", "matching", device="cpu"),
            run.torch_generator("augment", "matching", device="cpu"),
        )
        images = (
            self._first_images(problem, run)
            .view(problem.n_classes, problem.ipc, *shape)
            .requires_grad_()
        )
        optimiser = torch.optim.SGD([images], lr=self.lr_img, momentum=self.mom_img)
        names = siamese.operations(self.strategy, problem.flips) if self.augmented else ()
        backend = self.backend if self.backend != "auto" else quickest(problem)
        tick = run.progress(outer, "nets")
        for k in range(outer):
            params = [tensor.to(problem.x.device) for tensor in net.init([weights])]
            for j in range(inner):
                real, shown = sampler.draw(problem.batch_real), images
                if names:
                    drawn = siamese.draw(names, problem.n_classes, (shape[1], shape[2]), draws)
                    real, shown = siamese.apply(drawn, real), siamese.apply(drawn, images)
                loss = self.loss(net, params, real, shown, (k / outer, j), backend)
                (images.grad,) = torch.autograd.grad(loss, images)
                optimiser.step()
                run.count(
                    forward=real.shape[0] * real.shape[1] + problem.budget,
                    backward=real.shape[0] * real.shape[1] + 2 * problem.budget,
                )
                if j < inner - 1:
                    params = self._train(net, params, images, net_epochs, names, draws)
                    run.count(
                        forward=net_epochs * problem.budget, backward=net_epochs * problem.budget
                    )
            tick()
        return SmallSet(x=images.detach().flatten(0, 1), y=labels_of(problem))

    def _first_images(self, problem: Problem, run: Run) -> torch.Tensor:
        if self.init == "real":
            return problem.x[real_rows(problem, run)].clone()
        noise = run.torch_generator("order", "noise", device="cpu")
        return torch.randn(problem.budget, *problem.x.shape[1:], generator=noise).to(
            problem.x.device
        )

    def _train(
        self,
        net: Net,
        params: Params,
        images: torch.Tensor,
        epochs: int,
        names: tuple[str, ...],
        draws: torch.Generator,
    ) -> Params:
        classes, ipc = images.shape[:2]
        labels = torch.arange(classes, device=images.device).repeat_interleave(ipc)
        count = classes * ipc
        recipe = Recipe(
            steps=epochs * -(-count // 256), lr=self.lr_net, momentum=0.0, weight_decay=0.0
        )
        augment = (
            siamese.augmenter(names, (images.shape[-2], images.shape[-1]), draws) if names else None
        )
        return fit(
            net,
            params,
            images.detach().flatten(0, 1),
            labels,
            epochs_of(count, 256, epochs, [draws]),
            recipe,
            augment=augment,
        )


_SHAPES = [
    {"side": side, "channels": channels, "width": width, "ipc": ipc, "real": real}
    for side, channels, width, real in ((8, 1, 32, 32), (28, 1, 32, 32))
    for ipc in (1, 10)
]
_CUDA_SHAPES = [
    {"side": 32, "channels": 3, "width": 128, "ipc": ipc, "real": 256} for ipc in (1, 10, 50)
]


@tuned.tunable(
    "condensation/matching",
    candidates={
        "cpu": ("grouped", "hybrid", "loop"),
        "cuda": ("grouped", "hybrid", "loop", "vmap"),
    },
    shapes={"cpu": _SHAPES, "cuda": _CUDA_SHAPES},
    table=condensation_tuned,
)
def _one_step(
    candidate: str,
    device: torch.device,
    *,
    side: int,
    channels: int,
    width: int,
    ipc: int,
    real: int,
) -> Callable[[], Any]:
    """Prepare one step of DC on ten classes: loss and image gradient."""
    net = ConvNet(
        shape=(channels, side, side), classes=10, width=width, depth=2 if side < 14 else 3
    )
    generator = torch.Generator().manual_seed(0)
    params = [tensor.to(device) for tensor in net.init([generator])]
    target, images = (
        torch.randn(10, count, channels, side, side, generator=generator).to(device)
        for count in (real, ipc)
    )
    images.requires_grad_()
    return lambda: torch.autograd.grad(class_loss(net, params, target, images, candidate), images)


def quickest(problem: Problem) -> str:
    """Return the backend that was measured to be quickest for the shape of a problem."""
    channels, side = problem.x.shape[1:3]
    return tuned.choice(
        "condensation/matching",
        problem.x.device,
        side=side,
        channels=channels,
        width=problem.width,
        ipc=problem.ipc,
        real=problem.batch_real,
    )
