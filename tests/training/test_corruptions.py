"""Corruptions of pictures, against slow versions and by what they must keep."""

import math

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.training.corruptions import KINDS, LEVELS, SEVERITIES, corrupt


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


@pytest.fixture(scope="module")
def pictures():
    """A smooth blob on black, a little off the centre, 28 pixels a side."""
    down, right = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    blob = (-((down - 10) ** 2 + (right - 17) ** 2) / 18).exp()
    return blob.expand(40, 1, 28, 28).clone()


@pytest.mark.parametrize("kind", KINDS)
def test_a_corruption_keeps_shape_and_range_repeats_with_its_generator_and_leaves_its_input(
    kind, pictures
):
    before = pictures.clone()
    for severity in SEVERITIES:
        found = corrupt(pictures, kind, severity, generator())
        assert found.shape == pictures.shape
        assert found.dtype == pictures.dtype
        assert 0 <= float(found.min())
        assert float(found.max()) <= 1
        assert torch.equal(found, corrupt(pictures, kind, severity, generator()))
    assert torch.equal(pictures, before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_higher_severity_changes_more(kind, pictures):
    changes = [
        float((corrupt(pictures, kind, severity, generator(3)) - pictures).abs().mean())
        for severity in SEVERITIES
    ]
    assert changes == sorted(changes)
    assert changes[0] > 0


def test_noise_has_its_standard_deviation_where_nothing_is_cut_off():
    grey = torch.full((50, 1, 28, 28), 0.5)
    for severity, level in zip((1, 2), LEVELS["noise"], strict=False):
        spread = float((corrupt(grey, "noise", severity, generator()) - grey).std())
        # at .2 what is cut off lies beyond 2.5 standard deviations
        assert spread == pytest.approx(level, rel=0.03)


def test_a_blur_is_the_weighted_mean_of_nine_by_nine_mirrored_neighbours(pictures):
    found, picture = corrupt(pictures, "blur", 3, generator())[0, 0], pictures[0, 0]
    taps = [math.exp(-0.5 * (at / 1.5) ** 2) for at in range(-4, 5)]
    padded = np.pad(picture.numpy(), 4, mode="reflect")
    for down, right in ((0, 0), (10, 17), (27, 5)):
        window = padded[down : down + 9, right : right + 9]
        expected = (window * np.outer(taps, taps)).sum() / sum(taps) ** 2
        assert float(found[down, right]) == pytest.approx(expected, abs=1e-6)


def centre(pictures):
    """Return where the mass of pictures (n, 1, H, W) lies, (n, 2): down, right from the middle."""
    mass = pictures[:, 0].double()
    down = torch.arange(mass.shape[1]) - (mass.shape[1] - 1) / 2
    right = torch.arange(mass.shape[2]) - (mass.shape[2] - 1) / 2
    total = mass.sum((1, 2))
    return (
        torch.stack([(mass.sum(2) * down).sum(1), (mass.sum(1) * right).sum(1)], -1)
        / total[:, None]
    )


def test_a_shift_moves_the_mass_by_its_length_in_every_direction(pictures):
    moved = centre(corrupt(pictures, "shift", 4, generator())) - centre(pictures)
    assert torch.allclose(moved.norm(dim=1), torch.tensor(2.0).double(), atol=0.02)
    assert len({(bool(down > 0), bool(right > 0)) for down, right in moved}) == 4


def test_a_shift_grows_with_the_picture():
    blob = torch.zeros(6, 1, 56, 56)
    blob[:, :, 24:32, 24:32] = 1
    moved = centre(corrupt(blob, "shift", 4, generator())) - centre(blob)
    assert torch.allclose(moved.norm(dim=1), torch.tensor(4.0).double(), atol=0.02)


def test_a_rotation_turns_the_mass_by_its_angle_either_way(pictures):
    before, after = centre(pictures), centre(corrupt(pictures, "rotate", 3, generator()))
    angle = torch.atan2(after[:, 0], after[:, 1]) - torch.atan2(before[:, 0], before[:, 1])
    assert torch.allclose(angle.abs(), torch.tensor(math.radians(30)).double(), atol=0.01)
    assert 0 < int((angle > 0).sum()) < len(angle)
    assert torch.allclose(after.norm(dim=1), before.norm(dim=1), atol=0.05)


def test_a_picture_that_is_wider_than_high_turns_without_being_stretched():
    wide = torch.zeros(4, 1, 28, 56)
    wide[:, :, 10:18, 32:40] = 1
    before, after = centre(wide), centre(corrupt(wide, "rotate", 5, generator()))
    assert torch.allclose(after.norm(dim=1), before.norm(dim=1), atol=0.05)


def test_contrast_is_a_line_through_grey(pictures):
    assert torch.allclose(
        corrupt(pictures, "contrast", 5, generator()), 0.4 * pictures + 0.3, atol=1e-7
    )


def test_impulses_hit_their_share_of_pixels_in_all_channels_half_black_half_white():
    grey = torch.full((200, 3, 28, 28), 0.5)
    found = corrupt(grey, "impulse", 4, generator())
    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found[:, 0], found[:, 2])
    assert float((found[:, 0] == 0).float().mean()) == pytest.approx(0.1, abs=0.005)
    assert float((found[:, 0] == 1).float().mean()) == pytest.approx(0.1, abs=0.005)


def test_a_black_square_lies_within_the_picture_at_places_of_its_own():
    found = corrupt(torch.ones(100, 2, 28, 28), "occlude", 3, generator())
    hidden = found[:, 0] == 0
    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(hidden.sum((1, 2)), torch.full((100,), 49))
    assert int((hidden.any(2).sum(1) == 7).sum()) == int((hidden.any(1).sum(1) == 7).sum()) == 100
    assert len({tuple(row.nonzero()[0].tolist()) for row in hidden}) > 50


@pytest.mark.parametrize(
    ("x", "kind", "severity", "says"),
    [
        (torch.zeros(1, 1, 8, 8), "blurr", 1, "no corruption 'blurr'.*blur"),
        (torch.zeros(1, 1, 8, 8), "blur", 6, "severity of a corruption is 6; give 1, 2, 3, 4 or 5"),
        (torch.zeros(3, 64), "blur", 1, r"of the shape \(3, 64\)"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), "noise", 1, "uint8"),
        (torch.full((1, 1, 8, 8), 2.0), "noise", 1, r"lie in \[2, 2\]; scale them"),
        (torch.full((1, 1, 8, 8), math.nan), "noise", 1, r"lie in \[nan"),
    ],
)
def test_what_cannot_be_corrupted_is_refused_in_a_sentence(x, kind, severity, says):
    with pytest.raises(BenchError, match=says):
        corrupt(x, kind, severity, generator())


def test_no_pictures_stay_no_pictures():
    for kind in KINDS:
        assert corrupt(torch.zeros(0, 1, 8, 8), kind, 1, generator()).shape == (0, 1, 8, 8)
