"""Records travel whole, once, and with nothing else; what goes is listed,
and no good record ever goes.
"""

import ast
import csv
import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bench
from bench.cards import Metric, Preset, TaskCard
from bench.errors import UsageError
from bench.runs.cleanup import removable, remove_all
from bench.runs.exports import export
from bench.runs.figures import disagreements
from bench.runs.record import RecordError, encode_record
from bench.runs.store import Store
from bench.runs.transfer import Merged, from_files, from_store, merge, records_of

FIXTURES = Path(__file__).parent / "fixtures"


def everything(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def by_id(store):
    return {record.id: encode_record(record) for record in store.read()}


@pytest.fixture
def filled(store, make_record, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "arrays.safetensors").write_bytes(b"numbers")
    for seed in range(3):
        store.write(make_record(seed))
    store.write(make_record(3, status="failed"))
    store.write(
        make_record(
            4,
            arrays="arrays.safetensors",
            params={"lam": 2.5, "mode": "a"},
            tuning={"trials": [{}], "chosen": 0},
        ),
        tmp_path / "made",
    )
    return store


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_what_is_exported_and_imported_is_the_same_records(filled, tmp_path, suffix):
    assert export(filled, tmp_path / f"out.{suffix}", lambda _: True) == 5
    other = Store(tmp_path / "other")
    assert merge(other, lambda: from_files([tmp_path / f"out.{suffix}"]), False) == Merged(5, 0)
    assert by_id(other) == by_id(filled)
    before = everything(other.root)
    assert merge(other, lambda: from_files([tmp_path / f"out.{suffix}"] * 2), False) == Merged(
        0, 10
    )
    assert everything(other.root) == before
    assert not list(tmp_path.glob(".export-*"))


def test_a_parquet_export_is_a_table_of_figures(filled, tmp_path):
    from pyarrow import parquet

    export(filled, tmp_path / "out.parquet", lambda brief: brief.status == "ok")
    found = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert sorted(
        (row["seed"], row["metrics.acc"], row["metrics.none"], row["params"]) for row in found
    ) == [
        (0, 50.0, None, '{"lam":1.0}'),
        (1, 51.0, None, '{"lam":1.0}'),
        (2, 52.0, None, '{"lam":1.0}'),
        (4, 54.0, None, '{"lam":2.5,"mode":"a"}'),
    ]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_an_export_of_every_version_is_imported(tmp_path, version):
    store = Store(tmp_path / "results")
    assert merge(
        store,
        lambda: from_files(
            [FIXTURES / f"export-v{version}.jsonl", FIXTURES / f"record-v{version}.json"]
        ),
        False,
    ) == Merged(1, 1)
    assert store.read()[0].metrics["acc_last"] == 51.0


def test_merging_folders_takes_files_along_and_each_record_once(filled, make_record, tmp_path):
    second, target = Store(tmp_path / "second"), Store(tmp_path / "target")
    second.open_for_writing()
    second.write(make_record(0))
    second.write(make_record(7))
    assert merge(
        target, lambda: (item for store in (filled, second) for item in from_store(store)), False
    ) == Merged(6, 1)
    assert by_id(target) == by_id(filled) | by_id(second)
    home = next((target.root / "files").iterdir())
    assert (home / "arrays.safetensors").read_bytes() == b"numbers"
    assert not list((target.root / ".writing").iterdir())


def test_of_two_records_of_one_id_both_are_kept_the_second_under_the_next_free_attempt(
    filled, make_record, tmp_path
):
    second, target = Store(tmp_path / "second"), Store(tmp_path / "target")
    second.open_for_writing()
    second.write(make_record(9))
    name = second.write(make_record(0, warnings=["on another machine"])).stem

    def sources():
        return (item for store in (filled, second) for item in from_store(store))

    moved = [(name, f"{name[:-1]}2")]
    assert merge(target, sources, True) == Merged(7, 0, moved)
    assert not target.root.exists()
    assert merge(target, sources, False) == Merged(7, 0, moved)
    assert sorted((record.seed, record.attempt) for record in target.read()) == [
        (0, 1),
        (0, 2),
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 1),
        (9, 1),
    ]
    before = everything(target.root)
    assert merge(target, sources, False) == Merged(0, 7)
    assert everything(target.root) == before


