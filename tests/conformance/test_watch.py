"""What a plugin writes is seen, however it does so; what a library does of
its own accord is not blamed on it.
"""

import importlib.machinery
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from bench.conformance.watch import Watch


def imported(file: Path, text: str):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder where a command starts."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "name",
    ["best.pt", "deep/best.pt", "../plugin/best.pt"],
    ids=["where it started", "below", "beside the plugin"],
)
def test_a_file_that_torch_writes_is_seen(home, tmp_path, name):
    (home / "deep").mkdir()
    plugin = imported(
        tmp_path / "plugin" / "plugin.py",
        "import torch\ndef save(path): torch.save(torch.ones(1), path)",
    )
    with Watch([tmp_path / "plugin"], []) as watch:
        plugin.save(name)
    assert list(watch.written) == [str((home / name).resolve())]


def test_a_changed_and_a_replaced_file_are_seen_and_one_that_stays_is_not(home, tmp_path):
    for name in ("a.pt", "b.pt", "c.pt"):
        torch.save(torch.ones(1), name)
    with Watch([tmp_path / "plugin.py"], []) as watch:
        torch.save(torch.ones(2), "a.pt")
        torch.save(torch.ones(1), "other.pt")
        Path("other.pt").rename("b.pt")
    assert list(watch.written) == [str(home / "a.pt"), str(home / "b.pt")]


def test_a_log_that_another_process_writes_is_no_doing_of_the_plugin(home, tmp_path):
    (home / "results" / "records").mkdir(parents=True)
    code = "import sys\nfor line in sys.stdin: print(line, flush=True)"
    with Path("log").open("w") as log:
        writer = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=log, text=True
        )
    with Watch([tmp_path / "plugin.py"], []) as watch:
        writer.stdin.write("a line\n")
        writer.stdin.flush()
        while not Path("log").stat().st_size:
            time.sleep(0.01)
        Path("results/records/one.json").write_text("{}")
        torch.save(torch.ones(1), "mine.pt")
    writer.communicate()
    assert list(watch.written) == [str(home / "mine.pt")]


def test_what_lies_in_an_allowed_folder_is_not_compared(home, tmp_path):
    (home / "cache").mkdir()
    with Watch([tmp_path / "plugin.py"], [home / "cache"]) as watch:
        torch.save(torch.ones(1), "cache/model.pt")
    assert watch.written == {}


@pytest.mark.parametrize(
    "where", ["lib/python3/dist-packages", "lib/python3.11/site-packages", "opt/anywhere"]
)
def test_a_library_may_use_the_temporary_folder_wherever_it_is_installed(home, tmp_path, where):
    library = imported(
        tmp_path / where / "library.py",
        "import tempfile\ndef work():\n    with tempfile.TemporaryFile('w') as file:\n        "
        "file.write('x')\n",
    )
    plugin = imported(tmp_path / "plugin" / "plugin.py", "def step(library):\n    library.work()")
    with Watch([tmp_path / "plugin"], []) as watch:
        plugin.step(library)
    blamed = where == "opt/anywhere"  # a folder that nothing is installed in
    assert bool(watch.written) == blamed
    assert all(path.startswith(tempfile.gettempdir()) for path in watch.written)


def test_plain_adam_writes_nothing(home, tmp_path):
    plugin = imported(
        tmp_path / "plugin" / "plugin.py",
        "import torch\ndef fit():\n    net = torch.nn.Linear(2, 1)\n    optimiser = "
        "torch.optim.Adam(net.parameters())\n"
        "    for _ in range(2):\n        net(torch.ones(3, 2)).sum().backward()\n        "
        "optimiser.step()\n",
    )
    with Watch([tmp_path / "plugin"], []) as watch:
        plugin.fit()
    assert watch.written == {}


class _Rewriting(importlib.machinery.SourceFileLoader):
    """Makes the folder of compiled modules by itself, as pytest does for the modules it rewrites."""

    def exec_module(self, module):
        (Path(self.path).parent / "__pycache__").mkdir()
        super().exec_module(module)


@pytest.mark.parametrize(
    "loader", [importlib.machinery.SourceFileLoader, _Rewriting], ids=["Python", "a rewriter"]
)
def test_a_first_import_may_write_the_compiled_form_of_a_module(
    home, tmp_path, monkeypatch, loader
):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "imported_late.py").write_text("value = 1\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", loader is _Rewriting)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.delitem(sys.modules, "imported_late", raising=False)
    monkeypatch.setattr(
        sys, "path_hooks", [importlib.machinery.FileFinder.path_hook((loader, [".py"]))]
    )
    monkeypatch.syspath_prepend(tmp_path / "lib")
    plugin = imported(
        tmp_path / "plugin" / "plugin.py",
        "def step():\n    import imported_late\n    return imported_late.value",
    )
    with Watch([tmp_path / "plugin"], []) as watch:
        assert plugin.step() == 1
    assert (tmp_path / "lib" / "__pycache__").exists()
    assert watch.written == {}


def test_what_a_module_writes_when_it_is_first_imported_is_seen(home, tmp_path):
    beside = tmp_path / "plugin"
    plugin = imported(beside / "plugin.py", "def step():\n    import writes_when_imported\n")
    (beside / "writes_when_imported.py").write_text(
        "import os\nos.makedirs('__pycache__')\nopen('__pycache__/best.txt', 'w').close()\n"
    )
    sys.path.insert(0, str(beside))
    try:
        with Watch([beside], []) as watch:
            plugin.step()
    finally:
        sys.path.remove(str(beside))
    assert list(watch.written) == [
        str(home / "__pycache__"),
        str(home / "__pycache__" / "best.txt"),
    ]
