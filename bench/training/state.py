"""The global state of a process: threads, determinism, random streams.

Runs change it only through here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.random.mtrand import get_bit_generator, set_bit_generator
from torch import nn

from bench.errors import InvalidRun

_SPARE = np.random.MT19937(0)
"""What NumPy's global functions draw from while a model is looked at."""

_seed_torch = (
    torch.manual_seed if torch.backends.cuda.is_built() else torch.default_generator.manual_seed
)
"""Without CUDA, seeding every device's generator would do nothing but keep a stack trace for the
day that CUDA starts, at 5 ms a call.
"""
_seed_numpy, _seed_python = np.random.seed, random.seed


def pin(device: str, threads: int) -> dict[str, Any]:
    """Fix threads and determinism of this process and return what was fixed, for the record."""
    torch.set_num_threads(threads)
    # unlike use_deterministic_algorithms, this does not import the compiler
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if device == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    return flags()


def limit_gpu(memory: int | None, runs: int) -> None:
    """Let this process take at most ``memory`` bytes of the GPU, or where that is None an even
    share for each of ``runs``; beyond, torch raises its error.
    """
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(
        min(1.0, memory / total) if memory is not None else 1.0 / runs, 0
    )


def flags() -> dict[str, Any]:
    """Return the global settings that change bits; a run may not change them."""
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "tf32": torch.backends.cuda.matmul.allow_tf32,
        "dtype": str(torch.get_default_dtype()),
        "gradient": torch.is_grad_enabled(),
        "folder": _folder(),
    }


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a run that changes it breaks the next
    except FileNotFoundError:
        return "a folder that is gone"


@contextlib.contextmanager
def streams(seed: int | None) -> Iterator[None]:
    """Fork the global random streams of torch, NumPy and Python, seed them (``None``: nobody may
    count on them), restore them after.
    """
    before = torch.get_rng_state(), get_bit_generator(), random.getstate()
    # a swap: reading NumPy's state out takes 100 times longer
    set_bit_generator(np.random.MT19937() if seed is not None else _SPARE)
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    if seed is not None:
        _seed_torch(seed)
        _seed_numpy(seed % 2**32)
        _seed_python(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        set_bit_generator(before[1])
        random.setstate(before[2])
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)


def position() -> str:
    """Return a digest of where the global streams stand: it changes when
    anything is drawn from them.
    """
    parts = [
        torch.get_rng_state().numpy().tobytes(),
        repr(np.random.get_state(legacy=True)).encode(),
        repr(random.getstate()).encode(),
    ]
    if torch.cuda.is_initialized():
        parts.append(torch.cuda.get_rng_state().numpy().tobytes())
    return hashlib.blake2b(b"".join(parts), digest_size=16).hexdigest()


@contextlib.contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put ``model`` in eval mode without gradient, and restore every module's mode after."""
    modes = (
        [(module, module.training) for module in model.modules() if module.training]
        if isinstance(model, nn.Module)
        else []
    )
    with torch.no_grad():
        for module, _ in modes:
            module.training = False
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training


@contextlib.contextmanager
def inspecting(model: Any) -> Iterator[None]:
    """Look at a model so that nothing of it or of the random streams is
    moved: evaluating, on forked streams.
    """
    with streams(None), evaluating(model):
        yield


@contextlib.contextmanager
def watching_seeds() -> Iterator[list[str]]:
    """Note every call that reseeds a global stream: methods are paired by
    their streams and may not.
    """
    calls: list[str] = []
    homes = [
        (torch, "manual_seed"),
        (torch.random, "manual_seed"),
        (torch, "seed"),
        (torch.random, "seed"),
        (np.random, "seed"),
        (random, "seed"),
    ]
    originals = [getattr(home, name) for home, name in homes]

    def noting(home: Any, name: str, original: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(f"{home.__name__}.{name}")
            return original(*arguments, **options)

        return call

    for (home, name), original in zip(homes, originals, strict=True):
        setattr(home, name, noting(home, name, original))
    try:
        yield calls
    finally:
        for (home, name), original in zip(homes, originals, strict=True):
            setattr(home, name, original)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what was asked, so that a clock reads right."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextlib.contextmanager
def copies(*tensors: torch.Tensor) -> Iterator[list[torch.Tensor]]:
    """Yield copies of tensors of any shape to show to a model, and wipe
    them after: one that keeps what it was shown holds nothing.
    """
    made = [tensor.clone() for tensor in tensors]
    try:
        yield made
    finally:
        for tensor in made:
            tensor.zero_()


def finite(outputs: torch.Tensor, whose: str) -> torch.Tensor:
    """Return outputs of any shape that nets of the evaluation gave, if all of them are numbers:
    those of a net that diverged have an argmax, too.

    Raises:
        InvalidRun: some are not; ``whose`` begins the sentence.
    """
    if not outputs.isfinite().all():
        raise InvalidRun(
            f"the outputs of {whose} are not finite; their training diverged, so that an accuracy "
            "would say nothing."
        )
    return outputs


def predict(model: Any, x: torch.Tensor, batch: int = 8192) -> torch.Tensor:
    """Return the model's outputs on ``x`` (n, ...), in eval mode and without gradient.

    The model is fed copies that are wiped afterwards: one that keeps what it was shown holds
    nothing.
    """
    outputs = []
    with evaluating(model):
        for part in x.split(batch):
            with copies(part) as (shown,):
                outputs.append(model(shown).clone())
    return torch.cat(outputs)
