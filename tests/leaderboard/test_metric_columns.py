"""What boards say of metrics beside the primary one: columns, the worst of several, suspicions."""

import csv
import io
import json
import re
from collections import defaultdict
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from bench.builtin.leaderboard._schema import check
from bench.builtin.leaderboard.board import bench_board, bench_publish, bench_render
from board_toy import CARDS, SUITE, TASKS, made_up
from click.testing import CliRunner
from msgspec.structs import replace

from bench.cards import Metric
from bench.cli import main
from bench.plugins.registry import Registry
from bench.runs.transfer import records_of

RECORDS = Path(__file__).resolve().parents[2] / "docs" / "records"
ACC = Metric(name="acc", primary=True, unit="%")
CLEAN = Metric(name="clean", unit="%", column=True)
BLOWS = [
    Metric(name=name, direction=direction, limits="hardest blow", title=f"{name} of the hammer")
    for name, direction in (("push", "max"), ("pull", "max"), ("loss", "min"))
]
ODD = Metric(name="odd", direction="none", warns="odd figures suspected")
QUIET = Metric(name="quiet", unit="%")
DECLARED = (ACC, QUIET, CLEAN, *BLOWS, ODD)
METHODS = {"null": "low", "oracle": "high", "m": "", "n": ""}


def cards(metrics):
    return {**TASKS, "demo/up": replace(TASKS["demo/up"], metrics=metrics)}


def records(figure, methods=METHODS, seeds=3):
    """Return records of both tasks; ``figure(method, seed)`` gives metrics of the task ``up``."""
    found = []
    for name, kind in methods.items():
        for seed in range(seeds):
            level = {"null": 0.0, "oracle": 1.0, "m": 0.5}.get(name, 0.4) + seed / 100
            for task, variant, metric, value in (
                ("up", "a", "acc", 30 + 50 * level),
                ("up", "b", "acc", 20 + 50 * level),
                ("down", "only", "gap", 1 - level / 2),
            ):
                one = made_up(
                    "demo",
                    task,
                    variant,
                    name,
                    seed,
                    metric,
                    value,
                    reference=kind,
                    peeks=kind == "high",
                )
                if task == "up":
                    one.metrics |= figure(name, seed) if variant == "a" else {}
                found.append(one)
    return found


def board(figure, folder, metrics=DECLARED, **fields):
    path = folder / "suite-small.toml"
    path.write_text(SUITE)
    made = bench_board(
        records(figure, **fields), cards(metrics), {"suite": str(path), "cards": CARDS}
    )
    check(json.loads(bench_render(made, "json")))
    return made


def table(made, variant="a"):
    return next(one for one in made["tables"] if (one["task"], one["variant"]) == ("up", variant))


def row(made, method):
    return next(one for one in table(made)["rows"] if one["method"] == method)


def heads(made):
    """Return the heads of the first Markdown table of the task ``up``."""
    text = bench_render(made, "md").partition("### up · a")[2]
    line = next(line for line in text.splitlines() if line.startswith("|"))
    return [head.strip() for head in line.strip("|").split("|")]


def full(method, seed):
    return {"quiet": 1.0, "clean": 90.0, "push": 3.0, "pull": 2.0, "loss": 1.0, "odd": 0.0}


def suspicious(method, seed):
    return full(method, seed) | {"odd": 2.0 if method == "m" and seed else 0.0}


def test_a_table_shows_the_metrics_that_a_card_names_in_its_order_and_no_other(tmp_path):
    made = board(full, tmp_path)
    assert table(made)["columns"] == ["clean", "push", "pull", "loss", "odd"]
    shown = heads(made)
    assert shown[:4] == ["#", "range", "method", "mean ↑"]
    start = shown.index("clean ↑")
    assert shown[start : start + 6] == [
        *("clean ↑", "push ↑", "pull ↑", "loss ↓", "odd"),
        "hardest blow",
    ]
    assert "quiet ↑" not in shown
    turned = board(full, tmp_path, (ACC, ODD, *reversed(BLOWS), CLEAN))
    assert table(turned)["columns"] == ["odd", "loss", "pull", "push", "clean"]