def test_a_renumbered_record_takes_the_id_of_none_that_comes_after_it(make_record, tmp_path):
    first, second = Store(tmp_path / "first"), Store(tmp_path / "second")
    for store, said in ((first, ["a"]), (second, ["b", "c"])):
        store.open_for_writing()
        for text in said:
            store.write(make_record(0, warnings=[text]))
    assert merge(first, lambda: from_store(second), False).added == 2
    assert {record.attempt: record.warnings for record in first.read()} == {
        1: ["a"],
        2: ["b"],
        3: ["c"],
    }
    assert merge(first, lambda: from_store(second), False) == Merged(0, 2)


def test_of_two_records_of_one_id_in_one_folder_both_are_carried(make_record, tmp_path):
    source, other, target = (Store(tmp_path / name) for name in ("source", "other", "target"))
    for store, said in ((source, "a"), (other, "b")):
        store.open_for_writing()
        store.write(make_record(0, warnings=[said]))
    export(other, source.root / "more.jsonl", lambda _: True)
    merge(target, lambda: from_store(source), False)
    assert sorted((record.attempt, *record.warnings) for record in target.read()) == [
        (1, "a"),
        (2, "b"),
    ]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    folders=st.lists(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=4),
        min_size=2,
        max_size=4,
    )
)
def test_merging_folders_loses_no_record_and_doubles_none(folders, make_record, tmp_path_factory):
    """A folder is a list of (seed, what is said): attempts are counted in
    each by itself, so ids clash at will.
    """
    root = tmp_path_factory.mktemp("folders")
    stores = [Store(root / str(number)) for number in range(len(folders))]
    for store, records in zip(stores, folders, strict=True):
        store.open_for_writing()
        for seed, said in records:
            store.write(make_record(seed, warnings=[str(said)]))
    target = Store(root / "target")

    def kinds(records):
        return {(record.seed, *record.warnings) for record in records}

    looked = merge(target, lambda: (item for store in stores for item in from_store(store)), True)
    assert (
        merge(target, lambda: (item for store in stores for item in from_store(store)), False)
        == looked
    )
    assert kinds(target.read()) == kinds(record for store in stores for record in store.read())
    before = everything(target.root)
    for store in reversed(stores):
        assert merge(target, lambda store=store: from_store(store), False).added == 0
    assert everything(target.root) == before


def test_a_csv_export_is_a_table_for_spreadsheets(filled, make_record, tmp_path):
    filled.write(
        make_record(
            7,
            variant="=cmd|'x'!A1",
            params={"text": 'a "quote", é'},
            metrics={"acc": -1 / 3, "none": None},
        )
    )
    assert (
        export(filled, tmp_path / "out.csv", lambda _: True)
        == export(filled, tmp_path / "out.txt", lambda _: True, "csv")
        == 6
    )
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "out.txt").read_bytes()
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_seed = {int(row["seed"]): row for row in rows}
    records = {record.seed: record for record in filled.read()}
    assert by_seed.keys() == records.keys()
    for seed, row in by_seed.items():
        assert (row["id"], row["status"], row["peeks"]) == (
            records[seed].id,
            records[seed].status,
            "false",
        )
        assert json.loads(row["params"]) == records[seed].params
        assert {
            name: float(row[f"metrics.{name}"]) if row[f"metrics.{name}"] else None
            for name in records[seed].metrics
        } == records[seed].metrics
        assert {
            name: float(row[f"cost.{name}"])
            for name, value in records[seed].cost.items()
            if value is not None
        } == {name: value for name, value in records[seed].cost.items() if value is not None}
    assert by_seed[7]["variant"] == "'=cmd|'x'!A1"
    assert by_seed[7]["metrics.acc"] == repr(-1 / 3)
    assert by_seed[3]["error"].startswith(records[3].error.type)
    with pytest.raises(UsageError, match="give a file that ends in"):
        list(records_of(tmp_path / "out.csv"))


