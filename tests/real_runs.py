"""Runs of tasks on real data: with the data at hand, and on a machine that has none."""

import socket

import pytest

from bench.cli import main


def outcome(capsys, *arguments):
    """Return the exit code and what ``bench run`` printed, run in this process."""
    with pytest.raises(SystemExit) as done:
        main(["run", "--device", "cpu", "--executor", "inline", *map(str, arguments)])
    captured = capsys.readouterr()
    return done.value.code, captured.out, captured.err


def without_data(monkeypatch, folder):
    """Make this a machine without local data, packages of the system, and a hub; return the list
    that calls of other machines will be noted in.
    """
    for name in ("BENCH_DATA", "XDG_DATA_DIRS", "R_LIBS_SITE"):
        monkeypatch.setenv(name, str(folder / "nothing"))
    monkeypatch.delenv("BENCH_HUB", raising=False)
    called = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: called.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: called.append(address) or [])
    return called
