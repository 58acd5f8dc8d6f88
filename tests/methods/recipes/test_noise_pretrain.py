"""Pictures of noise, and what is learned from them before any label, against slow computations."""

import math

import numpy as np
import pytest
import torch
from bench.builtin.methods.recipes._noise import leaves, spectra
from bench.builtin.methods.recipes.noise_pretrain import (
    NoisePretrain,
    _State,
    _Views,
    alignment,
    generated,
    uniformity,
    views,
)
from recipes_small import blobs, runs
from torch.nn import functional as F

from bench.errors import InvalidRun
from bench.training.recipe import Seeds, train


def drawn(seed):
    return torch.Generator().manual_seed(seed)


def seeds_of(folder, count=2):
    seeds = Seeds([blobs(k, pictures=True) for k in range(count)], runs(folder, count))
    seeds.nets = seeds.build()
    return seeds


def test_amplitudes_fall_with_the_frequency_as_the_formula_says():
    [picture] = spectra(1, 12, 9, drawn(3))
    own = drawn(3)
    torch.rand(1, 12, 9, generator=own)
    slope = 0.5 + 3 * float(torch.rand(1, generator=own))
    tilt = 0.05 * float(torch.randn(1, generator=own))
    found = torch.fft.fft2(picture).abs()
    expected = torch.zeros(12, 9)
    for y, fy in enumerate(np.fft.fftfreq(12)):
        for x, fx in enumerate(np.fft.fftfreq(9)):
            if x or y:
                expected[y, x] = 1 / (abs(fx) ** (slope + tilt) + abs(fy) ** (slope - tilt))
    found[0, 0] = 0.0
    torch.testing.assert_close(found / found.sum(), expected / expected.sum(), rtol=1e-3, atol=1e-5)
    assert float(picture.min()) == 0.0
    assert float(picture.max()) == 1.0


def test_leaves_are_squares_of_which_the_last_to_fall_lie_on_top():
    [picture] = leaves(1, 7, 10, drawn(1))
    own, fallen = drawn(1), []
    for _ in range(40):
        share, grey, y, x = torch.rand(4, 1, 62, generator=own)[:, 0]
        fallen += list(zip(share, grey, y, x, strict=True))
    expected = torch.zeros(7, 10)
    for share, grey, y, x in reversed(fallen):
        # the inverse of the share of radii below r, (r^-2 - low^-2) / (1 - low^-2)
        radius = max(1.0, 10 / math.sqrt(0.03**-2 + float(share) * (1 - 0.03**-2)))
        half = radius / math.sqrt(2)
        for row in range(7):
            for column in range(10):
                if abs(row - 7 * float(y)) <= half and abs(column - 10 * float(x)) <= half:
                    expected[row, column] = grey
    torch.testing.assert_close(picture, expected, rtol=0, atol=0)
    assert (picture > 0).all()


def test_radii_of_leaves_have_a_density_that_falls_with_their_third_power():
    share = torch.rand(200_000, dtype=torch.float64, generator=drawn(0))
    radius = (0.03**-2 + share * (1 - 0.03**-2)) ** -0.5
    for r in (0.04, 0.06, 0.2):
        below = (0.03**-2 - r**-2) / (0.03**-2 - 1)
        assert float((radius <= r).double().mean()) == pytest.approx(below, abs=0.01)


