"""The affine resample: exact where pixels meet pixels, and each map undone by its opposite."""

import math

import pytest
import torch

from bench.errors import BenchError
from bench.training.resample import affine_maps, resample

ONE = torch.zeros(1)


@pytest.fixture
def picture():
    return torch.rand(1, 2, 6, 6, generator=torch.Generator().manual_seed(0))


def moved(picture, **named):
    return resample(picture, affine_maps(**named, like=ONE))


def test_no_change_is_the_picture(picture):
    torch.testing.assert_close(moved(picture), picture)


def test_a_quarter_turn_against_the_clock_is_that_of_an_array(picture):
    torch.testing.assert_close(
        moved(picture, angle=math.pi / 2), picture.rot90(1, (2, 3)), rtol=0, atol=1e-5
    )


def test_shifts_by_whole_pixels_move_right_and_down_and_leave_zeros(picture):
    right = moved(picture, right=2 / 6)
    torch.testing.assert_close(right[..., 2:], picture[..., :-2], rtol=0, atol=1e-5)
    assert right[..., :2].abs().max() < 1e-5
    down = moved(picture, down=1 / 6)
    torch.testing.assert_close(down[..., 1:, :], picture[..., :-1, :], rtol=0, atol=1e-5)


def test_what_lies_outside_has_the_value_that_was_asked_for(picture):
    shown = resample(picture, affine_maps(right=0.5, like=ONE), -3.0)
    torch.testing.assert_close(shown[..., :3], torch.full((1, 2, 6, 3), -3.0), rtol=0, atol=1e-4)


def test_a_zoom_by_two_shows_the_middle_twice_as_large():
    picture = torch.zeros(1, 1, 8, 8)
    picture[..., 2:6, 2:6] = 1.0
    shown = moved(picture, zoom=1.0)
    assert (shown[..., 1:7, 1:7] > 0.99).all()
    assert moved(picture, zoom=-0.5).sum() == pytest.approx(4.0, abs=0.01)


def test_a_shear_moves_the_upper_half_right_and_the_lower_half_left():
    picture = torch.zeros(1, 1, 9, 9)
    picture[..., 4] = 1.0
    columns = torch.arange(9.0)
    centre = (moved(picture, shear=0.5)[0, 0] * columns).sum(1)
    torch.testing.assert_close(centre, 4 + 0.5 * (4 - columns), rtol=0, atol=1e-4)


def test_rotations_of_many_pictures_are_those_of_each_alone():
    pictures = torch.rand(5, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    angles = torch.linspace(-0.5, 0.5, 5)
    together = resample(pictures, affine_maps(angles, like=angles))
    for k in range(5):
        alone = resample(pictures[k : k + 1], affine_maps(angles[k : k + 1], like=ONE))
        torch.testing.assert_close(together[k : k + 1], alone)


@pytest.mark.parametrize("shape", [(3, 5), (2, 1, 4, 4)])
def test_rows_of_numbers_and_a_wrong_number_of_maps_are_refused(shape):
    with pytest.raises(BenchError, match="a resample reads pictures"):
        resample(torch.zeros(shape), affine_maps(like=torch.zeros(3)))
