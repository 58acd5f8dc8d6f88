"""The five ways to cheat, planted as methods, and the accidents that make a number worthless."""

from __future__ import annotations

import textwrap
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from bench.errors import InvalidRun
from bench.runs import guard
from bench.training import state

HEAD = """
from __future__ import annotations

import os
import random
from typing import ClassVar

import numpy as np
import torch
from bench import Method, MethodCard
from bench.tracks.noisy_labels import Solution

SEEN = {seen!r}


def note(text):
    with open(SEEN, "a") as file:
        file.write(str(text) + chr(10))


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)
        self.norm = torch.nn.BatchNorm1d(10)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(self.layer(x.flatten(1))))


class Planted(Method):
    card: ClassVar = MethodCard(name="planted", title="Planted", track="noisy-labels", stacked={stacked})

    def solve(self, problem, run):
        with run.seeded("init"):
            model = Line()
{body}
        return Solution(model=model)

    def solve_stacked(self, problems, runs):
        return [self.solve(problem, run) for problem, run in zip(problems, runs)]
"""


@pytest.fixture
def plant(tmp_path, run_plan):
    """Run a method whose ``solve`` holds the given lines on noisy-digits;
    return its record and what it noted.
    """

    def call(body, *, stacked=False, seeds="1", head="", **request):
        file, seen = tmp_path / "planted.py", tmp_path / "seen.txt"
        file.write_text(
            HEAD.format(
                seen=str(seen),
                stacked=stacked,
                body=textwrap.indent(textwrap.dedent(body), " " * 8),
            )
            + head
        )
        ran = run_plan(
            paths=[str(file)],
            methods=("planted",),
            tasks=("noisy-digits",),
            preset="smoke",
            seeds=seeds,
            **request,
        )
        return ran.records, seen.read_text().splitlines() if seen.exists() else []

    return call


def test_a_harmless_method_passes_so_the_plants_below_fail_for_their_own_reason(plant):
    records, _ = plant("run.report(1, model)")
    assert [record.status for record in records] == ["ok"]
    assert records[0].warnings == []


# The five cheats -------------------------------------------------------------------


def test_cheat_by_field_the_problem_has_none_with_the_truth(plant):
    records, seen = plant("note(sorted(problem.__struct_fields__)); problem.y_true")
    assert records[0].status == "failed"
    assert "y_true" in records[0].error.message
    assert seen == [
        (
            "['batch_size', 'crop', 'epochs', 'flip', 'lr', 'momentum', 'n_classes', 'net', "
            "'noise_rate', 'precision', 'schedule', 'weight_decay', 'widths', 'x', 'y']"
        )
    ]


def test_cheat_by_data_set_a_run_has_none(plant):
    records, _ = plant("run.dataset('digits')")
    assert records[0].status == "failed"
    assert "no attribute 'dataset'" in records[0].error.message


def test_cheat_by_need_what_was_not_asked_for_is_none(plant):
    _, seen = plant("note(problem.noise_rate)")
    assert seen == ["None"]


def test_cheat_by_cache_the_recipe_of_the_task_gives_the_method_its_own_artifact(
    run_plan, tmp_path, mock_folder, monkeypatch, with_kernels
):
    monkeypatch.setenv("BENCH_CACHE", str(with_kernels(tmp_path / "cache")))
    thief, seen = tmp_path / "thief.py", tmp_path / "seen.txt"
    thief.write_text(
        "import torch\nfrom typing import ClassVar\nfrom bench import Method, MethodCard\n\n"
        "class Thief(Method):\n    card: ClassVar = MethodCard(name='thief', title='Thief', "
        "track='mock-unlearning')\n\n"
        "    def solve(self, problem, run):\n"
        "        for what in ('original', 'oracle'):\n"
        "            got = run.cached({'what': what, 'seed': run.seed, 'k': 0}, lambda child: "
        "{'w': torch.full((6,), 7.0)})[0]['w']\n"
        f"            open({str(seen)!r}, 'a').write(str(set(got.tolist())))\n"
        "        return problem.original.clone()\n"
    )
    request = {
        "tasks": ("forget-rows",),
        "preset": "smoke",
        "seeds": "0-0",
        "paths": [mock_folder, str(thief)],
    }
    run_plan(methods=("keep",), **request)  # the task's artifacts lie in the cache now
    record = run_plan(methods=("thief",), **request).records[0]
    assert record.status == "ok"
    assert seen.read_text() == "{7.0}" * 8  # two recipes for each of four problems


