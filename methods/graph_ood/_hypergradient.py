"""How a loss after one gradient step depends on the weights of the graphs
in that step: exact, without second derivatives.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import torch
from torch.autograd import forward_ad
from torch.func import functional_call

from bench.tracks.graph_ood import Batch, graph_losses
from bench.training.gnn import GNN

Params = Mapping[str, torch.Tensor]

with warnings.catch_warnings(), forward_ad.dual_level():
    # at the first dual number torch compiles with its own deprecated torch.jit
    warnings.simplefilter("ignore")
    forward_ad.make_dual(torch.zeros(1), torch.zeros(1))


def one_step(
    losses: Callable[[Params], torch.Tensor],
    upper: Callable[[Params], torch.Tensor],
    params: Params,
    w: torch.Tensor,
    lr: float,
) -> torch.Tensor:
    """Return d upper(theta') / dw (B,) with theta' = theta - lr grad mean(w losses(theta)).

    It is -(lr / B) <grad l_n(theta), v> with v = grad upper(theta'): one backward pass for the
    step, one for v, and one forward-mode product of all l_n with v.

    Args:
        losses: from parameters to the losses of the batch (B,).
        upper: from parameters to a scalar.
        params: theta, by name.
        w: weights (B,).
        lr: length of the step.
    """
    live = {name: value.detach().requires_grad_() for name, value in params.items()}
    step = torch.autograd.grad((w.detach() * losses(live)).mean(), tuple(live.values()))
    moved = {
        name: (value.detach() - lr * part).requires_grad_()
        for (name, value), part in zip(live.items(), step, strict=True)
    }
    direction = dict(
        zip(moved, torch.autograd.grad(upper(moved), tuple(moved.values())), strict=True)
    )
    with torch.no_grad(), forward_ad.dual_level():
        duals = {
            name: forward_ad.make_dual(value.detach(), direction[name])
            for name, value in params.items()
        }
        slopes = forward_ad.unpack_dual(losses(duals)).tangent
    return slopes * (-lr / len(w))


def through_net(net: GNN, batch: Batch, upper: Batch, w: torch.Tensor, lr: float) -> torch.Tensor:
    """Return :func:`one_step` for all parameters of a net in eval mode:
    batch norm uses its running figures, which stay as they are.
    """

    def losses_on(part: Batch) -> Callable[[Params], torch.Tensor]:
        return lambda params: graph_losses(
            functional_call(net, dict(params), (part.graphs,)).logits, part.y
        )

    training = net.training
    net.eval()
    try:
        return one_step(
            losses_on(batch),
            lambda params: losses_on(upper)(params).mean(),
            dict(net.named_parameters()),
            w,
            lr,
        )
    finally:
        net.train(training)


def through_head(
    net: GNN,
    z: torch.Tensor,
    y: torch.Tensor,
    upper_z: torch.Tensor,
    upper_y: torch.Tensor,
    w: torch.Tensor,
    lr: float,
) -> torch.Tensor:
    """Return :func:`one_step` for the linear head alone, in closed form: the gradient of l_n is
    (dl_n/dlogits) z_n'.

    Args:
        net: whose head it is.
        z: embeddings of the batch (B, d).
        y: its labels or targets.
        upper_z: embeddings of the upper graphs.
        upper_y: their labels or targets.
        w: weights (B,).
        lr: length of the step.
    """
    ones = torch.nn.functional.pad
    head = torch.cat([net.head.weight, net.head.bias[:, None]], 1).detach()
    z, upper_z = ones(z.detach(), (0, 1), value=1.0), ones(upper_z.detach(), (0, 1), value=1.0)
    at = _slopes(z @ head.mT, y)
    moved = head - (lr / len(w)) * (w[:, None] * at).mT @ z
    direction = _slopes(upper_z @ moved.mT, upper_y).mT @ upper_z / len(upper_z)
    return (at * (z @ direction.mT)).sum(1) * (-lr / len(w))


def _slopes(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the gradient of each graph's loss for its own logits (B, C)."""
    logits = logits.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(graph_losses(logits, y).sum(), logits)[0]
