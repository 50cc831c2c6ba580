"""The library's modules import each other one way, and none outgrows a head."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

LONGEST = 250  # lines


def modules(project):
    folder = project / "lib"
    return {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in sorted((folder / "lightbox").rglob("*.py"))
    }


def imported(path, known):
    """Modules of the library that a file imports, inside functions too."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # names that only a type checker reads go round freely
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = parts & known
            found |= inside or {node.module}
            if len(inside) < len(parts):
                found.add(node.module)
    return found & known


@pytest.fixture(scope="module")
def graph(project):
    known = modules(project)
    edges = {name: imported(path, set(known)) - {name} for name, path in known.items()}
    # The package's own names are looked up when they are used (PEP 562).
    for targets in edges.values():
        targets.discard("lightbox")
    return edges


def test_no_import_goes_round(graph):
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert order.index("lightbox.errors") < order.index("lightbox.cli")


def reached(graph, name):
    todo, seen = [name], set()
    while todo:
        for target in graph[todo.pop()] - seen:
            seen.add(target)
            todo.append(target)
    return seen


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ("lightbox.params", "lightbox.data"),
        ("lightbox.data", "lightbox.models"),
        ("lightbox.models", "lightbox.training"),
        ("lightbox.training", "lightbox.runs"),
        ("lightbox.store", "lightbox.metrics"),
        ("lightbox.metrics", "lightbox.findings"),
        ("lightbox.findings", "lightbox.section"),
        ("lightbox.runs", "lightbox.section"),
        ("lightbox.section", "lightbox.cli"),
    ],
)
def test_a_layer_knows_nothing_of_those_above_it(graph, below, above):
    assert above not in reached(graph, below)


def test_no_module_outgrows_a_head(project):
    lengths = {
        name: len(path.read_text(encoding="utf-8").splitlines())
        for name, path in modules(project).items()
    }
    assert {n: lines for n, lines in lengths.items() if lines > LONGEST} == {}
