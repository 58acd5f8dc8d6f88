"""The tasks of condensation: budget, protocol, what is hidden, and that a
good set scores better than a bad one.
"""

import math

import msgspec
import numpy as np
import pytest
import torch
from answering import answered
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.selection.random import Random
from bench.builtin.tasks.condensation import _parts
from bench.builtin.tasks.condensation._judge import Judge
from bench.builtin.tasks.condensation.condense_cl import CondenseClassIncremental
from bench.builtin.tasks.condensation.condense_clutter import CondenseClutter, clutter
from bench.builtin.tasks.condensation.condense_digits import CondenseDigits
from bench.builtin.tasks.condensation.condense_noisy import CondenseNoisy, flipped
from bench.builtin.tasks.condensation.condense_transfer import CondenseTransfer, probe
from serving import Serving

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.tracks.condensation import SmallSet, decode, real_rows, stored
from bench.training.convnet import ConvNet

CPU = torch.device("cpu")
TINY = {
    "n_train": 200,
    "updates": 3,
    "epochs": 60,
    "epochs_full": 5,
    "nets": 2,
    "width": 8,
    "lrs": (0.02,),
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return Digits().load(
        Setup(seed=0, task="t", method="m", device=CPU, workdir=tmp_path_factory.mktemp("data"))
    )


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """The figures of random images and of all data are built once for all tests."""
    return Artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def setup_of(digits, artifacts, tmp_path):
    def make(kind=Setup, seed=0, axis=0):
        return kind(
            seed=seed,
            task="condensation/toy",
            method="condensation/m",
            device=CPU,
            workdir=tmp_path,
            tools=Serving(digits),
            axis=axis,
            artifacts=artifacts,
        )

    return make


@pytest.fixture
def score_of(setup_of):
    def score(task, small, seed=0):
        case = task.prepare(setup_of(seed=seed))
        smalls = small(case) if callable(small) else small
        outcomes = [
            Outcome(solution=item, curve=[], kept={}, cost={}, counters={})
            for item in (smalls if isinstance(smalls, list) else [smalls])
        ]
        return task.evaluate(case, outcomes, setup_of(seed=seed))

    return score


def random_set(problem, run):
    return Random().solve(problem, run)


# The protocol
# -------------------------------------------------------------------------------------------


def test_the_default_preset_is_the_documented_protocol():
    preset = CondenseDigits.card.presets["default"]
    assert {name: params["ipc"] for name, params in preset.variants.items()} == {
        "ipc1": 1,
        "ipc3": 3,
        "ipc5": 5,
    }
    assert CondenseDigits.card.presets["extended"].variants == {
        **preset.variants,
        "ipc10": {"ipc": 10, "updates": 480},
    }
    task = CondenseDigits(ipc=10)
    assert (
        task.nets,
        task.epochs,
        task.lrs,
        task.updates,
        task.batch_real,
        task.net_epochs,
        task.width,
        task.depth,
    ) == (5, 200, (0.01,), 120, 32, 5, 32, 2)


def test_updates_grow_fourfold_from_one_image_a_class_to_ten():
    for params in CondenseDigits.card.presets["extended"].variants.values():
        assert params.get("updates", CondenseDigits().updates) == 40 * round(
            120 * params["ipc"] ** math.log10(4) / 40
        )


def test_train_validation_and_test_images_are_distinct_and_drawn_by_every_seed(digits, setup_of):
    parts = _parts.split(digits.y.numpy(), 0, setup_of().numpy_generator("split"))
    assert [len(part) for part in parts] == [1295, 143, 359]
    assert len(torch.cat(parts).unique()) == 1797
    assert all(
        (digits.y[part].bincount() / len(part) - digits.y.bincount() / 1797).abs().max() < 0.01
        for part in parts
    )
    first, second = (CondenseDigits().prepare(setup_of(seed=seed)) for seed in (0, 1))
    assert [part.shape for part in (first.problems[0].x, first.hidden.x_test)] == [
        part.shape for part in (second.problems[0].x, second.hidden.x_test)
    ]
    assert not torch.equal(first.problems[0].x, second.problems[0].x)
    assert first.hidden.y_test.tolist() != second.hidden.y_test.tolist()


def test_images_are_normalised_by_the_training_part_alone(digits, setup_of):
    case = CondenseDigits().prepare(setup_of())
    problem = case.problems[0]
    assert problem.x.mean().item() == pytest.approx(0, abs=1e-5)
    assert problem.x.std().item() == pytest.approx(1, abs=1e-3)
    assert case.hidden.x_test.mean().abs() > 1e-4
    black, white = problem.pixel_range()
    assert problem.x.min().item() == pytest.approx(black.item(), abs=1e-5)
    assert problem.x.max().item() == pytest.approx(white.item(), abs=1e-5)


def test_a_problem_holds_nothing_of_the_validation_or_test_images(setup_of):
    case = CondenseDigits().prepare(setup_of())
    held = {row.numpy().tobytes() for row in case.problems[0].x}
    for part in (case.hidden.x_test, case.hidden.x_val):
        # digits that are twice in the data
        assert sum(row.numpy().tobytes() in held for row in part) <= 2


# The budget
# ----------------------------------------------------------------------------------------------


def tiny_problem(setup_of, **params):
    return CondenseDigits(**{**TINY, **params}).prepare(setup_of()).problems[0]


def test_what_is_stored_is_counted_and_what_is_decoded_beside_it():
    small = SmallSet(
        x=torch.zeros(10, 1, 8, 8),
        y=torch.zeros(10, dtype=torch.int64),
        factor=2,
        soft_y=torch.full((40, 10), 0.1),
    )
    assert stored(small) == {
        "stored_images": 10,
        "decoded_images": 40,
        "stored_kb": (640 + 400) * 4 / 1000,
    }


def test_a_mosaic_is_cut_into_tiles_of_full_size():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    decoded, y = decode(SmallSet(x=x, y=torch.tensor([3]), factor=2), (4, 4))
    assert y.tolist() == [3, 3, 3, 3]
    # means of the quarters, which bilinear doubling keeps
    assert [tile.mean().item() for tile in decoded] == [2.5, 4.5, 10.5, 12.5]


WRONG = {
    "too many": (
        lambda s, p: SmallSet(x=torch.cat([s.x, s.x]), y=torch.cat([s.y, s.y])),
        "20 stored images; the budget is 1 a class, 10 in all",
    ),
    "another shape": (lambda s, p: SmallSet(x=s.x[..., :4], y=s.y), "must be float32 of shape"),
    "not finite": (lambda s, p: SmallSet(x=s.x * float("nan"), y=s.y), "holds nan at row 0"),
    "labels out of range": (lambda s, p: SmallSet(x=s.x, y=s.y + 5), "from 0 to below C=10"),
    "soft labels that are none": (
        lambda s, p: SmallSet(x=s.x, y=s.y, soft_y=torch.ones(10, 10)),
        "sum to 1",
    ),
    "a factor that does not divide": (lambda s, p: SmallSet(x=s.x, y=s.y, factor=3), "must divide"),
    "a mad learning rate": (lambda s, p: SmallSet(x=s.x, y=s.y, lr=1e6), "at most 10"),
    "rows that are others": (
        lambda s, p: SmallSet(x=s.x + 1e-6, y=s.y, indices=s.indices),
        "the images are not",
    ),
    "rows twice": (
        lambda s, p: SmallSet(x=s.x[[0] * 10], y=s.y[[0] * 10], indices=s.indices[[0] * 10]),
        "10 times, and must be .* each once",
    ),
    "a mask of all": (
        lambda s, p: SmallSet(x=s.x, y=s.y, temperature="set", masked=1.0),
        "below 1",
    ),
    "a mask of nothing": (
        lambda s, p: SmallSet(x=s.x, y=s.y, temperature="validation", masked=0.5),
        "so it needs temperature='set'",
    ),
    "a temperature by test images": (
        lambda s, p: SmallSet(x=s.x, y=s.y, temperature="test"),
        "temperature",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_set_that_breaks_the_rules_is_invalid(wrong, setup_of):
    problem = tiny_problem(setup_of)
    make, sentence = WRONG[wrong]
    good = random_set(problem, setup_of(Run))
    answered(good, problem, "condensation")
    with pytest.raises(InvalidRun, match=sentence):
        answered(make(good, problem), problem, "condensation")


# Nobody but the set, soft labels and the learning rate speaks to the evaluator
# ---------------------------


class Sly(SmallSet, kw_only=True):
    """A set that brings a protocol of its own."""

    epochs: int = 5000

    @property
    def train(self):
        return lambda *arguments: None


def test_of_a_set_of_a_derived_type_that_brings_its_own_protocol_the_fields_alone_are_taken(
    setup_of,
):
    problem = tiny_problem(setup_of)
    good = random_set(problem, setup_of(Run))
    taken = answered(Sly(x=good.x, y=good.y), problem, "condensation")
    assert type(taken) is SmallSet
    assert torch.equal(taken.x, good.x)


def test_a_method_that_patches_the_evaluator_is_caught():
    from bench.runs.guard import code_unchanged
    from bench.tracks import condensation_evaluation

    with (
        pytest.raises(InvalidRun, match=r"condensation_evaluation\.train was replaced"),
        code_unchanged(CondenseDigits),
    ):
        condensation_evaluation.train = lambda *arguments, **options: None
    assert condensation_evaluation.train.__module__ == "bench.tracks.condensation_evaluation"


def test_soft_labels_count_in_the_training_and_in_what_is_stored(score_of, setup_of):
    def softened(case):
        good = random_set(case.problems[0], setup_of(Run))
        return SmallSet(x=good.x, y=good.y, soft_y=torch.full((10, 10), 0.1))

    plain = score_of(
        CondenseDigits(**TINY), lambda case: random_set(case.problems[0], setup_of(Run))
    )
    flat = score_of(CondenseDigits(**TINY), softened)
    assert flat.metrics["acc"] < plain.metrics["acc"]
    assert flat.metrics["stored_kb"] > plain.metrics["stored_kb"]
    assert flat.metrics["alpha"] < plain.metrics["alpha"]


# The judgement
# --------------------------------------------------------------------------------------------


def means(case):
    """A good set without learning: the mean image of each class."""
    problem = case.problems[0]
    x = torch.stack(
        [problem.x[problem.y == c].mean(0) for c in range(problem.n_classes)]
    ).repeat_interleave(problem.ipc, 0)
    return SmallSet(x=x, y=torch.arange(problem.n_classes).repeat_interleave(problem.ipc))


def test_class_means_beat_random_images_and_the_scores_say_so(score_of, setup_of):
    good = score_of(CondenseDigits(**TINY), means)
    bad = score_of(CondenseDigits(**TINY), lambda case: random_set(case.problems[0], setup_of(Run)))
    assert good.metrics["acc"] > bad.metrics["acc"] + 5
    assert good.metrics["ars"] > bad.metrics["ars"]
    # random images against themselves, with the same nets
    assert bad.metrics["beta"] == pytest.approx(0)
    full = bad.metrics["acc"] / bad.metrics["recovery"] * 100
    assert bad.metrics["alpha"] == pytest.approx(-0.5 * (full - bad.metrics["acc"]) / 100)
    assert good.images["images"].dtype == np.uint8
    assert good.arrays["x"].shape == (10, 1, 8, 8)


@pytest.mark.parametrize("wish", [{"temperature": "set", "masked": 0.5}, {"temperature": "set"}])
def test_scaling_by_the_set_changes_confidence_and_no_prediction(wish, score_of, setup_of):
    plain = score_of(CondenseDigits(**TINY), means)
    scaled = score_of(
        CondenseDigits(**TINY), lambda case: msgspec.structs.replace(means(case), **wish)
    )
    assert scaled.metrics["acc"] == plain.metrics["acc"]
    assert scaled.metrics["ece_ts"] == plain.metrics["ece_ts"]
    assert scaled.metrics["ece"] != plain.metrics["ece"]


def test_variants_share_the_nets_trained_on_all_data_and_random_images_of_equal_number(
    setup_of, artifacts
):
    def judge_of(**fields):
        task = CondenseDigits(**{**TINY, **fields})
        case = task.prepare(setup_of())
        return Judge(task, case.problems[0], case.hidden, setup_of())

    def kept():
        return len(list(artifacts.folder.glob("*/recipe.json")))

    first, more, longer, wider = (
        judge_of(**fields) for fields in ({}, {"ipc": 2}, {"updates": 9, "inner": 3}, {"width": 9})
    )
    full, drawn = first.full(), first.random(0.02)
    one = kept()
    assert (more.full(), longer.full(), longer.random(0.02)) == (full, full, drawn)
    assert kept() == one
    assert more.random(0.02) != drawn
    wider.full()
    assert kept() == one + 2


def test_of_several_learning_rates_the_best_on_validation_images_is_taken(score_of, setup_of):
    chosen = score_of(CondenseDigits(**{**TINY, "lrs": (1e-6, 0.02)}), means)
    fixed = score_of(CondenseDigits(**TINY), means)
    assert chosen.metrics["acc"] == fixed.metrics["acc"]


def test_random_images_are_those_that_synthesis_starts_from(setup_of):
    problem = tiny_problem(setup_of, ipc=2)
    rows = [
        real_rows(problem, setup_of(Run)),
        random_set(problem, setup_of(Run)).indices,
        real_rows(problem, setup_of(Run, seed=1)),
    ]
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])
    assert problem.y[rows[0]].tolist() == [c for c in range(10) for _ in range(2)]


def test_the_whole_training_set_is_the_upper_reference(score_of, setup_of):
    task = CondenseDigits(**{**TINY, "epochs_full": 60})
    score = score_of(task, task.full_data(None, None, None))
    assert score.metrics["recovery"] == 100
    assert score.metrics["stored_images"] == 200
    assert (
        score.metrics["acc"]
        > score_of(task, lambda case: random_set(case.problems[0], setup_of(Run))).metrics["acc"]
    )


# The other tasks
# --------------------------------------------------------------------------------------------


def test_clutter_hides_the_digits_behind_what_all_classes_share(digits):
    x = _parts.pooled(digits.x, 1).numpy()
    flat, y = x.reshape(len(x), -1), digits.y.numpy()

    def between(rows):
        rows = rows.reshape(len(rows), -1)
        centres = np.stack([rows[y == c].mean(0) for c in range(10)])
        return np.square(centres[y] - rows.mean(0)).sum() / np.square(rows - rows.mean(0)).sum()

    assert between(flat) > 0.4
    for variant, most in CondenseClutter.card.presets["extended"].variants.items():
        cluttered = clutter(x, most["amplitude"], np.random.Generator(np.random.PCG64(0)))
        assert (cluttered.min(), cluttered.max()) == (0, 1)
        assert between(cluttered) < {"weak": 0.2, "strong": 0.05}[variant]


def test_what_the_clutter_hides_is_there_for_who_takes_its_patterns_out(digits):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    x, y = _parts.pooled(digits.x, 1).numpy(), digits.y.numpy()
    strong = CondenseClutter.card.presets["extended"].variants["strong"]["amplitude"]
    # four directions carry all of it
    seen = clutter(x, strong, np.random.Generator(np.random.PCG64(0))).reshape(len(x), -1)
    half = len(x) // 2
    assert (
        LinearDiscriminantAnalysis().fit(seen[:half], y[:half]).score(seen[half:], y[half:]) > 0.8
    )


def test_a_good_set_beats_a_random_one_under_label_noise(score_of, setup_of):
    task = CondenseNoisy(**{**TINY, "rate": 0.4, "strategy": ""})
    good = score_of(task, means)  # means of a class with 40 % wrong rows still look like it
    bad = score_of(task, lambda case: random_set(case.problems[0], setup_of(Run)))
    assert good.metrics["acc"] > bad.metrics["acc"] + 5


@pytest.mark.parametrize("noise", ["sym", "asym"])
def test_wrong_labels_are_as_many_as_said_and_the_test_labels_stay(noise, digits):
    y = digits.y.numpy()
    found = flipped(y, noise, 0.4, 10, np.random.Generator(np.random.PCG64(0)))
    moves = {7: 1, 2: 7, 5: 6, 6: 5, 3: 8}
    for c in range(10):
        wrong = (found != c)[y == c]
        assert wrong.sum() == (round(0.4 * len(wrong)) if noise == "sym" or c in moves else 0)
        if noise == "asym" and c in moves:
            assert set(found[y == c]) == {c, moves[c]}


def test_in_the_class_incremental_task_a_good_memory_beats_a_random_one(score_of, setup_of):
    task = CondenseClassIncremental(**{**TINY, "ipc": 1, "steps": 5})

    def memory(make):
        return lambda case: [make(problem, axis) for axis, problem in enumerate(case.problems)]

    def mean(problem, axis):
        return SmallSet(
            x=torch.stack([problem.x[problem.y == c].mean(0) for c in range(problem.n_classes)]),
            y=torch.arange(problem.n_classes),
        )

    good = score_of(task, memory(mean))
    bad = score_of(
        task, memory(lambda problem, axis: random_set(problem, setup_of(Run, axis=axis)))
    )
    assert good.metrics["acc"] > bad.metrics["acc"] + 3
    assert good.metrics["stored_images"] == 10
    assert good.metrics["acc_last"] < good.metrics["acc"] < good.metrics["acc_first"]


def test_classes_come_once_each_in_an_order_of_the_seed_s(setup_of):
    task = CondenseClassIncremental(steps=5)
    first, second = (task.prepare(setup_of(seed=seed)) for seed in (0, 1))
    assert [problem.n_classes for problem in first.problems] == [2] * 5
    assert sum(len(problem.y) for problem in first.problems) == 1295
    assert not torch.equal(first.hidden.y_test, second.hidden.y_test)
    with pytest.raises(InvalidRun, match="does not divide the 10 classes"):
        CondenseClassIncremental(steps=3).prepare(setup_of())


def test_in_the_transfer_task_right_labels_teach_more_than_shuffled_ones(score_of, setup_of):
    task = CondenseTransfer(ipc=30, epochs=150, nets=2, width=16, lrs=(0.05,))

    def shuffled(case):
        good = random_set(case.problems[0], setup_of(Run))
        return SmallSet(
            x=good.x,
            y=good.y[torch.randperm(len(good.y), generator=torch.Generator().manual_seed(0))],
        )

    good, bad = (
        score_of(task, lambda case: random_set(case.problems[0], setup_of(Run))),
        score_of(task, shuffled),
    )
    assert good.metrics["acc"] > bad.metrics["acc"] + 3
    case = task.prepare(setup_of())
    assert case.problems[0].y.max() == 4
    assert case.hidden.y_probe.bincount().tolist() == [10] * 5


def test_nets_of_the_transfer_task_are_trained_as_its_authors_train_them(score_of, setup_of):
    # targets: SGD at 0.1, momentum 0.9, decay 1e-3, constant, a thousand epochs; the slow form
    # loops over torch's own optimiser, net by net
    task = CondenseTransfer(nets=2, width=8)
    assert task.epochs == 1000
    task = CondenseTransfer(nets=2, width=8, epochs=6)
    case = task.prepare(setup_of())
    problem, hidden = case.problems[0], case.hidden
    good = random_set(problem, setup_of(Run))
    aims = torch.randn(len(good.x), 7, generator=torch.Generator().manual_seed(0))
    small = SmallSet(x=good.x, y=good.y, targets=aims)
    found = task._probed(small, problem, hidden, (3, 4))[0]
    net = ConvNet(shape=problem.net().shape, classes=7, width=8, depth=task.depth)
    right = []
    for seed in (3, 4):
        params = [
            tensor.requires_grad_() for tensor in net.init([torch.Generator().manual_seed(seed)])
        ]
        optimiser = torch.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=1e-3)
        for _ in range(6):
            optimiser.zero_grad()
            (net.logits(params, small.x[None])[0] - aims).square().mean().backward()
            optimiser.step()
        with torch.no_grad():
            known, test = (
                net.features(params, x[None]).double() for x in (hidden.x_probe, hidden.x_test)
            )
        told = probe(known, hidden.y_probe, test).argmax(-1)[0]
        right.append((told == hidden.y_test).double().mean().item() * 100)
    assert found == pytest.approx(sum(right) / 2, abs=100 * 2 / len(hidden.y_test))


