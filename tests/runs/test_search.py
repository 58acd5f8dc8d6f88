"""``--tune``: parameters are chosen on held-out training data alone, among
settings and seeds that the record states.
"""

import json
import shlex

import msgspec
import pytest
import torch
from bench.builtin.tasks.noisy_labels.noisy_digits import NoisyDigits

from bench.cards import Metric, Preset, TaskCard
from bench.errors import UsageError
from bench.plugins.registry import Registry
from bench.runs.driver import Driver
from bench.runs.make_record import record_of
from bench.runs.plan import NotRun, Request, make_plan
from bench.runs.result import Result
from bench.runs.search import FIRST_SEED, chosen, searches
from bench.runs.store import Store

METHOD = '''
from typing import ClassVar
import torch
from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod, Solution

class Always(NoisyLabelMethod):
    """Say one class, whatever comes."""
    card: ClassVar = MethodCard(name="always", title="One class", track="noisy-labels", tuning={"digit": (1, 2, 3), "more": (0.0, 1.0)})
    digit: int = 0
    more: float = 0.0

    def solve(self, problem, run):
        if self.digit == 9:
            raise ValueError("nine")
        return Solution(model=lambda x: torch.nn.functional.one_hot(torch.full((len(x),), self.digit), 10).float())
'''


@pytest.fixture
def always(tmp_path):
    (tmp_path / "always.py").write_text(METHOD)
    return str(tmp_path / "always.py")


def plan_of(path, method, preset="default", **options):
    request = Request(
        **{
            "methods": (method,),
            "tasks": ("noisy-digits",),
            "preset": preset,
            "variants": ("sym40",),
            "seeds": "4",
            **options,
        }
    )
    return make_plan(request, Registry(paths=[path]))


def settings(path, method, count):
    found, _ = searches(plan_of(path, method), count)
    return [trial["digit"] for trial in found[0].trials]


def test_alternatives_of_the_command_line_are_the_settings(always):
    found, rest = searches(plan_of(always, "always[digit=4|2|7]"), 9)
    assert [trial["digit"] for trial in found[0].trials] == [4, 2, 7]
    assert [cell.spec.seed for cell in found[0].cells] == [0, 1, 2, 3]
    assert rest.cells == []


def test_else_the_card_says_what_may_be_tried_beside_the_defaults(always):
    found, _ = searches(plan_of(always, "always"), 99)
    assert [(trial["digit"], trial["more"]) for trial in found[0].trials] == [
        (0, 0.0),
        (1, 0.0),
        (1, 1.0),
        (2, 0.0),
        (2, 1.0),
        (3, 0.0),
        (3, 1.0),
    ]
    found, _ = searches(plan_of(always, "always[digit=5]"), 99)
    assert [(trial["digit"], trial["more"]) for trial in found[0].trials] == [(5, 0.0), (5, 1.0)]


def test_a_search_knows_the_space_of_the_card_and_that_alternatives_by_hand_are_none(always):
    assert [
        searches(plan_of(always, method), 3)[0][0].space
        for method in ("always", "always[digit=5]", "always[digit=4|2|7]")
    ] == [7, 0, 0]


@pytest.mark.parametrize(
    ("method", "count"),
    [
        ("always", 3),
        ("always", 99),
        ("always[digit=5]", 4),
        ("always[digit=4|2|7,more=0|1]", 4),
        ("always[digit=4|2]", 9),
    ],
)
def test_the_command_of_a_tuned_cell_makes_the_same_cell(always, method, count):
    from bench.runs.rerun import Again, kept

    registry = Registry(paths=[always])

    def final(search):
        records = {cells[0].spec.cell: 1 for cells in search.runs()}
        tuning = {
            "metric": search.metric.name,
            "split": {"holdout": 0.2},
            "seeds": search.seeds,
            "trials": search.trials,
            "space": search.space,
            "n": len(records),
        }
        cell = search.cells[0]
        return msgspec.structs.replace(
            cell, spec=msgspec.structs.replace(cell.spec, params=search.trials[-1], tuning=tuning)
        )

    cell = final(searches(plan_of(always, method), count)[0][0])
    words = shlex.split(kept(cell, registry, Again()))
    named = tuple(words[place + 1] for place, word in enumerate(words) if word == "--method")
    again = searches(
        plan_of(always, "", methods=named, seeds="0-0"), int(words[words.index("--tune") + 1])
    )[0][0]
    assert final(again).spec.cell == cell.spec.cell
    assert len(named) == (1 if method == "always" else len(cell.spec.tuning["trials"]))


