"""``bench leaderboard`` as users call it: files, suites, anchors, history, hostile records."""

import json
import shlex

import msgspec
import pytest
from board_toy import SUITE, TASKS, whole_suite

from bench.runs.record import encode_record

LAB = '''
from typing import Any, ClassVar
from bench import Metric, Preset, Reference, TaskCard
from bench.contracts import Task

class {cls}(Task):
    """A task that has run elsewhere."""
    card: ClassVar = TaskCard(
        name="{name}", title="A task", track="demo", metrics=(Metric(name="{metric}", primary=True, direction="{direction}"),),
        presets={{"default": Preset(variants={variants}, seeds=3)}},
        references=(Reference(name="null", kind="low"), Reference(name="oracle", kind="high", solve="peek")),
    )
'''


@pytest.fixture
def lab(tmp_path, bench):
    """A private benchmark with a suite of its own, and the records of all
    of it; returns its call.
    """
    from bench.builtin.leaderboard._suite import read_suite

    folder = tmp_path / "lab"
    (folder / "leaderboard").mkdir(parents=True)
    (folder / "tasks" / "demo").mkdir(parents=True)
    (folder / "leaderboard" / "suite-small.toml").write_text(SUITE)
    for name, metric, direction, variants in (
        ("up", "acc", "max", {"a": {}, "b": {}}),
        ("down", "gap", "min", {"only": {}}),
    ):
        (folder / "tasks" / "demo" / f"{name}.py").write_text(
            LAB.format(
                cls=name.title(), name=name, metric=metric, direction=direction, variants=variants
            )
        )
    records = whole_suite(
        read_suite(folder / "leaderboard" / "suite-small.toml"), TASKS, {"demo": ["null", "m", "n"]}
    )
    bench.results.mkdir()
    write(bench, records)

    def call(*arguments):
        return bench(
            "leaderboard", "--plugins", folder, "--suite", "small", "--no-stale", *arguments
        )

    call.records, call.bench, call.folder = records, bench, folder
    return call


def write(bench, records, name="all.jsonl"):
    (bench.results / name).write_bytes(
        b"".join(encode_record(record).replace(b"\n", b"") + b"\n" for record in records)
    )


def test_out_writes_every_file_and_the_same_bytes_again(lab, tmp_path):
    import pyarrow.parquet

    done = lab("--out", tmp_path / "one", "--no-page")
    assert (done.code, done.out) == (0, "")
    assert (
        "wrote leaderboard.csv, leaderboard.json, leaderboard.md, leaderboard.schema.json, "
        "leaderboard.tex, records.parquet, tracks.csv to"
    ) in done.err
    write(lab.bench, list(reversed(lab.records)))
    lab("--out", tmp_path / "two", "--no-page")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert [(tmp_path / "two" / name).read_bytes() for name in names] == [
        (tmp_path / "one" / name).read_bytes() for name in names
    ]
    table = pyarrow.parquet.read_table(tmp_path / "one" / "records.parquet")
    assert table.num_rows == len(lab.records)
    assert {
        "id",
        "method",
        "metrics.acc",
        "metrics.gap",
        "cost.solve_s",
        "counters.forward",
    } <= set(table.column_names)


def test_a_folder_that_holds_the_board_already_is_left_as_it_is(lab, tmp_path):
    pytest.importorskip("altair")
    assert "index.html" in lab("--out", tmp_path / "out").err
    page = tmp_path / "out" / "index.html"
    stamp = page.stat().st_mtime_ns
    assert (
        lab("--out", tmp_path / "out")
        .err.strip()
        .endswith("holds what these records give already.")
    )
    assert page.stat().st_mtime_ns == stamp
    write(lab.bench, lab.records[:-1])
    lab("--out", tmp_path / "out")
    assert page.stat().st_mtime_ns != stamp


def test_without_the_libraries_of_the_page_the_rest_is_written_and_serving_is_refused(
    lab, tmp_path, monkeypatch
):
    import importlib.util

    known = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "altair" else known(name, *rest),
    )
    done = lab("--out", tmp_path / "out")
    assert (
        done.code,
        "the page needs altair; run \"pip install 'datacentric-bench[page]'\"" in done.err,
    ) == (0, True)
    assert (tmp_path / "out" / "leaderboard.json").is_file()
    assert not (tmp_path / "out" / "index.html").exists()
    served = lab("--serve", "--port", "0")
    assert (served.code, "leave --serve out" in served.err) == (4, True)


