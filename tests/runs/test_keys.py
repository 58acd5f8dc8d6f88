"""What makes a number another number: each ingredient of the cell and the key, and what is none."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import msgspec
import pytest

from bench.plugins.index import Index
from bench.plugins.registry import Registry
from bench.runs import plan, provenance
from bench.runs.driver import Driver
from bench.runs.plan import Request, make_plan
from bench.runs.spec import RunSpec, run_key
from bench.runs.store import Store

BASE = {"methods": ("descend",), "tasks": ("forget-rows",), "preset": "smoke", "seeds": "0-0"}


@pytest.fixture
def copied(tmp_path, mock_folder):
    """The mock benchmark in a folder that a test may edit."""
    shutil.copytree(mock_folder, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def keyed(folder, results="results", index=None, **request):
    """Plan one cell and return it with its key, everything read anew."""
    registry = Registry(paths=[str(folder)], index=index)
    cells = make_plan(Request(**{**BASE, **request}), registry).cells
    assert len(cells) == 1
    return Driver(registry, Store(Path(results))).keys.of(cells[0])


def edit(folder, file, old, new):
    path = folder / file
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))


# What changes the cell, and with it the key ------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        {"methods": ("keep",)},
        {"methods": ("descend[steps=81]",)},
        {"tasks": ("forget-rows[rows=9]",)},
        {"seeds": "1-1"},
        {"device": "cuda"},
    ],
    ids=["method", "parameters", "task parameters", "seed", "device"],
)
def test_another_request_is_another_cell(mock_folder, request_, monkeypatch):
    monkeypatch.setattr(provenance, "gpu", lambda: {"name": "none"})
    one, other = keyed(mock_folder), keyed(mock_folder, **request_)
    assert one.cell.spec.cell != other.cell.spec.cell
    assert one.key != other.key


def test_another_preset_or_variant_is_another_cell(mock_folder):
    base = {"methods": ("constant",), "tasks": ("line",), "variants": ("noisy",)}
    smoke, default, flat = (
        keyed(mock_folder, **base),
        keyed(mock_folder, **base, preset="default"),
        keyed(mock_folder, **{**base, "variants": ("flat",)}, preset="default"),
    )
    assert len({item.cell.spec.cell for item in (smoke, default, flat)}) == 3


@pytest.mark.parametrize("field", [field.name for field in msgspec.structs.fields(RunSpec)])
def test_every_field_of_a_spec_changes_its_cell_and_all_but_the_seed_its_group(mock_folder, field):
    spec = keyed(mock_folder).cell.spec
    value = getattr(spec, field)
    other = {"seed": 5, "form": "single", "tuning": {"trials": [{}]}}.get(
        field, {**value, "more": 1} if isinstance(value, dict) else f"{value}x"
    )
    changed = msgspec.structs.replace(spec, **{field: other})
    assert changed.cell != spec.cell
    assert (changed.group == spec.group) == (field == "seed")
    assert run_key(changed, [], {}) != run_key(spec, [], {})


def test_a_task_of_another_track_or_name_is_another_cell(copied):
    one = keyed(copied)
    edit(copied, "tasks/unlearning/forget_rows.py", 'name="forget-rows"', 'name="forget-some"')
    assert keyed(copied, tasks=("forget-some",)).cell.spec.cell != one.cell.spec.cell


# What changes the key alone -------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("methods/unlearning/forgetters.py", "step + 1 == self.steps", "step + 2 == self.steps"),
        ("tasks/unlearning/forget_rows.py", "* 1e-6", "* 1e-7"),
        ("datasets/blobs.py", "* 1.5", "* 1.6"),
        ("contracts.py", 'opened.write(what + "\\n")', 'opened.write(what + "\\n\\n")'),
    ],
    ids=["method code", "task code", "dataset code", "code they share"],
)
def test_another_code_is_another_key_of_the_same_cell(copied, file, old, new):
    before = keyed(copied)
    edit(copied, file, old, new)
    after = keyed(copied)
    assert after.cell.spec.cell == before.cell.spec.cell
    assert after.key != before.key


def test_the_code_of_another_track_is_not_in_the_key(copied):
    before = keyed(copied)
    edit(copied, "methods/policy/plans.py", "scale: float = 1.0", "scale: float = 2.0")
    edit(copied, "tasks/regression/line.py", "+ 0.3", "+ 0.4")
    assert keyed(copied).key == before.key


@pytest.fixture(scope="module")
def warm_cache(tmp_path_factory):
    """A cache whose index knows every file."""
    folder = tmp_path_factory.mktemp("warm")
    Registry(index=Index(folder))
    return folder


@pytest.fixture
def edited_bench(monkeypatch, warm_cache):
    """Scan a file of the installed package as if its text were another;
    the index that is returned has not seen it yet.
    """
    from bench.plugins import index

    def call(file, old, new):
        real = index.scan_file

        def scan(path, package):
            if path != file:
                return real(path, package)
            text = path.read_text()
            assert old in text
            copy = Path(os.environ["BENCH_CACHE"]) / "edited.py"
            copy.write_text(text.replace(old, new, 1))
            return real(copy, package)

        monkeypatch.setattr(index, "scan_file", scan)
        found = Index(warm_cache)
        found._scans = {
            name: known for name, known in found._scans.items() if not name.endswith(f":{file}")
        }
        return found

    return call


@pytest.mark.parametrize(
    ("device", "measured", "changes"),
    [("cpu", "cpu", True), ("cpu", "cuda", False), ("cuda", "cpu", False), ("cuda", "cuda", True)],
)
def test_what_is_measured_on_one_kind_of_device_leaves_the_keys_of_the_other_as_they_are(
    tmp_path, warm_cache, edited_bench, device, measured, changes
):
    import bench

    def key(index):
        registry = Registry(index=index)
        request = Request(
            methods=("ce",), tasks=("noisy-digits",), preset="smoke", seeds="0-0", device=device
        )
        return Driver(registry, Store(tmp_path)).keys.of(make_plan(request, registry).cells[0]).key

    before = key(Index(warm_cache))
    row = '({"batch": 1, "channels": 1, "side": 1, "bits": 32}, "sequence")'
    edited = edited_bench(
        Path(bench.__file__).parent / "training/nets_tuned.py",
        "]]]] = {",
        f']]]] = {{"nets/other": {{"{measured}": [{row}]}},',
    )
    assert (key(edited) != before) == changes


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("training/seeds.py", "ge=0, lt=1)] = 0.9", "ge=0, lt=1)] = 0.8", True),
        ("training/stack.py", 'nonlinearity="relu"', 'nonlinearity="tanh"', True),
        (
            "training/nets_tuned.py",
            "]]]] = {",
            ']]]] = {"nets/mlp": {"cpu": [({"batch": 1, "channels": 1, "side": 1, "bits": 32}, '
            '"sequence")]},',
            True,
        ),
        ("training/nets_tuned.py", "]]]] = {", "]]]] = {  # a timing", False),
        ("training/state.py", "batch: int = 8192", "batch: int = 4096", True),
        ("contracts.py", "hidden: Any = None", "hidden: Any = 0", True),
        ("training/supervised.py", '"""Take one step: forward', '"""Take a step: forward', False),
        ("runs/seed_run.py", "self.prepare_s = 0.0", "self.prepare_s = 1.0", False),
        ("executors/local.py", "_GRACE = 2.0", "_GRACE = 3.0", False),
    ],
)
def test_shared_code_of_tracks_and_training_is_in_the_key_and_that_of_the_harness_is_not(
    tmp_path, warm_cache, edited_bench, file, old, new, changes
):
    import bench

    request = {"methods": ("ce",), "tasks": ("noisy-digits",), "preset": "smoke", "seeds": "0-0"}

    def key(index):
        registry = Registry(index=index)
        return (
            Driver(registry, Store(tmp_path))
            .keys.of(make_plan(Request(**request), registry).cells[0])
            .key
        )

    before = key(Index(warm_cache))
    assert (key(edited_bench(Path(bench.__file__).parent / file, old, new)) != before) == changes


@pytest.mark.parametrize(
    ("home", "name", "value"),
    [
        (
            provenance,
            "versions",
            lambda names: {name: "0" if name == "torch" else "1" for name in names},
        ),
        (
            provenance,
            "versions",
            lambda names: {name: "0" if name == "numpy" else "1" for name in names},
        ),
        (
            provenance,
            "versions",
            lambda names: {name: "0" if name == "torch_geometric" else "1" for name in names},
        ),
        (provenance, "THREADS", 2),
        (provenance, "cpu", lambda: {"model": "m", "id": "m", "class": "another"}),
        (provenance, "kernels", lambda *_: {"numpy_blas": "another"}),
    ],
    ids=["torch", "numpy", "library of the card", "threads", "instruction class", "kernels"],
)
def test_another_environment_is_another_key_of_the_same_cell(
    mock_folder, monkeypatch, home, name, value
):
    request = {"methods": ("pooled",), "tasks": ("motifs",), "variants": ("plain",)}
    # for versions that are made up nothing is to be asked
    monkeypatch.setattr(provenance, "kernels", lambda *_: {"numpy_blas": "one"})
    monkeypatch.setattr(provenance, "versions", lambda names: dict.fromkeys(names, "1"))
    before = keyed(mock_folder, **request)
    monkeypatch.setattr(home, name, value)
    after = keyed(mock_folder, **request)
    assert after.key != before.key
    assert after.cell.spec.cell == before.cell.spec.cell


def test_a_library_that_no_card_lists_is_not_in_the_key(mock_folder, monkeypatch):
    monkeypatch.setattr(provenance, "kernels", lambda *_: {"numpy_blas": "one"})
    monkeypatch.setattr(provenance, "versions", lambda names: dict.fromkeys(names, "1"))
    before = keyed(mock_folder)
    monkeypatch.setattr(
        provenance,
        "versions",
        lambda names: {name: "0" if name == "torch_geometric" else "1" for name in names},
    )
    assert keyed(mock_folder).key == before.key


def test_the_gpu_is_in_the_key_of_a_run_on_it_alone(mock_folder, monkeypatch):
    keys = {}
    for device in ("cpu", "cuda"):
        for name in ("A", "B"):
            monkeypatch.setattr(provenance, "gpu", lambda name=name: {"name": name})
            keys[device, name] = keyed(mock_folder, device=device).key
    assert keys["cpu", "A"] == keys["cpu", "B"]
    assert keys["cuda", "A"] != keys["cuda", "B"]


def test_another_protocol_of_the_harness_is_another_key(mock_folder, monkeypatch):
    before = keyed(mock_folder)
    monkeypatch.setattr("bench.runs.spec.PROTOCOL", 2_000_000)
    assert keyed(mock_folder).key != before.key


# What changes nothing -------------------------------------------------------------------------


def test_comments_docstrings_blank_lines_and_file_times_change_nothing(copied):
    before = keyed(copied)
    edit(
        copied,
        "methods/unlearning/forgetters.py",
        '"""Gradient descent on the rows that stay, all',
        '"""Gradient  descent on the rows that stay: all',
    )
    edit(
        copied,
        "methods/unlearning/forgetters.py",
        "        for step in",
        "        # a comment\n\n        for step in",
    )
    edit(
        copied,
        "contracts.py",
        '    """Two classes of points: x (n, d) float64, y (n,) int64."""\n',
        '    """Other words."""\n',
    )
    edit(copied, "datasets/blobs.py", "(0)", "( 0 )")
    for file in copied.rglob("*.py"):
        os.utime(file, (1, 1))
    assert keyed(copied).key == before.key


