"""Methods beat the null on a task with the fault that they were made for:
one-node graphs, where nothing else interferes.
"""

import numpy as np
import pytest
import torch
from bench.builtin.methods.graph_ood.erm import EmpiricalRisk
from bench.builtin.methods.graph_ood.groupdro import GroupDRO
from bench.builtin.methods.graph_ood.irm import InvariantRisk
from bench.builtin.methods.graph_ood.mixup import Mixup
from bench.builtin.methods.graph_ood.vrex import RiskExtrapolation

from bench.tracks.graph_ood import Problem
from bench.training.graphs import Graphs


def one_node(x):
    return Graphs.pack([(row[None], np.zeros((2, 0), int)) for row in x])


def shortcut(generator, env, flips):
    """A cause that is right in 3 of 4, and a shortcut that is wrong as
    often as the environment says.
    """
    y = generator.integers(0, 2, len(env))
    cause = np.where(generator.random(len(env)) < 0.25, 1 - y, y)
    short = np.where(generator.random(len(env)) < np.take(flips, env), 1 - y, y)
    return np.stack([2 * cause - 1, 2 * short - 1], 1) + 0.1 * generator.standard_normal(
        (len(env), 2)
    ), y


def accuracy(method, train, test, run):
    (x, y, env), (x_test, y_test) = train, test
    protocol = {"hidden": 16, "layers": 1, "epochs": 30, "batch_size": 200, "lr": 0.01}
    problem = Problem(
        graphs=one_node(x), y=torch.from_numpy(y), outputs=2, env=torch.from_numpy(env), **protocol
    )
    net = method.solve(problem, run).model.eval()
    with torch.no_grad():
        return 100 * float(
            (net(one_node(x_test).batch()).logits.argmax(1).numpy() == y_test).mean()
        )


def reversed_shortcut(seed):
    """Two environments in which the shortcut is wrong in .1 and .2; in the
    test it is wrong in .9.
    """
    generator = np.random.default_rng(seed)
    env = np.arange(1200) % 2
    return (*shortcut(generator, env, (0.1, 0.2)), env), shortcut(
        generator, np.zeros(600, int), (0.9,)
    )


def rare_environment(seed):
    """A twentieth of the graphs come from where the shortcut is wrong in
    .9; the test is from there.
    """
    generator = np.random.default_rng(seed)
    env = (np.arange(1200) % 20 == 0).astype(np.int64)
    return (*shortcut(generator, env, (0.1, 0.9)), env), shortcut(
        generator, np.ones(600, int), (0.1, 0.9)
    )


CASES = [
    (InvariantRisk(lam=100), reversed_shortcut, 15),
    (RiskExtrapolation(), reversed_shortcut, 15),
    (GroupDRO(eta=0.1), rare_environment, 15),
]


@pytest.mark.parametrize(
    ("method", "made", "margin"), CASES, ids=[case[0].card.name for case in CASES]
)
def test_a_method_beats_the_null_where_it_should(run_of, method, made, margin):
    assert (
        accuracy(method, *made(0), run_of(0)) - accuracy(EmpiricalRisk(), *made(0), run_of(0))
        >= margin
    )


def certainty(method, seed, run):
    """Cross entropy on clean graphs and accuracy in percent, after 30 % of
    200 labels were flipped and all were learned by heart.
    """
    generator = np.random.default_rng(seed)
    y, y_test = generator.integers(0, 2, 200), generator.integers(0, 2, 1000)
    x, x_test = (
        generator.standard_normal((len(part), 20))
        + 0.6 * (2 * part[:, None] - 1) * (np.arange(20) < 5)
        for part in (y, y_test)
    )
    given = torch.from_numpy(np.where(generator.random(200) < 0.3, 1 - y, y))
    problem = Problem(
        graphs=one_node(x),
        y=given,
        outputs=2,
        hidden=32,
        layers=1,
        epochs=60,
        batch_size=100,
        lr=0.01,
    )
    net = method.solve(problem, run).model.eval()
    with torch.no_grad():
        logits = net(one_node(x_test).batch()).logits
    truth = torch.from_numpy(y_test)
    return float(torch.nn.functional.cross_entropy(logits, truth)), 100 * float(
        (logits.argmax(1) == truth).double().mean()
    )


def test_mixup_is_less_sure_of_what_it_learned_by_heart_and_no_worse(run_of):
    ours, null = (
        np.mean([certainty(method, seed, run_of(seed)) for seed in range(2)], 0)
        for method in (Mixup(), EmpiricalRisk())
    )
    assert ours[0] < null[0] / 2
    assert ours[1] > null[1] - 4