def test_history_keeps_nights_and_replaces_one_that_is_told_again(lab, tmp_path):
    import pyarrow.parquet

    file = tmp_path / "kept" / "history.parquet"
    for ended in ("2026-01-01", "2026-01-02", "2026-01-02"):
        write(
            lab.bench,
            [
                msgspec.structs.replace(record, ended=f"{ended}T00:00:00.000+00:00")
                for record in lab.records
            ],
        )
        assert lab("--out", tmp_path / "out", "--no-page", "--history", file).code == 0
    rows = pyarrow.parquet.read_table(file).to_pylist()
    assert [(row["night"], row["method"]) for row in rows] == [
        (night, name)
        for night in ("2026-01-01", "2026-01-02")
        for name in ("m", "n", "null", "oracle")
    ]
    file.write_bytes(b"no parquet")
    done = lab("--out", tmp_path / "out", "--history", file)
    assert (done.code, "can't be read" in done.err) == (2, True)


@pytest.mark.parametrize(
    "part", [("--track", "demo"), ("--task", "up"), ("--method", "m"), ("--preset", "default")]
)
def test_a_part_of_a_board_is_no_night_of_the_history(lab, tmp_path, part):
    file = tmp_path / "history.parquet"
    assert lab("--out", tmp_path / "out", "--no-page", "--history", file).code == 0
    kept = file.read_bytes()
    done = lab("--out", tmp_path / "part", "--no-page", "--history", file, *part)
    assert (done.code, f"leave {part[0]} out." in done.err) == (2, True), done.err
    assert (file.read_bytes(), (tmp_path / "part").exists()) == (kept, False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--suite", "smal"), 2, "unknown suite 'smal'. Did you mean 'small'?"),
        (("--suite", "none.toml"), 2, "the suite 'none.toml' can't be read"),
        (
            ("--freeze", "--tier", "nightly", "--track", "demo"),
            2,
            "--freeze freezes every tier of the whole suite and prints no board; leave --track, "
            "--tier out.",
        ),
        (("--freeze", "--out", "board"), 2, "leave --out out."),
        (("--tier", ""), 2, "--tier is empty; give it a value, or leave --tier out."),
        (("--suite", " "), 2, "--suite is empty; give it a value, or leave --suite out."),
        (("--task", "up", "--task", ""), 2, "--task is empty"),
        (("--out", ""), 2, "--out is empty"),
        (("--method", "nosuch"), 2, "unknown method 'nosuch' (from --method)."),
        (("--method", "m,nosuch"), 2, "unknown method 'nosuch' (from --method)."),
        (("--method", "m", "--method", "demo/x"), 2, "unknown method 'demo/x' (from --method)."),
        (("--method", "elr,gce"), 3, "no record of elr,gce is in"),
        (("--method", "m", "--track", "noisy-labels"), 2, "unknown method 'm'"),
        (("--history", "h.parquet"), 2, "--history is for a page; add --out DIR or --serve."),
    ],
)
def test_what_can_not_be_done_is_said_in_a_sentence(lab, arguments, code, words):
    done = lab(*arguments)
    assert (done.code, words in done.err) == (code, True), done.err
    assert "Traceback" not in done.err


def test_freezing_writes_the_anchors_beside_the_suite_and_the_board_then_uses_them(lab):
    done = lab("--freeze")
    assert (done.code, "froze the anchors of 3 cells" in done.err) == (0, True)
    assert (lab.folder / "leaderboard" / "anchors-small.json").is_file()
    (track,) = json.loads(lab("--json").out)["tracks"]
    assert all(cell["frozen"] for cell in track["cells"])
    assert [row["place"] is None for row in track["rows"]] == [False, False, False, True]


def test_methods_are_chosen_by_name_with_or_without_their_track(lab):
    def shown(*methods):
        done = lab("--json", "--method", ",".join(methods))
        assert done.code == 0, done.err
        tables = json.loads(done.out)["tables"]
        return {row["method"] for table in tables for row in table["rows"]}

    assert shown("m") == shown("demo/m") == shown("m", "elr") == {"m", "null"}
    assert shown("m", "demo/n") == {"m", "n", "null"}
    assert shown("oracle") == {"oracle", "null"}, "a reference of the task's own"


def test_commands_of_a_board_name_its_results_and_plugins_and_those_of_a_page_do_not(lab, tmp_path):
    folder = tmp_path / "it's mine"
    folder.mkdir()
    rest = [record for record in lab.records if record.method not in ("null", "oracle")]
    (folder / "all.jsonl").write_bytes(
        b"".join(encode_record(record).replace(b"\n", b"") + b"\n" for record in rest)
    )
    done = lab("--json", "--results", folder)
    board = json.loads(done.out)
    parts = [*board["tracks"], *board["tables"]]
    told = [note for part in parts for note in part["notes"] if "run: bench run" in note]
    assert len(told) == 4, "one of the track and one of each table"
    for note in told:
        words = shlex.split(note.partition("run: ")[2])
        assert words[-4:] == ["--results", str(folder), "--plugins", str(lab.folder)]
    assert lab("--results", folder, "--out", tmp_path / "out", "--no-page").code == 0
    assert str(folder) not in (tmp_path / "out" / "leaderboard.json").read_text()
    compared = lab.bench(
        "compare", "m", "null[a=1]", "--plugins", lab.folder, "--results", lab.bench.results
    )
    assert f"--results {lab.bench.results} --plugins {lab.folder}" in compared.err, compared.err


