"""Limits in which a method is another one, bit for bit or but for
rounding, and what every method must keep to.
"""

import msgspec
import pytest
import torch
from bench.builtin.methods.unlearning.bad_teacher import BadTeacher
from bench.builtin.methods.unlearning.cf_k import LastLayers
from bench.builtin.methods.unlearning.ft import FineTune
from bench.builtin.methods.unlearning.ga import GradientAscent
from bench.builtin.methods.unlearning.iu import InfluenceUnlearning
from bench.builtin.methods.unlearning.l1_sparse import L1Sparse
from bench.builtin.methods.unlearning.l_codec import LCodec
from bench.builtin.methods.unlearning.laf import LabelAgnosticForgetting
from bench.builtin.methods.unlearning.neggrad_plus import NegGradPlus
from bench.builtin.methods.unlearning.original import Original
from bench.builtin.methods.unlearning.prune_then import PruneThen
from bench.builtin.methods.unlearning.random_label import RandomLabel
from bench.builtin.methods.unlearning.retrain import Retrain
from bench.builtin.methods.unlearning.salun import SalUn
from bench.builtin.methods.unlearning.scrub import Scrub
from bench.builtin.methods.unlearning.ssd import SelectiveSynapticDampening
from bench.builtin.methods.unlearning.stochastic_teacher import StochasticTeacher
from bench.builtin.methods.unlearning.visual_memory import VisualMemory

from bench.tracks.unlearning import Group
from bench.training.nets import plain

METHODS = [
    Original(),
    Retrain(),
    FineTune(epochs=3),
    GradientAscent(rate=2, epochs=3),
    NegGradPlus(epochs=3),
    RandomLabel(epochs=3),
    RandomLabel(order="mixed", epochs=3),
    SalUn(epochs=3),
    L1Sparse(epochs=3),
    PruneThen(rewind=2),
    PruneThen(then="ga", rewind=2),
    Scrub(epochs=3),
    BadTeacher(),
    StochasticTeacher(rebuild=2),
    SelectiveSynapticDampening(),
    SelectiveSynapticDampening(alpha=3.0),
    VisualMemory(),
    LCodec(copies=20, batch=5, drop=100.0),
    LabelAgnosticForgetting(vae_epochs=1, epochs=1),
    LastLayers(epochs=3),
    LastLayers(k=1, fresh=True, epochs=3),
    InfluenceUnlearning(rows=20, iterations=3),
    InfluenceUnlearning(rows=5, compat=True),
]
NAMES = [f"{method.card.name}-{position}" for position, method in enumerate(METHODS)]


def outputs(method, problems, runs):
    return [
        solution.model(problem.x)
        for solution, problem in zip(method.solve_stacked(problems, runs), problems, strict=True)
    ]


