"""GraNd scores (arXiv:2107.07075)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable
from bench.training.convnet import Net, Params, Perceptron
from bench.training.fitting import cross_entropy

from .el2n import DIET, TUNING, ErrorNorm


class GradientNorm(ErrorNorm):
    """Keep the rows whose own loss has the largest gradient early in training, by several nets."""

    card: ClassVar = MethodCard(
        name="grand",
        title="GraNd: norm of the gradient early in training",
        track=("condensation", "selection"),
        paper="arXiv:2107.07075",
        bibtex=DIET,
        official_code="ok",
        deviates="Scored after a tenth of the training, like el2n; the paper also scores at the "
        "initial weights (share=0), which was not reproduced (arXiv:2303.14753). The rate falls "
        "along a cosine instead of in steps; no augmentation.",
        defaults_from="paper",
        tuning=TUNING,
    )
    nets: Annotated[int, Meta(ge=1)] = 10
    """Nets whose scores are averaged."""
    layers: Literal["all", "last"] = "all"
    """Gradient with respect to all weights, or to the last layer alone
    (the form that DeepCore computes).
    """

    def early(self, net: Net, params: Params, problem: Selectable, run: Run) -> torch.Tensor:
        """Return the norm of every row's own gradient in each net (definition 2.1), (K, N)."""
        rows = len(problem.y)
        run.count(
            forward=self.nets * rows, backward=self.nets * rows if self.layers == "all" else 0
        )
        if self.layers == "all" and isinstance(net, Perceptron):
            return perceptron_norms(params, problem.x, problem.y)
        norms = gradient_norms if self.layers == "all" else last_layer_norms
        return torch.stack(
            [
                norms(net, [tensor[k : k + 1] for tensor in params], problem.x, problem.y)
                for k in range(self.nets)
            ]
        )


def gradient_norms(
    net: Net, params: Params, x: torch.Tensor, y: torch.Tensor, chunk: int = 128
) -> torch.Tensor:
    """Return the norm of each row's loss gradient with respect to all weights of one net, (N,):
    each row gets a copy of the weights.
    """
    found = []
    for part, labels in zip(x.split(chunk), y.split(chunk), strict=True):
        own = [
            tensor.expand(len(part), *tensor.shape[1:]).detach().requires_grad_()
            for tensor in params
        ]
        gradients = torch.autograd.grad(
            cross_entropy(net.logits(own, part[:, None]), labels[:, None]).sum(), own
        )
        found.append(
            torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients])
            .sum(0)
            .sqrt()
        )
    return torch.cat(found)


@torch.no_grad()
def perceptron_norms(
    params: Params, x: torch.Tensor, y: torch.Tensor, chunk: int = 256
) -> torch.Tensor:
    """Return what ``gradient_norms`` does, of K perceptrons (K, N), without any gradient of a row.

    A row's gradient of a layer is the outer product of the layer's error and its inputs, so its
    squared norm is the product of theirs; the bias is an input of 1 (arXiv:1510.01799).
    """
    weights, biases, found = params[::2], params[1::2], []
    for part, labels in zip(x.flatten(1).split(chunk), y.split(chunk), strict=True):
        inputs = [part.expand(len(weights[0]), *part.shape)]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append(torch.baddbmm(bias[:, None], inputs[-1], weight.mT).relu())
        logits = torch.baddbmm(biases[-1][:, None], inputs[-1], weights[-1].mT)
        error = logits.softmax(-1) - F.one_hot(labels, logits.shape[-1])
        squares = error.square().sum(-1) * (inputs[-1].square().sum(-1) + 1)
        for below, weight in zip(inputs[-2::-1], weights[:0:-1], strict=True):
            error = torch.bmm(error, weight) * (inputs.pop() > 0)
            squares += error.square().sum(-1) * (below.square().sum(-1) + 1)
        found.append(squares.sqrt())
    return torch.cat(found, 1)


@torch.no_grad()
def last_layer_norms(net: Net, params: Params, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return || softmax f(x) - onehot(y) || sqrt(|| h ||^2 + 1), the norm
    with respect to the last layer's weights and biases, (N,).
    """
    features = net.features(params, x[None])
    error = net.head(params, features)[0].softmax(-1) - F.one_hot(y, params[-1].shape[-1])
    return error.norm(dim=1) * (features[0].square().sum(1) + 1).sqrt()
