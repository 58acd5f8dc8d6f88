"""The rules on a kept copy of real records: those of the suite 2026.2, one line a run, with the
figure that its task is judged by.

The copy stays when records are run anew: effects that were seen on these records are held here.
"""

import csv
from collections import defaultdict
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import msgspec
import numpy as np
import pytest
from bench.builtin.leaderboard._cells import suite_cells
from bench.builtin.leaderboard._family import family
from bench.builtin.leaderboard._rows import Entrant
from bench.builtin.leaderboard._scores import method_scores
from bench.builtin.leaderboard._standing import standing
from bench.builtin.leaderboard._track import track_board
from board_toy import made_up

from bench.builtin.leaderboard import _suite
from bench.digests import digest

FILE = Path(__file__).parent / "kept" / "records-2026.2.csv"
SUITE, ANCHORS = _suite.load(_suite.find("2026.2"))


@cache
def kept():
    """Return track -> records, and the frozen anchors of the problems that these records name."""
    found, problems = defaultdict(list), {}
    with FILE.open(newline="") as file:
        for line in csv.DictReader(file):
            name = f"{line['track']}/{line['task']}/default/{line['variant']}"
            params = {"variant": line["variant"], "task": line["task"]}
            problems[name] = digest(params)
            value, status = float(line["value"]) if line["value"] else None, line["status"]
            metric = ANCHORS.cells[name].primary
            gates = dict.fromkeys(line["missed"].split(), False)
            record = made_up(
                line["track"],
                line["task"],
                line["variant"],
                line["method"],
                int(line["seed"]),
                metric,
                value,
                status=status,
                task_params=params,
                reference=line["reference"],
                peeks=line["peeks"] == "1",
                gates=gates,
                not_rankable=line["not_rankable"] or None,
            )
            found[line["track"]].append(record)
    anchors = msgspec.structs.replace(
        ANCHORS,
        cells={
            name: msgspec.structs.replace(cell, problem=problems[name])
            for name, cell in ANCHORS.cells.items()
        },
    )
    return found, anchors


@cache
def board(track):
    records, anchors = kept()
    return track_board(track, SUITE, anchors, records[track], {}, {}, set())


def placed(track):
    return [row for row in board(track)["rows"] if row["place"]]


def test_condensation_has_a_leading_group_that_says_how_many_can_not_be_separated_from_the_first():
    from bench.builtin.leaderboard._render_tracks import track_markdown
    from bench.builtin.leaderboard._track_facts import leaders

    rows = placed("condensation")
    assert [row["method"] for row in rows if row["leading"]] == [
        "ncfm",
        "dm",
        "mdt",
        "k-center",
        "dc",
        "dsa",
        "dsac",
        "herding",
        "dcc",
    ]
    assert leaders(board("condensation")) == [
        (
            "ncfm is first by the mean; 8 of the other 15 can't be separated from it: dm, mdt, "
            "k-center, dc, dsa, dsac, herding, dcc."
        )
    ]
    page = track_markdown(
        board("condensation"),
        {"name": "2026.2", "tier": "default", "tiers": {"default": 5}, "budget": 0, "seeds": 5},
    )
    assert all(f"**{row['method']}**" in page for row in rows if row["leading"])
    assert "**surrogate-power**" not in page, (
        "twelfth, and too noisy to be told from the first: not bold"
    )
    assert (
        next(row for row in rows if row["method"] == "surrogate-power")["vs_first"]["leans"] == "-"
    )


def test_what_equals_another_in_every_run_stands_once():
    twins = {
        row["method"]: row["why"]
        for track in SUITE.tracks
        for row in board(track)["rows"]
        if "in every run" in row["why"]
    }
    assert twins["mts"] == "equal to dm in every run"
    assert "mts" not in board("condensation")["pairs"]["methods"]


def test_one_thin_cell_no_longer_decides_a_track():
    rows = {row["method"]: row for row in placed("condensation")}
    cell = rows["el2n"]["cells"]["condensation/condense-digits/default/ipc10"]
    assert cell["score"] < -6
    assert (cell["counted"], cell["below"]) == (-1.0, "below -1")
    assert min(row["score"] for track in SUITE.tracks for row in placed(track)) >= -1


