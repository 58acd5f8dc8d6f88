"""The tasks of long tails: class sizes, splits, and figures by class."""

import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.tasks.long_tail._task import by_class, collapse, rare
from bench.builtin.tasks.long_tail.tail_digits import TailDigits
from bench.builtin.tasks.long_tail.tail_fashion import TailFashion
from bench.builtin.tasks.long_tail.tail_mnist import TailMnist
from bench.builtin.tasks.long_tail.zipf_pairs import ZipfPairs
from recipes_small import numbered, setups

from bench.checks import check_problem
from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.tracks.long_tail import Solution


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return {"digits": Digits().load(setups(tmp_path_factory.mktemp("data"), {})[0])}


@pytest.fixture(scope="module")
def cases(data, tmp_path_factory):
    return [TailDigits().prepare(one) for one in setups(tmp_path_factory.mktemp("t"), data, 3)]


def test_sizes_fall_by_one_factor_from_class_to_class():
    sizes = TailDigits(ratio=30.0).sizes(10)
    assert (sizes[0], sizes[-1]) == (95, 3)
    assert sizes.tolist() == [int(95 * 30 ** (-c / 9)) for c in range(10)]
    assert sizes.sum() == 290
    assert TailDigits(ratio=30.0, shape="step").sizes(10).tolist() == [95] * 5 + [3] * 5
    assert TailDigits(ratio=1.0).sizes(10).tolist() == [95] * 10
    assert TailMnist(ratio=100.0).sizes(10)[[0, -1]].tolist() == [290, 2]
    assert ZipfPairs().sizes(100)[[0, 1, 2, 99]].tolist() == [300, 150, 100, 3]


def test_which_class_is_rare_depends_on_the_seed_and_the_test_part_is_even(cases):
    orders = []
    for case in cases:
        problem, hidden = case.problems[0], case.hidden
        assert (
            sorted(problem.y.bincount().tolist(), reverse=True) == TailDigits().sizes(10).tolist()
        )
        assert hidden.y_test.bincount().tolist() == [73] * 10
        assert max(hidden.y_even.bincount()) - min(hidden.y_even.bincount()) <= 1
        assert len(hidden.y_even) == len(problem.y) == 290
        orders.append(problem.y.bincount().argsort().tolist())
        check_problem(problem, 0)
    assert orders[0] != orders[1]


def test_no_test_row_is_trained_on(cases):
    hidden = cases[0].hidden
    test, train, even = (
        {row.numpy().tobytes() for row in x.flatten(1)}
        for x in (hidden.x_test, cases[0].problems[0].x, hidden.x_even)
    )
    assert not test & train
    assert not test & even


def test_a_tail_of_clothing_is_drawn_by_the_seed_and_judged_by_the_datas_own_test_part(tmp_path):
    served = numbered(12000, 200)
    task = TailFashion(**TailFashion.card.presets["extended"].variants["r100"])
    drawn = []
    for setup in setups(tmp_path, {"fashion-mnist": served}, 2, task="tail-fashion"):
        case = task.prepare(setup)
        problem, hidden = case.problems[0], case.hidden
        sizes = problem.y.bincount()
        assert sorted(sizes.tolist(), reverse=True) == task.sizes(10).tolist()
        assert (int(sizes.max()), int(sizes.min())) == (500, 5)
        assert hidden.y_even.bincount().max() - hidden.y_even.bincount().min() <= 1
        assert torch.equal(hidden.y_test, served("test").y)
        # a row's number, up to shift and scale
        train, even, test = (x[:, 0, 0, 0] for x in (problem.x, hidden.x_even, hidden.x_test))
        assert test.diff().min() > 0
        assert max(train.max(), even.max()) < test.min()
        assert len(train.unique()) == len(train) == len(even) == len(even.unique())
        check_problem(problem, 0)
        drawn.append(sizes.tolist())
    assert drawn[0] != drawn[1]


def test_a_class_that_is_too_small_ends_in_a_sentence(data, tmp_path):
    with pytest.raises(InvalidRun, match="give largest of at most 101"):
        TailDigits(largest=150, ratio=1.0).prepare(setups(tmp_path, data)[0])


