"""``bench results renew``: records that survive a refactor, by proof.

The toy is a plugin in a git repository; its versions run in this process, each from its own folder,
but for one test that starts them as the command does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from bench.runs.record import decode_record, encode_record
from bench.runs.renewal_note import carried
from bench.runs.spec import run_key
from bench.runs.store import Store

MOCK = Path(__file__).parents[1] / "mock"
SLOPE = "slope = (x * problem.y).sum() / x.square().sum()"
REFACTORED = "top = (x * problem.y).sum()\n        slope = top / x.square().sum()"
WRONG = f"{SLOPE} * (1 + 1e-7)"
ELSEWHERE = {"cpu_class": "x86_64-GenuineIntel-avx9", "kernels": {"numpy_blas": "openblas 9"}}


def git(folder, *words):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(
        ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def invoke(*words):
    from bench.cli import main

    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture(scope="module")
def original(tmp_path_factory, shared_cache):
    """The toy's repository as it was, and the results that it made."""
    home = tmp_path_factory.mktemp("renewal")
    folder = home / "original"
    for room in ("methods", "tasks"):
        shutil.copytree(
            MOCK / room / "regression",
            folder / room / "regression",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(MOCK / "contracts.py", folder)
    git(home, "init", "-q", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "First")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(shared_cache))
        patch.chdir(home)
        words = ["run", "--track", "mock-regression", "--device", "cpu", "--executor", "inline"]
        words += ["--plugins", folder, "--results", home / "results", "-q"]
        assert invoke(*words).exit_code == 0
    return folder


@pytest.fixture
def toy(original, tmp_path, bench):
    """A clone of the toy and a copy of its results: ``toy.change(old, new)`` edits its methods."""
    from types import SimpleNamespace

    folder = tmp_path / "toy"
    git(tmp_path, "clone", "-q", str(original), str(folder))
    shutil.copytree(original.parent / "results", bench.results)

    def change(before=SLOPE, after=REFACTORED, file="methods/regression/fits.py"):
        path = folder / file
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))

    def renew(*words):
        return bench("results", "renew", "--plugins", folder, "--json", *words)

    def records():
        return {record.id: record for record in Store(bench.results).read()}

    def plant(edit):
        """Rewrite every record with ``edit``, under the key that it then has."""
        for path in sorted(bench.results.glob("records/*/*.json")):
            record = edit(decode_record(path.read_bytes()))
            source = record.provenance
            environment = {
                "versions": source["versions"],
                "threads": source["threads"],
                "cpu": source["cpu_class"],
                "kernels": source["kernels"],
            }
            code = sorted(set(source["files"].values()))
            record.key = run_key(record, code, environment, record.data)
            path.unlink()
            (path.parent / f"{record.id}.json").write_bytes(encode_record(record))

    return SimpleNamespace(
        folder=folder, change=change, renew=renew, records=records, plant=plant, bench=bench
    )


@pytest.fixture
def here(monkeypatch):
    """Run both versions in this process, and note each command."""
    from bench.runs.old_code import NoOldCode, Runner

    seen = []

    def run(self, code, words, results, tell):
        seen.append((code, list(words)))
        plugins = [word for path in code.plugins for word in ("--plugins", path)]
        more = ["--executor", "inline", "--results", results, "-q"]
        found = invoke(*words, *plugins, *more)
        if found.exit_code not in (0, 1):
            raise NoOldCode(f"{code.said} can't run the sample: {found.stderr.strip()}")

    monkeypatch.setattr(Runner, "run", run)
    return seen


def away(record):
    """Return a record as another class of machine would have made it, with other last bits."""
    record.provenance |= ELSEWHERE
    if record.metrics.get("rmse"):
        record.metrics["rmse"] *= 1 + 1e-9
    return record


