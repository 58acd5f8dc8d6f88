"""``bench results check``: a sound export passes, and each kind of fault is one sentence that names
the record and what to do.
"""

from __future__ import annotations

import copy
import json

import msgspec
import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.runs.record import Record
from bench.runs.replay import spec_of
from bench.runs.submission import RULES

COMMAND = (
    "run --method elr --task noisy-digits --preset smoke --executor inline --device cpu --quiet"
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, session_cache):
    """The documents of an export that nothing stands against, one a seed and variant."""
    folder = tmp_path_factory.mktemp("sound")
    for command in (
        f"{COMMAND} --results {folder}/results",
        f"results export {folder}/out.jsonl --results {folder}/results",
    ):
        done = CliRunner().invoke(main, command.split())
        assert done.exit_code == 0, done.stderr
    documents = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    for document in documents:  # whatever the checkout of the tests is
        document["provenance"]["bench_git"] = {"commit": "0" * 40, "dirty": False}
    return documents


@pytest.fixture
def check(bench, exported, tmp_path):
    """Check the export after a change: returns the exit code and the faults by rule."""

    def call(change=lambda documents: None, *more):
        documents = copy.deepcopy(exported)
        change(documents)
        (tmp_path / "mine.jsonl").write_text(
            "".join(f"{d if isinstance(d, str) else json.dumps(d)}\n" for d in documents)
        )
        done = bench("results", "check", "mine.jsonl", "--json", *more)
        document = json.loads(done.out)
        assert document["ok"] == (not document["faults"]) == (done.code == 0)
        return document

    return call


def signed(document, **changes):
    """Change fields of a record, and make its cell the digest of them, as a forger would."""
    document |= changes
    document["cell"] = spec_of(msgspec.convert(document, Record)).cell


def test_a_sound_export_passes_and_is_counted(check, bench, exported):
    found = check()
    assert (found["ok"], found["records"]) == (True, len(exported))
    done = bench("results", "check", "mine.jsonl")
    assert (done.code, done.out) == (0, "1 record of 1 row, 0 faults.\n")


