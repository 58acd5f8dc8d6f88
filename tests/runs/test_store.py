"""The store: whatever happens to its index, to its folder or beside it,
records are read as they were written.
"""

import os
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.plugins.cache_folder import cache_folder
from bench.runs.record import (
    SCHEMA_VERSION,
    Brief,
    Flops,
    Record,
    RecordError,
    check_record,
    decode_record,
    encode_record,
    without_folders,
)
from bench.runs.record_versions import UPGRADES
from bench.runs.renewal_note import carried
from bench.runs.spec import KeyMaker, run_key
from bench.runs.store import Store, latest
from bench.runs.store_files import remove

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = tuple(name for name in Record.__struct_fields__ if name not in ("curve", "logs", "error"))


def plain(record):
    """Return what a brief and the whole record must share."""
    return {name: msgspec.to_builtins(getattr(record, name)) for name in NAMES} | {
        "id": record.id,
        "group": record.group,
    }


def shown(store):
    return sorted((plain(record) for record in store.briefs()), key=lambda document: document["id"])


def index_file(store) -> Path:
    store.briefs()
    return max(
        (cache_folder() / "results").glob("*.sqlite"), key=lambda path: path.stat().st_mtime_ns
    )


# What a brief is --------------------------------------------------------------


def test_a_brief_says_what_its_record_says_but_curve_logs_and_frames(store, make_record):
    written = [
        make_record(0),
        make_record(1, status="failed"),
        make_record(2, params={"lam": 3}),
        make_record(3, code="b", needs=["env"], gates={"g": False}),
    ]
    for record in written:
        store.write(record)
    assert shown(store) == sorted(
        (plain(record) for record in written), key=lambda document: document["id"]
    )
    failed = next(brief for brief in store.briefs() if brief.status == "failed")
    assert (
        failed.error.type,
        failed.error.message,
        failed.error.frames,
        failed.curve,
        failed.logs,
    ) == ("E", "it fell", [], [], [])
    assert sorted(store.read(), key=lambda record: record.seed) == sorted(
        written, key=lambda record: record.seed
    )


def test_a_record_s_method_is_known_by_its_name_alone_and_with_its_track(make_record):
    record = make_record(0)
    assert record.method_names == (record.method, f"{record.track}/{record.method}")


def test_a_brief_is_never_written_as_a_record(store, make_record):
    store.write(make_record())
    with pytest.raises(RecordError, match="shortened copy"):
        encode_record(store.briefs()[0])


def test_records_share_the_objects_that_they_have_in_common(store, make_record):
    for seed in range(3):
        store.write(make_record(seed))
    first, *others = store.briefs()
    assert all(
        other.provenance is first.provenance and other.params is first.params for other in others
    )


def test_a_record_changed_by_hand_is_known(store, make_record):
    path = store.write(make_record(0))
    assert not store.briefs()[0].edited
    path.write_text(path.read_text().replace('"lam": 1.0', '"lam": 2.0'))
    assert store.briefs()[0].edited


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
    st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_many_keys_are_made_as_one_is(cells, environment, data):
    class Spec(msgspec.Struct):
        cell: str

    environment = {
        name: value
        for name, value in environment.items()
        if not isinstance(value, int) or abs(value) < 2**63
    }
    make = KeyMaker(["a", '"cell":""'], environment, data)
    assert [make(cell) for cell in cells] == [
        run_key(Spec(cell), ["a", '"cell":""'], environment, data) for cell in cells
    ]


# The index is disposable --------------------------------------------------------


def test_what_changes_in_the_folder_changes_in_the_index(store, make_record):
    paths = [store.write(make_record(seed)) for seed in range(4)]
    assert len(store.briefs()) == 4
    paths[0].unlink()
    paths[1].write_text("{")
    store.write(make_record(9))
    assert sorted(brief.seed for brief in store.briefs()) == [2, 3, 9]
    assert [item.path for item in store.damaged] == [str(paths[1])]
    paths[1].write_bytes(encode_record(make_record(1)))
    assert (sorted(brief.seed for brief in store.briefs()), store.damaged) == ([1, 2, 3, 9], [])