def test_of_more_settings_than_n_the_first_and_the_same_sample_are_tried(always):
    few = settings(always, "always[digit=8|1|2|3|4|5|6|7]", 3)
    assert (few[0], len(set(few)), few) == (
        8,
        3,
        settings(always, "always[digit=8|1|2|3|4|5|6|7]", 3),
    )


def test_a_method_without_alternatives_runs_as_it_is(always):
    found, rest = searches(
        plan_of(always, "always[digit=1|2],ce".split(",")[0], methods=("always[digit=1|2]", "ce")),
        5,
    )
    assert len(found) == 1
    assert {cell.spec.method for cell in rest.cells} == {"ce"}
    with pytest.raises(UsageError, match="nothing to choose from"):
        searches(plan_of(always, "ce"), 5)


def test_trials_hold_out_training_data_and_have_seeds_of_their_own(always):
    found, _ = searches(plan_of(always, "always[digit=1|2]"), 5)
    runs = found[0].runs()
    assert [[cell.spec.seed for cell in cells] for cells in runs] == [
        [FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 2]
    ] * 2
    spec = runs[0][0].spec
    assert (spec.task_params["holdout"], spec.variant, runs[0][0].custom) == (
        0.2,
        "sym40[holdout=0.2]",
        True,
    )
    assert "holdout" not in found[0].cells[0].spec.task_params
    typed = make_plan(
        Request(
            methods=("always[digit=1]",),
            tasks=("noisy-digits[holdout=.2]",),
            variants=("sym40",),
            seeds=f"{FIRST_SEED}-{FIRST_SEED}",
        ),
        Registry(paths=[always]),
    )
    assert typed.cells[0].spec == spec
    with pytest.raises(UsageError, match=f"--seeds holds {FIRST_SEED}"):
        searches(plan_of(always, "always[digit=1|2]", seeds=f"{FIRST_SEED}-{FIRST_SEED}"), 5)


@pytest.mark.parametrize(
    ("scores", "best"), [([1.0, 3.0, 2.0], 1), ([2.0, 2.0, 1.0], 0), ([None, 1.0, 2.0], 2)]
)
def test_the_best_mean_is_chosen_and_the_first_of_equals(always, tmp_path, scores, best):
    registry = Registry(paths=[always])
    found, _ = searches(plan_of(always, "always[digit=4|5|6]"), 5)
    keys = Driver(registry, Store(tmp_path / "r")).keys
    records = {}
    for cells, score in zip(found[0].runs(), scores, strict=True):
        for position, cell in enumerate(cells):
            failing = score is None and position == 2  # two of three seeds: no score, however good
            result = (
                Result(status="failed", error={"type": "E", "message": "m"})
                if failing
                else Result(
                    status="ok",
                    metrics={
                        "acc_val": 9.0 if score is None else score + position,
                        "acc_last": -score if score else 0.0,
                    },
                    cost={"solve_s": 2.0},
                )
            )
            records[cell.spec.cell] = record_of(keys.of(cell), result)
    final = chosen(found[0], records)
    tuning = final[0].spec.tuning
    assert [cell.spec.params["digit"] for cell in final] == [[4, 5, 6][best]] * 4
    assert tuning["scores"] == [None if score is None else score + 1 for score in scores]
    assert (tuning["chosen"], tuning["metric"], tuning["split"], tuning["seeds"][0]) == (
        best,
        "acc_val",
        {"holdout": 0.2},
        FIRST_SEED,
    )
    assert tuning["seconds"] == pytest.approx(
        2.0 * sum(record.status == "ok" for record in records.values())
    )
    assert [len(names) for names in tuning["records"]] == [3, 3, 3]
    assert all(cell.custom for cell in final)
    less = chosen(found[0], {})
    assert isinstance(less, NotRun)
    assert less.status == "not_tuned"


def test_a_tuned_cell_is_not_that_of_the_same_parameters_given_and_depends_on_how_it_was_tuned_alone(
    always,
):
    spec = plan_of(always, "always").cells[0].spec
    tuned = msgspec.structs.replace(
        spec,
        tuning={
            "metric": "acc_val",
            "split": {"holdout": 0.2},
            "seeds": [1],
            "trials": [{}],
            "scores": [1.0],
            "chosen": 0,
        },
    )
    again = msgspec.structs.replace(
        spec, tuning={**tuned.tuning, "scores": [2.0], "records": ["x"], "seconds": 3.0}
    )
    other = msgspec.structs.replace(spec, tuning={**tuned.tuning, "trials": [{}, {}]})
    assert len({spec.cell, tuned.cell, other.cell}) == 3
    assert (tuned.cell, tuned.group) == (again.cell, again.group)


