"""Floating-point operations of whatever torch does inside a block, and what was done there that
torch does not see.

A :class:`Counter` stands between torch's dispatcher and its kernels, where forward passes, backward
passes, ``vmap``, forward mode and compiled regions end as plain operators, and adds up what
:mod:`bench.counts_formulas` says of each. What has no formula, and what computes beside torch (see
:mod:`bench.counts_outside`), is named in :attr:`Tally.uncounted`: the total is then a lower bound.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.counts_dispatch import uncompiled, without_rules
from bench.counts_formulas import ARITHMETIC, FORMULAS, NESTED
from bench.counts_linalg import Formula
from bench.counts_outside import Outside

__all__ = ["Counter", "Tally"]

_SILENT = (
    "aten",
    "prim",
    "prims",
    "profiler",
    "rngprims",
    "inductor_prims",
    "debugprims",
    "export",
    "debug_mode_ops",
)
"""Namespaces whose operators count nothing unless a table says otherwise;
one of any other namespace is named.
"""


class Tally:
    """What was counted so far.

    Attributes:
        total: operations; one multiplication with one addition is two.
        uncounted: names of what has no formula. Not empty: ``total`` is a lower bound.
    """

    def __init__(self) -> None:
        self.total, self.uncounted = 0, set[str]()

    def add(self, total: int, uncounted: Sequence[str] = ()) -> None:
        """Add operations that were counted elsewhere."""
        self.total += total
        self.uncounted.update(uncounted)


class Counter:
    """Counts while it is entered, in the thread that entered it.

    >>> with Counter() as counter:
    ...     product = torch.ones(3, 4) @ torch.ones(4, 5)
    >>> counter.tally.total
    120

    Attributes:
        tally: what was counted.
        outside: the watch on what torch does not see.
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self._mode, self.outside = _Mode(self), Outside(lambda what: self.tally.uncounted.add(what))

    def __enter__(self) -> Counter:
        self.outside.start()
        self._mode.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        self._mode.__exit__(*error)  # type: ignore[no-untyped-call]
        self.outside.stop()

    @contextlib.contextmanager
    def apart(self) -> Iterator[Tally]:
        """Count what is done inside in a tally of its own."""
        mine, self.tally = self.tally, Tally()
        try:
            yield self.tally
        finally:
            self.tally = mine

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Count nothing of what is done inside."""
        with self.apart():
            yield


class _Mode(TorchDispatchMode):
    """What the dispatcher calls instead of each operator."""

    supports_higher_order_operators = True

    def __init__(self, counter: Counter) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._counter = counter
        self._rules: dict[Any, Formula | torch._C.DispatchKey | str | None] = {}
        self._silent: dict[Any, Any] = {}
        """Kernels that count nothing, most of all calls, and how to call them: as a partial, whose
        call the watch does not hear. The hash of an operator is slow.
        """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Leave out the wrapper that keeps torch's compiler away, which takes longer than most
        kernels: the code below is marked for the compiler once.
        """
        return False

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Let compiled regions compile as they would without this: they
        call torch's own kernels for products, which are seen.
        """
        return True

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if not types:
            try:
                kernel = func._op
            except AttributeError:  # an operator of operators
                kernel = None
            if kernel in self._silent:
                kernel = self._silent[kernel]
                return kernel(*args, **kwargs) if kwargs else kernel(*args)
        return self._look(func, types, args, kwargs or {})

    def _look(
        self, func: Any, types: Sequence[type], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Count an operator. It stands apart: the watch takes longer, the more names a function
        has, and most calls don't come here.
        """
        for kind in types:
            if kind is not torch.Tensor and kind is not torch.nn.Parameter and _own_dispatch(kind):
                # a subclass takes itself apart first: what it does inside comes back here
                return NotImplemented
        watch = sys.getprofile()
        sys.setprofile(None)  # what is done here for counting is no method's work, and often done
        try:
            rule = self._rule(func, args)
            if isinstance(rule, torch._C.DispatchKey):
                sys.setprofile(watch)
                with self:
                    # not decompose(), which may take a Python form that rounds otherwise
                    return func._op_dk(rule, *args, **kwargs)
            if self._counter.outside.values_only and func in _WITH_VECTORS:
                func, args, kwargs = _without_vectors(func, args, kwargs)
                rule = _rule(func)
            if isinstance(rule, str):
                self._counter.tally.uncounted.add(rule)
                sys.setprofile(watch)
                return func(*args, **kwargs)
            out = func(*args, **kwargs)  # a kernel of torch
            if rule is not None:
                assert not isinstance(rule, torch._C.DispatchKey)
                self._count(rule, func, args, kwargs, out)
            return out
        finally:
            sys.setprofile(watch)

    def _rule(self, func: Any, args: Sequence[Any]) -> Formula | torch._C.DispatchKey | str | None:
        if func not in self._rules:
            self._rules[func] = _rule(func)
            if self._rules[func] is None:
                self._silent[func._op] = functools.partial(func._op)
        rule = self._rules[func]
        if isinstance(rule, torch._C.DispatchKey) and any(
            isinstance(value, torch.Tensor) and value.is_nested for value in args
        ):
            return _nested_rule(func)
        return rule

    def _count(
        self, formula: Formula, func: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any
    ) -> None:
        bound = dict(zip(_names(func), args, strict=False)) | kwargs
        try:
            count = formula(bound, out)
        except (
            ArithmeticError,
            AttributeError,
            KeyError,
            IndexError,
            RuntimeError,
            TypeError,
            ValueError,
        ):
            # a layout that the formula was not made for
            self._counter.tally.uncounted.add(f"{func} of arguments like these")
            return
        tensors = [value for value in bound.values() if isinstance(value, torch.Tensor)]
        self._counter.tally.total += round(count) * (
            4 if any(tensor.is_complex() for tensor in tensors) else 1
        )


