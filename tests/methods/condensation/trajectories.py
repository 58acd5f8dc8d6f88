"""What the tests of trajectory matching share: a small problem, and the loss in its plain form."""

import torch
from torch.nn import functional as F

from bench.tracks.condensation import Problem


def blobs(classes=3, rows=24, ipc=1, noise=0.6, dtype=torch.float32, **protocol):
    """Blobs of 8x8: a class is one smooth pattern, an image that pattern with noise."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(classes).repeat_interleave(rows)
    patterns = F.interpolate(
        torch.randn(classes, 1, 3, 3, generator=generator), size=(8, 8), mode="bilinear"
    )
    x = patterns[y] + noise * torch.randn(classes * rows, 1, 8, 8, generator=generator)
    return Problem(
        x=x.to(dtype),
        y=y,
        n_classes=classes,
        ipc=ipc,
        mean=torch.tensor([0.5]),
        std=torch.tensor([0.1]),
        **{"width": 8, "updates": 6, "net_epochs": 1, "batch_real": 8, **protocol},
    )


def plain_loss(start, target, images, labels, rows, rate, logits):
    """The matching loss of one flat vector of weights, step by step and image by image.

    Args:
        start: weights (P,).
        target: weights (P,).
        images: (n, ...).
        labels: whole numbers.
        rows: lists of numbers of images, a list a step.
        rate: of the steps.
        logits: from weights (P,) and an image to its outputs (C,).
    """
    theta = start.clone().requires_grad_()
    for part in rows:
        loss = 0.0
        for row in part:
            out = logits(theta, images[row])
            loss = loss + torch.log(torch.exp(out).sum()) - out[labels[row]]
        (slope,) = torch.autograd.grad(loss / len(part), theta, create_graph=True)
        theta = theta - rate * slope
    return ((theta - target) ** 2).sum() / ((start - target) ** 2).sum()
