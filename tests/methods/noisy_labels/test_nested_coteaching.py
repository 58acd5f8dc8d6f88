"""Nested dropout and Co-teaching against slow counts and a limit."""

import itertools
import math

import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_labels.nested_coteaching import (
    NestedCoTeaching,
    _State,
    without_bias,
)
from scipy import stats

from bench.tracks.noisy_labels import NoisyLabelMethod, Seeds, sgd, train


def ready(method, toy, run_of, **protocol):
    seeds, held = method._narrowed(
        Seeds([toy(seed, **protocol) for seed in range(2)], [run_of(0), run_of(1)])
    )
    seeds.nets = without_bias(seeds.build(2))
    return seeds, held, _State(seeds, held, method)


def test_with_all_channels_the_first_net_is_cross_entropy_without_a_last_bias_on_the_rows_not_held_out(
    toy, run_of
):
    method = NestedCoTeaching(nested=0.0, finetune=0.0)
    mine, _, state = ready(method, toy, run_of, epochs=9)
    train(method, mine, state)
    seeds, _ = NestedCoTeaching()._narrowed(
        Seeds([toy(seed, epochs=9) for seed in range(2)], [run_of(0), run_of(1)])
    )
    seeds.nets = without_bias(seeds.build())
    train(NoisyLabelMethod(), seeds, None)
    x = seeds.problem.x
    for k in range(2):
        torch.testing.assert_close(
            mine.nets.member(k)(x), seeds.nets.member(k)(x), rtol=0, atol=1e-5
        )
        assert not seeds.nets.member(k).head(torch.zeros(1, 8)).any()


def test_each_net_is_kept_as_it_was_when_it_fitted_the_rows_held_out_best(toy, run_of, monkeypatch):
    seeds, _, state = ready(NestedCoTeaching(), toy, run_of)
    scores = torch.tensor([[1.0, 3, 2], [3, 1, 3], [1, 2, 3], [2, 2, 2]])  # nets x epochs
    places = [[1, 2, 3], [4, 5, 6], [7, 0, 1], [2, 3, 4]]
    for epoch in range(3):
        found = torch.zeros(4, state.width)
        for net in range(4):
            found[net, places[net][epoch]] = scores[net, epoch]
        monkeypatch.setattr(state, "right", lambda together, found=found: found)
        for weight in seeds.nets.weights:
            weight.data.fill_(epoch)
        state.look(together=False)
    best = [1, 0, 2, 0]  # of equal ones the first
    assert [int(state.best.weights[0][net, 0, 0]) for net in range(4)] == best
    assert state.channels_best.tolist() == [
        places[net][epoch] + 1 for net, epoch in enumerate(best)
    ]
    model = NestedCoTeaching().readout(state, seeds.nets, 2)
    assert model.mask.tolist() == [1, 1] + [0] * 6
    torch.testing.assert_close(
        model.net.features(seeds.problem.x), state.best.member(2).features(seeds.problem.x)
    )


def test_fine_tuning_starts_from_the_best_nets_with_a_fresh_optimiser_and_fixed_statistics(
    toy, run_of
):
    method = NestedCoTeaching()
    seeds, _, state = ready(method, toy, run_of, epochs=9)
    optimiser = sgd(seeds)
    for batch in seeds.epoch(0):
        method.step(state, seeds.nets, optimiser, batch)
    method.after_epoch(state, 0)
    best = [weight.clone() for weight in state.best.weights]
    for batch in seeds.epoch(1):
        method.step(state, seeds.nets, optimiser, batch)
    assert not torch.equal(seeds.nets.weights[0], best[0])
    optimiser.param_groups[0]["lr"] = 0.0
    method.step(state, seeds.nets, optimiser, next(iter(seeds.epoch(state.fine))))
    assert not seeds.nets.training
    for weight, expected in zip(seeds.nets.weights, best, strict=True):
        assert torch.equal(weight, expected)
        assert torch.equal(optimiser.state[weight]["momentum_buffer"], weight.grad)
    assert torch.equal(state.scores[:2], state.scores[2:])  # of both nets together


def test_a_tenth_of_the_rows_is_held_out_in_proportion_to_the_labels_given(toy, run_of):
    seeds, held, _ = ready(NestedCoTeaching(), toy, run_of, rows=200)
    assert held.shape == (2, 20)
    for k in range(2):
        drawn = torch.cat([batch.rows[k] for batch in seeds.epoch(0)])
        assert sorted(drawn.tolist() + held[k].tolist()) == list(range(200))
        share = seeds.y[k].bincount(minlength=4) / 10
        assert ((seeds.y[k][held[k]].bincount(minlength=4) - share).abs() < 1).all()


