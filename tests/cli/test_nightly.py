"""``bench nightly``: the whole night as one command, and its phases on several machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

MOCK = str(Path(__file__).parents[1] / "mock")


@pytest.fixture
def nightly(bench, tmp_path):
    """Call ``bench nightly`` on a small track; the site goes to ``site/``, without the page."""

    def call(*arguments, plugins=()):
        paths = [part for path in (MOCK, *plugins) for part in ("--plugins", path)]
        return bench(
            "nightly",
            "--track",
            "mock-regression",
            "--executor",
            "inline",
            "--device",
            "cpu",
            "--no-page",
            *paths,
            *arguments,
        )

    return call


def records(bench) -> dict[str, dict]:
    return {
        path.name: json.loads(path.read_text()) for path in bench.results.glob("records/*/*.json")
    }


def test_a_night_runs_everything_and_writes_the_site(bench, nightly, tmp_path):
    done = nightly("--night", "2026-01-01")
    assert done.code == 0
    assert "3 of 3 runs are recorded, 3 of them from tonight" in done.out
    assert {path.name for path in (tmp_path / "site").iterdir()} >= {
        "leaderboard.md",
        "leaderboard.json",
        "summary.md",
    }
    assert (tmp_path / "site" / "summary.md").read_text().strip() == done.out.strip()
    assert (bench.results / "nights" / "2026-01-01-smoke.json").is_file()


def test_the_next_nights_reuse_what_is_recorded_and_check_all_of_it_within_a_week(bench, nightly):
    nightly("--night", "2026-01-01")
    before = records(bench)
    found = [
        json.loads(nightly("--night", f"2099-01-{day:02}", "--json").out) for day in range(1, 8)
    ]
    assert records(bench) == before
    assert sum(night["checked"] for night in found) == 3
    assert all(night["nondeterministic"] == [] for night in found)


def test_the_same_night_again_does_nothing_twice(bench, nightly):
    nightly("--night", "2026-01-01")
    first = json.loads(nightly("--night", "2099-01-01", "--json").out)
    assert json.loads(nightly("--night", "2099-01-01", "--json").out) == first
    part = json.loads((bench.results / "nights" / "2099-01-01-smoke" / "1-of-1.json").read_text())
    assert len(part["checks"]) == first["checked"]


def test_a_record_that_does_not_come_out_the_same_is_reported(bench, nightly):
    nightly("--night", "2026-01-01")
    for path in bench.results.glob("records/*/*.json"):
        record = json.loads(path.read_text())
        record["metrics"]["rmse"] += 1.0
        path.write_text(json.dumps(record))
    found = [
        json.loads(nightly("--night", f"2099-01-{day:02}", "--json").out) for day in range(1, 8)
    ]
    assert sum(len(night["nondeterministic"]) for night in found) == 3
    text = nightly("--night", "2099-01-07").out
    assert "## Not the same when run again" in text or not found[-1]["checked"]


def test_several_machines_make_the_same_night_as_one(bench, nightly, tmp_path):
    nightly("--night", "2026-01-01")
    whole = {name: record["metrics"] for name, record in records(bench).items()}
    (bench.results).rename(tmp_path / "first")
    plan = json.loads(
        nightly("--night", "2026-01-01", "--phase", "plan", "--shards", "2", "--json").out
    )
    assert sum(share["runs"] for share in plan["shards"]) == plan["planned"] == plan["to_run"] == 3
    for number in (1, 2):
        assert (
            nightly("--night", "2026-01-01", "--phase", "run", "--shard", f"{number}/2").code == 0
        )
        assert sum(1 for _ in bench.results.glob("records/*/*.json")) == sum(
            share["runs"] for share in plan["shards"][:number]
        )
    published = json.loads(nightly("--night", "2026-01-01", "--phase", "publish", "--json").out)
    assert (published["recorded"], published["not_run_yet"]) == (3, 0)
    assert {name: record["metrics"] for name, record in records(bench).items()} == whole


@pytest.mark.parametrize("night", ["2026-01-01", "2099-01-01"])
def test_a_night_merged_from_the_folders_of_its_machines_says_what_is_from_tonight(
    bench, nightly, tmp_path, night
):
    for number in (1, 2):
        assert (
            nightly(
                "--night",
                night,
                "--phase",
                "run",
                "--shard",
                f"{number}/2",
                "--results",
                f"shard-{number}",
            ).code
            == 0
        )
    for _ in range(2):  # the second time adds nothing
        assert bench("results", "merge", "shard-1", "shard-2").code == 0
        done = nightly("--night", night, "--phase", "publish")
        assert "3 of 3 runs are recorded, 3 of them from tonight" in done.out
        assert (
            json.loads(nightly("--night", night, "--phase", "publish", "--json").out)[
                "from_tonight"
            ]
            == 3
        )
    assert (
        "3 of 3 runs are recorded, 0 of them from tonight"
        in nightly("--night", "2099-01-02", "--no-check").out
    )


def test_a_night_whose_records_came_as_an_export_counts_them_by_their_time(
    bench, nightly, tmp_path
):
    nightly("--night", "2026-01-01", "--phase", "run", "--results", "elsewhere")
    bench("results", "export", "all.jsonl", "--results", "elsewhere")
    bench("results", "import", "all.jsonl")
    assert "3 of them from tonight" in nightly("--night", "2026-01-01", "--phase", "publish").out


def test_what_a_machine_did_not_run_is_counted_and_no_failure(bench, nightly):
    # all methods on a task, variant and seed are one share's
    nightly("--night", "2026-01-01", "--phase", "run", "--shard", "2/2")
    found = nightly("--night", "2026-01-01", "--phase", "publish", "--json")
    assert json.loads(found.out)["not_run_yet"] > 0
    assert found.code == 0


def test_an_anchor_that_moved_two_nights_in_a_row_turns_the_night_red(bench, nightly):
    nightly("--night", "2026-01-01")
    early = bench.results / "nights" / "2026-01-01-smoke.json"
    night = json.loads(early.read_text())
    for row in night["rows"].values():
        row["values"] = (
            {seed: value + 1.0 for seed, value in row["values"].items()}
            if row["reference"] == "low"
            else row["values"]
        )
    early.write_text(json.dumps(night))
    assert nightly("--night", "2026-01-02", "--no-check").code == 0
    third = nightly("--night", "2026-01-03", "--no-check", "--json")
    assert third.code == 1
    assert [alarm["reference"] for alarm in json.loads(third.out)["alarms"]] == ["low"]
    assert "## Moved, two nights in a row" in nightly("--night", "2026-01-03", "--no-check").out


@pytest.fixture
def machine(monkeypatch):
    """Make this machine one of another class: ``machine("avx9")``."""
    from bench.runs import provenance

    def become(level):
        monkeypatch.setattr(
            provenance,
            "cpu",
            lambda: {"class": f"x86_64-GenuineIntel-{level}", "id": level, "model": level},
        )
        monkeypatch.setattr(
            provenance, "kernels", lambda *_: {"numpy_blas": f"openblas 0.3 {level}"}
        )

    return become


def classes(bench):
    return {
        (record["method"], record["provenance"]["cpu_class"].rpartition("-")[2])
        for record in records(bench).values()
    }


def test_a_night_finishes_cells_on_the_class_on_which_their_others_stand(bench, nightly, machine):
    machine("avx2")
    nightly("--night", "2026-01-01")
    before = records(bench)
    lost = next(
        path
        for path in bench.results.glob("records/*/*.json")
        if not json.loads(path.read_text())["reference"]
    )
    lost.unlink()  # a method that is new, say
    machine("avx512")
    plan = json.loads(nightly("--night", "2026-01-02", "--phase", "plan", "--json").out)
    assert (plan["to_run"], plan["class"], plan["waiting"]) == (
        0,
        "Intel avx512",
        {"Intel avx2": 1},
    )
    assert (
        "Runs that wait for a machine of another class: 1 for Intel avx2."
        in nightly("--night", "2026-01-02", "--phase", "plan").out
    )
    done = nightly("--night", "2026-01-02", "--phase", "run")
    assert "Runs that wait for a machine of another class: 1 for Intel avx2." in done.err
    assert {level for _, level in classes(bench)} == {"avx2"}, "nothing ran on the other class"
    found = json.loads(nightly("--night", "2026-01-02", "--phase", "publish", "--json").out)
    assert (found["recorded"], found["not_run_yet"], found["classes"]) == (2, 1, {"Intel avx2": 2})
    assert found["alarms"] == []
    machine("avx2")
    assert "3 of 3 runs are recorded" in nightly("--night", "2026-01-03").out
    assert set(records(bench)) == set(before)


def test_anew_runs_whole_on_this_machine_what_lacks_runs_on_another_class(bench, nightly, machine):
    machine("avx2")
    nightly("--night", "2026-01-01")
    next(
        path
        for path in bench.results.glob("records/*/*.json")
        if not json.loads(path.read_text())["reference"]
    ).unlink()
    machine("avx512")
    found = json.loads(nightly("--night", "2026-01-02", "--anew", "--json").out)
    assert (found["recorded"], found["from_tonight"], found["classes"]) == (
        3,
        3,
        {"Intel avx512": 3},
    )


def test_a_night_that_is_whole_on_another_class_is_reused_and_neither_run_nor_checked_here(
    bench, nightly, machine, tmp_path
):
    machine("avx2")
    nightly("--night", "2026-01-01")
    before = records(bench)
    machine("avx512")
    found = [
        json.loads(nightly("--night", f"2099-01-{day:02}", "--json").out) for day in range(1, 8)
    ]
    assert records(bench) == before
    assert [
        (night["recorded"], night["checked"], night["nondeterministic"]) for night in found
    ] == [(3, 0, [])] * 7
    board = json.loads((tmp_path / "site" / "leaderboard.json").read_text())
    assert [one["name"] for one in board["classes"]] == ["Intel avx2"]
    assert not any(row["stale"] for table in board["tables"] for row in table["rows"])


def test_the_summary_says_which_share_ran_on_which_class(bench, nightly, machine):
    for number, level in ((1, "avx2"), (2, "avx512")):
        machine(level)
        nightly("--night", "2026-01-01", "--phase", "run", "--shard", f"{number}/2")
    machine("avx9")  # the site is made on a third kind
    done = nightly("--night", "2026-01-01", "--phase", "publish")
    assert "3 of 3 runs are recorded, 3 of them from tonight" in done.out
    assert "Intel avx2: share 1/2; Intel avx512: share 2/2." in done.out


def test_a_method_that_fails_is_a_row_of_the_summary_with_the_command_that_shows_it(
    bench, nightly, tmp_path
):
    file = tmp_path / "boom.py"
    file.write_text(
        '''
from typing import ClassVar
from bench import MethodCard, Method

class Boom(Method):
    """Fails."""
    card: ClassVar = MethodCard(name="boom", title="Fails", track="mock-regression")

    def solve(self, problem, run):
        raise ValueError("<script>no | way</script>")
'''
    )
    done = nightly("--night", "2026-01-01", plugins=(str(file),))
    assert done.code == 0  # a contributor's method does not turn the night red
    assert "## Failed" in done.out
    assert "`bench run --method mock-regression/boom --task mock-regression/line" in done.out
    assert "<script>" not in done.out
    assert "no \\| way" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--night", "yesterday"), "--night got 'yesterday'; give a date like 2026-01-31."),
        (("--shard", "3/2"), "--shard got '3/2'; give a share and how many there are, like 3/8."),
        (("--tier", "weekly"), "smoke"),
        (
            ("--shards", "3", "--phase", "run"),
            "--shards 3 is for --phase plan; give --phase run --shard 1/3 to run a share.",
        ),
        (("--shards", "3"), "--shards 3 is for --phase plan"),
        (
            ("--shard", "1/2", "--phase", "publish"),
            "--shard 1/2 is for --phase run; a site is of the whole night, so leave it out.",
        ),
        (("--shard", "1/2", "--phase", "plan"), "a plan is of the whole night"),
    ],
)
def test_what_can_t_be_meant_is_said_in_a_sentence(nightly, arguments, said):
    done = nightly(*arguments)
    assert done.code == 2
    assert said in done.err
