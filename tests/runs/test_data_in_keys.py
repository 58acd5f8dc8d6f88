"""Data is part of the key: a record counts as long as the data that it was
made of is what is there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.plugins.registry import Registry
from bench.runs import data_process
from bench.runs.data_status import DataStatus
from bench.runs.driver import Driver
from bench.runs.guard import fingerprint
from bench.runs.keys import Keys
from bench.runs.plan import Request, make_plan
from bench.runs.store import Store

DATASET = '''
"""Rows of CSV files beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import DatasetCard, Dataset, DataUnavailable


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """x (n, d) float32 and y (n,) int64."""

    x: torch.Tensor
    y: torch.Tensor


class NAME(Dataset):
    """Rows."""

    card: ClassVar = DatasetCard(name="CALLED", title="Rows", licence="CC0-1.0", source="here", size="3 rows", had="local"PIN)
    split: Literal["train", "test"] = "train"

    def load(self, run):
        """Return the rows."""
        file = Path(__file__).with_name(f"STEM{self.split}.csv")
        if not file.is_file():
            raise DataUnavailable(f"there is no file {file.name}; write one.")
        table = np.loadtxt(file, delimiter=",", ndmin=2)
        return Rows(x=torch.from_numpy(table[:, :-1]).float(), y=torch.from_numpy(table[:, -1]).long())
'''
TASK = '''
"""The mean label of rows."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec
import torch

from bench import Case, Metric, Preset, Reference, Score, Task, TaskCard


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """y (n,) int64."""

    y: torch.Tensor


class NAME(Task):
    """Guess the mean of the labels."""

    card: ClassVar = TaskCard(
        name="CALLED", title="Mean label", track="toy", datasets=("cells", "others"), metrics=(Metric(name="error", direction="min", primary=True),),
        presets={"smoke": Preset(variants={"VARIANTS": {}}, seeds=1)}, references=(Reference(name="mean", kind="low"),),
    )

    def prepare(self, run):
        """Load the rows."""
        seen, hidden = LOADED
        return Case(problems=[Labels(y=seen.y)], hidden=hidden.y)

    def evaluate(self, case, outcomes, run):
        """Return the squared error."""
        return Score(metrics={"error": float((case.hidden.float().mean() - outcomes[0].solution) ** 2)})
'''
METHOD = '''
"""The mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from bench import Method, MethodCard


class Mean(Method):
    """The mean of the labels."""

    card: ClassVar = MethodCard(name="mean", title="Mean", track="toy")

    def solve(self, problem, run):
        """Return the mean."""
        return float(problem.y.float().mean())
