"""What the noisy-labels track adds to the supervised loop."""

import torch

from bench.runs.context import Run
from bench.tracks.noisy_labels import Problem, Seeds


def test_noise_rates_are_there_only_when_every_problem_tells_its_own(tmp_path):
    x, y = torch.zeros(6, 2), torch.zeros(6, dtype=torch.int64)
    told, silent = (Problem(x=x, y=y, n_classes=2, noise_rate=rate) for rate in (0.25, None))
    for problems, rates in (([told, told], [0.25, 0.25]), ([told, silent], None)):
        runs = [
            Run(seed=seed, task="t", method="m", device=torch.device("cpu"), workdir=tmp_path)
            for seed in range(2)
        ]
        found = Seeds(problems, runs).noise_rate
        assert (found if found is None else found.tolist()) == rates
