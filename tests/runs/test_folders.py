"""Every attempt works in a fresh folder of its own; plugins and data are
read where the command started.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runs.folders import absolute_paths, at, attempt

HEAD = """
from typing import ClassVar
import json
import os
import time
from pathlib import Path

import torch
from bench import Method, MethodCard
from bench.tracks.noisy_labels import Solution

OF_IMPORT = os.getcwd()


def note(**said):
    with open({notes!r}, "a") as file:
        file.write(json.dumps(said) + chr(10))


class Looking(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(64, 10)

    def forward(self, x):
        note(model=os.getcwd())
        return self.net(x.flatten(1))


class Planted(Method):
    card: ClassVar = MethodCard(name="planted", title="Planted", track="noisy-labels", stacked={stacked})

    def solve(self, problem, run):
        with run.seeded("init"):
            model = Looking()
{body}
        return Solution(model=model)

    def solve_stacked(self, problems, runs):
        return [self.solve(problem, run) for problem, run in zip(problems, runs)]
"""


REQUEST = {"methods": ("planted",), "tasks": ("noisy-digits",), "preset": "smoke"}


def written(folder, body, stacked=False, number=0):
    file = folder / f"planted_{number}.py"
    file.write_text(
        HEAD.format(
            notes=str(folder / f"notes-{number}"),
            stacked=stacked,
            body=textwrap.indent(textwrap.dedent(body), " " * 8),
        )
    )
    return str(file)


@pytest.fixture
def plant(tmp_path, run_plan, monkeypatch):
    """Run a method whose ``solve`` holds some lines from a folder of the
    user's; return its records and what it noted.
    """
    home = tmp_path / "home"
    home.mkdir()
    count = itertools.count()
    monkeypatch.chdir(home)

    def call(body, *, stacked=False, seeds="1", **request):
        number = next(count)  # a module of the same path would not be read again
        notes, ran = (
            tmp_path / f"notes-{number}",
            run_plan(
                paths=[written(tmp_path, body, stacked, number)],
                **{**REQUEST, "seeds": seeds},
                results=tmp_path / f"results-{number}",
                **request,
            ),
        )
        said = (
            [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
        )
        return sorted(ran.records, key=lambda record: record.seed), said

    call.home = home
    return call


SAVE = """
torch.save(torch.full((2,), float(run.seed)), "best.pt")
run.report(1, model)
note(seed=run.seed, solve=os.getcwd(), imported=OF_IMPORT, found=os.listdir())
model.net.bias.data[:2] = torch.load("best.pt")
run.workdir
"""


def test_solve_reports_and_the_model_work_in_one_folder_that_is_gone_after(plant):
    (record,), said = plant(SAVE)
    assert record.status == "ok"
    (solved,) = [note for note in said if "solve" in note]
    assert {note["model"] for note in said if "model" in note} == {solved["solve"]}
    assert solved["found"] == ["best.pt"]
    assert Path(solved["imported"]) == plant.home == Path.cwd()
    assert not Path(solved["solve"]).exists()
    assert list(plant.home.iterdir()) == []


def test_seeds_of_one_process_each_get_a_folder_and_a_stack_shares_one(plant):
    _, said = plant(SAVE, seeds="3")
    assert len({note["solve"] for note in said if "solve" in note}) == 3
    _, said = plant("note(seed=run.seed, stacked=os.getcwd())", stacked=True, seeds="3", parallel=1)
    assert len({note["stacked"] for note in said if "stacked" in note}) == 1


def test_a_stack_that_fails_is_tried_again_in_fresh_folders(plant):
    body = """
    note(seed=run.seed, stacked=os.getcwd(), found=os.listdir())
    Path("left").write_text("by the last attempt")
    assert run.seed != 1
    """
    records, said = plant(body, stacked=True, seeds="3")
    assert [record.status for record in records] == ["ok", "failed", "ok"]
    tried = [note for note in said if "stacked" in note]
    assert len({note["stacked"] for note in tried}) == 4
    firsts = {note["stacked"]: note["found"] for note in reversed(tried)}
    assert set(map(tuple, firsts.values())) == {()}
    assert list(plant.home.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    ["os.chdir('/')", "os.rmdir(os.getcwd())", "os.mkdir('deep'); os.chdir('deep')"],
    ids=["root", "removed", "deeper"],
)
def test_a_method_that_leaves_its_folder_is_invalid_and_the_next_run_is_not(plant, body):
    (record,), _ = plant(body)
    assert record.status == "invalid"
    assert "the method changed folder" in record.error.message
    assert Path.cwd() == plant.home
    (record,), _ = plant(SAVE)
    assert record.status == "ok"


def test_folders_without_rights_and_loops_of_links_are_removed_too(plant):
    body = """
    os.makedirs("closed/inside")
    Path("closed/inside/file").write_text("x")
    os.symlink("..", "closed/up")
    os.chmod("closed/inside", 0)
    os.chmod("closed", 0)
    note(seed=run.seed, solve=os.getcwd())
    """
    (record,), said = plant(body)
    assert record.status == "ok"
    assert not Path(said[0]["solve"]).exists()


WAITING = """
file = Path("best.pt")
torch.save(torch.full((10,), 10.0 * run.seed), file)
note(saved=run.seed)
time.sleep(1)
with torch.no_grad():
    model.net.weight.mul_(torch.load(file)[0] + 1)
    model.net.bias.copy_(torch.load(file))
    model.net.bias[int(run.seed)] += 1000
"""


def test_a_file_of_a_fixed_name_gives_the_same_figures_one_by_one_and_side_by_side_after_a_kill(
    run_plan, tmp_path, monkeypatch
):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    plugin, notes, results = written(tmp_path, WAITING), tmp_path / "notes-0", tmp_path / "four"
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--plugins",
        plugin,
        "--method",
        "planted",
        "--task",
        "noisy-digits",
        "--preset",
        "smoke",
    ]
    killed = subprocess.Popen(
        [*command, "--seeds", "4", "--jobs", "4", "--results", str(results)],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    while not notes.exists() or notes.read_text().count("saved") < 3:
        assert killed.poll() is None
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    request = {**REQUEST, "paths": [plugin], "seeds": "4", "executor": "local"}
    beside = run_plan(**request, parallel=4, results=results).records
    alone = run_plan(
        **{**request, "executor": "inline"}, parallel=1, results=tmp_path / "one"
    ).records
    figures = [{record.seed: record.metrics for record in records} for records in (beside, alone)]
    assert {record.status for record in (*alone, *beside)} == {"ok"}
    assert {seed: figures[1][seed] for seed in figures[0]} == figures[0]
    assert len({tuple(metrics.values()) for metrics in figures[1].values()}) == 4
    assert len(figures[0]) > 1
    assert list(home.iterdir()) == []
    assert [
        path.name for folder in (results, tmp_path / "one") for path in folder.glob("work")
    ] == []


@pytest.mark.slow
def test_a_file_of_a_fixed_name_gives_the_same_figures_with_one_job_and_four_and_after_a_kill(
    tmp_path, monkeypatch
):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    plugin, notes = written(tmp_path, WAITING), tmp_path / "notes-0"
    command = [sys.executable, "-m", "bench", "run", "--plugins", plugin, "--method", "planted"]
    command += ["--task", "noisy-digits", "--preset", "smoke", "--seeds", "4", "--device", "cpu"]

    def words(jobs):
        folder = str(tmp_path / f"results-{jobs}")
        return [*command, "--json", "--jobs", str(jobs), "--results", folder]

    killed = subprocess.Popen(
        words(4), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not notes.exists() or notes.read_text().count("saved") < 3:
        assert killed.poll() is None
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    figures = {}
    for jobs in (4, 1):
        done = subprocess.run(words(jobs), capture_output=True, text=True, check=True)
        records = json.loads(done.stdout)["records"]
        assert {record["status"] for record in records} == {"ok"}
        figures[jobs] = {record["seed"]: record["metrics"] for record in records}
    assert figures[1].keys() == {0, 1, 2, 3}
    assert len(figures[4]) > 1  # what had ended before the kill is there already
    assert {seed: figures[1][seed] for seed in figures[4]} == figures[4]
    assert len({tuple(metrics.values()) for metrics in figures[1].values()}) == 4
    assert list(home.iterdir()) == []
    assert [folder for k in figures for folder in (tmp_path / f"results-{k}").glob("work")] == []


READS = '''
from typing import ClassVar
import os
from pathlib import Path
import torch
from bench import Case, Dataset, DatasetCard, Method, MethodCard, Metric, Preset, Reference, Score, Task, TaskCard

WAY = []


class Numbers(Dataset):
    """Numbers of a file beside the command."""
    card: ClassVar = DatasetCard(name="numbers", title="Numbers", source="here", size="1", had="generated")

    def load(self, run):
        return {"x": torch.tensor([float(Path("numbers.txt").read_text())])}


class Zero(Method):
    """Says 0."""
    card: ClassVar = MethodCard(name="zero", title="Zero", track="reading")

    def solve(self, problem, run):
        WAY.append(os.getcwd())
        return 0.0


class Reading(Task):
    """Asks for data whenever it may."""
    card: ClassVar = TaskCard(
        name="reading", title="Ask for data whenever", track="reading", datasets=("numbers",), metrics=(Metric(name="err", direction="min", primary=True),),
        presets={"smoke": Preset(variants={"plain": {}}, seeds=1)}, references=(Reference(name="zero", kind="low"),),
    )

    def prepare(self, run):
        WAY.append(os.getcwd())
        return Case(problems=[run.dataset("numbers")])

    def reveal(self, case, run):
        WAY.append(os.getcwd())
        case.hidden = run.dataset("numbers")

    def evaluate(self, case, outcomes, run):
        here = os.getcwd()
        x = run.dataset("numbers")["x"]
        assert os.getcwd() == here != WAY[0]
        assert [place == WAY[0] for place in WAY] == [True, False, True]
        return Score(metrics={"err": float(x + case.hidden["x"])})
'''


@pytest.mark.parametrize("executor", ["inline", pytest.param("local", marks=pytest.mark.slow)])
def test_data_are_read_where_the_command_started_whenever_the_task_asks(
    run_plan, tmp_path, monkeypatch, executor
):
    monkeypatch.chdir(tmp_path)
    Path("reading.py").write_text(READS)
    Path("numbers.txt").write_text("2.5")
    (record,) = run_plan(
        paths=["reading.py"], tasks=("reading",), preset="smoke", seeds="1", executor=executor
    ).records
    assert record.metrics == {"err": 5.0}


# Paths -------------------------------------------------------------------------------------------

NAMES = st.text("ab .é-_€$", min_size=1, max_size=8).filter(lambda text: text.strip("."))


@given(st.lists(NAMES, min_size=1, max_size=3), st.booleans())
def test_relative_paths_of_the_environment_become_absolute_once(names, rooted):
    text = ("/" if rooted else "") + "/".join(names)
    many = os.pathsep.join(["", text, "/there", "~/here"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", text)
        patch.setenv("BENCH_PLUGINS", many)
        patch.setenv("BENCH_HUB", "1")
        patch.setenv("BENCH_CACHE", "~/cache")
        absolute_paths()
        first = {
            name: os.environ[name]
            for name in ("HF_HOME", "BENCH_PLUGINS", "BENCH_HUB", "BENCH_CACHE")
        }
        absolute_paths()
        assert {name: os.environ[name] for name in first} == first
    wanted = text if rooted else os.path.abspath(text)  # noqa: PTH100 - as it is written, links and all
    assert first == {
        "HF_HOME": wanted,
        "BENCH_PLUGINS": os.pathsep.join(["", wanted, "/there", "~/here"]),
        "BENCH_HUB": "1",
        "BENCH_CACHE": "~/cache",
    }


def test_an_attempt_removes_what_a_killed_one_left_and_leaves_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = tmp_path / "work" / "job"
    (job / "0-seed-0" / "problem-0").mkdir(parents=True)
    (job / "0-seed-0" / "problem-0" / "checkpoint.safetensors").write_text("kept")
    (job / "attempt-killed").mkdir()
    with attempt(job, str(tmp_path)) as there:
        assert str(Path.cwd()) == there
        assert sorted(path.name for path in job.iterdir()) == ["0-seed-0", Path(there).name]
    assert Path.cwd() == tmp_path
    assert [path.name for path in job.iterdir()] == ["0-seed-0"]


def test_a_child_that_a_method_forks_leaves_the_folder_to_its_parent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        with attempt(tmp_path / "job", str(tmp_path)) as there:
            pid = os.fork()
            if pid == 0:
                raise SystemExit
            os.waitpid(pid, 0)
            left = Path(there).is_dir()
    except SystemExit:  # the child, which comes out of the attempt too
        os._exit(0)
    assert left
    assert not Path(there).exists()


def test_modules_beside_the_command_are_found_while_an_attempt_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (tmp_path / "beside_the_command.py").write_text("value = 1")
    with attempt(tmp_path / "job", str(tmp_path)):
        import beside_the_command
    assert beside_the_command.value == 1
    assert sys.path[0] == ""


def test_a_folder_is_gone_back_to_after_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ZeroDivisionError), at("/"):
        1 / (0 if Path.cwd() == Path("/") else 1)
    assert Path.cwd() == tmp_path