def test_pairs_of_test_digits_are_in_no_training_pair(data, tmp_path):
    task = ZipfPairs()
    train, test = task.parts(setups(tmp_path, data)[0])
    assert train.x.shape == (32000, 1, 8, 16)
    assert test.y.bincount().tolist() == [20] * 100
    digits = {
        row.numpy().tobytes(): int(y)
        for row, y in zip(data["digits"].x, data["digits"].y, strict=True)
    }
    for x, y in list(zip(test.x, test.y.tolist(), strict=True))[::97]:
        sides = [digits[half.contiguous().numpy().tobytes()] for half in (x[..., :8], x[..., 8:])]
        assert sides == [y // 10, y % 10]
    seen = {
        half.contiguous().numpy().tobytes()
        for x in train.x[::50]
        for half in (x[..., :8], x[..., 8:])
    }
    held = {
        half.contiguous().numpy().tobytes() for x in test.x for half in (x[..., :8], x[..., 8:])
    }
    assert not seen & held


class Answers(torch.nn.Module):
    """A model that gives fixed logits and features for whatever rows it is shown."""

    def __init__(self, table):
        super().__init__()
        self.table = table

    def forward(self, x):
        return self.table[len(x)]


def test_figures_by_class_are_those_of_a_loop(cases, data, tmp_path):
    case = cases[0]
    problem, hidden = case.problems[0], case.hidden
    generator = torch.Generator().manual_seed(0)
    table = {n: 3 * torch.randn(n, 10, generator=generator) for n in (730, 290)}
    table[730] += 3 * torch.nn.functional.one_hot(hidden.y_test, 10)
    outcome = Outcome(
        solution=Solution(model=Answers(table)), curve=[], kept={}, cost={}, counters={}
    )
    found = TailDigits().evaluate(case, [outcome], setups(tmp_path, data)[0]).metrics
    right = (table[730].argmax(1) == hidden.y_test).numpy()
    own = [100 * right[(hidden.y_test == c).numpy()].mean() for c in range(10)]
    order = sorted(range(10), key=lambda c: (-int((problem.y == c).sum()), c))
    assert found["bal_acc"] == pytest.approx(np.mean(own))
    assert found["worst_class"] == pytest.approx(min(own))
    for name, part in (("head", order[:4]), ("medium", order[4:7]), ("tail", order[7:])):
        assert found[f"acc_{name}"] == pytest.approx(np.mean([own[c] for c in part]))
    lost = torch.nn.functional.cross_entropy(table[290], problem.y, reduction="none")
    sizes = problem.y.bincount()
    rows = sorted(range(290), key=lambda i: (int(sizes[problem.y[i]]), i))[:145]
    assert found["fit_rare"] == pytest.approx(float(lost[rows].mean()), rel=1e-5)
    assert found["nc_within"] is None
    assert set(found) == {m.name for m in TailDigits.card.metrics if not m.validation}


def test_a_holdout_scores_training_rows_alone(data, tmp_path):
    task = TailDigits(holdout=0.2)
    case = task.prepare(setups(tmp_path, data)[0])
    assert (len(case.problems[0].y), len(case.hidden.y_test)) == (232, 58)
    model = Answers({58: torch.nn.functional.one_hot(case.hidden.y_test, 10).float()})
    outcome = Outcome(solution=Solution(model=model), curve=[], kept={}, cost={}, counters={})
    score = task.evaluate(case, [outcome], setups(tmp_path, data)[0])
    assert score.metrics == {"bal_acc_val": 100.0}
    assert score.not_rankable


def test_a_collapsed_simplex_has_equal_angles_and_no_spread():
    y = torch.arange(40) % 4
    means = torch.eye(4, dtype=torch.float64)
    found = collapse(means[y], y, 4)
    assert found["nc_angle_sd"] == pytest.approx(0, abs=1e-7)
    assert found["nc_cosine"] == pytest.approx(0, abs=1e-7)
    assert found["nc_within"] == pytest.approx(0, abs=1e-7)
    shifted = collapse(means[y] + 5.0, y, 4)
    assert shifted["nc_angle_sd"] == pytest.approx(0, abs=1e-7)
    assert shifted["nc_cosine"] > 0.9
    noisy = means[y] + torch.randn(40, 4, generator=torch.Generator().manual_seed(0)).double()
    assert collapse(noisy, y, 4)["nc_within"] > 0.5


def test_the_rare_half_is_of_the_smallest_classes():
    y = torch.tensor([0] * 6 + [1] * 3 + [2] * 2 + [3])
    assert rare(y, y.bincount()).nonzero()[:, 0].tolist() == [6, 7, 8, 9, 10, 11]


def test_accuracies_by_class_do_not_weigh_classes_by_rows():
    logits = torch.tensor([[1.0, 0], [1, 0], [1, 0], [1, 0]])
    assert by_class(logits, torch.tensor([0, 0, 0, 1])).tolist() == [100.0, 0.0]
