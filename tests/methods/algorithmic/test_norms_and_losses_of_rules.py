"""Batch normalisation and generalised cross entropy on tables: formulas by torch and by hand, and
limits in which they are something else.
"""

import pytest
import torch
from bench.builtin.methods.algorithmic.batch_norm import BatchNorm
from bench.builtin.methods.algorithmic.gce import GeneralisedCrossEntropy
from test_learners_of_rules import a_run, answers, pairs, signs

from bench.errors import ParameterError
from bench.tracks.algorithmic import Batch, Members


@pytest.mark.parametrize("make", [pairs, signs])
def test_units_are_normalised_as_torch_does_it(make, tmp_path):
    method, members = BatchNorm(), Members([make()], [a_run(tmp_path)])
    members.nets = members.build()
    members.optimiser = torch.optim.Adam(members.nets.parameters())
    state, batch = method.start(members), members.batch(0, None)
    norm = torch.nn.BatchNorm1d(8)
    for _ in range(3):
        found = method.forward(state, members, batch)[0]
        by_torch = members.nets.head(norm(members.nets.features(batch.x)[0])[None])[0]
        torch.testing.assert_close(found, by_torch)
    norm.eval()
    x = members.problem.x
    by_torch = members.nets.head(norm(members.nets.features(x[None])[0])[None])[0]
    torch.testing.assert_close(method.readout(state, members, 0)(x), by_torch)


def test_scale_and_shift_are_learned_and_the_model_keeps_what_it_was(tmp_path):
    method, members = BatchNorm(), Members([pairs(steps=5)], [a_run(tmp_path)])
    members.nets = members.build()
    state = method.fit(members)
    assert float((state.scale.detach() - 1).abs().max()) > 0
    assert float(state.shift.detach().abs().max()) > 0
    assert [group["betas"] for group in members.optimiser.param_groups] == [(0.9, 0.98)] * len(
        members.optimiser.param_groups
    )


@pytest.mark.parametrize(
    ("method", "make"),
    [(BatchNorm(), pairs), (BatchNorm(), signs), (GeneralisedCrossEntropy(), pairs)],
)
def test_a_seed_has_the_same_bits_whatever_stands_beside_it(method, make, tmp_path):
    three = method.solve_stacked(
        [make(s) for s in range(3)], [a_run(tmp_path, s) for s in range(3)]
    )
    two = method.solve_stacked([make(s) for s in (1, 2)], [a_run(tmp_path, s) for s in (1, 2)])
    x = make(0).x
    assert torch.equal(three[1].model(x), two[0].model(x))
    assert torch.equal(three[2].model(x), two[1].model(x))


def test_the_loss_is_the_one_of_the_paper_and_at_one_the_absolute_error():
    generator = torch.Generator().manual_seed(0)
    outputs, y = torch.randn(2, 3, 4, generator=generator), torch.tensor([[0, 1, 2], [3, 3, 0]])
    batch = Batch(0, y, y[..., None], y)
    p = outputs.softmax(-1).gather(-1, y[..., None])[..., 0]
    for q in (0.3, 0.7, 1.0):
        found = GeneralisedCrossEntropy(q=q).loss(None, batch, outputs)
        torch.testing.assert_close(found, (1 - p**q) / q)
    nearly = GeneralisedCrossEntropy(q=1e-4).loss(None, batch, outputs)
    torch.testing.assert_close(nearly, -p.log(), rtol=1e-3, atol=1e-3)


def test_both_learn_the_pairs_that_they_see(tmp_path):
    for method in (BatchNorm(), GeneralisedCrossEntropy()):
        problem = pairs(steps=200, units=32, lr=0.03)
        said = answers(method, problem, tmp_path).argmax(1)
        assert float((said == problem.y).double().mean()) > 0.6


def test_values_out_of_range_end_in_a_sentence():
    with pytest.raises(ParameterError, match="momentum"):
        BatchNorm(momentum=0.0)
    with pytest.raises(ParameterError, match="q"):
        GeneralisedCrossEntropy(q=1.5)
