"""Limits on whole families of processes, as the server keeps them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the server reads /proc")


@pytest.fixture(scope="module")
def confined(run_chaos):
    """Runs within 64 MiB and a second of processor time."""
    return run_chaos(
        "plain",
        "family-eater",
        "shared-eater",
        "burner",
        "eater",
        wall=60.0,
        memory=64 << 20,
        cpu=1.0,
    ).records


def test_a_run_within_its_limits_is_not_disturbed_and_its_record_says_them(confined):
    assert confined["plain"].status == "ok"
    assert confined["plain"].provenance["limits"] == {
        "wall": 60.0,
        "cpu": 1.0,
        "memory": 64 << 20,
        "per_gpu": 1,
    }


@pytest.mark.parametrize("method", ["family-eater", "shared-eater"])
def test_memory_that_the_kernels_limit_does_not_see_is_counted_over_the_family(confined, method):
    assert (confined[method].status, confined[method].error.message) == (
        "oom",
        "with all it started it held more memory than its limit of 64 MiB beyond the start and "
        "was killed",
    )


def test_the_kernels_limit_is_an_error_that_the_method_sees(confined):
    assert confined["eater"].status == "oom"
    assert confined["eater"].error.type in ("MemoryError", "_ArrayMemoryError")
    assert confined["eater"].error.frames[-1].endswith("solve")


def test_the_log_of_a_failed_run_names_files_and_no_folder_of_the_machine(confined):
    log = confined["eater"].error.log
    assert re.search(r'File "\w+\.py", line \d+, in solve', log)
    assert str(Path(__file__).parents[1]) not in log


def test_processor_time_is_counted_over_the_family(confined):
    assert (confined["burner"].status, confined["burner"].error.message) == (
        "timeout",
        "it used more processor time than its limit of 1 s and was killed",
    )


@pytest.mark.slow
def test_a_fork_bomb_is_killed_and_named(run_chaos):
    found = run_chaos("bomb", "plain", wall=120.0).records
    assert (found["bomb"].status, found["bomb"].error.message) == (
        "crashed",
        "it started more than 256 processes and was killed",
    )
    assert found["plain"].status == "ok"


@pytest.mark.slow
def test_only_the_run_that_kills_the_server_is_blamed_for_it(run_chaos):
    found = run_chaos("regicide", "walker", "plain", wall=60.0).records
    assert found["regicide"].status == "crashed"
    assert "the fork server died while it ran, twice" in found["regicide"].error.message
    assert (found["walker"].status, found["plain"].status) == ("ok", "ok")
