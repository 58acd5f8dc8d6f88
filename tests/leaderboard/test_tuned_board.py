"""The board at an equal tuning budget, and where parameters come from."""

import msgspec
import pytest
from bench.builtin.leaderboard._schema import check
from bench.builtin.leaderboard._tuning_budget import parameters_from, within
from bench.builtin.leaderboard.board import bench_board, bench_render
from board_toy import CARDS, SUITE, TASKS, made_up, whole_suite

from bench.builtin.leaderboard import _suite
from bench.cards import Metric, TaskCard
from bench.digests import digest
from bench.errors import UsageError
from bench.plugins.registry import Registry

TUNED = 'tuned = { budget = 4, tracks = ["demo"] }'
SPACE = {"lam": (1.0, 3.0, 7.0), "beta": (0.1, 0.9)}


def validated(card):
    """Return a task's card with a validation score."""
    fields = {
        name: getattr(card, name) for name in ("name", "title", "track", "presets", "references")
    }
    return TaskCard(
        **fields,
        metrics=(*card.metrics, Metric(name="val", validation=True, title="On held-out rows")),
        tuning={"holdout": 0.2},
    )


VALIDATED = {name: validated(card) for name, card in TASKS.items()}
METHODS = CARDS | {
    "demo/m": msgspec.structs.replace(
        CARDS["demo/m"], tuning=SPACE, defaults_from="here", trials=12
    ),
    "demo/n": msgspec.structs.replace(CARDS["demo/n"], defaults_from="paper"),
}


def tuning(tried=4, space=7):
    return {
        "metric": "val",
        "split": {"holdout": 0.2},
        "seeds": [10**6],
        "trials": [{"lam": float(place)} for place in range(tried)],
        "space": space,
        "chosen": 1,
    }


def tuned(records, shift=0.0, **options):
    """Return records as --tune makes them: other parameters, custom, with what was tried."""
    return [
        msgspec.structs.replace(
            record,
            params={"lam": 3.0},
            custom=True,
            tuning=tuning(**options),
            cell=digest([record.cell]),
            key=digest([record.key]),
            metrics={
                name: value + (shift if name == "acc" else -shift / 100)
                for name, value in record.metrics.items()
            },
        )
        for record in records
    ]


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "suite-small.toml"
    text = SUITE.replace("schema_version = 1", "schema_version = 2").replace(
        "seeds = 3", f"seeds = 3\n{TUNED}"
    )
    path.write_text(text.replace('title = "Demo"\nabout = "A demonstration."\n', ""))
    return path


@pytest.fixture
def records(suite):
    return whole_suite(_suite.read_suite(suite), TASKS, {"demo": ["m", "n", "null"]})


def track(suite, records, tasks=VALIDATED, cards=METHODS, **options):
    found = bench_board(records, tasks, {"suite": str(suite), "cards": cards, **options})
    check(found)
    (board,) = found["tracks"]
    return board | {"by": {row["method"]: row for row in board["rows"]}, "board": found}


def test_the_tuned_board_ranks_rows_tuned_with_exactly_the_budget_beside_the_anchors(
    suite, records
):
    mine = [record for record in records if record.method == "m"]
    both = [*records, *tuned(mine, 5.0)]
    plain, second = track(suite, both), track(suite, both, tuned=True)
    assert plain == track(suite, records) | {"board": plain["board"]}, (
        "the board of defaults mixes no tuned row in"
    )
    assert (
        second["by"]["m"]["place"],
        second["by"]["null"]["place"],
        second["by"]["n"]["place"],
    ) != (None, None, None)
    assert second["by"]["m"]["score"] > plain["by"]["m"]["score"]
    assert second["by"]["n"]["score"] == plain["by"]["n"]["score"]
    assert [second["by"][name]["defaults"] for name in ("m", "n")] == ["tuned, 4 tried", "paper"]
    assert "No space for --tune on the card, so with defaults: n, picky." in " ".join(
        second["notes"]
    )
    text = bench_render(second["board"], "md")
    assert "Suite small, tuned among 4 settings: mean normalised score" in text
    assert (second["board"]["suite"]["budget"], plain["board"]["suite"]["budget"]) == (4, 0)