def test_latex_is_printed(lab):
    done = lab("--format", "latex")
    assert (done.code, "\\toprule" in done.out) == (0, True)


SPOILED = {
    "not a number": (b'"acc":', b'"acc":NaN,"old":', "damaged"),
    "a later schema": (b'"schema_version":4', b'"schema_version":99', "schema version 99"),
    "an unknown status": (b'"status":"ok"', b'"status":"great"', "damaged"),
    "an unknown field": (b'"method":', b'"evil":1,"method":', "damaged"),
    "a file elsewhere": (b'"arrays":""', b'"arrays":"../../x"', "no plain file name"),
    "versions that are none": (b'"versions":{', b'"versions":null,"more":{', "provenance.versions"),
    "a figure without a name": (b'"metrics":{', b'"metrics":{"":1.0,', "not one word"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_hostile_record_is_refused_aloud_and_the_others_are_shown(lab, case):
    old, new, reason = SPOILED[case]
    line = encode_record(lab.records[0]).replace(b"\n", b"").replace(b'": ', b'":')
    assert old in line
    (lab.bench.results / "hostile.jsonl").write_bytes(line.replace(old, new, 1) + b"\n")
    done = lab("--json")
    assert done.code == 0
    assert "hostile.jsonl, line 1 is not used" in done.err
    assert reason in done.err
    assert json.loads(done.out)["tracks"][0]["coverage"]["ok"] == len(lab.records)


def test_two_records_of_one_id_that_differ_are_told_apart_aloud(lab):
    twin = msgspec.structs.replace(lab.records[0], metrics={"acc": 1e6, "gap": None})
    (lab.bench.results / "zzz.jsonl").write_bytes(encode_record(twin).replace(b"\n", b"") + b"\n")
    done = lab("--json")
    assert "records of this id differ" in done.err
    assert "1000000" not in done.out


def test_an_error_of_ten_megabytes_is_cut_in_every_file(lab, tmp_path):
    from board_toy import made_up

    huge = made_up("demo", "up", "a", "m", 0, "acc", 0, status="crashed", code="later")
    huge.error.message = "<script>" + "y" * 10_000_000
    write(lab.bench, [huge], "huge.jsonl")
    done = lab("--out", tmp_path / "out", "--no-page")
    assert done.code == 0
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 300_000


def test_a_track_outside_the_suite_is_on_the_page_without_a_score(lab, tmp_path):
    pytest.importorskip("altair")
    done = lab.bench(
        "leaderboard", "--plugins", lab.folder, "--no-stale", "--out", tmp_path / "out"
    )
    assert done.code == 0
    page = (tmp_path / "out" / "tracks" / "demo.html").read_text()
    assert page.count("This track is not part of the suite") == 1
    assert not (tmp_path / "out" / "tracks.csv").exists()


def test_a_record_of_another_class_of_machine_is_not_stale_and_one_of_other_libraries_is(
    bench, monkeypatch
):
    from pathlib import Path

    from bench.runs import provenance

    mock = str(Path(__file__).parents[1] / "mock")
    assert (
        bench(
            "run",
            "--track",
            "mock-regression",
            "--preset",
            "smoke",
            "--executor",
            "inline",
            "--device",
            "cpu",
            "--quiet",
            "--plugins",
            mock,
        ).code
        == 0
    )
    board = lambda: json.loads(bench("leaderboard", "--plugins", mock, "--json").out)  # noqa: E731
    rows = lambda found: [row for table in found["tables"] for row in table["rows"]]  # noqa: E731
    monkeypatch.setattr(
        provenance, "cpu", lambda: {"class": "x86_64-Other-avx9", "id": "other", "model": "Other"}
    )
    monkeypatch.setattr(provenance, "kernels", lambda *_: {"numpy_blas": "another"})
    assert [row["stale"] for row in rows(board())] == [False] * len(rows(board()))
    real = provenance.versions
    monkeypatch.setattr(
        provenance, "versions", lambda libraries: {**real(libraries), "torch": "0.1"}
    )
    assert all(row["stale"] for row in rows(board()))