def test_records_of_another_class_of_machine_are_renewed_by_a_proof_on_this_one(toy, here):
    toy.plant(away)
    before = toy.records()
    toy.change()
    found = toy.renew()
    assert found.code == 0, found.err + found.out
    said = json.loads(found.out)
    stale = [record for record in before.values() if record.method != "truth"]
    assert (said["renewed"], said["not_renewed"]) == (len(stale), 0)
    made = {name: record for name, record in toy.records().items() if name not in before}
    assert len(made) == len(stale)
    for record in made.values():
        source = before[record.renewed.run]
        assert (record.metrics, record.cost, record.started) == (
            source.metrics,
            source.cost,
            source.started,
        )
        assert (record.renewed.digest, record.renewed.to) == (carried(source), record.key)
        assert record.provenance["cpu_class"] == ELSEWHERE["cpu_class"]
        assert record.renewed.proved_on["cpu_class"] != ELSEWHERE["cpu_class"]
        assert record.renewed.proved_on["sample"]
        assert record.renewed.proved_on["old"] == {"toy": git(toy.folder, "rev-parse", "HEAD")}
    # today's code, in their own class
    from bench.cli._board import stale_ids
    from bench.plugins.registry import Registry

    registry = Registry([str(toy.folder)])
    assert not stale_ids(registry, list(made.values()))
    assert json.loads(toy.renew().out)["stale"] == 0, "there is nothing left to do"
    assert len(here) == 4, "each of two commands ran once with old and once with new code"


def test_the_sample_is_a_stack_of_two_seeds_or_one_of_each_variant(toy, here):
    toy.change()
    assert toy.renew().code == 0
    shown = {}
    for _, words in here:
        method = words[words.index("--method") + 1].rpartition("/")[2]
        variants = [word for at, word in enumerate(words) if words[at - 1] == "--variant"]
        shown[method] = (variants, words[words.index("--seeds") + 1])
    assert sorted(shown["constant"][0]) == ["flat", "noisy"], "the baseline: every variant"
    assert "-" in shown["constant"][1], "it is no stacked one: one seed"
    assert len(shown["least-squares"][0]) == 1
    first, second = shown["least-squares"][1].split(",")
    assert first != second


def test_a_change_in_the_seventh_digit_is_caught_and_nothing_of_its_group_is_renewed(toy, here):
    before = toy.records()
    toy.change(SLOPE, WRONG)
    found = toy.renew()
    assert found.code == 1
    said = {row["method"]: row for row in json.loads(found.out)["pairs"]}
    assert "old and new code differ" in said["least-squares"]["reason"]
    assert said["least-squares"]["against"] == "code", "what a record denies, the old code explains"
    names = {name for some in said["least-squares"]["differs"].values() for name in some}
    assert names <= {"rmse", "coverage"}
    assert said["least-squares"]["renewed"] == 0
    made = [record for name, record in toy.records().items() if name not in before]
    assert {record.method for record in made} == {"constant"}, "its own figures are the same"
    here.clear()
    assert toy.renew("--method", "least-squares").code == 1
    assert here == [], "what was shown once is not run again"


def renewed_one(toy):
    toy.change()
    git(toy.folder, "commit", "-qam", "Refactor")
    assert toy.renew().code == 0
    paths = sorted(toy.bench.results.glob("records/*/*.json"))
    return next(
        path
        for path in paths
        if (record := decode_record(path.read_bytes())).renewed
        and record.method == "least-squares"
        and record.variant == "noisy"
    )


