"""Writing records anew under the keys of code that was proved to give the same."""

from __future__ import annotations

from typing import Any

import msgspec

import bench
from bench.runs.driver import Driver
from bench.runs.make_record import code_state
from bench.runs.old_code import BENCH
from bench.runs.proofs import Proof
from bench.runs.provenance import git_state
from bench.runs.record import Record
from bench.runs.record_place import Place
from bench.runs.renewal import Group
from bench.runs.renewal_note import NAMES_CODE, Renewed, carried


def renew(driver: Driver, group: Group, proof: Proof, places: dict[str, Place]) -> int:
    """Write the records of a group, of every class of machine, under their new keys, with their
    arrays and pictures, and return how many.

    Args:
        driver: of the store.
        group: what was proved.
        proof: that it was.
        places: where the records of the store lie, by id.

    Raises:
        EnvironmentFault: one can't be written; those before it are.
    """
    store = driver.store
    state = code_state(group.cell)
    for brief in group.records:
        record = store.load(places[brief.id])
        made = renewed_of(record, group.keys[brief.id], group.new, state, proof)
        store.write(made, store.root / "files" / record.id)
    return len(group.records)


def renewed_of(
    record: Record, key: str, files: dict[str, str], state: dict[str, Any], proof: Proof
) -> Record:
    """Return a record under the key of later code: all its figures, seconds and times are its own.

    Args:
        record: of a run, or renewed itself.
        key: the new one.
        files: module -> digest of the new code.
        state: the commits of the new code, as provenance names them.
        proof: that it gives the same.
    """
    version, before = str(bench.__version__), record.renewed
    said = Renewed(
        run=before.run if before else record.id,
        digest=carried(record),
        to=key,
        by={"bench": version, **git_state(str(BENCH))},
        proved_on={
            **proof.machine,
            "sample": proof.sample,
            "against": proof.against,
            "old": proof.old,
        },
        proofs=[*(before.proofs if before else ()), proof.name],
    )
    kept = {name: value for name, value in record.provenance.items() if name not in NAMES_CODE}
    return msgspec.structs.replace(
        record,
        key=key,
        attempt=1,
        renewed=said,
        provenance={**kept, "files": files, "bench": version, **state},
    )
