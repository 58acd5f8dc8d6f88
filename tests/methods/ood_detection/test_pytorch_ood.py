"""Scores against the public package pytorch-ood, where ``BENCH_PYTORCH_OOD`` names a folder that
holds it (0.4.0), as ``pip install --no-deps --target FOLDER pytorch-ood==0.4.0`` puts it there.

Only the modules of the detectors are loaded: the package as a whole needs torchvision.
"""

import importlib
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.builtin.methods.ood_detection.energy import Energy
from bench.builtin.methods.ood_detection.knn import NearestFeatures
from bench.builtin.methods.ood_detection.mahalanobis import Mahalanobis
from bench.builtin.methods.ood_detection.odin import Odin
from bench.builtin.methods.ood_detection.react import ReAct
from bench.builtin.methods.ood_detection.relative_mahalanobis import RelativeMahalanobis
from bench.builtin.methods.ood_detection.vim import VirtualLogit

from bench.runs.context import Run
from bench.tracks.ood_detection import Problem
from bench.training.fixed_net import Recipe, fixed_net

pytestmark = pytest.mark.slow
ROWS, DIMS, K = 150, 5, 4


@pytest.fixture(scope="module")
def detector():
    """Return a function from the name of a module to the module of its detector."""
    folder = os.environ.get("BENCH_PYTORCH_OOD")
    if not folder:
        pytest.skip("BENCH_PYTORCH_OOD names no folder with the package pytorch-ood")
    stubs = {}
    for name, place in (("pytorch_ood", "."), ("pytorch_ood.detector", "detector")):
        stubs[name] = types.ModuleType(name)
        stubs[name].__path__ = [str(Path(folder) / "pytorch_ood" / place)]
    with pytest.MonkeyPatch.context() as patch:
        for name, stub in stubs.items():
            patch.setitem(sys.modules, name, stub)
        yield lambda name: importlib.import_module(f"pytorch_ood.detector.{name}")


def run_of(folder):
    return Run(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(ROWS) % 3
    x = torch.rand(ROWS, 1, 6, 6, generator=generator)
    x[torch.arange(ROWS), 0, y] += 0.3
    net = fixed_net(
        x, y, 3, Recipe(widths=(24, 12), epochs=4), run_of(tmp_path_factory.mktemp("r"))
    )
    return Problem(model=net, x=x, y=y, x_val=x[:30], y_val=y[:30], n_classes=3)


def ours(method, problem, folder):
    """Return the score of the first rows, turned so that it is higher out of the distribution."""
    return -method.solve(problem, run_of(folder)).score(problem.x[:20])[:, 0].double().numpy()


def close(found, wanted, rtol=1e-3):
    wanted = wanted.detach().double().numpy()
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * np.ptp(wanted))


def test_energy_odin_and_react_are_those_of_the_package(problem, detector, tmp_path):
    net, x = problem.model, problem.x[:20]
    close(ours(Energy(), problem, tmp_path), detector("energy").EnergyBased.score(net(x)))
    theirs = detector("odin").ODIN(net, eps=0.01, temperature=2.0).predict(x)
    close(ours(Odin(temperature=2.0, step=0.01), problem, tmp_path), theirs)
    cut = detector("react").ReAct(net.features, net.head, percentile=0.7)
    cut.fit_feature_maps(net.features(problem.x), problem.y)
    close(ours(ReAct(quantile=0.7), problem, tmp_path), cut.predict_feature_maps(net.features(x)))


def test_distances_of_features_are_those_of_the_package_up_to_a_factor(problem, detector, tmp_path):
    h = problem.model.features(problem.x)
    near = detector("knn").KNN(None, k=K).fit_features(h, problem.y)
    close(ours(NearestFeatures(k=K), problem, tmp_path), near.predict_features(h[:20]))
    one = detector("mahalanobis").Mahalanobis(None).fit_features(h, problem.y)
    theirs = 2 * ROWS * one.predict_features(h[:20])
    close(ours(Mahalanobis(), problem, tmp_path), theirs, rtol=2e-2)
    two = detector("rmd").RMD(None).fit_features(h, problem.y)
    theirs = ROWS * two.predict_features(h[:20])
    close(ours(RelativeMahalanobis(), problem, tmp_path), theirs, rtol=2e-2)


def test_vim_is_that_of_the_package(problem, detector, tmp_path):
    net, h = problem.model, problem.model.features(problem.x)
    theirs = detector("vim").ViM(None, DIMS, net.head_weight, net.head_bias)
    theirs.fit_features(h, problem.y)
    close(ours(VirtualLogit(dims=DIMS), problem, tmp_path), theirs.predict_features(h[:20]))
