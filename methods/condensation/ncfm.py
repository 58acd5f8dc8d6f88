"""Neural characteristic function matching (arXiv:2502.20653)."""

from __future__ import annotations

import functools
from typing import Annotated, Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from bench import Meta, Method, MethodCard, Run
from bench.tracks import condensation_augment as siamese
from bench.tracks.condensation import ClassSampler, Problem, SmallSet, decode, labels_of, real_rows
from bench.tracks.condensation_calls import seen
from bench.tracks.selection import starts, trained


class CharacteristicMatching(Method):
    """Match the distribution of features by its characteristic function at random frequencies."""

    card: ClassVar = MethodCard(
        name="ncfm",
        title="Neural characteristic function matching",
        track="condensation",
        paper="arXiv:2502.20653",
        bibtex="""@inproceedings{wang2025dataset,
  title = {Dataset Distillation with Neural Characteristic Function: A Minmax Perspective},
  author = {Wang, Shaobo and Yang, Yicun and Liu, Zhiyuan and Sun, Chenghao and Hu, Xuming and He,
    Conghui and Zhang, Linfeng},
  booktitle = {CVPR},
  year = {2025},
  eprint = {2502.20653},
  archivePrefix = {arXiv}
}""",
        claim="Characteristic functions compare whole distributions, and beat matching of means "
        "and of gradients.",
        official_code="flawed",
        deviates="Images are stored whole, not as 2x2 mosaics (factor=2 does that); frequencies "
        "are Gaussian, without the sampling net (sampling=true adds it); one step moves all "
        "classes, where the authors step class by class; 4 nets of 10 epochs in the pool instead "
        "of 20 of 60. An image shows one augmentation at a time, where the authors' shows colour, "
        "crop and cutout together; the cross entropy sees images as they are, theirs augmented "
        "ones, and joins the step, theirs takes steps of its own; the rate does not fall when the "
        "loss stays (theirs halves after 500 updates without gain); pool nets are trained without "
        "augmentation; updates and real batch are the task's.",
        defaults_from="here",
        trials=None,
        tuning={"lr_img": (0.002, 0.004, 0.0075, 0.02), "ce_term": (0.3, 1.0)},
    )
    settings: ClassVar[dict[str, dict[str, Any]]] = {
        "code": {
            "updates": 20000,
            "frequencies": 4096,
            "factor": 2,
            "pool": 20,
            "pool_epochs": 60,
            "lr_img": 0.001,
        },
        "paper": {
            "updates": 20000,
            "frequencies": 1024,
            "factor": 2,
            "pool": 20,
            "pool_epochs": 60,
            "lr_img": 0.001,
            "sampling": True,
        },
    }

    updates: Annotated[int, Meta(ge=0)] = 0
    """Changes of the images; 0: the problem's budget."""
    frequencies: Annotated[int, Meta(ge=16)] = 1024
    """M, frequencies drawn at each update."""
    sampling: bool = False
    """Draw frequencies from a net that is trained to make the loss large."""
    factor: Annotated[int, Meta(ge=1)] = 1
    """Side of the mosaic that each stored image is."""
    lr_img: Annotated[float, Meta(gt=0)] = 0.0075
    """Learning rate of the pixels (AdamW), which lie between 0 and 1."""
    amplitude: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Weight of the amplitudes; the phases weigh the rest (alpha and beta of eq. 8)."""
    ce_term: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the cross entropy of the synthetic images under the trained net."""
    pool: Annotated[int, Meta(ge=1)] = 4
    """Trained nets; features are taken at random points between a net's
    initial and final weights.
    """
    pool_epochs: Annotated[int, Meta(ge=1)] = 10
    """Epochs of their training."""
    strategy: str = "color_crop_cutout_flip_scale_rotate"
    """Siamese augmentations, joined by underscores; empty: none."""

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Minimise the distance of characteristic functions, class by
        class, over images that stay within black and white.
        """
        net, classes, shape = problem.net(), problem.n_classes, problem.x.shape[1:]
        first, last = self._pool(problem, run)
        sampler = ClassSampler(problem, run.torch_generator("order", "matching", device="cpu"))
        draws, private = (
            run.torch_generator("augment", "matching", device="cpu"),
            run.torch_generator("method", device="cpu"),
        )
        mean, std = problem.mean.view(-1, 1, 1), problem.std.view(-1, 1, 1)
        pixels = (self._first_images(problem, run, sampler) * std + mean).requires_grad_()
        labels = labels_of(problem)
        optimiser = torch.optim.AdamW([pixels], lr=self.lr_img, weight_decay=5e-4)
        frequencies = _Frequencies(
            self.frequencies, net.n_features, self.sampling, private, problem.x.device
        )
        names = siamese.operations(self.strategy, problem.flips)
        updates = self.updates or problem.updates
        tick = run.progress(updates, "updates")
        for _ in range(updates):
            pixels.data.clamp_(0, 1)
            k = int(torch.randint(self.pool, (), generator=private))
            share = float(torch.rand((), generator=private))
            params = [
                share * start[k : k + 1] + (1 - share) * end[k : k + 1]
                for start, end in zip(first, last, strict=True)
            ]
            real = sampler.draw(problem.batch_real)
            decoded, _ = decode(
                SmallSet(x=(pixels - mean) / std, y=labels, factor=self.factor),
                (shape[1], shape[2]),
            )
            synthetic = decoded.unflatten(0, (classes, -1))
            if names:
                drawn = siamese.draw(names, classes, (shape[1], shape[2]), draws)
                real, synthetic = siamese.apply(drawn, real), siamese.apply(drawn, synthetic)
            target = F.normalize(
                seen(net, params, real.flatten(0, 1), "features")[0], dim=-1
            ).unflatten(0, real.shape[:2])
            found = F.normalize(
                net.features(params, synthetic.flatten(0, 1)[None])[0], dim=-1
            ).unflatten(0, synthetic.shape[:2])
            loss = (
                300
                * characteristic_distance(target, found, frequencies.draw(), self.amplitude).sum()
            )
            if self.ce_term:
                truth = torch.arange(classes, device=pixels.device).repeat_interleave(
                    synthetic.shape[1]
                )
                loss = loss + self.ce_term * F.cross_entropy(
                    net.logits([end[k : k + 1] for end in last], decoded[None])[0], truth
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            frequencies.ascend()
            run.count(
                forward=real.shape[0] * real.shape[1] + 2 * len(decoded), backward=2 * len(decoded)
            )
            tick()
        images = (pixels.detach().clamp(0, 1) - mean) / std
        return SmallSet(x=images, y=labels, factor=self.factor)

    def _pool(self, problem: Problem, run: Run) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return initial and final weights of the pool, shared by all runs on these data."""
        recipe = {
            "ncfm pool": self.pool,
            "epochs": self.pool_epochs,
            "net": [problem.width, problem.depth],
        }
        tensors, _ = run.cached(
            recipe, functools.partial(_build_pool, problem, self.pool, self.pool_epochs)
        )
        count = len(tensors) // 2
        return [tensors[f"first-{i}"] for i in range(count)], [
            tensors[f"last-{i}"] for i in range(count)
        ]

    def _first_images(self, problem: Problem, run: Run, sampler: ClassSampler) -> torch.Tensor:
        """Return real images; for a mosaic each tile is another image of
        the class, made small (the authors' ``mix``).
        """
        rows = real_rows(problem, run)
        if self.factor == 1:
            return problem.x[rows].clone()
        f, (channels, height, width) = self.factor, problem.x.shape[1:]
        tiles = sampler.draw(problem.ipc * f * f).repeat(1, f * f, 1, 1, 1)[
            :, : problem.ipc * f * f
        ]
        small = F.interpolate(
            tiles.flatten(0, 1),
            size=(height // f, width // f),
            mode="bilinear",
            align_corners=False,
        )
        return (
            small.view(-1, f, f, channels, height // f, width // f)
            .permute(0, 3, 1, 4, 2, 5)
            .reshape(-1, channels, height, width)
            .contiguous()
        )


def characteristic_distance(
    real: torch.Tensor, synthetic: torch.Tensor, frequencies: torch.Tensor, amplitude: float = 0.5
) -> torch.Tensor:
    """Return for each class mean_t sqrt(a (|phi_r| - |phi_s|)^2 + 2 b (|phi_r| |phi_s| - Re(phi_r
    conj phi_s))), b = 1 - a, (C,).

    Args:
        real: features (C, B, d).
        synthetic: features (C, n, d).
        frequencies: t, (M, d).
        amplitude: a. With a = b it is sqrt(a) |phi_r - phi_s|.

    Source: arXiv:2502.20653, eq. 8; gszfwsb/NCFM, NCFM/NCFM.py, for the mean and the clamp before
    the root.
    """
    (re_r, im_r), (re_s, im_s) = (
        _characteristic(real, frequencies),
        _characteristic(synthetic, frequencies),
    )
    size_r, size_s = (
        (re_r.square() + im_r.square()).clamp_min(1e-24).sqrt(),
        (re_s.square() + im_s.square()).clamp_min(1e-24).sqrt(),
    )
    amplitudes = (size_r - size_s).square()
    phases = 2 * (size_r * size_s - re_r * re_s - im_r * im_s).clamp_min(0)
    return (amplitude * amplitudes + (1 - amplitude) * phases).clamp_min(1e-12).sqrt().mean(-1)


def _characteristic(
    features: torch.Tensor, frequencies: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    angles = features @ frequencies.T
    return angles.cos().mean(1), angles.sin().mean(1)


class _Frequencies:
    """Where the characteristic functions are compared: Gaussian, or drawn
    by a net that climbs the loss the images descend.
    """

    def __init__(
        self,
        count: int,
        features: int,
        sampling: bool,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.count, self.features, self.generator, self.device = count, features, generator, device
        self.net: nn.Sequential | None = None
        if sampling:
            layers: list[nn.Module] = []
            for last in (nn.LeakyReLU(0.2), nn.LeakyReLU(0.2), nn.Tanh()):
                linear = nn.Linear(features, features, device="meta").to_empty(device=device)
                for tensor in linear.parameters():
                    tensor.data.copy_(
                        torch.empty(tensor.shape).uniform_(
                            -(features**-0.5), features**-0.5, generator=generator
                        )
                    )
                layers += [linear, nn.BatchNorm1d(features).to(device), last]
            self.net = nn.Sequential(*layers)
            self.optimiser = torch.optim.SGD(self.net.parameters(), lr=1e-3, momentum=0.5)

    def draw(self) -> torch.Tensor:
        """Return frequencies (M, d): with the net a sixteenth of them,
        each 16 times, as the authors do.
        """
        if self.net is None:
            return torch.randn(self.count, self.features, generator=self.generator).to(self.device)
        noise = torch.randn(max(2, self.count // 16), self.features, generator=self.generator).to(
            self.device
        )
        found: torch.Tensor = self.net(noise)
        return found.repeat(16, 1)

    def ascend(self) -> None:
        """Take a step of the net up the loss whose gradient was just taken."""
        if self.net is None:
            return
        for tensor in self.net.parameters():
            if tensor.grad is not None:
                tensor.grad.neg_()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)


def _build_pool(problem: Problem, nets: int, epochs: int, run: Run) -> dict[str, torch.Tensor]:
    """Train the pool from different weights, and keep both ends."""
    first = starts(problem, run, "pool", nets)
    _, last = trained(problem, run, "pool", nets=nets, epochs=epochs, start=first)
    return {f"first-{i}": tensor for i, tensor in enumerate(first)} | {
        f"last-{i}": tensor for i, tensor in enumerate(last)
    }
