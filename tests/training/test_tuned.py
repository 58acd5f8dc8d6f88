"""Choices by measurement: the nearest measured shape decides, the table is code of the key, and the verb writes what it measured."""

import importlib.util
import json
import sys
import types

import pytest
import torch

import bench.training.nets  # noqa: F401 - registers its choices before a fixture looks
from bench.cli import main
from bench.errors import BenchError, EnvironmentFault
from bench.plugins.registry import Registry
from bench.plugins.source import reach
from bench.training import tuned, tuning

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def settings():
    """Undo what the verb pins for its process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("default")
    torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.fixture
def register():
    """Register choices that are forgotten after the test."""
    before, made = dict(tuned.TUNABLES), []

    def make(name="t/way", rows=(), candidates=("loop", "batch"), kind="cpu", prepare=lambda candidate, device, **shape: lambda: None, shapes=()):
        table = types.ModuleType("table")
        table.TABLE = {name: {kind: list(rows)}} if rows else {}
        made.append(name)
        tuned.tunable(name, candidates={kind: candidates}, shapes={kind: shapes}, table=table)(prepare)
        return tuned.TUNABLES[name]

    yield make
    for name in made:  # and no other: modules that the test imported have registered theirs for good
        tuned.TUNABLES.pop(name, None)
        tuned.TUNABLES.update({name: before[name]} if name in before else {})


# The choice ---------------------------------------------------------------------


def test_the_nearest_measured_shape_in_logarithms_decides(register):
    register(rows=[({"rows": 10}, "loop"), ({"rows": 1000}, "batch")])
    assert tuned.choice("t/way", CPU, rows=99) == "loop"  # log 99 is nearer to log 10 than to log 1000, though 99 is not nearer in rows
    assert tuned.choice("t/way", CPU, rows=101) == "batch"
    assert tuned.choice("t/way", "cpu", rows=0) == "loop"


def test_of_two_shapes_equally_near_the_first_of_the_table_counts(register):
    register(rows=[({"rows": 10}, "batch"), ({"rows": 1000}, "loop")])
    assert tuned.choice("t/way", CPU, rows=100) == "batch"


def test_without_a_measurement_or_with_one_of_a_way_that_is_gone_the_first_candidate_is_taken(register):
    register()
    assert tuned.choice("t/way", CPU, rows=5) == "loop"
    register(rows=[({"rows": 5}, "gone"), ({"rows": 5000}, "batch")])
    assert tuned.choice("t/way", CPU, rows=5) == "batch"


def test_a_choice_that_nobody_registered_is_refused_with_the_near_names(register):
    register()
    with pytest.raises(BenchError, match=r"no choice 't/wya' to make\. Did you mean 't/way'\?"):
        tuned.choice("t/wya", CPU)


def test_other_axes_than_those_measured_are_refused(register):
    register(rows=[({"rows": 5}, "loop")])
    with pytest.raises(BenchError, match="asked for with the axes nets; it was measured over rows"):
        tuned.choice("t/way", CPU, nets=2)


def test_a_kind_of_device_without_candidates_is_refused(register):
    register()
    with pytest.raises(BenchError, match="no candidates on the device 'cuda', only on cpu"):
        tuned.choice("t/way", "cuda", rows=2)


def test_choices_taken_are_noted_with_their_shape_by_all_who_listen_and_by_nobody_after(register):
    register(rows=[({"rows": 5, "nets": 2}, "batch")])
    with tuned.noting() as outer, tuned.noting() as inner:
        tuned.choice("t/way", CPU, rows=7, nets=3)
    tuned.choice("t/way", CPU, rows=9, nets=3)
    assert inner == outer == {"t/way[nets=3,rows=7]": "batch"}


# Measuring ----------------------------------------------------------------------


def test_what_takes_less_time_is_chosen_and_the_first_candidate_stands_when_it_is_about_as_quick(register):
    assert tuning.chosen({"loop": 1.0, "batch": 0.5}) == "batch"
    assert tuning.chosen({"loop": 1.0, "batch": 0.98}) == "loop"
    assert tuning.chosen({"loop": None, "batch": 3.0}) == "batch"
    with pytest.raises(EnvironmentFault, match="none of loop, batch fits"):
        tuning.chosen({"loop": None, "batch": None})


def test_candidates_are_timed_in_turns_after_one_warm_call_each(register):
    calls = []

    def prepare(candidate, device, *, rows):
        end = {"loop": 40_000, "batch": 400_000}[candidate] * rows
        return lambda: calls.append(candidate) or sum(range(end))

    found = list(tuning.measure(register(prepare=prepare, shapes=({"rows": 2},)), CPU, 3))
    assert found[0].chosen == "loop"
    assert found[0].seconds["batch"] > found[0].seconds["loop"] > 0
    order = [name for name, after in zip(calls, [*calls[1:], ""], strict=True) if name != after]
    assert order == ["loop", "batch"] * 4  # one to warm up, three rounds


def test_a_candidate_that_does_not_fit_into_memory_is_left_out(register):
    def prepare(candidate, device, *, rows):
        if candidate == "loop":
            raise torch.OutOfMemoryError("too much")
        return lambda: None

    found = next(iter(tuning.measure(register(prepare=prepare, shapes=({"rows": 2},)), CPU, 1)))
    assert found.seconds["loop"] is None
    assert found.chosen == "batch"


def test_a_candidate_that_fails_is_left_out_and_says_why_and_where_all_fail_so_does_the_measuring(register):
    def prepare(candidate, device, *, rows):
        def step():
            if candidate == "loop" or rows == 3:
                raise RuntimeError("no such kernel\nand more")

        return step

    measuring = tuning.measure(register(prepare=prepare, shapes=({"rows": 2}, {"rows": 3})), CPU, 1)
    found = next(measuring)
    assert (found.chosen, found.seconds["loop"], found.failed) == ("batch", None, {"loop": "RuntimeError: no such kernel"})
    with pytest.raises(BenchError, match=r"no candidate of .* runs on this device; the first says: RuntimeError: no such kernel"):
        next(measuring)


# The table ----------------------------------------------------------------------

PLUGIN = '''
from typing import ClassVar
from bench import Method, MethodCard
from bench.training import tuned
from . import ways_tuned as table

@tuned.tunable("mine/ways", candidates={"cpu": ("slow", "quick")}, shapes={"cpu": ({"rows": 1}, {"rows": 2})}, table=table)
def _prepare(candidate, device, *, rows):
    return lambda: sum(range(rows * {"slow": 300_000, "quick": 3_000}[candidate]))

class Mine(Method):
    """A method that asks."""
    card: ClassVar = MethodCard(name="mine", title="Mine", track="noisy-labels")
'''
EMPTY = '"""Ways."""\n\nTABLE = {}\n'


@pytest.fixture
def plugin(tmp_path, register):
    """A private benchmark whose one method has a choice of its own."""
    room = tmp_path / "lab" / "methods"
    room.mkdir(parents=True)
    (room / "mine.py").write_text(PLUGIN)
    (room / "ways_tuned.py").write_text(EMPTY)
    yield tmp_path / "lab"
    for name in [name for name in sys.modules if name.startswith("bench_local_")]:
        del sys.modules[name]


def table_of(path):
    spec = importlib.util.spec_from_file_location("read", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TABLE


def tune(capsys, *arguments):
    with pytest.raises(SystemExit) as done:
        main(["tune", "--device", "cpu", *arguments])
    captured = capsys.readouterr()
    return done.value.code, captured.out, captured.err


def test_tune_finds_a_plugin_s_choice_measures_it_and_writes_its_table(plugin, capsys):
    code, out, err = tune(capsys, "--plugins", str(plugin), "--only", "mine/*", "--rounds", "3", "--json")
    assert code == 0, err
    page = json.loads(out)
    assert [(row["shape"], row["chosen"], row["before"]) for row in page["choices"]] == [({"rows": 1}, "quick", None), ({"rows": 2}, "quick", None)]
    file = plugin / "methods" / "ways_tuned.py"
    assert page["written"] == [str(file)]
    assert table_of(file) == {"mine/ways": {"cpu": [({"rows": 1}, "quick"), ({"rows": 2}, "quick")]}}
    assert file.read_text().startswith('"""Ways."""')
    assert tuned.choice("mine/ways", CPU, rows=7) == "quick"


def test_a_dry_run_measures_and_writes_nothing(plugin, capsys):
    code, out, err = tune(capsys, "--plugins", str(plugin), "--only", "mine/ways", "--dry-run")
    assert code == 0, err
    assert "mine/ways" in out
    assert "nothing yet" in out
    assert (plugin / "methods" / "ways_tuned.py").read_text() == EMPTY


def test_what_was_measured_elsewhere_stays_with_its_figures(register, tmp_path):
    file = tmp_path / "kept_tuned.py"
    file.write_text('"""Kept."""\n\nTABLE = {\n    "a": {\n        "cuda": [\n            ({"rows": 3}, "loop"),  # loop 1 ms; a GPU\n        ],\n    },\n}\n')
    table = types.ModuleType("kept_tuned")
    table.__file__, table.TABLE = str(file), table_of(file)
    tuning.write(table, "cpu", [tuning.Measured("a", {"rows": 3}, {"loop": 0.2, "batch": None}, "loop")], "a CPU")
    assert table_of(file) == table.TABLE == {"a": {"cuda": [({"rows": 3}, "loop")], "cpu": [({"rows": 3}, "loop")]}}
    rows = [line.partition("  # ")[2] for line in file.read_text().splitlines() if "rows" in line]
    assert rows[0].startswith("loop 200 ms, batch no memory; a CPU")  # the same row, said of another kind of device
    assert rows[1] == "loop 1 ms; a GPU"


def test_only_the_choices_of_a_table_and_not_its_timings_are_part_of_the_code(plugin, capsys):
    digests = set()
    file = plugin / "methods" / "ways_tuned.py"
    for text in (
        'TABLE = {"mine/ways": {"cpu": [({"rows": 1}, "quick")]}}  # quick 1 ms',
        'TABLE = {"mine/ways": {"cpu": [({"rows": 1}, "quick")]}}  # quick 2 ms, measured again',
    ):
        file.write_text(text)
        registry = Registry([str(plugin)])
        digests.add(tuple(sorted(scan.digest for scan in reach(registry.one("method", "mine").target, registry.index.scan).values())))
    assert len(digests) == 1
    file.write_text('TABLE = {"mine/ways": {"cpu": [({"rows": 1}, "slow")]}}')
    registry = Registry([str(plugin)])
    digests.add(tuple(sorted(scan.digest for scan in reach(registry.one("method", "mine").target, registry.index.scan).values())))
    assert len(digests) == 2


def test_an_unknown_choice_is_a_usage_error_that_names_near_ones(capsys):
    code, _, err = tune(capsys, "--only", "nets/resnet19")
    assert code == 2
    assert "unknown choice 'nets/resnet19'" in err
    assert "nets/resnet18" in err
    assert "Traceback" not in err


def test_a_record_says_which_choice_was_taken_for_which_shape(run_plan):
    ran = run_plan(paths=[], methods=("ce",), tasks=("noisy-digits[net=cnn,channels=(4),epochs=1,n_train=40]",), preset="smoke", seeds="0-0")
    assert ran.records[0].status == "ok", ran.records[0].error
    assert ran.records[0].provenance["choices"] == {"nets/cnn[batch=128,bits=32,channels=1,side=8]": "sequence"}
    ran = run_plan(paths=[], methods=("ce",), tasks=("noisy-digits[epochs=1,n_train=40]",), preset="smoke", seeds="0-0")
    assert "choices" not in ran.records[0].provenance  # the perceptron has nothing to choose
