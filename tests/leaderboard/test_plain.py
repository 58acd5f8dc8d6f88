"""Plain baselines on boards: marks, verdicts against the best of them, and
tasks that one of them saturates.
"""

import csv
import io
import itertools
import json

import msgspec
import pytest
from bench.builtin.leaderboard._page_method import method_view
from bench.builtin.leaderboard._page_parts import board_rows
from bench.builtin.leaderboard._schema import check
from bench.builtin.leaderboard.board import bench_board, bench_freeze, bench_render
from board_toy import CARDS, ENVIRONMENT, SUITE, TASKS, card, made_up

from bench.cards import MethodCard

PLAIN = {
    f"demo/{name}": MethodCard(name=name, title=name, track="demo", plain=True)
    for name in ("null", "near", "wood")
}
METHODS = {**{name: card for name, card in CARDS.items() if name != "demo/picky"}, **PLAIN}
SPANS = {
    ("up", "a"): ("acc", 50.0, 90.0),
    ("up", "b"): ("acc", 50.0, 90.0),
    ("down", "only"): ("gap", 0.4, 0.0),
}


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "suite-small.toml"
    path.write_text(
        SUITE.replace("_version = 1", "_version = 2").replace(
            'title = "Demo"\nabout = "A demonstration."\n', ""
        )
    )
    return path


def runs(method, up, down, spread=0.01, seeds=3, **fields):
    """Return records that reach ``up`` in both variants of the one task and ``down`` in the other,
    with seeds that vary a little and not alike.
    """
    jitter = spread * ((sum(map(ord, method)) % 7) / 7 + 0.5)
    return [
        made_up(
            "demo",
            task,
            variant,
            method,
            seed,
            metric,
            low + (high - low) * ((up if task == "up" else down) + jitter * (seed - 1)),
            **fields,
        )
        for (task, variant), (metric, low, high) in SPANS.items()
        for seed in range(seeds)
    ]


def anchors(seeds=3):
    return [
        *runs("null", 0.0, 0.0, seeds=seeds, reference="low"),
        *runs("oracle", 1.0, 1.0, seeds=seeds, reference="high", peeks=True),
    ]


def board_of(suite, records, cards=METHODS, **options):
    found = bench_board(records, TASKS, {"suite": str(suite), "cards": cards, **options})
    check(found)
    (track,) = found["tracks"]
    return found, track, {row["method"]: row for row in track["rows"]}


UNSATURATED = [
    *anchors(),
    *runs("near", 0.5, 0.4),
    *runs("wood", 0.2, 0.6),
    *runs("m", 0.9, 0.8),
    *runs("n", 0.1, 0.1),
]


def test_every_other_row_is_held_against_the_best_plain_one_by_the_verdict_of_the_family(suite):
    _, track, rows = board_of(suite, UNSATURATED)
    assert track["best_plain"] == "near"
    assert {name: row["plain"] for name, row in rows.items()} == {
        "m": False,
        "n": False,
        "near": True,
        "null": True,
        "oracle": False,
        "wood": True,
    }
    assert {name: row["vs_plain"] and row["vs_plain"]["verdict"] for name, row in rows.items()} == {
        "m": "better", "n": "worse", "near": None, "null": "worse", "oracle": None, "wood": "worse"
    }  # fmt: skip
    names, pairs = track["pairs"]["methods"], track["pairs"]
    for place, (one, other) in enumerate(itertools.combinations(names, 2)):
        for row, rival, sign in ((one, other, 1), (other, one, -1)):
            if rival == "near":
                assert rows[row]["vs_plain"]["p_holm"] == pairs["p_holm"][place]
                assert rows[row]["vs_plain"]["mean"] == sign * pairs["mean"][place]


