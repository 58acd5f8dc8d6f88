"""The CIFAR tasks on a small local copy in the hub's layout: protocol, confusions, labels by
people, and what is said when they are missing.
"""

import warnings

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.tasks.noisy_labels._cifar import read_labels
from bench.builtin.tasks.noisy_labels.noisy_cifar10 import NoisyCifar10
from bench.builtin.tasks.noisy_labels.noisy_cifar100 import SUPERCLASSES, NoisyCifar100
from PIL import Image

from bench.cli import main
from bench.errors import DataUnavailable
from bench.runs.context import Setup
from bench.runs.tools import Tools
from bench.training.data import Examples

CPU = torch.device("cpu")


def copy_of(root, name, classes, fields, train, test):
    """Write made-up pictures that show their class, as Parquet files in
    the hub's layout; return the training labels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets
    datasets.disable_progress_bars()
    generator, labels = np.random.default_rng(0), {}
    for split, rows in (("train", train), ("test", test)):
        y = labels[split] = generator.permutation(np.arange(rows) % classes)
        x = generator.integers(0, 160, (rows, 32, 32, 3))
        # a line whose place and colour tell the class
        x[np.arange(rows), (y * 3) % 32, :, y % 3] = 255
        features = datasets.Features(
            {"img": datasets.Image()}
            | {field: datasets.ClassLabel(num_classes=count) for field, count in fields.items()}
        )
        columns = {"img": [Image.fromarray(picture.astype(np.uint8)) for picture in x]} | {
            field: (y * count // classes).tolist() for field, count in fields.items()
        }
        (root / name).mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(columns, features=features).to_parquet(
            root / name / f"{split}-00000-of-00001.parquet"
        )
    return labels["train"]


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A folder with small copies of both datasets; the labels of the first's training rows."""
    root = tmp_path_factory.mktemp("data")
    y = copy_of(root, "cifar10", 10, {"label": 10}, 300, 60)
    copy_of(root, "cifar100", 100, {"fine_label": 100, "coarse_label": 20}, 400, 100)
    return root, y


@pytest.fixture
def at_hand(copies, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(copies[0]))
    return copies[1]


class Serving(Tools):
    def __init__(self, train, test):
        self.parts_ = {"train": train, "test": test}

    def dataset(self, run, name, params):
        return self.parts_[params["split"]]


def prepared(task, tmp_path, rows=2000, classes=10, y=None, seed=0):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(rows) % classes if y is None else torch.as_tensor(y)
    train = Examples(
        torch.randint(256, (len(y), 3, 4, 4), generator=generator, dtype=torch.uint8)
        // torch.tensor([1, 2, 4], dtype=torch.uint8).view(3, 1, 1),
        y,
        classes,
    )
    test = Examples(train.x[:100], y[:100], classes)
    run = Setup(
        seed=seed, task="t", method="m", device=CPU, workdir=tmp_path, tools=Serving(train, test)
    )
    return task.prepare(run)


def outcome(capsys, *arguments):
    with pytest.raises(SystemExit) as done:
        main(["run", "--device", "cpu", "--executor", "inline", *arguments])
    captured = capsys.readouterr()
    return done.value.code, captured.out, captured.err


# The whole way ---------------------------------------------------------------------


@pytest.mark.parametrize("task", ["noisy-cifar10", "noisy-cifar100"])
def test_the_smoke_preset_runs_on_a_small_local_copy(at_hand, capsys, tmp_path, task):
    code, out, err = outcome(
        capsys, "--method", "ce", "--task", task, "--preset", "smoke", "--results", str(tmp_path)
    )
    assert code == 0, err
    assert "acc_last" in out


def test_without_a_copy_the_task_named_is_unavailable_with_one_sentence_and_exit_code_4(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "nothing"))
    code, _, err = outcome(
        capsys,
        "--method",
        "ce",
        "--task",
        "noisy-cifar10",
        "--preset",
        "smoke",
        "--results",
        str(tmp_path),
    )
    assert code == 4
    assert "unavailable: ce on noisy-cifar10: the data set 'cifar10' is not on this machine" in err
    assert "Put a copy of uoft-cs/cifar10" in err


# The protocol ----------------------------------------------------------------------


def variant(task, preset, name):
    found = task.card.presets[preset]
    return task.make({**found.params, **found.variants[name]})