without_rules(_Mode)
for _function in (_Mode.__torch_dispatch__, _Mode._look):
    uncompiled(_function)


def _rule(func: Any) -> Formula | torch._C.DispatchKey | str | None:
    """Return the formula of an operator, the kernel that makes it of others, its name where it has
    no formula, or None where nothing is to be counted.
    """
    if func is _eigenvalues:
        return FORMULAS["_linalg_eigvals"]
    if isinstance(func, torch._ops.HigherOrderOperator):
        return FORMULAS.get(func.name()) or f"{func.name()} (an operator of operators)"
    space, _, name = func._schema.name.partition("::")
    plain = re.sub(r"(?<=\w)_$", "", name)
    if space == "aten" and plain in FORMULAS:
        return FORMULAS[plain]
    keys = [
        torch._C.DispatchKey.CompositeImplicitAutograd,
        torch._C.DispatchKey.CompositeExplicitAutogradNonFunctional,
    ]
    for key in keys if plain == "linalg_pinv" else keys[:1]:
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key):
            return key
    if space == "aten" and plain in ARITHMETIC:
        return f"aten.{name}"
    return None if space in _SILENT else f"{space}.{name}"


_ATEN = torch.ops.aten
_WITH_VECTORS = {
    _ATEN._linalg_eigh.default: "compute_v",
    _ATEN._linalg_svd.default: "compute_uv",
    _ATEN.linalg_eig.default: "",
}


def _without_vectors(
    func: Any, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Any, Sequence[Any], dict[str, Any]]:
    """Return the call as it is where no mode stands in between: with one, torch computes vectors
    even where values alone were asked for.
    """
    bound = dict(zip(_names(func), args, strict=False)) | kwargs
    matrix = bound.get("A", bound.get("self"))
    if torch.is_grad_enabled() and matrix is not None and matrix.requires_grad:
        return func, args, kwargs
    if func is _ATEN.linalg_eig.default:
        return _eigenvalues, args, kwargs
    return func, (), bound | {_WITH_VECTORS[func]: False}


def _eigenvalues(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return eigenvalues in both places; nobody looks at the second."""
    values = _ATEN._linalg_eigvals(matrix)
    return values, values


def _nested_rule(func: Any) -> Formula | torch._C.DispatchKey | None:
    """Return the rule of an operator that is made of others, but may be
    one kernel for nested tensors.
    """
    key = torch._C.DispatchKey.CompositeImplicitAutogradNestedTensor
    if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key):
        return key
    return NESTED.get(func._schema.name.partition("::")[2])


@functools.cache
def _names(func: Any) -> list[str]:
    if isinstance(func, torch._ops.HigherOrderOperator):
        return ["query", "key", "value"]
    if func is _eigenvalues:
        return ["self"]
    return [argument.name for argument in func._schema.arguments]


def _own_dispatch(kind: Any) -> bool:
    own: Callable[..., Any] | None = getattr(kind, "__torch_dispatch__", None)
    return own is not None and own is not torch._C._disabled_torch_dispatch_impl