def test_removing_a_docstring_changes_nothing(copied):
    before = keyed(copied)
    edit(
        copied,
        "contracts.py",
        '    """Two classes of points: x (n, d) float64, y (n,) int64."""\n',
        "",
    )
    assert keyed(copied).key == before.key


def test_the_order_of_names_and_parameters_on_the_command_line_changes_nothing(mock_folder):
    def keys(**request):
        registry = Registry(paths=[mock_folder])
        driver = Driver(registry, Store(Path("results")))
        return sorted(
            driver.keys.of(cell).key
            for cell in make_plan(Request(preset="smoke", **request), registry).cells
        )

    one = keys(
        methods=("descend[steps=3,lr=.01]", "keep"),
        tasks=("forget-rows[rows=4,problems=2]",),
        seeds="0,1",
    )
    other = keys(
        methods=("keep", "descend[lr=0.010,steps=3]"),
        tasks=("forget-rows[problems=2,rows=4]",),
        seeds="0-1",
    )
    assert len(one) == 4
    assert [len(set(one)), len(set(other))] == [4, 4]
    assert one == other


def test_a_default_written_out_is_the_default(mock_folder):
    assert keyed(mock_folder, methods=("descend[steps=80]",)).key == keyed(mock_folder).key
    assert keyed(mock_folder, methods=("mock-unlearning/descend",)).key == keyed(mock_folder).key


