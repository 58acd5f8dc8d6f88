"""Label errors among time series and sentences: what moves where, and that the presets run."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.control_charts import SHAPES, ControlCharts
from bench.builtin.datasets.snippets import Snippets
from bench.builtin.methods.label_errors.knn_vote import NeighbourVote
from bench.builtin.tasks.label_errors._metrics import ranking
from bench.builtin.tasks.label_errors.errors_charts import ErrorsCharts
from bench.builtin.tasks.label_errors.errors_snippets import ErrorsSnippets
from bench.builtin.tasks.noisy_labels._noise import transitions
from real_runs import outcome
from serving import Serving

from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup


@pytest.fixture
def run_of(tmp_path):
    def make(kind, data=None):
        return kind(
            seed=0,
            task="label-errors/x",
            method="label-errors/m",
            device=torch.device("cpu"),
            workdir=tmp_path,
            tools=Serving(data),
            artifacts=Artifacts(tmp_path / "cache"),
        )

    return make


def variant(task, name):
    found = task.card.presets["default"]
    return task.make({**found.params, **found.variants[name]})


def found_by_neighbours(case, run):
    bad = (case.problems[0].y != case.hidden.y_true).numpy()
    suspicion = NeighbourVote().solve(case.problems[0], run).suspicion.numpy()
    return ranking(suspicion, bad), 100 * bad.mean()


def test_labels_of_charts_move_between_trend_and_shift_of_one_direction(run_of):
    data = ControlCharts().load(run_of(Setup))
    case = variant(ErrorsCharts, "asym40").prepare(run_of(Setup, data))
    counts = transitions(case.hidden.y_true.numpy(), case.problems[0].y.numpy(), 6)
    off = {(SHAPES[a], SHAPES[b]): int(counts[a, b]) for a, b in np.argwhere(counts) if a != b}
    assert off == {
        ("rising", "shifted up"): 100,
        ("shifted up", "rising"): 100,
        ("falling", "shifted down"): 100,
        ("shifted down", "falling"): 100,
    }
    assert case.problems[0].x.shape == (1500, 1, 60)


def test_wrong_labels_of_charts_can_be_found_and_those_of_look_alikes_less_well(run_of):
    data = ControlCharts().load(run_of(Setup))
    reached = {}
    for name in ("sym40", "asym40"):
        case = variant(ErrorsCharts, name).prepare(run_of(Setup, data))
        reached[name], rate = found_by_neighbours(case, run_of(Run))
        assert reached[name]["ap"] > rate + 15
    assert reached["sym40"]["auroc"] > reached["asym40"]["auroc"] + 5


def test_wrong_labels_of_sentences_can_be_found_from_their_words(real, run_of):
    task = msgspec.structs.replace(variant(ErrorsSnippets, "sym20"), n_train=1500)
    case = task.prepare(run_of(Setup, real(Snippets())))
    found, rate = found_by_neighbours(case, run_of(Run))
    assert rate == pytest.approx(20, abs=0.2)
    assert found["ap"] > rate + 5


def test_the_smoke_presets_of_series_and_ranks_run(capsys, tmp_path):
    names = "errors-charts,errors-digits-ranks"
    code, out, err = outcome(
        capsys,
        "--method",
        "knn-vote",
        "--task",
        names,
        "--preset",
        "smoke",
        "--no-flops",
        "--results",
        tmp_path,
    )
    assert code == 0, err
    for name in names.split(","):
        assert f"### {name} · " in out


def test_the_smoke_preset_of_sentences_runs(real, capsys, tmp_path):
    real(Snippets())
    code, out, err = outcome(
        capsys,
        "--method",
        "aum",
        "--task",
        "errors-snippets",
        "--preset",
        "smoke",
        "--no-flops",
        "--results",
        tmp_path,
    )
    assert code == 0, err
    assert "### errors-snippets · " in out
