"""The rules of public docstrings that a program can check (CONTRIBUTING.md, "Docstrings"), on the
syntax tree of the files that hold the names.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

TRACKS = (
    "noisy_labels",
    "label_errors",
    "condensation",
    "selection",
    "unlearning",
    "privacy_audit",
    "graph_ood",
    "group_shift",
    "policy_optimization",
    "algorithmic",
    "continual",
    "data_valuation",
    "data_valuation_games",
    "data_valuation_linear",
    "data_valuation_sampling",
    "imputation",
    "input_attribution",
    "node_graphs",
    "node_graphs_statistics",
    "fixed_model",
    "ood_detection",
    "ood_detection_scores",
    "missing_data",
    "open_ended",
    "recipes",
    "long_tail",
    "adversarial",
    "regression",
    "positive_unlabeled",
    "poisoning",
    "selective_prediction",
    "selective_prediction_actions",
    "semi_supervised",
    "weak_supervision",
    "noisy_regression",
    "synthetic_data",
    "synthetic_diffusion",
    "accuracy_estimation",
    "accuracy_estimation_adapted",
    "target_shift",
    "target_shift_classes",
    "target_shift_kernels",
    "active_learning",
    "active_learning_oracle",
    "active_learning_problem",
    "active_learning_session",
    "active_learning_view",
)
TRAINING = (
    "attacks",
    "attacks_apgd",
    "attacks_ball",
    "attacks_square",
    "augment",
    "bodies",
    "calibration",
    "consensus",
    "convnet",
    "corruptions",
    "data",
    "decoder",
    "fisher",
    "fixed_net",
    "descriptors",
    "gnn",
    "graphs",
    "hub",
    "implicit",
    "memory",
    "missing",
    "mixing",
    "mixture",
    "nets",
    "node_graph",
    "node_mixers",
    "node_nets",
    "noise_rate",
    "optimisers",
    "pictures",
    "poison",
    "recipe",
    "resample",
    "rows",
    "rowwise",
    "schedules",
    "score_net",
    "square_net",
    "stack",
    "stages",
    "state",
    "stream",
    "tiles",
    "triggers",
    "tuned",
)
ERRORS = (
    "BenchError",
    "UsageError",
    "ParameterError",
    "NothingSelected",
    "EnvironmentFault",
    "PluginError",
    "DataUnavailable",
    "InvalidRun",
)

SHAPE = re.compile(
    r"\((?=[^)]*,|[A-Z]\)|n\))[\w*.+^/ -]+(,[\w*.+^/ \-]*)*\)|\b(any|same|one|its|whatever) "
    r"shapes?\b|\bshapes?\b|\bscalar\b|elementwise|\blike `|\blike the\b"
)
QUANTITY = re.compile(
    r"(^|_)(share|rate|frac|fraction|seconds|timeout|probability|temperature|momentum|s|mb)$"
)
RANGE = re.compile(
    r"[\[(][\d.-]+, ?[\d.∞a-z]+[\])]|%|\bseconds?\b|\bshare\b|\babove 0\b|\bT\^2\b|\bs\b",
    re.IGNORECASE,
)


def public() -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef]]:
    """Yield every public class and function by its full name, with its syntax tree, each once."""
    import bench

    homes = [
        (bench, [name for name in bench.__all__ if name not in ("Meta", "hookimpl", "__version__")])
    ]
    for name in (
        "errors",
        "conformance",
        "plugins.hookspecs",
        *(f"tracks.{name}" for name in TRACKS),
        *(f"training.{name}" for name in TRAINING),
    ):
        module = importlib.import_module(f"bench.{name}")
        homes.append(
            (
                module,
                getattr(module, "__all__", None)
                or [key for key in vars(module) if not key.startswith("_")],
            )
        )
    seen = set()
    for module, names in homes:
        for name in names:
            thing = getattr(module, name)
            home = getattr(thing, "__module__", None) or ""
            mine = home.startswith("bench") and (
                hasattr(module, "__all__") or home == module.__name__
            )
            if (
                mine
                and (inspect.isclass(thing) or inspect.isroutine(thing))
                and (home, name) not in seen
            ):
                seen.add((home, name))
                tree = tree_of(Path(inspect.getsourcefile(importlib.import_module(home))))
                yield (
                    f"{home}.{name}",
                    next(
                        node
                        for node in tree.body
                        if isinstance(node, ast.ClassDef | ast.FunctionDef)
                        and node.name == name
                        and not _stub(node)
                    ),
                )


@functools.cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _stub(node: ast.ClassDef | ast.FunctionDef) -> bool:
    """Tell whether it is one of a function's overloads, for type checkers alone."""
    return "overload" in [ast.unparse(mark) for mark in node.decorator_list]