def test_the_paper_variants_are_elr_s_protocol():
    sym, asym = (variant(NoisyCifar10, "paper", name) for name in ("paper-sym40", "paper-asym40"))
    shared = (
        "net",
        "n_train",
        "batch_size",
        "lr",
        "momentum",
        "weight_decay",
        "flip",
        "crop",
        "precision",
    )
    for task in (sym, asym, variant(NoisyCifar100, "paper", "paper-sym40")):
        assert [getattr(task, name) for name in shared] == [
            "resnet34",
            45000,
            128,
            0.02,
            0.9,
            0.001,
            True,
            4,
            "bfloat16",
        ]
    assert (sym.noise, sym.epochs, sym.schedule, sym.period, sym.lr_min) == (
        "sym_incl",
        150,
        "restarts",
        10,
        0.001,
    )
    assert (asym.noise, asym.epochs, asym.schedule, asym.milestones, asym.gamma) == (
        "asym",
        120,
        "steps",
        (40, 80),
        0.01,
    )
    hundred = variant(NoisyCifar100, "paper", "paper-asym40")
    assert (hundred.epochs, hundred.schedule, hundred.milestones, hundred.gamma) == (
        150,
        "steps",
        (80, 120),
        0.01,
    )


@pytest.mark.parametrize("task", [NoisyCifar10, NoisyCifar100])
def test_every_variant_is_a_valid_task_and_the_fast_ones_differ_in_their_noise_alone(task):
    made = {name: variant(task, "paper", name) for name in task.card.presets["paper"].variants}
    fast = [
        msgspec.structs.replace(
            found,
            noise="sym",
            rate=0.4,
            **({"people_said": "worse"} if task is NoisyCifar10 else {}),
        )
        for name, found in made.items()
        if name.startswith("fast")
    ]
    assert len(fast) >= 3
    assert all(found == fast[0] for found in fast)
    assert (fast[0].net, fast[0].epochs, fast[0].schedule, fast[0].n_train) == (
        "resnet18",
        30,
        "cosine",
        0,
    )


