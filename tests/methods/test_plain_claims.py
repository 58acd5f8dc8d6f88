"""What is claimed of plain baselines, written down before the runs: ten seeds from 200 on,
one-sided paired t tests, p adjusted by Holm over all of them.

The pages of the tracks quote the committed records of these runs.

``python -m pytest -s -m slow tests/methods/test_plain_claims.py`` runs them. With
``BENCH_CLAIMS=DIR`` the records stay there, to be committed as
``docs/records/sweeps/plain-claims.jsonl``.
"""

from __future__ import annotations

import pytest
from claims import Claim, failed, failed_in, run_anew

CLAIMS = (
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "knn", "ce"),
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "random-forest", "ce"),
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "ce-early", "ce"),
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "ce-ensemble", "ce"),
    Claim("noisy-labels", "noisy-digits", "sym40", "acc_last", "ce-average", "ce"),
    Claim("noisy-labels", "noisy-digits", "asym40", "acc_last", "elr-plus", "knn"),
    Claim("label-errors", "errors-digits", "sym40", "ap", "random-forest", "loss"),
    Claim("condensation", "condense-digits", "ipc1", "acc", "k-means", "random"),
    Claim("condensation", "condense-digits", "ipc1", "acc", "random-best", "random"),
    Claim("condensation", "condense-digits", "ipc1", "acc", "dm", "k-means"),
    Claim("selection", "prune-digits", "clean", "auc", "k-means", "random"),
    Claim("graph-ood", "spmotif", "b97", "ood_test", "erm-ensemble", "erm"),
    Claim("graph-ood", "spmotif", "b97", "ood_test", "forest", "erm"),
)
FAILED = {claim for claim in CLAIMS if (claim.better, claim.other) in {("erm-ensemble", "erm")}}
"""Claims that did not hold when they were run: the page shows them with their interval."""
COMMITTED = "plain-claims"


def test_what_is_claimed_of_plain_baselines_holds_in_the_committed_records_but_for_what_is_named():
    assert failed_in(COMMITTED, CLAIMS) == FAILED


@pytest.mark.slow
def test_what_is_claimed_of_plain_baselines_holds_in_new_runs_but_for_what_is_named(tmp_path):
    assert failed(run_anew(CLAIMS, tmp_path)) == FAILED