def test_cheat_by_report_it_returns_nothing_and_what_a_model_kept_is_wiped(plant):
    records, seen = plant(
        """
        kept = []
        class Keeper(torch.nn.Module):
            def forward(self, x):
                kept.append(x)
                return torch.zeros(len(x), 10)
        note(run.report(1, Keeper()))
        note(len(kept))
        note([float(x.abs().sum()) for x in kept])
        """
    )
    assert records[0].status == "ok"
    returned, shown, sums = seen
    assert returned == "None"
    assert int(shown) >= 1
    assert set(eval(sums)) == {0.0}


def test_a_report_moves_neither_random_streams_nor_batchnorm_nor_the_mode(plant):
    records, seen = plant(
        """
        model.train()
        model.norm.eval()
        torch.rand(1), np.random.random(), random.random()
        def everything():
            return (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate(), model.norm.running_mean.tolist(),
                    [module.training for module in model.modules()], torch.is_grad_enabled())
        before = everything()
        class Rolls(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = model
            def forward(self, x):
                note(("inside", self.inner.drop.training, torch.is_grad_enabled()))
                torch.rand(1), np.random.random(), random.random()
                return self.inner(x)
        rolls = Rolls()
        rolls.training = False
        before = everything()
        run.report(1, rolls)
        note(before == everything())
        note(model.training)
        """
    )
    assert records[0].status == "ok"
    assert set(seen[:-2]) == {"('inside', False, False)"}
    assert seen[-2:] == ["True", "True"]


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (
            "NoisyLabelTask.evaluate",
            "import bench.builtin.tasks.noisy_labels._task as home; home.NoisyLabelTask.evaluate "
            "= lambda *_: None",
        ),
        (
            "NoisyDigits.evaluate",
            "import bench.builtin.tasks.noisy_labels.noisy_digits as home; "
            "home.NoisyDigits.evaluate = lambda *_: None",
        ),
        ("torch.argmax", "torch.argmax = lambda *a, **b: 0"),
        ("torch.Tensor.argmax", "torch.Tensor.argmax = lambda *a, **b: 0"),
        (
            "bench.training.state.predict",
            "import bench.training.state as home; home.predict = lambda model, x: x",
        ),
        (
            "bench.builtin.tasks.noisy_labels._task.predict",
            "import bench.builtin.tasks.noisy_labels._task as home; home.predict = lambda model, "
            "x: x",
        ),
    ],
)
def test_cheat_by_patching_the_evaluator_is_invalid_and_named_and_undone(plant, what, code):
    import bench.builtin.tasks.noisy_labels._task as task

    before = (
        torch.argmax,
        torch.Tensor.argmax,
        state.predict,
        task.predict,
        task.NoisyLabelTask.evaluate,
    )
    records, _ = plant(code)
    assert records[0].status == "invalid"
    assert (
        f"{what} was replaced during the run; a method may not change the code that scores it."
        in records[0].error.message
    )
    assert before == (
        torch.argmax,
        torch.Tensor.argmax,
        state.predict,
        task.predict,
        task.NoisyLabelTask.evaluate,
    )


def test_a_patch_is_not_taken_for_the_original_when_a_failed_stack_is_tried_again(plant):
    records, _ = plant(
        "global FAKE\nFAKE = globals().get('FAKE') or (lambda *a, **b: 0)\ntorch.argmax = FAKE",
        stacked=True,
        seeds="2",
        parallel=1,
    )
    assert [record.status for record in records] == ["invalid", "invalid"]


def test_a_patched_helper_of_the_plugin_that_brings_the_task_is_noticed_too(
    run_plan, tmp_path, mock_folder
):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(mock_folder, copy)
    file = copy / "methods" / "regression" / "fits.py"
    file.write_text(
        file.read_text().replace(
            "        return Fitted(slope=0.0",
            "        from ... import contracts\n\n        contracts.note_build = print\n        "
            "return Fitted(slope=0.0",
        )
    )
    record = run_plan(
        paths=[str(copy)], methods=("constant",), tasks=("line",), preset="smoke", seeds="1"
    ).records[0]
    assert record.status == "invalid"
    assert "contracts.note_build was replaced" in record.error.message


