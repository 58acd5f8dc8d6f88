"""What is claimed of the two forms of L2R-GNN, written down before the runs: paired seeds from 200
on, one-sided paired t tests, p adjusted by Holm over all of them.

The records are committed, and each claim is computed from them::

    bench run --method 'erm,l2r-gnn-lower,l2r-gnn,l2r-gnn-lower[factors=one]' --task spmotif \
        --variant b97 --seeds 200-219 --device cpu --no-flops --results CLAIMS
    bench results export --results CLAIMS docs/records/sweeps/spmotif-levels.jsonl
"""

from claims import Claim, failed_in

SPURIOUS = ("graph-ood", "spmotif", "b97", "ood_test")
CLAIMS = (
    Claim(*SPURIOUS, "l2r-gnn-lower", "erm"),
    Claim(*SPURIOUS, "l2r-gnn", "erm"),
    Claim(*SPURIOUS, "l2r-gnn-lower", "l2r-gnn"),
    Claim(*SPURIOUS, "l2r-gnn-lower[factors=one]", "l2r-gnn-lower"),
)
FAILED = {CLAIMS[2]}
"""Claims whose adjusted p is .05 or more: the page shows them with their interval."""
COMMITTED = "spmotif-levels"
SEEDS = range(200, 220)


def test_the_claims_hold_or_fail_as_the_committed_records_say():
    assert failed_in(COMMITTED, CLAIMS, SEEDS) == FAILED
