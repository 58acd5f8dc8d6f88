"""The loops of unlearning that are parts of a method: a masked epoch, a recursion, losses, L-FOCI."""

from __future__ import annotations

import torch
from bench.builtin.methods.unlearning.blindspot import Blindspot
from bench.builtin.methods.unlearning.iu import recursion, singly
from bench.builtin.methods.unlearning.l_codec import foci
from bench.builtin.methods.unlearning.laf import alignment, turned
from bench.builtin.methods.unlearning.salun import SalUn
from torch import nn

from bench.tracks.unlearning.losses import cross_entropy
from bench.tracks.unlearning.method import step
from official_loops.checkouts import Checkout
from official_loops.pairs import Pair, fed, loop
from official_loops.unlearning import CLASSES, FEATURES, GONE, HIDDEN, MODELS, Setting, sgd


class Held(SalUn):
    """SalUn with its mask found already."""

    def masks(self, group, nets):
        generator = torch.Generator().manual_seed(5)
        return [
            (torch.rand(parameter[:1].shape, generator=generator) < 0.5)
            .float()
            .expand_as(parameter)
            for parameter in nets.parameters()
        ]


@loop("salun", "unlearning", "salun", "unlearn.RL: _apply_mask_to_grads, _restore_masked_params",
      "An epoch on the rows that stay. A given mask holds half of the weights.")  # fmt: skip
def salun(official: Checkout) -> Pair:
    module = official.load("unlearn.RL", root="Classification", without=("trainer",))
    setting, method = Setting(), Held(lr=0.02)
    group = setting.group()
    found = [part[0] for part in method.masks(group, group.originals())]
    names = ("0.weight", "2.weight", "0.bias", "2.bias")  # in the order of our parameters
    mask = {
        name: part.squeeze(0) if "bias" in name else part
        for name, part in zip(names, found, strict=True)
    }
    feed, criterion = setting.feeds(setting.walk("retain", setting.stays)), nn.CrossEntropyLoss()

    def ours(members):
        group = setting.group(members)
        nets = group.originals()
        optimiser = group.sgd(nets, 0.02)
        restore = method.restraint(group, nets, optimiser)
        for batch in group.rows(group.retain, "retain").epoch():
            step(optimiser, cross_entropy(nets(batch.x), batch.y))
            restore()
        return [nets.net(0)[name] for name in ("0.weight", "0.bias", "1.weight", "1.bias")]

    def theirs(kind):
        model = setting.model()
        optimiser = sgd(model, 0.02)
        before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        for x, y in feed[kind]:
            loss = criterion(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            module._apply_mask_to_grads(model, mask)
            optimiser.step()
            module._restore_masked_params(model, mask, before, optimiser)
        return model.parts()

    return fed(ours, theirs, "weights after an epoch", 1e-3, MODELS)


@loop(
    "iu",
    "unlearning",
    "sparse",
    "unlearn.Wfisher.woodfisher",
    "The recursion over the gradients of 200 rows.",
)
def iu(official: Checkout) -> Pair:
    module, setting, count = official.load("unlearn.Wfisher"), Setting(), 200
    v = torch.randn(
        1,
        sum(part.numel() for part in setting.model().parts()),
        generator=torch.Generator().manual_seed(3),
    )
    feed = setting.feeds(list(torch.arange(GONE, GONE + count).split(1)))

    def ours(members):
        group = setting.group(members)
        nets, first = group.originals().eval(), group.retain[:, :count]
        return recursion(v.expand(members, -1), singly(group, nets, first))[0]

    def theirs(kind):
        model = setting.model()
        found = module.woodfisher(model, feed[kind], "cpu", nn.CrossEntropyLoss(), ordered(v[0]))
        return ordered(found, back=True)

    return fed(ours, theirs, "vector", 1e-3, MODELS)


def ordered(v: torch.Tensor, back: bool = False) -> torch.Tensor:
    """Turn a vector of our parameters' order (weights, then biases) into theirs, or back."""
    ours, theirs = (
        [HIDDEN * FEATURES, CLASSES * HIDDEN, HIDDEN, CLASSES],
        [HIDDEN * FEATURES, HIDDEN, CLASSES * HIDDEN, CLASSES],
    )
    one, two, three, four = v.split(theirs if back else ours)
    return torch.cat([one, three, two, four])


@loop("laf", "unlearning", "laf", "VUnlearning.extractor_loss_functioncosine",
      "The second of two losses, and its gradient, on two batches of 128 rows.")  # fmt: skip
def laf(official: Checkout) -> Pair:
    module, generator = official.load("VUnlearning"), torch.Generator().manual_seed(0)
    kept, gone, before, past = (torch.randn(1, 128, 256, generator=generator) for _ in range(4))
    kept.requires_grad_()
    gone.requires_grad_()

    def with_gradient(loss):
        return loss, torch.autograd.grad(loss, [kept, gone])

    return Pair(
        lambda: with_gradient(128 * alignment(turned(kept, before), turned(gone, past), 5.0).sum()),
        lambda: with_gradient(
            module.extractor_loss_functioncosine(kept[0], before[0], gone[0], past[0], 5.0)
        ),
        "loss and gradient of the features",
        1e-3,
    )


@loop(
    "l-codec",
    "unlearning",
    "l-codec",
    "codec.torch_foci.foci",
    "The choice among 40 columns of 100 rows.",
)
def l_codec(official: Checkout) -> Pair:
    module, generator = official.load("codec.torch_foci"), torch.Generator().manual_seed(0)
    columns = torch.randn(100, 40, generator=generator)
    columns = (columns - columns.mean(0)) / columns.std(0)
    target = columns[:, 3] + 0.7 * columns[:, 8].square() + columns[:, 12]
    return Pair(
        lambda: torch.tensor(foci(columns, target, torch.Generator().manual_seed(0), 40)),
        lambda: torch.tensor([int(place) for place in module.foci(columns, target)[0]]),
        "columns chosen",
        0.0,
    )


@loop("blindspot", "unlearning", "blindspot", "unlearn.forget_loss",
      "The loss of 128 rows to forget, by the outputs and one layer, and its gradient.")  # fmt: skip
def blindspot(official: Checkout) -> Pair:
    module, generator = official.load("unlearn"), torch.Generator().manual_seed(0)
    layers, guide = (
        [torch.randn(1, 128, width, generator=generator) for width in (64, 1)] for _ in range(2)
    )
    layers = [layer.requires_grad_() for layer in layers]
    method, y, inside = Blindspot(), torch.zeros(1, 128), torch.ones(1, 128)
    mask = torch.ones(128, dtype=torch.bool)

    def with_gradient(loss):
        return loss, torch.autograd.grad(loss, layers)

    return Pair(
        lambda: with_gradient(method.losses(layers, guide, y, inside).sum()),
        lambda: with_gradient(
            # a layer of units is one channel
            module.forget_loss(
                layers[1][0], [layers[0][0][:, None]], guide[1][0], [guide[0][0][:, None]], mask
            )
        ),
        "loss and gradient of the layers",
        1e-3,
    )