def same(one, other, toy, run_of):
    """Both methods on the same three problems; their private streams bear one name."""
    problems = [toy(seed) for seed in range(3)]
    found = [
        outputs(method, problems, [run_of(seed) for seed in range(3)]) for method in (one, other)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    return found[0], problems


def test_gradient_ascent_of_learning_rate_0_is_the_original(toy, run_of):
    same(GradientAscent(rate=0), Original(), toy, run_of)


def test_l1_of_weight_0_is_fine_tuning(toy, run_of):
    same(L1Sparse(alpha=0.0, lr=0.1, epochs=4), FineTune(rate=2, epochs=4), toy, run_of)


def test_neggrad_plus_of_weight_1_is_fine_tuning(toy, run_of):
    same(NegGradPlus(alpha=1.0, lr=0.1, epochs=4), FineTune(rate=2, epochs=4), toy, run_of)


@pytest.mark.parametrize("k", [3, 7])
def test_fine_tuning_of_the_last_layers_is_fine_tuning_when_these_are_all(toy, run_of, k):
    same(LastLayers(k=k, rate=2, epochs=4), FineTune(rate=2, epochs=4), toy, run_of)


def test_influence_of_step_0_is_the_original(toy, run_of):
    same(InfluenceUnlearning(alpha=0.0, rows=10, iterations=2), Original(), toy, run_of)


@pytest.mark.parametrize("order", ["alternate", "mixed"])
def test_salun_that_trains_every_weight_is_random_label(toy, run_of, order):
    moved, problems = same(
        SalUn(rate=1.0, lr=0.1, epochs=3, order=order),
        RandomLabel(lr=0.1, epochs=3, order=order),
        toy,
        run_of,
    )
    assert not torch.equal(moved[0], outputs(Original(), problems[:1], [run_of(0)])[0])


def test_dampening_that_asks_for_an_endless_ratio_is_the_original(toy, run_of):
    same(SelectiveSynapticDampening(alpha=1e30), Original(), toy, run_of)


def test_scrub_and_bad_teaching_of_no_epoch_are_the_original(toy, run_of):
    same(Scrub(epochs=0), BadTeacher(epochs=0), toy, run_of)
    same(Scrub(epochs=0), Original(), toy, run_of)


def test_scrub_without_max_steps_and_divergence_is_fine_tuning(toy, run_of):
    same(
        Scrub(msteps=0, alpha=0.0, gamma=1.0, lr=0.1, epochs=4, falling=False),
        FineTune(rate=2, epochs=4, falling=False),
        toy,
        run_of,
    )


def test_a_stochastic_teacher_that_never_erases_is_fine_tuning(toy, run_of):
    same(
        StochasticTeacher(erase=0, alpha=0.0, lr=0.1, rebuild=4),
        FineTune(rate=2, epochs=4),
        toy,
        run_of,
    )


# Every method ---------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_member_s_outputs_are_bit_for_bit_the_same_beside_one_other_or_two(method, toy, run_of):
    problems = [toy(seed) for seed in range(3)]
    three = outputs(method, problems, [run_of(seed) for seed in range(3)])
    two = outputs(method, problems[1:], [run_of(seed) for seed in (1, 2)])
    assert torch.equal(two[0], three[1])
    assert torch.equal(two[1], three[2])


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_member_of_a_size_of_its_own_has_the_same_bits_as_among_its_like(method, toy, run_of):
    problems = [toy(0), toy(1), toy(2, forget=12)]
    lonely = outputs(method, problems, [run_of(seed) for seed in range(3)])[2]
    among = outputs(method, [toy(2, forget=12), toy(3, forget=12)], [run_of(2), run_of(3)])[0]
    assert torch.equal(lonely, among)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_member_alone_is_its_member_of_a_stack_but_for_rounding(method, toy, run_of):
    problems = [toy(seed) for seed in range(2)]
    stacked = outputs(method, problems, [run_of(0), run_of(1)])
    alone = method.solve(problems[0], run_of(0)).model(problems[0].x)
    torch.testing.assert_close(
        alone,
        stacked[0],
        rtol=0,
        atol=1e-3 if method.card.name in ("neggrad-plus", "prune-then", "l-codec", "laf") else 1e-4,
    )


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_the_problem_is_left_as_it_was_and_every_visit_is_counted(method, toy, run_of):
    problem, run = toy(), run_of()
    before = {name: value.clone() for name, value in problem.weights.items()}
    x, y = problem.x.clone(), problem.y.clone()
    solution = method.solve(problem, run)
    assert all(torch.equal(problem.weights[name], value) for name, value in before.items())
    assert torch.equal(problem.x, x)
    assert torch.equal(problem.y, y)
    assert solution.precompute <= sum(run._counts.values())
    assert (sum(run._counts.values()) == 0) == (method.card.name in ("original", "visual-memory"))


@pytest.mark.parametrize(
    "method",
    [
        method
        for method in METHODS
        if method.card.name not in ("original", "ga", "ssd", "prune-then")
    ],
    ids=lambda method: method.card.name,
)
def test_what_the_rows_to_forget_hold_reaches_no_member_but_through_the_original(
    method, toy, run_of
):
    """Methods that touch R alone must not read S; the others are shown to read it."""
    problem = toy()
    other = msgspec.structs.replace(
        problem, x=torch.where(problem.forget[:, None], -problem.x, problem.x)
    )
    probe = problem.x[~problem.forget]
    unmoved = torch.equal(
        method.solve(problem, run_of()).model(probe), method.solve(other, run_of()).model(probe)
    )
    assert unmoved == (method.card.name in ("retrain", "ft", "cf-k", "l1-sparse", "visual-memory"))


# Convolutional nets -----------------------------------------------------------------


def pictures(toy, seed, net, **protocol):
    """The toy problem with an original that is convolutional. Pictures and features fill 64 bytes
    each: where in memory odd ones lie changes how products are rounded.
    """
    return toy(seed, shape=(1, 4, 4), net=net, widths=(4, 16), **protocol)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_convolutional_member_unlearns_bit_for_bit_the_same_beside_one_other_or_two(
    method, toy, run_of
):
    problems = [pictures(toy, seed, "cnn") for seed in range(3)]
    before = [
        {name: value.clone() for name, value in problem.weights.items()} for problem in problems
    ]
    three = method.solve_stacked(problems, [run_of(seed) for seed in range(3)])
    two = method.solve_stacked(problems[1:], [run_of(seed) for seed in (1, 2)])
    for one, other, problem in zip(three[1:], two, problems[1:], strict=True):
        assert torch.equal(one.model(problem.x), other.model(problem.x))
        assert one.weights is None or one.weights.keys() == problem.weights.keys()
    assert all(
        torch.equal(problem.weights[name], value)
        for problem, table in zip(problems, before, strict=True)
        for name, value in table.items()
    )
    moved = not torch.equal(
        three[0].model(problems[0].x), Original().solve(problems[0], run_of()).model(problems[0].x)
    )
    # which may find nothing worth dampening
    assert moved or method.card.name == "original" or method.card.name == "ssd"


@pytest.mark.parametrize("net", ["cnn", "resnet18", "preactresnet18"])
def test_a_convolutional_original_keeps_its_statistics_and_is_the_ordinary_module_of_its_table(
    toy, run_of, net
):
    problem = pictures(toy, 0, net)
    unmoved = Scrub(epochs=0).solve(problem, run_of())
    assert all(torch.equal(unmoved.weights[name], value) for name, value in problem.weights.items())
    module = plain(net, (1, 4, 4), 4, (4, 16))
    assert not module.load_state_dict(problem.weights, strict=False).missing_keys
    assert torch.equal(unmoved.model(problem.x), module.eval()(problem.x))
    moved = FineTune(epochs=1).solve(problem, run_of()).weights
    assert any(
        not torch.equal(moved[name], problem.weights[name])
        for name in moved
        if "running_mean" in name
    )


@pytest.mark.parametrize("net", ["cnn", "resnet18", "preactresnet18"])
def test_what_leads_into_a_channel_moves_no_other_channel(toy, run_of, net):
    problem = pictures(toy, 0, net)
    nets = Group([problem], [run_of()]).originals().eval()
    x, chosen = problem.x[None], torch.zeros(1, 16)
    chosen[0, 2] = 1
    into = nets.into(chosen, torch.zeros(1, 4))
    assert [int(part.sum()) for part in into if part.any()] == [
        9 * (4 if net == "cnn" else 16),
        1,
        1,
    ]
    before = nets.features(x).detach()
    with torch.no_grad():
        for parameter, part in zip(nets.parameters(), into, strict=True):
            parameter += 0.5 * part.view_as(parameter)
    moved = (nets.features(x) != before).any(1)[0]
    assert moved.nonzero()[:, 0].tolist() == [2]


# What a method may see --------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["x_test", "oracle", "retrained", "shadows", "corrupted", "y_true"]
)
def test_reaching_for_hidden_things_fails_with_a_sentence(toy, name):
    with pytest.raises(
        AttributeError, match=f"a method sees no '{name}': test rows, retrained and shadow models"
    ):
        getattr(toy(trained=False), name)