def test_one_key_of_two_figures_is_kept_twice_and_named(filled, make_record, tmp_path):
    second, target = Store(tmp_path / "second"), Store(tmp_path / "target")
    second.open_for_writing()
    second.write(make_record(0, metrics={"acc": 50.5, "none": None}))
    second.write(make_record(1, warnings=["elsewhere"]))  # another record, the same figures
    # the other one failed: nothing to differ from
    second.write(make_record(3, metrics={"acc": 99.0}))
    merge(target, lambda: (item for store in (filled, second) for item in from_store(store)), False)
    (one, other, name), *more = disagreements(target.briefs(), {})
    assert (more, name, one.id[:-1], one.attempt, other.attempt) == ([], "acc", other.id[:-1], 1, 2)
    assert sorted(record.attempt for record in target.read() if record.seed == 0) == [1, 2]


def test_figures_read_off_a_clock_need_not_agree(filled, make_record):
    (record,) = (brief for brief in filled.briefs() if brief.seed == 0)
    other = make_record(0, metrics={**record.metrics, "acc": record.metrics["acc"] + 1})
    cards = [
        TaskCard(
            name=record.task,
            title="t",
            track=record.track,
            presets={"default": Preset(variants={"v": {}})},
            metrics=(Metric(name="none", primary=True), Metric(name="acc", clock=clock)),
        )
        for clock in (False, True)
    ]
    assert [
        [name for *_, name in disagreements([record, other], {record.identity: card})]
        for card in cards
    ] == [["acc"], []]


@pytest.mark.parametrize(
    "content", [b"{}\n", b"garbage\n", b'{"schema_version": 99}\n', pickle.dumps({"a": 1})]
)
def test_a_file_with_something_that_is_no_record_is_refused_whole(
    store, make_record, tmp_path, content
):
    (tmp_path / "in.jsonl").write_bytes(msgspec.json.encode(make_record(0)) + b"\n" + content)
    with pytest.raises(RecordError, match=r"in.jsonl, line 2 is no record"):
        merge(store, lambda: from_files([tmp_path / "in.jsonl"]), False)
    assert everything(store.root) == {}


def test_files_that_are_no_exports_are_named(tmp_path, store):
    for name, content in (("a.parquet", b"PAR1 no"), ("b.csv", b"a,b"), ("c.jsonl", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises((UsageError, RecordError), match=name):
            list(records_of(tmp_path / name))
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"other": [1]}), tmp_path / "d.parquet")
    parquet.write_table(pa.table({"document": [1]}), tmp_path / "e.parquet")
    for name in ("d.parquet", "e.parquet"):
        with pytest.raises(RecordError, match="no column 'document' of text"):
            list(records_of(tmp_path / name))


evil = st.sampled_from(
    ["..", "../../x", "/etc/passwd", "a/b", "\x00", "\x1b[2J", "x" * 4096]
) | st.text(max_size=10)
PLAIN = {"a": "image-0.png"}


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.dictionaries(
        st.sampled_from(["cell", "key", "track", "variant", "arrays"]), evil, max_size=2
    ),
    st.dictionaries(evil, evil, max_size=2),
    st.booleans(),
)
def test_nothing_that_is_merged_or_imported_is_written_outside(
    tmp_path_factory, make_record, fields, images, as_export
):
    outer = tmp_path_factory.mktemp("outer")
    record = make_record(0)
    for name, value in {**fields, "images": images or PLAIN}.items():
        setattr(record, name, value)
    source, target = Store(outer / "source"), Store(outer / "in" / "target")
    (source.root / "records" / "aa").mkdir(parents=True)
    try:
        data = msgspec.json.encode(record)
    except UnicodeEncodeError:
        return
    (source.root / "records" / "aa" / "planted.json").write_bytes(data)
    (source.root / "all.jsonl").write_bytes(data)
    before = everything(source.root)
    try:
        merge(
            target,
            lambda: from_files([source.root / "all.jsonl"]) if as_export else from_store(source),
            False,
        )
    except RecordError:
        assert everything(target.root) == {}
    assert everything(source.root) == before
    assert {path.name for path in outer.iterdir()} <= {"source", "in"}
    assert all(path.startswith("records/") for path in everything(target.root))


# No loader runs code ------------------------------------------------------------

_RUNNERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}


