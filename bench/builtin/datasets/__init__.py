"""The room ``datasets``, wherever it lies."""

from bench.builtin import room

__path__ = [room(__name__)]
