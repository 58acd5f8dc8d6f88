"""The method keeps the contracts, is the formula of the paper, and beats the track's null."""

import math

import pytest
import torch
from sce.methods import SymmetricCrossEntropy

import bench
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod


def test_the_method_passes_the_conformance_suite(bench_check):
    bench_check("noisy-labels/sce", device="cpu", quick=True)


def drawn():
    """Logits (K, B, C) and labels (K, B), float64."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
    y = torch.randint(5, (2, 6), generator=generator)
    return logits, Batch(0, 0, y, y, logits, y)


@pytest.mark.parametrize(("alpha", "beta", "log_zero"), [(0.1, 1.0, -4.0), (6.0, 0.1, -6.0)])
def test_the_loss_is_both_sums_over_the_classes(alpha, beta, log_zero):
    logits, batch = drawn()
    found = SymmetricCrossEntropy(alpha=alpha, beta=beta, log_zero=log_zero).loss(
        None, batch, logits
    )
    for k, b in [(k, b) for k in range(2) for b in range(6)]:
        p, label = logits[k, b].softmax(0).tolist(), int(batch.y[k, b])
        ce = -sum((c == label) * math.log(p[c]) for c in range(5))
        rce = -sum(p[c] * (0.0 if c == label else log_zero) for c in range(5))
        assert found[k, b].item() == pytest.approx(alpha * ce + beta * rce, rel=1e-12)


def test_without_the_reverse_term_it_is_cross_entropy():
    logits, batch = drawn()
    torch.testing.assert_close(
        SymmetricCrossEntropy(alpha=1.0, beta=0.0).loss(None, batch, logits),
        NoisyLabelMethod.loss(None, None, batch, logits),
    )


def test_it_beats_cross_entropy_where_two_labels_in_five_are_wrong(tmp_path):
    found = bench.run(
        method="ce,sce",
        task="noisy-digits[epochs=40]",
        variant="sym40",
        seeds=3,
        device="cpu",
        results=tmp_path,
        executor="inline",
    )
    reached = {(record.method, record.seed): record.metrics["acc_last"] for record in found}
    assert all(reached["sce", seed] > reached["ce", seed] + 3 for seed in range(3))