def test_a_damaged_index_costs_speed_only(store, make_record):
    for seed in range(30):
        store.write(
            make_record(seed, code=str(seed % 3), status="failed" if seed % 7 == 3 else "ok")
        )
    expected, file, chance = shown(store), index_file(store), random.Random(0)
    for round_ in range(60):
        data = bytearray(file.read_bytes())
        for _ in range(chance.choice([1, 3, 40])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if round_ % 10 == 0:
            data = data[: chance.randrange(len(data))]
        for part in ("-wal", "-shm"):
            remove(Path(f"{file}{part}"))
        file.write_bytes(data)
        assert shown(Store(store.root)) == expected


@pytest.mark.parametrize(
    "spoil",
    ["garbage", "folder", "another format", "another's table", "locked", "no place", "lost rows"],
)
def test_an_index_that_cannot_be_used_costs_speed_only(
    store, make_record, spoil, monkeypatch, tmp_path
):
    for seed in range(3):
        store.write(make_record(seed))
    expected, file, holder = shown(store), index_file(store), None
    for part in ("-wal", "-shm"):
        remove(Path(f"{file}{part}"))
    if spoil == "garbage":
        file.write_bytes(b"no database" * 1000)
    elif spoil == "folder":
        file.unlink()
        file.mkdir()
    elif spoil == "no place":
        (tmp_path / "taken").write_text("")
        monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "taken"))
    else:
        holder = sqlite3.connect(file, isolation_level=None)
        statements = {
            "another format": "PRAGMA user_version=99",
            "another's table": "DROP TABLE record",
            "locked": "BEGIN EXCLUSIVE",
            "lost rows": "DELETE FROM record WHERE line = 0",
        }
        holder.execute(statements[spoil])
        if spoil != "locked":
            holder.close()
            holder = None
    store.write(make_record(3))
    found = shown(store)
    assert [document for document in found if document["seed"] != 3] == expected
    assert len(found) == 4
    if holder is not None:
        holder.close()


def test_a_results_folder_that_cannot_be_written_is_read(store, make_record):
    store.write(make_record())
    for folder in (store.root, *store.root.rglob("*")):
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    try:
        assert len(Store(store.root).briefs()) == 1
        assert sorted(path.name for path in store.root.iterdir()) == [".writing", "records"]
    finally:
        for folder in (store.root, *store.root.rglob("*")):
            folder.chmod(0o755)


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from conftest import a_record
from bench.runs.store import Store
store = Store(Path(sys.argv[1]))
store.open_for_writing()
for seed in range(int(sys.argv[3]), int(sys.argv[4])):
    store.write(a_record(seed))
    if seed % 20 == 0:
        store.briefs()
