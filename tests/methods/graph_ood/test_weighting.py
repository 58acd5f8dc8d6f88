"""OOD-GNN and L2R-GNN as methods: with nothing to weigh by they are the
null, and their weights find what contradicts the bias.
"""

import msgspec
import pytest
import torch
from bench.builtin.methods.graph_ood.erm import EmpiricalRisk
from bench.builtin.methods.graph_ood.l2r_gnn import L2RGNN
from bench.builtin.methods.graph_ood.oodgnn import OODGNN
from bench.builtin.tasks.graph_ood.spmotif import SpuriousMotif

from bench.runs.tools import Tools

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
        L2RGNN(steps=0, warmup=0, upper=False),
        L2RGNN(warmup=100, upper=False),
    ],
    ids=[
        "oodgnn without steps",
        "oodgnn in its warm-up",
        "l2r-gnn without steps",
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


def test_l2r_gnn_without_clusters_and_upper_level_is_oodgnn_bit_for_bit(toy, run_of):
    problem = toy(epochs=4)
    ours, found = path(L2RGNN(clusters=None, upper=False, warmup=1), problem, run_of)
    theirs, expected = path(OODGNN(warmup=1), problem, run_of)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    torch.testing.assert_close(ours.weights, theirs.weights, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
@pytest.mark.parametrize(
    "method",
    [
        L2RGNN(warmup=1),
        L2RGNN(warmup=1, hypergrad="last_layer", carry=1.0),
        L2RGNN(warmup=1, decorrelate=False),
        L2RGNN(warmup=1, upper=False, groups=0),
    ],
)
def test_every_form_of_l2r_gnn_trains_and_weighs_the_graphs_it_trains_on(toy, run_of, method, kind):
    solution, seen = path(method, toy(kind=kind, epochs=4), run_of)
    assert seen[-1].isfinite().all()
    used = ~solution.weights.isnan()
    assert int((~used).sum()) == (7 if method.upper else 0)
    assert (solution.weights[used] >= 0).all()
    assert solution.weights[used].mean() == pytest.approx(1, abs=0.1)
    assert solution.weights[used].std() > 0.001


def test_the_upper_level_alone_moves_weights_only_by_the_hypergradient(toy, run_of):
    problem = toy(epochs=4)
    solution, _ = path(L2RGNN(warmup=1, decorrelate=False, share=0.0), problem, run_of)
    used = ~solution.weights.isnan()
    torch.testing.assert_close(solution.weights[used], torch.ones(int(used.sum())))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    "method", [OODGNN(warmup=0), L2RGNN(warmup=0, upper=False)], ids=["oodgnn", "l2r-gnn"]
)
def test_a_batch_of_one_or_of_few_graphs_is_weighed_without_nan(toy, run_of, method, count):
    solution, seen = path(method, toy(count=count), run_of)
    assert seen[-1].isfinite().all()
    assert solution.weights.isfinite().all()


def test_the_methods_do_not_change_their_problem(toy, run_of):
    problem = toy()
    before = msgspec.structs.replace(
        problem, graphs=problem.graphs.take(torch.arange(70)), y=problem.y.clone()
    )
    L2RGNN(warmup=1).solve(problem, run_of())
    assert torch.equal(problem.graphs.x, before.graphs.x)
    assert torch.equal(problem.y, before.y)


# On a task built for it ---------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [OODGNN(**EARLY), L2RGNN(upper=False, **EARLY), L2RGNN(**EARLY)],
    ids=["oodgnn", "l2r-gnn lower level", "l2r-gnn"],
)
def test_weights_favour_graphs_that_contradict_the_bias(trial, method):
    figures = trial(method, SMALL, (0,))[0]
    assert figures["w_ratio"] >= 1.10
    assert 0.5 < figures["ess"] < 1


def test_permuted_weights_favour_nobody(trial):
    figures = trial(OODGNN(permute=True, **EARLY), SMALL, (0,))[0]
    assert figures["w_ratio"] == pytest.approx(1, abs=0.05)
    assert figures["ess"] == pytest.approx(trial(OODGNN(**EARLY), SMALL, (0,))[0]["ess"], abs=0.05)
