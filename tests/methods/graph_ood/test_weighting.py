"""OOD-GNN and the two forms of L2R-GNN as methods: with nothing to weigh by they are the
null, and their weights find what contradicts the bias.
"""

import importlib
import pkgutil

import bench.builtin.methods.graph_ood as room
import msgspec
import pytest
import torch
from bench.builtin.methods.graph_ood._decorrelation import random_features
from bench.builtin.methods.graph_ood.erm import EmpiricalRisk
from bench.builtin.methods.graph_ood.l2r_gnn import L2RGNN
from bench.builtin.methods.graph_ood.l2r_gnn_lower import L2RLower
from bench.builtin.methods.graph_ood.oodgnn import OODGNN
from bench.builtin.tasks.graph_ood.spmotif import SpuriousMotif

from bench.runs.tools import Tools
from bench.tracks.graph_ood import GraphMethod, Training, graph_losses

SMALL = SpuriousMotif(per_class=200, epochs=10)
EARLY = {"warmup": 3}


class Losses(Tools):
    """Notes the parameters after each epoch."""

    def __init__(self):
        self.seen = []

    def report(self, run, step, model):
        self.seen.append(
            torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        )


def path(method, problem, run_of):
    tools = Losses()
    return method.solve(problem, run_of(tools=tools)), tools.seen


@pytest.mark.parametrize("kind", ["classes", "numbers"])
@pytest.mark.parametrize(
    "method",
    [
        OODGNN(steps=0, warmup=0),
        OODGNN(warmup=100),
        L2RLower(steps=0, warmup=0),
        L2RLower(warmup=100),
        L2RGNN(warmup=100),
    ],
    ids=[
        "oodgnn without steps",
        "oodgnn in its warm-up",
        "l2r-gnn-lower without steps",
        "l2r-gnn-lower in its warm-up",
        "l2r-gnn in its warm-up",
    ],
)
def test_without_a_reason_to_weigh_the_training_is_the_null_s_bit_for_bit(
    toy, run_of, method, kind
):
    problem = toy(kind=kind)
    _, expected = path(EmpiricalRisk(), problem, run_of)
    _, found = path(method, problem, run_of)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_the_lower_level_without_clusters_is_oodgnn_bit_for_bit(toy, run_of):
    problem = toy(epochs=4)
    ours, found = path(L2RLower(clusters=None, warmup=1), problem, run_of)
    theirs, expected = path(OODGNN(warmup=1), problem, run_of)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    torch.testing.assert_close(ours.weights, theirs.weights, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
@pytest.mark.parametrize(
    "method",
    [
        OODGNN(warmup=1, factors="one"),
        L2RGNN(warmup=1),
        L2RGNN(warmup=1, decorrelate=False),
        L2RGNN(warmup=1, clusters=None, factors="one", share=0.0),
        L2RLower(warmup=1, groups=0),
        L2RLower(warmup=1, factors="one"),
    ],
)
def test_every_form_trains_and_weighs_the_graphs_it_trains_on(toy, run_of, method, kind):
    solution, seen = path(method, toy(kind=kind, epochs=4), run_of)
    assert seen[-1].isfinite().all()
    used = ~solution.weights.isnan()
    assert used.all()
    assert (solution.weights >= 0).all()
    assert solution.weights.mean() == pytest.approx(1, abs=0.1)
    assert solution.weights.std() > 0.001


def test_the_upper_level_moves_weights_only_by_what_its_objective_holds(toy, run_of):
    method = L2RGNN(warmup=1, decorrelate=False, share=0.0, ridge=0.0)
    solution, seen = path(method, toy(epochs=4), run_of)
    assert torch.equal(solution.weights, torch.ones(70))
    _, expected = path(EmpiricalRisk(), toy(epochs=4), run_of)
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))


