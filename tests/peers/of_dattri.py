"""What dattri says; runs in an environment of its own (see environments.py)."""

from __future__ import annotations

import torch
from dattri.algorithm import trak
from dattri.algorithm.influence_function import IFAttributorExplicit
from dattri.metric import lds
from dattri.task import AttributionTask
from peer_answers import main
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def datamodelling(given, fits, parts):
    """The datamodelling score of every query."""
    score, _ = lds(torch.from_numpy(given), (torch.from_numpy(fits), torch.from_numpy(parts)))
    return {"score": score.numpy()}


def attributions(x, y, queries, labels, weights, penalty, checkpoints, rate):
    """Influence and TRAK of a linear model, by their formulas without a projection."""
    torch.set_default_dtype(torch.float64)
    model = nn.Linear(*weights.shape, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(weights.T.copy()))
    train = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), len(y))
    test = DataLoader(
        TensorDataset(torch.from_numpy(queries), torch.from_numpy(labels)), len(labels)
    )

    def entropy(params, data):
        # some of its methods ask for a row, others for a batch of one
        rows, wanted = data[0].reshape(-1, x.shape[1]), data[1].reshape(-1).long()
        return F.cross_entropy(torch.func.functional_call(model, params, rows), wanted)

    def right(params, data):
        return torch.exp(-entropy(params, data))

    def margin(params, data):
        chance = right(params, data)
        return torch.log(chance / (1 - chance))

    state = {"weight": model.weight.detach()}
    influence = IFAttributorExplicit(
        AttributionTask(loss_func=entropy, target_func=margin, model=model, checkpoints=state),
        regularization=float(penalty),
    )
    influence.cache(train)
    # its projection is random, and needs thousands of columns to be near what it stands for
    trak.random_project = lambda *_, **__: lambda gradient, **___: gradient
    kernel = trak.TRAKAttributor(
        AttributionTask(loss_func=margin, target_func=margin, model=model, checkpoints=state),
        correct_probability_func=right,
        regularization=float(penalty) * len(y) / weights.size,  # it divides gradients by the root
    )
    kernel.cache(train)
    return {
        "if": influence.attribute(train, test).detach().numpy(),
        "trak": kernel.attribute(test).detach().numpy(),
    }


if __name__ == "__main__":
    main(datamodelling, attributions)
