"""``bench results``: sentences and exit codes of export, import, merge and gc."""

import json
import re

import pytest

RUN = (
    "run",
    "--quiet",
    "--executor",
    "inline",
    "--device",
    "cpu",
    "--preset",
    "smoke",
    "--task",
    "noisy-digits",
    "--method",
    "ce",
)


@pytest.fixture(scope="module")
def one_record(tmp_path_factory, session_cache):
    """The bytes of a good record and its path below a results folder."""
    from click.testing import CliRunner

    from bench.cli import main

    folder = tmp_path_factory.mktemp("one")
    assert CliRunner().invoke(main, [*RUN, "--results", str(folder)]).exit_code == 0
    path = next((folder / "records").rglob("*.json"))
    return str(path.relative_to(folder)), path.read_text()


@pytest.fixture
def recorded(bench, one_record):
    path = bench.results / one_record[0]
    path.parent.mkdir(parents=True)
    path.write_text(one_record[1])
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_records_travel_by_export_and_import(bench, recorded, suffix):
    found = bench("results", "export", f"out.{suffix}")
    assert (found.code, found.err) == (0, f"bench: wrote 1 record to out.{suffix}.\n")
    found = bench("results", "import", f"out.{suffix}", "--results", "there")
    assert (found.code, found.err) == (
        0,
        "bench: added 1 record to 'there'; 0 are there already.\n",
    )
    found = bench("results", "import", f"out.{suffix}", "--results", "there", "--dry-run")
    assert "would add 0 records to 'there'; 1 is there already" in found.err
    assert (
        json.loads(bench("leaderboard", "--results", "there", "--json").out)["tables"]
        == json.loads(bench("leaderboard", "--json").out)["tables"]
    )


@pytest.mark.parametrize("old", [[], ["--renumber"]], ids=["", "as scripts of earlier versions"])
@pytest.mark.parametrize("verb", ["merge", "import"])
def test_two_records_of_one_id_are_both_kept_and_said(bench, recorded, tmp_path, old, verb):
    other = tmp_path / "other" / "records" / "aa" / recorded.name
    other.parent.mkdir(parents=True)
    other.write_text(
        recorded.read_text()
        .replace('"attempt": 1', '"attempt": 1 ')
        .replace('"warnings": []', '"warnings": ["x"]')
    )
    from_ = "other" if verb == "merge" else str(other)
    before = bench.files()
    found = bench("results", verb, from_, "--dry-run", *old)
    assert "would add 1 record" in found.err
    assert "1 of them would be kept under the next free attempt" in found.err
    assert bench.files() == before
    found = bench("results", verb, from_, *old)
    assert found.code == 0
    assert (
        "1 of them is kept under the next free attempt, since a record that differs has their "
        f"id: {recorded.stem} is {recorded.stem[:-1]}2."
    ) in found.err
    assert len(list(bench.results.rglob("records/*/*.json"))) == 2
    assert "added 0 records" in bench("results", verb, from_).err


def test_records_are_exported_as_a_table(bench, recorded):
    assert (
        bench("results", "export", "out.csv").code
        == bench("results", "export", "--format", "csv", "out.dat").code
        == 0
    )
    table, other = (bench.results.parent / name for name in ("out.csv", "out.dat"))
    head, row = table.read_text().splitlines()
    assert head.startswith("schema_version,attempt,seed,id,cell,key,track,method,task")
    assert recorded.stem in row
    assert table.read_bytes() == other.read_bytes()


CONSTANT = """
from typing import ClassVar
import torch
from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod, Solution

class Constant(NoisyLabelMethod):
    card: ClassVar = MethodCard(name="constant", title="Says class 0 of every row", track="noisy-labels")

    def solve(self, problem, run):
        return Solution(model=lambda x: torch.nn.functional.one_hot(torch.zeros(len(x), dtype=torch.long), 10).float())
"""


