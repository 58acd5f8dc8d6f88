"""What is claimed of learners of a stream, written down before the runs: ten seeds from 200 on,
default presets, one-sided paired t tests, p adjusted by Holm over all of them.

``python -m pytest -s -m slow tests/methods/continual/test_continual_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/continual-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

TRACK = "continual"
ONLINE = (TRACK, "split-digits", "online", "acc")
PLASTIC = (TRACK, "plastic-digits", "random-labels", "plastic")
CLAIMS = (
    # what has neither rows nor a teacher forgets more than what has a teacher
    Claim(*ONLINE, "lwf", "naive"),
    Claim(*ONLINE, "lwf", "ewc"),
    Claim(*ONLINE, "lwf", "a-gem"),
    # stored rows do more, stored logits more still, and all rows at once most
    Claim(*ONLINE, "er", "lwf"),
    Claim(*ONLINE, "derpp", "er"),
    Claim(*ONLINE, "joint", "derpp"),
    # sparse units need no memory, and it is the units that do it
    Claim(*ONLINE, "hard-ash", "naive", 40.0),
    Claim(*ONLINE, "hard-ash", "ash-relu", 20.0),
    Claim(*ONLINE, "naive", "ash-relu", -20.0),
    # what is held near its start still learns late in the stream
    Claim(*PLASTIC, "spectral", "naive"),
    Claim(*PLASTIC, "l2-init", "naive"),
)
FAILED: set[Claim] = set()
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "continual-claims"


def test_what_is_claimed_of_learners_of_a_stream_holds_in_the_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_learners_of_a_stream_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
