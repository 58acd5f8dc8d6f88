"""What a recipe does to pictures, to weights and to confidence, against slow computations."""

import numpy as np
import pytest
import torch
from bench.builtin.methods.recipes._ascent import norms
from bench.builtin.methods.recipes.amp import Amp
from bench.builtin.methods.recipes.asam import Asam
from bench.builtin.methods.recipes.cutmix import CutMix
from bench.builtin.methods.recipes.cutout import Cutout
from bench.builtin.methods.recipes.encouraging_loss import EncouragingLoss
from bench.builtin.methods.recipes.plain_early import PlainEarly
from bench.builtin.methods.recipes.random_forest import RandomForest
from bench.builtin.methods.recipes.random_teacher import RandomTeacher
from bench.builtin.methods.recipes.sam import Sam
from bench.builtin.methods.recipes.temperature import Temperature
from bench.builtin.methods.recipes.trivial_augment import OPERATIONS, TrivialAugment
from recipes_small import blobs, outputs, runs
from wrong_sign import WrongSign

from bench.errors import InvalidRun, ParameterError
from bench.training.recipe import Batch, Seeds, cross_entropy, soft


def seeds_of(folder, count=2, **named):
    seeds = Seeds([blobs(k, pictures=True, **named) for k in range(count)], runs(folder, count))
    seeds.nets = seeds.build()
    return seeds


def begun(method, folder):
    """Return seeds, the method's state after an epoch was drawn, and the first batch."""
    seeds = seeds_of(folder)
    state = method.start(seeds)
    rows = method.rows(state, 0, seeds.order())
    return seeds, state, next(seeds.epoch(0, rows))


def test_cutmix_weighs_the_labels_by_the_areas_that_are_left(tmp_path):
    method = CutMix()
    seeds, state, batch = begun(method, tmp_path)
    shown, targets = method.inputs(state, batch), method.targets(state, batch)
    partners = state.pairs[batch.step]
    assert (state.lam > 0).any()
    assert (state.lam < 1).any()
    for k in range(2):
        other = batch.x[k][partners[k]]
        pasted = (shown[k] != batch.x[k]).any(0)[0]
        low, high = state.low[k, 0].tolist(), state.high[k, 0].tolist()
        inside = torch.zeros(4, 4, dtype=torch.bool)
        inside[low[0] : high[0], low[1] : high[1]] = True
        assert torch.equal(shown[k], torch.where(inside, other, batch.x[k]))
        assert not (pasted & ~inside).any()
        share = 1 - float(inside.float().mean())
        assert float(state.lam[k, 0]) == pytest.approx(share, abs=1e-6)
        own, theirs = soft(seeds, batch.y)[k], soft(seeds, batch.y[k][partners[k]])
        torch.testing.assert_close(targets[k], share * own + (1 - share) * theirs)


def test_cutout_blackens_a_square_that_the_border_cuts(tmp_path):
    method = Cutout(share=0.5)
    seeds, state, batch = begun(method, tmp_path)
    shown = method.inputs(state, batch)
    black = state.black.flatten()
    for k in range(2):
        for i, row in enumerate(batch.rows[k].tolist()):
            down, right = state.centres[k, row].tolist()
            expected = batch.x[k, i].clone()
            expected[:, max(0, down - 1) : down + 1, max(0, right - 1) : right + 1] = black[k]
            assert torch.equal(shown[k, i], expected)
    assert float(black[0]) == float(seeds.problems[0].x.min())


def test_trivial_augment_leaves_the_rows_of_the_identity_alone_and_moves_others(tmp_path):
    method = TrivialAugment()
    _, state, batch = begun(method, tmp_path)
    shown = method.inputs(state, batch)
    kinds = state.kind.gather(1, batch.rows)
    same = (shown == batch.x).flatten(2).all(-1)
    assert torch.equal(same, kinds == OPERATIONS.index("identity"))
    size = state.size.gather(1, batch.rows)
    turned = kinds == OPERATIONS.index("contrast")
    assert turned.any()
    expected = batch.x * (1 + 0.5 * size)[..., None, None, None]
    torch.testing.assert_close(shown[turned], expected[turned], rtol=1e-5, atol=1e-5)


def test_pictures_of_an_epoch_do_not_depend_on_the_order_of_its_rows(tmp_path):
    method = TrivialAugment()
    _, state, batch = begun(method, tmp_path)
    turned = type(batch)(0, 0, batch.rows.flip(1), batch.flat.flip(1), batch.x.flip(1), batch.y)
    assert torch.equal(method.inputs(state, turned).flip(1), method.inputs(state, batch))


# Weights -----------------------------------------------------------------------


def climb_of(method, weights):
    """Return how far the method moves weights (1, ...) at the gradients of a two-layer net."""
    first, second = (weight.clone().requires_grad_() for weight in weights)
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(3))
    y = torch.arange(20) % 3
    hidden = (x @ first[0].T).relu()
    lost = torch.nn.functional.cross_entropy(hidden @ second[0].T, y)
    gradients = torch.autograd.grad(lost, (first, second))
    return method.bounded(method.move([first.detach(), second.detach()], list(gradients)))


def layers():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 6, 5, generator=generator), torch.randn(1, 3, 6, generator=generator)]


def test_sam_climbs_to_the_edge_of_a_ball_around_all_weights():
    assert float(norms(climb_of(Sam(rho=0.3), layers()))) == pytest.approx(0.3, rel=1e-5)


