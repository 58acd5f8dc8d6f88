"""What a GPU's figures are measured under."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def as_runs_are(request):
    """Measure a GPU with the settings of runs: deterministic where torch
    can be, no TensorFloat-32, one thread.
    """
    if request.node.get_closest_marker("gpu") is None:
        yield
        return
    from bench.training import state

    before = (
        torch.get_num_threads(),
        torch.get_deterministic_debug_mode(),
        torch.backends.cudnn.allow_tf32,
    )
    state.pin("cuda", 1)
    yield
    torch.set_num_threads(before[0])
    torch.set_deterministic_debug_mode(before[1])
    torch.backends.cudnn.allow_tf32 = before[2]
