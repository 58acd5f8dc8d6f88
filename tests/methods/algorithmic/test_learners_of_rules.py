"""Learners of tables: formulas by hand, limits in which a method is plain training, and that the
rule is found where it should be.
"""

import pytest
import torch
from bench.builtin.methods.algorithmic.degree_curriculum import DegreeCurriculum
from bench.builtin.methods.algorithmic.dropout import Dropout
from bench.builtin.methods.algorithmic.ipr_prune import IprPrune, participation
from bench.builtin.methods.algorithmic.low_degree import LowDegree, monomials
from bench.builtin.methods.algorithmic.plain import Plain
from bench.builtin.methods.algorithmic.trim import Trim
from bench.builtin.methods.algorithmic.weight_decay import WeightDecay

from bench.errors import ParameterError
from bench.runs.context import Run
from bench.runs.tools import Tools
from bench.tracks.algorithmic import Batch, Members, Problem, squared
from bench.training.square_net import SquareNets


class Deaf(Tools):
    """Nobody looks at reports."""

    def report(self, run, step, model):
        """Look away."""

    def progress(self, done, total, label):
        """Look away."""


def a_run(folder, seed=0):
    return Run(
        seed=seed,
        task="algorithmic/toy",
        method="algorithmic/x",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Deaf(),
    )