def test_alignment_and_uniformity_are_means_over_pairs():
    z = F.normalize(torch.randn(2, 2, 5, 3, dtype=torch.float64, generator=drawn(0)), dim=-1)
    for k in range(2):
        aligned = np.mean([float(((z[k, 0, i] - z[k, 1, i]) ** 2).sum()) for i in range(5)])
        assert float(alignment(z)[k]) == pytest.approx(aligned, rel=1e-9)
        for view in range(2):
            pairs = [
                math.exp(-2 * float(((z[k, view, i] - z[k, view, j]) ** 2).sum()))
                for i in range(5)
                for j in range(i)
            ]
            spread = math.log(np.mean(pairs))
            assert float(uniformity(z)[k, view]) == pytest.approx(spread, rel=1e-9)
    assert uniformity(z[:, :, :1]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_view_of_everything_is_the_picture_and_half_of_them_are_mirrored():
    pictures = torch.randn(2, 1, 6, 6, generator=drawn(0))
    # the whole area, as wide as high, in the middle; not mirrored and mirrored; factor 1
    numbers = torch.tensor(
        [[1.0, 0.5, 0.5, 0.5, flip, 0.5] for flip in (0.9, 0.1)], dtype=torch.float32
    )
    found = views(pictures, numbers)
    torch.testing.assert_close(found[0], pictures[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(found[1], pictures[1].flip(-1), rtol=0, atol=1e-5)


def test_a_view_shows_nothing_from_outside_of_the_picture():
    numbers = torch.rand(200, 6, generator=drawn(0))
    numbers[:, 5] = 0.5
    found = views(torch.ones(200, 1, 8, 8), numbers)
    # the outermost half of a pixel is mixed with what is outside
    assert (found > 0.2).all()
    assert found.amax() <= 1.0 + 1e-5
    assert (found[..., 1:-1, 1:-1].mean() > 0.99).all()


def test_the_first_stage_teaches_all_layers_but_the_last(tmp_path):
    plain, taught = seeds_of(tmp_path / "a"), seeds_of(tmp_path / "b")
    NoisePretrain(pictures=40, width=16).start(taught)
    pairs = zip(plain.nets.named_parameters(), taught.nets.named_parameters(), strict=True)
    same = {name for (name, own), (_, other) in pairs if torch.equal(own, other)}
    assert same == {"weights.2", "biases.2"}


def test_the_first_stage_brings_views_together_and_spreads_pictures(tmp_path):
    seeds = seeds_of(tmp_path)
    seeds.nets, state, method = seeds.build(first=1, extra=12), _State(seeds, "both", 64), _Views()
    order = seeds.order()

    @torch.no_grad()
    def lost():
        batch = next(seeds.epoch(0, order))
        return method.loss(state, batch, method.forward(state, seeds.nets, batch))[:, 0]

    method.draw(state, 0)
    before, numbers = lost(), (state.shown, state.drawn)
    for _ in range(10):
        train(method, seeds, state, report=False)
    state.shown, state.drawn = numbers
    assert (lost() < before - 0.1).all()


def test_the_first_stage_visits_as_many_rows_as_the_second_each_of_them_twice(tmp_path):
    seeds = seeds_of(tmp_path)
    NoisePretrain(pictures=8, width=16).start(seeds)
    rows = seeds.n_rows * seeds.problem.epochs
    assert [run._counts for run in seeds.runs] == [{"forward": 2 * rows, "backward": 2 * rows}] * 2


def test_each_member_looks_at_pictures_of_its_own_between_its_black_and_its_white(tmp_path):
    seeds = seeds_of(tmp_path)
    made = generated(seeds, "both", 20)
    for problem, own in zip(seeds.problems, made, strict=True):
        assert float(own.amin()) == pytest.approx(float(problem.x.amin()))
        assert float(own.amax()) == pytest.approx(float(problem.x.amax()))
    assert not torch.equal(made[0], made[1])


@pytest.mark.parametrize(("kind", "make"), [("leaves", leaves), ("spectra", spectra)])
def test_one_kind_of_picture_can_be_asked_for(tmp_path, kind, make):
    [run] = runs(tmp_path, 1)
    problem = blobs(0, pictures=True)
    own = generated(Seeds([problem], [run]), kind, 6)[0, :, 0]
    [again] = runs(tmp_path, 1)
    expected = make(6, 4, 4, again.torch_generator("method", "pictures"))
    low, high = problem.x.amin(), problem.x.amax()
    torch.testing.assert_close(own, low + (high - low) * expected)


def test_rows_that_are_no_pictures_are_refused(tmp_path):
    seeds = Seeds([blobs(0)], runs(tmp_path, 1))
    with pytest.raises(InvalidRun, match="noise-pretrain changes pictures"):
        NoisePretrain().start(seeds)


def test_no_more_outputs_than_classes_are_refused(tmp_path):
    with pytest.raises(InvalidRun, match="width of at least 5"):
        NoisePretrain(width=4).start(seeds_of(tmp_path))
