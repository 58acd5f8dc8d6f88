"""Fresh environments, made from wheels, with what the running one has besides the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ("sce", "experimental-design")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    """A folder with the wheels of the project and of the examples."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = [ROOT, *(ROOT / "examples" / name for name in EXAMPLES)]
    options = [
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--no-cache-dir",
        "--wheel-dir",
        str(folder),
    ]
    subprocess.run([*PIP, "wheel", *options, *map(str, sources)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def libraries(tmp_path_factory) -> Path:
    """A folder that shows every installed library, pip and pytest included, and not the project.

    Installing torch anew takes minutes and a network. Its name is ``site-packages``, by which the
    suite knows a library's files.
    """
    folder = tmp_path_factory.mktemp("libraries") / "site-packages"
    folder.mkdir()
    for home in dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib")):
        for path in Path(home).iterdir():
            if (
                not path.name.startswith(("datacentric_bench", "_datacentric_bench", "__pycache__"))
                and path.suffix != ".pth"
            ):
                (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="session")
def fresh(libraries, tmp_path_factory, with_kernels):
    """Make a fresh environment: ``fresh(*requirements, wheels=...)`` returns ``call(line)``, which
    runs a shell's line in ``call.home``.
    """

    def make(*requirements: str, wheels: Path) -> SimpleNamespace:
        folder = tmp_path_factory.mktemp("fresh")
        venv.create(folder / "env", with_pip=False)
        binaries, home = folder / "env" / "bin", folder / "home"
        home.mkdir()
        shutil.copytree(
            with_kernels(tmp_path_factory.mktemp("known")) / "kernels", folder / "cache" / "kernels"
        )
        (
            next((folder / "env" / "lib").glob("python*")) / "site-packages" / "libraries.pth"
        ).write_text(f"{libraries}\n")
        for name in ("pip", "pytest"):
            (binaries / name).write_text(f'#!/bin/sh\nexec "{binaries}/python" -P -m {name} "$@"\n')
            (binaries / name).chmod(0o755)
        unwanted = ("BENCH_", "PIP_", "PYTEST_", "PYTHON", "VIRTUAL_ENV")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(unwanted)
        }
        environment |= {
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "BENCH_CACHE": str(folder / "cache"),
            "PYTHONHASHSEED": "random",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_QUIET": "1",
            "PIP_NO_COMPILE": "1",
        }

        def call(line: str, code: int = 0) -> str:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", line],
                cwd=home,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code, f"$ {line}\n{done.stdout}{done.stderr}"
            return done.stdout

        call.home = home
        if requirements:
            call(f"pip install {' '.join(requirements)}")
        return call

    yield make
    shutil.rmtree(libraries, ignore_errors=True)
