"""Digits of few clean rows and many noisy ones, and what is drawn after learning from them
(arXiv:2411.02780).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, Task, TaskCard
from bench.declared import Array
from bench.errors import BenchError
from bench.runs.guard import fingerprint
from bench.tracks.synthetic_diffusion import Denoisers, Draws, Noised, Samples, drawn, learn
from bench.training.data import Examples
from bench.training.pictures import curves, scatter

SHARES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Of the training rows: how many clean ones the curve of clean rows alone is known at."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        held: rows without noise that are judged by (m, d), float32.
        clean: the training rows before the noise (N, d), float32.
        sizes: numbers of clean rows (5,), int64.
        curve: energy distance of clean rows alone at each of them (5,), float64; None before it is
            revealed.
    """

    held: Annotated[torch.Tensor, Array("m", "d", dtype="float32")]
    clean: Annotated[torch.Tensor, Array("N", "d", dtype="float32")]
    sizes: Annotated[torch.Tensor, Array("sizes", dtype="int64", ge=1)]
    curve: Annotated[torch.Tensor | None, Array("sizes", dtype="float64")] = None


class CleanAndNoisyDigits(Task):
    """A tenth of the digits is clean, the rest has noise of a known level; samples are judged."""

    card: ClassVar = TaskCard(
        name="clean-and-noisy-digits",
        title="Samples after few clean and many noisy digits",
        track="synthetic-data",
        datasets=("digits",),
        metrics=(
            Metric(
                name="energy",
                primary=True,
                direction="min",
                bounds=(0, None),
                title="energy distance of samples from held-out rows",
            ),
            Metric(
                name="equivalent",
                bounds=(0, None),
                title="clean rows at which clean rows alone have this distance",
            ),
            Metric(
                name="copies",
                unit="%",
                direction="min",
                bounds=(0, 100),
                title="samples that are at least three times as near to a clean training row as to "
                "the next one",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"noise1": {"noise": 1.0}},
                params={"rows": 200, "clean": 0.2, "steps": 400, "widths": [32], "samples": 100},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"noise05": {"noise": 0.5}, "noise1": {"noise": 1.0}},
                seeds=5,
                timeout=600,
            ),
        },
        budget="3,000 updates of batch 128, and 1,000 samples of 24 steps",
        offers={"sigma": {}},
        references=(
            Reference(name="diffusion-clean", kind="low"),
            Reference(
                name="all-clean",
                kind="high",
                title="A denoiser of the same rows, all of them without noise",
                solve="tell_clean",
            ),
        ),
        paper="arXiv:2411.02780",
    )
    accepts: ClassVar = Samples

    noise: Annotated[float, Meta(gt=0)] = 1.0
    """Standard deviation of the noise, in units of the root mean square of the data."""
    clean: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the training rows without noise."""
    size: Annotated[int, Meta(ge=1, le=64)] = 12
    """Principal directions of the training rows that are kept."""
    rows: Annotated[int, Meta(ge=0)] = 0
    """Use this many digits; 0: all."""
    steps: Annotated[int, Meta(ge=1)] = 3000
    """Updates of a denoiser."""
    widths: tuple[int, ...] = (128, 128)
    """Of its hidden layers."""
    samples: Annotated[int, Meta(ge=2)] = 1000
    """Rows that are drawn and judged."""

    def prepare(self, run: Setup) -> Case:
        """Draw the parts, turn rows into principal directions and add the noise."""
        data: Examples = run.dataset("digits")
        x = data.x.flatten(1).double().cpu()
        chosen = run.numpy_generator("split").permutation(len(x))[: self.rows or len(x)]
        held, train = x[chosen[: len(chosen) * 3 // 10]], x[chosen[len(chosen) * 3 // 10 :]]
        few = round(self.clean * len(train))
        if few < 2 * self.size or few == len(train):
            raise BenchError(
                f"clean={self.clean} of {len(train)} rows leaves {few} clean ones; take a share "
                f"with at least twice size={self.size} of them, and some noisy rows."
            )
        mean = train.mean(0)
        directions = torch.linalg.svd(train - mean, full_matrices=False)[2][: self.size].T
        clean, held = (train - mean) @ directions, (held - mean) @ directions
        scale = clean.square().mean().sqrt()
        clean, held = (clean / scale).float(), (held / scale).float()
        sigma = torch.full((len(clean),), self.noise)
        sigma[:few] = 0
        added = run.numpy_generator("corruption").standard_normal(clean.shape)
        noisy = clean + sigma[:, None] * torch.from_numpy(added).float()
        move = run.device
        problem = Noised(
            x=noisy.to(move),
            sigma=sigma.to(move),
            samples=self.samples,
            widths=self.widths,
            steps=self.steps,
        )
        sizes = [max(1, round(share * len(clean))) for share in SHARES]
        hidden = Hidden(
            held=held.to(move), clean=clean.to(move), sizes=torch.tensor(sizes, device=move)
        )
        return Case(problems=[problem], hidden=hidden)

    def reveal(self, case: Case, run: Setup) -> None:
        """Train denoisers of clean rows alone, which a seed's methods share."""
        hidden: Hidden = case.hidden
        recipe = {
            "clean-curve": self.card.name,
            "seed": run.seed,
            "rows": fingerprint([hidden.clean, hidden.held]),
            "protocol": [self.samples, list(self.widths), self.steps],
        }
        built, _ = run.cached(recipe, functools.partial(_curve, case.problems[0], hidden))
        hidden.curve = built["energy"].to(run.device)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Compare samples with held-out rows, and say how many clean rows would do as well."""
        found, hidden = outcomes[0].solution.rows, case.hidden
        problem: Noised = case.problems[0]
        assert hidden.curve is not None, "it is revealed before"
        energy = energy_distance(found, hidden.held)
        few = int((problem.x == hidden.clean).all(1).sum())
        sizes = hidden.sizes.tolist()
        curve = [(math.log2(n), e) for n, e in zip(sizes, hidden.curve.tolist(), strict=True)]
        drawn_rows, held = (one[:, :2].cpu().numpy() for one in (found, hidden.held))
        return Score(
            metrics={
                "energy": energy,
                "equivalent": equivalent(energy, hidden.sizes, hidden.curve),
                "copies": copies(found, hidden.clean[:few]),
            },
            images={
                "samples": scatter(
                    {"held-out rows": tuple(held.T), "samples": tuple(drawn_rows.T)},
                    "Samples in the first two directions",
                    "first",
                    "second",
                ),
                "clean-rows": curves(
                    {"clean rows alone": curve, "this method": [(x, energy) for x, _ in curve]},
                    "Distance against clean rows",
                    "log2 of clean rows",
                    "energy distance",
                ),
            },
        )

    def tell_clean(self, problem: Noised, hidden: Hidden, run: Run) -> Samples:
        """The upper reference: all rows without noise."""
        none = torch.zeros_like(hidden.clean[:, 0])
        return Samples(rows=drawn(problem, hidden.clean, none, run))


def _curve(problem: Noised, hidden: Hidden, run: Run) -> dict[str, torch.Tensor]:
    """Return the distance of clean rows alone at each of the sizes, all nets trained at once."""
    clean, sizes = hidden.clean, hidden.sizes.tolist()
    inits = [run.seeded("init", k) for k in range(len(sizes))]
    nets = Denoisers(clean.shape[1], problem.widths, inits, run.device)
    drawn_order = run.numpy_generator("order", "rows").permutation(len(clean))
    order = torch.from_numpy(drawn_order).to(run.device)
    sets = [(clean[order[:n]], torch.zeros_like(clean[:n, 0])) for n in sizes]
    learn(nets, sets, problem, Draws([run] * len(sizes)))
    generator = run.torch_generator("augment", "samples", device="cpu")
    start = torch.randn(len(sizes), problem.samples, clean.shape[1], generator=generator)
    rows = nets.sample(start.to(run.device), problem.path)
    found = [energy_distance(own, hidden.held) for own in rows]
    return {"energy": torch.tensor(found, dtype=torch.float64)}


def energy_distance(found: torch.Tensor, held: torch.Tensor) -> float:
    """Return 2 E|X - Y| - E|X - X'| - E|Y - Y'| of rows (n, d) and (m, d), each mean over all
    pairs: 0 for the same rows, and never less.
    """
    x, y = found.double(), held.double()
    inside = sum(float(torch.cdist(one, one).mean()) for one in (x, y))
    return max(0.0, 2 * float(torch.cdist(x, y).mean()) - inside)  # below 0 only by rounding


def copies(found: torch.Tensor, clean: torch.Tensor) -> float:
    """Return the share of samples (n, d), in percent, whose distance from the nearest clean row is
    at most a third of that from the second nearest.
    """
    near = torch.cdist(found.double(), clean.double()).topk(2, 1, largest=False).values
    return 100 * float((3 * near[:, 0] <= near[:, 1]).double().mean())


def equivalent(energy: float, sizes: torch.Tensor, curve: torch.Tensor) -> float:
    """Return the number of clean rows at which a curve of distances (5,) at ``sizes``, made to fall
    everywhere, has this distance: linear in the logarithm of the rows, and at most its ends.
    """
    falling = np.minimum.accumulate(curve.cpu().numpy())
    return float(np.exp(np.interp(-energy, -falling, np.log(sizes.cpu().numpy()))))