def test_a_task_without_a_validation_score_says_so(bench_call, mock_folder):
    found = bench_call(
        "run",
        "--method",
        "least-squares[fail_seed=7|8]",
        "--task",
        "line",
        "--tune",
        "2",
        "--plugins",
        mock_folder,
        "--device",
        "cpu",
    )
    assert found.code == 2
    assert (
        "line has no validation score, so --tune can't choose parameters on it; leave --tune out"
        in found.err
    )


def test_a_card_with_a_validation_metric_says_how_it_is_computed():
    with pytest.raises(ValueError, match="must mark one metric as validation if it has 'tuning'"):
        TaskCard(
            name="t",
            title="t",
            track="t",
            metrics=(Metric(name="a", primary=True), Metric(name="v", validation=True)),
            presets={"smoke": Preset(variants={"v": {}})},
        )


@pytest.fixture
def bench_call(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from click.testing import CliRunner

    from bench.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        found = CliRunner().invoke(main, [str(argument) for argument in arguments])
        return SimpleNamespace(code=found.exit_code, out=found.stdout, err=found.stderr)

    return call


def test_a_tuned_row_is_shown_marked_and_not_ranked_and_its_record_states_the_budget(
    bench_call, always
):
    arguments = (
        "--task",
        "noisy-digits",
        "--preset",
        "smoke",
        "--device",
        "cpu",
        "--executor",
        "inline",
        "--seeds",
        "2",
        "--plugins",
        always,
    )
    call = ("run", "--method", "ce,always[digit=9|3|5]", "--tune", "3", *arguments, "--json")
    planned = json.loads(bench_call(*call, "--dry-run").out)["cells"]
    assert sorted((row["method"], row["variant"], row["to_run"]) for row in planned) == [
        ("always", "sym40[holdout=0.2]", 1)
    ] * 3 + [("ce", "sym40", 2)]
    found = bench_call(*call)
    assert (
        "failed: noisy-digits sym40[holdout=0.2] always seed 1000000: ValueError: the method's "
        "solve failed: nine"
    ) in found.err
    records = [
        record for record in json.loads(found.out)["records"] if record["method"] == "always"
    ]
    assert found.code == 0
    tuning = records[0]["tuning"]
    assert (len(records), tuning["scores"][0], [trial["digit"] for trial in tuning["trials"]]) == (
        2,
        None,
        [9, 3, 5],
    )
    assert records[0]["params"]["digit"] == tuning["trials"][tuning["chosen"]]["digit"]
    assert tuning["scores"][tuning["chosen"]] == max(tuning["scores"][1:])
    board = json.loads(bench_call("leaderboard", "--json", "--plugins", always).out)
    assert board["notes"] == ["3 trial runs of --tune are left out."]
    assert len(board["tables"]) == 1
    row = next(row for row in board["tables"][0]["rows"] if row["tuned"])
    assert (row["place"], row["tuned"]["trials"], row["method"].endswith(" (tuned)")) == (
        None,
        3,
        True,
    )
    assert "chosen among 3 settings by acc_val on held-out training data" in row["why"]
    assert "acc_val" not in row["metrics"]
    again = json.loads(bench_call(*call, "--dry-run").out)["cells"]
    # the failed trial is tried again
    assert [(row["recorded"], row["to_run"]) for row in again if row["method"] == "always"][:1] == [
        (0, 1)
    ]


def test_a_held_out_case_has_no_test_row_and_no_true_label():
    from bench.runs.context import Setup

    class Tools:
        def dataset(self, run, name, params):
            from bench.builtin.datasets.digits import Digits

            return Digits().load(run)

    def case(holdout, seed=0):
        run = Setup(
            seed=seed, task="t", method="m", device=torch.device("cpu"), workdir=None, tools=Tools()
        )
        return NoisyDigits(holdout=holdout).prepare(run)

    whole, part = case(0.0), case(0.25)
    rows = torch.cat([part.problems[0].x, part.hidden.x_test])
    order = [row.tolist() for row in whole.problems[0].x.flatten(1)]
    assert sorted(row.tolist() for row in rows.flatten(1)) == sorted(order)
    given = dict(zip(map(str, order), whole.problems[0].y.tolist(), strict=True))
    labels = torch.cat([part.problems[0].y, part.hidden.y_test]).tolist()
    assert [given[str(row.tolist())] for row in rows.flatten(1)] == labels
    assert torch.equal(part.hidden.y_true, part.problems[0].y)
    assert len(part.hidden.y_test) == round(0.25 * len(order))
    shares = torch.bincount(part.hidden.y_test, minlength=10) / torch.bincount(
        whole.problems[0].y, minlength=10
    )
    assert (shares - 0.25).abs().max() < 0.02
    assert not torch.equal(case(0.25, seed=1).hidden.x_test, part.hidden.x_test)
