"""Hypergradients of the implicit function theorem: exact where the inner loss is a quadratic, and
finite differences of a retrained small net where it is not.
"""

import pytest
import torch

from bench.training.implicit import SOLVERS, hypergradient, neumann, products

EXACT = {"neumann": {"terms": 400, "rate": 0.2}, "cg": {"terms": 12, "rate": 1.0}}


def quadratics(members=2, size=6, hypers=4):
    """Return A, B, c of inner losses w A w / 2 - w B h and outer losses |w - c|^2 / 2."""
    generator = torch.Generator().manual_seed(0)
    roots = torch.randn(members, size, size, generator=generator, dtype=torch.float64)
    a = roots @ roots.mT / size + 0.5 * torch.eye(size, dtype=torch.float64)
    b = torch.randn(members, size, hypers, generator=generator, dtype=torch.float64)
    c = torch.randn(members, size, generator=generator, dtype=torch.float64)
    h = torch.randn(members, hypers, generator=generator, dtype=torch.float64)
    return a, b, c, h


def of_quadratics(a, b, c, h, damping=0.0, **solver):
    w = torch.linalg.solve(a, (b @ h[..., None])[..., 0]).requires_grad_()
    h = h.clone().requires_grad_()
    inner = 0.5 * torch.einsum("ki,kij,kj->", w, a, w) - torch.einsum("ki,kij,kj->", w, b, h)
    outer = [(w - c).detach()]
    return hypergradient(inner, [w], [h], outer, damping=damping, **solver)[0], w.detach()


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_hypergradient_of_a_quadratic_is_the_exact_one(solver):
    a, b, c, h = quadratics()
    found, w = of_quadratics(a, b, c, h, solver=solver, **EXACT[solver])
    # d outer / dh = B^T A^-1 (w - c), with w = A^-1 B h
    exact = (b.mT @ torch.linalg.solve(a, (w - c)[..., None]))[..., 0]
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
def test_damping_is_added_to_the_diagonal(solver):
    a, b, c, h = quadratics()
    found, w = of_quadratics(a, b, c, h, damping=0.7, solver=solver, **EXACT[solver])
    damped = a + 0.7 * torch.eye(6, dtype=torch.float64)
    exact = (b.mT @ torch.linalg.solve(damped, (w - c)[..., None]))[..., 0]
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-8)


def test_a_series_of_a_few_terms_is_its_sum_of_powers():
    a, _, c, _ = quadratics()
    (found,) = neumann(lambda v: [(a @ v[0][..., None])[..., 0]], [c], 3, 0.2)
    power, total = torch.eye(6, dtype=torch.float64).expand(2, 6, 6), 0.0
    for _ in range(4):
        total, power = total + power, power @ (torch.eye(6, dtype=torch.float64) - 0.2 * a)
    torch.testing.assert_close(found, (0.2 * total @ c[..., None])[..., 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_problem_s_hypergradient_does_not_depend_on_its_companions(solver):
    a, b, c, h = quadratics(members=3)
    whole, _ = of_quadratics(a, b, c, h, solver=solver, terms=3, rate=0.2)
    part, _ = of_quadratics(a[1:], b[1:], c[1:], h[1:], solver=solver, terms=3, rate=0.2)
    torch.testing.assert_close(part, whole[1:], rtol=0, atol=1e-14)


def test_conjugate_gradients_stop_where_the_hessian_curves_downwards():
    w = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    h = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    signs = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    inner = (0.5 * signs * w.square() - w * h).sum()
    outer = [torch.ones(2, 3, dtype=torch.float64)]
    (found,) = hypergradient(inner, [w], [h], outer, solver="cg", terms=5, rate=1.0)
    assert found.tolist() == [[1.0] * 3, [0.0] * 3]


# A small net
# -------------------------------------------------------------------------------------------------


class SmallNet:
    """A net of two layers with a weight decay, fitted to 12 rows of which each has a weight, and
    judged on 8 others.
    """

    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        self.x, self.x_out = (
            torch.randn(count, 3, generator=generator, dtype=torch.float64) for count in (12, 8)
        )
        teacher = torch.randn(3, 2, generator=generator, dtype=torch.float64)
        self.y, self.y_out = ((x @ teacher).argmax(1) for x in (self.x, self.x_out))
        self.y[:3] = 1 - self.y[:3]
        sizes = ((4, 3), (4,), (2, 4), (2,))
        self.start = [torch.randn(*s, generator=generator, dtype=torch.float64) for s in sizes]
        self.hyper = torch.zeros(12, dtype=torch.float64)

    def inner(self, weights, hyper):
        logits = self.logits(weights, self.x)
        losses = torch.nn.functional.cross_entropy(logits, self.y, reduction="none")
        decay = sum(tensor.square().sum() for tensor in weights)
        return (hyper.exp() * losses).mean() + 0.05 * decay

    def outer(self, weights):
        return torch.nn.functional.cross_entropy(self.logits(weights, self.x_out), self.y_out)

    def logits(self, weights, x):
        first, bias, second, last = (tensor.squeeze(0) for tensor in weights)
        return torch.tanh(x @ first.T + bias) @ second.T + last

    def fitted(self, hyper):
        """Return the weights (1, ...) at the minimum, by quasi-Newton steps to machine precision."""
        weights = [tensor[None].clone().requires_grad_() for tensor in self.start]
        optimiser = torch.optim.LBFGS(
            weights,
            max_iter=2000,
            tolerance_grad=1e-13,
            tolerance_change=1e-16,
            history_size=30,
            line_search_fn="strong_wolfe",
        )

        def closure():
            optimiser.zero_grad()
            loss = self.inner(weights, hyper)
            loss.backward()
            return loss

        optimiser.step(closure)
        return [tensor.detach().requires_grad_() for tensor in weights]


@pytest.fixture(scope="module")
def differences():
    """The small net, and central differences of the outer loss over minima found anew."""
    net, found = SmallNet(), []
    for place in range(0, 12, 4):
        shifted = []
        for sign in (1, -1):
            hyper = net.hyper.clone()
            hyper[place] += sign * 1e-3
            shifted.append(net.outer(net.fitted(hyper)).item())
        found.append((shifted[0] - shifted[1]) / 2e-3)
    return net, torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_hypergradient_of_a_small_net_is_that_of_finite_differences(differences, solver):
    net, measured = differences
    weights, hyper = net.fitted(net.hyper), net.hyper.clone().requires_grad_()
    outer = torch.autograd.grad(net.outer(weights), weights)
    (found,) = hypergradient(
        net.inner(weights, hyper), weights, [hyper], outer, solver=solver, terms=400, rate=0.5
    )
    assert measured.abs().max() > 1e-3
    torch.testing.assert_close(found[::4], measured, rtol=1e-3, atol=1e-6)


def test_products_are_those_with_the_whole_hessian():
    net = SmallNet()
    weights = [tensor[None].clone().requires_grad_() for tensor in net.start]
    gradient = torch.autograd.grad(net.inner(weights, net.hyper), weights, create_graph=True)
    flat = torch.cat([tensor.flatten() for tensor in gradient])
    rows = [torch.autograd.grad(one, weights, retain_graph=True) for one in flat]
    hessian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    v = [torch.randn_like(tensor) for tensor in weights]
    found = products(gradient, weights, 0.3)(v)
    whole = torch.cat([part.flatten() for part in v])
    torch.testing.assert_close(
        torch.cat([part.flatten() for part in found]), hessian @ whole + 0.3 * whole
    )
