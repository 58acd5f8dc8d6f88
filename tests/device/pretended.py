"""A pretended accelerator: its tensors compute on the CPU, and what a GPU would refuse is refused.

That is: an operation on tensors of two devices, a generator of the other device, NumPy's look into
the device's memory. The device is called ``meta``, the only kind besides the CPU that autograd
serves on every machine. What a GPU does of its own, such as other kernels, other rounding and
limits of memory, is not pretended.
"""

from __future__ import annotations

import contextlib
import importlib

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
_ops = torch.ops.aten
_MOVES = {_ops._to_copy.default, _ops.copy_.default, _ops.copy.default}
_READS, _WRITES = (
    {_ops.index.Tensor, _ops._unsafe_index.Tensor},
    {_ops.index_put.default, _ops.index_put_.default, _ops._index_put_impl_.default},
)
_FROM_DATA = {torch.tensor, torch.as_tensor, torch.asarray}
_OPTIMISERS = ("torch.optim.sgd", "torch.optim.adam")


class Refused(RuntimeError):
    """What a GPU would refuse."""


class OnDevice(torch.Tensor):
    """A tensor on the pretended device; ``held`` is where its numbers are."""

    @staticmethod
    def __new__(cls, held):
        layout = (
            {"strides": held.stride(), "storage_offset": held.storage_offset()}
            if held.layout is torch.strided
            else {}
        )
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            dtype=held.dtype,
            device=DEVICE,
            requires_grad=held.requires_grad,
            **layout,
        )

    def __init__(self, held):
        self.held = held

    def __repr__(self, *, tensor_contents=None):
        return f"OnDevice({self.held!r})"

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            with torch.no_grad():
                twin = OnDevice(self.held.clone())
            is_parameter = isinstance(self, torch.nn.Parameter)
            memo[id(self)] = (
                torch.nn.Parameter(twin, self.requires_grad)
                if is_parameter
                else twin.requires_grad_(self.requires_grad)
            )
        return memo[id(self)]

    @classmethod
    def __torch_dispatch__(cls, op, types, args=(), kwargs=None):
        return _carry_out(op, args, kwargs or {})


class GeneratorOnDevice(torch.Generator):
    """A generator that says that it is on the pretended device."""

    @property
    def device(self):
        return DEVICE


def _here(device):
    return device is not None and torch.device(device) == DEVICE


def _carry_out(op, args, kwargs):
    """Do an operation of torch on what the tensors hold, once it is one that a GPU would do."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    mine = any(isinstance(tensor, OnDevice) for tensor in tensors)
    if not (mine or _here(kwargs.get("device"))) or any(
        tensor.is_meta and not isinstance(tensor, OnDevice) for tensor in tensors
    ):
        return op(*args, **kwargs)  # of the CPU, or of torch's own tensors without data
    if mine and op not in _MOVES:
        _refuse_mixed(op, args, tensors)
    there = kwargs | ({"device": torch.device("cpu")} if _here(kwargs.get("device")) else {})
    found = op(*tree_map(_held, args), **tree_map(_held, there))
    if op is _ops.copy_.default and not isinstance(args[0], OnDevice):
        return args[0]
    if kwargs.get("device") is not None and not _here(kwargs["device"]):
        return found
    found = tree_map(
        lambda leaf: (
            OnDevice(leaf)
            if isinstance(leaf, torch.Tensor) and not isinstance(leaf, OnDevice)
            else leaf
        ),
        found,
    )
    return return_and_correct_aliasing(op, args, kwargs, found) if mine else found


def _held(leaf):
    return leaf.held if isinstance(leaf, OnDevice) else leaf


def _refuse_mixed(op, args, tensors):
    """Numbers may come from the CPU, and indices of what is on the device; nothing else."""
    looked_at = (
        tensors if op not in _READS | _WRITES else [args[0], *(args[2:3] if op in _WRITES else ())]
    )
    if any(not isinstance(tensor, OnDevice) and tensor.dim() > 0 for tensor in looked_at):
        raise Refused(
            f"{op}: tensors of two devices, "
            f"{[('device' if isinstance(tensor, OnDevice) else 'cpu', tuple(tensor.shape)) for tensor in tensors]}"
        )


class _Operations(TorchDispatchMode):
    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        return _carry_out(op, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """What torch decides before it comes to an operation."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        owner = args[0] if args and isinstance(args[0], OnDevice) else None
        if function in _FROM_DATA and _here(kwargs.get("device")) and owner is None:
            made = function(
                *args,
                **{
                    name: value
                    for name, value in kwargs.items()
                    if name not in ("device", "requires_grad")
                },
            ).to(DEVICE)
            return made.requires_grad_(kwargs.get("requires_grad", False))
        if owner is not None and function is torch.Tensor.tolist:
            return owner.cpu().tolist()
        if owner is not None and function in (torch.Tensor.numpy, torch.Tensor.__array__):
            raise Refused("NumPy can't look into the device's memory; use Tensor.cpu() first")
        if owner is not None and function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            args = (
                owner,
                tuple(map(_index, args[1])) if isinstance(args[1], tuple) else _index(args[1]),
                *args[2:],
            )
        if (generator := kwargs.get("generator")) is not None:
            device, drawn_for = kwargs.get("device"), tree_leaves(args)
            here = (
                _here(device)
                if device is not None
                else any(isinstance(leaf, OnDevice) for leaf in drawn_for)
            )
            if isinstance(generator, GeneratorOnDevice) != here:
                raise Refused(f"{function}: a generator of the other device")
        return function(*args, **kwargs)


def _index(part):
    """Return an index that torch would move to the device, without its
    numbers, as a tensor of the CPU.
    """
    plain = isinstance(part, list | range) or (type(part).__module__ == "numpy" and part.ndim)
    return torch.as_tensor(part, dtype=None if len(part) else torch.long) if plain else part


@contextlib.contextmanager
def pretended_device(monkeypatch):
    """Have the pretended device compute. It takes the choices that were measured on GPUs."""
    import safetensors.torch

    from bench.runs.context import Run
    from bench.training import tuned

    def torch_generator(self, role, *axes, device=None):
        made = GeneratorOnDevice() if _here(device or self.device) else torch.Generator()
        return made.manual_seed(self._stream(role, axes))

    choice, load = tuned.choice, safetensors.torch.load_file
    monkeypatch.setattr(Run, "torch_generator", torch_generator)
    monkeypatch.setattr(
        tuned, "choice", lambda name, device, **shape: choice(name, "cuda", **shape)
    )
    monkeypatch.setattr(
        safetensors.torch,
        "load_file",
        lambda path, device="cpu": {name: tensor.to(device) for name, tensor in load(path).items()},
    )
    for home in map(importlib.import_module, _OPTIMISERS):
        monkeypatch.setattr(home, "_device_dtype_check_for_fused", lambda *_, **__: None)
    with _Functions(), _Operations():
        yield