def test_the_doctor_finds_outputs_of_one_class_by_the_data_itself(bench, tmp_path):
    (tmp_path / "constant.py").write_text(CONSTANT)
    plugins = ("--plugins", "constant.py")
    bench(
        "run",
        "--method",
        "constant,ce",
        "--task",
        "noisy-digits",
        "--preset",
        "smoke",
        "--seeds",
        "2-2",
        "--executor",
        "inline",
        *plugins,
        "-q",
    )
    found = bench("results", "doctor", *plugins, "--json")
    document = json.loads(found.out)
    assert (found.code, document["records"]) == (1, 2)
    ((item,),) = [row["records"] for row in document["findings"] if row["rule"] == "class-share"]
    assert {row["rule"] for row in document["findings"]} <= {"class-share", "data-unknown"}
    record = json.loads(next(bench.results.rglob(f"{item['record']}.json")).read_text())
    assert record["method"] == "constant"
    count, rows = re.fullmatch(
        r"acc_last = [\d.]+, the share of class 0 among y_test \((\d+) of (\d+)\)", item["said"]
    ).groups()
    assert 100 * int(count) / int(rows) == pytest.approx(record["metrics"]["acc_last"])
    shown = bench("results", "doctor", "results", *plugins)
    assert shown.code == 1
    assert re.search(r"suspect +class-share +1 ", shown.out)
    assert "run the cell again, which records that as invalid" in shown.out


def test_the_doctor_says_what_is_unknown_of_records_of_earlier_versions(bench, recorded):
    document = {
        name: value
        for name, value in json.loads(recorded.read_text()).items()
        if name not in ("data", "digests", "flops", "renewed")
    } | {"schema_version": 2}
    del document["provenance"]["kernels"]
    document["key"] = document["key"][::-1]  # of the code of then
    recorded.unlink()
    recorded = recorded.with_name(f"{document['cell'][:16]}-{document['key'][:16]}-1.json")
    recorded.write_text(json.dumps(document))
    before = bench.files()
    found = bench("results", "doctor", str(bench.results), "--no-data")
    assert found.code == 1
    assert re.search(r"stale +earlier +1 ", found.out)
    assert not {"data-unknown", "kernels-unknown"} & set(found.out.split())
    assert recorded.stem in found.out
    assert bench.files() == before
    (bench.results / "records" / "aa").mkdir(exist_ok=True)
    (bench.results / "records" / "aa" / "broken.json").write_text("{")
    assert (
        "1 record in 'results', 1 of them with something to look at, and 1 that can't be read:"
        in bench("results", "doctor", "--no-data").out
    )
    assert re.search(r"wrong +damaged +1 ", bench("results", "doctor", "--no-data").out)


def test_the_doctor_has_nothing_to_say_of_an_empty_folder(bench):
    bench.results.mkdir()
    found = bench("results", "doctor")
    assert (found.code, found.out) == (0, "0 records in 'results': nothing is wrong with them.\n")


