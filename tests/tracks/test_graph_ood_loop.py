"""The training loop of the graph-ood track."""

import math

import numpy as np
import pytest
import torch

from bench.runs.context import Run
from bench.runs.tools import Tools
from bench.tracks.graph_ood import GraphMethod, Problem, Training, WeightLog, graph_losses
from bench.training.graphs import Graphs


class Watching(Tools):
    def __init__(self):
        self.steps, self.parameters = [], []

    def report(self, run, step, model):
        self.steps.append(step)
        self.parameters.append(
            torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        )


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0, tools=None):
        return Run(
            seed=seed,
            task="graph-ood/toy",
            method="graph-ood/erm",
            device=torch.device("cpu"),
            workdir=tmp_path,
            tools=tools,
        )

    return make


def problem_of(count=40, env=None, **protocol):
    generator = np.random.default_rng(0)

    def one():
        n = int(generator.integers(1, 9))
        edges = generator.integers(0, n, (2, 2 * n))
        return generator.standard_normal((n, 2)), edges[:, edges[0] != edges[1]]

    protocol = {"outputs": 3, "hidden": 8, "layers": 2, "epochs": 3, "batch_size": 16, **protocol}
    return Problem(
        graphs=Graphs.pack([one() for _ in range(count)]),
        y=torch.from_numpy(generator.integers(0, 3, count)),
        env=env,
        **protocol,
    )


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(40, 16, [16, 16, 8]), (39, 16, [16, 16]), (32, 16, [16, 16]), (5, 16, [5]), (17, 16, [16])],
)
def test_an_epoch_leaves_out_a_last_batch_of_fewer_than_eight_graphs(run_of, count, size, expected):
    problem = problem_of(count, batch_size=size)
    training = Training(problem, run_of())
    batches = list(training.epoch(0))
    assert [len(batch.rows) for batch in batches] == expected
    seen = torch.cat([batch.rows for batch in batches])
    assert len(seen.unique()) == len(seen)
    for batch in batches:
        again = training.gather(batch.rows)
        assert torch.equal(batch.graphs.x, again.graphs.x)
        assert torch.equal(batch.graphs.edge_index, again.graphs.edge_index)
        assert torch.equal(batch.y, problem.y[batch.rows])


def test_every_epoch_has_a_new_order_and_every_run_of_a_seed_the_same(run_of):
    first, second = Training(problem_of(), run_of()), Training(problem_of(), run_of())
    epochs = [torch.cat([batch.rows for batch in first.epoch(epoch)]) for epoch in range(2)]
    assert not torch.equal(*epochs)
    assert torch.equal(epochs[0], torch.cat([batch.rows for batch in second.epoch(0)]))


def test_a_method_that_keeps_graphs_back_never_trains_on_them(run_of):
    training = Training(problem_of(env=torch.arange(40) % 3), run_of(), torch.arange(0, 40, 2))
    batches = list(training.epoch(0))
    assert torch.cat([batch.rows for batch in batches]).remainder(2).sum() == 0
    assert all(torch.equal(batch.env, batch.rows % 3) for batch in batches)
    assert training.environments == 3


def test_the_loop_is_adam_on_the_mean_loss(run_of):
    tools = Watching()
    problem = problem_of(epochs=2, decay_at=1)
    net = GraphMethod().solve(problem, run_of(tools=tools)).model
    training = Training(problem, run_of())
    optimiser = torch.optim.Adam(training.net.parameters(), lr=problem.lr)
    for epoch in range(2):
        if epoch == 1:
            optimiser.param_groups[0]["lr"] = problem.lr / 10
        for batch in training.epoch(epoch):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(training.net(batch.graphs).logits, batch.y).backward()
            optimiser.step()
    # outputs, not parameters: a bias before batch norm has no gradient but rounding, which Adam
    # blows up
    with torch.no_grad():
        ours, plain = (
            found.train()(problem.graphs.batch()).logits for found in (net, training.net)
        )
    torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-3)
    assert tools.steps == [1, 2]


def test_graph_losses_are_cross_entropy_or_the_mean_square_over_known_targets():
    logits = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    torch.testing.assert_close(
        graph_losses(logits, torch.tensor([1, 0])),
        torch.tensor([math.log(1 + math.exp(-1)), math.log(2)]),
    )
    y = torch.tensor([[3.0, math.nan], [math.nan, math.nan]])
    logits.requires_grad_()
    losses = graph_losses(logits, y)
    assert losses.tolist() == [4.0, 0.0]
    losses.sum().backward()
    assert logits.grad.tolist() == [[-4.0, 0.0], [0.0, 0.0]]


def test_the_loss_of_answers_is_the_mean_binary_cross_entropy_over_those_there_are():
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0], [1.0, 1.0]], requires_grad=True)
    losses = graph_losses(logits, torch.tensor([[1, 0], [-1, 1], [-1, -1]], dtype=torch.int8))
    expected = [
        (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))) / 2,
        math.log(1 + math.exp(-3)),
        0.0,
    ]
    torch.testing.assert_close(losses, torch.tensor(expected))
    losses.sum().backward()
    assert logits.grad[1, 0] == 0
    assert logits.grad[2].tolist() == [0.0, 0.0]


def test_a_weight_log_holds_means_over_visits(run_of):
    log = WeightLog(Training(problem_of(5), run_of()))
    log.add(torch.tensor([0, 1]), torch.tensor([1.5, 0.5]))
    log.add(torch.tensor([1, 3]), torch.tensor([1.5, 2.0]))
    fields = log.fields()
    torch.testing.assert_close(
        fields["weights"], torch.tensor([1.5, 1.0, math.nan, 2.0, math.nan]), equal_nan=True
    )
    torch.testing.assert_close(
        fields["squares"], torch.tensor([2.25, 1.25, math.nan, 4.0, math.nan]), equal_nan=True
    )


@pytest.mark.parametrize("backbone", ["gin", "gcn"])
def test_two_runs_of_a_seed_end_in_the_same_bits(run_of, backbone):
    ends = []
    for _ in range(2):
        tools = Watching()
        GraphMethod().solve(
            problem_of(backbone=backbone, virtual_node=True, dropout=0.0), run_of(tools=tools)
        )
        ends.append(tools.parameters[-1])
    assert torch.equal(*ends)