def pairs(seed=0, p=5, steps=6, units=8, share=15, **fields):
    """Some pairs modulo p, with the net of two codes."""
    chosen = torch.randperm(p * p, generator=torch.Generator().manual_seed(seed))[:share]
    x = torch.stack([chosen // p, chosen % p], 1)
    fields = {"batch_size": 0, "lr": 0.01, "betas": (0.9, 0.98), **fields}
    return Problem(
        x=x,
        y=x.sum(1) % p,
        n_out=p,
        symbols=p,
        net="square",
        widths=(units,),
        steps=steps,
        codes=True,
        **fields,
    )


def signs(seed=0, d=4, rows=12, steps=6, **fields):
    """Some rows of a parity."""
    whole = torch.tensor([[1.0 - 2 * (place >> k & 1) for k in range(d)] for place in range(2**d)])
    x = whole[torch.randperm(2**d, generator=torch.Generator().manual_seed(seed))[:rows]]
    named = {"widths": (8,), "batch_size": 4, "signs": True, **fields}
    return Problem(x=x, y=x.prod(1), n_out=1, steps=steps, **named)


def answers(method, problem, folder, seed=0):
    solution = method.solve(problem, a_run(folder, seed))
    return solution.model(problem.x)


@pytest.mark.parametrize("method", [WeightDecay(strength=0.0), Dropout(rate=0.0), Trim(share=0.0)])
def test_without_its_part_a_method_is_plain_training_bit_for_bit(method, tmp_path):
    for problem in (pairs(), signs()):
        assert torch.equal(answers(method, problem, tmp_path), answers(Plain(), problem, tmp_path))


def test_pruning_nothing_is_weight_decay_and_a_ball_of_all_rows_is_plain_training(tmp_path):
    problem = pairs()
    pruned = answers(IprPrune(strength=3.0, share=0.0), problem, tmp_path)
    assert torch.equal(pruned, answers(WeightDecay(strength=3.0), problem, tmp_path))
    # with a leap of all bits the first ball is the cube; rows are drawn in another way
    other = signs(rows=16)
    ball = answers(DegreeCurriculum(leap=4), other, tmp_path)
    assert torch.equal(ball, answers(Plain(), other, tmp_path))


@pytest.mark.parametrize(
    ("method", "make"),
    [
        (Plain(), pairs),
        (WeightDecay(), pairs),
        (Dropout(), pairs),
        (Trim(), pairs),
        (IprPrune(), pairs),
        (Plain(), signs),
        (DegreeCurriculum(), signs),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_a_seed_gets_the_same_bits_whoever_stands_beside_it(method, make, tmp_path):
    three = method.solve_stacked(
        [make(s) for s in range(3)], [a_run(tmp_path, s) for s in range(3)]
    )
    two = method.solve_stacked([make(s) for s in (1, 2)], [a_run(tmp_path, s) for s in (1, 2)])
    x = make(0).x
    assert torch.equal(three[1].model(x), two[0].model(x))
    assert torch.equal(three[2].model(x), two[1].model(x))


def test_the_net_of_two_codes_is_the_product_of_one_hot_rows(tmp_path):
    nets = SquareNets(
        5, 8, 5, [a_run(tmp_path, s).seeded("init") for s in (0, 1)], torch.device("cpu")
    )
    x = torch.tensor([[[0, 4], [2, 2], [1, 0]]] * 2)
    hot = torch.nn.functional.one_hot(x, 5).float()
    by_hand = (hot[:, :, 0] @ nets.first + hot[:, :, 1] @ nets.second) ** 2 @ nets.out.mT
    assert torch.allclose(nets(x), by_hand, atol=1e-6)
    assert torch.allclose(nets.member(1)(x[1]), by_hand[1], atol=1e-6)


def test_weights_shrink_beside_the_step_as_adamw_has_it(tmp_path):
    problem = pairs(steps=3)
    found = WeightDecay(strength=5.0).solve(problem, a_run(tmp_path)).units
    members = Members([problem], [a_run(tmp_path)])
    nets = members.build()
    optimiser = torch.optim.AdamW(nets.parameters(), 0.01, (0.9, 0.98), weight_decay=5.0)
    for _ in range(3):
        optimiser.zero_grad()
        squared(nets(members.x), members.y).mean().backward()
        optimiser.step()
    by_torch = torch.stack([own.detach()[0].T for own in (nets.first, nets.second, nets.out)])
    assert torch.allclose(found, by_torch, atol=1e-6)


def test_the_squared_error_is_the_mean_over_one_hot_outputs():
    outputs = torch.tensor([[[0.5, 0.0], [0.0, 2.0]]])
    assert squared(outputs, torch.tensor([[0, 1]])).tolist() == [[0.125, 0.5]]
    assert squared(outputs[..., :1], torch.tensor([[1.0, 1.0]])).tolist() == [[0.25, 1.0]]


def test_trimming_leaves_the_largest_losses_out():
    outputs = torch.tensor([[[1.0], [3.0], [0.0], [2.0]]])
    batch = Batch(0, torch.zeros(1, 4), torch.zeros(1, 4, 2), torch.zeros(1, 4))
    assert sorted(Trim(share=0.5).loss(None, batch, outputs)[0].tolist()) == [0.0, 1.0]


def test_the_units_of_the_least_participation_are_removed(tmp_path):
    solution = IprPrune(share=0.5, strength=0.0).solve(pairs(p=7, share=30), a_run(tmp_path))
    kept = solution.units[2].any(1)
    assert int(kept.sum()) == 4
    ratio = sum(participation(own.T[None])[0] for own in solution.units[:2])
    assert ratio.shape == (8,)
    place = torch.arange(9.0)
    wave = (2 * torch.pi * 2 * place / 9).cos()
    flat = torch.zeros(9)
    flat[0] = 1
    found = participation(torch.stack([wave, flat], 1)[None])
    assert torch.allclose(found, torch.tensor([[1.0, 0.25]]).double(), atol=1e-6)


def test_a_ball_grows_when_its_loss_is_small_and_shows_no_other_row(tmp_path):
    members = Members([signs(rows=16), signs(1, rows=16)], [a_run(tmp_path, s) for s in (0, 1)])
    method = DegreeCurriculum(leap=2, enough=0.5)
    state = method.start(members)
    negative = (members.x < 0).sum(2)
    assert torch.equal(method.allowed(state, members, 0), negative <= 2)
    batch = members.batch(0, method.allowed(state, members, 0))
    assert (negative.gather(1, batch.rows) <= 2).all()
    for _ in range(9):
        method.after_step(state, members, batch, torch.tensor([[0.0], [1.0]]))
    assert state.radius.tolist() == [4, 2]


def test_the_least_degree_is_raised_until_the_rows_are_fitted(tmp_path):
    problem = signs(rows=16)
    model = LowDegree().solve(problem, a_run(tmp_path)).model
    assert torch.allclose(model(problem.x)[:, 0], problem.y, atol=1e-3)
    assert len(model.weights) == 16  # all degrees up to 4
    assert monomials(3, 2) == [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]


def test_weight_decay_finds_the_rule_where_plain_training_fits_and_does_not(tmp_path):
    p, share = 13, 118
    problem = pairs(p=p, share=share, units=64, steps=150)
    every = torch.cartesian_prod(torch.arange(p), torch.arange(p))

    def right(method):
        model = method.solve(problem, a_run(tmp_path)).model
        whole = (model(every).argmax(1) == every.sum(1) % p).double().mean()
        fitted = (model(problem.x).argmax(1) == problem.y).double().mean()
        return float(whole), float(fitted)

    plain, decayed = right(Plain()), right(WeightDecay(strength=5.0))
    assert plain[1] == 1
    assert decayed[0] > plain[0] + 0.05, (plain, decayed)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (WeightDecay, {"strength": -1.0}),
        (Dropout, {"rate": 1.0}),
        (Trim, {"share": 1.0}),
        (IprPrune, {"share": -0.1}),
        (DegreeCurriculum, {"leap": 0}),
        (LowDegree, {"ridge": 0.0}),
        (LowDegree, {"ridge": 1e30}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)