CASES = {
    "no folder to export": (
        ("results", "export", "x.jsonl", "--results", "nowhere"),
        2,
        "no results folder at 'nowhere'",
    ),
    "an unknown format": (
        ("results", "export", "x.xls"),
        2,
        "can't tell the format of 'x.xls'; name it .jsonl, .parquet or .csv, or give --format.",
    ),
    "no record to export": (
        ("results", "export", "x.jsonl", "--task", "no-such"),
        3,
        "fits; nothing was written",
    ),
    "a folder that is a file": (
        ("results", "export", "taken/x.jsonl"),
        4,
        "can't be written to 'taken/x.jsonl'",
    ),
    "no such file to import": (
        ("results", "import", "nothing.jsonl"),
        2,
        "can't read 'nothing.jsonl' (No such file or directory).",
    ),
    "an unknown file to import": (
        ("results", "import", "x.pkl"),
        2,
        "can't tell the format of 'x.pkl'; give a file that ends in .jsonl, .parquet, .json.",
    ),
    "no folder to look through": (
        ("results", "doctor", "nowhere"),
        2,
        "no results folder at 'nowhere'",
    ),
    "two folders to look through": (
        ("results", "doctor", "a", "--results", "b"),
        2,
        "results doctor got two folders, 'a' and 'b' (from --results); give one.",
    ),
    "no such folder to merge": (
        ("results", "merge", "nowhere"),
        2,
        "no results folder at 'nowhere'; name folders that hold records.",
    ),
    "nothing to clean up": (
        ("results", "gc", "--results", "nowhere"),
        2,
        "no results folder at 'nowhere'",
    ),
    "nothing to merge": (
        ("results", "merge", "empty"),
        3,
        "there is no record to add; 'bench results export' writes some",
    ),
    "an unknown status": (
        (*RUN, "--only", "old"),
        2,
        "--only got 'old'. It takes missing, failed, stale, or several of them.",
    ),
    "no budget": (
        (*RUN, "--budget", "2"),
        2,
        "--budget got '2'; give a time like 90s, 30m, 2h or 1h30m.",
    ),
    "one setting": ((*RUN, "--tune", "1"), 2, "invalid value for '--tune'"),
    "nothing to tune": (
        (*RUN, "--tune", "3"),
        2,
        "--tune has nothing to choose from: write alternatives like 'elr[lam=1|3|7]'",
    ),
    "tuning within a budget": (
        (*RUN, "--tune", "3", "--budget", "1h"),
        2,
        "--tune goes with neither --only nor --budget",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_one_sentence_and_changes_nothing(bench, recorded, tmp_path, case):
    (tmp_path / "taken").write_text("")
    (tmp_path / "empty").mkdir()
    before = bench.files()
    arguments, code, sentence = CASES[case]
    found = bench(*arguments)
    assert found.code == code
    assert sentence in found.err
    assert found.err.count("\n") == 1
    assert bench.files() == before


def test_gc_lists_what_goes_and_only_lists_with_dry_run(bench, recorded):
    text = recorded.read_text()
    failed = recorded.with_name(recorded.name)
    failed.write_text(
        text.replace('"status": "ok"', '"status": "failed"').replace(
            '"error": null', '"error": {"type": "E", "message": "m"}'
        )
    )
    recorded.with_name(recorded.stem[:-1] + "2.json").write_text(
        text.replace('"attempt": 1,', '"attempt": 2,')
    )
    found = bench("results", "gc", "--dry-run")
    assert (
        f"{failed.relative_to(bench.results.parent)}: attempt 1, failed: attempt 2 replaced it"
        in found.out
    )
    assert "would remove 1 things" in found.out
    assert failed.is_file()
    document = json.loads(bench("results", "gc", "--json").out)
    assert (document["removed"], len(document["found"]), document["left"]) == (True, 1, [])
    assert not failed.exists()
    assert bench("results", "gc").out == "removed 0 things, 0.0 MiB.\n"


def test_an_export_by_task_says_what_it_removed_and_what_it_left_alone(bench, recorded, tmp_path):
    bench("results", "export", "--by-task", "out")
    document = json.loads((tmp_path / "out" / "noisy-labels.noisy-digits.jsonl").read_text())
    other = json.dumps({**document, "task": "gone"})
    (tmp_path / "out" / "noisy-labels.gone.jsonl").write_text(other)
    (tmp_path / "out" / "mine.jsonl").write_text(other)
    found = bench("results", "export", "--by-task", "out")
    assert (found.code, found.err.splitlines()) == (
        0,
        [
            "bench: removed out/noisy-labels.gone.jsonl: there is no record of its track and task "
            "any more.",
            "bench: out/mine.jsonl is no file of one track and task; it was left alone, and its "
            "records count with the others.",
            "bench: wrote 1 record to out.",
        ],
    )


def test_an_export_leaves_out_runs_that_ended_otherwise_than_asked(bench, recorded):
    from typing import get_args

    from bench.cli._results_export import ENDS
    from bench.runs.record import Status

    assert get_args(Status) == ENDS
    error = {"type": "ValueError", "message": "no", "frames": [], "log": "", "rerun": ""}
    document = json.loads(recorded.read_text())
    document |= {"status": "failed", "attempt": 2, "error": error, "metrics": {}}
    recorded.with_name(recorded.name.replace("-1.json", "-2.json")).write_text(json.dumps(document))
    assert bench("results", "export", "all.jsonl").err == "bench: wrote 2 records to all.jsonl.\n"
    found = bench("results", "export", "--status", "ok", "good.jsonl")
    assert found.err == "bench: wrote 1 record to good.jsonl.\n"
    assert bench("results", "export", "--status", "oom", "none.jsonl").code == 3
    refused = bench("results", "export", "--by-task", "--status", "ok", "out")
    assert (refused.code, "leave --status out" in refused.err) == (2, True)


def test_an_export_by_task_is_of_lines_and_needs_a_folder(bench, recorded, tmp_path):
    assert bench("results", "export", "--by-task", "--format", "csv", "out").code == 2
    (tmp_path / "taken").write_text("mine")
    found = bench("results", "export", "--by-task", "taken")
    assert (found.code, (tmp_path / "taken").read_text()) == (4, "mine")
    assert bench("results", "export", "--by-task", "out", "--task", "no-such").code == 3
    assert not (tmp_path / "out").exists()
