"""Whatever a user gets wrong ends in one sentence, the right exit code, and records untouched."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.errors import EnvironmentFault
from bench.runs.record import SCHEMA_VERSION

RUN = ("run", "--quiet", "--executor", "inline", "--device", "cpu", "--preset", "smoke")
CE = (*RUN, "--method", "ce", "--task", "noisy-digits")


@pytest.fixture(scope="module")
def one_run(tmp_path_factory, shared_cache):
    """A results folder as one good run leaves it."""
    folder = tmp_path_factory.mktemp("one-run") / "results"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(shared_cache))
        assert CliRunner().invoke(main, [*CE, "--results", str(folder)]).exit_code == 0
    return folder


@pytest.fixture
def recorded(bench, one_run):
    """A results folder with one good record in it."""
    shutil.copytree(one_run, bench.results)
    return bench.files()


USAGE = {
    "an unknown verb": (("lst",), "unknown command 'lst'. Did you mean 'list'?"),
    "an unknown option": (("run", "--metod", "ce"), "no such option"),
    "a size that is none": (
        (*CE, "--memory", "lots"),
        "--memory got 'lots'; give a size like 512M or 4GiB, or none for no limit.",
    ),
    "nothing to run": (
        ("run",),
        "say what to run: --method NAME and --task NAME, --track NAME, --suite NAME, or --all.",
    ),
    "an unknown method": (
        (*RUN, "--method", "coteachin", "--task", "noisy-digits"),
        "unknown method 'coteachin' (from --method). Did you mean 'coteaching'",
    ),
    "a glob that fits nothing": (
        (*RUN, "--method", "zz*", "--task", "noisy-digits"),
        "unknown method 'zz*'",
    ),
    "an unknown task": (
        (*RUN, "--method", "ce", "--task", "noisy-digit"),
        "unknown task 'noisy-digit' (from --task). Did you mean",
    ),
    "an unknown track": (
        (*RUN, "--track", "noisy-label"),
        "unknown track 'noisy-label'. Did you mean 'noisy-labels'",
    ),
    "a file to check that is not there": (
        ("check", "nowhere.py"),
        "there is no file 'nowhere.py' (seen from ",
    ),
    "an unknown preset": (
        (*CE, "--preset", "smok"),
        "noisy-digits has no preset 'smok' (from --preset). Did you mean 'smoke'? Its presets: "
        "smoke, default.",
    ),
    "an unknown variant": (
        (*CE, "--variant", "sym41"),
        "noisy-digits has no variant 'sym41' in preset 'smoke' (from --variant). Did you mean "
        "'sym40'?",
    ),
    "an unknown parameter": (
        (*RUN, "--method", "elr[lamb=1]", "--task", "noisy-digits"),
        "elr has no parameter 'lamb'. Did you mean 'lam'? Its parameters: lam, beta.",
    ),
    "a parameter of a method without any": (
        (*RUN, "--method", "ce[lam=1]", "--task", "noisy-digits"),
        "ce has no parameter 'lam'. It has no parameters.",
    ),
    "a value out of range": (
        (*RUN, "--method", "elr[beta=1]", "--task", "noisy-digits"),
        "elr got beta=1; beta takes a number at least 0 and below 1.",
    ),
    "a value of the wrong type": (
        (*RUN, "--method", "elr[lam=high]", "--task", "noisy-digits"),
        "elr got lam=high; lam takes a number at least 0.",
    ),
    "a value that is not finite": (
        (*RUN, "--method", "elr[lam=inf]", "--task", "noisy-digits"),
        "elr got lam=Infinity; lam takes a finite number",
    ),
    "an unknown task parameter": (
        (*RUN, "--method", "ce", "--task", "noisy-digits[rat=.2]"),
        "noisy-digits has no parameter 'rat'. Did you mean 'rate'?",
    ),
    "a word that is no choice": (
        (*RUN, "--method", "ce", "--task", "noisy-digits[noise=snow]"),
        "noisy-digits got noise=snow; noise takes a word out of sym, sym_incl",
    ),
    "a bracket left open": (
        (*RUN, "--method", "elr[lam=1", "--task", "noisy-digits"),
        "has no closing bracket; write it as 'name[key=value,key=value]'.",
    ),
    "a pair without a value": (
        (*RUN, "--method", "elr[lam]", "--task", "noisy-digits"),
        "holds 'lam', which is no key=value pair",
    ),
    "a parameter given twice": (
        (*RUN, "--method", "elr[lam=1,lam=2]", "--task", "noisy-digits"),
        "gives 'lam' twice",
    ),
    "parameters for a reference": (
        (*RUN, "--method", "clean-labels[x=1]", "--task", "noisy-digits"),
        "the reference 'clean-labels' has no parameters",
    ),
    "seeds that are words": (
        (*CE, "--seeds", "few"),
        "--seeds got 'few'; give a number of seeds like 5, or a list like 0-4,7.",
    ),
    "no seeds": ((*CE, "--seeds", "0"), "--seeds got '0', which is no seed at all"),
    "seeds backwards": ((*CE, "--seeds", "4-2"), "--seeds got '4-2'"),
    "a negative seed": ((*CE, "--seeds", "-3"), "--seeds got '-3'"),
    "an unknown device": (
        (*CE, "--device", "tpu"),
        "unknown device 'tpu'; give auto, cpu or cuda.",
    ),
    "an unknown executor": (
        (*CE, "--executor", "cloud", "--seeds", "9-9"),
        "unknown executor 'cloud' (from --executor). The executors are local, inline, ray, slurm.",
    ),
    "no jobs": ((*CE, "--jobs", "0"), "invalid value for '--jobs'"),
    "no time": (
        (*CE, "--timeout", "0"),
        "--timeout got '0'; give a number of seconds above 0, like 90 or 0.5.",
    ),
    **{
        f"a time limit of {text}": (
            (*CE, "--timeout", text),
            f"--timeout got '{text}'; give a number of seconds",
        )
        for text in ("nan", "inf", "-1", "long")
    },
    **{
        f"a limit of processor time of {text}": (
            (*CE, "--cpu-time", text),
            f"--cpu-time got '{text}'; give",
        )
        for text in ("NaN", "Infinity", "0", "-.5")
    },
    **{
        f"a limit of memory of {text}": (
            (*CE, "--memory", text),
            f"--memory got '{text}'; give a size",
        )
        for text in ("nan", "inf", "-1G")
    },
    **{
        f"a limit of GPU memory of {text}": (
            (*CE, "--gpu-memory", text),
            f"--gpu-memory got '{text}'; give a size",
        )
        for text in ("nan", "inf")
    },
    **{
        f"a budget of {text}": ((*CE, "--budget", text), f"--budget got '{text}'; give a time")
        for text in ("nan", "inf", "0s", "-1h", "nans")
    },
    **{
        f"runs on a GPU: {text}": ((*CE, "--per-gpu", text), "invalid value for '--per-gpu'")
        for text in ("nan", "0", "-1")
    },
    "a night without a time limit": (("nightly", "--timeout", "nan"), "--timeout got 'nan'"),
    "a limit of processor time of a night": (
        ("nightly", "--cpu-time", "inf"),
        "--cpu-time got 'inf'",
    ),
    "a method and a task of different tracks": (
        (*RUN, "--method", "sop-plus", "--task", "prune-digits"),
        "the method 'sop-plus' belongs to the track noisy-labels, the task 'prune-digits' to the track "
        "selection; a method runs on the tasks of its own track.",
    ),
    "a reference and a task of different tracks": (
        (*RUN, "--method", "clean-labels", "--task", "prune-digits"),
        "'clean-labels' belongs to the track noisy-labels",
    ),
    "a method with a sibling in the task's track": (
        (*RUN, "--method", "selection/random", "--task", "condense-digits"),
        "Of that name there is condensation/random too.",
    ),
    "one method of two that no task fits": (
        (*RUN, "--method", "ce,el2n", "--task", "noisy-digits"),
        "the method 'el2n' belongs to the tracks condensation and selection, the task "
        "'noisy-digits' to",
    ),
    "one task of two that no method fits": (
        (*RUN, "--method", "ce", "--task", "noisy-digits,prune-mnist"),
        "the task 'prune-mnist' belongs to the track selection",
    ),
    "a method of another track than the one named": (
        (*RUN, "--method", "sop-plus", "--track", "selection"),
        "there is no method 'sop-plus' in the track 'selection', but there is noisy-labels/sop-plus; name "
        "that track, or another method.",
    ),
    "a plugin that is not there": (
        (*CE, "--plugins", "nowhere.py"),
        "no plugin at 'nowhere.py'; give a Python file, or a folder with rooms",
    ),
    "an unknown kind to list": (("list", "papers"), "'papers' is not one of"),
    "an unknown name to show": (
        ("show", "coteachin"),
        "unknown name 'coteachin'. Did you mean 'coteaching'",
    ),
    "a method compared with itself": (
        ("compare", "ce", "ce"),
        "'ce' is compared with itself; name two methods.",
    ),
    "a method compared with itself in its track": (
        ("compare", "ce", "noisy-labels/ce"),
        "'ce' and 'noisy-labels/ce' are one method; name two.",
    ),
    "a method compared in a track that has none of it": (
        ("compare", "ce", "noisy-label/ce"),
        "unknown method 'noisy-label/ce'. Did you mean 'noisy-labels/ce'",
    ),
    "a comparison with an unknown method": (("compare", "ce", "erl"), "unknown method 'erl'"),
    "an unknown record": (("reproduce", "ffff"), "begins with 'ffff'"),
    "an unknown cell": (("why", "ffff"), "has a cell that begins with 'ffff'"),
    "a record file that is not there": (
        ("reproduce", "nothing.json"),
        "no record at 'nothing.json'",
    ),
    "an unknown board format": (("leaderboard", "--format", "pdf"), "'pdf' is not one of"),
}


@pytest.mark.parametrize("case", USAGE)
def test_a_usage_error_is_one_sentence_with_exit_code_2_and_changes_nothing(bench, recorded, case):
    arguments, sentence = USAGE[case]
    found = bench(*arguments)
    assert found.code == 2
    assert sentence in found.err
    assert found.err.startswith("bench: ")
    assert "Traceback" not in found.err
    assert found.err.count("\n") == 1
    assert found.out == ""
    assert bench.files() == recorded


@pytest.mark.parametrize(
    "names", [("gce*", "prune-*"), ("gce", "prune-*"), ("gce*", "prune-digits")]
)
def test_globs_of_different_tracks_select_nothing_and_the_tracks_are_named(bench, recorded, names):
    found = bench(*RUN, "--method", names[0], "--task", names[1])
    assert found.code == 3
    assert "noisy-labels" in found.err
    assert "the track selection" in found.err
    assert bench.files() == recorded


def test_a_folder_without_records_makes_no_board_and_what_to_run_is_said(bench, tmp_path):
    (tmp_path / "empty").mkdir()
    found = bench("leaderboard", "--results", "empty")
    assert (found.code, found.out) == (3, "")
    assert found.err.startswith("bench: no record is in 'empty'; run something first, e.g. 'bench")
    assert found.err.count("\n") == 1


def test_a_library_of_every_installation_that_is_missing_is_an_environment_error(tmp_path):
    code = "import sys; sys.modules['torch'] = None; from bench.cli import main; main(['check', 'elr', '--quick'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert done.stderr.startswith("bench: the library 'torch', which bench needs, is not installed")
    assert done.stderr.count("\n") == 1


def test_a_broken_file_is_named_as_it_was_given(bench, tmp_path):
    (tmp_path / "torn.py").write_text("def solve(:\n")
    found = bench("check", "torn.py")
    assert (found.code, found.out) == (3, "")
    assert (
        "torn.py registers no method, task or dataset. torn.py is broken: SyntaxError in torn.py"
        in (found.err)
    )


def test_a_glob_that_fits_no_task_is_left_out_where_another_method_runs(bench):
    found = bench(*RUN, "--method", "ce,el2*", "--task", "noisy-digits", "--dry-run", "--json")
    assert found.code == 0
    assert {row["method"] for row in json.loads(found.out)["cells"]} == {"ce"}


@pytest.mark.parametrize("verb", [(), ("results",)])
def test_a_command_without_its_verb_prints_its_help(bench, verb):
    found = bench(*verb)
    assert (found.code, found.err) == (0, "")
    assert found.out == bench(*verb, "--help").out


@pytest.mark.parametrize(
    "seeds",
    [
        ("100", "100 seeds, 0 to 99: 100 runs."),
        ("1,3,5-20", "18 seeds, 1, 3, 5 to 20: 18 runs."),
        ("9-9", ""),
        ("3", ""),
    ],
)
def test_many_seeds_are_said_before_they_run(bench, seeds):
    found = bench(
        "run",
        "--method",
        "ce",
        "--task",
        "noisy-digits",
        "--variant",
        "sym40",
        "--seeds",
        seeds[0],
        "--dry-run",
        "--device",
        "cpu",
    )
    assert found.code == 0
    assert found.err == (f"bench: {seeds[1]}\n" if seeds[1] else "")


def test_a_comparison_with_a_method_that_has_no_record_selects_nothing(bench, recorded):
    found = bench("compare", "ce", "elr")
    assert found.code == 3
    assert "no record of 'elr'" in found.err
    assert bench.files() == recorded


def test_a_card_without_bibtex_selects_nothing(bench):
    found = bench("show", "ce", "--bibtex")
    assert (found.code, found.out) == (3, "")
    assert "names no BibTeX entry on its card" in found.err


def test_a_device_that_is_not_there_is_an_environment_error(bench, recorded, monkeypatch):
    monkeypatch.setattr("bench.runs.provenance.gpu", lambda: None)
    found = bench(*RUN, "--method", "ce", "--task", "noisy-digits", "--device", "cuda")
    assert found.code == 4
    assert "no CUDA device is found, so --device cuda can't run; use --device cpu" in found.err
    assert bench.files() == recorded


def test_a_results_folder_that_is_a_file_is_refused(bench, tmp_path):
    (tmp_path / "taken").write_text("mine")
    found = bench(*CE, "--results", tmp_path / "taken")
    assert found.code == 2
    assert "is a file; name a folder with --results." in found.err
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_results_folder_that_cannot_be_written_is_refused_before_anything_runs(bench):
    found = bench(*CE, "--results", "/proc/results")  # not even root can make a folder there
    assert found.code == 4
    assert "the results folder '/proc/results' can't be written" in found.err
    assert "name another with --results or BENCH_RESULTS" in found.err


def test_recorded_runs_are_shown_from_a_folder_that_cannot_be_written(bench, recorded, monkeypatch):
    def refused(_):
        raise EnvironmentFault("the results folder can't be written")

    monkeypatch.setattr("bench.runs.store.Store.open_for_writing", refused)
    found = bench(*(word for word in CE if word != "--quiet"))
    assert found.code == 0
    assert "### noisy-digits" in found.out
    assert bench(*CE, "--seeds", "7").code == 4
    assert bench.files() == recorded


def test_a_full_disk_ends_with_a_sentence_and_an_intact_store(bench, recorded, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bench.runs.store.os.fsync", full)
    found = bench(*CE, "--seeds", "5-5")
    assert found.code == 4
    assert "could not be written" in found.err
    assert "No space left on device" in found.err
    records = {name: data for name, data in bench.files().items() if name.startswith("records")}
    assert records == {name: data for name, data in recorded.items() if name.startswith("records")}


@pytest.fixture(
    params=[
        "a file",
        "no home",
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("below a file", "in a folder that takes none", "too long a name")
        ),
    ]
)
def unusable_cache(request, monkeypatch, tmp_path):
    """Name a cache folder that can't be used, and return it."""
    (tmp_path / "taken").write_text("mine")
    if request.param == "no home":
        monkeypatch.delenv("BENCH_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("HOME", "/proc/home")
        return "/proc/home/.cache/datacentric-bench"
    name = {
        "a file": tmp_path / "taken",
        "below a file": tmp_path / "taken" / "x",
        "too long a name": tmp_path / ("x" * 300),
    }.get(request.param, "/proc/cache")
    monkeypatch.setenv("BENCH_CACHE", str(name))
    return str(name)


def test_a_cache_folder_that_cannot_be_used_is_said_once_and_a_temporary_one_taken(
    bench, monkeypatch, tmp_path, unusable_cache
):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    found = bench(*CE, "--seeds", "2")
    assert found.code == 0
    assert found.err.startswith(f"bench: the cache folder {unusable_cache!r} can't be used (")
    assert "a temporary one is used" in found.err
    assert found.err.endswith("Name another with BENCH_CACHE.\n")
    assert found.err.count("\n") == 1
    assert any((tmp_path / "tmp").glob("bench-cache-*/artifacts/*/recipe.json"))
    records = [json.loads(file.read_text()) for file in bench.results.rglob("records/*/*.json")]
    assert [(record["status"], record["warnings"]) for record in records] == [("ok", [])] * 2


@pytest.mark.parametrize("unusable_cache", ["a file", "no home"], indirect=True)
def test_without_any_folder_for_a_cache_nothing_runs(bench, monkeypatch, unusable_cache):
    monkeypatch.setattr("tempfile.tempdir", "/proc")
    found = bench(*CE)
    assert found.code == 4
    assert f"the cache folder {unusable_cache!r} can't be used (" in found.err
    assert "and neither can a temporary folder" in found.err
    assert found.err.count("\n") == 1
    assert not bench.results.exists()


@pytest.mark.parametrize("unusable_cache", ["a file", "no home"], indirect=True)
def test_machines_elsewhere_need_a_cache_folder_that_can_be_used(bench, unusable_cache):
    found = bench(*CE[:2], "--executor", "slurm[cluster=local]", *CE[4:])
    assert found.code == 4
    assert "name one that every machine can write with BENCH_CACHE" in found.err


def test_a_home_that_nobody_has_is_said(bench):
    found = bench("run", "--all", "--plugins", "~nobody-here/x.py")
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "no plugin at '~nobody-here/x.py'" in found.err
    found = bench(*CE, "--results", "~nobody-here/x")
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "the results folder '~nobody-here/x' can't be found" in found.err


@pytest.mark.parametrize("damage", ["truncated", "empty", "not JSON", "NaN", "foreign field"])
def test_a_damaged_record_is_named_left_alone_and_not_used(bench, recorded, damage):
    file = next(bench.results.rglob("records/*/*.json"))
    text = file.read_text()
    broken = {
        "truncated": text[: len(text) // 2],
        "empty": "",
        "not JSON": "garbage",
        "NaN": text.replace('"acc_last": ', '"acc_last": NaN, "x": ', 1),
        "foreign field": text.replace("{", '{"evil": 1,', 1),
    }[damage]
    file.write_text(broken)
    found = bench(*CE)
    assert found.code == 0
    assert f"the record {file.relative_to(Path.cwd())} is not used: it is damaged" in found.err
    assert file.read_text() == broken
    assert len(list(bench.results.rglob("records/*/*.json"))) == 2
    assert bench("doctor").code == 4


def test_a_record_of_a_later_schema_is_not_used_and_not_touched(bench, recorded):
    file = next(bench.results.rglob("records/*/*.json"))
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": 99, "new": 1}))
    before = bench.files()
    found = bench("leaderboard")
    assert found.code == 3
    assert (
        f"it has schema version 99, this bench reads up to {SCHEMA_VERSION}; update bench to read "
        "it"
    ) in found.err
    assert bench.files() == before


def test_reproducing_a_damaged_record_says_why_not(bench, recorded):
    file = next(bench.results.rglob("records/*/*.json"))
    file.write_text("{")
    found = bench("reproduce", file)
    assert found.code == 1
    assert "can't be used: it is damaged" in found.err


def test_a_board_without_a_results_folder_says_how_to_get_one(bench):
    found = bench("leaderboard")
    assert found.code == 2
    assert "no results folder at 'results'; run something first" in found.err


def test_a_board_of_nothing_selects_nothing(bench, recorded):
    found = bench("leaderboard", "--task", "noisy-mnist")
    assert found.code == 3
    assert "it holds 1 record." in found.err


def test_a_plugin_with_a_syntax_error_is_a_row_and_the_others_run(bench, tmp_path):
    (tmp_path / "odd.py").write_text("def broken(:\n")
    found = bench(*CE, "--plugins", tmp_path / "odd.py")
    assert found.code == 0
    assert "is broken and left out: SyntaxError in odd.py, line 1" in found.err
    listed = bench("list", "methods", "--json", "--plugins", tmp_path / "odd.py")
    assert json.loads(listed.out)["broken"][0]["status"] == "broken"


def test_asking_for_a_method_of_a_broken_plugin_names_the_plugin(bench, tmp_path):
    (tmp_path / "odd.py").write_text("def broken(:\n")
    found = bench(
        *RUN, "--method", "odd", "--task", "noisy-digits", "--plugins", tmp_path / "odd.py"
    )
    assert found.code == 2
    assert "unknown method 'odd'" in found.err
    assert "is broken: SyntaxError in odd.py" in found.err


def test_a_plugin_that_is_no_python_file_is_named(bench, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    found = bench(*CE, "--plugins", tmp_path / "notes.txt")
    assert "notes.txt is no Python file" in found.err
    assert found.code == 0


def test_two_plugins_of_one_name_are_an_error_that_names_both(bench, plugin, recorded):
    path = plugin("ce", "return super().solve(problem, run)")
    found = bench(*CE, "--seeds", "3-3", "--plugins", path)
    assert found.code == 4
    assert "two plugins are called method 'noisy-labels/ce': builtin and " in found.err
    assert str(path) in found.err
    assert bench.files() == recorded


def test_a_method_written_for_another_api_is_a_broken_plugin(bench, plugin):
    path = plugin("later", "return None", card=", api=2")
    found = bench(*RUN, "--method", "later", "--task", "noisy-digits", "--plugins", path)
    assert found.code == 2
    assert "was written for api=2; this version of bench speaks api=1" in found.err


def test_a_pair_named_outright_that_does_not_apply_is_an_error(bench, plugin, recorded):
    path = plugin("needy", "return None", card=', needs=("moon",)')
    found = bench(*RUN, "--method", "needy", "--task", "noisy-digits", "--plugins", path)
    assert found.code == 2
    assert (
        "needy does not apply to noisy-digits: needy needs 'moon', which noisy-digits does not "
        "offer"
    ) in found.err
    assert bench.files() == recorded


def test_a_missing_library_is_an_environment_error_with_the_command_that_helps(bench, plugin):
    path = plugin("heavy", "return None", card=', libraries=("no_such_library",)')
    found = bench(*RUN, "--method", "heavy", "--task", "noisy-digits", "--plugins", path)
    assert found.code == 4
    assert (
        "the library 'no_such_library' is not installed; run 'pip install no_such_library'"
        in found.err
    )


def test_a_missing_data_set_is_an_environment_error(bench, tmp_path):
    (tmp_path / "lost.py").write_text(
        "from typing import ClassVar\nfrom bench import Task, TaskCard, Metric, Preset\n"
        "class Lost(Task):\n    card: ClassVar = TaskCard(name='lost', title='x', "
        "track='noisy-labels', datasets=('atlantis',), metrics=(Metric(name='a', primary=True),), "
        "presets={'smoke': Preset(variants={'v': {}})})\n"
    )
    found = bench(*RUN, "--method", "ce", "--task", "lost", "--plugins", tmp_path / "lost.py")
    assert found.code == 4
    assert "lost uses the dataset 'atlantis', which no plugin registers" in found.err


FAR = """
from typing import ClassVar
from bench import Dataset, DatasetCard, DataUnavailable, Metric, Preset, Task, TaskCard

class Away(Dataset):
    card: ClassVar = DatasetCard(name="away", title="x", source="s", size="1", had="hub")

    def load(self, run):
        raise DataUnavailable("away is not here; fetch it with: get away")

class Far(Task):
    card: ClassVar = TaskCard(
        name="far", title="x", track="noisy-labels", datasets=("away",), metrics=(Metric(name="a", primary=True),),
        presets={"smoke": Preset(variants={"v": {}}, seeds=1)},
    )

    def prepare(self, run):
        return run.dataset("away")
"""


def test_data_that_turns_out_not_to_be_there_is_no_record(bench, tmp_path):
    (tmp_path / "far.py").write_text(FAR)
    found = bench(
        *RUN, "--method", "ce", "--task", "far", "--plugins", tmp_path / "far.py", "--json"
    )
    document = json.loads(found.out)
    assert (found.code, document["records"]) == (4, [])
    assert document["not_run"] == [
        {
            "track": "noisy-labels",
            "method": "ce",
            "task": "far",
            "status": "unavailable",
            "reason": "away is not here; fetch it with: get away",
        }
    ]
    assert not list(bench.results.rglob("*.json"))
    listed = bench(
        *RUN, "--method", "ce", "--task", "fa*", "--plugins", tmp_path / "far.py", "--json"
    )
    # not asked for by name: a row, and no error
    assert (listed.code, json.loads(listed.out)["not_run"]) == (0, document["not_run"])


def test_data_that_is_not_there_is_said_once_for_all_that_wants_it(bench, tmp_path):
    (tmp_path / "far.py").write_text(FAR)
    command = (
        "run",
        "--executor",
        "inline",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        "--method",
        "ce,gce,elr,sop",
        "--task",
        "far",
        "--seeds",
        "5",
    )
    found = bench(*command, "--plugins", tmp_path / "far.py")
    assert found.code == 4
    assert found.err == (
        "bench: unavailable: 4 methods on far: away is not here; fetch it with: get away "
        "(20 runs)\n"
    )
    rows = json.loads(bench(*command, "--plugins", tmp_path / "far.py", "--json").out)["not_run"]
    assert len(rows) == 20
    assert {row["method"] for row in rows} == {"ce", "gce", "elr", "sop"}


def test_runs_that_fail_alike_are_said_three_times_and_then_counted(bench, plugin):
    paths = [
        plugin("boom", "raise ValueError(f'sky {run.seed} fell')"),
        plugin("bang", "raise KeyError(run.seed) if run.seed % 2 else TypeError('x')"),
    ]
    plugins = [word for path in paths for word in ("--plugins", path)]
    found = bench(
        *RUN, "--method", "boom,bang", "--task", "noisy-digits", "--seeds", "10", *plugins
    )
    assert found.code == 1
    lines = [line for line in found.err.splitlines() if line.startswith("bench: ")]
    assert sum("ValueError: the method's solve failed: sky" in line for line in lines) == 3
    assert sum("KeyError:" in line for line in lines) == 3
    assert sum("TypeError: the method's solve failed: x" in line for line in lines) == 3
    assert (
        "bench: failed: 7 more runs of boom ended with ValueError like that; all of them are "
        "recorded."
    ) in lines
    assert (
        "bench: failed: 2 more runs of bang ended with KeyError like that; all of them are "
        "recorded."
    ) in lines
    assert len(list(bench.results.rglob("records/*/*.json"))) == 20


def test_a_method_that_raises_is_a_failed_record_and_the_others_go_on(bench, plugin):
    path = plugin("boom", "raise ValueError('the sky fell')")
    found = bench(
        *RUN, "--method", "boom,ce", "--task", "noisy-digits", "--plugins", path, "--json"
    )
    assert found.code == 1
    assert (
        "failed: noisy-digits sym40 boom seed 0: ValueError: the method's solve failed: the sky "
        "fell (boom.py:12 solve). See it again: bench run --method noisy-labels/boom --task"
    ) in found.err
    records = {record["method"]: record for record in json.loads(found.out)["records"]}
    assert records["ce"]["status"] == "ok"
    assert records["boom"]["error"]["type"] == "ValueError"
    assert records["boom"]["error"]["frames"][-1] == "boom.py:12 solve"
    show = re.search("the traceback of the first one: bench show (.*)", found.err)[1]
    shown = bench("show", *shlex.split(show)).out
    assert shown.rstrip().endswith("boom.py:12 solve")


def test_a_wrong_tool_bench_key_is_named(bench, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.bench]\nplugin = ["x.py"]\n')
    found = bench("list")
    assert found.code == 2
    assert (
        "sets tool.bench.plugin, which bench does not know; the only key is 'plugins'." in found.err
    )


ENDS = {
    "hangs": (
        "open('began', 'w').close(); import time; time.sleep(120)",
        "timeout",
        "it ran longer than its limit of 5 s and was killed",
    ),
    "dies": (
        "import ctypes; ctypes.string_at(0)",
        "crashed",
        "the process of the run died: segmentation fault",
    ),
    "leaves": ("import os; os._exit(3)", "crashed", "it left with exit code 3 and no result"),
}


def test_runs_that_hang_or_die_are_recorded_by_the_local_executor(bench, plugin):
    paths = [
        text for name, (body, _, _) in ENDS.items() for text in ("--plugins", plugin(name, body))
    ]
    names = ["--method", ",".join(ENDS), "--task", "noisy-digits"]
    found = bench(
        "run",
        "--device",
        "cpu",
        "--preset",
        "smoke",
        *names,
        *paths,
        "--timeout",
        5,
        "--jobs",
        3,
        "--json",
    )
    assert found.code == 1
    records = {record["method"]: record for record in json.loads(found.out)["records"]}
    assert {name: record["status"] for name, record in records.items()} == {
        name: status for name, (_, status, _) in ENDS.items()
    }
    assert [
        sentence in records[name]["error"]["message"] for name, (_, _, sentence) in ENDS.items()
    ] == [True] * 3
    assert len(list(bench.results.rglob("records/*/*.json"))) == 3
    assert not (bench.results / "work").exists()


def test_ctrl_c_finishes_what_ends_within_five_seconds_and_records_the_rest_as_interrupted(
    bench, plugin, recorded, tmp_path, shared_cache
):
    started = tmp_path / "started"
    started.mkdir()
    wait = (
        f"open({str(started)!r} + '/' + type(self).__name__ + str(run.seed), 'w').close(); import "
        f"time; time.sleep({{}}); return super().solve(problem, run)"
    )
    paths = [
        plugin(name, wait.format(seconds))
        for name, seconds in (("slow", 60), ("short", 2), ("waiting", 0))
    ]
    # what a shell starts in the background ignores Ctrl-C
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [
        sys.executable,
        "-c",
        f"{heard}; from bench.cli import main; main()",
        *RUN,
        "--executor",
        "local",
        "--jobs",
        "4",
        "--seeds",
        "2",
    ]
    command += [
        "--method",
        "slow,short,waiting",
        "--task",
        "noisy-digits",
        *(text for path in paths for text in ("--plugins", str(path))),
    ]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "BENCH_CACHE": str(shared_cache)},
    )
    deadline = time.monotonic() + 60
    while len(list(started.iterdir())) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (
        "stopping: what ends within 5 s is finished, the rest is recorded as interrupted. Once "
        "more kills at once."
    ) in err
    again = shlex.join(["bench", *command[3:]])
    assert (
        "bench: interrupted: 2 runs of slow on noisy-digits were cut off; what was finished is "
        f"recorded. To go on: {again}\n"
    ) in err
    # once, however many runs were open
    assert err.count("cut off") == err.count("bench run") == 1
    assert "Traceback" not in err
    kept = bench.files()
    assert {name: kept[name] for name in recorded} == recorded
    new = [
        json.loads(kept[name])
        for name in kept
        if name.startswith("records") and name not in recorded
    ]
    # what had not begun has no record
    assert {(record["method"], record["status"]) for record in new} == {
        ("slow", "interrupted"),
        ("short", "ok"),
    }
    assert not (bench.results / "work").exists()