def test_asam_is_blind_to_the_scale_of_layers_and_sam_is_not():
    scales = (4.0, 0.25)
    scaled = [scale * weight for scale, weight in zip(scales, layers(), strict=True)]
    for method, blind in ((Asam(), True), (Sam(), False)):
        plain = climb_of(method, layers())
        # moved as much, each in its own scale: the same net after the climb
        found = [by / scale for by, scale in zip(climb_of(method, scaled), scales, strict=True)]
        assert blind == all(
            torch.allclose(one, other, rtol=1e-4, atol=1e-6)
            for one, other in zip(found, plain, strict=True)
        )


def test_amp_bounds_each_tensor_by_its_own_norm():
    for by in climb_of(Amp(radius=0.01), layers()):
        assert float(norms([by])) == pytest.approx(0.01, rel=1e-4)


def test_the_second_pass_leaves_running_statistics_alone(tmp_path):
    def statistics(method):
        problems = [
            blobs(k, pictures=True, net="cnn", widths=(4,), epochs=1, lr=1e-30) for k in (0, 1)
        ]
        seeds = Seeds(problems, runs(tmp_path, 2))
        seeds.nets = seeds.build()
        state = method.start(seeds)
        optimiser = method.optimiser(seeds)
        for batch in seeds.epoch(0, seeds.order()):
            method.step(state, seeds.nets, optimiser, batch)
        return [buffer.clone() for buffer in seeds.nets.buffers()]

    from bench.builtin.methods.recipes.plain import Plain

    found, expected = statistics(Sam(rho=0.5)), statistics(Plain())
    assert len(found) == 2
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


# Stages and readouts --------------------------------------------------------------


def test_a_student_of_a_random_teacher_starts_between_it_and_weights_of_its_own(tmp_path):
    started = []
    for method in (None, RandomTeacher(alpha=0.0), RandomTeacher(alpha=1.0)):
        seeds = seeds_of(tmp_path, epochs=1, lr=1e-30)
        if method is not None:
            method.start(seeds)
        started.append([weight.detach() for weight in seeds.nets.parameters()])
    for mine, theirs, mixed in zip(*started, strict=True):
        torch.testing.assert_close(mixed, (theirs + mine) / np.sqrt(2), rtol=1e-4, atol=1e-5)
    assert not torch.equal(started[0][0], started[1][0])


def test_temperature_scaling_changes_confidence_and_no_class(tmp_path):
    problems = [blobs(k, pictures=True, epochs=30) for k in range(2)]
    scaled = Temperature().solve_stacked(problems, runs(tmp_path, 2))
    for solution, problem in zip(scaled, problems, strict=True):
        raw = solution.model.net(problem.x)
        ratio = raw / solution.model(problem.x)
        assert torch.equal(raw.argmax(-1), solution.model(problem.x).argmax(-1))
        torch.testing.assert_close(ratio, ratio[:1, :1].expand_as(ratio), rtol=1e-3, atol=1e-3)
        assert abs(float(ratio[0, 0]) - 1) > 0.01


def test_stopping_early_hands_over_the_epoch_with_the_lowest_loss_on_held_out_rows(tmp_path):
    seen, kept = [], []

    class Looking(PlainEarly):
        def after_epoch(self, state, epoch):
            super().after_epoch(state, epoch)
            kept[:] = [state]
            seen.append(held_out_loss(state, state.seeds.nets.member(0)))

    def held_out_loss(state, model):
        rows = state.held[0]
        x, y = state.seeds.problem.x[rows], state.seeds.problem.y[rows]
        return float(torch.nn.functional.cross_entropy(model(x), y))

    problems = [blobs(k, pictures=True, epochs=40) for k in range(2)]
    early = Looking(share=0.5).solve_stacked(problems, runs(tmp_path, 2))
    assert min(seen) < seen[-1]
    assert held_out_loss(kept[0], early[0].model) == pytest.approx(min(seen), rel=1e-5)


def test_the_forest_answers_for_classes_that_it_never_saw(tmp_path):
    import msgspec

    problem = msgspec.structs.replace(blobs(0), n_classes=6)
    found = RandomForest(trees=20).solve(problem, runs(tmp_path, 1)[0]).model(problem.x)
    assert found.shape == (48, 6)
    assert found.isfinite().all()
    assert (found.argmax(-1) == problem.y).float().mean() > 0.9


# Bad input ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", [Cutout(), CutMix(), TrivialAugment()], ids=lambda m: m.card.name
)
def test_a_recipe_of_pictures_refuses_rows_of_numbers_in_one_sentence(method, tmp_path):
    with pytest.raises(InvalidRun, match="changes pictures"):
        outputs(method, [blobs(0), blobs(1)], tmp_path)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Sam, {"rho": -1.0}),
        (Cutout, {"share": 1.5}),
        (CutMix, {"alpha": 0.0}),
        (Temperature, {"share": 0.0}),
    ],
)
def test_parameters_beyond_their_bounds_are_refused(kind, named):
    with pytest.raises(ParameterError):
        kind(**named)


def test_the_planted_mistake_is_the_encouraging_loss_with_its_reward_subtracted():
    logits = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]])
    y = torch.tensor([[0, 2]])
    batch = Batch(0, 0, y, y, torch.zeros(1, 2, 1), y)
    right, wrong = (method.loss(None, batch, logits) for method in (EncouragingLoss(), WrongSign()))
    torch.testing.assert_close((right + wrong) / 2, cross_entropy(logits, y))
    assert (wrong > right).all()
