"""Cross-domain ensembles: the domains by loops over pixels, merges by hand, limits."""

import msgspec
import pytest
import torch
from bench.builtin.methods.group_shift._domains import DOMAINS, emboss, laplace, low_pass, sobel
from bench.builtin.methods.group_shift.cross_domain import (
    CrossDomainEnsemble,
    Middle,
    by_entropy,
    mean,
    surest,
)
from bench.builtin.methods.group_shift.erm import EmpiricalRisk

from bench.errors import InvalidRun, ParameterError

SHAPE = (1, 3, 4)


def pictures(n=2, channels=2, high=5, wide=4):
    return torch.rand(n, channels, high, wide, generator=torch.Generator().manual_seed(0))


def pixel(x, i, j):
    """Return the pixel, or the nearest of the edge."""
    return x[..., min(max(i, 0), x.shape[-2] - 1), min(max(j, 0), x.shape[-1] - 1)]


def by_loops(x, kernel):
    found = torch.zeros_like(x)
    for i in range(x.shape[-2]):
        for j in range(x.shape[-1]):
            found[..., i, j] = sum(
                kernel[a][b] * pixel(x, i + a - 1, j + b - 1) for a in range(3) for b in range(3)
            )
    return found


def test_low_pass_sharp_laplace_and_sobel_are_filters_over_neighbours():
    x = pictures()
    weights = [
        [float(torch.tensor(-(a * a + b * b) / 18).exp()) for b in (-1, 0, 1)] for a in (-1, 0, 1)
    ]
    total = sum(map(sum, weights))
    soft = by_loops(x, [[one / total for one in row] for row in weights])
    assert torch.allclose(low_pass(x), soft, atol=1e-6)
    assert torch.allclose(DOMAINS["sharp"](x), (2 * x - soft).clamp(0, 1), atol=1e-6)
    cross = by_loops(x, [[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    assert torch.allclose(laplace(x), cross, atol=1e-6)
    across = by_loops(x, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    down = by_loops(x, [[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    assert torch.allclose(sobel(x), (across**2 + down**2).sqrt(), atol=1e-6)


def test_emboss_has_four_neighbours_and_four_times_the_channels():
    x = pictures(channels=1)
    found = emboss(x)
    assert found.shape == (2, 4, 5, 4)
    for place, (down, right) in enumerate(((1, -1), (1, 0), (1, 1), (0, 1))):
        by_hand = (x[:, 0, 2, 2] - pixel(x[:, 0], 2 + down, 2 + right) + 0.5).clamp(0, 1)
        assert torch.allclose(found[:, place, 2, 2], by_hand)


def test_grey_is_the_mean_of_the_channels_in_each():
    x = pictures()
    found = DOMAINS["grey"](x)
    assert torch.allclose(found[:, 0], x.mean(1))
    assert torch.equal(found[:, 0], found[:, 1])


def test_a_domain_is_standardised_by_its_training_rows():
    x = 3 * pictures(n=20) - 1
    middle = Middle("sobel", x.min()[None], x.max()[None])
    middle.fit([x])
    seen = middle.of(x, 0)
    assert float(seen.mean()) == pytest.approx(0, abs=1e-5)
    assert float(seen.std()) == pytest.approx(1, abs=1e-4)
    beyond = middle.of(x + 100, 0)
    assert torch.allclose(beyond, middle.of(torch.full_like(x, float(x.max())), 0))


def test_merges_are_as_by_hand():
    said = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    p = said.exp()
    entropy = -(p * said).sum(-1)
    assert torch.allclose(mean(said).exp(), p.mean(0), atol=1e-6)
    weight = (-entropy / 0.2).softmax(0)
    assert torch.allclose(by_entropy(said).exp(), (weight[..., None] * p).sum(0), atol=1e-6)
    best = entropy.argmin(0)
    assert torch.allclose(surest(said), torch.stack([said[best[n], n] for n in range(4)]))


def test_the_domain_of_the_picture_alone_is_erm(toy, run_of):
    problem = toy(shape=SHAPE)
    one = CrossDomainEnsemble(domains=("identity",)).solve(problem, run_of()).model(problem.x)
    erm = EmpiricalRisk().solve(standard(problem), run_of()).model(standard(problem).x)
    torch.testing.assert_close(one.detach(), erm.detach().log_softmax(-1), rtol=0, atol=1e-3)


def standard(problem):
    """Return the problem with inputs of mean 0 and spread 1."""
    return msgspec.structs.replace(problem, x=(problem.x - problem.x.mean()) / problem.x.std())


def test_an_ensemble_of_one_domain_is_erm_on_that_domain(toy, run_of):
    problem = toy(shape=SHAPE)
    middle = Middle("laplace", problem.x.amin()[None], problem.x.amax()[None])
    middle.fit([problem.x])
    seen = msgspec.structs.replace(problem, x=middle.of(problem.x, 0))
    one = CrossDomainEnsemble(domains=("laplace",)).solve(problem, run_of()).model(problem.x)
    erm = EmpiricalRisk().solve(seen, run_of()).model(seen.x)
    torch.testing.assert_close(one.detach(), erm.detach().log_softmax(-1), rtol=0, atol=1e-4)


def test_the_visits_of_every_net_are_counted(toy, run_of):
    run, problem = run_of(), toy(shape=SHAPE)
    CrossDomainEnsemble().solve(problem, run)
    expected = 6 * problem.epochs * len(problem.y)
    assert (run._counts["forward"], run._counts["backward"]) == (expected, expected)


def test_a_member_s_bits_do_not_depend_on_those_beside_it(toy, run_of):
    problems = [toy(seed, shape=SHAPE) for seed in range(3)]
    method = CrossDomainEnsemble()
    three = method.solve_stacked(problems, [run_of(seed) for seed in range(3)])
    two = method.solve_stacked(problems[1:], [run_of(seed) for seed in (1, 2)])
    for one, other, problem in zip(three[1:], two, problems[1:], strict=True):
        assert torch.equal(one.model(problem.x), other.model(problem.x))
    assert len(three[0].model.nets) == 6, "grey pictures of one channel are the pictures"


def test_rows_of_numbers_and_unknown_domains_are_named_in_a_sentence(toy, run_of):
    with pytest.raises(InvalidRun, match=r"an input has the shape \(12,\)"):
        CrossDomainEnsemble().solve(toy(), run_of())
    with pytest.raises(InvalidRun, match="give some of identity, emboss"):
        CrossDomainEnsemble(domains=("edges",)).solve(toy(shape=SHAPE), run_of(1))
    with pytest.raises(ParameterError, match="merge"):
        CrossDomainEnsemble(merge="vote")