FAULTS = {
    "a line that is cut off": (
        lambda found: found.append('{"schema_version": 4, "cell": "'),
        "record",
        "is no record: it is damaged",
    ),
    "an unknown key": (lambda found: found[0].update(extra=1), "record", "extra"),
    "a later schema": (
        lambda found: found[0].update(schema_version=99),
        "record",
        "schema version 99",
    ),
    "a field changed by hand": (
        lambda found: found[0].update(seed=77),
        "digest",
        "is not the digest of its own fields",
    ),
    "one id twice": (
        lambda found: found.append({**found[0], "warnings": ["x"]}),
        "id",
        "has the id of the record in mine.jsonl, line 1",
    ),
    "an unknown task": (
        lambda found: signed(found[0], task="noisy-digit"),
        "name",
        "unknown task 'noisy-labels/noisy-digit'",
    ),
    "an unknown method": (
        lambda found: signed(found[0], method="cf"),
        "name",
        "unknown method 'noisy-labels/cf'",
    ),
    "an unknown preset": (
        lambda found: signed(found[0], preset="smokey"),
        "name",
        "no preset 'smokey'. Did you mean 'smoke'?",
    ),
    "an unknown variant": (
        lambda found: signed(found[0], variant="sym"),
        "name",
        "no variant 'sym'",
    ),
    "parameters of its own": (
        lambda found: signed(found[0], custom=True),
        "parameters",
        "never ranked",
    ),
    "parameters that are no defaults, unsaid": (
        lambda found: signed(found[0], task_params={**found[0]["task_params"], "epochs": 999}),
        "parameters",
        "noisy-digits[epochs=999] is not what a ranked row has",
    ),
    "a figure out of bounds": (
        lambda found: found[0]["metrics"].update(acc_last=250.0),
        "metrics",
        "acc_last = 250, and the card bounds it to from 0 to 100",
    ),
    "a figure that the card does not know": (
        lambda found: found[0]["metrics"].update(luck=1.0),
        "metrics",
        "has no metric 'luck'",
    ),
    "no ranked figure": (
        lambda found: found[0]["metrics"].update(acc_last=None),
        "metrics",
        "has no acc_last",
    ),
    "a gate that fails": (
        lambda found: found[0].update(gates={"kept": False, "sound": True}),
        "gates",
        "fails kept, so the board gives it the floor",
    ),
    "a run that failed": (
        lambda found: found[0].update(
            status="failed", error={"type": "ValueError", "message": "no weights."}
        ),
        "status",
        "ended as failed (no weights)",
    ),
    "another key": (
        lambda found: found[0].update(key="0" * 32),
        "key",
        "other code, libraries or data",
    ),
    "two numbers under one key": (
        lambda found: found.append(
            {**found[0], "attempt": 2, "metrics": {**found[0]["metrics"], "acc_last": 1.5}}
        ),
        "number",
        "under the same key",
    ),
    "a commit with changes": (
        lambda found: found[0]["provenance"].update(bench_git={"commit": "0" * 40, "dirty": True}),
        "commit",
        "changes that are in no commit",
    ),
    "seeds that are missing": (
        lambda found: signed(found[0], preset="default", variant="sym40"),
        "seeds",
        "its row has no seed 1, 2, 3, 4 of the 5 that the preset default asks for",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_that_names_the_place_and_what_is_wrong(check, fault):
    change, rule, words = FAULTS[fault]
    found = check(change)["faults"]
    (item,) = [item for item in found if item["rule"] == rule]
    assert words in item["said"]
    assert item["said"].startswith("mine.jsonl, line ")
    assert item["said"].endswith(".")
    assert "\n" not in item["said"]


def test_every_rule_has_a_fault_that_shows_it():
    assert {rule for _, rule, _ in FAULTS.values()} == set(RULES)


def test_what_can_t_be_read_does_not_hide_the_faults_of_other_lines(check):
    found = check(lambda found: (found.insert(0, "{"), found[1].update(key="0" * 32)))
    assert {"record", "key"} <= {item["rule"] for item in found["faults"]}


def test_text_names_every_fault_and_counts_them_by_rule(check, bench):
    found = check(lambda found: found[0]["metrics"].update(acc_last=250.0, luck=1.0))
    lines = bench("results", "check", "mine.jsonl").out.splitlines()
    assert lines[:-1] == [item["said"] for item in found["faults"]]
    assert lines[-1].endswith("2 faults (2 metrics).")


def test_a_parquet_export_is_checked_like_lines(check, bench, tmp_path):
    check(lambda found: found[0]["metrics"].update(luck=1.0))
    (tmp_path / "there").mkdir()
    (tmp_path / "mine.jsonl").rename(tmp_path / "there" / "mine.jsonl")
    assert bench("results", "export", "mine.parquet", "--results", "there").code == 0
    done = bench("results", "check", "mine.parquet")
    assert (done.code, done.out.count("has no metric 'luck'")) == (1, 1)
    assert done.out.startswith("mine.parquet, row ")


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("mine.txt", "", 2, "can't tell the format of 'mine.txt'"),
        ("none.jsonl", None, 2, "can't read 'none.jsonl'"),
        ("empty.jsonl", "\n", 3, "no record in 'empty.jsonl'"),
        ("bad.parquet", "no", 1, "no readable Parquet file"),
    ],
)
def test_a_file_that_holds_no_records_is_one_sentence(bench, tmp_path, name, content, code, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    done = bench("results", "check", name)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_an_export_of_one_method_holds_it_alone(bench, exported, tmp_path):
    (tmp_path / "there").mkdir()
    other = copy.deepcopy(exported[0])
    signed(other, method="ce")
    (tmp_path / "there" / "all.jsonl").write_text(
        "".join(f"{json.dumps(document)}\n" for document in [*exported, other])
    )
    assert (
        bench("results", "export", "elr.jsonl", "--method", "elr", "--results", "there").code == 0
    )
    assert [
        json.loads(line)["method"] for line in (tmp_path / "elr.jsonl").read_text().splitlines()
    ] == ["elr"]
    refused = bench("results", "export", "f", "--by-task", "--method", "elr", "--results", "there")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
