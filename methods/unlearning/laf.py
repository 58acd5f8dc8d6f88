"""Label-agnostic forgetting, LAF (arXiv:2404.00506)."""

from __future__ import annotations

import itertools
from typing import Annotated, ClassVar, Literal

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.unlearning import (
    Group,
    Nets,
    Solution,
    UnlearningMethod,
    adam,
    beside,
    solutions,
)


class LabelAgnosticForgetting(UnlearningMethod):
    """Without any label: move the features of S away from their own
    distribution, and keep those of R where they were.
    """

    card: ClassVar = MethodCard(
        name="laf",
        title="Label-agnostic forgetting (LAF)",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2404.00506",
        bibtex="""@inproceedings{shen2024label,
  title = {Label-Agnostic Forgetting: A Supervision-Free Unlearning in Deep Models},
  author = {Shen, Shaofei and Zhang, Chenhao and Zhao, Yawen and Bialkowski, Alina and Chen, Weitong
    Tony and Xu, Miao},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2404.00506},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates=(
            "Features are scaled to unit variance before the autoencoders see them, and errors "
            "are means over features, so that one setting serves nets of "
            "any width. The autoencoders have a hidden layer more, an output without sigmoid, and "
            "reconstruct from the code's mean, where the official ones draw a code; by default "
            "they train for half the official 10 epochs. Features are those before the last "
            "layer, after its ReLU; the official CNN takes a layer further down, before any. By "
            "default an epoch walks all of R; the official loop ends with the shorter of S and R, "
            "as 'walk=shorter' does, which the settings take. The autoencoder of all rows comes "
            "before the request and is in 'precompute', as are the original's features. Without "
            "the repair of the head by labels (LAF+R)."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr_forget": (0.0002, 0.0005, 0.001), "lr_align": (0.0005, 0.001, 0.002)},
    )
    settings: ClassVar = {
        "mnist-random": {
            "walk": "shorter",
            "vae_epochs": 10,
            "latent": 8,
            "epochs": 20,
            "lr_forget": 5e-5,
            "lr_align": 1e-4,
            "temperature": 5.0,
        },
        "mnist-class": {
            "walk": "shorter",
            "vae_epochs": 10,
            "latent": 8,
            "epochs": 20,
            "lr_forget": 5e-5,
            "lr_align": 1e-4,
            "temperature": 20.0,
        },
        "cifar10-random": {
            "walk": "shorter",
            "vae_epochs": 10,
            "latent": 16,
            "epochs": 40,
            "lr_forget": 1e-5,
            "lr_align": 4e-5,
            "temperature": 20.0,
        },
        "cifar10-class": {
            "walk": "shorter",
            "vae_epochs": 10,
            "latent": 16,
            "epochs": 40,
            "lr_forget": 1e-5,
            "lr_align": 5e-5,
            "temperature": 20.0,
        },
    }
    labels: ClassVar[bool] = False
    latent: Annotated[int, Meta(ge=1)] = 8
    """Width of the autoencoders' code."""
    vae_epochs: Annotated[int, Meta(ge=0)] = 5
    """Passes that train an autoencoder."""
    epochs: Annotated[int, Meta(ge=0)] = 5
    """Passes over what ``walk`` says, by pairs of a batch of R and one of S."""
    walk: Literal["retain", "shorter"] = "retain"
    """An epoch ends with R, or with the shorter of R and S."""
    lr_forget: Annotated[float, Meta(ge=0)] = 5e-4
    """Adam's rate for the first loss."""
    lr_align: Annotated[float, Meta(ge=0)] = 1e-3
    """Adam's rate for the second loss."""
    temperature: Annotated[float, Meta(gt=0)] = 5.0
    """tau of the second loss."""

    def unlearn(self, group: Group) -> list[Solution]:
        """Fit both autoencoders, then alternate the two losses on all layers but the last."""
        nets, original = group.originals(), group.originals().eval()
        group.count(forward=group.everything.shape[1])
        with torch.no_grad():
            features = torch.cat(
                [original.features(batch.x) for batch in group.in_parts(group.everything)], 1
            )
        scale = features.std(1, keepdim=True).clamp_min(1e-3)
        of_all = self.autoencoder(group, features / scale, group.everything, "all")
        of_forgotten = self.autoencoder(group, features / scale, group.forget, "forgotten")
        extractor = nets.extractor()
        forgetting, aligning = (
            adam(extractor, self.lr_forget),
            adam(extractor, self.lr_align),
        )
        retain, forget = group.rows(group.retain, "retain"), group.rows(group.forget, "forget")
        steps = retain.steps if self.walk == "retain" else min(retain.steps, forget.steps)
        # where R sets the length, what is left of S goes into the next epoch
        kept = forget.forever() if self.walk == "retain" else None
        for _ in group.epochs(self.epochs):
            pairs = zip(retain.forever(), kept or forget.forever(), strict=False)
            for stays, goes in itertools.islice(pairs, steps):
                away = self.away(of_all, nets.features(stays.x) / scale) - self.away(
                    of_forgotten, nets.features(goes.x) / scale
                )
                _step(forgetting, away)
                change = [
                    turned(nets.features(batch.x), beside(features, batch.rows))
                    for batch in (stays, goes)
                ]
                _step(aligning, alignment(change[0], change[1], self.temperature))
                # the second loss visits both batches again
                again = stays.x.shape[1] + goes.x.shape[1]
                group.count(forward=again, backward=again)
        precompute = (2 * self.vae_epochs + 1) * group.everything.shape[1]
        return solutions(nets, precompute=precompute)

    @staticmethod
    def away(autoencoder: Autoencoder, features: torch.Tensor) -> torch.Tensor:
        """Return the mean over a batch (M, B, D) of exp(m / (1 + m)), m
        the squared error of reconstruction, (M,).
        """
        m = autoencoder.error(features)
        return (m / (1 + m)).exp().mean(-1)

    def autoencoder(
        self, group: Group, features: torch.Tensor, rows: torch.Tensor, name: str
    ) -> Autoencoder:
        """Return an autoencoder of each member's ``rows`` (M, n) of
        ``features`` (M, N, D), trained by Adam at 0.001.
        """
        found = Autoencoder(group, features.shape[2], self.latent, name)
        walk, optimiser = (
            group.rows(rows, f"vae-{name}"),
            adam([*found.encoder.parameters(), *found.decoder.parameters()], 1e-3),
        )
        generators = group.generators("method", f"vae-{name}")
        for _ in range(self.vae_epochs):
            for batch in walk.epoch():
                part = beside(features, batch.rows)
                noise = torch.stack(
                    [
                        torch.randn(part.shape[1], self.latent, generator=generator)
                        for generator in generators
                    ]
                ).to(group.device)
                _step(optimiser, found.loss(part, noise))
        found.encoder.requires_grad_(False)
        found.decoder.requires_grad_(False)
        return found


class Autoencoder:
    """A variational autoencoder of features (M, B, D) for each member:
    D-256-128-32-code and back.
    """

    def __init__(self, group: Group, width: int, latent: int, name: str) -> None:
        self.encoder = group.fresh(
            "method", name, "encoder", sizes=(width, 256, 128, 32, 2 * latent)
        )
        self.decoder: Nets = group.fresh(
            "method", name, "decoder", sizes=(latent, 32, 128, 256, width)
        )

    def loss(self, features: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the squared error plus 0.025 KL(code || N(0, 1)), both
        summed over their axes, mean over the batch, (M,).
        """
        mean, log_variance = self.encoder(features).chunk(2, -1)
        log_variance = log_variance.clamp(-10, 10)
        rebuilt = self.decoder(mean + (log_variance / 2).exp() * noise)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1) / 2
        return ((rebuilt - features).square().sum(-1) + 0.025 * divergence).mean(-1)

    def error(self, features: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of reconstruction from the code's mean, (M, B)."""
        mean = self.encoder(features).chunk(2, -1)[0]
        return (self.decoder(mean) - features).square().mean(-1)


def turned(now: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Return d = 1 - cos(now, before) of features (M, B, D), (M, B)."""
    return 1 - F.cosine_similarity(now, before, dim=-1)


def alignment(stays: torch.Tensor, goes: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the mean over i of log(exp d_i / sum_j exp(d_j / tau)) for the turns of R's rows d_i
    (M, B) and S's rows d_j (M, B'), (M,).
    """
    return stays.mean(-1) - (goes / temperature).logsumexp(-1)


def _step(optimiser: torch.optim.Optimizer, losses: torch.Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    losses.sum().backward()
    optimiser.step()
