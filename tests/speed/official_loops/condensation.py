"""The loops of condensation besides matching: evaluation, calibration, NCFM and KRR-ST."""

from __future__ import annotations

import types

import torch
from bench.builtin.methods.condensation.krr_st import _Aging, ridge
from bench.builtin.methods.condensation.ncfm import characteristic_distance
from torch.nn import functional as F

from bench.tracks.condensation_calls import seen
from bench.tracks.condensation_evaluation import (
    Protocol,
    calibration_error,
    logits_of,
    quickest,
    train,
)
from bench.training.convnet import ConvNet
from official_loops.matching import CLASSES, CPU, REAL, WIDTH, Sides
from official_loops.pairs import Pair, loop


@loop("evaluate-8", "condensation", "dc", "networks.ConvNet, utils.evaluate_synset",
      "20 epochs on ten images a class, then 360 test images.", side=8, epochs=20, tests=360)  # fmt: skip
@loop("evaluate-28", "condensation", "dc", "networks.ConvNet, utils.evaluate_synset",
      "4 epochs on ten images a class, then 100 test images.", side=28, epochs=4, tests=100)  # fmt: skip
def evaluation(official, side, epochs, tests, members=5):
    sides = Sides(official, side, ipc=10)
    x, y = sides.images.detach().flatten(0, 1), torch.arange(CLASSES).repeat_interleave(10)
    generator = torch.Generator().manual_seed(1)
    more, labels = (
        torch.randn(tests, 1, side, side, generator=generator),
        torch.randint(CLASSES, (tests,), generator=generator),
    )
    loader = torch.utils.data.DataLoader(sides.utils.TensorDataset(more, labels), batch_size=256)
    given = types.SimpleNamespace(  # they take one pass more than they are told
        device="cpu", lr_net=0.01, epoch_eval_train=epochs - 1, batch_train=256, dsa=False,
        dc_aug_param=None,
    )  # fmt: skip

    def ours(nets):
        start = [tensor.expand(nets, *tensor.shape[1:]) for tensor in sides.params]
        orders = [torch.Generator().manual_seed(k) for k in range(nets)]
        backend = quickest(len(x), sides.net, nets, CPU)
        params = train(sides.net, start, x, y, Protocol(epochs=epochs), orders, backend)
        right = (logits_of(sides.net, params, more).argmax(-1) == labels).double().mean(1)
        return [[*(tensor[k] for tensor in params), right[k]] for k in range(nets)]

    def theirs():
        sides.copy(sides.theirs, 0)
        net, _, accuracy = sides.utils.evaluate_synset(0, sides.theirs, x, y, loader, given)
        return [*(parameter.clone() for parameter in net.parameters()), float(accuracy)]

    return Pair(
        lambda: ours(1),
        theirs,
        "weights after training and test accuracy",
        5e-3,
        stacked=lambda: ours(members),
        members=members,
    )


@loop("ncfm", "condensation", "ncfm", "NCFM.NCFM.CFLossFunc", "1,024 frequencies, 128 features.")
def ncfm(official):
    distance = official.load("NCFM.NCFM").CFLossFunc(0.5, 0.5)
    generator = torch.Generator().manual_seed(0)
    real, synthetic = (
        F.normalize(torch.randn(CLASSES, count, 128, generator=generator), dim=-1)
        for count in (REAL, 1)
    )
    frequencies = torch.randn(1024, 128, generator=generator)
    synthetic.requires_grad_()

    def with_gradient(loss):
        return loss, torch.autograd.grad(loss, synthetic)[0]

    return Pair(
        lambda: with_gradient(characteristic_distance(real, synthetic, frequencies).sum()),
        lambda: with_gradient(
            sum(distance(real[c], synthetic[c], frequencies) for c in range(CLASSES))
        ),
        "loss and gradient of the features",
        1e-3,
    )


@loop("calibration-error", "condensation-calibration", "mtt", "temperature._ECELoss",
      "Outputs of five nets for 2,000 images. The temperatures are not compared: those of the "
      "authors' code end far from the minimum.")  # fmt: skip
def calibration(official, members=5):
    error = official.load("temperature")._ECELoss(15)
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(members, 2000, CLASSES, generator=generator)
    y = torch.randint(CLASSES, (2000,), generator=generator)
    return Pair(
        lambda: calibration_error(logits[:1], y),
        lambda: error(logits[0], y),
        "expected calibration error",
        1e-3,
        stacked=lambda: calibration_error(logits, y),
        members=members,
    )


@loop("krr-st", "condensation", "krr-st", "algorithms.distill.run, model_pool.ModelPool.update, models.convnet.ConvNet",
      "One step of ten synthetic images on 320 real ones, and one step of a net of the pool.")  # fmt: skip
def krr_st(official):
    algorithm, pools = official.load("algorithms.distill"), official.load("model_pool")
    nets = official.load("models.convnet")
    generator = torch.Generator().manual_seed(0)
    net = ConvNet(shape=(1, 8, 8), classes=128, width=WIDTH, depth=2)
    params, teacher = net.init([generator]), net.init([generator])
    real, small = (torch.randn(count, 1, 8, 8, generator=generator) for count in (320, 10))
    answers = torch.randn(10, 128, generator=generator)

    def built(tensors):
        made = nets.ConvNet((1, 8, 8), 128, [WIDTH, WIDTH], "in")
        with torch.no_grad():
            for parameter, tensor in zip(made.parameters(), tensors, strict=True):
                parameter.copy_(tensor[0])
        return made

    def leaves():
        return small.clone().requires_grad_(), answers.clone().requires_grad_()

    (x, y), aging = leaves(), _Aging(net, generator, CPU, 0.1, 10**9)
    with torch.no_grad():
        for mine, tensor in zip(aging.params, params, strict=True):
            mine.copy_(tensor)
    optimiser = torch.optim.AdamW([x, y], lr=0.02, weight_decay=0.0)

    def ours():
        wanted = seen(net, teacher, real, "features")[0]
        features = seen(net, aging.params, real, "features")[0]
        guess = ridge(features, net.features(aging.params, x[None])[0], y)
        loss = (guess - wanted).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        aging.train(x.detach(), y.detach())
        return loss, x.grad, y.grad

    theirs_x, theirs_y = leaves()
    theirs_optimiser = torch.optim.AdamW([theirs_x, theirs_y], lr=0.02, weight_decay=0.0)
    pool = object.__new__(pools.ModelPool)
    pool.models, pool.iterations, pool.online_iteration = [built(params)], [0], 10**9
    pool.opts = [torch.optim.SGD(pool.models[0].parameters(), 0.1, momentum=0.9, weight_decay=1e-3)]
    given = types.SimpleNamespace(num_models=1, outer_grad_norm=0.0)
    target = built(teacher)
    target.forward = target.embed

    def theirs():
        batches = iter([(real, None)])
        loss = algorithm.run(
            given, "cpu", target, pool, theirs_optimiser, batches, lambda x: x, theirs_x, theirs_y
        )
        return loss, theirs_x.grad, theirs_y.grad

    return Pair(ours, theirs, "loss and gradients of images and targets", 5e-3)
