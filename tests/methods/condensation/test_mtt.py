"""Trajectory matching: its loss against a plain loop and against the authors' own lines, and the
limit in which the student is the expert.
"""

import ast
import importlib.util
import itertools
import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.builtin.methods.condensation.mtt import TrajectoryMatching, trajectory_loss
from trajectories import blobs, plain_loss

from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.condensation import labels_of
from bench.training.convnet import ConvNet, Perceptron
from bench.training.fitting import Recipe, epochs_of, fit

FEW = {"experts": 2, "expert_epochs": 3, "latest": 2, "span": 1, "steps": 2}


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0):
        return Run(
            seed=seed,
            task="condensation/toy",
            method="condensation/mtt",
            device=torch.device("cpu"),
            workdir=tmp_path,
        )

    return make


def test_the_loss_and_its_gradients_are_those_of_a_plain_loop():
    generator = torch.Generator().manual_seed(3)
    net = Perceptron(sizes=(5, 4, 3))
    start, target = (
        [tensor.double() for tensor in net.init([torch.Generator().manual_seed(seed)])]
        for seed in (1, 2)
    )
    images = torch.randn(6, 5, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    rate = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    rows = [[0, 3, 4], [1, 2, 5], [4, 0, 1], [2, 3, 5]]
    loss = trajectory_loss(
        net, start, target, images, labels, [torch.tensor(part) for part in rows], rate
    )

    def logits(theta, image):
        first, bias, second, last = theta[:20], theta[20:24], theta[24:36], theta[36:]
        return second.view(3, 4) @ torch.clamp(first.view(4, 5) @ image + bias, min=0) + last

    flat = [torch.cat([tensor.flatten() for tensor in net]) for net in (start, target)]
    plain = plain_loss(*flat, images, labels.tolist(), rows, rate, logits)
    torch.testing.assert_close(loss, plain, rtol=0, atol=1e-8)
    mine, other = (torch.autograd.grad(value, (images, rate)) for value in (loss, plain))
    assert all(float(part.abs().max()) > 1e-4 for part in mine)
    for own, theirs in zip(mine, other, strict=True):
        torch.testing.assert_close(own, theirs, rtol=0, atol=1e-8)


def test_a_student_that_sees_the_real_images_at_the_expert_s_rate_is_the_expert():
    problem = blobs(dtype=torch.float64)
    net = problem.net()
    start = [tensor.double() for tensor in net.init([torch.Generator().manual_seed(0)])]
    rows = list(epochs_of(len(problem.y), 16, 2, [torch.Generator().manual_seed(1)]))
    recipe = Recipe(steps=len(rows), lr=0.05, momentum=0.0, weight_decay=0.0)
    target = fit(net, start, problem.x, problem.y, rows, recipe)
    parts = [part[0] for part in rows]
    followed = trajectory_loss(
        net, start, target, problem.x, problem.y, parts, torch.tensor(0.05, dtype=torch.float64)
    )
    stayed = trajectory_loss(
        net, start, target, problem.x, problem.y, parts, torch.tensor(0.0, dtype=torch.float64)
    )
    assert float(followed.detach()) < 1e-12
    assert float(stayed.detach()) == pytest.approx(1.0, abs=1e-12)


def test_experts_keep_their_weights_before_training_and_after_every_epoch(run_of):
    problem = blobs()
    paths = TrajectoryMatching(**FEW)._paths(problem, run_of())
    assert {tensor.shape[:2] for tensor in paths} == {(4, 2)}
    steps = [(late - early).square().sum() for early, late in itertools.pairwise(paths[0])]
    assert all(float(step) > 0 for step in steps)


def test_images_and_rate_move_and_the_rate_is_handed_over(run_of):
    method = TrajectoryMatching(**FEW, lr_lr=1e-3)
    small = method.solve(blobs(ipc=2), run_of())
    assert small.lr != method.lr_first
    assert torch.equal(small.y, labels_of(blobs(ipc=2)))
    held = TrajectoryMatching(**FEW, lr_lr=0.0).solve(blobs(ipc=2), run_of())
    assert held.lr == pytest.approx(method.lr_first, rel=1e-6)


def test_the_loss_falls_over_the_updates(run_of):
    run = run_of()
    TrajectoryMatching(experts=1, expert_epochs=1, latest=1, span=1, steps=3).solve(
        blobs(updates=25), run
    )
    losses = [entry["loss"] for entry in run._logs]
    assert len(losses) == 25
    assert losses[-1] < 0.9 * losses[0]


def test_a_stretch_beyond_the_experts_training_is_refused_in_one_sentence(run_of):
    with pytest.raises(InvalidRun, match=r"span.*give an expert_epochs of at least 5\.$"):
        TrajectoryMatching(expert_epochs=4, latest=4, span=2).solve(blobs(), run_of())


# The authors' own lines
# -------------------------------------------------------------------------------------------------


def authors(folder):
    """Return the modules ``networks`` and ``reparam_module`` of a checkout, and the lines of
    ``distill.py`` from the student's start to the loss, compiled.
    """
    modules = []
    for name in ("networks", "reparam_module"):
        spec = importlib.util.spec_from_file_location(f"mtt_{name}", folder / f"{name}.py")
        modules.append(importlib.util.module_from_spec(spec))
        sys.modules[spec.name] = modules[-1]
        spec.loader.exec_module(modules[-1])

    def sets(line, name):
        return isinstance(line, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in line.targets
        )

    tree = ast.parse((folder / "distill.py").read_text(encoding="utf-8"))
    (loop,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.For) and any(sets(line, "grand_loss") for line in node.body)
    ]
    first = next(i for i, line in enumerate(loop.body) if sets(line, "target_params"))
    last = next(i for i, line in enumerate(loop.body) if sets(line, "grand_loss"))
    # the first of them takes the weights of a later epoch, and needs expert and epoch
    lines = ast.Module(body=loop.body[first : last + 1], type_ignores=[])
    return *modules, compile(lines, "distill.py", "exec")


