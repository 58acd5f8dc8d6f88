"""Records and stores that are made without running anything."""

from __future__ import annotations

import msgspec
import pytest

from bench.runs.record import Failure, Record
from bench.runs.spec import RunSpec, run_key
from bench.runs.store import Store

SPEC = RunSpec(
    track="t",
    method="m",
    params={"lam": 1.0},
    task="k",
    task_params={"rate": 0.4},
    preset="default",
    variant="v",
    seed=0,
    device="cpu",
)


def a_record(seed=0, *, code="a", status="ok", **fields):
    """Return a record whose cell and key follow from its fields, as in a run."""
    names = set(RunSpec.__struct_fields__)
    spec = msgspec.structs.replace(
        SPEC, seed=seed, **{name: value for name, value in fields.items() if name in names}
    )
    return Record(
        **{
            **{name: getattr(spec, name) for name in names},
            "cell": spec.cell,
            "key": run_key(spec, [code], {}),
            "status": status,
            "metrics": {"acc": 50.0 + seed, "none": None} if status == "ok" else {},
            "curve": [{"step": step, "acc": 40.0 + step} for step in range(5)],
            "logs": [{"step": 1, "left": 0.5}],
            "error": None
            if status == "ok"
            else Failure(type="E", message="it fell", frames=["a.py:1 f"], log="said"),
            "started": "2026-01-01T00:00:00.000+00:00",
            "ended": "2026-01-01T00:00:01.000+00:00",
            "provenance": {"versions": {"torch": "2"}, "files": {"m": code}},
            **{name: value for name, value in fields.items() if name not in names},
        }
    )


@pytest.fixture
def make_record():
    return a_record


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "results")
    made.open_for_writing()
    return made
