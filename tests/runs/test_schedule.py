"""The order of jobs: the longest first, and how busy it keeps a cluster,
simulated with what the committed runs took.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runs.schedule import longest_first

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def simulation():
    spec = importlib.util.spec_from_file_location(
        "simulate_scale", ROOT / "docs" / "scale" / "simulate.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@given(st.lists(st.lists(st.floats(0, 1e6), min_size=1, max_size=4), max_size=20))
def test_jobs_go_out_by_what_all_their_runs_are_expected_to_take(jobs):
    order = longest_first(jobs, lambda seconds: seconds)
    assert sorted(map(id, order)) == sorted(map(id, jobs))
    sums = [sum(job) for job in order]
    assert sums == sorted(sums, reverse=True)


def test_a_clock_for_two_places_is_what_a_hand_makes_of_it(simulation):
    runs = simulation.simulate([3.0, 2.0, 2.0, 1.0], 2)
    assert [(run.start, run.end) for run in runs] == [(0, 3), (0, 2), (2, 4), (3, 4)]
    assert simulation.utilisation(runs, 2) == 1.0
    assert [run.start for run in simulation.simulate([3.0, 2.0, 2.0], 2, driver=0.5)] == [
        0.5,
        1.0,
        3.5,
    ]


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=60), st.integers(1, 9))
def test_no_place_waits_while_a_job_does(simulation, jobs, places):
    """Then any order ends within the even share and all but 1/m of the longest job (Graham, 1966:
    Bounds for certain multiprocessing anomalies).
    """
    for order in (jobs, sorted(jobs, reverse=True)):
        end = max(run.end for run in simulation.simulate(order, places))
        assert max(sum(jobs) / places, *jobs, 0.0) <= end * (1 + 1e-9)
        assert end <= (sum(jobs) / places + (1 - 1 / places) * max(jobs)) * (1 + 1e-9)


def test_the_full_matrix_of_ten_seeds_keeps_64_places_busy(simulation):
    work = simulation.full_matrix(places=64, seeds=10)
    assert {cell.spec.seed for job in work.jobs for cell in job} == set(range(10))
    assert {cell.spec.track for job in work.jobs for cell in job} >= {
        "noisy-labels",
        "condensation",
        "privacy-audit",
        "graph-ood",
        "policy-optimization",
    }
    busy = {
        name: simulation.utilisation(simulation.simulate(jobs, 64), 64)
        for name, jobs in simulation.orders(work).items()
    }
    assert busy["longest first"] >= 0.9
    assert busy["random order"] < busy["longest first"]
    driven = simulation.simulate(simulation.orders(work)["longest first"], 64, simulation.DRIVER)
    assert simulation.utilisation(driven, 64) >= 0.9
