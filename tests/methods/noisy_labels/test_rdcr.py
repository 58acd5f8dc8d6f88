"""Rotation and consistency against their formula and their limit."""

import math

import pytest
import torch
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.rdcr import RotationConsistency
from noisy_helpers import trained

from bench.errors import BenchError
from bench.tracks.noisy_labels import Seeds


def test_without_its_two_extra_terms_it_is_cross_entropy(toy, run_of):
    problems = [toy(seed, shape=(1, 2, 2), epochs=10) for seed in range(2)]
    mine = trained(
        RotationConsistency(rotation=0.0, consistency=0.0), problems, [run_of(0), run_of(1)]
    )
    expected = trained(CrossEntropy(), problems, [run_of(0), run_of(1)])
    for pair in zip(mine, expected, strict=True):
        torch.testing.assert_close(*pair, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "weights", [{"rotation": 0.5, "consistency": 0.0}, {"rotation": 0.0, "consistency": 3.0}]
)
def test_each_term_counts(toy, run_of, weights):
    problem = toy(shape=(1, 2, 2))
    assert (
        trained(RotationConsistency(**weights), [problem], [run_of(0)])[0]
        - trained(CrossEntropy(), [problem], [run_of(0)])[0]
    ).abs().max() > 1e-3


def test_rows_are_turned_by_the_quarters_drawn_and_the_loss_is_its_formula(toy, run_of):
    problems = [toy(seed, shape=(1, 2, 2), rows=40) for seed in range(2)]
    method = RotationConsistency(rotation=0.7, consistency=3.0, consistency_ramp=0.5, average=0.9)
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    seeds.nets = seeds.build(extra=4)
    state = method.start(seeds)
    torch.manual_seed(0)
    average = {name: value.clone() for name, value in seeds.nets.state_dict().items()}
    for step, batch in enumerate(seeds.epoch(0)):
        outputs = method.forward(state, seeds.nets, batch).detach()
        for k in range(2):
            for i in range(batch.y.shape[1]):
                quarters = int(state.turns[batch.step][k, i])
                turned = torch.rot90(batch.x[k, i, 0], quarters)[None]
                torch.testing.assert_close(
                    outputs[1, k, i], seeds.nets.member(k)(turned[None])[0], rtol=0, atol=1e-5
                )
                torch.testing.assert_close(
                    outputs[0, k, i],
                    seeds.nets.member(k)(batch.x[k, i : i + 1])[0],
                    rtol=0,
                    atol=1e-5,
                )
        memory = min(0.9, 1 - 1 / (step + 1))
        average = {
            name: memory * average[name] + (1 - memory) * value
            for name, value in seeds.nets.state_dict().items()
        }
        found = method.loss(state, batch, outputs)
        for name, value in state.teacher.state_dict().items():
            torch.testing.assert_close(value, average[name])
        ramp = math.exp(-5 * (1 - min(1.0, step / (0.5 * state.total))) ** 2)
        for k in range(2):
            teacher = state.teacher.member(k)(batch.x[k])[:, :4].softmax(-1)
            for i in range(batch.y.shape[1]):
                p, turn = outputs[0, k, i, :4].softmax(-1), outputs[1, k, i, 4:].softmax(-1)
                expected = (
                    -p[batch.y[k, i]].log()
                    - 0.7 * turn[state.turns[batch.step][k, i]].log()
                    + 3 * ramp * ((p - teacher[i]) ** 2).sum()
                )
                torch.testing.assert_close(found[k, i], expected, rtol=1e-5, atol=1e-6)
        with torch.no_grad():
            for parameter in seeds.nets.parameters():
                parameter += 0.1 * torch.randn_like(parameter)  # as a step would


def test_turns_are_uniform_and_each_member_s_own(toy, run_of):
    seeds = Seeds([toy(rows=2000, shape=(1, 2, 2))] * 2, [run_of(0), run_of(1)])
    seeds.nets = seeds.build(extra=4)
    turns = torch.cat(RotationConsistency().start(seeds).turns, 1)
    for k in range(2):
        assert (turns[k].bincount(minlength=4) - 500).abs().max() < 4 * (2000 * 0.25 * 0.75) ** 0.5
    assert not torch.equal(turns[0], turns[1])


def test_the_two_heads_share_all_but_the_last_layer_and_the_first_has_the_weights_of_a_net_without_the_second(
    toy, run_of
):
    seeds = Seeds([toy(shape=(1, 2, 2))], [run_of(0)])
    both, one = seeds.build(extra=4), Seeds([toy(shape=(1, 2, 2))], [run_of(0)]).build()
    assert torch.equal(both.weights[0], one.weights[0])
    assert torch.equal(both.weights[1][:, :4], one.weights[1])
    assert both.weights[1].shape[1] == 8


@pytest.mark.parametrize("shape", [None, (1, 2, 3)])
def test_inputs_that_are_no_square_images_are_refused_in_a_sentence(toy, run_of, shape):
    with pytest.raises(BenchError, match="square images"):
        RotationConsistency().solve(toy(shape=shape), run_of(0))


def test_the_model_has_no_outputs_for_turns(toy, run_of):
    problem = toy(shape=(1, 2, 2))
    assert RotationConsistency().solve(problem, run_of(0)).model(problem.x).shape == (70, 4)