def test_of_a_method_tuned_twice_at_one_budget_the_newer_choice_counts_and_the_board_says_so(
    suite, records
):
    mine = [record for record in records if record.method == "m"]
    first = tuned(mine, -5.0)
    second = [
        msgspec.structs.replace(
            record,
            params={"lam": 7.0},
            cell=digest([record.cell]),
            key=digest([record.key]),
            ended="2030-01-01T00:00:00.000+00:00",
        )
        for record in tuned(mine, 5.0)
    ]
    alone = track(suite, [*records, *second], tuned=True)
    for both in ([*records, *first, *second], [*second, *records, *first]):
        found = track(suite, both, tuned=True)
        assert found["rows"] == alone["rows"]
        assert found["board"]["tables"] == alone["board"]["tables"]
        assert (
            "m was tuned twice on up a: the newest choice counts, and 3 records of the older one "
            "are not compared." in found["board"]["notes"]
        )
    assert not any("tuned twice" in note for note in alone["board"]["notes"])


@pytest.mark.parametrize(
    "options", [{"tried": 3}, {"tried": 8}, {"space": 0}], ids=["fewer", "more", "by hand"]
)
def test_rows_of_another_budget_or_of_alternatives_by_hand_are_not_on_the_tuned_board(
    suite, records, options
):
    mine = [record for record in records if record.method == "m"]
    found = track(suite, [*records, *tuned(mine, 5.0, **options)], tuned=True)
    assert (found["by"]["m"]["place"], found["by"]["m"]["why"]) == (None, "not run yet")
    assert any(
        (
            "1 method lacks tuned runs; run: bench run --track demo --method m --tune 4 --seeds 3 "
            "--device cpu"
        )
        in note
        for note in found["notes"]
    )


def test_a_space_smaller_than_the_budget_is_spent_when_all_of_it_was_tried():
    assert within(tuning(tried=3, space=3), 8)
    assert not within(tuning(tried=3, space=5), 8)
    assert within({"trials": [{}, {}]}, 2), "records that do not say the space"
    assert not within({"trials": "x", "space": []}, 8)


def test_on_a_task_without_a_validation_score_all_stand_with_their_defaults_and_the_board_says_so(
    suite, records
):
    tasks = VALIDATED | {"demo/down": TASKS["demo/down"]}
    mine = [record for record in records if record.method == "m" and record.task == "up"]
    found = track(suite, [*records, *tuned(mine, 5.0)], tasks=tasks, tuned=True)
    assert found["by"]["m"]["place"]
    assert "No validation score, so all methods with defaults: down." in found["notes"]


def test_tables_of_the_tuned_board_rank_tuned_rows(suite, records):
    mine = [record for record in records if record.method == "m"]
    board = track(suite, [*records, *tuned(mine, 5.0)], tuned=True)["board"]
    for table in board["tables"]:
        rows = {
            row["method"].partition("[")[0].removesuffix(" (tuned)"): row for row in table["rows"]
        }
        assert rows["m"]["place"]
        assert rows["m"]["tuned"]["trials"] == 4


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"trials": None},
        {"trials": 4, "space": 7},
        {"trials": [{}] * 4, "space": "7"},
        {"trials": [{}] * 3, "seeds": 3},
    ],
)
def test_a_record_that_says_nothing_sensible_of_its_tuning_is_shown_and_ranked_on_no_board(
    suite, records, said
):
    strange = [
        msgspec.structs.replace(record, tuning=said)
        for record in tuned([record for record in records if record.method == "m"])
    ]
    for options in ({}, {"tuned": True}):
        found = bench_board(
            [*(record for record in records if record.method != "m"), *strange],
            VALIDATED,
            {"suite": str(suite), "cards": METHODS, **options},
        )
        check(found)
        assert {row["place"] for row in found["tracks"][0]["rows"] if row["method"] == "m"} == {
            None
        }


