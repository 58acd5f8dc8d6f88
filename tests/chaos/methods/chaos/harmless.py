"""Methods that behave badly and still have a result."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import ClassVar

import torch

from bench import Method, MethodCard


def noisy(problem, run):
    """Return a solution that depends on the method's own stream."""
    return problem.x + torch.randn(8, generator=run.torch_generator("method"))


class Plain(Method, frozen=True, kw_only=True):
    """Nothing special."""

    card: ClassVar = MethodCard(name="plain", title="Nothing special", track="chaos")

    def solve(self, problem, run):
        return noisy(problem, run)


class Talker(Method, frozen=True, kw_only=True):
    """Prints 30 megabytes."""

    card: ClassVar = MethodCard(name="talker", title="Prints megabytes", track="chaos")

    def solve(self, problem, run):
        sys.stdout.write("the beginning\n")
        for _ in range(30):
            os.write(1, b"blah\n" * 200_000)
        sys.stdout.write("the end\n")
        return noisy(problem, run)


class Parent(Method, frozen=True, kw_only=True):
    """Forks children that outlive it, and hold its pipes open."""

    card: ClassVar = MethodCard(
        name="parent", title="Forks children that outlive it", track="chaos"
    )

    def solve(self, problem, run):
        for _ in range(3):
            if os.fork() == 0:
                while True:
                    time.sleep(1)
        return noisy(problem, run)


class Daemon(Method, frozen=True, kw_only=True):
    """Forks twice, leaves its session between, and ignores every signal it can."""

    card: ClassVar = MethodCard(
        name="daemon", title="Leaves its session and forks twice", track="chaos"
    )

    def solve(self, problem, run):
        import signal

        child = os.fork()
        if child == 0:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            if os.fork():
                os._exit(0)
            while True:
                time.sleep(1)
        os.waitpid(child, 0)
        return noisy(problem, run)


class Liar(Method, frozen=True, kw_only=True):
    """Writes garbage, lies and half a message to every pipe it finds."""

    card: ClassVar = MethodCard(name="liar", title="Writes garbage on every pipe", track="chaos")

    def solve(self, problem, run):
        import stat

        lies = (
            b'\n\xff\xfe garbage\n{"exit": 0}\n{"id": "another", "results": [{"status": '
            b'"ok"}]}\n[]\n{"progress": "much"}\n{"results": 7}\n{"results": ["\xff"]}\n'
        )
        for handle in range(3, 256):
            try:
                if stat.S_ISFIFO(os.fstat(handle).st_mode):
                    os.write(handle, lies)
            except OSError:
                continue
        return noisy(problem, run)


class Walker(Method, frozen=True, kw_only=True):
    """Takes fifteen slow steps and keeps a checkpoint after each."""

    card: ClassVar = MethodCard(name="walker", title="Keeps checkpoints", track="chaos")

    def solve(self, problem, run):
        state = run.restored() or {"step": 0, "x": problem.x.clone()}
        for step in range(state["step"], 15):
            if note := os.environ.get("CHAOS_STEPS"):
                with Path(note).open("a") as file:
                    file.write(f"{run.seed}:{step}\n")
            time.sleep(0.2)
            state = {
                "step": step + 1,
                "x": state["x"] * 1.5
                + torch.randn(8, generator=run.torch_generator("method", step)),
            }
            run.report(step + 1, None)
            run.checkpoint(state)
        return state["x"]
