"""The library's wings import each other one way, and no function outgrows a screen."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import pytest

# From the bottom to the top: each may import what stands before it, never after.
ORDER = (
    "base",
    "settings",
    "evaluation",
    "data",
    "networks",
    "training",
    "display",
    "report",
    "runs",
    "comparison",
    "sections",
    "printed",
    "build",
    "cli",
)
LONGEST = 60  # lines of code in a function, its docstring and blank lines apart
ROOT_FILES = 12


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


def wing(module):
    return module.split(".")[1]


def test_no_import_goes_round(graph):
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_wings_import_downwards_only(graph):
    """`colab.py`, which runs before the library is installed, imports none of it."""
    wings = {wing(name) for name in graph if name != "lightbox"}
    assert wings - {"colab"} == set(ORDER)
    assert graph["lightbox.colab"] == set()
    upwards = {
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in targets
        if ORDER.index(wing(target)) > ORDER.index(wing(name))
    }
    assert upwards == set()


def test_what_trains_knows_no_store_and_no_section(graph):
    allowed = {"networks": {"base", "networks"}}
    allowed["training"] = allowed["networks"] | {"settings", "training"}
    for low in allowed:
        reached = {
            wing(target)
            for name, targets in graph.items()
            if name.startswith(f"lightbox.{low}")
            for target in targets
        }
        assert reached <= allowed[low], low


def test_the_root_fits_on_a_screen(project):
    files = [p for p in (project / "lib/lightbox").iterdir() if p.is_file()]
    assert len(files) <= ROOT_FILES, sorted(p.name for p in files)


def code_lines(function, source):
    """Lines of a function that are neither blank, comment nor docstring."""
    body = function.body
    first = body[0]
    docstring = range(0)
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        docstring = range(first.lineno, first.end_lineno + 1)
    lines = source.splitlines()
    return sum(
        number not in docstring and not re.match(r"\s*(#|$)", lines[number - 1])
        for number in range(function.lineno, function.end_lineno + 1)
    )


def test_no_function_outgrows_a_screen(project):
    long = {}
    for name, path in modules(project).items():
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                lines = code_lines(node, source)
                if lines > LONGEST:
                    long[f"{name}.{node.name}"] = lines
    assert long == {}


def test_the_order_has_every_wing_once():
    assert len(ORDER) == len(set(ORDER))
    assert all(one != two for one, two in pairwise(ORDER))