def test_each_channel_is_standardised_by_the_training_part_and_the_net_gets_its_own_channels(
    tmp_path,
):
    case = prepared(
        NoisyCifar10(net="resnet18", channels=(4, 8), flip=True, crop=2, n_train=1000), tmp_path
    )
    problem = case.problems[0]
    torch.testing.assert_close(problem.x.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(problem.x.std((0, 2, 3)), torch.ones(3), rtol=0, atol=1e-5)
    assert (problem.net, problem.widths, problem.flip, problem.crop, len(problem.y)) == (
        "resnet18",
        (4, 8),
        True,
        2,
        1000,
    )
    assert problem.y.bincount(minlength=10).sum() == 1000


# Confusions --------------------------------------------------------------------------


def test_asym_on_cifar10_moves_trucks_birds_cats_dogs_and_deer_and_nothing_else(tmp_path):
    case = prepared(NoisyCifar10(noise="asym", rate=0.4), tmp_path)
    y, given = case.hidden.y_true, case.problems[0].y
    moved = {
        (int(a), int(b)): int(((y == a) & (given == b)).sum())
        for a, b in torch.stack([y, given], 1)[y != given].unique(dim=0)
    }
    # 40 % of 200 each: the map of ELR's repository
    assert moved == {(9, 1): 80, (2, 0): 80, (3, 5): 80, (5, 3): 80, (4, 7): 80}
    assert float((y != given).float().mean()) == pytest.approx(0.2)  # half the nominal rate


def test_asym_on_cifar100_moves_every_class_to_the_next_of_its_superclass(tmp_path):
    case = prepared(NoisyCifar100(noise="asym", rate=0.4), tmp_path, classes=100)
    y, given = case.hidden.y_true, case.problems[0].y
    moves = {int(a): int(b) for a, b in torch.stack([y, given], 1)[y != given].unique(dim=0)}
    assert sorted(moves) == list(range(100))
    assert all(SUPERCLASSES[a] == SUPERCLASSES[b] for a, b in moves.items())
    assert sorted(moves.values()) == list(range(100))
    place = 4
    for _ in range(5):  # beaver, dolphin, otter, seal, whale: the aquatic mammals
        assert SUPERCLASSES[place] == SUPERCLASSES[4]
        place = moves[place]
    assert place == 4
    assert {4, moves[4], moves[30], moves[55], moves[72]} == {4, 30, 55, 72, 95}


def test_there_are_twenty_superclasses_of_five():
    assert np.bincount(SUPERCLASSES).tolist() == [5] * 20


# Labels by people ----------------------------------------------------------------------


def people(y, folder, name="CIFAR-10_human.pt", **changes):
    """Write a file as CIFAR-10N's authors do: a dictionary of arrays, saved by torch."""
    labels = {
        "clean_label": y.copy(),
        "aggre_label": (y + (np.arange(len(y)) % 11 == 0)) % 10,
        "worse_label": (y + (np.arange(len(y)) % 2 == 0)) % 10,
    }
    labels |= {
        f"random_label{person}": (y + (np.arange(len(y)) % (3 + person) == 0)) % 10
        for person in (1, 2, 3)
    }
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(labels | changes, folder / name)
    return labels


@pytest.mark.parametrize(
    ("said", "field"),
    [("aggre", "aggre_label"), ("rand2", "random_label2"), ("worse", "worse_label")],
)
def test_labels_by_people_are_the_file_s_and_seeds_change_nothing(
    monkeypatch, tmp_path, said, field
):
    y = np.random.default_rng(0).integers(0, 10, 500)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    labels = people(y, tmp_path / "data")
    case, other = (
        prepared(NoisyCifar10(noise="human", people_said=said), tmp_path, y=y, seed=seed)
        for seed in (0, 1)
    )
    pairs = sorted(zip(y.tolist(), labels[field].tolist(), strict=True))
    for each in (case, other):
        given = each.hidden.y_true.tolist(), each.problems[0].y.tolist()
        assert sorted(zip(*given, strict=True)) == pairs
    assert case.problems[0].noise_rate == pytest.approx((labels[field] != y).mean())


def test_a_subset_of_the_rows_keeps_its_own_labels_by_people(monkeypatch, tmp_path):
    y = np.arange(500) % 10
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    labels = people(y, tmp_path / "data" / "cifar10")
    case = prepared(NoisyCifar10(noise="human", n_train=200), tmp_path, y=y)
    wrong = case.problems[0].y.numpy() != case.hidden.y_true.numpy()
    assert 0 < wrong.sum() < 200
    assert set(zip(case.hidden.y_true.tolist(), case.problems[0].y.tolist(), strict=True)) <= set(
        zip(y.tolist(), labels["worse_label"].tolist(), strict=True)
    )


def test_a_file_in_another_order_is_refused(monkeypatch, tmp_path):
    y = np.arange(500) % 10
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    people(y, tmp_path / "data", clean_label=np.roll(y, 1))
    with pytest.raises(DataUnavailable, match="in another order than the 500 of 'cifar10'"):
        prepared(NoisyCifar10(noise="human"), tmp_path, y=y)


def test_a_missing_file_and_a_missing_field_are_told_in_a_sentence(monkeypatch, tmp_path):
    y = np.arange(500) % 10
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    with pytest.raises(
        DataUnavailable, match=r"Get CIFAR-10_human\.pt from the authors' repository"
    ):
        prepared(NoisyCifar10(noise="human"), tmp_path, y=y)
    people(y, tmp_path / "data", "CIFAR-100_human.pt")
    with pytest.raises(DataUnavailable, match="has no field 'noisy_label', only clean_label"):
        prepared(NoisyCifar100(noise="human"), tmp_path, y=y, classes=100)


def test_a_file_that_would_run_code_is_refused_and_nothing_of_it_runs(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save({"clean_label": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(DataUnavailable, match="more than arrays is refused"):
        read_labels(tmp_path / "trap.pt")
    assert not (tmp_path / "ran").exists()


def test_tensors_and_arrays_of_an_older_numpy_are_read_alike(tmp_path):
    y = np.arange(7)
    torch.save(
        {"clean_label": torch.from_numpy(y), "noisy_label": y.astype(np.int32)}, tmp_path / "new.pt"
    )
    found = read_labels(tmp_path / "new.pt")
    assert all(values.dtype == np.int64 for values in found.values())
    np.testing.assert_array_equal(found["noisy_label"], y)
    import zipfile

    with (
        zipfile.ZipFile(tmp_path / "new.pt") as new,
        zipfile.ZipFile(tmp_path / "old.pt", "w") as old,
    ):
        for item in new.infolist():  # NumPy 1 wrote the same pickle under the name 'numpy.core'
            old.writestr(
                item.filename,
                new.read(item).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"),
            )
    np.testing.assert_array_equal(read_labels(tmp_path / "old.pt")["noisy_label"], y)


@pytest.mark.parametrize(("task", "classes"), [(NoisyCifar10, 10), (NoisyCifar100, 100)])
def test_chance_is_one_class_of_all(task, classes):
    chances = {metric.name: metric.chance for metric in task.card.metrics if metric.chance}
    assert chances == {"acc_last": 100 / classes}


def test_the_metrics_of_both_tasks_differ_in_chance_alone():
    ten, hundred = (task.card.metrics for task in (NoisyCifar10, NoisyCifar100))
    assert [msgspec.structs.replace(metric, chance=None) for metric in ten] == [
        msgspec.structs.replace(metric, chance=None) for metric in hundred
    ]