def test_a_renewed_record_that_differs_from_the_run_that_it_names_is_refused(toy, here, tmp_path):
    path = renewed_one(toy)
    count = len(toy.records())
    record = msgspec.json.decode(path.read_bytes())
    record["metrics"]["rmse"] *= 1 + 1e-7
    path.write_bytes(msgspec.json.encode(record))
    assert len(toy.records()) == count - 1
    board = toy.bench("leaderboard", "--plugins", toy.folder)
    assert "differs from what that run recorded" in board.err
    # one who mends its digest too contradicts the run
    whole = msgspec.convert(record, type(next(iter(toy.records().values()))))
    said = msgspec.structs.replace(whole.renewed, digest=carried(whole))
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(whole, renewed=said)))
    assert len(toy.records()) == count - 1
    # nor is it taken by a folder that has the run
    other = tmp_path / "other"
    for place in sorted(toy.bench.results.glob("records/*/*.json")):
        if place != path:
            (other / "records" / place.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(place, other / "records" / place.parent.name)
    merged = toy.bench("results", "import", path, "--results", other)
    assert merged.code != 0
    assert "differs from what that run recorded" in merged.err
    assert len(Store(other).read()) == count - 1


def test_reproduce_and_why_say_what_was_renewed_from_what(toy, here):
    path = renewed_one(toy)
    record = decode_record(path.read_bytes())
    why = toy.bench("why", record.cell[:16], "--plugins", toy.folder)
    assert f"it was renewed from {record.renewed.run} by " in why.out
    assert "proved on x86_64" in why.out
    assert why.out.count("live") == 1
    again = toy.bench("reproduce", record.id, "--plugins", toy.folder, "--executor", "inline")
    assert again.code == 0, again.out
    assert f"it was renewed from {record.renewed.run}" in again.out
    document = json.loads(toy.bench("why", record.cell[:16], "--plugins", toy.folder, "--json").out)
    assert [row["renewed"]["from"] for row in document["records"] if row["renewed"]] == [
        record.renewed.run
    ]


def test_a_chain_of_renewals_points_at_the_run_itself(toy, here):
    first = decode_record(renewed_one(toy).read_bytes())
    toy.change(REFACTORED, REFACTORED.replace("top", "upper"))
    found = toy.renew()
    assert found.code == 0, found.out
    last = next(
        record
        for record in toy.records().values()
        if record.cell == first.cell and record.renewed and len(record.renewed.proofs) == 2
    )
    assert (last.renewed.run, last.renewed.digest) == (first.renewed.run, first.renewed.digest)
    assert last.renewed.proofs[0] == first.renewed.proofs[0]
    assert last.renewed.proved_on["against"] == "records"


def other_libraries(record):
    record.provenance["versions"] = record.provenance["versions"] | {"torch": "1.0"}
    return record


def failed(record):
    from bench.runs.record import Failure

    record.status, record.error = "failed", Failure(type="E", message="it fell")
    return record


def elsewhere_on_a_gpu(record):
    record.device = "cuda"
    record.cell = msgspec.structs.replace(spec(record)).cell
    return record


def spec(record):
    from bench.runs.replay import spec_of

    return spec_of(record)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (other_libraries, "torch was 1.0, is "),
        (failed, "failed runs are never renewed"),
        (elsewhere_on_a_gpu, "runs on a GPU are never renewed"),
    ],
)
def test_what_is_not_stale_by_code_alone_stays_as_it_is(toy, here, edit, reason):
    toy.change()
    toy.plant(edit)
    before = toy.bench.files()
    found = toy.renew()
    assert found.code == 1
    assert all(item["reason"].startswith(reason) for item in json.loads(found.out)["left"])
    assert json.loads(found.out)["left"]
    assert toy.bench.files() == before
    assert here == []


def test_records_of_other_parameters_stay_as_they_are(toy, here):
    toy.change('params={"n": 80}', 'params={"n": 81}', "tasks/regression/line.py")
    found = json.loads(toy.renew().out)
    assert found["renewed"] == 0
    assert {item["reason"].partition(":")[0] for item in found["left"]} == {
        "the parameters of the variant"
    }


def test_a_change_of_a_file_that_the_task_reads_is_no_change_of_code(toy, here):
    def with_file(record):
        record.data = {"file:tasks/labels.csv": "0" * 64}
        return record

    toy.change()
    toy.plant(with_file)
    (toy.folder / "tasks" / "labels.csv").write_text("1\n")
    found = json.loads(toy.renew().out)
    assert found["renewed"] == 0
    assert {item["reason"] for item in found["left"]} == {"the file tasks/labels.csv changed"}


def nightly(toy, date):
    words = ["nightly", "--tier", "default", "--track", "mock-regression", "--night", date]
    words += ["--plugins", toy.folder, "--executor", "inline", "--no-page", "-q"]
    return toy.bench(*words, "--device", "cpu")