def test_markdown_the_page_and_the_files_say_which_rows_are_plain_and_how_others_stand_to_them(
    suite,
):
    found, track, rows = board_of(suite, UNSATURATED)
    text = bench_render(found, "md")
    assert "| near ○" in text
    assert "| **m** " in text
    assert "The best plain baseline is near. Better than it: m. Worse: wood, n, null." in text
    assert "○ a plain baseline: what anyone would try first." in text
    assert "vs best plain" in text
    shown = {row["method"]: row["cells"] for row in board_rows(track, [], METHODS, {})}
    assert shown["near"]["remarks"].text == "plain baseline"
    assert shown["null"]["remarks"].text == "plain baseline; low reference"
    assert [shown[name]["plain"].text for name in ("m", "n", "near")] == ["better", "worse", "—"]
    views = {name: method_view(name, found, {"cards": METHODS}, {}) for name in ("m", "n", "near")}
    standing = {name: view["tracks"][0]["plain"] for name, view in views.items()}
    assert standing == {"m": "better than near", "n": "worse than near", "near": ""}
    kinds = {name: dict(view["cards"][0]["facts"]).get("Kind") for name, view in views.items()}
    assert kinds["near"] == [("a plain baseline: what anyone would try first", "")]
    assert kinds["m"] is None
    lines = list(csv.DictReader(io.StringIO(bench_render(found, "csv"))))
    assert {line["method"]: line["plain"] for line in lines} == {
        "m": "false",
        "n": "false",
        "near": "true",
        "null": "true",
        "oracle": "false",
        "wood": "true",
    }
    assert "near (plain)" in bench_render(found, "latex")
    assert (
        json.loads(bench_render(found, "json"))["tracks"][0]["rows"][0]["vs_plain"]
        == rows["m"]["vs_plain"]
    )


def test_a_row_that_can_not_be_told_from_the_best_plain_one_says_so(suite):
    found, _, rows = board_of(
        suite,
        [*anchors(), *runs("near", 0.5, 0.4, spread=0.3), *runs("m", 0.56, 0.45, spread=-0.3)],
    )
    assert rows["m"]["vs_plain"]["verdict"] == "undecided"
    assert "Not separable from it: m." in bench_render(found, "md")
    view = method_view("m", found, {"cards": METHODS}, {})
    assert view["tracks"][0]["plain"] == "not separable from near"


def test_a_track_without_a_plain_row_has_no_column_for_it(suite):
    found, track, rows = board_of(suite, [*anchors(), *runs("m", 0.5, 0.5)], cards=CARDS)
    assert (track["best_plain"], rows["m"]["vs_plain"]) == ("", None)
    assert not any(word in bench_render(found, "md") for word in ("best plain", "○"))


# Saturation
# -------------------------------------------------------------------------------------------------

FULL = [*anchors(), *runs("near", 0.8, 0.3), *runs("m", 0.88, 0.9), *runs("n", 0.2, 0.5)]


def test_a_task_on_which_a_plain_row_reaches_nine_tenths_of_the_best_other_is_shown_and_not_counted(
    suite,
):
    _, track, rows = board_of(suite, FULL)
    assert [cell["state"] for cell in track["cells"]] == ["saturated", "saturated", "scored"]
    assert track["scored_tasks"] == ["down"]
    assert rows["m"]["score"] == pytest.approx(0.9)
    assert rows["near"]["cells"]["demo/up/default/a"]["score"] == pytest.approx(0.8)
    reason = (
        "near, a plain baseline, reaches 0.800 there, 91 % of the 0.880 of m, the best other method"
    )
    assert {cell["saturated"] for cell in track["cells"]} == {reason, ""}
    assert (
        f"up is saturated, shown and not counted: {reason}. This is not frozen yet: it goes by "
        "the runs at hand."
    ) in track["notes"]


@pytest.mark.parametrize(
    ("plain", "other", "full"),
    [
        (0.71, 0.8, False),
        (0.73, 0.8, True),
        (0.9, 0.8, True),
        (-0.2, -0.1, True),
        (0.2, 0.8, False),
    ],
)
def test_nine_tenths_of_the_best_other_score_is_the_limit_and_the_null_is_plain_too(
    suite, plain, other, full
):
    _, track, _ = board_of(suite, [*anchors(), *runs("near", plain, 0.3), *runs("m", other, 0.9)])
    assert (track["scored_tasks"] == ["down"]) is full
    if other < 0:
        assert any(
            "null, a plain baseline, reaches 0.000 there, and no other method more than -0.100 (m)"
            in note
            for note in track["notes"]
        )