def members(owner: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Yield the public methods and properties of a class, without stubs of overloads."""
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not _stub(node):
            yield node


def fields(owner: ast.ClassDef) -> dict[str, tuple[str, str]]:
    """Return the public fields of a record: name -> annotation and what is
    said of it, below it or in the list of the class.
    """
    listed = entries(ast.get_docstring(owner) or "", "Attributes")
    found = {}
    for node, after in zip(owner.body, [*owner.body[1:], None], strict=True):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and not node.target.id.startswith("_")
        ):
            below = (
                after.value.value
                if isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
                else ""
            )
            found[node.target.id] = (
                ast.unparse(node.annotation),
                below or listed.get(node.target.id, ""),
            )
    return found


def entries(text: str, section: str) -> dict[str, str]:
    """Return the entries of a section (``Args``, ``Attributes``, ``Raises``) of a docstring."""
    match = re.search(rf"^{section}:\n((?:[ ]+.*\n?|\n)*)", text, re.MULTILINE)
    parts = re.split(r"^ {4}(?=\w+: )", match[1], flags=re.MULTILINE)[1:] if match else []
    return {name: said.strip() for name, _, said in (part.partition(": ") for part in parts)}


def broken(name: str, node: ast.ClassDef | ast.FunctionDef) -> Iterator[str]:
    """Yield a sentence for each rule that a public name breaks."""
    if not ast.get_docstring(node):
        yield f"{name} has no docstring"
    if isinstance(node, ast.FunctionDef):
        yield from of_function(name, node)
        return
    for field, (kind, said) in fields(node).items():
        if "ClassVar" in kind:
            continue
        if not said:
            yield (
                f"{name}.{field} is explained nowhere: a sentence below it, or an entry of "
                "'Attributes:'"
            )
        elif is_tensor(kind) and not SHAPE.search(said):
            yield f"{name}.{field} is a tensor and states no shape: {said}"
        elif (
            QUANTITY.search(field)
            and re.search(r"\b(float|int)\b", kind)
            and not RANGE.search(said + kind)
            and "Meta(" not in kind
        ):
            yield f"{name}.{field} is a quantity and states no unit or range: {said}"
    for made in (
        part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"
    ):
        if any(
            is_tensor(ast.unparse(argument.annotation))
            for argument in made.args.args
            if argument.annotation
        ) and not SHAPE.search(ast.get_docstring(node) or ""):
            yield f"{name} is made of tensors and states no shape"
    for member in members(node):
        if not ast.get_docstring(member):
            yield f"{name}.{member.name} has no docstring"
        yield from of_function(f"{name}.{member.name}", member)


def of_function(name: str, node: ast.FunctionDef) -> Iterator[str]:
    text = ast.get_docstring(node) or ""
    said = entries(text, "Args")
    given = [
        argument
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if argument.arg not in ("self", "cls")
    ]
    kinds = {
        argument.arg: ast.unparse(argument.annotation) if argument.annotation else ""
        for argument in given
    }
    if any(
        map(is_tensor, [*kinds.values(), ast.unparse(node.returns) if node.returns else ""])
    ) and not SHAPE.search(text):
        yield f"{name} takes or returns a tensor and states no shape: {text!r}"
    for argument, kind in kinds.items():
        if is_tensor(kind) and argument in said and not SHAPE.search(said[argument]):
            yield f"{name}({argument}) is a tensor and states no shape: {said[argument]}"
        if (
            QUANTITY.search(argument)
            and re.search(r"\b(float|int)\b", kind)
            and not RANGE.search(said.get(argument, text))
        ):
            yield (
                f"{name}({argument}) is a quantity and states no unit or range: "
                f"{said.get(argument, text)}"
            )
    for error in {
        ast.unparse(one.exc.func if isinstance(one.exc, ast.Call) else one.exc)
        for one in ast.walk(node)
        if isinstance(one, ast.Raise) and one.exc
    }:
        if error in ERRORS and f"{error}:" not in text:
            yield f"{name} raises {error} and does not say so under 'Raises:'"


def is_tensor(kind: str) -> bool:
    return (
        bool(re.search(r"\b(torch\.Tensor|np\.ndarray|Tensor)\b", kind)) and "Callable" not in kind
    )