@pytest.mark.slow
@pytest.mark.skipif(
    "BENCH_MTT" not in os.environ,
    reason="BENCH_MTT names no checkout of GeorgeCazenavette/mtt-distillation",
)
@pytest.mark.filterwarnings("ignore")
def test_the_loss_and_the_gradient_of_the_rate_are_those_of_the_authors_lines():
    networks, reparam, lines = authors(Path(os.environ["BENCH_MTT"]))
    net = ConvNet(shape=(3, 8, 8), classes=4, width=8, depth=2)
    start, target = (net.init([torch.Generator().manual_seed(seed)]) for seed in (1, 2))
    images = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(3)).requires_grad_()
    labels, rate = torch.arange(4).repeat(2), torch.tensor(0.02, requires_grad=True)
    theirs = networks.ConvNet(3, 4, 8, 2, "relu", "instancenorm", "avgpooling", (8, 8))
    shapes = [tuple(parameter.shape) for parameter in theirs.parameters()]
    assert shapes == [tuple(tensor.shape[1:]) for tensor in start]
    count = sum(parameter.numel() for parameter in theirs.parameters())
    names = {
        "args": types.SimpleNamespace(
            device="cpu",
            syn_steps=4,
            batch_syn=len(images),  # all of them: the order of images does not matter
            expert_epochs=1,
            texture=False,
            dsa=False,
            no_aug=True,
            distributed=False,
        ),
        "torch": torch,
        "np": np,
        "expert_trajectory": [[tensor[0] for tensor in weights] for weights in (start, target)],
        "start_epoch": 0,
        "starting_params": [tensor[0] for tensor in start],
        "student_net": reparam.ReparamModule(theirs),
        "image_syn": images,
        "label_syn": labels,
        "syn_lr": rate,
        "criterion": torch.nn.CrossEntropyLoss(),
        "num_params": count,
    }
    exec(lines, names)
    mine = trajectory_loss(net, start, target, images, labels, [torch.arange(8)] * 4, rate)
    torch.testing.assert_close(mine, names["grand_loss"], rtol=1e-5, atol=1e-5)
    for own, other in zip(
        torch.autograd.grad(mine, (rate, images)),
        torch.autograd.grad(names["grand_loss"], (rate, images)),
        strict=True,
    ):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-5)