def test_where_every_task_would_go_all_count_and_it_is_said(suite):
    _, track, rows = board_of(suite, [*anchors(), *runs("near", 0.8, 0.85), *runs("m", 0.88, 0.9)])
    assert track["scored_tasks"] == ["up", "down"]
    assert rows["m"]["score"] == pytest.approx(0.89)
    assert (
        sum(
            "is saturated and counts all the same, since every task of the track is" in note
            for note in track["notes"]
        )
        == 2
    )


def test_neither_mixed_code_nor_an_unmet_need_of_a_saturated_task_keeps_a_method_from_its_place(
    suite,
):
    older = {**ENVIRONMENT, "files": {"m": "older"}}
    mixed = [
        msgspec.structs.replace(record, provenance=older)
        if (record.method, record.task, record.seed) == ("m", "up", 1)
        else record
        for record in FULL
    ]
    cards = {
        **METHODS,
        "demo/choosy": MethodCard(name="choosy", title="choosy", track="demo", needs=("rate",)),
    }
    tasks = {
        **TASKS,
        "demo/down": card("down", TASKS["demo/down"].primary, ("only",), offers={"rate": {}}),
    }
    records = [*mixed, *(record for record in runs("choosy", 0.3, 0.45) if record.task == "down")]
    (track,) = bench_board(records, tasks, {"suite": str(suite), "cards": cards})["tracks"]
    rows = {row["method"]: row for row in track["rows"]}
    assert track["scored_tasks"] == ["down"]
    assert all(rows[name]["place"] for name in ("m", "choosy")), [
        rows[name]["why"] for name in ("m", "choosy")
    ]
    assert rows["choosy"]["cells"]["demo/up/default/a"]["word"] == "not_applicable"


def test_a_failed_or_missing_run_of_a_saturated_task_neither_marks_nor_unplaces_a_row(suite):
    gone = [
        record
        for record in FULL
        if not (record.method == "n" and record.task == "up" and record.seed == 2)
    ]
    broken = [
        made_up("demo", "up", "a", "n", 1, "acc", 0.0, status="failed")
        if (r.method, r.variant, r.seed) == ("n", "a", 1)
        else r
        for r in gone
    ]
    _, _, rows = board_of(suite, broken)
    assert (rows["n"]["place"], rows["n"]["imputed"], rows["n"]["provisional"]) == (2, 0, False)


def test_upper_anchors_and_what_sees_the_hidden_part_saturate_and_lead_nothing(suite):
    cards = {
        **METHODS,
        "demo/oracle": MethodCard(name="oracle", title="o", track="demo", plain=True),
    }
    _, track, _ = board_of(suite, UNSATURATED, cards=cards)
    assert track["scored_tasks"] == ["up", "down"]
    peeking = [msgspec.structs.replace(record, peeks=True) for record in runs("m", 0.99, 0.99)]
    _, track, _ = board_of(
        suite, [*anchors(), *runs("near", 0.5, 0.1), *runs("n", 0.52, 0.4), *peeking]
    )
    assert track["scored_tasks"] == ["down"]


def test_an_older_suite_has_no_saturated_tasks(tmp_path):
    path = tmp_path / "suite-small.toml"
    path.write_text(SUITE)
    _, track, _ = board_of(path, FULL)
    assert track["scored_tasks"] == ["up", "down"]
    assert bench_freeze(FULL, TASKS, {"suite": str(path), "cards": METHODS})[-1].startswith(
        "froze the anchors of 3 cells"
    )
    assert "saturated" not in path.with_name("anchors-small.json").read_text()


