"""Nights: shares of the cells, the rotating check, and alarms."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import EnvironmentFault
from bench.plugins.registry import Registry
from bench.runs.nightly import (
    CHECKED,
    Check,
    Night,
    Part,
    Row,
    alarms,
    due,
    rows_of,
    shards,
    unit_of,
)
from bench.runs.nightly_files import read_nights, read_part, read_parts, write_night, write_part
from bench.runs.nightly_merge import carry, complete
from bench.runs.plan import Request, make_plan
from bench.runs.record import Record

ROW = Row(
    track="t",
    task="k",
    preset="default",
    variant="v",
    device="cpu",
    method="m",
    reference="",
    metric="acc",
    direction="max",
    values={"0": 80.0, "1": 82.0},
)


def night(day: int, **means: float) -> Night:
    """Return a night on which rows stand at these figures on seed 0 and
    two more on seed 1; ``low`` and ``high`` are references.
    """
    rows = {
        name: msgspec.structs.replace(
            ROW,
            method=name,
            reference=name if name in ("low", "high") else "",
            values={"0": mean, "1": mean + 2},
        )
        for name, mean in means.items()
    }
    return Night(
        night=f"2026-01-{day:02}", tier="smoke", planned=1, recorded=1, rows=rows, parts=[]
    )


def record(cell: str, started: str = "2026-01-01", **changes) -> Record:
    fields = {
        "track": "t",
        "method": "m",
        "params": {},
        "task": "k",
        "task_params": {},
        "preset": "default",
        "variant": "v",
        "seed": 0,
        "device": "cpu",
    }
    fields |= {
        "dtype": "float32",
        "form": "single",
        "status": "ok",
        "metrics": {"acc": 1.0},
        "key": "0" * 32,
        "ended": "",
        **changes,
    }
    return Record(cell=cell, started=f"{started}T03:00:00+00:00", **fields)


# Shares -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def cells(mock_folder):
    return make_plan(
        Request(all=True, preset="smoke", seeds="3"), Registry(paths=[mock_folder])
    ).cells


def test_the_shares_of_a_night_are_its_cells_each_once(cells):
    for count in (1, 3, 8):
        shares = shards(cells, lambda _: 1.0, count)
        assert len(shares) == count
        assert sorted(cell.spec.cell for share in shares for cell in share) == sorted(
            cell.spec.cell for cell in cells
        )


def test_all_methods_on_a_task_variant_and_seed_are_in_one_share_even_when_there_are_more_shares_than_those(
    cells,
):
    for count in (2, 3, len(cells)):
        homes = {}
        for number, share in enumerate(shards(cells, lambda _: 1.0, count)):
            for cell in share:
                assert homes.setdefault(unit_of(cell.spec), number) == number
    assert len(set(homes.values())) > len(
        {(cell.spec.task, cell.spec.variant) for cell in cells}
    ), "a large variant is split by its seeds"


def test_what_shares_artifacts_stays_together_unless_it_is_more_than_a_share(cells):
    two = shards(cells, lambda _: 1.0, 2)
    split = {(cell.spec.track, cell.spec.task, cell.spec.variant) for cell in two[0]} & {
        (cell.spec.track, cell.spec.task, cell.spec.variant) for cell in two[1]
    }
    assert split == set()


def test_no_share_takes_longer_than_the_mean_and_one_more_unit(cells):
    times = {cell.spec.cell: 1.0 + number % 7 for number, cell in enumerate(cells)}
    shares = shards(cells, lambda cell: times[cell.spec.cell], 4)
    loads = [sum(times[cell.spec.cell] for cell in share) for share in shares]
    # what longest-first promises: no unit is larger than a share
    assert max(loads) <= 2 * sum(loads) / 4


# The rotating check -----------------------------------------------------------


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40, unique=True),
    st.dates(date(2026, 2, 1), date(2030, 1, 1)),
)
def test_seven_nights_check_every_record_once(numbers, first):
    records = [record(f"{number:08x}{0:024x}") for number in numbers]
    checked = [
        found.cell for day in range(CHECKED) for found in due(records, first + timedelta(days=day))
    ]
    assert sorted(checked) == sorted(item.cell for item in records)


def test_what_was_computed_tonight_is_not_checked_tonight():
    tonight = date(2026, 3, 1)
    records = [record(f"{number:08x}{0:024x}", started="2026-03-01") for number in range(CHECKED)]
    assert due(records, tonight) == []
    assert len(due(records, tonight + timedelta(days=1))) == 1


# Alarms -------------------------------------------------------------------------


def test_a_row_that_moved_two_nights_in_a_row_raises_an_alarm():
    (found,) = alarms(
        [
            night(1, m=80, low=50, high=90),
            night(2, m=70, low=50, high=90),
            night(3, m=70, low=50, high=90),
        ],
        0.02,
    )
    assert (found.label, found.before, found.now) == ("t/k v m", 81, 71)
    # the references' distance; paired differences agree, so their error is 0
    assert found.limit == pytest.approx(0.02 * 40)


@pytest.mark.parametrize(
    ("last", "tonight"),
    [(70, 80), (80, 70), (70, 90), (80.5, 80.5)],
    ids=["it went back", "it moved only tonight", "it moved both ways", "it moved less than delta"],
)
def test_a_row_that_did_not_stay_away_raises_none(last, tonight):
    assert (
        alarms(
            [
                night(1, m=80, low=50, high=90),
                night(2, m=last, low=50, high=90),
                night(3, m=tonight, low=50, high=90),
            ],
            0.02,
        )
        == []
    )


def test_a_move_within_two_standard_errors_raises_none():
    nights = [
        night(1, m=80, low=79, high=81),
        night(2, m=80, low=79, high=81),
        night(3, m=80, low=79, high=81),
    ]
    for later in nights[1:]:
        # mean 2, standard error 4
        later.rows["m"] = msgspec.structs.replace(ROW, values={"0": 80 + 6, "1": 82 - 2})
    assert alarms(nights, 0.02) == []


def test_a_row_that_another_class_of_machine_computed_has_not_moved():
    nights = [night(day, m=80 if day == 1 else 70, low=50, high=90) for day in (1, 2, 3)]
    for one, names in zip(nights, (("a", "a"), ("b", "b"), ("b", "b")), strict=True):
        one.rows["m"] = msgspec.structs.replace(
            one.rows["m"], classes=dict(zip("01", names, strict=True))
        )
    assert alarms(nights, 0.02) == []
    nights[0].rows["m"] = msgspec.structs.replace(nights[0].rows["m"], classes={"0": "b", "1": "a"})
    assert [alarm.label for alarm in alarms(nights, 0.02)] == ["t/k v m"], (
        "seed 0 is of one class and moved"
    )


def test_an_anchor_that_moved_is_named_as_one():
    found = alarms(
        [night(1, low=50, high=90), night(2, low=50, high=80), night(3, low=50, high=80)], 0.02
    )
    assert [item.reference for item in found] == ["high"]


def test_two_nights_and_rows_that_are_new_or_gone_raise_none():
    assert alarms([night(1, m=80), night(2, m=10)], 0.02) == []
    assert alarms([night(1, m=80), night(2, n=10), night(3, n=10)], 0.02) == []


# Rows and files -------------------------------------------------------------------


def test_a_row_holds_the_primary_figures_of_the_seeds_that_are_ok(mock_folder):
    cards = Registry(paths=[mock_folder]).cards()
    card = cards["mock-regression/line"]
    fields = {"track": "mock-regression", "task": "line"}
    good = record("a" * 32, **fields, seed=0, metrics={card.primary.name: 0.5, "other": 9.0})
    bad = record("b" * 32, **fields, seed=1, status="failed", metrics={})
    unknown = record("c" * 32)
    (row,) = rows_of([good, bad, unknown], cards).values()
    assert (row.metric, row.values) == (card.primary.name, {"0": 0.5})


def test_what_machines_did_is_carried_once_and_grows_with_them(tmp_path):
    one, two, target = tmp_path / "one", tmp_path / "two", tmp_path / "target"
    first, same = Part(ran=1, seconds=1.0, keys=["k1"]), Part(ran=2, seconds=2.0, keys=["k2", "k3"])
    write_part(one, "2026-01-02", "smoke", (1, 2), first)
    write_part(two, "2026-01-02", "smoke", (1, 2), same)  # two machines did one share
    for _ in range(2):
        for source in (one, two):
            carry(source, target, False)
        assert sorted(part.ran for part in read_parts(target, "2026-01-02", "smoke")) == [1, 2]
    first.ran, first.seconds = 5, 9.0  # the first one went on
    write_part(one, "2026-01-02", "smoke", (1, 2), first)
    assert carry(one, target, True) == ["would carry what 1 machine did of nights."]
    assert carry(one, target, False) == ["carried what 1 machine did of nights."]
    assert carry(one, target, False) == []
    assert sorted(part.ran for part in read_parts(target, "2026-01-02", "smoke")) == [2, 5]
    assert not complete(target, "2026-01-02", "smoke")
    write_part(one, "2026-01-02", "smoke", (2, 2), Part())
    carry(one, target, False)
    assert complete(target, "2026-01-02", "smoke")


def test_what_is_no_share_of_a_night_is_not_carried(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    write_part(source, "2026-01-02", "smoke", (1, 1), Part(ran=1))
    good = source / "nights" / "2026-01-02-smoke" / "1-of-1.json"
    (good.parent / "2-of-2.json").write_text("{")
    (good.parent / "3-of-3.json").symlink_to(good)
    (source / "nights" / "elsewhere").mkdir()
    (source / "nights" / "elsewhere" / "1-of-1.json").write_bytes(good.read_bytes())
    said = carry(source, target, False)
    assert said[0] == "carried what 1 machine did of nights."
    assert "2-of-2.json is left out: it can't be read as a machine's share of a night" in said[1]
    assert [str(path.relative_to(target)) for path in target.rglob("*.json")] == [
        "nights/2026-01-02-smoke/1-of-1.json"
    ]


def test_nights_and_their_parts_come_back_as_they_were_written_the_oldest_first(tmp_path):
    check = Check(record="r", label="l", same=False, differs={"acc": (1.0, None)})
    parts = [Part(ran=1, seconds=2.0, checks=[check], not_run=[]), Part(ran=3, seconds=4.0)]
    for number, part in enumerate(parts, 1):
        write_part(tmp_path, "2026-01-02", "smoke", (number, 2), part)
    assert read_parts(tmp_path, "2026-01-02", "smoke") == parts
    assert read_part(tmp_path, "2026-01-02", "smoke", (1, 2)) == parts[0]
    assert read_part(tmp_path, "2026-01-03", "smoke", (1, 2)) == Part()
    for day in (3, 1, 2):
        write_night(tmp_path, night(day, m=day))
    assert [found.night[-2:] for found in read_nights(tmp_path, "smoke", "2026-01-02")] == [
        "01",
        "02",
    ]
    assert read_nights(tmp_path, "nightly", "2026-01-02") == []


def test_a_night_that_can_t_be_read_is_named(tmp_path):
    write_night(tmp_path, night(1, m=1))
    (tmp_path / "nights" / "2026-01-01-smoke.json").write_text("{")
    with pytest.raises(EnvironmentFault, match="2026-01-01-smoke"):
        read_nights(tmp_path, "smoke", "2026-01-01")
