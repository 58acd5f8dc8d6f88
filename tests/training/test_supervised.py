"""The supervised training loop: members of a stack do not
touch each other, and the loop is plain SGD.
"""

import contextlib
import itertools

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from bench.errors import BenchError
from bench.runs.context import Run
from bench.runs.tools import Tools
from bench.training import supervised
from bench.training.stack import StackedMLP, _Affine
from bench.training.supervised import Problem, Seeds, SupervisedMethod

CPU = torch.device("cpu")


class Watching(Tools):
    """Keeps what was reported: run, step and the model's outputs on fixed inputs."""

    def __init__(self, x=None):
        self.seen, self.x, self.ticks = [], x, []

    def report(self, run, step, model):
        self.seen.append((run.seed, step, None if self.x is None else model(self.x)))

    def progress(self, done, total, label):
        self.ticks.append((done, total, label))


@pytest.fixture
def run_of(tmp_path):
    def make(seed, tools=None):
        return Run(
            seed=seed,
            task="noisy-labels/toy",
            method="noisy-labels/ce",
            device=CPU,
            workdir=tmp_path,
            tools=tools,
        )

    return make


def problem_of(seed=0, rows=90, **protocol):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 4, rows)
    x = generator.standard_normal((rows, 6)) + np.eye(4, 6)[y]
    protocol = {"widths": (16,), "epochs": 4, "batch_size": 20, **protocol}
    return Problem(
        x=torch.tensor(x, dtype=torch.float32), y=torch.from_numpy(y), n_classes=4, **protocol
    )


def outputs(solutions, x):
    return [solution.model(x) for solution in solutions]


# Members ------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [True, False], ids=["inputs shared", "inputs of their own"])
@pytest.mark.parametrize("nets", [1, 2])
def test_a_member_of_three_is_bit_for_bit_its_run_beside_one_other(run_of, shared, nets):
    class Several(SupervisedMethod, frozen=True, kw_only=True):
        def loss(self, state, batch, logits):
            return supervised.cross_entropy(logits, batch.y.expand(logits.shape[:-1]))

    Several.nets = nets
    problems = [problem_of(0 if shared else seed) for seed in range(3)]
    x = problems[0].x
    three = outputs(Several().solve_stacked(problems, [run_of(seed) for seed in range(3)]), x)
    for pair in ([0, 1], [1, 2], [2, 0]):
        two = outputs(
            Several().solve_stacked([problems[k] for k in pair], [run_of(k) for k in pair]), x
        )
        for k, found in zip(pair, two, strict=True):
            assert torch.equal(found, three[k])
    assert not torch.equal(three[0], three[1])


def test_a_member_is_its_run_alone_to_a_hundred_thousandth_after_fifty_steps(run_of):
    problems = [problem_of(seed, rows=100, epochs=10) for seed in range(3)]  # 5 steps an epoch
    x = problems[0].x
    stacked = outputs(
        SupervisedMethod().solve_stacked(problems, [run_of(seed) for seed in range(3)]), x
    )
    for seed in range(3):
        alone = SupervisedMethod().solve(problems[seed], run_of(seed)).model(x)
        torch.testing.assert_close(stacked[seed], alone, rtol=0, atol=1e-5)


def test_what_a_member_learns_does_not_depend_on_the_labels_of_another(run_of):
    problems = [problem_of(seed) for seed in range(2)]
    changed = [problems[0], msgspec.structs.replace(problems[1], y=problems[1].y.flip(0))]
    x = problems[0].x
    before, after = (
        outputs(SupervisedMethod().solve_stacked(given, [run_of(0), run_of(1)]), x)
        for given in (problems, changed)
    )
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_a_stack_gives_each_member_the_gradient_of_its_own_mean_loss(run_of):
    problems = [problem_of(seed) for seed in range(3)]
    seeds = Seeds(problems, [run_of(seed) for seed in range(3)])
    nets = StackedMLP((6, 16, 4), [contextlib.nullcontext()] * 3, CPU).double()
    batch = next(seeds.epoch(0))
    batch = msgspec.structs.replace(batch, x=batch.x.double())
    optimiser = torch.optim.SGD(nets.parameters(), lr=0.0)
    supervised.train_step(SupervisedMethod(), nets, optimiser, None, batch)
    for k in range(3):
        weights = [
            parameter.detach()[k].requires_grad_()
            for parameter in (nets.weights[0], nets.biases[0], nets.weights[1], nets.biases[1])
        ]
        hidden = (batch.x[k] @ weights[0].T + weights[1]).relu()
        nn.functional.cross_entropy(hidden @ weights[2].T + weights[3], batch.y[k]).backward()
        for mine, stacked in zip(
            weights, (nets.weights[0], nets.biases[0], nets.weights[1], nets.biases[1]), strict=True
        ):
            torch.testing.assert_close(stacked.grad[k], mine.grad, rtol=1e-12, atol=1e-14)


