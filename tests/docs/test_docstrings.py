"""Public names explain themselves: shapes, units, errors, sources
(CONTRIBUTING.md, "Docstrings").
"""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from docstring_rules import broken, public

SOURCES = {
    "tracks.policy_optimization.PolicyMethod": "arXiv:2402.03300",
    "tracks.policy_optimization.standardised": "arXiv:2402.03300",
    "tracks.policy_optimization.max_variance_subset": "arXiv:2504.13818",
    "tracks.policy_optimization.top_tokens": "arXiv:2506.01939",
    "tracks.condensation_matching.GradientMatching": "arXiv:2006.05929",
    "tracks.unlearning.confidence": "arXiv:2112.03570",
    "tracks.unlearning.divergence": "arXiv:1503.02531",
    "training.bodies.ResNet": "arXiv:1512.03385",
    "training.convnet.ConvNet": "arXiv:2006.05929",
    "training.gnn.GNN": "arXiv:1810.00826",
    "training.schedules.Schedule": "arXiv:1608.03983",
}
"""What the harness has from papers; a track's own method, a plain loop
over its null's loss, has no source.
"""


def test_every_public_name_states_what_its_signature_cannot():
    names = list(public())
    assert len(names) >= 180
    assert [said for name, node in names for said in broken(name, node)] == []


def test_every_public_name_of_bench_is_among_those_looked_at():
    import bench

    looked_at = {name.rpartition(".")[2] for name, _ in public()}
    assert set(bench.__all__) - looked_at == {"Meta", "hookimpl", "__version__"}


@pytest.mark.parametrize("name", SOURCES)
def test_what_comes_from_a_paper_names_it(name):
    module, _, thing = name.rpartition(".")
    assert SOURCES[name] in inspect.getdoc(
        getattr(importlib.import_module(f"bench.{module}"), thing)
    )


def test_the_file_of_every_method_names_the_papers_of_its_card_in_a_docstring():
    from bench.plugins.registry import Registry

    found = 0
    for entry in Registry().rows("method"):
        tree = ast.parse(Path(entry.target.path).read_text())
        said = " ".join(
            ast.get_docstring(node) or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        )
        for paper in filter(None, map(str.strip, entry.card.paper.split(","))):
            found += 1
            assert paper in said, f"{entry.identity} names {paper} on its card alone"
    assert found >= 60


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(x: int) -> int:\n    return x", "has no docstring"),
        ('class C:\n    """A record."""\n    size: int = 0', "explained nowhere"),
        ('class C:\n    """A thing."""\n    def go(self) -> None: ...', "C.go has no docstring"),
        (
            'class C:\n    """A record."""\n    x: torch.Tensor\n    """Inputs, float32."""',
            "states no shape",
        ),
        ('def f(x: torch.Tensor) -> None:\n    """Look at the inputs."""', "states no shape"),
        (
            'def f(x: torch.Tensor, y: torch.Tensor) -> None:\n    """Look.\n\n    Args:\n        x: inputs (N, D).\n        y: labels.\n    """',
            "f(y) is a tensor",
        ),
        (
            'class C:\n    """A thing."""\n    def __init__(self, x: torch.Tensor) -> None: ...',
            "made of tensors",
        ),
        ('def f(timeout: float) -> None:\n    """Wait for it."""', "no unit or range"),
        (
            'class C:\n    """A record."""\n    share: float = 0.5\n    """How much is kept."""',
            "no unit or range",
        ),
        ('def f() -> None:\n    """Do it."""\n    raise UsageError("no")', "'Raises:'"),
        (
            'def f() -> None:\n    """Do it.\n\n    Raises:\n        BenchError: no.\n    """\n    raise UsageError("no")',
            "raises UsageError",
        ),
    ],
)
def test_a_name_that_breaks_a_rule_is_found(code, said):
    node = ast.parse(code).body[0]
    assert any(said in found for found in broken(f"m.{node.name}", node))


def test_a_name_that_keeps_the_rules_is_left_alone():
    code = '''
class C:
    """A record.

    Attributes:
        x: inputs (N, ...), float32.
        share: kept of them, in (0, 1].
    """
    x: torch.Tensor
    share: float
    def take(self, rows: torch.Tensor, timeout: float) -> torch.Tensor:
        """Return inputs (n, ...).

        Args:
            rows: their numbers (n,), int64.
            timeout: the most it may take, in seconds.

        Raises:
            UsageError: there is no such row.
        """
        raise UsageError("no")
'''
    assert list(broken("m.C", ast.parse(code).body[0])) == []
