"""Augmentation on the device, against a slow version picture by picture, and the fall of the
learning rate, against torch's schedulers.
"""

import numpy as np
import pytest
import torch
from torch import nn

from bench.errors import BenchError
from bench.training.augment import Augmentation, shifted
from bench.training.schedules import Schedule

CPU = torch.device("cpu")


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def slow_crop(picture, down, right, fill, pad=4):
    """Pad a picture and cut a window out of it, as a random crop with padding does."""
    channels, height, width = picture.shape
    padded = np.empty((channels, height + 2 * pad, width + 2 * pad), dtype=picture.dtype)
    padded[:] = fill[:, None, None]
    padded[:, pad : pad + height, pad : pad + width] = picture
    return padded[:, pad - down : pad - down + height, pad - right : pad - right + width]


def test_a_shift_is_a_window_of_the_padded_picture():
    x = torch.randn(2, 9, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    by = torch.randint(-4, 5, (2, 9, 2), generator=torch.Generator().manual_seed(1))
    fill = torch.tensor([7.0, 8.0, 9.0])
    found = shifted(x, by, fill)
    for k in range(2):
        for row in range(9):
            expected = slow_crop(x[k, row].numpy(), *by[k, row].tolist(), fill.numpy())
            np.testing.assert_array_equal(found[k, row].numpy(), expected)


def test_what_happens_to_a_row_depends_on_its_member_and_epoch_and_not_on_its_place_in_a_batch():
    x = torch.arange(2 * 30 * 12, dtype=torch.float32).view(30, 2, 3, 4)
    augment = Augmentation([x, x], CPU, flip=True, crop=1)
    augment.draw(30, generators(1, 2))
    rows = torch.stack([torch.arange(30), torch.arange(30)])
    whole = augment(x[rows], rows)
    order = torch.stack([torch.randperm(30, generator=own) for own in generators(3, 4)])
    parts = torch.cat([augment(x[part], part) for part in order.split(7, 1)], 1)
    for k in range(2):
        assert torch.equal(parts[k], whole[k][order[k]])
    assert not torch.equal(whole[0], whole[1])
    augment.draw(30, generators(1, 2))
    assert torch.equal(augment(x[rows], rows), whole)  # the streams' numbers and nothing else


def test_about_half_of_the_pictures_are_mirrored_and_shifts_are_uniform_within_their_bounds():
    x = torch.zeros(9000, 1, 9, 9)
    x[:, 0, 4, 4], x[:, 0, 4, 5] = 1, 2  # a mark and its right neighbour
    rows = torch.arange(9000)[None]
    augment = Augmentation([x], CPU, flip=True, crop=2)
    augment.draw(9000, generators(5))
    found = augment(x[rows], rows)[0, :, 0]
    places = (found == 1).flatten(1).int().argmax(1)
    mirrored = (found == 2).flatten(1).int().argmax(1) < places
    assert abs(mirrored.float().mean() - 0.5) < 4 * (0.25 / 9000) ** 0.5
    counts = (places // 9 - 4).add(2).bincount(minlength=5)
    assert (counts - 1800).abs().max() < 4 * (9000 * 0.2 * 0.8) ** 0.5  # four standard errors
    assert (found == 1).flatten(1).sum(1).eq(1).all()


def test_without_flip_and_crop_nothing_changes_and_inputs_that_are_no_pictures_are_refused():
    x = torch.randn(4, 3, 5, 5)
    rows = torch.arange(4)[None]
    augment = Augmentation([x], CPU, flip=False, crop=0)
    augment.draw(4, generators(0))
    assert torch.equal(augment(x[rows], rows), x[rows])
    with pytest.raises(BenchError, match=r"need pictures .* shape \(4, 3\)"):
        Augmentation([torch.zeros(4, 3)], CPU, flip=True, crop=0)


def torch_rates(scheduler, epochs, steps=1):
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.02)
    schedule = scheduler(optimiser)
    found = []
    for _ in range(epochs * steps):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return found


def test_the_learning_rate_falls_as_torch_s_schedulers_let_it():
    lr = torch.optim.lr_scheduler
    cosine = [Schedule(floor=0.001).rate(0.02, step // 5, step / 30) for step in range(30)]
    assert cosine == pytest.approx(
        torch_rates(lambda optimiser: lr.CosineAnnealingLR(optimiser, 30, eta_min=0.001), 6, 5)
    )
    restarts = [
        Schedule("restarts", floor=0.001, period=10).rate(0.02, epoch, 0.5) for epoch in range(25)
    ]
    assert restarts == pytest.approx(
        torch_rates(
            lambda optimiser: lr.CosineAnnealingWarmRestarts(optimiser, 10, eta_min=0.001), 25
        )
    )
    steps = [
        Schedule("steps", milestones=(4, 8), gamma=0.01).rate(0.02, epoch, 0.5)
        for epoch in range(12)
    ]
    assert steps == pytest.approx(
        torch_rates(lambda optimiser: lr.MultiStepLR(optimiser, [4, 8], gamma=0.01), 12)
    )
