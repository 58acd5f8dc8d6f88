"""Which paths are data, and which are code or the system's."""

from __future__ import annotations

import pytest

from bench.runs.inputs import LIBRARIES
from bench.runs.paths import ignored


@pytest.mark.parametrize(
    "path",
    ["/usr/lib/libz.so", "/usr/lib/libz.so.1.2.13", "/usr/lib/ld-linux-x86-64.so.2", "/a/b.dylib"],
)
def test_a_shared_library_is_no_data_whatever_version_its_name_ends_with(path):
    assert ignored(path, ())


@pytest.mark.parametrize("name", ["libgomp.so.1", "libz.so", "module.py", "names.pth"])
def test_code_beside_installed_libraries_is_no_data(name):
    assert ignored(f"{LIBRARIES[0]}/lib/{name}", ())


@pytest.mark.parametrize("path", ["/d/rows.so.csv", "/d/so", "/d/lib.so.old", "/d/x.1.2"])
def test_a_file_that_only_looks_like_a_library_is_data(path):
    assert not ignored(path, ())


def test_a_task_that_asks_which_libraries_threads_have_has_no_data(tmp_path):
    """threadpoolctl looks up the file of every library that the process has loaded."""
    import threadpoolctl

    from bench.runs.read_observer import ReadObserver

    with ReadObserver(thorough=True) as observer:
        threadpoolctl.threadpool_info()
    assert observer.inputs().files == []