def test_tuned_runs_of_another_class_of_machine_are_asked_for_on_that_of_the_others_and_still_called_tuned(
    suite, records
):
    away = {"cpu_class": "x86_64-GenuineIntel-avx512"}
    chosen = [
        msgspec.structs.replace(record, provenance=away)
        for record in tuned([record for record in records if record.method == "m"])
    ]
    board = track(suite, [*records, *chosen], tuned=True)
    assert (board["by"]["m"]["place"], board["by"]["m"]["defaults"]) == (None, "tuned, 4 tried")
    assert any(
        (
            "1 method lacks tuned runs; on the class of machine of the others, run: bench run "
            "--track demo --method m"
        )
        in note
        for note in board["notes"]
    )


def test_a_suite_without_a_tuned_board_says_so(suite, records):
    with pytest.raises(
        UsageError, match=r"the suite 2026\.2 has no board at an equal tuning budget"
    ):
        bench_board(records, TASKS, {"suite": "2026.2", "tuned": True})
    for text, said in (
        ("tuned = { budget = 1, tracks = [] }", "budget = 1, it must be 2 to 1000"),
        ('tuned = { budget = 4, tracks = ["other"] }', "names the track 'other', which it has not"),
        ("tuned = { budget = 4, tracks = [] }", "has no track"),
        ("budget = 4", "it says budget at its top"),
    ):
        changed = suite.with_name("suite-other.toml")
        changed.write_text(suite.read_text().replace(TUNED, text))
        with pytest.raises(UsageError, match=said):
            _suite.read_suite(changed)


def test_a_track_without_a_tuned_board_is_told_from_those_that_have_one(suite, records):
    with pytest.raises(
        UsageError,
        match="the track 'other' has no board at an equal tuning budget in the suite small; "
        "leave --tuned out, or name one of demo",
    ):
        bench_board(
            records,
            VALIDATED,
            {"suite": str(suite), "cards": METHODS, "tuned": True, "track": "other"},
        )


def test_the_newest_suite_tunes_tracks_whose_tasks_have_a_validation_score_and_methods_a_space():
    registry, suite = Registry(), _suite.read_suite(_suite.find(None))
    assert suite.tuned is not None
    cards = registry.cards()
    for track_name in suite.tuned.tracks:
        assert any(
            cards[f"{track_name}/{task.task}"].tuning for task in suite.tracks[track_name].tasks
        ), track_name
        assert any(
            entry.card.tuning for entry in registry.rows("method") if entry.track == track_name
        ), track_name


def test_every_board_says_where_defaults_come_from(suite, records):
    given = [
        msgspec.structs.replace(
            record,
            params={"a": 1},
            custom=True,
            cell=digest([record.cell, 1]),
            key=digest([record.key, 1]),
        )
        for record in records
        if record.method == "m"
    ]
    found = track(suite, [*records, *given])
    assert {name: found["by"][name]["defaults"] for name in ("m", "n", "null", "oracle")} == {
        "m": "here, 12 tried", "n": "paper", "null": "not stated", "oracle": "",
    }  # fmt: skip
    rows = {row["method"]: row["defaults"] for row in found["board"]["tables"][0]["rows"]}
    assert (
        rows["n"],
        rows["oracle"],
        sorted(said for name, said in rows.items() if name.startswith("m")),
    ) == ("paper", "", ["given", "here, 12 tried"])
    text = bench_render(found["board"], "md")
    assert text.count("| defaults from ") == 1 + len(found["board"]["tables"])
    assert ",defaults," in bench_render(found["board"], "csv").splitlines()[0]
    assert "defaults from" not in bench_render(track(suite, records, cards=CARDS)["board"], "md"), (
        "where no card says it, no column"
    )
    assert (
        parameters_from(
            msgspec.structs.replace(METHODS["demo/m"], trials=None),
            made_up("demo", "up", "a", "m", 0, "acc", 1.0),
        )
        == "here, not counted"
    )