def test_targets_are_regressed_and_the_probe_is_ridge_regression(score_of, setup_of):
    task = CondenseTransfer(**{**TINY, "n_train": 0})

    def with_targets(case):
        good = random_set(case.problems[0], setup_of(Run))
        return SmallSet(
            x=good.x,
            y=good.y,
            targets=torch.randn(len(good.x), 7, generator=torch.Generator().manual_seed(0)),
        )

    assert score_of(task, with_targets).metrics["stored_kb"] == pytest.approx(
        (5 * 64 + 5 * 7) * 4 / 1000
    )
    generator = torch.Generator().manual_seed(0)
    known, test = (
        torch.randn(1, 12, 3, generator=generator, dtype=torch.float64),
        torch.randn(1, 4, 3, generator=generator, dtype=torch.float64),
    )
    y = torch.arange(12) % 2
    mean, std = known[0].mean(0), known[0].std(0)
    a, b = (known[0] - mean) / std, (test[0] - mean) / std
    level = 1e-2 * (a @ a.T).diagonal().mean()
    weights = torch.linalg.solve(
        a.T @ a + level * torch.eye(3, dtype=torch.float64),
        a.T @ (torch.eye(2, dtype=torch.float64)[y] - 0.5),
    )
    torch.testing.assert_close(probe(known, y, test)[0], b @ weights)