def test_a_metric_that_no_row_has_is_no_column(tmp_path):
    made = board(lambda *_: {"clean": 90.0, "push": None}, tmp_path)
    assert table(made)["columns"] == ["clean"]


def test_a_card_that_names_no_metric_shows_the_first_three_that_judge(tmp_path):
    said = Metric(name="said", direction="none")
    others = [Metric(name=f"own{place}") for place in range(4)]
    made = board(
        lambda *_: {"said": 1.0} | {one.name: 1.0 for one in others},
        tmp_path,
        (ACC, said, *others),
    )
    assert table(made)["columns"] == ["own0", "own1", "own2"]
    alone = board(lambda *_: {"said": 1.0}, tmp_path, (ACC, said))
    assert table(alone)["columns"] == ["said"]


def test_a_row_names_the_metric_of_its_worst_mean_whichever_way_is_better(tmp_path):
    generator = np.random.default_rng(3)
    drawn = {
        (method, seed): dict(
            zip(("push", "pull", "loss"), generator.normal([1, 1, -1], 1), strict=True)
        )
        for method in METHODS
        for seed in range(3)
    }
    made = board(lambda *key: full(*key) | drawn[key], tmp_path)
    for method in METHODS:
        good = {
            name: mean(
                (-1 if name == "loss" else 1) * drawn[method, seed][name] for seed in range(3)
            )
            for name in ("push", "pull", "loss")
        }
        assert row(made, method)["worst"] == {"hardest blow": min(good, key=good.get)}
    assert len({row(made, method)["worst"]["hardest blow"] for method in METHODS}) > 1


def test_metrics_that_are_level_are_named_by_the_first_and_a_row_without_them_has_none(tmp_path):
    level = {"push": 2.0, "pull": 2.0, "loss": -2.0}

    def figure(method, seed):
        return {"odd": 0.0} if method == "n" else full(method, seed) | level

    made = board(figure, tmp_path)
    assert row(made, "m")["worst"] == {"hardest blow": "push and 2 more"}
    assert row(made, "n")["worst"] == {}
    assert "push and 2 more" in bench_render(made, "md")


def test_a_suspicion_is_told_with_the_seeds_that_it_rests_on_in_every_form_of_the_board(tmp_path):
    made = board(suspicious, tmp_path)
    assert row(made, "m")["warnings"] == ["odd figures suspected on 2 of 3 seeds"]
    assert row(made, "n")["warnings"] == []
    of_track, of_table = bench_render(made, "md").split("### up · a")
    assert "m: odd figures suspected on 2 of 3 seeds of up a." in of_track.splitlines()
    assert "m: odd figures suspected on 2 of 3 seeds." in of_table.splitlines()
    (line,) = (
        one
        for one in csv.DictReader(io.StringIO(bench_render(made, "csv")))
        if (one["task"], one["variant"], one["method"]) == ("up", "a", "m")
    )
    assert line["warnings"] == "odd figures suspected on 2 of 3 seeds"
    assert line["worst.hardest blow"] == "loss"


def test_a_seed_without_the_figure_is_not_among_those_that_a_suspicion_rests_on(tmp_path):
    made = board(
        lambda method, seed: full(method, seed) | {"odd": None if seed == 0 else 1.0}, tmp_path
    )
    assert row(made, "m")["warnings"] == ["odd figures suspected on 2 of 2 seeds"]


def test_a_board_without_a_flag_suspects_nothing(tmp_path):
    assert "suspected" not in bench_render(board(full, tmp_path), "md")


