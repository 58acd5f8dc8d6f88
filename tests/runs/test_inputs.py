"""What a load of data depends on: what is seen of it, and whether a change is seen later."""

from __future__ import annotations

import csv
import ctypes
import gzip
import importlib.util
import json
import linecache
import mmap
import multiprocessing
import os
import pickle
import sqlite3
import subprocess
import sys
import urllib.parse
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.params import Param
from bench.plugins.source import Target
from bench.runs.context import Setup
from bench.runs.data_calls import call_text, differing, params_of, parse_call
from bench.runs.data_index import DataIndex, Known, Want
from bench.runs.inputs import File, Inputs, data_root, look, read
from bench.runs.read_observer import NETWORK, ReadObserver
from bench.runs.user_files import digests, kept_by_user


def seen(call, *homes) -> Inputs:
    with ReadObserver(tuple(map(str, homes))) as observer:
        call()
    return observer.inputs()


def names(inputs: Inputs) -> set[str]:
    return {Path(file.path).name for file in inputs.files}


def settle(path: Path) -> None:
    """Make a file old enough for its times to prove something."""
    os.utime(path, (1_000_000_000, 1_000_000_000))


# What is seen -----------------------------------------------------------------------


def by_csv(path):
    path.write_text("1,2\n")
    return lambda: list(csv.reader(path.open()))


def by_loadtxt(path):
    path.write_text("1 2\n")
    return lambda: np.loadtxt(path)


def by_array(path):
    path = path.with_suffix(".npy")
    np.save(path, np.ones(3))
    return lambda: np.load(path)


def by_memmap(path):
    path.write_bytes(bytes(8))
    return lambda: np.memmap(path, dtype=np.uint8, mode="r").sum()


def by_mmap(path):
    path.write_bytes(bytes(8))

    def load():
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            return mapped[0]

    return load


def by_torch(path):
    torch.save(torch.ones(2), path)
    return lambda: torch.load(path)


def by_gzip(path):
    path.write_bytes(gzip.compress(b"1"))
    return lambda: gzip.open(path).read()


def by_zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a", "1")
    return lambda: zipfile.ZipFile(path).read("a")


def by_pickle(path):
    path.write_bytes(pickle.dumps(1))
    return lambda: pickle.loads(path.read_bytes())


def by_number(path):
    path.write_text("1")

    def load():
        handle = os.open(path, os.O_RDONLY)
        os.read(handle, 10)
        os.close(handle)

    return load


def by_sqlite(path):
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE t (x)")
    base.commit()
    base.close()
    return lambda: sqlite3.connect(path).execute("SELECT * FROM t").fetchall()


def by_look_and_c(path):
    path.write_text("1")

    def load():
        if path.is_file():
            ctypes.CDLL(None).fopen(os.fsencode(path), b"r")

    return load