# Accidents ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("problem.x.add_(1)", "the method changed its input problem.x; work on a copy"),
        ("problem.y[0] = (problem.y[0] + 1) % 10", "the method changed its input problem.y"),
        ("torch.set_num_threads(2)", "the method changed threads from 1 to 2"),
        (
            "torch.set_default_dtype(torch.float64)",
            "the method changed dtype from torch.float32 to torch.float64",
        ),
        ("os.chdir('/')", "the method changed folder"),
        (
            "run.report(2, model); run.report(2, model)",
            "reported step 2 after step 2; steps must grow",
        ),
        (
            "run.report(2, model); run.report(1, model)",
            "reported step 1 after step 2; steps must grow",
        ),
    ],
)
@pytest.mark.parametrize("stacked", [False, True], ids=["single", "stacked"])
def test_an_accident_that_makes_the_number_worthless_is_invalid_and_says_why(
    plant, code, message, stacked
):
    records, _ = plant(code, stacked=stacked)
    assert records[0].status == "invalid"
    assert records[0].metrics == {}
    assert message in records[0].error.message


@pytest.mark.parametrize("call", ["torch.manual_seed", "numpy.random.seed", "random.seed"])
def test_reseeding_a_global_stream_is_invalid_and_names_the_call(plant, call):
    records, _ = plant(call.replace("numpy", "np") + "(0)")
    assert records[0].status == "invalid"
    assert (
        f"the method called {call}, which changes the random streams of all"
        in records[0].error.message
    )


@pytest.mark.parametrize(
    "call", ["torch.rand(1)", "np.random.random()", "random.random()", "torch.manual_seed(0)"]
)
def test_a_stack_that_draws_from_a_global_stream_is_invalid_and_alone_it_may(plant, call):
    stacked, _ = plant(call, stacked=True)
    assert stacked[0].status == "invalid"
    assert "random streams" in stacked[0].error.message
    single, _ = plant(call)
    assert single[0].status == ("invalid" if "seed" in call else "ok")


def test_what_an_invalid_run_did_to_the_process_does_not_reach_the_next_run(plant):
    folder = Path.cwd()
    records, _ = plant(
        "if run.seed == 0: torch.set_default_dtype(torch.float64); os.chdir('/'); raise ValueError",
        seeds="2",
    )
    assert [record.status for record in records] == ["failed", "ok"]
    assert records[1].provenance["flags"]["dtype"] == "torch.float32"
    assert "folder" not in records[1].provenance["flags"]
    assert (torch.get_default_dtype(), Path.cwd()) == (torch.float32, folder)


@pytest.mark.parametrize(
    ("value", "status"),
    [("float('nan')", "invalid"), ("float('inf')", "invalid"), ("None", "ok"), ("1", "ok")],
)
def test_a_figure_of_the_curve_is_finite_or_none(run_plan, tmp_path, mock_folder, value, status):
    record = _changed_line(
        run_plan,
        tmp_path,
        mock_folder,
        "    def evaluate(",
        f"    def watch(self, case, k, step, model):\n        return Watched({{'s': "
        f"{value}}})\n\n    def evaluate(",
    )
    assert record.status == status


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '{"rmse": rmse,',
            '{"rmse": float("nan"),',
            "the task gives rmse = nan, which is not finite",
        ),
        ('{"rmse": rmse,', '{"rmse": -float("inf"),', "the task gives rmse = -inf"),
        (
            '{"rmse": rmse,',
            '{"rmse": rmse, "rmsee": 1.0,',
            "the task reports 'rmsee', which its card does not declare",
        ),
        ('{"rmse": rmse,', '{"rmse": None,', "no value for its primary metric 'rmse'"),
    ],
)
def test_a_metric_that_is_no_figure_or_not_declared_is_invalid(
    run_plan, tmp_path, mock_folder, old, new, message
):
    record = _changed_line(run_plan, tmp_path, mock_folder, old, new)
    assert record.status == "invalid"
    assert message in record.error.message


def _changed_line(run_plan, tmp_path, mock_folder, old, new):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(mock_folder, copy)
    methods, file = (
        copy / "methods" / "regression" / "fits.py",
        copy / "tasks" / "regression" / "line.py",
    )
    assert old in file.read_text()
    file.write_text(
        file.read_text().replace(old, new).replace("TaskCard\n", "TaskCard, Watched\n", 1)
    )
    methods.write_text(
        methods.read_text().replace(
            "        return Fitted(slope=0.0",
            "        run.report(1, None)\n        return Fitted(slope=0.0",
        )
    )
    return run_plan(
        paths=[str(copy)], methods=("constant",), tasks=("line",), preset="smoke", seeds="1"
    ).records[0]