def test_host_results_folder_cache_and_working_folder_change_nothing(
    mock_folder, monkeypatch, tmp_path
):
    before = keyed(mock_folder)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("HOSTNAME", "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert keyed(mock_folder, results=tmp_path / "elsewhere").key == before.key


def test_a_copy_of_the_plugin_elsewhere_has_the_same_keys(mock_folder, copied):
    assert keyed(copied).key == keyed(mock_folder).key


def test_how_many_jobs_run_at_once_changes_neither_keys_nor_metrics(run_plan, tmp_path):
    one = run_plan(**{**BASE, "seeds": "3"}, parallel=1, results=tmp_path / "one")
    three = run_plan(**{**BASE, "seeds": "3"}, parallel=3, results=tmp_path / "three")
    assert {record.key: record.metrics for record in one.records} == {
        record.key: record.metrics for record in three.records
    }


def test_the_machine_and_the_time_limit_are_told_but_not_in_the_key(
    run_plan, tmp_path, monkeypatch
):
    one = run_plan(**BASE, results=tmp_path / "one").records[0]
    monkeypatch.setattr("bench.runs.make_record.machine", lambda: {"cpu": "elsewhere"})
    other = run_plan(**BASE, results=tmp_path / "other", timeout=1000).records[0]
    assert one.key == other.key
    assert other.provenance["cpu"] == "elsewhere" != one.provenance["cpu"]


def test_the_key_says_which_environment_and_files_went_into_it(mock_folder):
    ingredients = keyed(mock_folder).ingredients
    assert {"versions", "threads", "cpu", "kernels"} <= set(ingredients["environment"])
    assert {"torch", "numpy"} <= set(ingredients["environment"]["versions"])
    told = " ".join(map(str, ingredients["files"]))
    assert all(name in told for name in ("forgetters", "forget_rows", "blobs", "contracts"))


# Seeds as the command line writes them -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [0, 1, 2]), ("0-2,7", [0, 1, 2, 7]), ("5-5", [5]), (None, [0, 1]), ("2,2,1", [2, 1])],
)
def test_seeds_are_a_number_or_a_list(text, seeds):
    assert plan.parse_seeds(text, 2) == seeds


@pytest.mark.parametrize("text", ["0", "", "a", "3-1", "1-", "-1", "1,,2", "0-9999999", "1000000"])
def test_a_text_that_is_no_list_of_seeds_is_a_usage_error_that_repeats_it(text):
    with pytest.raises(plan.UsageError, match="--seeds got"):
        plan.parse_seeds(text, 2)


def test_a_number_is_never_a_seed_however_long_it_is():
    assert len(plan.parse_seeds("999999", 2)) == 999_999
    with pytest.raises(plan.UsageError, match="give at most 999999, or 1000000-1000000 for the"):
        plan.parse_seeds("1000000", 2)
    assert plan.parse_seeds("1000000-1000000", 2) == [1_000_000]
