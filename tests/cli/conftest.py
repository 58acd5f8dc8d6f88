"""The command line as users call it: in process, with results and cache in
a folder of the test's own.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

METHOD = '''
from typing import ClassVar
import torch
from bench import MethodCard
from bench.tracks.noisy_labels import NoisyLabelMethod, Solution

class {cls}(NoisyLabelMethod):
    """A method for a test."""
    card: ClassVar = MethodCard(name="{name}", title="A method for a test", track="noisy-labels"{card})

    def solve(self, problem, run):
        {body}
'''


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory, with_kernels):
    """One cache of parsed data for all tests of the session."""
    return with_kernels(tmp_path_factory.mktemp("cli-cache"))


@pytest.fixture
def bench(tmp_path, monkeypatch, shared_cache):
    """Call ``bench(*arguments)`` and get exit code, stdout and stderr;
    results go to ``bench.results``.
    """
    from bench.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(shared_cache))
    for name in ("BENCH_RESULTS", "BENCH_PLUGINS", "BENCH_STRICT_PLUGINS", "BENCH_DISABLE_PLUGINS"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> SimpleNamespace:
        found = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return SimpleNamespace(code=found.exit_code, out=found.stdout, err=found.stderr)

    def files() -> dict[str, bytes]:
        return {
            str(path.relative_to(call.results)): path.read_bytes()
            for path in sorted(call.results.rglob("*"))
            if path.is_file()
        }

    call.results = tmp_path / "results"
    call.files = files
    return call


@pytest.fixture
def plugin(tmp_path):
    """Write a file with one method and return its path: ``plugin("boom",
    "raise ValueError('no')")``.
    """

    def write(name: str, body: str, card: str = "", file: str | None = None) -> Path:
        path = tmp_path / (file or f"{name.replace('-', '_')}.py")
        path.write_text(
            METHOD.format(
                cls="".join(part.title() for part in name.split("-")),
                name=name,
                body=body,
                card=card,
            )
        )
        return path

    return write
