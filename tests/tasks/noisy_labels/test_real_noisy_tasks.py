"""Wrong labels in real data: Fashion-MNIST whole, and three tables."""

import json
import struct
import time

import numpy as np
import pytest
import torch
from bench.builtin.datasets.fashion_mnist import FashionMnist
from bench.builtin.datasets.letter import Letter
from bench.builtin.datasets.satellite import Satellite
from bench.builtin.datasets.segment import Segment
from bench.builtin.tasks.noisy_labels._noise import corrupt, transitions
from bench.builtin.tasks.noisy_labels._table import keys
from bench.builtin.tasks.noisy_labels._task import NoisyLabelTask
from bench.builtin.tasks.noisy_labels.noisy_digits import NoisyDigits
from bench.builtin.tasks.noisy_labels.noisy_fashion import NoisyFashion
from bench.builtin.tasks.noisy_labels.noisy_letter import NoisyLetter
from bench.builtin.tasks.noisy_labels.noisy_satellite import NoisySatellite
from bench.builtin.tasks.noisy_labels.noisy_segment import NoisySegment
from real_runs import outcome, without_data

from bench.errors import InvalidRun
from bench.runs.context import Setup
from bench.runs.tools import Tools
from bench.training.data import Examples

TABLES = {NoisyLetter: Letter, NoisySatellite: Satellite, NoisySegment: Segment}
CLOTHES = (
    "top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"
)  # fmt: skip
GCE = {
    "boot": "sneaker",
    "sneaker": "sandal",
    "pullover": "shirt",
    "coat": "dress",
    "dress": "coat",
}  # arXiv:1805.07836, "boot to sneaker, sneaker to sandals, pullover to shirt, coat and dress"


class Serving(Tools):
    def __init__(self, data):
        self.data = data

    def dataset(self, run, name, params):
        return self.data[params.get("split", "")]


def setup_of(folder, seed=0, **data):
    return Setup(
        seed=seed,
        task="t",
        method="m",
        device=torch.device("cpu"),
        workdir=folder,
        tools=Serving(data),
    )


def variant(task, name, preset="default"):
    found = task.card.presets[preset]
    return task.make({**found.params, **found.variants[name]})


# Fashion-MNIST ----------------------------------------------------------------------


def moved(confused, rate=0.4):
    """Return how many of 60,000 labels move from each class to each other."""
    y = np.random.default_rng(0).permutation(np.arange(60_000) % 10)
    task = NoisyFashion(noise="asym", rate=rate, confused=confused)
    given = task.given(
        Examples(torch.empty(0), torch.from_numpy(y), 10),
        np.arange(60_000),
        torch.empty(0),
        np.random.default_rng(1),
    )
    return transitions(y, given, 10)


def expected(map_):
    counts = np.diag([6_000] * 10)
    for source, target in map_.items():
        source, target = CLOTHES.index(source), CLOTHES.index(target)
        counts[source, source] -= 2_400
        counts[source, target] += 2_400
    return counts


def test_asym_moves_exactly_two_fifths_of_the_confused_classes_as_gce_does():
    np.testing.assert_array_equal(moved("gce"), expected(GCE))
    back = {target: source for source, target in GCE.items()}
    assert (moved("gce") != expected(back)).any()
    assert (moved("look-alikes") != expected(GCE)).any()
    alike = {"shirt": "top", "top": "shirt", "pullover": "coat", "coat": "pullover"}
    alike |= {"sandal": "sneaker", "sneaker": "sandal", "boot": "sneaker"}
    np.testing.assert_array_equal(moved("look-alikes"), expected(alike))


def test_noise_that_depends_on_the_picture_has_its_rate_on_all_rows_and_is_drawn_quickly(real):
    data = real(FashionMnist())
    x = (data.x.flatten(1).float().numpy() - 72.9) / 90.0
    start = time.process_time()
    given = corrupt(
        "idn", data.y.numpy(), rate=0.4, classes=10, generator=np.random.default_rng(0), x=x
    )
    assert time.process_time() - start < 5
    assert (given != data.y.numpy()).mean() == pytest.approx(0.4, abs=0.01)


def test_ten_thousand_rows_are_a_thousand_of_each_class_and_all_test_pictures_judge(real, tmp_path):
    train, test = real(FashionMnist()), real(FashionMnist(split="test"))
    cases = [
        variant(NoisyFashion, "sym40").prepare(setup_of(tmp_path, seed, train=train, test=test))
        for seed in (0, 1)
    ]
    for case in cases:
        assert case.hidden.y_true.bincount().tolist() == [1_000] * 10
        assert torch.equal(case.hidden.y_test, test.y)
        assert tuple(case.problems[0].x.shape) == (10_000, 1, 28, 28)
        assert case.problems[0].noise_rate == pytest.approx(0.4)
    assert not torch.equal(cases[0].hidden.y_true, cases[1].hidden.y_true)