@pytest.mark.parametrize("track", SUITE.tracks)
def test_places_fall_with_the_score_and_no_range_runs_against_it(track):
    rows = placed(track)
    assert len(rows) > 1
    for better, worse in pairwise(sorted(rows, key=lambda row: -row["score"])):
        assert better["place"] <= worse["place"]
        assert (better["place"] == worse["place"]) == (better["score"] == worse["score"])
        assert better["range"][1] <= worse["range"][1]
        assert better["leading"] >= worse["leading"]
    sound = sorted((row for row in rows if not row["imputed"]), key=lambda row: -row["score"])
    assert all(better["range"][0] <= worse["range"][0] for better, worse in pairwise(sound))
    assert all(row["range"][0] == row["place"] for row in rows if row["imputed"])
    assert all(row["range"][0] <= row["place"] <= row["range"][1] for row in rows)


def test_unlearning_has_no_rank_that_a_failure_improved():
    rows = {row["method"]: row for row in placed("unlearning")}
    assert rows["stochastic-teacher"]["range"] == [1, 1]
    assert rows["bad-teacher"]["imputed"] > 0
    assert rows["bad-teacher"]["range"][0] == rows["bad-teacher"]["place"] == 15
    assert rows["iu"]["range"][0] < rows["iu"]["place"], (
        "a method that finished may be better than those above it that failed"
    )


def stand(found):
    """Place methods as a track's board does; a method that equals another has its place."""
    twins, held = {}, {}
    for one in sorted(
        found,
        key=lambda one: (any(record.reference == "low" for record in one.records), one.method),
    ):
        figures = tuple(one.figures)
        twins[one.method] = (
            one.method if np.isnan(figures).any() else held.setdefault(figures, one.method)
        )
    members = [one for one in found if twins[one.method] == one.method]
    scores = np.stack([one.scores[~np.isnan(one.scores).any(1)] for one in members])
    means = np.round(np.sort(scores, -1).mean(-1).mean(-1), 12)
    where = {
        one.method: row
        for one, row in zip(
            members,
            standing(
                family(scores, SUITE.delta), means, np.array([one.imputed > 0 for one in members])
            ).rows(),
            strict=True,
        )
    }
    return {name: where[twin] for name, twin in twins.items()}


@pytest.mark.parametrize("track", SUITE.tracks)
def test_of_all_single_failures_that_can_be_planted_none_improves_its_own_place_or_lower_end(track):
    records, anchors = kept()
    cells = suite_cells(track, SUITE, anchors, records[track], {}, set())
    names = [row["method"] for row in placed(track)] + [
        row["method"] for row in board(track)["rows"] if "in every run" in row["why"]
    ]
    found = {name: method_scores(name, None, cells, SUITE, {}, set()) for name in sorted(names)}
    before, planted = stand(list(found.values())), 0
    assert {
        row["method"]: (row["place"], *row["range"], row["leading"]) for row in placed(track)
    } == {name: before[name] for name in (row["method"] for row in placed(track))}
    scored = [cell for cell in cells if cell.state == "scored"]
    for name, cell, seed in product(names, scored, range(SUITE.seeds)):
        whole = cell.runs[name]
        if any(record.seed == seed and record.status != "ok" for record in whole.records):
            continue
        broken = [
            msgspec.structs.replace(record, status="crashed", metrics={})
            if record.seed == seed
            else record
            for record in whole.records
        ]
        cell.runs[name] = Entrant(
            whole.label,
            broken,
            {other: value for other, value in whole.values.items() if other != seed},
        )
        after = stand(
            [
                method_scores(name, None, cells, SUITE, {}, set()) if other == name else one
                for other, one in found.items()
            ]
        )
        cell.runs[name] = whole
        planted += 1
        assert after[name][0] >= before[name][0], (name, cell.name, seed)
        assert after[name][1] >= before[name][1], (name, cell.name, seed)
        assert before[name][3] or not after[name][3], (name, cell.name, seed)
    assert planted >= 0.9 * len(names) * len(scored) * SUITE.seeds