def test_hostile_words_of_a_metric_do_not_become_markup(tmp_path):
    hostile = "a|b `c` <i>"
    metrics = (ACC, replace(BLOWS[0], limits=hostile), replace(ODD, warns=hostile))
    text = bench_render(board(suspicious, tmp_path, metrics), "md")
    assert not any(piece in text for piece in ("a|b", "`c`", "<i>"))


def test_the_page_shows_the_columns_their_help_and_the_suspicion(tmp_path):
    for library in ("altair", "vl_convert"):
        pytest.importorskip(library, reason=f"{library} is not installed; run: make install")
    made, tasks = board(suspicious, tmp_path), cards(DECLARED)
    out = tmp_path / "out"
    out.mkdir()
    bench_publish(made, records(suspicious), out, {"tasks": tasks, "cards": CARDS, "page": True})
    text = (out / "tracks" / "demo.html").read_text()
    (part,) = re.findall(r'<details id="table-up-default-a-cpu".*?</details>', text, re.DOTALL)
    found = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', part)
    names = [re.sub(r"<[^>]*>|\?", "", one).strip() for one in found]
    assert names[:3] == ["Method", "acc ↑ [95 %]", "#"]
    start = names.index("clean ↑")
    assert names[start : start + 6] == [
        *("clean ↑", "push ↑", "pull ↑", "loss ↓", "odd"),
        "Hardest blow",
    ]
    assert names[-1] == "Remarks"
    shown = {
        method: re.findall(r"<td.*?>(.*?)</td>", cells)
        for method, cells in re.findall(
            r'<tr><th scope="row">(?:<b>)?(\w+).*?</th>(.*?)</tr>', part
        )
    }
    assert shown["m"][names.index("Hardest blow") - 1] == "loss"
    assert shown["m"][-1] == "odd figures suspected on 2 of 3 seeds"
    assert shown["n"][-1] == ""
    assert "m: odd figures suspected on 2 of 3 seeds." in part
    (target,) = re.findall(r'popovertarget="([^"]+)"', found[names.index("push ↑")])
    (said,) = re.findall(rf'<div id="{target}" class="help-text" popover>(.*?)</div>', text)
    assert said == "Push of the hammer. Mean over seeds, higher is better."
    assert '<li class="warn">m: odd figures suspected on 2 of 3 seeds of up a.</li>' in text


@pytest.mark.parametrize("track", ["adversarial", "recipes", "ood-detection"])
def test_the_columns_of_a_built_in_task_are_metrics_that_its_records_hold(track):
    for task, card in Registry().cards().items():
        for file in RECORDS.glob(f"{task.replace('/', '.')}.jsonl") if card.track == track else ():
            held = {name for _, one in records_of(file) for name in one.metrics}
            assert {one.name for one in card.metrics if one.shown} <= held, task


def test_the_committed_records_with_masked_gradients_are_told_on_the_board_and_so_is_each_attack():
    flagged = defaultdict(list)
    attacks = ("fgsm", "pgd20", "pgd50", "apgd_ce", "apgd_dlr", "targeted", "square")
    for _, one in records_of(RECORDS / "adversarial.robust-digits.jsonl"):
        if one.variant == "eps25" and one.status == "ok":
            flagged[one.method].append(one.metrics["masked"] > 0)
            assert one.metrics["robust"] <= min(one.metrics[name] for name in attacks)
    wanted = {
        f"{method}: masked gradients suspected on {sum(signs)} of {len(signs)} seeds."
        for method, signs in flagged.items()
        if any(signs)
    }
    call = ["leaderboard", "--results", RECORDS, "--task", "robust-digits", "--no-stale"]
    done = CliRunner().invoke(main, list(map(str, call)))
    assert done.exit_code == 0, done.output
    lines = done.stdout.partition("robust-digits · eps25")[2].splitlines()
    assert {line for line in lines if "suspected" in line} == wanted
    assert "strongest attack" in next(line for line in lines if line.startswith("|"))
    assert all(name in done.stdout for name in attacks)