def test_the_paper_preset_is_the_protocol_of_part_dependent_noise():
    assert set(NoisyFashion.card.presets["paper"].variants) == {
        *(f"idn{rate}" for rate in (20, 30, 40, 45, 50)),
        *(f"sym{rate}" for rate in (20, 40, 60)),
        *(f"asym{rate}" for rate in (20, 40)),
    }
    task = variant(NoisyFashion, "idn45", "paper")
    assert (task.noise, task.rate, task.n_train, task.net, task.epochs) == (
        "idn",
        0.45,
        0,
        "resnet18",
        150,
    )
    assert (task.lr, task.momentum, task.weight_decay, task.batch_size, task.precision) == (
        0.01,
        0.9,
        1e-4,
        128,
        "float32",
    )


# Tables -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TABLES)
def test_the_protocol_of_a_table_is_that_of_the_digits(kind):
    assert set(kind.card.presets["default"].variants) == {"sym40", "pair45", "idn40", "clean"}
    task = variant(kind, "sym40")
    for name in ("widths", "epochs", "lr", "momentum", "weight_decay", "batch_size", "schedule"):
        assert getattr(task, name) == getattr(NoisyDigits(), name)


@pytest.mark.parametrize("kind", TABLES)
def test_no_training_row_is_equal_to_one_that_is_judged_by(real, tmp_path, kind):
    data = real(TABLES[kind]())
    shapes = set()
    for seed in (0, 1):
        case = variant(kind, "sym40").prepare(setup_of(tmp_path, seed, **{"": data}))
        problem, hidden = case.problems[0], case.hidden
        assert not np.isin(keys(problem.x), keys(hidden.x_test)).any()
        assert len(hidden.y_test) == kind.n_test
        torch.testing.assert_close(
            problem.x.mean(0), torch.zeros(data.x.shape[1]), rtol=0, atol=1e-4
        )
        shapes.add(tuple(problem.x.shape))
    assert len(shapes) == 1  # seeds stack
    assert shapes.pop()[0] == (1_500 if kind is NoisySegment else 4_000)


def test_of_the_letters_some_rows_would_be_equal_to_test_rows(real, tmp_path):
    train, test = NoisyLabelTask.parts(NoisyLetter(), setup_of(tmp_path, **{"": real(Letter())}))
    assert np.isin(keys(train.x), keys(test.x)).sum() > 20


def test_rows_are_equal_where_all_of_their_columns_are_and_minus_zero_is_zero():
    found = keys(torch.tensor([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]]))
    assert (found[0] == found[1], found[0] == found[2]) == (True, False)


def test_a_table_has_no_look_alikes_and_says_what_to_take(real, tmp_path):
    task = NoisyLetter(noise="asym", n_train=300)
    with pytest.raises(InvalidRun, match="'letter' has no such table; take noise=confusion"):
        task.prepare(setup_of(tmp_path, **{"": real(Letter())}))


# The whole way ----------------------------------------------------------------------


def test_the_smoke_presets_run(real, capsys, tmp_path):
    for dataset in (FashionMnist(), Letter(), Satellite(), Segment()):
        real(dataset)
    names = "noisy-fashion,noisy-letter,noisy-satellite,noisy-segment"
    code, out, err = outcome(
        capsys, "--method", "ce", "--task", names, "--preset", "smoke", "--results", tmp_path
    )
    assert code == 0, err
    for name in names.split(","):
        assert f"### {name} · " in out


@pytest.mark.parametrize(
    ("task", "package"),
    [("noisy-fashion", "dataset-fashion-mnist"), ("noisy-letter", "r-cran-mlbench")],
)
def test_without_the_data_a_cell_is_unavailable_with_what_to_run_and_nobody_is_called(
    monkeypatch, capsys, tmp_path, task, package
):
    if task == "noisy-letter":
        pytest.importorskip("rdata")
    called = without_data(monkeypatch, tmp_path)
    code, _, err = outcome(
        capsys, "--method", "ce", "--task", task, "--preset", "smoke", "--results", tmp_path
    )
    assert code == 4
    assert f"unavailable: ce on {task}: the data set" in err
    assert f"run 'apt-get install {package}'" in err
    assert called == []


def test_a_copy_that_differs_makes_the_run_invalid_by_the_pin_of_its_part(
    monkeypatch, capsys, tmp_path
):
    folder = tmp_path / "data" / "fashion-mnist"
    folder.mkdir(parents=True)
    for prefix, rows in (("train", 400), ("t10k", 100)):
        for name, shape in (("images-idx3", (rows, 28, 28)), ("labels-idx1", (rows,))):
            values = np.arange(np.prod(shape)) % (10 if len(shape) == 1 else 256)
            head = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
            (folder / f"{prefix}-{name}-ubyte").write_bytes(
                head + values.astype(np.uint8).tobytes()
            )
    monkeypatch.setenv("BENCH_DATA", str(folder.parent))
    code, _, err = outcome(
        capsys, "--method", "ce", "--task", "noisy-fashion", "--preset", "smoke", "--results",
        tmp_path / "results",
    )  # fmt: skip
    assert code == 1, err
    (record,) = (tmp_path / "results" / "records").rglob("*.json")
    found = json.loads(record.read_text())
    assert found["status"] == "invalid"
    assert "'fashion-mnist' has the fingerprint" in found["error"]["message"]
    assert FashionMnist.card.fingerprint[""] in found["error"]["message"]
