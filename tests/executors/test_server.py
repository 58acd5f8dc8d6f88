"""The fork server's preloading, with a driver library in place of CUDA's
that says whether it was started.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys

import pytest

from bench.executors.connection import Connection
from bench.executors.preloading import Ban, Banned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="CUDA is looked for on Linux only")

_DRIVER = (
    "static int up; int cuInit(unsigned flags) { up = 1; return 0; } int cuDeviceGetCount(int "
    "*count) { *count = 1; return up ? 0 : 3; }"
)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """A folder of modules of which one loads the driver, one loads and
    starts it, and one imports that one.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to build a driver library with")
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "driver.c").write_text(_DRIVER)
    subprocess.run(
        [
            compiler,
            "-shared",
            "-fPIC",
            "-Wl,-soname,libcuda.so.1",
            "-o",
            folder / "driver.so",
            folder / "driver.c",
        ],
        check=True,
    )
    load = f"import ctypes\ndriver = ctypes.CDLL({str(folder / 'driver.so')!r})\n"
    (folder / "harmless_library.py").write_text(load)
    (folder / "starting_library.py").write_text(load + "driver.cuInit(0)\n")
    (folder / "user_of_it.py").write_text("import starting_library\n")
    (folder / "careful_user.py").write_text(
        "try:\n    import starting_library\n    found = True\nexcept ImportError:\n    found = "
        "False\n"
    )
    return folder


def preloaded(names, monkeypatch, folder):
    monkeypatch.setenv("PYTHONPATH", str(folder))
    with Connection(names) as server:
        while not server.ready:
            message = server.hear(30)
            assert message is not None, "the server did not get ready"
    return message["left_out"]


def test_a_library_that_starts_cuda_when_imported_is_left_to_the_runs_with_what_needs_it(
    libraries, monkeypatch
):
    names = ["json", "starting_library", "harmless_library", "user_of_it", "csv"]
    # one start more, not one for each that uses it
    assert preloaded(names, monkeypatch, libraries) == ["starting_library"]


def test_what_needs_a_library_that_starts_cuda_is_left_out_where_the_library_is_not_named(
    libraries, monkeypatch
):
    assert preloaded(["user_of_it", "careful_user"], monkeypatch, libraries) == [
        "user_of_it",
        "careful_user",
    ]


def test_after_some_modules_that_start_cuda_no_more_are_tried(libraries, monkeypatch):
    names = [f"user_{number}" for number in range(8)]
    for name in names:
        (libraries / f"{name}.py").write_text("import starting_library\n")
    assert preloaded(["json", *names], monkeypatch, libraries) == names[:5]


def test_what_starts_cuda_before_anything_is_preloaded_is_blamed_on_no_module(
    libraries, monkeypatch
):
    (libraries / "usercustomize.py").write_text("import starting_library\n")
    (libraries / "sitecustomize.py").write_text("import starting_library\n")
    assert preloaded(["json", "csv"], monkeypatch, libraries) == []
    (libraries / "usercustomize.py").unlink()
    (libraries / "sitecustomize.py").unlink()


def test_a_library_that_only_loads_the_driver_is_preloaded(libraries, monkeypatch):
    assert preloaded(["harmless_library", "no_such_library"], monkeypatch, libraries) == []


def test_a_run_finds_what_was_left_out(libraries, monkeypatch):
    """A module that would do without the library must not have been told that it is missing."""
    monkeypatch.syspath_prepend(str(libraries))
    ban = Ban(["starting_library"])
    sys.meta_path.insert(0, ban)
    with pytest.raises(Banned):
        importlib.import_module("careful_user")
    sys.meta_path.remove(ban)
    assert importlib.import_module("careful_user").found
