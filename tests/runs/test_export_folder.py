"""Records in a folder for a repository: one sorted file a track and task."""

from __future__ import annotations

import msgspec
import pytest

from bench.runs.export_folder import export_by_task, file_name
from bench.runs.record import decode_record
from bench.runs.store import Store


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def place(record):
    return record.preset, record.variant, record.method, record.seed


@pytest.fixture
def two_tasks(tmp_path, make_record):
    """Records of two tasks, written in another order than they are sorted in."""
    store = Store(tmp_path / "results")
    store.open_for_writing()
    for seed in (10, 2, 0):
        for task in ("two", "one"):
            store.write(make_record(seed, task=task, track="toy"))
    return store


def test_each_track_and_task_has_a_sorted_file_of_its_records(two_tasks, tmp_path):
    done = export_by_task(two_tasks, tmp_path / "out")
    assert (done.records, done.written) == (6, ["toy.one.jsonl", "toy.two.jsonl"])
    assert sorted(contents(tmp_path / "out")) == done.written
    for name, content in contents(tmp_path / "out").items():
        records = [decode_record(line) for line in content.splitlines()]
        assert {file_name(record.track, record.task) for record in records} == {name}
        assert [record.seed for record in records] == [0, 2, 10]
        assert records == sorted(records, key=place)
    again = Store(tmp_path / "out").read()
    assert sorted(again, key=lambda record: record.id) == two_tasks.read()


def test_an_export_of_an_export_has_the_same_bytes_there_and_in_its_own_folder(two_tasks, tmp_path):
    export_by_task(two_tasks, tmp_path / "out")
    first = contents(tmp_path / "out")
    for target in ("again", "out"):
        export_by_task(Store(tmp_path / "out"), tmp_path / target)
        assert contents(tmp_path / target) == first


def test_files_whose_records_are_gone_go_too_and_no_other(two_tasks, make_record, tmp_path):
    out = tmp_path / "out"
    export_by_task(two_tasks, out)
    line = msgspec.json.encode(make_record(0, task="old", track="toy")) + b"\n"
    for name in ("toy.old.jsonl", "mine.jsonl"):
        (out / name).write_bytes(line)
    (out / "notes.jsonl").write_text("no record\n")
    (out / "sweeps").mkdir()
    done = export_by_task(two_tasks, out)
    assert (done.removed, done.others) == (["toy.old.jsonl"], ["mine.jsonl", "notes.jsonl"])
    assert (out / "sweeps").is_dir()
    assert sorted(contents(out)) == ["mine.jsonl", "notes.jsonl", *done.written]


def test_an_export_of_chosen_tasks_leaves_the_files_of_the_others(two_tasks, tmp_path):
    out = tmp_path / "out"
    export_by_task(two_tasks, out)
    before = contents(out)
    done = export_by_task(two_tasks, out, lambda record: record.task == "one")
    assert (done.written, done.removed, done.others) == (["toy.one.jsonl"], [], [])
    assert contents(out) == before


def test_nothing_is_removed_where_no_record_is_chosen(two_tasks, tmp_path):
    export_by_task(two_tasks, tmp_path / "out")
    before = contents(tmp_path / "out")
    assert export_by_task(two_tasks, tmp_path / "out", lambda _: False).records == 0
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("name", ["../../up", "a/b", ".hidden", "a.b", "ä%2E"])
def test_no_name_of_a_record_leads_out_of_the_folder_or_into_anothers_file(
    name, two_tasks, make_record, tmp_path
):
    two_tasks.write(make_record(0, track=name, task="one"))
    two_tasks.write(make_record(0, track="toy", task=name))
    done = export_by_task(two_tasks, tmp_path / "out")
    assert len(done.written) == len(contents(tmp_path / "out")) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"results", "out"}
    assert len(Store(tmp_path / "out").read()) == done.records == 8
