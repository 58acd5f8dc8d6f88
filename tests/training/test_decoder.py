"""The small decoder: padding, caching, sampling."""

import pytest
import torch

from bench.training.decoder import Decoder, DecoderShape, greedy, sampler

SHAPE = DecoderShape(vocabulary=11, context=24, width=16, layers=2, heads=2)
PAD, END = 0, 2


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Decoder(SHAPE)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made.requires_grad_(False)


def test_padding_on_either_side_does_not_change_log_probabilities(model):
    ids = torch.tensor([[3, 4, 5, 6, 7]])
    plain = model(ids, torch.ones_like(ids, dtype=torch.bool))
    padded = torch.tensor([[PAD, PAD, 3, 4, 5, 6, 7, PAD]])
    other = model(padded, padded != PAD)
    torch.testing.assert_close(other[:, 2:7], plain, atol=1e-5, rtol=0)


def test_a_token_is_not_seen_by_those_before_it(model):
    ids = torch.tensor([[3, 4, 5, 6]])
    mask = torch.ones_like(ids, dtype=torch.bool)
    changed = ids.clone()
    changed[0, 3] = 9
    torch.testing.assert_close(model(ids, mask)[:, :3], model(changed, mask)[:, :3], atol=0, rtol=0)


def test_the_last_columns_alone_are_the_last_columns_of_all(model):
    ids = torch.tensor([[3, 4, 5, 6]])
    mask = torch.ones_like(ids, dtype=torch.bool)
    torch.testing.assert_close(model(ids, mask, 2), model(ids, mask)[:, 2:], atol=1e-6, rtol=0)


def uncached(model, ids, mask, new, choose):
    """The same generation without a cache: the whole row is read for every token."""
    out, alive = [], torch.ones(len(ids), dtype=torch.bool)
    for column in range(new):
        token = torch.where(
            alive, choose(model(ids, mask)[:, -1], column, torch.arange(len(ids))), PAD
        )
        out.append(token)
        ids, mask = (
            torch.cat([ids, token[:, None]], 1),
            torch.cat([mask, torch.ones(len(ids), 1, dtype=torch.bool)], 1),
        )
        alive = alive & (token != END)
    return torch.stack(out, 1)


@pytest.mark.parametrize("chance", [False, True])
def test_generation_with_a_cache_is_generation_without(model, chance):
    ids = torch.tensor([[PAD, PAD, 3, 4], [3, 4, 5, 6], [PAD, 7, 8, 9]])
    luck = torch.rand(3 * 4, 12, generator=torch.Generator().manual_seed(1))
    choose = sampler(luck) if chance else greedy
    out, kept = model.generate(ids, ids != PAD, new=12, choose=choose, end=END, pad=PAD, repeat=4)
    slow = uncached(
        model, ids.repeat_interleave(4, 0), (ids != PAD).repeat_interleave(4, 0), 12, choose
    )
    assert torch.equal(out, slow)
    ends = (out == END).cumsum(1) - (out == END).int()
    assert torch.equal(kept, ends == 0)
    # rows that end early are left out on the way
    assert not chance or len(set(kept.sum(1).tolist())) > 2
    assert (out[~kept] == PAD).all()


@pytest.mark.parametrize("width", [torch.float16, torch.bfloat16, torch.float64])
def test_a_decoder_of_numbers_of_another_width_generates_too(model, width):
    ids = torch.tensor([[PAD, PAD, 3, 4], [3, 4, 5, 6]])
    luck = torch.rand(2 * 3, 8, generator=torch.Generator().manual_seed(1))
    out, kept = model.to(width).generate(
        ids, ids != PAD, new=8, choose=sampler(luck), end=END, pad=PAD, repeat=3
    )
    assert out.shape == kept.shape == (6, 8)
    assert kept[:, 0].all()


def test_luck_counts_as_much_where_logits_are_of_half_precision():
    # a running sum of 1/5000 in bfloat16 stops at 1/16
    logits = torch.zeros(1, 5000, dtype=torch.bfloat16)
    token = sampler(torch.tensor([[0.5]]))(logits, 0, torch.tensor([0]))
    assert abs(int(token) - 2500) <= 5


def test_the_frequencies_of_sampled_tokens_are_their_probabilities():
    logits = torch.tensor([[0.0, 1.0, -1.0, 2.0]])
    luck = torch.rand(40_000, 1, generator=torch.Generator().manual_seed(2))
    drawn = sampler(luck)(logits.expand(40_000, 4), 0, torch.arange(40_000))
    shares = torch.bincount(drawn, minlength=4) / 40_000
    # four standard errors
    torch.testing.assert_close(shares, logits.softmax(-1)[0], atol=0.01, rtol=0)


def test_luck_just_below_one_still_names_a_token():
    assert int(sampler(torch.tensor([[0.9999999]]))(torch.zeros(1, 5), 0, torch.arange(1))) == 4