"""


def test_processes_may_write_and_read_at_the_same_time(store):
    writers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                WRITER,
                str(store.root),
                str(Path(__file__).parent),
                str(start),
                str(start + 60),
            ],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for start in (0, 60)
    ]
    seen = [0]
    while any(writer.poll() is None for writer in writers):
        seen.append(len(store.briefs()))
        assert store.damaged == []
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen == sorted(seen)
    assert len(store.briefs()) == 120
    assert {brief.attempt for brief in store.briefs()} == {1}


def test_two_writers_of_one_cell_get_an_attempt_each(store, make_record):
    threads = [
        threading.Thread(
            target=lambda: [
                Store(store.root).write(make_record(0, status="failed")) for _ in range(10)
            ]
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(brief.attempt for brief in store.briefs()) == list(range(1, 21))
    assert not list((store.root / ".writing").iterdir())


def test_what_a_writer_that_died_left_is_removed_when_the_next_one_starts(store):
    (dead := subprocess.Popen([sys.executable, "-c", ""])).wait()
    left = store._temporary()
    (left / "record").write_text("{")
    gone = left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{dead.pid}-"))
    left.rename(gone)
    alive = store._temporary()
    store.open_for_writing()
    assert [path.name for path in (store.root / ".writing").iterdir()] == [alive.name]


# Nothing leaves the folder -------------------------------------------------------

evil = st.sampled_from(
    [
        "..",
        "../../x",
        "/etc/passwd",
        "a/b",
        "a\x00b",
        "\x1b[2J",
        "x" * 4096,
        "",
        ".",
        "a\nb",
        "\ud800",
        "\u202e",
        "~root",
    ]
) | st.text(max_size=20)
FIELDS = (
    "cell",
    "key",
    "track",
    "method",
    "task",
    "preset",
    "variant",
    "device",
    "dtype",
    "form",
    "arrays",
)


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.dictionaries(st.sampled_from(FIELDS), evil, max_size=3),
    st.dictionaries(evil, evil, max_size=2),
    st.integers() | st.integers(1, 5),
    st.integers() | st.integers(0, 5),
)
def test_no_field_of_a_record_can_write_outside_the_results_folder(
    tmp_path_factory, make_record, fields, images, attempt, seed
):
    outer = tmp_path_factory.mktemp("outer")
    store, files = Store(outer / "in" / "results"), outer / "files"
    store.open_for_writing()
    files.mkdir()
    (files / "arrays.safetensors").write_bytes(b"a")
    (files / "link.png").symlink_to("/etc/passwd")
    record = make_record(0)
    for name, value in {
        "arrays": "arrays.safetensors",
        **fields,
        "images": images or {"x": "link.png"},
        "attempt": attempt,
        "seed": seed,
    }.items():
        setattr(record, name, value)
    before = everything(outer / "files")
    try:
        path = store.write(record, files)
    except RecordError:
        assert everything(store.root) == {}
    else:
        assert path.resolve().parent.parent == (store.root / "records").resolve()
        assert set(everything(store.root)) <= {
            str(path.relative_to(store.root)),
            f"files/{record.id}/arrays.safetensors",
        }
        assert decode_record(path.read_bytes()) == record
    assert everything(outer / "files") == before
    assert {path.name for path in outer.iterdir()} == {"in", "files"}
    assert {path.name for path in (outer / "in").iterdir()} == {"results"}


@pytest.mark.parametrize("place", ["records", "shard", "files", ".writing"])
def test_a_link_inside_the_results_folder_is_not_written_through(tmp_path, make_record, place):
    from bench.errors import EnvironmentFault

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "arrays.safetensors").write_bytes(b"a")
    store, record = Store(tmp_path / "results"), make_record(0, arrays="arrays.safetensors")
    link = store.root / {"shard": f"records/{record.cell[:2]}"}.get(place, place)
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentFault, match=f"{link.name} in it is a link"):
        store.write(record, tmp_path / "files")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_links_pipes_and_odd_names_in_a_shard_are_named_and_not_read(store, make_record, tmp_path):
    path = store.write(make_record(0))
    (tmp_path / "elsewhere.json").write_bytes(encode_record(make_record(1)))
    (path.parent / "link.json").symlink_to(tmp_path / "elsewhere.json")
    os.mkfifo(path.parent / "pipe.json")
    (path.parent / "\x1b[2J.json").write_text("{")
    (path.parent / os.fsdecode(b"\xff.json")).write_text("{")
    assert [brief.seed for brief in store.briefs()] == [0]
    assert len(store.damaged) == 4
    assert all(item.path.isprintable() for item in store.damaged)
    said = next(item.reason for item in store.damaged if item.path.endswith("link.json"))
    assert said == (
        "it can't be read (it is a symbolic link, which is not followed; put what it "
        "leads to in its place)"
    )


def test_a_shard_that_is_a_link_is_named(store, make_record, tmp_path):
    shard = store.write(make_record(0)).parent
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    assert list(store.briefs()) == []
    assert [(item.path, "is a symbolic link" in item.reason) for item in store.damaged] == [
        (str(shard), True)
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False)
        | st.integers(-(2**63), 2**63)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(msgspec.json.encode)
)
def test_any_bytes_are_a_record_or_a_reason(data):
    with pytest.raises(RecordError):
        decode_record(data)


def test_deep_nesting_is_a_reason(make_record):
    with pytest.raises(RecordError, match="damaged"):
        decode_record(b"[" * 100_000)
    text = encode_record(make_record()).replace(
        b'"lam": 1.0', b'"lam": ' + b"[" * 5000 + b"]" * 5000
    )
    with pytest.raises(RecordError):
        decode_record(text)


@pytest.mark.parametrize("form", [-1, 1])
@pytest.mark.parametrize(
    ("field", "again"),
    [
        (b'"none":', b'"none": 99.5,'),
        (b'"seed":', b'"seed": 3,'),
        (b'"status":', b'"status": "ok",'),
    ],
)
def test_a_record_that_says_a_field_twice_is_refused(make_record, field, again, form):
    text = msgspec.json.format(encode_record(make_record()), indent=form)
    assert text.count(field) == 1
    assert decode_record(text) == make_record()
    with pytest.raises(RecordError, match=f"it says '{field.decode()[1:-2]}' twice"):
        decode_record(text.replace(field, again + field))


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.lists(st.binary(max_size=40).filter(lambda text: b"\n" not in text), max_size=5),
    st.lists(st.integers(0, 5), max_size=5, unique=True),
    st.randoms(),
)
def test_an_export_with_other_lines_between_gives_its_records(
    tmp_path_factory, make_record, noise, seeds, chance
):
    folder = tmp_path_factory.mktemp("export")
    lines = [msgspec.json.encode(make_record(seed)) for seed in seeds] + list(noise)
    chance.shuffle(lines)
    (folder / "some.jsonl").write_bytes(b"\n".join(lines))
    store = Store(folder)
    assert sorted(record.seed for record in store.read()) == sorted(seeds)
    assert len(store.damaged) == sum(bool(line.strip()) for line in noise)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('File "/home/some one/plug-ins/x.py", line 3', 'File "x.py", line 3'),
        ("No such file: '/tmp/a/b'", "No such file: 'b'"),
        (
            "https://arxiv.org/abs/2007.00151 and a/b, 1/2, ./c/d",
            "https://arxiv.org/abs/2007.00151 and a/b, 1/2, ./c/d",
        ),
    ],
)
def test_a_log_loses_the_folders_of_the_machine_and_nothing_else(said, kept):
    assert without_folders(said) == kept


# Versions ---------------------------------------------------------------------


def test_every_schema_version_has_a_reader_and_a_fixture():
    assert sorted(UPGRADES) == list(range(1, SCHEMA_VERSION))
    for version in range(1, SCHEMA_VERSION + 1):
        assert (
            msgspec.json.decode((FIXTURES / f"record-v{version}.json").read_bytes())[
                "schema_version"
            ]
            == version
        )
        assert (FIXTURES / f"export-v{version}.jsonl").is_file()


def test_a_record_of_version_1_is_read_as_what_it_said():
    record = decode_record((FIXTURES / "record-v1.json").read_bytes())
    assert (
        record.schema_version,
        record.method,
        record.metrics["acc_last"],
        record.seed,
        record.tuning,
    ) == (SCHEMA_VERSION, "ce", 51.0, 9, None)
    assert (record.id, record.curve[0]["acc"]) == ("018afbd528e02ec1-f463e4d5b07a1884-1", 47.75)
    assert decode_record(encode_record(record)) == record


def test_a_record_of_version_2_is_read_as_what_it_said():
    record = decode_record((FIXTURES / "record-v2.json").read_bytes())
    assert (record.method, record.params, record.metrics["acc_last"]) == (
        "elr",
        {"lam": 1.0, "beta": 0.7},
        51.0,
    )
    assert (record.tuning["chosen"], record.tuning["scores"]) == (1, [50.5, 51.25])
    assert (record.data, record.flops) == (None, None)


def test_a_record_of_version_3_is_read_as_what_it_said():
    record = decode_record((FIXTURES / "record-v3.json").read_bytes())
    assert (list(record.data), record.flops.total, record.flops.uncounted) == (
        ["digits"],
        123456789,
        ["aten::linalg_svd"],
    )


def test_a_record_of_version_4_is_read_as_what_it_said():
    record = decode_record((FIXTURES / "record-v4.json").read_bytes())
    assert (list(record.digests), record.renewed.run, record.renewed.digest) == (
        ["array:scores"],
        "018afbd528e02ec1-f463e4d5b07a1884-1",
        carried(record),
    )
    assert decode_record(encode_record(record)) == record


def test_what_a_renewal_carries_keeps_its_digest_through_all_versions():
    old, new = (
        decode_record((FIXTURES / f"record-v{version}.json").read_bytes()) for version in (3, 4)
    )
    assert carried(old) == "cf409f340304f9f3ac9f00553f1fe56e"
    assert carried(new) == "6fd2bdd252eff30e83236f8cf494ee41"


def test_the_index_keeps_counted_operations(store, make_record):
    store.write(make_record(0, flops=Flops(total=7, uncounted=["aten::linalg_svd"])))
    assert [brief.flops for brief in store.briefs()] == [
        Flops(total=7, uncounted=["aten::linalg_svd"])
    ]


def test_a_field_of_a_later_version_is_no_field_of_an_earlier_one():
    text = (FIXTURES / "record-v1.json").read_bytes()
    with pytest.raises(RecordError, match="version 1 has no field 'tuning'"):
        decode_record(text.replace(b"{", b'{"tuning": null,', 1))
    with pytest.raises(RecordError, match="version 2 has no field 'data'"):
        decode_record(
            (FIXTURES / "record-v2.json").read_bytes().replace(b"{", b'{"data": null,', 1)
        )
    for field in (b"digests", b"renewed"):
        with pytest.raises(RecordError, match=f"version 3 has no field '{field.decode()}'"):
            decode_record(
                (FIXTURES / "record-v3.json").read_bytes().replace(b"{", b'{"%s": null,' % field, 1)
            )
    for version in (b"0", b"-1", b"true", b'"1"', b"null", b"1.5"):
        with pytest.raises(RecordError, match="schema_version"):
            decode_record(text.replace(b'"schema_version": 1', b'"schema_version": ' + version))


# Attempts and files --------------------------------------------------------------


def test_an_attempt_is_never_given_twice_even_where_one_was_removed_or_lies_in_an_export(
    store, make_record
):
    first, second = (
        store.write(make_record(0, status="failed")),
        store.write(make_record(0, status="failed")),
    )
    first.unlink()
    assert store.write(make_record(0)).name.endswith("-3.json")
    (store.root / "old.jsonl").write_bytes(
        msgspec.json.encode(make_record(5, attempt=4, status="failed"))
    )
    store.briefs()
    assert store.write(make_record(5)).name.endswith("-5.json")
    assert second.is_file()
    assert latest(store.briefs())[make_record(5).key].attempt == 5


def test_records_of_one_id_that_differ_are_named(store, make_record):
    store.write(make_record(0))
    (store.root / "same.jsonl").write_bytes(msgspec.json.encode(make_record(0)))
    assert (len(store.briefs()), store.damaged) == (1, [])
    (store.root / "same.jsonl").write_bytes(msgspec.json.encode(make_record(0, warnings=["other"])))
    assert [brief.warnings for brief in store.briefs()] == [[]]
    assert "differ" in store.damaged[0].reason


def test_files_of_a_record_are_there_with_it_and_others_are_not_taken(store, make_record, tmp_path):
    (tmp_path / "files" / "more").mkdir(parents=True)
    for name in ("arrays.safetensors", "image-0.png", "secret.txt"):
        (tmp_path / "files" / name).write_bytes(name.encode())
    record = make_record(0, arrays="arrays.safetensors", images={"../x": "image-0.png"})
    store.write(record, tmp_path / "files")
    assert sorted(path.name for path in (store.root / "files" / record.id).iterdir()) == [
        "arrays.safetensors",
        "image-0.png",
    ]


def test_a_disk_that_fills_at_any_write_leaves_no_trace(store, make_record, tmp_path, monkeypatch):
    from bench.errors import EnvironmentFault

    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "arrays.safetensors").write_bytes(b"x" * 100)
    store.write(make_record(1))
    before = everything(store.root)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    for name in (
        "bench.runs.store.os.fsync",
        "bench.runs.store.os.link",
        "bench.runs.store_files.shutil.copyfile",
        "bench.runs.store.tempfile.mkdtemp",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(name, full)
            with pytest.raises(EnvironmentFault, match="No space left on device"):
                store.write(make_record(0, arrays="arrays.safetensors"), tmp_path / "files")
        assert everything(store.root) == before
    store.write(make_record(0, arrays="arrays.safetensors"), tmp_path / "files")
    assert len(store.briefs()) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"cell": "zz"},
        {"variant": "a\x1b[2J"},
        {"track": ""},
        {"attempt": 0},
        {"seed": -1},
        {"arrays": "../x"},
        {"images": {"a": "/x.png"}},
    ],
)
def test_a_record_that_could_do_harm_is_refused(make_record, change):
    record = make_record(0)
    for name, value in change.items():
        setattr(record, name, value)
    with pytest.raises(RecordError):
        check_record(record)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"provenance": {"versions": None}}, r"provenance\.versions"),
        ({"provenance": {"versions": "2.0"}}, r"provenance\.versions"),
        ({"provenance": {"versions": ["a"]}}, r"provenance\.versions"),
        ({"provenance": {"versions": {"torch": 2}}}, r"provenance\.versions"),
        ({"provenance": {"kernels": "none"}}, r"provenance\.kernels"),
        ({"provenance": {"files": ["a.py"]}}, r"provenance\.files"),
        ({"provenance": {"bench_git": "main"}}, r"provenance\.bench_git"),
        ({"metrics": {"": 1.0}}, "name '' is not one word"),
        ({"metrics": {"=cmd|<b>\n": 1.0}}, "is not one word"),
        ({"cost": {"solve_s": -5.0}}, "its cost 'solve_s' is -5, which no run can take"),
        ({"cost": {"solve_s": 1e308}}, r"its cost 'solve_s' is 1e\+308"),
        ({"counters": {"forward": -(10**6)}}, r"its 'forward' is -1e\+06, which no run can count"),
        ({"flops": Flops(total=-1)}, "its 'flops.total' is -1"),
        ({"flops": Flops(total=1, artifacts=-1)}, "its 'flops.artifacts' is -1"),
        ({"flops": Flops(total=1, artifacts=2)}, "took 2 operations of 1 in all"),
        ({"ended": "2026\x1b]0;title\x07"}, "its ended is .* no time like"),
        ({"ended": "2026-01-01\x1b00:00:00+00:00"}, "its ended is"),
        ({"started": ""}, "its started is ''"),
    ],
)
def test_a_record_that_no_run_can_have_made_is_damaged_where_it_is_read(
    store, make_record, change, said
):
    record = make_record(0)
    for name, value in change.items():
        setattr(record, name, value)
    path = store.write(make_record(0))
    path.write_bytes(msgspec.json.encode(record))
    with pytest.raises(RecordError, match=said):
        decode_record(path.read_bytes())
    assert store.briefs() == []


def test_what_a_record_of_an_earlier_version_does_not_say_is_no_damage(make_record):
    for provenance in ({}, {"kernels": None, "gpu": None, "cpu_class": None}, {"of later": [1]}):
        check_record(make_record(0, provenance=provenance))


def test_a_brief_has_every_field_of_a_record():
    assert set(Record.__struct_fields__) | {"name", "row", "content", "edited", "gap"} == set(
        Brief.__struct_fields__
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_cannot_be_read_is_an_error_and_not_an_empty_one(store, make_record):
    from bench.errors import EnvironmentFault

    path = store.write(make_record())
    path.parent.chmod(0)
    try:
        with pytest.raises(EnvironmentFault, match="can't be read"):
            store.briefs()
    finally:
        path.parent.chmod(0o755)
