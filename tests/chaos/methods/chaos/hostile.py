"""Methods that have no result: each breaks in its own way."""

from __future__ import annotations

import os
import time
from typing import ClassVar

import numpy as np
import torch

from bench import Method, MethodCard


class Sleeper(Method, frozen=True, kw_only=True):
    """Sleeps for ever."""

    card: ClassVar = MethodCard(name="sleeper", title="Sleeps for ever", track="chaos")

    def solve(self, problem, run):
        while True:
            time.sleep(1)


class Stubborn(Method, frozen=True, kw_only=True):
    """Ignores every signal that can be ignored, with a child that does too."""

    card: ClassVar = MethodCard(name="stubborn", title="Ignores SIGTERM", track="chaos")

    def solve(self, problem, run):
        import signal

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.fork()
        while True:
            time.sleep(1)


class Eater(Method, frozen=True, kw_only=True):
    """Takes memory without end."""

    card: ClassVar = MethodCard(name="eater", title="Takes memory without end", track="chaos")

    def solve(self, problem, run):
        pieces = []
        while True:
            # not touched: the limit is on what is asked for
            pieces.append(np.empty(1 << 26, np.uint8))


class TensorEater(Method, frozen=True, kw_only=True):
    """Takes memory without end, through torch."""

    card: ClassVar = MethodCard(
        name="tensor-eater", title="Takes memory without end, through torch", track="chaos"
    )

    def solve(self, problem, run):
        pieces = []
        while True:
            pieces.append(torch.empty(1 << 24))


class FamilyEater(Method, frozen=True, kw_only=True):
    """Takes memory through children, each of which stays below the limit."""

    card: ClassVar = MethodCard(
        name="family-eater", title="Takes memory through children", track="chaos"
    )

    def solve(self, problem, run):
        for _ in range(4):
            if os.fork() == 0:
                piece = bytearray(b"x") * (40 << 20)
                while piece:
                    time.sleep(1)
        while True:
            time.sleep(1)


class SharedEater(Method, frozen=True, kw_only=True):
    """Takes shared memory, which the kernel's limit does not count."""

    card: ClassVar = MethodCard(name="shared-eater", title="Takes shared memory", track="chaos")

    def solve(self, problem, run):
        import mmap

        piece = mmap.mmap(-1, 160 << 20)
        for start in range(0, len(piece), 1 << 22):
            piece[start : start + (1 << 22)] = b"x" * (1 << 22)
        while True:
            time.sleep(1)


class Raiser(Method, frozen=True, kw_only=True):
    """Raises something that can't even say what it is."""

    card: ClassVar = MethodCard(name="raiser", title="Raises", track="chaos")

    def solve(self, problem, run):
        class OddError(Exception):
            def __str__(self):
                raise ValueError

        raise OddError


class Segfault(Method, frozen=True, kw_only=True):
    """Reads address 0."""

    card: ClassVar = MethodCard(name="segfault", title="Reads address 0", track="chaos")

    def solve(self, problem, run):
        import ctypes

        ctypes.string_at(0)


class Leaver(Method, frozen=True, kw_only=True):
    """Leaves, as if all were well."""

    card: ClassVar = MethodCard(name="leaver", title="Calls os._exit", track="chaos")

    def solve(self, problem, run):
        os._exit(0)


class Closer(Method, frozen=True, kw_only=True):
    """Closes every handle it has."""

    card: ClassVar = MethodCard(name="closer", title="Closes every pipe", track="chaos")

    def solve(self, problem, run):
        os.closerange(0, 256)
        return problem.x


class NotANumber(Method, frozen=True, kw_only=True):
    """Returns NaN."""

    card: ClassVar = MethodCard(name="not-a-number", title="Returns NaN", track="chaos")

    def solve(self, problem, run):
        return problem.x * float("nan")


class Reseeder(Method, frozen=True, kw_only=True):
    """Reseeds the global stream."""

    card: ClassVar = MethodCard(name="reseeder", title="Reseeds the global stream", track="chaos")

    def solve(self, problem, run):
        torch.manual_seed(0)
        return problem.x


class Mutator(Method, frozen=True, kw_only=True):
    """Changes its input."""

    card: ClassVar = MethodCard(name="mutator", title="Changes its input", track="chaos")

    def solve(self, problem, run):
        problem.x.zero_()
        return problem.x


class Bomb(Method, frozen=True, kw_only=True):
    """Forks without end."""

    card: ClassVar = MethodCard(name="bomb", title="Forks without end", track="chaos")

    def solve(self, problem, run):
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(1000)
            except OSError:
                time.sleep(0.1)


class Burner(Method, frozen=True, kw_only=True):
    """Uses a processor without end, in a child."""

    card: ClassVar = MethodCard(name="burner", title="Uses a processor without end", track="chaos")

    def solve(self, problem, run):
        child = os.fork()
        while child == 0:
            pass
        os.waitpid(child, 0)


class Regicide(Method, frozen=True, kw_only=True):
    """Kills its parent."""

    card: ClassVar = MethodCard(name="regicide", title="Kills the fork server", track="chaos")

    def solve(self, problem, run):
        import signal

        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
