"""Nights on the disk: what each machine did, and what came of all of it."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.errors import EnvironmentFault
from bench.files import put_or_say
from bench.runs.nightly import Night, Part

_Document = TypeVar("_Document", Part, Night)


def write_part(root: Path, night: str, tier: str, shard: tuple[int, int], part: Part) -> None:
    """Keep what a machine did, for the one that publishes.

    Raises:
        EnvironmentFault: it can't be written.
    """
    part.id = part.id or secrets.token_hex(4)
    _write(_part(root, night, tier, shard), part)


def read_part(root: Path, night: str, tier: str, shard: tuple[int, int]) -> Part:
    """Return what a machine has done of its share so far."""
    path = _part(root, night, tier, shard)
    return _read(path, Part) if path.is_file() else Part()


def read_parts(root: Path, night: str, tier: str) -> list[Part]:
    """Return what the machines of a night did."""
    return [_read(path, Part) for path in sorted(_parts(root, night, tier).glob("*-of-*.json"))]


def write_night(root: Path, night: Night) -> None:
    """Keep a night.

    Raises:
        EnvironmentFault: it can't be written.
    """
    _write(root / "nights" / f"{night.night}-{night.tier}.json", night)


def read_nights(root: Path, tier: str, until: str) -> list[Night]:
    """Return the nights of a tier up to and with ``until``, the oldest first."""
    found = [_read(path, Night) for path in sorted((root / "nights").glob(f"*-{tier}.json"))]
    return [night for night in found if night.night <= until]


def _part(root: Path, night: str, tier: str, shard: tuple[int, int]) -> Path:
    return _parts(root, night, tier) / f"{shard[0]}-of-{shard[1]}.json"


def _parts(root: Path, night: str, tier: str) -> Path:
    return root / "nights" / f"{night}-{tier}"


def _write(path: Path, document: Part | Night) -> None:
    text = json.dumps(msgspec.to_builtins(document), indent=1, sort_keys=True, allow_nan=False)
    put_or_say(path, text.encode() + b"\n", "name another folder with --results")


def _read(path: Path, kind: type[_Document]) -> _Document:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise EnvironmentFault(
            f"{path} can't be read as a night ({error}); move it away and run the same command "
            "again."
        ) from None
