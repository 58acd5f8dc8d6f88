"""Deep CORAL: its distance against a loop over pairs; where it must be the baseline."""

import itertools

import msgspec
import pytest
import torch
from bench.builtin.methods.graph_ood.coral import DeepCoral, distance
from bench.builtin.methods.graph_ood.erm import EmpiricalRisk

from bench.tracks.graph_ood import Training, graph_losses


def looped(z, env):
    """The mean over pairs of environments of the squared distance of their covariances."""
    covariances = [torch.cov(z[env == e].T) for e in env.unique() if (env == e).sum() > 1]
    pairs = [
        (a - b).square().sum() / (4 * z.shape[1] ** 2)
        for a, b in itertools.combinations(covariances, 2)
    ]
    return torch.stack(pairs).mean()


@pytest.mark.parametrize(
    "env", [torch.arange(30) % 3, torch.cat([torch.arange(29) % 2, torch.tensor([3])])]
)
def test_the_distance_is_that_of_a_loop_over_pairs(env):
    z = torch.randn(30, 5) * torch.linspace(1, 3, 30)[:, None] + 4
    torch.testing.assert_close(distance(z, env, 5), looped(z, env))


@pytest.mark.parametrize("env", [torch.zeros(6, dtype=torch.int64), torch.arange(6)])
def test_without_two_environments_of_two_graphs_there_is_no_distance(env):
    z = torch.randn(6, 4, requires_grad=True)
    found = distance(z, env, 6)
    assert found == 0
    assert torch.autograd.grad(found, z)[0].isfinite().all()


def test_the_objective_adds_the_distance_of_the_embeddings(toy, run_of):
    training = Training(toy(env=torch.arange(70) % 3), run_of())
    batch = next(training.epoch(0))
    method = DeepCoral(lam=5.0)
    out = training.net(batch.graphs)
    expected = graph_losses(out.logits, batch.y).mean() + 5 * looped(out.z, batch.env)
    torch.testing.assert_close(
        method.loss(method.start(training), batch, training.net), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["classes", "binary", "numbers"])
def test_without_its_term_it_is_the_baseline_bit_for_bit(toy, run_of, kind):
    problem = toy(kind=kind, env=torch.arange(70) % 3)
    nets = [
        method.solve(problem, run_of()).model for method in (DeepCoral(lam=0.0), EmpiricalRisk())
    ]
    for ours, expected in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(ours, expected)


def test_the_covariances_of_the_environments_come_together(toy, run_of):
    env = torch.arange(70) % 2
    problem = toy(env=env, epochs=15)
    wide = problem.graphs.x * torch.repeat_interleave(1.0 + 3 * env, problem.graphs.nodes)[:, None]
    graphs = msgspec.structs.replace(problem.graphs, x=wide)
    problem = msgspec.structs.replace(problem, graphs=graphs)

    def apart(lam):
        net = DeepCoral(lam=lam).solve(problem, run_of()).model.eval()
        with torch.no_grad():
            return distance(net(graphs.batch()).z, env, 2)

    assert apart(100.0) < apart(0.0) / 2
