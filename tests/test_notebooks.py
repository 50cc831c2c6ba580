"""The notebooks: their form, under plain papermill, and on a stand-in for Colab."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from lightbox.settings.parameters import SECTIONS

PROJECT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
HEADINGS = ["Data", "Method", "Results", "What this does not show", "Summary"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param.stem, nbformat.read(request.param, as_version=4)


def code(notebook):
    """The code cells, IPython's own lines left out."""
    return [
        "\n".join(
            line for line in cell.source.splitlines() if "!" not in line[:5]
        ).replace("sys.modules:", "sys.modules: pass")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_there_is_a_notebook_for_every_section():
    assert [path.stem for path in NOTEBOOKS] == list(SECTIONS)


def test_no_outputs_no_functions_and_one_skeleton(notebook):
    _, content = notebook
    for cell in content.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    for source in code(content):
        kinds = {type(node) for node in ast.walk(ast.parse(source))}
        assert not kinds & {ast.FunctionDef, ast.Lambda, ast.ClassDef}
    assert all(len(line) <= 79 for c in content.cells for line in c.source.splitlines())
    text = "\n".join(c.source for c in content.cells if c.cell_type == "markdown")
    lines = [line for line in text.splitlines() if line.startswith("#")]
    assert lines[0].startswith("# ")
    assert lines[0].endswith("?")
    assert [line[3:] for line in lines if line.startswith("## ")] == HEADINGS


def test_its_parameters_are_the_sections(notebook):
    """Papermill's own reader, which a second `=` or a `#` in a value confuses."""
    stem, content = notebook
    found = papermill.inspect_notebook(str(PROJECT / "notebooks" / f"{stem}.ipynb"))
    fields = SECTIONS[stem].model_fields
    assert sorted(found) == sorted(fields)
    assert all(entry["inferred_type_name"] != "None" for entry in found.values())
    source = next(
        c.source for c in content.cells if "parameters" in c.metadata.get("tags", [])
    )
    namespace: dict = {}
    exec(source, namespace)
    SECTIONS[stem](**{name: namespace[name] for name in fields})


def run_papermill(stem, out, *words, **environment):
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("papermill")),
            f"notebooks/{stem}.ipynb",
            str(out),
            *words,
        ],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def printed(path):
    """Every line that the executed notebook's cells printed."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return [
        line
        for cell in content["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
        for line in "".join(output["text"]).splitlines()
    ]


def test_plain_papermill_runs_the_comparison(tmp_path):
    stem = "01_feature_extraction_vs_fine_tuning"
    done = run_papermill(
        stem,
        tmp_path / "out.ipynb",
        *("-f", "params/demo/common.yaml", "-f", f"params/demo/{stem}.yaml"),
        *("-p", "epochs", "1", "-y", "models: [shufflenet_v2_x0_5]"),
        LIGHTBOX_HOME=str(tmp_path / "home"),
    )
    assert done.returncode == 0, done.stderr
    lines = printed(tmp_path / "out.ipynb")
    assert sum("trained in" in line for line in lines) == 2
    # A few lines of progress, never a page of them.
    assert 2 < len(lines) < 30
    assert not any("%|" in line for line in lines)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["-p", "epohcs", "3"], "unknown parameter 'epohcs'; did you mean 'epochs'?"),
        (["-p", "epochs", "-1"], "epochs = -1: input should be greater than"),
        (["-y", "models: [resnet81]"], "named 'resnet81'; did you mean"),
    ],
)
def test_a_mistake_stops_plain_papermill_with_one_line(tmp_path, given, message):
    stem = "01_feature_extraction_vs_fine_tuning"
    out, home = tmp_path / "out.ipynb", tmp_path / "home"
    done = run_papermill(stem, out, *given, LIGHTBOX_HOME=str(home))
    assert done.returncode != 0
    errors = [
        output
        for cell in nbformat.read(out, as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    assert len(errors) == 1
    assert message in errors[0]["evalue"]
    assert len(errors[0]["traceback"]) == 1
    assert not home.exists()  # nothing was generated, decoded or trained


def test_a_rate_that_yaml_reads_as_text_is_a_number(tmp_path):
    assert yaml.safe_load("1e-4") == "1e-4"
    given = tmp_path / "given.yaml"
    given.write_text(
        "learning_rate: 1e-4\nepochs: 1\nmodels: [shufflenet_v2_x0_5]\n"
        "strategies: [feature_extraction]\n"
    )
    stem = "01_feature_extraction_vs_fine_tuning"
    home = tmp_path / "home"
    done = run_papermill(
        stem, tmp_path / "out.ipynb", "-f", str(given), LIGHTBOX_HOME=str(home)
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(next((home / "runs").glob("*/run.json")).read_text())
    assert record["config"]["learning_rate"] == 1e-4


COLAB = """
import json, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
texts = []
client.execute_interactive(
    sys.stdin.read(),
    output_hook=lambda m: texts.append(str(m["content"])),
    allow_stdin=False,
    timeout=500,
)
manager.shutdown_kernel(now=True)
print(json.dumps(texts))
"""


@pytest.fixture
def fresh(tmp_path, offline_uv):
    """A virtual environment with a kernel, torch and nothing of ours, as on Colab."""
    uv, environment = offline_uv
    folder = tmp_path / "venv"
    # The lock, without hashes: what uv may choose from where it is offline.
    lock = (PROJECT / "requirements.lock").read_text()
    pins = re.findall(r"^([\w.-]+==[^\\\n]*)", lock, flags=re.M)
    chosen = tmp_path / "chosen.txt"
    chosen.write_text("\n".join(pins))
    environment |= {
        "UV_CONSTRAINT": str(chosen),
        "PATH": f"{folder / 'bin'}:{Path(uv).parent}:{os.environ['PATH']}",
    }
    subprocess.run([uv, "venv", "--quiet", str(folder)], check=True, env=environment)
    python = folder / "bin" / "python"
    there = ["ipykernel", "torch", "torchvision", "pandas"]
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", str(python), *there],
        env=environment,
        capture_output=True,
        text=True,
    )
    if "network was disabled" in done.stderr:
        pytest.skip("the package cache of this machine lacks a wheel of the lock")
    assert done.returncode == 0, done.stderr
    return folder, environment


def test_the_colab_cell_installs_beside_the_torch_that_is_there(fresh):
    folder, environment = fresh
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "google" / "colab").mkdir(parents=True)
    (site / "google" / "colab" / "__init__.py").write_text("")
    (site / "stand_in.pth").write_text("import google.colab\n")  # as Colab preloads it
    torch_before = (site / "torch" / "version.py").stat().st_ino
    source = next(
        cell.source
        for cell in nbformat.read(NOTEBOOKS[0], as_version=4).cells
        if "google.colab" in cell.source
    ).replace("/content/lightbox", str(PROJECT))

    def cell():
        return subprocess.run(
            [str(python), "-c", COLAB],
            input=source,
            env=environment,
            capture_output=True,
            text=True,
        )

    done = cell()
    assert "lightbox is installed; torch stays" in done.stdout, done.stderr
    assert (site / "torch" / "version.py").stat().st_ino == torch_before
    checked = subprocess.run(
        [str(python), "-c", "import lightbox; print(lightbox.__version__)"],
        capture_output=True,
        text=True,
    )
    assert checked.stdout.strip(), checked.stderr


def test_elsewhere_the_colab_cell_does_nothing(fresh):
    folder, environment = fresh
    source = next(
        cell.source
        for cell in nbformat.read(NOTEBOOKS[0], as_version=4).cells
        if "google.colab" in cell.source
    )
    done = subprocess.run(
        [str(folder / "bin" / "python"), "-c", COLAB],
        input=source,
        env=environment,
        capture_output=True,
        text=True,
    )
    texts = json.loads(done.stdout)
    assert not any("'name': 'std" in text or "'ename'" in text for text in texts)