def test_a_reference_of_one_task_keeps_no_other_from_being_frozen(suite):
    peeking = [
        msgspec.structs.replace(record, peeks=True, reference="control")
        for record in runs("groups", 0.9, 0.9)
        if record.task == "up"
    ]
    cards = {name: card for name, card in METHODS.items() if name != "demo/wood"}
    said = bench_freeze([*FULL, *peeking], TASKS, {"suite": str(suite), "cards": cards})
    assert not [sentence for sentence in said if "groups" in sentence]
    frozen = json.loads(suite.with_name("anchors-small.json").read_text())
    assert "is saturated is not frozen" not in " ".join(said)
    assert "saturated" in json.dumps(frozen)


def test_what_is_saturated_is_frozen_once_every_method_has_run_and_a_new_method_moves_nobody(suite):
    path = suite.with_name("anchors-small.json")
    cards = {name: card for name, card in METHODS.items() if name != "demo/wood"}
    part = [
        record for record in FULL if (record.method, record.task, record.seed) != ("n", "up", 0)
    ]
    said = bench_freeze(part, TASKS, {"suite": str(suite), "cards": cards})
    assert "whether demo/up is saturated is not frozen: 2 runs of n are missing." in said
    frozen = json.loads(path.read_text())["cells"]
    assert "saturated" not in frozen["demo/up/default/a"]
    assert frozen["demo/down/default/only"]["saturated"] == ""
    said = bench_freeze(FULL, TASKS, {"suite": str(suite), "cards": cards})
    assert not any("whether" in line for line in said)
    frozen = json.loads(path.read_text())["cells"]
    assert (
        frozen["demo/up/default/a"]["saturated"] == frozen["demo/up/default/b"]["saturated"] != ""
    )
    before = board_of(suite, FULL, cards=cards)
    # a plain baseline that would saturate the other task
    better = [*FULL, *runs("wood", 0.99, 0.95)]
    strong = [*better, *runs("new", 1.3, 0.9)]  # a method that would leave "up" unsaturated
    for records, methods in ((better, METHODS), (strong, METHODS)):
        after = board_of(suite, records, cards=methods)
        assert after[1]["scored_tasks"] == before[1]["scored_tasks"] == ["down"]
        assert any(
            note.startswith("up is saturated")
            and note.endswith("This was decided when the anchors were frozen.")
            for note in after[1]["notes"]
        )
        assert all(
            after[2][name]["score"] == before[2][name]["score"]
            for name in ("m", "n", "near", "null")
        )
    bench_freeze(strong, TASKS, {"suite": str(suite), "cards": METHODS})
    assert json.loads(path.read_text())["cells"] == frozen


def test_every_tier_decides_by_its_own_seeds(tmp_path):
    path = tmp_path / "suite-small.toml"
    text = SUITE.replace("_version = 1", "_version = 2").replace(
        'title = "Demo"\nabout = "A demonstration."\n', ""
    )
    path.write_text(text.replace("seeds = 3", "tiers = { nightly = 3, default = 5 }"))
    cards = {name: card for name, card in METHODS.items() if name != "demo/wood"}

    def drawn(method, up, down, later):
        return [
            msgspec.structs.replace(record, metrics={"acc": 50 + 40 * later})
            if record.task == "up" and record.seed > 2
            else record
            for record in runs(method, up, down, seeds=5)
        ]

    records = [
        *anchors(5),
        *drawn("near", 0.8, 0.3, 0.2),
        *drawn("m", 0.88, 0.9, 0.9),
        *drawn("n", 0.2, 0.5, 0.2),
    ]
    bench_freeze(records, TASKS, {"suite": str(path), "cards": cards})
    tiers = json.loads(path.with_name("anchors-small.json").read_text())["tiers"]
    assert {
        tier: bool(cells["demo/up/default/a"]["saturated"]) for tier, cells in tiers.items()
    } == {"nightly": True, "default": False}
    assert [
        board_of(path, records, cards=cards, tier=tier)[1]["scored_tasks"]
        for tier in ("nightly", "default")
    ] == [["down"], ["up", "down"]]
