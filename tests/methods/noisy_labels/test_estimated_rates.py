"""Methods that are told an estimate of the noise rate: what they are told, and that it is all that
differs.
"""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.datasets.letter import Letter
from bench.builtin.datasets.mnist5k import Mnist5k
from bench.builtin.methods.noisy_labels._estimated import out_of_bag, with_estimated_rate
from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
from bench.builtin.methods.noisy_labels.coteaching_estimated import CoTeachingEstimated
from bench.builtin.methods.noisy_labels.dividemix import DivideMix
from bench.builtin.methods.noisy_labels.dividemix_estimated import DivideMixEstimated
from bench.builtin.methods.noisy_labels.late_stopping import LateStopping
from bench.builtin.methods.noisy_labels.late_stopping_estimated import LateStoppingEstimated
from bench.builtin.tasks.noisy_labels._noise import asym
from bench.builtin.tasks.noisy_labels.noisy_digits import NoisyDigits
from bench.builtin.tasks.noisy_labels.noisy_letter import NoisyLetter
from bench.builtin.tasks.noisy_labels.noisy_mnist import NoisyMnist

from bench.runs.context import Setup
from bench.runs.tools import Tools

PAIRS = [
    (CoTeachingEstimated(), CoTeaching()),
    (LateStoppingEstimated(), LateStopping()),
    (DivideMixEstimated(), DivideMix()),
]


@pytest.mark.parametrize(("mine", "base"), PAIRS, ids=lambda method: method.card.name)
def test_a_method_with_an_estimate_is_the_method_told_that_estimate(mine, base, toy, run_of):
    """The true rate is masked, as it is in a run of a method that does not ask for it."""
    assert mine.card.needs == ()
    assert base.card.needs == ("noise-rate",)
    assert mine.values() == base.values()
    problems = [msgspec.structs.replace(toy(seed, epochs=12), noise_rate=None) for seed in (0, 1)]
    told = [with_estimated_rate(problem, run_of(seed)) for seed, problem in enumerate(problems)]
    assert all(0.05 < problem.noise_rate < 0.5 for problem in told)
    found = mine.solve_stacked(problems, [run_of(0), run_of(1)])
    expected = base.solve_stacked(told, [run_of(0), run_of(1)])
    for own, other, problem in zip(found, expected, problems, strict=True):
        assert torch.equal(own.model(problem.x), other.model(problem.x))


def test_the_record_of_a_run_keeps_the_rate_that_was_estimated(toy, run_of):
    run, problem = run_of(), msgspec.structs.replace(toy(), noise_rate=None)
    CoTeachingEstimated().solve_stacked([problem], [run])
    rate = with_estimated_rate(problem, run_of()).noise_rate
    assert run._logs == [{"step": 0, "noise_rate": rate}]


def test_only_trees_that_were_grown_without_a_row_judge_it(toy, run_of):
    """Against scikit-learn's trees one by one, and labels of which one is not given."""
    from sklearn.ensemble import ExtraTreesClassifier

    problem = msgspec.structs.replace(toy(rows=40, classes=3), n_classes=4)
    found = out_of_bag(problem, run_of())["probabilities"]
    seed = int(run_of().numpy_generator("split", "out-of-bag").integers(2**31))
    x, y = problem.x.numpy(), problem.y.numpy()
    trees = (
        ExtraTreesClassifier(100, min_samples_leaf=3, bootstrap=True, random_state=seed)
        .fit(x, y)
        .estimators_
    )
    seen = [np.random.RandomState(tree.random_state).randint(0, 40, 40) for tree in trees]
    for row in range(40):
        unseen = [
            t.predict_proba(x[row : row + 1])[0]
            for t, s in zip(trees, seen, strict=True)
            if row not in s
        ]
        assert 20 < len(unseen) < 60
        np.testing.assert_allclose(found[row, :3], np.mean(unseen, 0), rtol=0, atol=1e-12)
    assert (found[:, 3] == 0).all()


def test_rows_of_one_label_are_all_held_right(toy, run_of):
    problem = toy(rows=20)
    one = msgspec.structs.replace(problem, y=torch.full_like(problem.y, 2), noise_rate=None)
    assert with_estimated_rate(one, run_of()).noise_rate == 0


def far_from_true(task, data, seed, run_of, folder):
    """Return how far the estimate is from the true share of wrong labels."""

    class Serving(Tools):
        def dataset(self, run, name, params):
            return data

    setup = Setup(
        seed=seed,
        task=f"noisy-labels/{task.card.name}",
        method="noisy-labels/x",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Serving(),
    )
    problem = task.prepare(setup).problems[0]
    return abs(with_estimated_rate(problem, run_of(seed)).noise_rate - problem.noise_rate)


@pytest.mark.parametrize("noise", ["sym", "asym"])
def test_on_digits_the_estimate_is_within_five_points_of_the_truth(noise, digits, run_of, tmp_path):
    task = NoisyDigits(noise=noise, rate=0.4)
    assert all(far_from_true(task, digits, seed, run_of, tmp_path) < 0.05 for seed in (100, 101))


SIMILAR = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(source): "ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(target)
    for source, target in (
        "CG",
        "GC",
        "DO",
        "OQ",
        "EF",
        "FP",
        "IJ",
        "UV",
        "VY",
        "MN",
        "HK",
        "BR",
        "XK",
    )
}
"""Half of the letters, each with one of a similar shape, as half of the digits have one."""


class SimilarLetters(NoisyLetter):
    """Letters that move to letters of a similar shape, which the task itself does not offer."""

    def given(self, train, rows, x, generator):
        """Return the labels of the rows under asymmetric noise."""
        return asym(train.y.numpy()[rows], self.rate, train.classes, generator, SIMILAR)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "data"),
    [
        (NoisyDigits(noise="sym", rate=0.4), Digits()),
        (NoisyDigits(noise="asym", rate=0.4), Digits()),
        (NoisyMnist(noise="sym", rate=0.4), Mnist5k()),
        (NoisyMnist(noise="asym", rate=0.4), Mnist5k()),
        (NoisyLetter(noise="sym", rate=0.4, n_train=4000), Letter()),
        (NoisyLetter(noise="sym", rate=0.4), Letter()),
        (NoisyLetter(noise="pair", rate=0.4), Letter()),
        (SimilarLetters(noise="asym", rate=0.4, n_train=4000), Letter()),
        (SimilarLetters(noise="asym", rate=0.4), Letter()),
    ],
    ids=lambda one: f"{one.card.name}-{one.noise}" if hasattr(one, "noise") else "",
)
def test_on_whole_data_the_estimate_is_within_five_points_of_the_truth(
    task, data, run_of, tmp_path
):
    if data.card.name == "letter":
        pytest.importorskip("rdata")
    loaded = data.load(
        Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)
    )
    far = [far_from_true(task, loaded, seed, run_of, tmp_path) for seed in (200, 201)]
    print(f"{task.card.name} {task.noise}: at most {max(far):.4f}")
    assert max(far) < 0.05
