"""Learning to see by looking at noise first (arXiv:2106.05963)."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import torch
from torch.nn import functional as F

from bench import InvalidRun, Meta, MethodCard
from bench.training.recipe import Batch, Recipe, Seeds, train
from bench.training.resample import resample
from bench.training.stack import StackedNet

from ._noise import leaves, spectra
from ._pictures import checked


class _State:
    """Generated pictures of each member (K, P, ...), and what an epoch shows of them: which picture
    stands for a row (K, N), and the numbers of both views (K, N, 2, 6).
    """

    def __init__(self, seeds: Seeds, kind: str, count: int) -> None:
        self.seeds, self.pictures = seeds, generated(seeds, kind, count)
        self.draws = [run.torch_generator("method", "views", device="cpu") for run in seeds.runs]


class _Views(Recipe):
    """Bring two views of a picture together, and spread pictures evenly over the sphere."""

    def draw(self, state: _State, epoch: int) -> None:
        """Draw a picture for each row, and what is seen of it in both views."""
        members, count = state.pictures.shape[:2]
        rows, device = state.seeds.n_rows, state.seeds.device
        shown = torch.stack([torch.randint(count, (rows,), generator=own) for own in state.draws])
        drawn = torch.stack([torch.rand(rows, 2, 6, generator=own) for own in state.draws])
        first = torch.arange(members)[:, None] * count
        state.shown, state.drawn = (shown + first).to(device), drawn.to(device)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return unit vectors of both views, (K, 2, B, D)."""
        count = batch.rows.shape[1]
        # the loop counts one visit of a row, and there are two
        state.seeds.count(forward=count, backward=count)
        drawn = state.drawn.flatten(0, 1)[batch.flat].transpose(1, 2)
        pictures = state.pictures.flatten(0, 1)[state.shown.gather(1, batch.rows)]
        twice = pictures[:, None].expand(-1, 2, *pictures.shape[1:])
        seen = views(twice.flatten(0, 2), drawn.flatten(0, 2)).view_as(twice)
        return F.normalize(nets(seen.flatten(1, 2)), dim=-1).unflatten(1, (2, -1))

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return one loss a member, (K, 1)."""
        return (alignment(logits) + uniformity(logits).mean(1))[:, None]


class NoisePretrain(Recipe):
    """Train all layers but the last on generated pictures, without labels; then train on the
    labels.
    """

    card: ClassVar = MethodCard(
        name="noise-pretrain",
        title="Noise first",
        track="recipes",
        paper="arXiv:2106.05963",
        bibtex="""@inproceedings{baradad2021learning,
  title = {Learning to See by Looking at Noise},
  author = {Baradad, Manel and Wulff, Jonas and Wang, Tongzhou and Isola, Phillip and Torralba,
    Antonio},
  booktitle = {NeurIPS},
  year = {2021},
  eprint = {2106.05963},
  archivePrefix = {arXiv}
}""",
        claim="Features for pictures can be learned from noise, without a single real picture.",
        official_code="ok",
        deviates="Losses, crops and pictures are those of the authors' small-scale code, with grey "
        "pictures, the task's net, and its rate and schedule. The density of radii of leaves falls "
        "with their third power, as in the paper; the authors' Python code draws the smallest "
        "radius alone. The first stage has as many steps as the second. Here the second stage "
        "trains all layers; the authors fit a linear layer on frozen features.",
        signal="none",
        inputs="pictures",
        stacked=True,
        defaults_from="here",
        trials=5,
        tuning={"kind": ("both", "leaves", "spectra"), "pictures": (250, 1000, 4000)},
    )
    kind: Literal["both", "leaves", "spectra"] = "both"
    """What is looked at: squares that hide each other, spectra that fall like natural ones, or half
    of each.
    """
    pictures: Annotated[int, Meta(ge=4)] = 1000
    """Pictures that are generated for each seed."""
    width: Annotated[int, Meta(ge=2)] = 128
    """Outputs of the net of the first stage, more than there are classes; its last layer is thrown
    away.
    """

    def start(self, seeds: Seeds) -> None:
        """Take the first stage."""
        checked(self, seeds)
        classes = seeds.problem.n_classes
        if self.width <= classes:
            raise InvalidRun(
                f"width is {self.width}, and the task has {classes} classes; give noise-pretrain a "
                f"width of at least {classes + 1}"
            )
        stage = seeds.part(None, "pictures")
        stage.nets = seeds.build(first=1, extra=self.width - classes)
        train(_Views(), stage, _State(stage, self.kind, self.pictures), report=False)
        own = seeds.nets.state_dict()
        for name, taught in stage.nets.state_dict().items():
            if own[name].shape == taught.shape:  # all but the last layer
                own[name].copy_(taught)


def generated(seeds: Seeds, kind: str, count: int) -> torch.Tensor:
    """Return pictures of noise for each member (K, count, channels, H, W), with greys between black
    and white of its own.
    """
    leafy, found = {"both": count // 2, "leaves": count, "spectra": 0}[kind], []
    for problem, run in zip(seeds.problems, seeds.runs, strict=True):
        channels, height, width = problem.x.shape[1:]
        generator = run.torch_generator("method", "pictures", device="cpu")
        made = torch.cat(
            [
                make(n * channels, height, width, generator)
                for make, n in ((leaves, leafy), (spectra, count - leafy))
                if n
            ]
        ).view(count, channels, height, width)
        low, high = problem.x.amin(), problem.x.amax()
        found.append(low + (high - low) * made.to(problem.x))
    return torch.stack(found).to(seeds.device)


def views(pictures: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Return what a viewer sees of pictures (n, channels, H, W): a part of .08 to all of the area,
    3/4 to 4/3 as wide as high, drawn to the whole size, half of them mirrored, brightness and
    contrast changed by up to .4.

    Args:
        pictures: to look at; their mean grey is 0.
        drawn: numbers from U(0, 1), (n, 6).
    """
    area, ratio, right, down, flip, jitter = drawn.unbind(1)
    share, aspect = 0.08 + 0.92 * area, torch.exp((2 * ratio - 1) * math.log(4 / 3))
    wide, high = ((share * own).sqrt().clamp_max(1.0) for own in (aspect, 1 / aspect))
    turned = torch.where(flip < 0.5, -wide, wide)
    zero = torch.zeros_like(area)
    first = torch.stack([turned, zero, (2 * right - 1) * (1 - wide)], -1)
    second = torch.stack([zero, high, (2 * down - 1) * (1 - high)], -1)
    seen = resample(pictures, torch.stack([first, second], 1))
    return seen * (0.6 + 0.8 * jitter)[:, None, None, None]


def alignment(z: torch.Tensor) -> torch.Tensor:
    """Return the mean squared distance of both views of a picture, (K,), for unit vectors
    (K, 2, B, D).
    """
    return (z[:, 0] - z[:, 1]).square().sum(-1).mean(-1)


def uniformity(z: torch.Tensor) -> torch.Tensor:
    """Return log mean exp(-2 distance^2) over pairs of different pictures, (K, 2), for unit vectors
    (K, 2, B, D); a lone picture has no pair: 0.
    """
    size = z.shape[2]
    if size < 2:
        return z.new_zeros(z.shape[:2])
    alike = 4 * (z @ z.mT - 1)  # -2 of the squared distance
    itself = torch.eye(size, dtype=torch.bool, device=z.device)
    alike = alike.masked_fill(itself, -torch.inf).flatten(2)
    return alike.logsumexp(-1) - math.log(size * (size - 1))
