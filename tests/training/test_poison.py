"""What attackers may do to training rows, and that they do it."""

import functools

import pytest
import torch
from poisoning_small import rows_of, run_of

from bench.training import triggers
from bench.training.poison import NOISES, Surrogate, noise
from bench.training.state import predict
from bench.training.triggers import TARGET

EPSILON = 0.15
SURROGATE = Surrogate(net="mlp", widths=(16,), n_classes=4, epochs=5, batch_size=16, rounds=3)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """Every kind of noise on the same rows, made once."""
    folder = tmp_path_factory.mktemp("poison")

    @functools.cache
    def of(name, seed=0):
        return noise(name, *rows_of(), SURROGATE, EPSILON, run_of(folder, seed))

    return of


@pytest.mark.parametrize("name", NOISES)
def test_noise_stays_in_its_radius_and_in_the_cube_and_goes_both_ways(name, attacked):
    (x, y), found = rows_of(), attacked(name)
    change = found.x - x
    assert change.abs().max() <= EPSILON + 1e-6
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    assert change.min() < -EPSILON / 2
    assert change.max() > EPSILON / 2
    assert torch.equal(found.y, y)
    assert found.touched.all()


@pytest.mark.parametrize("name", ["emin-class", "random-class"])
def test_noise_by_class_is_one_pattern_a_class_where_the_cube_lets_it(name, attacked):
    (x, y), found = rows_of(), attacked(name)
    inside = (found.x > 0) & (found.x < 1)
    for label in range(4):
        own, free = (found.x - x)[y == label], inside[y == label]
        spread = torch.where(free, own, torch.nan).nan_to_num(0).amax(0)
        least = torch.where(free, own, torch.inf).amin(0)
        seen = free.sum(0) > 1
        torch.testing.assert_close(
            spread.clamp_min(0)[seen & (least > 0)], least[seen & (least > 0)]
        )


def test_error_minimising_noise_lowers_the_loss_of_a_net_that_never_saw_it(attacked, tmp_path):
    x, y = rows_of()
    net = SURROGATE.fitted(x, y, run_of(tmp_path, seed=7))

    def loss(at):
        return float(torch.nn.functional.cross_entropy(predict(net, at[None])[0], y))

    assert loss(attacked("emin").x) < loss(x) < loss(attacked("emax").x)


def test_what_is_drawn_follows_the_seed(attacked):
    for name in ("random", "emin"):
        assert not torch.equal(attacked(name).x, attacked(name, 1).x)


def test_a_surrogate_is_another_net_than_the_methods(tmp_path):
    from bench.training import nets

    x, _ = rows_of()
    run = run_of(tmp_path)
    theirs = SURROGATE.build(x, run)
    ours = nets.build("mlp", x.shape[1:], 4, [run.seeded("init", 0)], x.device, widths=(16,))
    assert not torch.equal(next(theirs.parameters()), next(ours.parameters()))


def test_a_backdoor_is_a_white_corner_on_rows_of_other_classes_that_get_its_label(tmp_path):
    x, y = rows_of()
    found = triggers.backdoor(x, y, 0.1, run_of(tmp_path))
    touched = found.touched
    assert touched.sum() == 6
    assert (y[touched] != TARGET).all()
    assert (found.y[touched] == TARGET).all()
    assert (found.x[touched][..., -3:, -3:] == 1).all()
    assert torch.equal(found.x[..., :-3, :], x[..., :-3, :])
    assert torch.equal(found.x[~touched], x[~touched])
    assert torch.equal(found.y[~touched], y[~touched])


def test_a_clean_label_backdoor_changes_pictures_of_the_target_alone_and_no_label(tmp_path):
    x, y = rows_of()
    found = triggers.clean_label_backdoor(x, y, SURROGATE, 0.5, EPSILON, run_of(tmp_path))
    assert found.touched.sum() == round(0.5 * int((y == TARGET).sum()))
    assert (y[found.touched] == TARGET).all()
    assert torch.equal(found.y, y)
    away = (found.x - x)[..., :-3, :]
    assert 0 < away.abs().max() <= EPSILON + 1e-6
    assert torch.equal(found.x[~found.touched], x[~found.touched])


def test_flipped_labels_are_as_many_as_asked_for_and_all_wrong(tmp_path):
    x, y = rows_of(rows=200)
    found = triggers.flipped(x, y, 4, 0.25, run_of(tmp_path))
    assert found.touched.sum() == 50
    assert torch.equal(found.touched, found.y != y)
    assert torch.bincount((found.y - y)[found.touched] % 4, minlength=4)[1:].min() >= 8
    assert torch.equal(found.x, x)