@pytest.mark.parametrize("nested", [0.25, 1.0])
def test_the_number_of_channels_kept_follows_its_distribution(toy, run_of, nested):
    state = ready(
        NestedCoTeaching(nested=nested), toy, run_of, rows=4000, batch_size=2, widths=(20,)
    )[2]
    assert state.channels.shape == (4, 1800)
    # no factor 1/2 in the exponent
    p = [math.exp(-((k / (nested * 20)) ** 2)) for k in range(1, 21)]
    expected = np.array(p) / sum(p) * state.channels.numel()
    counts = np.bincount(state.channels.flatten().numpy(), minlength=21)[1:]
    merged = expected >= 5
    assert counts[~merged].sum() <= 3 * max(1, expected[~merged].sum()) + 5
    scale = counts[merged].sum() / expected[merged].sum()
    assert stats.chisquare(counts[merged], expected[merged] * scale).pvalue > 1e-4
    assert len({tuple(row.tolist()) for row in state.channels}) == 4  # each net its own


def test_the_logits_are_those_of_the_first_channels_alone_without_rescaling(toy, run_of):
    method = NestedCoTeaching()
    seeds, _, state = ready(method, toy, run_of)
    batch = next(iter(seeds.epoch(0)))
    found = method.forward(state, seeds.nets, batch)
    for net in range(2):
        for k in range(2):
            features = seeds.nets.member(2 * net + k).features(batch.x[k]).clone()
            features[:, int(state.channels[2 * net + k, 0]) :] = 0
            torch.testing.assert_close(found[net, k], seeds.nets.member(2 * net + k).head(features))


def test_plain_dropout_zeroes_a_share_of_the_features_and_scales_the_rest(toy, run_of):
    method = NestedCoTeaching(nested=0.0, dropout=0.3)
    seeds, _, state = ready(method, toy, run_of, rows=2000, batch_size=1000, widths=(50,))
    fed, head = [], seeds.nets.head
    seeds.nets.head = lambda features: fed.append(features) or head(features)
    batch = next(iter(seeds.epoch(0)))
    method.forward(state, seeds.nets, batch)
    alive = seeds.nets.features(batch.x.repeat(2, 1, 1)) > 0
    assert ((fed[0] == 0) & alive).sum() / alive.sum() == pytest.approx(0.3, abs=0.01)
    torch.testing.assert_close(
        fed[0][fed[0] != 0], (seeds.nets.features(batch.x.repeat(2, 1, 1)) / 0.7)[fed[0] != 0]
    )


def test_while_fine_tuning_each_net_learns_from_what_the_other_finds_easy_on_the_best_channels(
    toy, run_of
):
    method = NestedCoTeaching(forget=0.3)
    seeds, _, state = ready(method, toy, run_of, epochs=9)
    assert state.fine == 7  # 350 of 450
    state.judges = torch.tensor([3, 6])
    batch = next(iter(seeds.epoch(7)))
    logits = method.forward(state, seeds.nets, batch)
    found = method.loss(state, batch, logits)
    for k in range(2):
        judged = []
        for net in range(2):
            member = seeds.nets.member(2 * net + k)
            features = member.features(batch.x[k]).clone()
            features[:, int(state.judges[k]) :] = 0
            judged.append(
                torch.nn.functional.cross_entropy(
                    member.head(features), batch.y[k], reduction="none"
                )
            )
            kept = member.features(batch.x[k]).clone()
            kept[:, int(state.channels[k, 0]) :] = 0  # as many channels for both nets
            torch.testing.assert_close(logits[net, k], member.head(kept))
        for net in range(2):
            easy = judged[1 - net].argsort(stable=True)[: int(0.7 * 16)]
            torch.testing.assert_close(
                found[net, k],
                torch.nn.functional.cross_entropy(logits[net, k], batch.y[k], reduction="none")[
                    easy
                ].mean()[None],
            )
            if net == 0:
                assert state.kept.view(2, -1)[k].nonzero().flatten().tolist() == sorted(
                    batch.rows[k][easy].tolist()
                )


@pytest.mark.parametrize("together", [False, True])
def test_the_best_number_of_channels_is_found_by_trying_them_all(toy, run_of, together):
    method = NestedCoTeaching()
    seeds, held, state = ready(method, toy, run_of, rows=300, epochs=9, widths=(12,))
    train(method, seeds, state)
    found = state.right(together)
    for net, k in itertools.product(range(2), range(2)):
        for channels in range(1, 13):
            total = 0
            for judge in range(2) if together else (net,):
                member = seeds.nets.member(2 * judge + k)
                features = member.features(seeds.inputs(held)[k]).clone()
                features[:, channels:] = 0
                total = total + member.head(features)
            right = (total.argmax(-1) == seeds.y[k][held[k]]).double().mean().item()
            assert found[2 * net + k, channels - 1] == pytest.approx(
                right - 1e-5 * (channels - 1), abs=1e-6
            )


def test_the_model_uses_the_best_channels(toy, run_of):
    method = NestedCoTeaching()
    seeds, _, state = ready(method, toy, run_of)
    state.channels_best = torch.tensor([2, 5, 7, 8])
    x = seeds.problem.x
    for k, channels in enumerate((2, 5, 7, 8)):
        features = state.best.member(k).features(x).clone()
        features[:, channels:] = 0
        torch.testing.assert_close(
            method.readout(state, seeds.nets, k)(x), state.best.member(k).head(features)
        )
