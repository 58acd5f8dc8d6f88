"""The loops of noisy labels and label errors that need more than a loss: AUM, ELR+, the small CNN."""

from __future__ import annotations

import copy
import itertools

import torch
from bench.builtin.methods.label_errors.aum import AreaUnderMargin
from bench.builtin.methods.noisy_labels.elr_plus import EarlyLearningRegularisationPlus
from torch import nn
from torch.nn import functional as F

from bench.tracks.noisy_labels import NoisyLabelMethod, train_step
from official_loops.checkouts import Checkout
from official_loops.noisy_labels import BATCH, CLASSES, ROWS, SEEDS, Training, optimisers
from official_loops.pairs import Pair, loop


@loop(
    "aum",
    "label-errors",
    "aum",
    "aum.AUMCalculator.update",
    "Two nets. The training step whose margins are recorded is part of both times.",
)
def aum(official: Checkout) -> Pair:
    module = official.load("aum.aum")
    method = AreaUnderMargin()
    single, several = Training(method), Training(method, SEEDS)
    labels = single.state.labels

    def ours(training):
        training.epoch()
        return training.state.margins[:, :ROWS]

    def beside(batches):
        calculators, modules = [module.AUMCalculator("") for _ in range(2)], single.modules()
        steppers = optimisers(modules)

        def epoch():
            for rows, x, _ in batches:
                for k, net in enumerate(modules):
                    logits = net(x)
                    calculators[k].update(logits.detach(), labels[k, rows], rows.tolist())
                    steppers[k].zero_grad()
                    F.cross_entropy(logits, labels[k, rows]).backward()
                    steppers[k].step()
            return [torch.tensor([found.sums[row] for row in range(ROWS)]) for found in calculators]

        return epoch

    return Pair(
        lambda: ours(single),
        beside(single.loader),
        "margins after an epoch",
        1e-4,
        stacked=lambda: ours(several),
        members=SEEDS,
        given=beside(single.taken),
    )


@loop("cnn-28", "noisy-labels", "dc", "networks.ConvNet",
      "Three steps of the small CNN: the authors' ConvNet with BatchNorm and maximum pooling, "
      "without the biases of its convolutions.")  # fmt: skip
def cnn(official: Checkout) -> Pair:
    networks, widths = official.load("networks"), (32, 32, 32, 32)
    training = Training(NoisyLabelMethod(), net="cnn", shape=(1, 28, 28), widths=widths)
    theirs = networks.ConvNet(1, CLASSES, 32, 4, "relu", "batchnorm", "maxpooling", (16, 16))
    own = training.seeds.nets._tensors()
    convolutions = [part for part in theirs.features if isinstance(part, nn.Conv2d)]
    norms = [part for part in theirs.features if isinstance(part, nn.BatchNorm2d)]
    convolutions[0].padding = (1, 1)
    with torch.no_grad():
        for k, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True)):
            convolution.bias = None
            convolution.weight.copy_(own[f"convs.{k}.weight"][0])
            norm.weight.copy_(own[f"norms.{k}.weight"][0])
            norm.bias.copy_(own[f"norms.{k}.bias"][0])
        theirs.classifier.weight.copy_(training.seeds.nets.weight[0])
        theirs.classifier.bias.copy_(training.seeds.nets.bias[0, 0])
    (optimiser,) = optimisers([theirs])

    def ours():
        for batch in training.seeds.epoch(0, training.order[:, : 3 * BATCH]):
            train_step(training.method, training.seeds.nets, training.optimiser, None, batch)
        return training.seeds.nets.weight[0].detach().clone()

    def steps(batches):
        for _, x, y in itertools.islice(batches, 3):
            loss = F.cross_entropy(theirs(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return theirs.classifier.weight.clone()

    return Pair(
        ours,
        lambda: steps(training.loader),
        "last layer after three steps",
        1e-3,
        given=lambda: steps(training.taken),
    )


@loop("elr-plus", "noisy-labels", "elr",
      "ELR_plus.model.loss.elr_plus_loss, trainer.Trainer._mixup_data, update_ema_variables",
      "An epoch of the first of two nets. Results are compared with the draws of bench.")  # fmt: skip
def elr_plus(official: Checkout) -> Pair:
    module = official.load("model.loss", root="ELR_plus")
    trainers = official.load("trainer.trainer", root="ELR_plus")
    config = {
        "coef_step": 0, "train_loss": {"args": {"lambda": 3.0}}, "ema_update": False,
        "mixup_alpha": 1.0, "ema_alpha": 0.997,
    }  # fmt: skip
    method = EarlyLearningRegularisationPlus(lam=3.0, beta=0.7, average_ramp=0.0)

    class First(Training):
        """The first nets of all seeds, which is half of a pass."""

        def epoch(self, number: int = 9):
            for batch in self.seeds.epoch(number, self.order):
                method._learn(self.state, 0, batch, 0.05)
            return self.parameters()

    def first(members):
        made = First(method, members, nets=1)
        made.seeds.nets = made.state.sides[0].nets
        return made

    def theirs_of(training, batches, draws=None):
        trainer = object.__new__(trainers.Trainer)
        trainer.config = config
        (net,) = training.modules()
        copies = [copy.deepcopy(net), _second(training)]
        criterion = module.elr_plus_loss(ROWS, config, "cpu", CLASSES, beta=0.7)
        (optimiser,) = optimisers([net])
        count = iter(range(10**9))

        def epoch():
            for step, (rows, x, y) in enumerate(batches):
                target = F.one_hot(y, CLASSES).float()
                if draws is None:
                    mixed, label, weight, partner = trainer._mixup_data(x, target, 1.0)
                else:
                    weight, partner = draws[step]
                    mixed, label = (
                        weight * part + (1 - weight) * part[partner] for part in (x, target)
                    )
                output = net(mixed)
                said = copies[1](x).data.detach()
                criterion.update_hist(0, said, rows.tolist(), mix_index=partner, mixup_l=weight)
                loss, _ = criterion(0, output, label)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                trainer.update_ema_variables(net, copies[0], next(count) + 1, config["ema_alpha"])
            return [*net.parameters()]

        return epoch

    def agree():
        training = first(1)
        side = training.state.sides[0]
        batches = list(training.seeds.epoch(9, training.order))
        draws = [
            (float(weight[0, 0]), partner[0])
            for weight, partner in (side.mixing(batch) for batch in batches)
        ]
        epoch = theirs_of(training, training.taken, draws)
        return training.epoch(), epoch()

    single, several = first(1), first(SEEDS)
    return Pair(
        single.epoch,
        theirs_of(single, single.loader),
        "weights after an epoch",
        1e-4,
        agree,
        several.epoch,
        SEEDS,
        theirs_of(single, single.taken),
    )


def _second(training) -> nn.Module:
    beside = copy.copy(training)
    beside.seeds = copy.copy(training.seeds)
    beside.seeds.nets = training.state.sides[1].average
    return Training.modules(beside)[0]