def test_a_check_at_night_that_comes_out_different_withdraws_the_group(toy, here, monkeypatch):
    def edit(record):  # the proof here can see nothing of it
        record.provenance |= ELSEWHERE
        if record.method == "least-squares" and record.variant == "noisy":
            record.metrics["rmse"] *= 1 + 1e-7
        return record

    toy.plant(edit)
    toy.change()
    assert toy.renew().code == 0
    # the night is on a machine of that class
    from bench.runs import provenance

    name = ELSEWHERE["cpu_class"]
    monkeypatch.setattr(provenance, "cpu", lambda: {"class": name, "id": name, "model": name})
    monkeypatch.setattr(provenance, "kernels", lambda *_: dict(ELSEWHERE["kernels"]))
    found = nightly(toy, "2099-01-01")
    assert "came out different (rmse): its renewal is withdrawn" in found.err
    assert "rmse; its renewal is withdrawn" in found.out
    kept = [record for record in toy.records().values() if record.renewed]
    assert {record.method for record in kept} == {"constant"}, "all that rests on it is gone"
    gone = next(iter(toy.bench.results.glob("renewals/*.withdrawn.json")))
    assert json.loads(gone.read_text())["night"] == "2099-01-01"
    board = toy.bench("leaderboard", "--plugins", toy.folder)
    assert "6 renewed records do not count: the renewal was withdrawn" in board.err
    why = toy.bench("why", json.loads(gone.read_text())["record"][:16], "--plugins", toy.folder)
    assert "the renewal was withdrawn in the night of 2099-01-01" in why.out
    again = json.loads(toy.renew("--method", "least-squares").out)
    assert again["renewed"] == 0
    assert "the renewal was withdrawn" in again["pairs"][0]["reason"]


def test_a_commit_that_is_not_there_and_a_folder_without_git_are_said(toy, here, tmp_path):
    toy.change()
    found = toy.renew("--from", "feedfacefeed")
    assert found.code == 1
    reasons = {row["reason"] for row in json.loads(found.out)["pairs"]}
    assert reasons == {
        f"the commit feedfacefeed is not in the repository {toy.folder}; fetch it, or name "
        "another with --from"
    }
    toy.plant(away)
    shutil.rmtree(toy.folder / ".git")
    found = toy.renew()
    assert all(
        "lies in no git repository" in row["reason"] for row in json.loads(found.out)["pairs"]
    )
    assert here == []


def test_records_of_this_class_of_machine_stand_for_the_old_code(toy, here):
    toy.change()
    shutil.rmtree(toy.folder / ".git")
    found = toy.renew()
    assert found.code == 0, found.out
    said = json.loads(found.out)
    assert {row["against"] for row in said["pairs"]} == {"records"}
    assert all(code.said == "the code that is here" for code, _ in here)
    assert len(here) == 2, "one command for each shape of a sample, with the new code alone"
    assert all(
        record.renewed.proved_on["old"] == {} for record in toy.records().values() if record.renewed
    )


def test_with_a_commit_the_old_code_runs_in_any_case(toy, here):
    toy.change()
    found = toy.renew("--from", "HEAD")
    assert found.code == 0, found.out
    assert {row["against"] for row in json.loads(found.out)["pairs"]} == {"code"}
    assert len(here) == 4


def test_another_commit_than_that_of_the_records_proves_nothing(toy, here):
    toy.change(SLOPE, f"{SLOPE} + 0.0")
    git(toy.folder, "commit", "-qam", "Another")
    toy.change(f"{SLOPE} + 0.0", REFACTORED)
    found = toy.renew("--from", "HEAD")
    assert found.code == 1
    assert all(
        "is not the code that made the records: methods.regression.fits differs" in row["reason"]
        for row in json.loads(found.out)["pairs"]
    )


def test_a_dry_run_says_what_would_run_and_writes_nothing(toy, here):
    toy.change()
    before = toy.bench.files()
    found = toy.bench("results", "renew", "--plugins", toy.folder, "--dry-run")
    assert found.code == 0
    assert "samples of 2 pairs of method and task would run" in found.out
    assert toy.bench.files() == before
    assert here == []


@pytest.mark.slow
def test_the_versions_run_in_processes_of_their_own(toy):
    toy.change()
    found = toy.renew("--method", "least-squares", "--jobs", "1")
    assert found.code == 0, found.err
    assert json.loads(found.out)["renewed"] == 6
    assert git(toy.folder, "worktree", "list").count("\n") == 0
    assert (
        git(toy.folder, "status", "--porcelain", "--untracked-files=no")
        == "M methods/regression/fits.py"
    )
