"""Canonical JSON, digests and the seeds of named streams."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> bytes:
    """Encode ``value`` as JSON with sorted keys: equal values give equal bytes."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # a path whose bytes are no UTF-8
        return json.dumps(
            msgspec.to_builtins(value), sort_keys=True, separators=(",", ":")
        ).encode()


def digest(value: Any, size: int = 16) -> str:
    """Return the BLAKE2b digest of the canonical JSON of ``value``, as ``2
    * size`` hexadecimal digits.
    """
    return hashlib.blake2b(canonical(value), digest_size=size).hexdigest()


def stream_seed(*parts: Any) -> int:
    """Hash ``parts`` to a seed in [0, 2**63): unrelated parts give unrelated seeds."""
    return int.from_bytes(hashlib.blake2b(canonical(parts), digest_size=8).digest(), "big") >> 1