def test_a_step_of_the_upper_level_is_one_of_adam_on_its_objective_with_the_net_held_fixed(
    toy, run_of
):
    """Against autograd for the weights alone, through pairs of variables one by one."""
    problem, method = toy(), L2RGNN(ridge=0.3, share=2.0, clusters=None, groups=0)
    state = method.start(Training(problem, run_of()))
    state.table.a[:] = torch.linspace(-1, 1, 70)
    before, net = state.table.a.clone(), state.training.net
    parameters = [value.clone() for value in net.state_dict().values()]
    state.learned = torch.arange(60)
    draws = state.generator.clone_state()
    method._upper(state, net, 16)
    moved = (state.table.a != before).nonzero()[:, 0]
    assert moved.tolist() == list(range(60, 70))  # the others were learned from
    assert all(
        torch.equal(a, b) for a, b in zip(parameters, net.state_dict().values(), strict=True)
    )

    state.generator.set_state(draws.get_state())
    rows = state.other_graphs(16)
    batch = state.training.gather(rows)
    net.eval()
    with torch.no_grad():
        out = net(batch.graphs)
    features = random_features(out.z, method.features, state.generator).view(10, 8, 2)
    a = before[rows].requires_grad_()
    w = 10 * a.softmax(0)
    objective = 0.3 * w.square().mean() + 2.0 * (w * graph_losses(out.logits, batch.y)).mean()
    for i in range(8):
        for j in range(i):
            x, y = (w[:, None] * features[:, k] for k in (i, j))
            objective = objective + ((x - x.mean(0)).T @ (y - y.mean(0)) / 9).square().sum()
    adam = torch.optim.Adam([a], lr=method.weight_lr)
    objective.backward()
    adam.step()
    torch.testing.assert_close(state.table.a[rows], a.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    "method",
    [OODGNN(warmup=0), L2RLower(warmup=0), L2RGNN(warmup=0)],
    ids=["oodgnn", "l2r-gnn-lower", "l2r-gnn"],
)
def test_a_batch_of_one_or_of_few_graphs_is_weighed_without_nan(toy, run_of, method, count):
    solution, seen = path(method, toy(count=count), run_of)
    assert seen[-1].isfinite().all()
    assert solution.weights.isfinite().all()


def remembering():
    """Every method of the room that has a memory."""
    for module in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"{room.__name__}.{module.name}")
    kinds = [GraphMethod]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return [
        pytest.param(kind, id=kind.card.name)
        for kind in dict.fromkeys(kinds)
        if "groups" in kind.__struct_fields__ and hasattr(kind, "card")
    ]


def test_the_methods_with_a_memory_are_found():
    assert {found.id for found in remembering()} >= {"oodgnn", "l2r-gnn", "l2r-gnn-lower"}


@pytest.mark.parametrize("groups", [2, 3, 7])
@pytest.mark.parametrize("method", remembering())
def test_a_short_last_batch_stays_out_of_a_memory_of_any_number_of_groups(
    toy, run_of, method, groups
):
    problem = toy(count=5 * 16 + 10, epochs=4)  # batches of 16, and one of 10
    solution, seen = path(method(groups=groups, warmup=1), problem, run_of)
    assert seen[-1].isfinite().all()
    assert solution.weights.isfinite().any()


def test_the_methods_do_not_change_their_problem(toy, run_of):
    problem = toy()
    before = msgspec.structs.replace(
        problem, graphs=problem.graphs.take(torch.arange(70)), y=problem.y.clone()
    )
    for method in (L2RLower(warmup=1), L2RGNN(warmup=1)):
        method.solve(problem, run_of())
    assert torch.equal(problem.graphs.x, before.graphs.x)
    assert torch.equal(problem.y, before.y)


# On a task built for it ---------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "least"),
    [(OODGNN(**EARLY), 1.1), (L2RLower(**EARLY), 1.1), (L2RGNN(**EARLY), 1.03)],
    ids=["oodgnn", "l2r-gnn-lower", "l2r-gnn"],  # the weights of the last move once an epoch
)
def test_weights_favour_graphs_that_contradict_the_bias(trial, method, least):
    figures = trial(method, SMALL, (0,))[0]
    assert figures["w_ratio"] >= least
    assert 0.5 < figures["ess"] < 1


def test_permuted_weights_favour_nobody(trial):
    figures = trial(OODGNN(permute=True, **EARLY), SMALL, (0,))[0]
    assert figures["w_ratio"] == pytest.approx(1, abs=0.05)
    assert figures["ess"] == pytest.approx(trial(OODGNN(**EARLY), SMALL, (0,))[0]["ess"], abs=0.05)