@pytest.mark.parametrize(
    "reader",
    [
        by_csv,
        by_loadtxt,
        by_array,
        by_memmap,
        by_mmap,
        by_torch,
        by_gzip,
        by_zip,
        by_pickle,
        by_number,
        by_sqlite,
        by_look_and_c,
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_file_is_seen_however_it_is_read_and_a_change_of_one_byte_too(reader, tmp_path):
    load = reader(tmp_path / "data.bin")
    inputs = seen(load)
    (path,) = tmp_path.iterdir()
    assert names(inputs) == {path.name}
    assert look(inputs).changed == []
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert look(inputs).changed == [str(path)]


def test_a_file_that_c_code_opens_is_seen_in_the_folders_of_the_plugin_and_of_local_data(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/data.bin").write_text("1")
    inputs = seen(
        lambda: ctypes.CDLL(None).fopen(os.fsencode(tmp_path / "deep/data.bin"), b"r"), tmp_path
    )
    assert names(inputs) == {"data.bin"}


def test_what_a_load_writes_is_no_input_and_what_it_reads_first_is_one(tmp_path):
    (tmp_path / "counter").write_text("1")

    def load():
        (tmp_path / "made").write_text("x")
        (tmp_path / "made").read_text()
        (tmp_path / "counter").write_text((tmp_path / "counter").read_text() + "1")

    assert names(seen(load)) == {"counter"}


def test_python_code_and_libraries_are_no_inputs(tmp_path):
    (tmp_path / "helper_of_this_test.py").write_text("x = 1\n")
    code = (
        "import sys\nfrom bench.runs.read_observer import ReadObserver\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "with ReadObserver() as observer:\n    import helper_of_this_test, decimal, colorsys\n"
        "print([file.path for file in observer.inputs().files])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_a_file_that_ships_with_a_library_is_named_from_the_library_on(tmp_path):
    import sklearn.datasets

    inputs = seen(sklearn.datasets.load_iris)
    assert [file.path for file in inputs.files if file.path.endswith("iris.csv")] == [
        "lib:sklearn/datasets/data/iris.csv"
    ]
    assert look(inputs).changed == []


@pytest.mark.parametrize(
    "listing",
    [
        os.listdir,
        lambda path: list(os.scandir(path)),
        lambda path: list(path.glob("*.csv")),
        lambda path: list(path.iterdir()),
    ],
)
def test_a_new_file_in_a_folder_that_was_listed_is_seen(listing, tmp_path):
    (tmp_path / "a.csv").write_text("1")
    inputs = seen(lambda: listing(tmp_path))
    assert look(inputs).changed == []
    (tmp_path / "b.csv").write_text("1")
    assert look(inputs).changed == [str(tmp_path)]


def test_a_file_that_was_looked_for_in_vain_is_seen_when_it_appears(tmp_path):
    def load():
        for name in ("better", "good"):
            if (tmp_path / name).is_file():
                return (tmp_path / name).read_text()
        return ""

    (tmp_path / "good").write_text("1")
    inputs = seen(load)
    assert look(inputs).changed == []
    (tmp_path / "better").write_text("2")
    assert look(inputs).changed == [str(tmp_path / "better")]


def test_a_link_that_points_elsewhere_is_seen(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a")
    inputs = seen(lambda: (tmp_path / "link").read_text())
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    assert look(inputs).changed == [str(tmp_path / "link")]


def test_a_variable_and_the_working_folder_are_seen_where_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_DATA", "one")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.csv").write_text("1")
    (tmp_path / "other").mkdir()
    by_variable, by_folder, by_place = (
        seen(lambda: os.environ.get("MY_DATA")),
        seen(lambda: Path("here.csv").read_text()),
        seen(lambda: Path("x").resolve()),
    )
    nothing = seen(lambda: (tmp_path / "here.csv").read_text())
    assert [look(item).changed for item in (by_variable, by_folder, by_place, nothing)] == [
        [],
        [],
        [],
        [],
    ]
    monkeypatch.setenv("MY_DATA", "two")
    monkeypatch.chdir(tmp_path / "other")
    assert look(by_variable).changed == ["$MY_DATA"]
    assert look(by_folder).changed == look(by_place).changed == ["the working folder"]
    assert look(nothing).changed == []


def test_what_another_program_reads_and_what_comes_over_the_network_is_never_known(tmp_path):
    import socket

    def fetch():
        with socket.socket() as found:
            found.settimeout(0.1)
            found.connect_ex(("127.0.0.1", 9))

    def fork():
        with multiprocessing.get_context("fork").Pool(1) as pool:
            pool.map(len, [""])

    assert look(seen(lambda: subprocess.run(["true"], check=True))).changed == [
        "another process reads it"
    ]
    assert look(seen(fork)).changed == ["another process reads it"]
    assert look(seen(fetch)).changed == [NETWORK]


def test_what_is_fetched_from_the_hub_is_known_by_its_revision_and_no_network_is_asked():
    import socket

    from bench.runs.read_observer import fetching

    def fetch():
        with fetching("a/repository@1"), socket.socket() as found:
            found.settimeout(0.1)
            found.connect_ex(("127.0.0.1", 9))

    with ReadObserver() as observer:
        fetch()
    inputs = observer.inputs(empty="nothing was seen")
    assert (inputs.hub, look(inputs).changed) == ("a/repository@1", [])


def test_code_that_a_warning_quotes_is_no_input(tmp_path):
    (tmp_path / "reader.py").write_text(
        "import warnings\n\ndef read():\n    warnings.warn('quoted', stacklevel=1)\n"
    )
    spec = importlib.util.spec_from_file_location("quoted_reader", tmp_path / "reader.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def warn():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            # as a terminal shows it, line of code included
            warnings.showwarning = lambda *said, **_: warnings.formatwarning(*said[:4])
            module.read()

    linecache.clearcache()
    assert names(seen(warn)) == set()


def test_a_database_is_seen_by_its_path_and_by_its_uri(tmp_path):
    path = tmp_path / "rows of%20mine.db"
    sqlite3.connect(path).close()
    uri = f"file:{urllib.parse.quote(str(path))}?mode=ro"
    assert [
        names(seen(lambda: sqlite3.connect(uri, uri=True).close())),
        names(seen(lambda: sqlite3.connect(":memory:").close())),
    ] == [{path.name}, set()]


@pytest.mark.parametrize("value", ["~there-is-no-such-user", "~there-is-no-such-user/data"])
def test_the_folder_of_local_data_without_a_home_is_one_that_is_not_there(
    value, tmp_path, monkeypatch
):
    from bench.errors import DataUnavailable
    from bench.training.hub import Source, texts

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_HUB", raising=False)
    monkeypatch.setenv("BENCH_DATA", value)
    with pytest.raises(DataUnavailable, match=rf"there is no folder '{value}/rows'"):
        texts(Source(name="rows", repo="a/rows"), "train", ("text",))
    monkeypatch.delenv("BENCH_DATA")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    # as where neither HOME nor the user's entry is there
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert not data_root().exists()
    (tmp_path / "a").touch()
    assert kept_by_user([str(tmp_path / "a")], (), str(tmp_path / "cache"), float("inf")) == [
        str(tmp_path / "a")
    ]


def test_a_data_set_says_what_cannot_be_seen(tmp_path):
    run = Setup(seed=0, task="t", method="", device=torch.device("cpu"), workdir=tmp_path / "work")
    (tmp_path / "known.bin").write_text("1")
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "folder/inner/deep.bin").write_text("1")

    def say():
        run.reads(tmp_path / "known.bin", str(tmp_path / "absent.bin"), tmp_path / "folder")

    inputs = seen(say)
    assert names(inputs) == {"known.bin", "deep.bin"}
    with ReadObserver(thorough=False) as observer:
        say()
    assert {Path(path).name for path in observer.files()} == {"known.bin", "absent.bin", "deep.bin"}
    (tmp_path / "folder/inner/deep.bin").write_text("2")
    assert look(inputs).changed == [str(tmp_path / "folder/inner/deep.bin")]
    (tmp_path / "folder/inner/deep.bin").write_text("1")
    assert inputs.absent == [str(tmp_path / "absent.bin")]
    (tmp_path / "folder/new").touch()
    assert look(inputs).changed == [str(tmp_path / "folder")]


def test_what_was_patched_to_see_is_put_back():
    before = (
        os.stat,
        os.lstat,
        os.getcwd,
        type(os.environ).__getitem__,
        set(os.supports_follow_symlinks),
    )
    with pytest.raises(ZeroDivisionError), ReadObserver(), ReadObserver():
        _ = 1 / 0
    assert (
        os.stat,
        os.lstat,
        os.getcwd,
        type(os.environ).__getitem__,
        set(os.supports_follow_symlinks),
    ) == before


# Whether a change is seen later --------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=50), st.binary(max_size=50), st.booleans(), st.booleans(), st.booleans())
def test_other_bytes_are_seen_and_the_same_bytes_are_not_whatever_the_times_say(
    tmp_path_factory, before, after, keep_time, replaced, settled
):
    path = tmp_path_factory.mktemp("file") / "data"
    path.write_bytes(before)
    if settled:
        settle(path)
    inputs = seen(path.read_bytes)
    status = path.stat()
    if replaced:
        (path.parent / "new").write_bytes(after)
        (path.parent / "new").replace(path)
    else:
        path.write_bytes(after)
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert look(inputs).changed == ([] if before == after else [str(path)])


def test_a_file_that_was_touched_is_read_once_and_then_known_by_its_stamp(tmp_path):
    path = tmp_path / "data"
    path.write_text("1")
    settle(path)
    inputs = seen(path.read_text)
    path.touch()
    fresh = look(inputs).fresh
    assert fresh is not None
    assert (
        [file.stamp for file in fresh.files]
        == [read(str(path)).stamp]
        != [file.stamp for file in inputs.files]
    )


def test_a_large_file_that_was_touched_counts_as_changed_and_one_that_was_not_is_known(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("bench.runs.inputs.LARGEST", 3)
    path = tmp_path / "data"
    path.write_text("long")
    inputs = Inputs(files=[read(str(path), 3)], noted=1 << 62)
    assert inputs.files[0].digest == ""
    assert look(inputs).changed == []
    os.utime(path, (5, 5))
    assert look(inputs).changed == [str(path)]


def test_the_bytes_of_a_file_are_read_again_only_where_its_stamp_proves_nothing(
    tmp_path, monkeypatch
):
    from bench.runs import data_index

    path, index, reads = tmp_path / "large.bin", DataIndex(tmp_path / "cache"), []
    path.write_bytes(b"1")
    settle(path)
    monkeypatch.setattr("bench.runs.inputs._RACY", -(10**9))  # as if it had been written long ago
    monkeypatch.setattr(
        data_index, "read", lambda *given, **more: reads.append(given) or read(*given, **more)
    )
    target = Target("m", "T", str(tmp_path / "task.py"))
    first = index.content(str(path))
    assert [index.content(str(path)), index.content(str(path)), len(reads)] == [first, first, 1]
    assert digests([str(path)], [target], DataIndex(tmp_path / "cache")) == (
        {"file:large.bin": first},
        {"file:large.bin": str(path)},
    )
    assert len(reads) == 1
    path.write_bytes(b"2")
    settle(path)
    second = index.content(str(path))
    assert (second != first, len(reads)) == (True, 2)
    assert digests([str(path)], [target], index)[0] == {"file:large.bin": second}
    path.unlink()
    assert index.content(str(path)) == ""
    assert digests([str(path)], [target], index) == ({}, {})


def test_a_file_that_changes_while_it_is_loaded_leaves_nothing_that_is_known(tmp_path):
    path = tmp_path / "data"
    path.write_text("1")

    def load():
        path.read_text()
        path.write_text("22")

    assert "changed while it was read" in look(seen(load)).changed[0]


# The index -----------------------------------------------------------------------------


def want(**changes) -> Want:
    fields = {
        "name": "d",
        "params": {},
        "target": Target("m", "D", "/x.py"),
        "code": ["a"],
        "versions": {"numpy": "1"},
        "device": "cpu",
        "had": "local",
        "stream": ("t/k", 0),
    }
    return Want(**{**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"params": {"split": "test"}},
        {"target": Target("m", "D", "/elsewhere/x.py")},
        {"code": ["b"]},
        {"versions": {"numpy": "2"}},
        {"device": "cuda"},
        {"name": "e"},
    ],
)
def test_nothing_is_known_of_another_call(changes, tmp_path):
    index = DataIndex(tmp_path)
    index.put(want(), Known(fingerprint="f", inputs=Inputs()))
    assert index.state(want()).fingerprint == "f"
    assert index.state(want(**changes)).fingerprint == ""
    assert index.state(want(stream=("t/other", 7))).fingerprint == "f"


def test_what_is_drawn_from_the_runs_streams_is_known_by_task_and_seed(tmp_path):
    index = DataIndex(tmp_path)
    index.put(want(), Known(fingerprint="f", inputs=Inputs(), drawn=True))
    assert index.draws(want())
    assert index.state(want()).fingerprint == "f"
    assert index.state(want(stream=("t/k", 1))).fingerprint == ""


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-3],
        lambda data: b"",
        lambda data: data[:40] + b"x" + data[41:],
        lambda data: b"\xff" * 100,
    ],
)
def test_an_entry_that_is_damaged_is_not_known(damage, tmp_path):
    index = DataIndex(tmp_path)
    index.put(want(), Known(fingerprint="f", inputs=Inputs(files=[File("/a", 1, 1, 1, 1, "d")])))
    for path in (tmp_path / "data").iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert index.get(want()) is None
    index.put(want(), Known(fingerprint="g", inputs=Inputs()))
    assert index.state(want()).fingerprint == "g"


def test_a_cache_folder_that_can_not_be_written_costs_what_is_known_and_nothing_else(tmp_path):
    (tmp_path / "data").write_text("a file is in the way")
    index = DataIndex(tmp_path)
    index.put(want(), Known(fingerprint="f", inputs=Inputs()))
    assert index.state(want()).fingerprint == ""


def test_a_path_that_is_not_utf8_is_known(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.csv"))
    path.write_text("1")
    index = DataIndex(tmp_path / "cache")
    index.put(want(), Known(fingerprint="f", inputs=seen(path.read_text)))
    assert index.state(want()).fingerprint == "f"
    path.write_text("2")
    assert index.state(want()).fingerprint == ""


# Calls as text ------------------------------------------------------------------------------


SCHEMA = {
    "split": Param(str, "train"),
    "rate": Param(float, 1),
    "k": Param(int | None, None),
    "names": Param(tuple[str, ...], ()),
}


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional={
    "split": st.text(max_size=8), "rate": st.floats(allow_nan=False, allow_infinity=False), "k": st.none() | st.integers(-9, 9), "names": st.lists(st.text(max_size=4), max_size=2).map(tuple),
}))  # fmt: skip
def test_a_call_is_read_as_it_was_written(values):
    params = differing(SCHEMA, {"split": "train", "rate": 1.0, "k": None, "names": (), **values})
    text = call_text("d", params)
    name, texts = parse_call(text)
    assert (name, params_of("d", SCHEMA, texts)) == ("d", params)
    assert json.loads(json.dumps(text)) == text


def test_a_default_that_is_written_out_is_no_parameter_of_a_call():
    assert call_text("d", differing(SCHEMA, {"split": "train", "rate": 1.0})) == "d"
    assert (
        call_text("d", differing(SCHEMA, {"split": "test", "rate": 2.0}))
        == "d(rate=2.0,split=test)"
    )