'''
TASKS = {
    "train-alone": 'run.dataset("cells"), run.dataset("cells", split="train")',
    "test-too": 'run.dataset("cells"), run.dataset("cells", split="test")',
    "other": 'run.dataset("others"), run.dataset("others")',
}


def write(
    folder: Path,
    tasks: dict[str, str] = TASKS,
    pin: str = "",
    dataset: str = DATASET,
    method: str = METHOD,
) -> Path:
    """Write a benchmark of two datasets, a method and a task for each way of loading."""
    for room in ("datasets", "tasks", "methods"):
        (folder / room).mkdir(parents=True)
    for name, called, stem in (("Cells", "cells", ""), ("Others", "others", "other-")):
        text = (
            dataset.replace("NAME", name)
            .replace("CALLED", called)
            .replace("STEM", stem)
            .replace("PIN", pin if called == "cells" else "")
        )
        (folder / f"datasets/{called}.py").write_text(text.lstrip())
        for split, label in (("train", 0), ("test", 1)):
            (folder / f"datasets/{stem}{split}.csv").write_text(
                f"# {called}\n.1,.2,{label}\n.3,.4,1\n.5,.6,2\n"
            )
    for called, loaded in tasks.items():
        text = (
            TASK.replace("NAME", called.title().replace("-", ""))
            .replace("CALLED", called)
            .replace("VARIANTS", "plain")
            .replace("LOADED", loaded)
        )
        (folder / f"tasks/{called.replace('-', '_')}.py").write_text(text.lstrip())
    (folder / "methods/mean.py").write_text(method.lstrip())
    return folder


def in_this_process(parts, environment):
    return (data_process._loaded(part.job, call) for part in parts for call in part.calls)


@pytest.fixture
def bench_of(tmp_path, monkeypatch, run_plan):
    """A benchmark in a folder, with what runs it: what is loaded aside is
    loaded in this process, which is quicker.
    """
    monkeypatch.setattr(data_process, "_aside", in_this_process)

    def call(folder=None, **written):
        folder = folder or write(tmp_path / "plugin", **written)

        def run(*tasks, **more):
            return run_plan(
                paths=[str(folder)],
                methods=("toy/mean",),
                tasks=tasks or ("*",),
                preset="smoke",
                executor=more.pop("executor", "inline"),
                **more,
            )

        def status(look=False):
            driver = Driver(Registry(paths=[str(folder)]), Store(tmp_path / "results"))
            done, todo = driver.split(
                make_plan(
                    Request(methods=("toy/mean",), tasks=("*",), preset="smoke"), driver.registry
                ),
                look=look,
            )
            return SimpleNamespace(
                done={record.task for record in done},
                todo={keyed.cell.spec.task: driver.statuses[keyed.key] for keyed in todo},
                unsure={record.task for record in done if record.cell in driver.not_looked},
                notes=driver.notes,
                not_run=driver.not_run,
            )

        return SimpleNamespace(
            folder=folder, run=run, status=status, file=lambda name: folder / "datasets" / name
        )

    return call


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# What the record says, and what a change makes of it ----------------------------------------


def test_a_record_says_each_call_and_its_fingerprint_and_its_key_follows_from_them(bench_of):
    toy = bench_of()
    ran = toy.run()
    data = {record.task: record.data for record in ran.records}
    assert {task: set(calls) for task, calls in data.items()} == {
        "train-alone": {"cells"},
        "test-too": {"cells", "cells(split=test)"},
        "other": {"others"},
    }
    assert (
        data["train-alone"]["cells"]
        == data["test-too"]["cells"]
        != data["test-too"]["cells(split=test)"]
    )
    keys = Keys(ran.registry)
    cells = {cell.spec.cell: cell for cell in ran.plan.cells}
    for record in ran.records:
        assert (
            keys.of(cells[record.cell], record.data).key
            == record.key
            != keys.of(cells[record.cell]).key
        )
    assert toy.status().done == {"train-alone", "test-too", "other"}


def test_another_label_in_a_file_makes_the_cells_that_read_it_stale_and_no_others(bench_of):
    toy = bench_of()
    before = {record.task: record.key for record in toy.run().records}
    edit(toy.file("test.csv"), ".4,1", ".4,0")
    found = toy.status()
    assert (found.done, found.unsure, found.todo) == (
        {"train-alone", "test-too", "other"},
        {"test-too"},
        {},
    )
    again = toy.run()
    assert {record.task: record.key == before[record.task] for record in again.records} == {
        "test-too": False
    }
    assert again.driver.notes[-1] == (
        "the data of cells(split=test) changed (test.csv); 1 recorded run is stale and runs again."
    )
    edit(toy.file("train.csv"), ".4,1", ".4,0")
    found = toy.status(look=True)
    assert (found.done, found.todo) == ({"other"}, {"train-alone": "stale", "test-too": "stale"})
    edit(toy.file("train.csv"), ".4,0", ".4,1")
    # what was recorded of these data counts again
    assert toy.status(look=True).done == {"train-alone", "test-too", "other"}


@pytest.mark.parametrize(
    ("change", "unsure"),
    [
        (lambda path: path.touch(), False),
        (
            lambda path: path.write_bytes(path.read_bytes().replace(b"# cells", b"# the cells")),
            True,
        ),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n")), True),
        (
            lambda path: (
                shutil.copy(path, path.with_name("copy")),
                path.unlink(),
                path.symlink_to("copy"),
            ),
            False,
        ),
    ],
    ids=["touched", "another comment", "other line ends", "a link to the same"],
)
def test_what_leaves_the_arrays_as_they_are_changes_nothing(bench_of, change, unsure):
    toy = bench_of()
    toy.run()
    change(toy.file("train.csv"))
    assert toy.status().unsure == ({"train-alone", "test-too"} if unsure else set())
    assert toy.status(look=True).todo == {}
    assert toy.status().unsure == set()


def test_an_edit_that_keeps_the_time_and_a_link_to_another_file_are_seen(bench_of):
    toy = bench_of()
    toy.run()
    path = toy.file("other-train.csv")
    status = path.stat()
    edit(path, ".4,1", ".4,0")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert toy.status(look=True).todo == {"other": "stale"}
    path.unlink()
    path.symlink_to(toy.file("test.csv"))
    assert toy.status(look=True).todo == {"other": "stale"}


def test_data_that_is_gone_is_unavailable_and_not_recorded(bench_of):
    toy = bench_of()
    toy.run()
    toy.file("other-train.csv").unlink()
    assert toy.status().unsure == {"other"}
    found = toy.status(look=True)
    assert (found.done, found.todo) == ({"train-alone", "test-too"}, {})
    assert [(item.task, item.status, item.reason) for item in found.not_run] == [
        ("other", "unavailable", "there is no file other-train.csv; write one.")
    ]


def test_without_what_the_cache_knew_data_is_looked_at_and_the_records_count(
    bench_of, session_cache
):
    toy = bench_of()
    toy.run()
    shutil.rmtree(session_cache / "data")
    assert toy.status().unsure == {"train-alone", "test-too", "other"}
    found = toy.status(look=True)
    assert found.todo == {}
    assert found.notes[0].startswith("looking at data that was touched or is not known yet: ")
    assert all(call in found.notes[0] for call in ("cells,", "cells(split=test)", "others"))


def test_a_plugin_that_was_moved_has_the_same_keys_and_is_looked_at_anew(bench_of, tmp_path):
    toy = bench_of()
    keys = {record.key for record in toy.run().records}
    shutil.copytree(toy.folder, tmp_path / "elsewhere")
    edit(tmp_path / "elsewhere/datasets/other-train.csv", ".4,1", ".4,0")
    moved = bench_of(tmp_path / "elsewhere")
    assert moved.status(look=True).todo == {"other": "stale"}
    assert len({record.key for record in moved.run().records} | keys) == 4


def test_a_process_of_its_own_looks(bench_of, monkeypatch):
    toy = bench_of()
    toy.run()
    monkeypatch.undo()
    edit(toy.file("train.csv"), ".4,1", ".4,0")
    toy.file("other-train.csv").unlink()
    found = toy.status(look=True)
    assert (found.todo, [item.task for item in found.not_run]) == (
        {"train-alone": "stale", "test-too": "stale"},
        ["other"],
    )


def test_why_names_the_data_set_its_parameters_and_the_file(bench_of, tmp_path):
    toy = bench_of()
    ran = toy.run()
    edit(toy.file("test.csv"), ".4,1", ".4,0")
    toy.run()
    record = next(record for record in ran.records if record.task == "test-too")
    cell = next(cell for cell in ran.plan.cells if cell.spec.task == "test-too")
    assert DataStatus(Keys(ran.registry)).what_changed(cell, record.data) == [
        "the data of cells(split=test) changed (test.csv)"
    ]


# Kinds of loading -----------------------------------------------------------------------------


def test_an_artifact_that_was_read_from_a_file_is_built_anew_when_the_file_changes(bench_of):
    cached = DATASET.replace(
        '        table = np.loadtxt(file, delimiter=",", ndmin=2)\n',
        "        table = run.cached({'rows': self.split}, lambda child: {'table': "
        "torch.from_numpy(np.loadtxt(file, delimiter=',', ndmin=2))})[0]['table'].numpy()\n",
    )
    toy = bench_of(dataset=cached)
    toy.run()
    assert toy.status().done == {"train-alone", "test-too", "other"}
    edit(toy.file("test.csv"), ".4,1", ".4,0")
    assert {record.task for record in toy.run().records} == {"test-too"}


def test_a_data_set_that_a_builder_of_the_task_loads_is_in_the_record_whether_it_is_built_or_read(
    bench_of,
):
    inside = (
        "(lambda found: (found, "
        'found))(__import__("types").SimpleNamespace(y=run.cached({"what": "labels"}, lambda '
        'child: {"y": child.dataset("cells").y})[0]["y"]))'
    )
    toy = bench_of(tasks={"inside": inside})
    first, second = toy.run(seeds="0-0").records, toy.run(seeds="1-1").records
    assert [set(record.data) for record in (*first, *second)] == [{"cells"}, {"cells"}]
    edit(toy.file("train.csv"), ".4,1", ".4,0")
    (third,) = toy.run(seeds="2-2").records
    assert third.data["cells"] != second[0].data["cells"]
    (again,) = toy.run(seeds="0-0").records
    assert again.data == third.data


def test_files_that_task_and_method_open_themselves_are_in_the_key_with_their_place_in_the_plugin(
    bench_of,
):
    task = '(Path(__file__).with_name("notes.txt").read_text(), (run.dataset("cells"),) * 2)[1]'
    method = METHOD.replace(
        '"""Return the mean."""', 'Path(__file__).with_name("weights.txt").read_text()'
    )
    toy = bench_of(tasks={"open": task}, method=method)
    for name in ("tasks/notes.txt", "methods/weights.txt"):
        (toy.folder / name).write_text("1")
        os.utime(toy.folder / name, (1, 1))
    (first,) = toy.run().records
    assert set(first.data) == {"cells", "file:tasks/notes.txt", "file:methods/weights.txt"}
    assert toy.status().done == {"open"}
    (toy.folder / "methods/weights.txt").write_text("2")
    found = toy.status()
    assert (found.todo, found.notes) == (
        {"open": "stale"},
        ["the file methods/weights.txt changed; 1 recorded run is stale and runs again."],
    )
    (toy.folder / "methods/weights.txt").write_text("1")
    assert toy.status().done == {"open"}
    (toy.folder / "tasks/notes.txt").unlink()
    assert toy.status().notes == [
        "the file tasks/notes.txt is gone; 1 recorded run is stale and runs again."
    ]


def test_files_that_are_read_when_a_plugin_is_imported_are_in_the_key_and_in_what_is_known_of_data(
    bench_of,
):
    top = 'TABLE = Path(__file__).with_suffix(".txt").read_text()\n\n\nclass '
    toy = bench_of(
        tasks={"open": TASKS["other"], "not-open": TASKS["test-too"]},
        method=METHOD.replace("class ", top, 1),
        dataset=DATASET.replace("class NAME", top + "NAME"),
    )
    for name in ("methods/mean.txt", "datasets/cells.txt", "datasets/others.txt"):
        (toy.folder / name).write_text("1")
        os.utime(toy.folder / name, (1, 1))
    for ran in (toy.run("toy/open"), toy.run("toy/not-open")):
        assert [
            set(record.data) - {"cells", "others", "cells(split=test)"} for record in ran.records
        ] == [{"file:methods/mean.txt"}]
    assert toy.status().done == {"open", "not-open"}
    (toy.folder / "datasets/others.txt").write_text("2")
    assert toy.status().unsure == {"open"}
    (toy.folder / "methods/mean.txt").write_text("2")
    assert set(toy.status().todo) == {"open", "not-open"}


def test_a_run_that_dies_says_what_it_had_loaded(bench_of):
    toy = bench_of(
        method=METHOD.replace('"""Return the mean."""', "os._exit(3)"),
        tasks={"train-alone": TASKS["train-alone"]},
    )
    (record,) = toy.run(executor="local").records
    assert (record.status, set(record.data)) == ("crashed", {"cells"})
    assert toy.status().todo == {"train-alone": "failed"}


def test_data_that_is_drawn_from_the_streams_of_a_run_is_its_tasks_and_seeds_own(
    bench_of, session_cache
):
    drawn = DATASET.replace(
        "return Rows(",
        "table[:, -1] += run.numpy_generator('split').integers(0, 9)\n        return Rows(",
    )
    toy = bench_of(dataset=drawn)
    records = toy.run(seeds="3").records
    assert len({record.data["cells"] for record in records if record.task == "train-alone"}) == 3
    ran = toy.run(seeds="3")
    assert (ran.records, len(ran.done)) == ([], 9)
    shutil.rmtree(session_cache / "data")
    ran = toy.run(seeds="3")
    assert (ran.records, len(ran.done)) == ([], 9)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("__import__('subprocess').run(['true'], check=True)", "unsure"),
        ("", "known"),
    ],
)
def test_a_data_set_that_may_read_what_is_not_seen_is_looked_at_before_each_run(
    bench_of, line, expected
):
    toy = bench_of(
        dataset=DATASET.replace("        table = np", f"        {line}\n        table = np"),
        tasks={"other": TASKS["other"]},
    )
    toy.run()
    for _ in range(2):
        assert toy.status().unsure == ({"other"} if expected == "unsure" else set())
        assert toy.status(look=True).done == {"other"}


def test_a_pin_holds_for_the_parameters_that_it_names(bench_of, tmp_path):
    right = write(tmp_path / "right")
    found = {record.task: record.data for record in bench_of(right).run().records}["test-too"]
    wrong = "0" * 64
    cases = (
        ({"": found["cells"], "split=test": wrong}, {"test-too"}),
        ({"split=test": found["cells(split=test)"]}, set()),
        ({"": wrong}, {"train-alone", "test-too"}),
    )
    for position, (pins, broken) in enumerate(cases):
        toy = bench_of(write(tmp_path / f"pinned-{position}", pin=f", fingerprint={pins!r}"))
        records = toy.run(results=tmp_path / f"results-{position}").records
        assert {record.task for record in records if record.status == "invalid"} == broken
        assert all(
            f"its card says {wrong}" in record.error.message
            for record in records
            if record.status == "invalid"
        )


# Keys and fingerprints ------------------------------------------------------------------------


DATA = st.dictionaries(
    st.sampled_from(["a", "b", "c(split=test)", "file:x"]),
    st.text("0123456789abcdef", min_size=1, max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(DATA, DATA)
def test_keys_are_equal_where_the_data_is_and_only_there(one, other):
    keys, cell = KEYS
    assert (keys.of(cell, one).key == keys.of(cell, other).key) == (one == other)
    assert keys.of(cell, dict(reversed(one.items()))).key == keys.of(cell, one).key
    assert keys.of(cell, one).key != keys.of(cell).key


@pytest.fixture(autouse=True, scope="module")
def _keys(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("keys") / "plugin")
    registry = Registry(paths=[str(folder)])
    global KEYS
    KEYS = (
        Keys(registry),
        make_plan(Request(methods=("toy/mean",), tasks=("other",), preset="smoke"), registry).cells[
            0
        ],
    )


class Held:
    """An object of a plugin's own."""

    def __init__(self, value) -> None:
        self.value = value
        self.me = self


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9) | st.text(max_size=2), min_size=1, max_size=4), st.data())
@pytest.mark.parametrize(
    "make",
    [
        list,
        set,
        tuple,
        Held,
        lambda items: {"a": items},
        lambda items: __import__("numpy").array([*items, None], dtype=object),
        lambda items: [Held(item) for item in items],
    ],
    ids=["list", "set", "tuple", "object", "mapping", "objects in an array", "objects"],
)
def test_another_value_anywhere_in_the_data_is_another_fingerprint(make, items, data):
    place = data.draw(st.integers(0, len(items) - 1))
    other = [*items[:place], f"{items[place]}!", *items[place + 1 :]]
    assert fingerprint(make(items)) == fingerprint(make(list(items)))
    if make is not set or set(other) != set(items):
        assert fingerprint(make(items)) != fingerprint(make(other))
