"""Siamese augmentation: each operation against a slow one, the identity
where nothing was drawn, one draw for two sets.
"""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from bench.tracks import condensation_augment as siamese


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def draw(name, groups=6, seed=0, **options):
    return siamese.draw((name,), groups, (8, 8), torch.Generator().manual_seed(seed), **options)


def test_one_draw_changes_two_sets_alike_and_another_draw_otherwise():
    names = siamese.operations("color_crop_cutout_flip_scale_rotate")
    x = images(5, 2, 3, 8, 8)
    drawn, other = (
        siamese.draw(names, 5, (8, 8), torch.Generator().manual_seed(seed)) for seed in (0, 1)
    )
    assert torch.equal(siamese.apply(drawn, x), siamese.apply(drawn, x.clone()))
    assert not torch.equal(siamese.apply(drawn, x), siamese.apply(other, x))
    twice = x[:, :1].expand(-1, 2, -1, -1, -1)
    changed = siamese.apply(drawn, twice)
    assert torch.equal(changed[:, 0], changed[:, 1])  # one parameter for the whole batch of a group


def test_flips_mirror_or_leave():
    x = images(20, 1, 1, 8, 8)
    changed = siamese.apply(draw("flip", 20), x)
    mirrored = [
        bool(torch.allclose(new, old.flip(-1))) for new, old in zip(changed, x, strict=True)
    ]
    left = [bool(torch.allclose(new, old)) for new, old in zip(changed, x, strict=True)]
    assert all(one != two for one, two in zip(mirrored, left, strict=True))
    assert 4 <= sum(mirrored) <= 16


def test_crops_are_whole_shifts_of_an_eighth_at_most_with_zeros_behind():
    x = images(20, 1, 1, 8, 8) + 1
    changed = siamese.apply(draw("crop", 20), x)
    shifts = set()
    for new, old in zip(changed[:, 0, 0], x[:, 0, 0], strict=True):
        fitting = [
            (down, right)
            for down in (-1, 0, 1)  # int(8 * 0.125 + 0.5) is 1
            for right in (-1, 0, 1)
            if np.allclose(new, ndimage.shift(old.numpy(), (down, right), order=0, mode="constant"))
        ]
        assert len(fitting) == 1
        shifts.add(fitting[0])
    assert len(shifts) >= 5


def test_a_hole_is_half_a_side_and_the_rest_stays():
    x = images(20, 1, 1, 8, 8) + 1
    changed = siamese.apply(draw("cutout", 20), x)
    for new, old in zip(changed[:, 0, 0], x[:, 0, 0], strict=True):
        hole = new == 0
        rows, columns = hole.any(1), hole.any(0)
        assert torch.equal(hole, rows[:, None] & columns)
        assert 2 <= rows.sum() <= 4  # 4 wide, cut off at the border
        assert torch.equal(new[~hole], old[~hole])


def test_a_rotation_is_scipy_s_inside_the_image():
    disk = torch.zeros(1, 1, 1, 33, 33, dtype=torch.float64)
    disk[..., 10:16, 14:24] = 1
    drawn = siamese.draw(("rotate",), 1, (33, 33), torch.Generator().manual_seed(3))
    angle = math.degrees(math.atan2(float(drawn.theta[0, 0, 1, 0]), float(drawn.theta[0, 0, 0, 0])))
    assert 1 < abs(angle) <= 15
    expected = ndimage.rotate(disk[0, 0, 0].numpy(), angle, reshape=False, order=1)
    np.testing.assert_allclose(siamese.apply(drawn, disk)[0, 0, 0].numpy(), expected, atol=1e-6)


def test_scales_reach_from_five_sixths_to_six_fifths():
    drawn = draw("scale", 200)
    factors = torch.stack([drawn.theta[:, 0, 0, 0], drawn.theta[:, 0, 1, 1]])
    assert 1 / 1.2 <= factors.min() < 0.86
    assert 1.17 < factors.max() <= 1.2


def test_colours_are_brightness_then_saturation_then_contrast():
    x = images(4, 2, 3, 8, 8)
    drawn = draw("color", 4)
    changed = siamese.apply(drawn, x)
    for group in range(4):
        brightness, saturation, contrast = drawn.colour[group, 0].tolist()
        for new, old in zip(changed[group], x[group], strict=True):
            step = old + brightness
            step = (step - step.mean(0)) * saturation + step.mean(0)
            step = (step - step.mean()) * contrast + step.mean()
            torch.testing.assert_close(new, step, atol=1e-6, rtol=1e-6)  # draws are single
    assert -0.5 <= drawn.colour[..., 0].min()
    assert 0.5 <= drawn.colour[..., 2].min() <= drawn.colour[..., 2].max() <= 1.5


def test_images_of_one_group_get_draws_of_their_own_where_asked_for():
    x = images(1, 1, 1, 8, 8).expand(1, 4, -1, -1, -1)
    changed = siamese.apply(draw("rotate", 1, images=4), x)
    assert not torch.equal(changed[0, 0], changed[0, 1])


def test_the_gradient_passes_through_every_operation():
    for name in siamese.OPERATIONS:
        x = images(2, 1, 3, 8, 8).requires_grad_()
        siamese.apply(draw(name, 2), x).square().sum().backward()
        assert x.grad.abs().sum() > 0


def test_unknown_operations_are_refused_and_flips_left_out_where_they_change_the_class():
    assert siamese.operations("flip_scale", flips=False) == ("scale",)
    with pytest.raises(ValueError, match="names 'blur'"):
        siamese.operations("flip_blur")