def test_no_module_of_the_harness_can_load_a_pickle():
    """Walk the sources: no import of a pickler, no eval or exec, no
    torch.load, no np.load that allows pickles.
    """
    found = []
    for file in sorted(Path(bench.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                found += [
                    f"{file.name}: import {name}"
                    for name in names
                    if name.partition(".")[0] in _RUNNERS
                ]
            elif isinstance(node, ast.Call):
                text = ast.unparse(node.func)
                if text in (
                    "eval",
                    "exec",
                    "compile",
                    "__import__",
                    "torch.load",
                    "read_pickle",
                ) or any(word.arg == "allow_pickle" for word in node.keywords):
                    found.append(f"{file.name}: {text}")
    assert found == []


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_a_pickle_planted_anywhere_in_a_results_folder_is_not_run(filled, tmp_path):
    bomb = pickle.dumps(Bomb(str(tmp_path / "exploded")))
    shard = next((filled.root / "records").iterdir())
    home = next((filled.root / "files").iterdir())
    inside = (
        shard / "bomb.json",
        shard / "bomb.pkl",
        filled.root / "bomb.jsonl",
        filled.root / "bomb.pkl",
        home / "arrays.safetensors",
        home / "more.npy",
    )
    for path in (*inside, tmp_path / "in.parquet", tmp_path / "in.jsonl", tmp_path / "in.json"):
        path.write_bytes(bomb)
    calls = [
        ("leaderboard",),
        ("compare", "m", "n"),
        ("doctor",),
        ("why", "0"),
        ("reproduce", str(shard / "bomb.json")),
        ("results", "gc"),
        ("results", "merge", str(filled.root)),
        ("results", "export", str(tmp_path / "out.parquet")),
        *(
            ("results", "import", str(tmp_path / f"in.{suffix}"))
            for suffix in ("parquet", "jsonl", "json")
        ),
    ]
    script = (
        "import sys\nfrom bench.cli import main\nfor call in %r:\n    try:\n        "
        "main([*call, '--results', %r])\n    except SystemExit:\n        pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", script % (calls, str(filled.root))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr
    assert "bomb.json is not used: it is damaged" in done.stderr
    assert not (tmp_path / "exploded").exists()


# gc --------------------------------------------------------------------------------


def test_only_what_was_replaced_or_belongs_to_nothing_goes(filled, make_record, tmp_path):
    replaced = filled.write(make_record(20, status="failed"))
    good = filled.write(make_record(20))
    twice = [filled.write(make_record(21)), filled.write(make_record(21))]
    broken = [
        filled.write(make_record(22, status="timeout")),
        filled.write(make_record(22, status="crashed")),
    ]
    damaged = filled.write(make_record(23))
    damaged.write_text("{")
    (filled.root / "files" / damaged.stem).mkdir(parents=True)
    for name in ("orphan", "fresh"):
        (filled.root / "files" / name).mkdir()
        (filled.root / "files" / name / "x").write_bytes(b"x" * 10)
    (filled.root / "records" / "aa").mkdir(exist_ok=True)
    (filled.root / "records" / "aa" / ".writing-old").write_text("{")
    ago = time.time() - 7200
    for path in (
        filled.root / "files" / "orphan",
        filled.root / "records" / "aa" / ".writing-old",
        filled.root / "files" / damaged.stem,
    ):
        os.utime(path, (ago, ago))
    before = everything(filled.root)
    found = removable(filled)
    assert everything(filled.root) == before
    expected = {
        str(replaced),
        str(broken[0]),
        str(filled.root / "files" / "orphan"),
        str(filled.root / "records" / "aa" / ".writing-old"),
    }
    assert {item.path for item in found} == expected
    assert remove_all(filled, found) == []
    after = everything(filled.root)
    assert {
        name: data
        for name, data in before.items()
        if str(filled.root / name) not in expected and not name.startswith("files/orphan")
    } == after
    assert all(path.is_file() for path in (good, *twice, broken[1], damaged))
    assert removable(filled) == []


def test_a_link_among_the_files_is_removed_and_not_followed(filled, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "x").write_text("x")
    link = filled.root / "files" / "link"
    link.symlink_to(tmp_path / "precious")
    os.utime(link, (0, 0), follow_symlinks=False)
    assert [item.path for item in removable(filled)] == [str(link)]
    remove_all(filled, removable(filled))
    assert not link.is_symlink()
    assert (tmp_path / "precious" / "x").is_file()