def test_a_data_set_that_the_card_does_not_list_is_refused(run_plan, tmp_path, mock_folder):
    record = _changed_line(
        run_plan,
        tmp_path,
        mock_folder,
        'generator = run.numpy_generator("corruption")',
        'run.dataset("digits")\n        generator = None',
    )
    assert record.status == "failed"
    assert "'digits', which its card does not list" in record.error.message


# A spy -------------------------------------------------------------------------------------

SPY = '''

def walk(roots, depth=5):
    """Yield every array reachable from ``roots`` by public attributes and items of containers."""
    queue, seen = [(root, 0) for root in roots], set()
    while queue:
        thing, level = queue.pop()
        if id(thing) in seen or isinstance(thing, (str, bytes, int, float, bool, type(None), type)):
            continue
        seen.add(id(thing))
        KEEP.append(thing)
        if isinstance(thing, (torch.Tensor, np.ndarray)):
            yield torch.as_tensor(thing)
            continue
        if level == depth:
            continue
        if isinstance(thing, dict):
            queue += [(item, level + 1) for item in (*thing.keys(), *thing.values())]
        elif isinstance(thing, (list, tuple, set, frozenset)):
            queue += [(item, level + 1) for item in thing]
        for name in dir(thing):
            if not name.startswith("_"):
                try:
                    queue.append((getattr(thing, name), level + 1))
                except Exception:
                    pass


KEEP = []


def spy(roots):
    found = [array.detach().double().flatten() for array in walk(roots)]
    torch.save([part.clone() for part in found], SEEN + ".pt")
'''


def _hidden_of_smoke():
    """Prepare noisy-digits smoke seed 0 by hand and return what is hidden of it."""
    from bench.plugins.registry import Registry
    from bench.plugins.source import import_target
    from bench.runs.context import Setup
    from bench.runs.plan import Request, make_plan
    from bench.runs.tools import Tools

    registry = Registry()
    spec = (
        make_plan(Request(methods=("ce",), tasks=("noisy-digits",), preset="smoke"), registry)
        .cells[0]
        .spec
    )
    task = import_target(registry.one("task", "noisy-digits").target).make(spec.task_params)
    data = import_target(registry.get("dataset", "digits").target)

    class _Serving(Tools):
        def dataset(self, run, name, params):
            return data().load(run)

    run = Setup(
        seed=spec.seed,
        task="noisy-labels/noisy-digits",
        method="x",
        device=torch.device("cpu"),
        workdir=Path(),
        tools=_Serving(),
    )
    case = task.prepare(run)
    return case, case.hidden


def _secrets(hidden):
    return {
        "clean labels": hidden.y_true.double().flatten(),
        "test labels": hidden.y_test.double().flatten(),
        **{f"test row {n}": row.double().flatten() for n, row in enumerate(hidden.x_test)},
    }


def _found(arrays, secrets):
    """Name the secrets that are an array of ``arrays``, or a stretch of
    one that begins at a multiple of its length.
    """
    names = []
    for name, secret in secrets.items():
        for array in arrays:
            whole = (
                array[: len(array) // len(secret) * len(secret)].view(-1, len(secret))
                if len(array) >= len(secret)
                else array[None, :0]
            )
            if whole.shape[1] == len(secret) and bool((whole == secret).all(1).any()):
                names.append(name)
                break
    return names


def test_a_spy_that_walks_all_it_can_reach_finds_nothing_hidden(plant, tmp_path):
    case, hidden = _hidden_of_smoke()
    records, _ = plant("spy([problem, run])", head=SPY)
    assert records[0].status == "ok", records[0].error
    arrays = torch.load(tmp_path / "seen.txt.pt")
    problem = case.problems[0]
    visible = {"given labels": problem.y.double(), "inputs": problem.x.double().flatten()}
    # the walker does reach what is shown, and it is this case
    assert _found(arrays, visible) == ["given labels", "inputs"]
    assert not torch.equal(problem.y, hidden.y_true)
    assert _found(arrays, _secrets(hidden)) == []


@pytest.mark.parametrize("where", ["run.workdir", "run.device", "attribute"])
def test_the_spy_would_find_a_planted_secret(plant, tmp_path, where):
    _, hidden = _hidden_of_smoke()
    torch.save([hidden.y_true.to(torch.int16), hidden.x_test[3:5]], tmp_path / "secret.pt")
    how = {
        "run.workdir": "run.workdir = {'deep': [(secret[0],)]}",
        "run.device": "run.device = [secret]",
        "attribute": "run.extra = lambda: 0; run.extra.deep = secret",
    }[where]
    plant(
        f"secret = torch.load({str(tmp_path / 'secret.pt')!r})\n{how}\nspy([problem, run])",
        head=SPY,
    )
    found = _found(torch.load(tmp_path / "seen.txt.pt"), _secrets(hidden))
    assert found == (
        ["clean labels"] if where == "run.workdir" else ["clean labels", "test row 3", "test row 4"]
    )


# Fingerprints --------------------------------------------------------------------------------


class Inner(msgspec.Struct):
    t: torch.Tensor


class Outer(msgspec.Struct):
    items: list
    table: dict


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.items[0].t.add_(1),
        lambda value: value.items.append(1),
        lambda value: value.table.update(a=np.ones(3)),
        lambda value: value.table["net"].weight.data.mul_(2),
        lambda value: value.table["half"].mul_(2),
        lambda value: value.table["sparse"].mul_(2),
        lambda value: value.items.__setitem__(1, "other"),
    ],
)
def test_a_change_anywhere_inside_a_problem_is_noticed(change):
    torch.manual_seed(0)
    sparse = torch.tensor([[0.0, 1.0]]).to_sparse()
    value = Outer(
        [Inner(torch.zeros(2)), "text"],
        {
            "a": np.zeros(3),
            "net": torch.nn.Linear(2, 2),
            "half": torch.ones(3, dtype=torch.bfloat16),
            "sparse": sparse,
        },
    )
    before = guard.fingerprints(value)
    guard.check_unchanged(before, value, "problem")
    change(value)
    with pytest.raises(InvalidRun, match="the method changed its input problem"):
        guard.check_unchanged(before, value, "problem")


