"""Which cells run now: every cell of a plan is run, recorded or said to be
left out, and the most valuable come first.
"""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.plugins.registry import Registry
from bench.runs.driver import Driver
from bench.runs.keys import Keyed
from bench.runs.plan import Cell, Request, make_plan
from bench.runs.record import Failure, encode_record
from bench.runs.select import only, parse_budget, parse_only, within
from bench.runs.spec import RunSpec
from bench.runs.store import Store

SPEC = RunSpec(
    track="t",
    method="m",
    params={},
    task="k",
    task_params={},
    preset="default",
    variant="v",
    seed=0,
    device="cpu",
)


@pytest.fixture(scope="module")
def task():
    return Registry(paths=[str(Path(__file__).parents[1] / "mock")]).get(
        "task", "mock-regression/line"
    )


@pytest.fixture
def cells(task):
    def make(method, seeds, reference=""):
        return [
            Keyed(
                Cell(
                    spec=msgspec.structs.replace(SPEC, method=method, seed=seed),
                    method=None,
                    task=task,
                    reference=reference,
                    timeout=100.0,
                ),
                f"{method}-{seed}",
                {},
            )
            for seed in range(seeds)
        ]

    return make


def order(chosen):
    return [keyed.key for keyed in chosen]


def test_a_budget_completes_what_is_begun_then_goes_seed_by_seed_with_the_null_first(cells):
    begun, nearly, slow, quick, null = (
        cells("begun", 3),
        cells("nearly", 1),
        cells("slow", 2),
        cells("quick", 2),
        cells("null", 2, "low"),
    )
    todo = [*begun, *slow, *quick, *nearly, *null]
    seconds = {"slow": 5.0, "quick": 1.0, "null": 2.0, "begun": 1.0, "nearly": 1.0}
    started = {begun[0].cell.spec.group, nearly[0].cell.spec.group}

    def first(budget):
        return set(
            order(within(todo, started, lambda cell: seconds[cell.spec.method], budget, 1)[0])
        )

    sequence = [
        "nearly-0",
        "begun-0",
        "begun-1",
        "begun-2",
        "null-0",
        "quick-0",
        "slow-0",
        "null-1",
        "quick-1",
        "slow-1",
    ]
    spent = 0.0
    for position, key in enumerate(sequence):
        spent += seconds[key.partition("-")[0]]
        assert (
            set(sequence[: position + 1])
            <= first(spent)
            <= set(sequence[: position + 1]) | {"quick-0", "quick-1"}
        )
    assert first(0.5) == set()


def test_a_cell_that_no_longer_fits_is_passed_over_for_smaller_ones_and_said(cells):
    todo = [*cells("slow", 2), *cells("quick", 2)]
    chosen, left = within(
        todo,
        {todo[0].cell.spec.group},
        lambda cell: 50.0 if cell.spec.method == "slow" else 1.0,
        40.0,
        4,
    )
    assert order(chosen) == ["quick-0", "quick-1"]
    assert [(item.method, item.status) for item in left] == [("slow", "over_budget")]
    assert left[0].reason == (
        "seeds 0, 1 of variant v would take about 50 s each, which no longer fits the "
        "budget of 40 s"
    )


def test_more_jobs_spend_a_budget_more_quickly(cells):
    todo = cells("m", 10)
    assert [len(within(todo, (), lambda _: 10.0, 20.0, jobs)[0]) for jobs in (1, 2, 4)] == [2, 4, 8]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["missing", "failed", "stale"]), max_size=8),
    st.sets(st.sampled_from(["missing", "failed", "stale"])),
    st.floats(0, 100),
    st.integers(1, 4),
    st.randoms(),
)
def test_every_cell_runs_or_is_said_to_be_left_out(task, statuses, wanted, budget, jobs, chance):
    todo = [
        Keyed(
            Cell(
                spec=msgspec.structs.replace(SPEC, method=chance.choice("abc"), seed=seed),
                method=None,
                task=task,
                timeout=9.0,
            ),
            str(seed),
            {},
        )
        for seed in range(len(statuses))
    ]
    known = {str(seed): status for seed, status in enumerate(statuses)}
    chosen, left = only(todo, known, sorted(wanted))
    fitting, over = within(chosen, (), lambda cell: 1.0 + cell.spec.seed, budget, jobs)
    said = [
        int(seed)
        for item in (*left, *over)
        for seed in item.reason.partition(" of variant")[0].partition(" ")[2].split(", ")
    ]
    assert sorted([*map(int, order(fitting)), *said]) == list(range(len(statuses)))
    assert sum(1.0 + int(key) for key in order(fitting)) <= budget * jobs
    assert {known[keyed.key] for keyed in chosen} <= (wanted or set(known.values()))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1d", 86400),
        (" 5m ", 300),
    ],
)
def test_a_budget_is_read(text, seconds):
    assert parse_budget(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "2", "h", "-2h", "2 h", "2hours", "0s", "1h x", "nan", "1e3s", "9" * 30 + "h"]
)
def test_what_is_no_budget_is_refused(text):
    with pytest.raises(UsageError, match="give a time like 90s, 30m, 2h or 1h30m"):
        parse_budget(text)


def test_what_is_no_status_is_refused():
    with pytest.raises(UsageError, match=r"--only got 'stael'\. Did you mean 'stale'"):
        parse_only(["stael"])


def test_a_cell_is_missing_failed_or_stale(tmp_path, mock_folder):
    registry, store = Registry(paths=[mock_folder]), Store(tmp_path)
    plan = make_plan(
        Request(
            methods=("constant",), tasks=("line",), preset="default", variants=("noisy",), seeds="4"
        ),
        registry,
    )
    driver = Driver(registry, store)
    fresh = driver.split(plan)[1]
    assert set(driver.statuses.values()) == {"missing"}
    (tmp_path / "records" / "aa").mkdir(parents=True)

    def put(keyed, status, key):
        from bench.runs.make_record import record_of
        from bench.runs.result import Result

        record = record_of(
            keyed,
            Result(
                status=status,
                metrics={"rmse": 1.0},
                started="2026-01-01T00:00:00+00:00",
                ended="2026-01-01T00:00:01+00:00",
            ),
        )
        record.key = key or record.key
        record.error = None if status == "ok" else Failure(type="E", message="m")
        (tmp_path / "records" / "aa" / f"{record.id}.json").write_bytes(encode_record(record))

    put(fresh[0], "ok", "")
    put(fresh[1], "timeout", "")
    put(fresh[1], "ok", "0" * 32)
    put(fresh[2], "ok", "0" * 32)
    done, todo = driver.split(plan)
    assert [record.seed for record in done] == [0]
    assert [(keyed.cell.spec.seed, driver.statuses[keyed.key]) for keyed in todo] == [
        (1, "failed"),
        (2, "stale"),
        (3, "missing"),
    ]