def test_members_of_one_seed_and_one_problem_are_twins(run_of):
    problem = problem_of()
    twins = outputs(
        SupervisedMethod().solve_stacked([problem, problem], [run_of(3), run_of(3)]), problem.x
    )
    assert torch.equal(*twins)


def test_the_nets_of_a_seed_start_from_different_weights(run_of):
    class Two(SupervisedMethod, frozen=True, kw_only=True):
        def loss(self, state, batch, logits):
            return 0 * supervised.cross_entropy(logits, batch.y.expand(logits.shape[:-1]))

    Two.nets = 2
    problem = problem_of()
    solution = Two().solve(problem, run_of(0))
    other = SupervisedMethod().solve(msgspec.structs.replace(problem, lr=0.0), run_of(0))
    # net 1 starts where a method with one net does
    torch.testing.assert_close(solution.model(problem.x), other.model(problem.x))
    voted = solution.ensemble(problem.x).exp()
    torch.testing.assert_close(voted.sum(-1), torch.ones(90))
    second = 2 * voted - solution.model(problem.x).softmax(-1)  # what the ensemble says of net 2
    assert (second - solution.model(problem.x).softmax(-1)).abs().max() > 0.01


# Batches ------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "size"), [(90, 20), (80, 20), (7, 128), (5, 1)])
def test_an_epoch_visits_every_row_once_in_batches_with_its_inputs_and_labels(run_of, rows, size):
    problems = [problem_of(seed, rows=rows, batch_size=size) for seed in range(3)]
    seeds = Seeds(problems, [run_of(seed) for seed in range(3)])
    batches = list(seeds.epoch(0))
    assert len(batches) == seeds.steps == -(-rows // size)
    assert [batch.rows.shape[1] for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert [batch.step for batch in batches] == list(range(len(batches)))
    for k in range(3):
        order = torch.cat([batch.rows[k] for batch in batches])
        assert order.sort().values.tolist() == list(range(rows))
        assert torch.equal(torch.cat([batch.flat[k] for batch in batches]), order + k * rows)
        assert torch.equal(torch.cat([batch.x[k] for batch in batches]), problems[k].x[order])
        assert torch.equal(torch.cat([batch.y[k] for batch in batches]), problems[k].y[order])


@pytest.mark.parametrize("members", [1, 3])
def test_training_has_the_same_bits_however_many_batches_are_gathered_at_once(
    run_of, monkeypatch, members
):
    problems, found = [problem_of(seed) for seed in range(members)], []
    for block in (1, 2000, 1 << 40):  # a batch, some of them, an epoch
        monkeypatch.setattr("bench.training.seeds._BLOCK", block)
        solutions = SupervisedMethod().solve_stacked(problems, [run_of(k) for k in range(members)])
        found.append(torch.stack([solution.model(problems[0].x) for solution in solutions]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_each_member_and_each_epoch_has_its_own_order(run_of):
    seeds = Seeds([problem_of()] * 3, [run_of(seed) for seed in range(3)])
    orders = {
        tuple(torch.cat([batch.rows[k] for batch in batches]).tolist())
        for batches in (list(seeds.epoch(0)), list(seeds.epoch(1)))
        for k in range(3)
    }
    assert len(orders) == 6


def test_the_order_of_a_seed_is_the_same_for_every_method(tmp_path):
    found = []
    for method in ("ce", "elr"):
        seeds = Seeds(
            [problem_of()], [Run(seed=4, task="t", method=method, device=CPU, workdir=tmp_path)]
        )
        found.append(torch.cat([batch.rows for batch in seeds.epoch(0)], 1))
    assert torch.equal(*found)


# The loop -------------------------------------------------------------------------


def plain_loop(problem, run, weight_decay=0.0):
    """Train on one problem with nothing of the track's but its streams:
    torch's linear layers, SGD and cosine schedule, in float32.
    """
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    with run.seeded("init", 0), torch.no_grad():
        # He: uniform with variance 2 / fan-in, so bound sqrt(6 / fan-in)
        for layer in (net[1], net[3]):
            bound = (6 / layer.in_features) ** 0.5
            layer.weight.uniform_(-bound, bound)
            layer.bias.zero_()
    generator = run.torch_generator("order")
    optimiser = torch.optim.SGD(
        net.parameters(), lr=problem.lr, momentum=problem.momentum, weight_decay=weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, T_max=problem.epochs * -(-len(problem.y) // problem.batch_size)
    )
    for _ in range(problem.epochs):
        for rows in torch.randperm(len(problem.y), generator=generator).split(problem.batch_size):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(problem.x[rows]), problem.y[rows]).backward()
            optimiser.step()
            schedule.step()
    return net


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_training_is_plain_stochastic_gradient_descent_on_a_cosine(run_of, weight_decay):
    problems = [problem_of(seed, epochs=8, weight_decay=weight_decay) for seed in range(2)]
    solutions = SupervisedMethod().solve_stacked(problems, [run_of(0), run_of(1)])
    for seed in range(2):
        expected = plain_loop(problems[seed], run_of(seed), weight_decay)(problems[seed].x)
        torch.testing.assert_close(
            solutions[seed].model(problems[seed].x), expected.detach(), rtol=0, atol=1e-5
        )


def test_the_learning_rate_falls_from_lr_to_almost_zero_along_half_a_cosine(run_of, monkeypatch):
    rates = []

    def spying(method, nets, optimiser, state, batch):
        rates.append(optimiser.param_groups[0]["lr"])

    monkeypatch.setattr(supervised, "train_step", spying)
    SupervisedMethod().solve(problem_of(rows=100, epochs=4, lr=0.08), run_of(0))  # 20 steps
    assert rates[0] == 0.08
    assert rates[10] == pytest.approx(0.04)  # half way down at half time
    assert rates[5] == pytest.approx(0.08 * (0.5 + 0.5**1.5))  # cos 45 degrees
    assert 0 < rates[-1] < 0.08 / 100
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == 20


@pytest.mark.parametrize("nets", [1, 2])
def test_counts_are_epochs_times_rows_times_nets_for_each_member(run_of, nets):
    class Several(SupervisedMethod, frozen=True, kw_only=True):
        def loss(self, state, batch, logits):
            return supervised.cross_entropy(logits, batch.y.expand(logits.shape[:-1]))

    Several.nets = nets
    runs = [run_of(seed) for seed in range(3)]
    Several().solve_stacked([problem_of()] * 3, runs)
    assert [run._counts for run in runs] == [
        {"forward": 4 * 90 * nets, "backward": 4 * 90 * nets}
    ] * 3


def test_each_member_is_reported_and_ticked_once_an_epoch(run_of):
    tools = [Watching() for _ in range(3)]
    SupervisedMethod().solve_stacked(
        [problem_of()] * 3, [run_of(seed, tools[seed]) for seed in range(3)]
    )
    for seed in range(3):
        assert [(found, step) for found, step, _ in tools[seed].seen] == [
            (seed, step) for step in (1, 2, 3, 4)
        ]
        assert tools[seed].ticks == [(done, 4, "epochs") for done in (1, 2, 3, 4)]


def test_a_report_shows_the_model_of_its_member_as_it_is_then(run_of):
    x = problem_of().x
    tools = [Watching(x) for _ in range(2)]
    solutions = SupervisedMethod().solve_stacked(
        [problem_of()] * 2, [run_of(seed, tools[seed]) for seed in range(2)]
    )
    for seed in range(2):
        shown = [logits for _, _, logits in tools[seed].seen]
        assert torch.equal(shown[-1], solutions[seed].model(x))
        assert not any(torch.equal(early, late) for early, late in itertools.pairwise(shown))


def test_reports_do_not_change_what_is_learned(run_of):
    problem = problem_of()
    silent, watched = (
        SupervisedMethod().solve_stacked([problem] * 2, [run_of(seed, tools) for seed in range(2)])
        for tools in (None, Watching(problem.x))
    )
    assert torch.equal(silent[0].model(problem.x), watched[0].model(problem.x))


def test_hooks_are_called_in_order_with_one_state(run_of):
    calls = []

    class Noting(SupervisedMethod, frozen=True, kw_only=True):
        def start(self, seeds):
            calls.append("start")
            return {"members": seeds.members}

        def inputs(self, state, batch):
            calls.append(f"inputs {batch.epoch}.{batch.step}")
            return batch.x

        def loss(self, state, batch, logits):
            calls.append(f"loss {batch.epoch}.{batch.step}")
            return supervised.cross_entropy(logits, batch.y)

        def after_epoch(self, state, epoch):
            calls.append(f"after {epoch}")

        def finish(self, state, seeds):
            calls.append("finish")
            return [{"labels": torch.full((3,), k)} for k in range(state["members"])]

    solutions = Noting().solve_stacked([problem_of(rows=30, epochs=2)] * 2, [run_of(0), run_of(1)])
    steps = [
        [
            f"inputs {epoch}.{step}" if part == 0 else f"loss {epoch}.{step}"
            for step in range(2)
            for part in range(2)
        ]
        + [f"after {epoch}"]
        for epoch in range(2)
    ]
    assert calls == ["start", *steps[0], *steps[1], "finish"]
    assert [solution.labels.tolist() for solution in solutions] == [[0, 0, 0], [1, 1, 1]]


# Parts to replace --------------------------------------------------------------------


def test_a_method_may_choose_the_rows_of_an_epoch(run_of):
    visited = []

    class Halved(SupervisedMethod, frozen=True, kw_only=True):
        def rows(self, state, epoch, orders):
            return orders[:, : orders.shape[1] // 2].repeat_interleave(2, 1)[:, : 30 + epoch]

        def loss(self, state, batch, logits):
            visited.append(batch)
            return supervised.cross_entropy(logits, batch.y)

    problems, runs = [problem_of(seed) for seed in range(2)], [run_of(0), run_of(1)]
    Halved().solve_stacked(problems, runs)
    for epoch in range(4):
        rows = torch.cat([batch.rows for batch in visited if batch.epoch == epoch], 1)
        assert rows.shape == (2, 30 + epoch)
        assert all(len(own.unique()) == 15 + (epoch + 1) // 2 for own in rows)
    for batch in visited:
        for k in range(2):
            assert torch.equal(batch.x[k], problems[k].x[batch.rows[k]])
            assert torch.equal(batch.y[k], problems[k].y[batch.rows[k]])
    assert runs[0]._counts == {"forward": 30 + 31 + 32 + 33, "backward": 30 + 31 + 32 + 33}


def test_a_method_may_bring_an_optimiser_whose_rate_follows_the_schedule(run_of):
    rates = []

    class Adaptive(SupervisedMethod, frozen=True, kw_only=True):
        def optimiser(self, seeds):
            head, *body = reversed(list(seeds.nets.parameters()))
            return torch.optim.Adam([{"params": [head]}, {"params": body}], lr=1.0)

        def step(self, state, nets, optimiser, batch):
            assert isinstance(optimiser, torch.optim.Adam)
            rates.append([group["lr"] for group in optimiser.param_groups])
            super().step(state, nets, optimiser, batch)

    problem = problem_of(lr=0.01)
    found = Adaptive().solve(problem, run_of(0)).model(problem.x)
    assert rates[0] == [0.01, 0.01]
    assert rates[-1][0] == rates[-1][1] < 0.001
    plain = SupervisedMethod().solve(problem, run_of(0)).model(problem.x)
    assert not torch.allclose(found, plain)


def test_a_method_may_take_a_step_in_two_passes(run_of):
    class Ascent(SupervisedMethod, frozen=True, kw_only=True):
        rho: float = 0.0

        def step(self, state, nets, optimiser, batch):
            before = [parameter.detach().clone() for parameter in nets.parameters()]
            optimiser.zero_grad()
            supervised.cross_entropy(nets(batch.x), batch.y).mean(-1).sum().backward()
            with torch.no_grad():
                for parameter in nets.parameters():
                    parameter += self.rho * parameter.grad
            optimiser.zero_grad()
            supervised.cross_entropy(nets(batch.x), batch.y).mean(-1).sum().backward()
            with torch.no_grad():
                for parameter, old in zip(nets.parameters(), before, strict=True):
                    parameter.copy_(old)
            optimiser.step()

    problems = [problem_of(seed) for seed in range(2)]
    plain, still, moved = (
        outputs(method.solve_stacked(problems, [run_of(0), run_of(1)]), problems[0].x)
        for method in (SupervisedMethod(), Ascent(rho=0.0), Ascent(rho=0.1))
    )
    assert torch.equal(plain[1], still[1])
    assert not torch.equal(plain[1], moved[1])


@pytest.mark.parametrize("nets", [1, 2])
def test_the_readout_of_a_net_is_what_is_reported_and_handed_over(run_of, nets):
    class Shifted(SupervisedMethod, frozen=True, kw_only=True):
        def readout(self, state, nets, k):
            inner = super().readout(state, nets, k)
            return lambda x: inner(x) + torch.tensor([0.0, 0.0, 0.0, 100.0 + k])

        def loss(self, state, batch, logits):
            return supervised.cross_entropy(logits, batch.y.expand(logits.shape[:-1]))

    class Plain(Shifted, frozen=True, kw_only=True):
        readout = SupervisedMethod.readout

    Shifted.nets = Plain.nets = nets
    x = problem_of().x
    tools = [Watching(x) for _ in range(2)]
    shifted, plain = (
        method.solve_stacked([problem_of()] * 2, [run_of(0, tools[0]), run_of(1, tools[1])])
        for method in (Shifted(), Plain())
    )
    for k in range(2):
        shift = torch.tensor([0.0, 0.0, 0.0, 100.0 + k])
        assert torch.equal(shifted[k].model(x), plain[k].model(x) + shift)
        assert torch.equal(tools[k].seen[3][2], plain[k].model(x) + shift)
        if nets == 2:
            assert (shifted[k].ensemble(x).argmax(-1) == 3).all()


def test_soft_targets_are_one_hot_rows_or_the_values_themselves(run_of):
    seeds = Seeds([problem_of()], [run_of(0)])
    labels = torch.tensor([[2, 0]])
    assert supervised.soft(seeds, labels).tolist() == [[[0, 0, 1, 0], [1, 0, 0, 0]]]
    values = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    found = supervised.soft(seeds, values)
    assert found.tolist() == [[[0.5], [-1.0]]]
    assert found.dtype == torch.float32


# The stack of nets -----------------------------------------------------------------


def stack_of(members=3, sizes=(6, 5, 4)):
    return StackedMLP(sizes, [contextlib.nullcontext()] * members, CPU)


def test_a_member_follows_its_training_and_carries_no_gradient():
    torch.manual_seed(0)
    nets, x = stack_of(), torch.randn(7, 6)
    member = nets.member(1)
    before = member(x)
    assert not before.requires_grad
    assert list(member.parameters()) == []
    with torch.no_grad():
        nets.weights[1][1] *= 2  # biases are zero, so doubling the last layer doubles the outputs
    torch.testing.assert_close(member(x), 2 * before)
    with torch.no_grad():
        nets.weights[1][0] += 1
    torch.testing.assert_close(member(x), 2 * before)  # another member's weights are nothing to it


def test_the_stack_maps_each_member_s_inputs_as_that_member_does():
    torch.manual_seed(0)
    nets, x = stack_of().double(), torch.randn(3, 7, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        for bias in nets.biases:
            bias.normal_()
    found = nets(x)
    for k in range(3):
        torch.testing.assert_close(found[k], nets.member(k)(x[k]))


def test_the_written_out_gradient_of_a_layer_is_the_numerical_one():
    torch.manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((3, 5, 4), (3, 2, 4), (3, 1, 2))
    )
    assert torch.autograd.gradcheck(_Affine.apply, (x, weight, bias))
    assert torch.autograd.gradcheck(
        lambda weight, bias: _Affine.apply(x.detach(), weight, bias), (weight, bias)
    )


def test_the_written_out_gradient_of_a_layer_is_autograd_s():
    torch.manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((3, 5, 4), (3, 2, 4), (3, 1, 2))
    )
    outer = torch.randn(3, 5, 2, dtype=torch.float64)
    plain = torch.einsum("kbi,koi->kbo", x, weight) + bias
    torch.testing.assert_close(_Affine.apply(x, weight, bias), plain)
    written = torch.autograd.grad(_Affine.apply(x, weight, bias), (x, weight, bias), outer)
    for mine, expected in zip(
        written, torch.autograd.grad(plain, (x, weight, bias), outer), strict=True
    ):
        torch.testing.assert_close(mine, expected)


def test_weights_are_he_uniform_and_biases_zero():
    torch.manual_seed(0)
    nets = stack_of(4, (300, 200, 10))
    for weight, inner in zip(nets.weights, (300, 200), strict=True):
        bound = (6 / inner) ** 0.5
        assert weight.abs().max() <= bound
        # 8,000 draws at least: relative error about .01
        assert weight.var().item() == pytest.approx(2 / inner, rel=0.05)
        assert not torch.equal(weight[0], weight[1])
    assert all((bias == 0).all() for bias in nets.biases)


def test_stream_of_the_initial_weights_is_the_seed_s_and_leaves_the_global_stream_alone(run_of):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (
        StackedMLP((6, 5, 4), [run_of(seed).seeded("init", 0) for seed in given], CPU)
        for given in ((1, 2), (2, 3))
    )
    assert torch.equal(first.weights[0][1], second.weights[0][0])
    assert not torch.equal(first.weights[0][0], second.weights[0][0])
    assert torch.equal(torch.get_rng_state(), before)


# Other nets, augmentation ------------------------------------------------------------


def pictures_of(seed=0, **protocol):
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 4, 40)
    x = generator.standard_normal((40, 3, 6, 6)) + np.eye(4, 3)[y][..., None, None]
    protocol = {"net": "cnn", "widths": (4, 6), "epochs": 2, "batch_size": 16, **protocol}
    return Problem(
        x=torch.tensor(x, dtype=torch.float32), y=torch.from_numpy(y), n_classes=4, **protocol
    )


@pytest.mark.parametrize("net", ["cnn", "resnet18", "preactresnet18"])
def test_a_convolutional_member_is_bit_for_bit_its_run_alone_with_augmentation(run_of, net):
    problems = [pictures_of(seed, net=net, flip=True, crop=2) for seed in range(3)]
    x = problems[0].x
    three = outputs(
        SupervisedMethod().solve_stacked(problems, [run_of(seed) for seed in range(3)]), x
    )
    for seed in range(3):
        assert torch.equal(
            SupervisedMethod().solve(problems[seed], run_of(seed)).model(x), three[seed]
        )
    assert not torch.equal(three[0], three[1])


def test_augmented_inputs_are_the_same_for_every_method_and_new_in_each_epoch(tmp_path):
    problem = pictures_of(flip=True, crop=1)
    seen = {}
    for method in ("ce", "elr"):
        seeds = Seeds(
            [problem], [Run(seed=4, task="t", method=method, device=CPU, workdir=tmp_path)]
        )
        seen[method] = []
        for epoch in range(2):
            batches = list(seeds.epoch(epoch))
            rows, x = (
                torch.cat([getattr(batch, name) for batch in batches], 1)[0]
                for name in ("rows", "x")
            )
            seen[method].append(x[rows.argsort()])
    assert all(torch.equal(one, other) for one, other in zip(seen["ce"], seen["elr"], strict=True))
    assert not torch.equal(*seen["ce"])
    assert not torch.equal(seen["ce"][0], problem.x)
    plain = Seeds(
        [pictures_of()], [Run(seed=4, task="t", method="ce", device=CPU, workdir=tmp_path)]
    )
    assert torch.equal(
        next(plain.epoch(0)).rows,
        next(
            Seeds(
                [problem], [Run(seed=4, task="t", method="x", device=CPU, workdir=tmp_path)]
            ).epoch(0)
        ).rows,
    )


def test_half_precision_is_near_and_leaves_parameters_and_outputs_in_float32(run_of):
    full = SupervisedMethod().solve(pictures_of(lr=0.01), run_of(0))
    half = SupervisedMethod().solve(pictures_of(lr=0.01, precision="bfloat16"), run_of(0))
    x = pictures_of().x
    assert half.model(x).dtype == torch.float32
    # bfloat16 has three decimal digits
    torch.testing.assert_close(half.model(x), full.model(x), rtol=0, atol=0.1)
    assert not torch.equal(half.model(x), full.model(x))


def test_half_precision_of_a_perceptron_is_refused(run_of):
    with pytest.raises(BenchError, match="'mlp' computes in float32 alone"):
        SupervisedMethod().solve(problem_of(precision="bfloat16"), run_of(0))