def test_type_and_shape_belong_to_a_fingerprint():
    zeros = [
        np.zeros(4, "f4"),
        np.zeros((2, 2), "f4"),
        np.zeros(2, "f8"),
        np.zeros(4, "i4"),
        torch.zeros(8, dtype=torch.bfloat16),
        torch.zeros(8, dtype=torch.float16),
    ]
    assert len({guard.leaf_digest(array) for array in zeros}) == len(zeros)


@pytest.mark.parametrize(
    "make",
    [
        lambda value: torch.tensor([[0.0, value]]).to_sparse(),
        lambda value: torch.nested.nested_tensor([torch.tensor([value]), torch.zeros(2)]),
        lambda value: torch.quantize_per_tensor(torch.tensor([value]), 0.1, 0, torch.qint8),
    ],
    ids=["sparse", "nested", "quantised"],
)
@pytest.mark.filterwarnings("ignore:.*(prototype|deprecated)")
def test_tensors_of_other_layouts_have_a_digest_of_what_they_hold(make):
    assert guard.leaf_digest(make(0.5)) == guard.leaf_digest(make(0.5))
    assert guard.leaf_digest(make(0.5)) != guard.leaf_digest(make(0.7))


def test_a_tensor_without_values_has_a_digest_of_its_form():
    empty = [
        torch.zeros(2, device="meta"),
        torch.zeros(3, device="meta"),
        torch.zeros(2, device="meta", dtype=torch.int64),
        torch.zeros(2),
    ]
    assert len({guard.leaf_digest(tensor) for tensor in empty}) == len(empty)
    assert guard.leaf_digest(empty[0]) == guard.leaf_digest(torch.ones(2, device="meta"))


def test_graph_data_is_fingerprinted_by_its_parts(graph_library):
    graph = graph_library.data.Data(x=torch.zeros(2, 1), edge_index=torch.tensor([[0], [1]]))
    before = guard.fingerprints([graph])
    graph.edge_index[0, 0] = 1
    with pytest.raises(InvalidRun, match="edge_index"):
        guard.check_unchanged(before, [graph], "problem.graphs")


def test_a_result_that_is_no_record_is_recorded_as_invalid_and_the_grid_goes_on(
    run_plan, monkeypatch
):
    import bench.executors.inline as inline

    honest = inline.run_job

    def forged(job, send):
        results = honest(job, send)
        results[0].cost["solve_s"] = float("inf")
        return results

    monkeypatch.setattr(inline, "run_job", forged)
    records = run_plan(
        methods=("mock-policy/frozen", "mock-policy/advantage"),
        tasks=("bandit",),
        preset="smoke",
        seeds="1",
    ).records
    assert [record.status for record in records] == ["invalid", "invalid"]
    assert "solve_s is inf" in records[0].error.message
