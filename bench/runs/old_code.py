"""Code as it was at a commit: a temporary git worktree, and the command line run from it.

The old code is asked through its command line alone, which is what versions of bench have in
common; its records are read as records of any version are.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

import bench
from bench.errors import BenchError
from bench.runs.git import PATIENCE, GitRefused
from bench.runs.git import git as asked

BENCH = Path(bench.__file__).resolve().parent
"""Where the code at hand lies."""

_UNSET = ("BENCH_RESULTS", "BENCH_PLUGINS", "BENCH_DISABLE_PLUGINS", "BENCH_STRICT_PLUGINS")
_EVERY = 1.0


class NoOldCode(BenchError):
    """The old code can't be had, or can't run; the text says why, without a full stop."""


def git(folder: Path, *words: str) -> str:
    """Return what git says in a folder.

    Raises:
        NoOldCode: there is no git, or it refuses.
    """
    try:
        return asked(folder, *words)
    except GitRefused as error:
        raise NoOldCode(_last(str(error))) from None


def repository(folder: Path) -> Path:
    """Return the top of the git repository in which a folder lies.

    Raises:
        NoOldCode: it lies in none.
    """
    try:
        top = git(folder, "rev-parse", "--show-toplevel")
    except NoOldCode as error:
        if "no git here" in str(error):
            raise
        raise NoOldCode(
            f"{folder} lies in no git repository that can be read ({error}), so there is no old "
            "code to run; use a clone of the repository, or run the cells anew"
        ) from None
    return Path(top).resolve()


def commit_of(top: Path, name: str) -> str:
    """Return the full id of a commit of a repository.

    Raises:
        NoOldCode: it has no such commit.
    """
    try:
        return git(
            top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
    except NoOldCode:
        raise NoOldCode(
            f"the commit {name[:40]} is not in the repository {top}; fetch it, or name another "
            "with --from"
        ) from None


class Trees(contextlib.AbstractContextManager["Trees"]):
    """Worktrees of old commits, made when they are asked for and removed at the end."""

    def __init__(self) -> None:
        self._closing = contextlib.ExitStack()
        self._made: dict[tuple[Path, str], Path] = {}

    def __enter__(self) -> Trees:
        """Make the folder that they lie in."""
        self.home = Path(
            self._closing.enter_context(tempfile.TemporaryDirectory(prefix="bench-renew-"))
        ).resolve()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def at(self, top: Path, commit: str) -> Path:
        """Return the folder of a repository as it was at a commit.

        Raises:
            NoOldCode: git can't make it.
        """
        if (top, commit) not in self._made:
            folder = self.home / f"{commit[:12]}-{len(self._made)}"
            git(top, "worktree", "prune")  # of commands that were killed
            git(top, "worktree", "add", "--detach", str(folder), commit)
            self._closing.callback(self._remove, top, folder)
            self._made[top, commit] = folder
        return self._made[top, commit]

    @staticmethod
    def _remove(top: Path, folder: Path) -> None:
        with contextlib.suppress(NoOldCode):
            git(top, "worktree", "remove", "--force", str(folder))


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the code that can run a sample."""

    bench: Path
    """The folder that holds the package ``bench``."""
    plugins: tuple[str, ...] = ()
    """Files and folders for ``--plugins``."""
    said: str = "the old code"


class Runner:
    """Runs a command of a version of the code, each in a process of its own."""

    _checked: ClassVar[set[tuple[Path, Path | None]]] = set()

    def __init__(self, home: Path, cache: Path | None = None) -> None:
        """Work in ``home``; ``cache``: a cache folder of its own, where the versions must not
        share what they keep.
        """
        self._home, self._cache = home, cache

    def run(
        self, code: Code, words: Sequence[str], results: Path, tell: Callable[[int], None]
    ) -> None:
        """Run ``bench run`` with some words into a store; ``tell`` hears how many records there
        are.

        Raises:
            NoOldCode: it can't be imported, or ends without a record.
        """
        self._check(code)
        plugins = [word for path in code.plugins for word in ("--plugins", path)]
        command = [*words, *plugins, "--results", str(results), "--quiet"]
        folder = self._home / "empty"
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench", *command],
                env=self._environment(code),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            try:
                for count in _counts(process, results):
                    tell(count)
            except BaseException:
                process.terminate()
                process.wait()
                raise
            if process.returncode in (130, -2):
                raise KeyboardInterrupt
            if process.returncode not in (0, 1):
                said.seek(0)
                last = _last(said.read().decode(errors="backslashreplace"))
                raise NoOldCode(f"{code.said} can't run the sample: {last or 'it says nothing'}")

    def _environment(self, code: Code) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
        paths = [str(code.bench), *filter(None, [kept.get("PYTHONPATH")])]
        kept |= {"PYTHONPATH": os.pathsep.join(paths), "BENCH_FLOPS": "0"}
        return kept | ({"BENCH_CACHE": str(self._cache)} if self._cache else {})

    def _check(self, code: Code) -> None:
        """See that Python imports bench from where the code lies, whatever is installed.

        Raises:
            NoOldCode: it does not.
        """
        if (code.bench, self._cache) in self._checked:
            return
        program = "import bench.cli; print(bench.__file__)"
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", program],
                env=self._environment(code),
                cwd=self._home,
                capture_output=True,
                encoding="utf-8",
                errors="backslashreplace",
                check=False,
                timeout=PATIENCE,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoOldCode(f"{code.said} can't be imported: {error}") from None
        if done.returncode:
            raise NoOldCode(f"{code.said} can't be imported here: {_last(done.stderr)}")
        found = Path(_last(done.stdout)).resolve().parent.parent
        if found != code.bench.resolve():
            raise NoOldCode(
                f"Python imports bench from {found} and not from {code.bench}, where {code.said} "
                "lies; something on the path or a hook of an editable installation comes first"
            )
        self._checked.add((code.bench, self._cache))


def _counts(process: subprocess.Popen[bytes], results: Path) -> Iterator[int]:
    """Yield how many records there are, now and then, until a process ends."""
    while process.poll() is None:
        yield sum(1 for _ in (results / "records").glob("*/*.json"))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_EVERY)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-500:].removeprefix("bench: ").rstrip(".") if lines else ""
