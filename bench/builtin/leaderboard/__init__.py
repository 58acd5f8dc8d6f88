"""The room ``leaderboard``, wherever it lies."""

from bench.builtin import room

__path__ = [room(__name__)]
