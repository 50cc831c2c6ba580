"""`lightbox report`: what it makes, and what it refuses with one line."""

import json
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner

import lightbox as lightbox_package
from lightbox.cli import WIDTH, main

SMOKE = {
    "models": "[shufflenet_v2_x0_5]",
    "strategies": "[feature_extraction]",
    "epochs": "1",
}
RESULTS = """
run_id model strategy weights image_size epochs_run best_epoch seed
test_accuracy test_accuracy_low test_accuracy_high test_auroc test_sensitivity
test_specificity test_precision test_f1 test_nll train_seconds parameters
trainable_parameters
""".split()  # noqa: SIM905 - a contract, readable as it is written


def lightbox(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    """Type a command as a user does."""
    import os

    return subprocess.run(
        [str(Path(sys.executable).with_name("lightbox")), *words],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def made(project, tmp_path_factory):
    """One real report: kernels, papermill, pandoc and Typst."""
    home = tmp_path_factory.mktemp("home")
    out = tmp_path_factory.mktemp("report")
    words = [word for pair in SMOKE.items() for word in ("-p", *pair)]
    done = lightbox(
        "report",
        "params/demo",
        "--only",
        "00",
        "--only",
        "01",
        "--out",
        str(out),
        *words,
        "--to",
        "html,pdf,docx",
        cwd=project,
        LIGHTBOX_HOME=str(home),
    )
    assert done.returncode == 0, done.stderr
    return out, home, done


def test_the_report_and_each_notebook_are_there(made):
    out, _, done = made
    for suffix in ("html", "pdf", "docx"):
        assert (out / f"report.{suffix}").stat().st_size > 20_000
    for stem in ("00_data", "01_feature_extraction_vs_fine_tuning"):
        for suffix in ("ipynb", "html", "pdf"):
            assert (out / stem / f"{stem}.{suffix}").is_file()
    assert "00_data: done" in done.stderr
    assert "report.pdf" in done.stderr


def test_results_hold_every_run_at_full_precision(made):
    out, home, _ = made
    folder = out / "01_feature_extraction_vs_fine_tuning"
    results = pd.read_csv(folder / "results.csv")
    assert list(results.columns[: len(RESULTS)]) == RESULTS
    run = home / "runs" / results["run_id"][0]
    test = pd.read_csv(run / "predictions.csv").query("split == 'test'")
    right = (test["label"] == test["predicted"]).mean()
    assert results["test_accuracy"][0] == right
    assert json.loads((run / "run.json").read_text())["config"]["epochs"] == 1


def test_figures_are_kept_as_svg(made):
    out, _, _ = made
    for stem, label in [
        ("00_data", "fig-samples"),
        ("01_feature_extraction_vs_fine_tuning", "fig-curves"),
    ]:
        assert (out / stem / "figures" / f"{label}.svg").read_text().startswith("<?xml")


def test_provenance_names_the_command(made):
    out, _, _ = made
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "lightbox report params/demo --only 00" in text
    assert "not for clinical use" in text
    assert "synthetic" in text


def test_the_logs_are_not_in_the_report(made):
    out, _, _ = made
    stem = "01_feature_extraction_vs_fine_tuning"
    executed = (out / stem / f"{stem}.ipynb").read_text(encoding="utf-8")
    text = (out / "report.html").read_text(encoding="utf-8")
    for line in ("feature_extraction: trained in", "features: 1612/1612 images"):
        assert line in executed
        assert line not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["params/dmo"], "did you mean 'demo'"),
        (["params/demo", "--only", "07"], "--only 07"),
        (["params/demo", "-p", "epoch", "3"], "did you mean 'epochs'"),
        (["params/demo", "-p", "epochs", "-1"], "epochs = -1"),
        (["params/demo", "-p", "learning_rate", "fast"], "learning_rate = 'fast'"),
        (["params/demo", "-p", "models", "[resnet18"], "is no YAML"),
        (["params/demo", "--to", "odt"], "--to 'odt'"),
    ],
)
def test_mistakes_are_one_line_and_no_kernel_starts(
    project, monkeypatch, words, message
):
    monkeypatch.chdir(project)
    done = CliRunner().invoke(main, ["report", *words])
    assert done.exit_code == 2
    assert message in done.output
    assert done.output.count("\n") == 1
    assert done.output.startswith("lightbox: ")


def test_a_failed_notebook_is_rendered_up_to_its_banner(project, tmp_path):
    done = lightbox(
        "report",
        "params/demo",
        "--out",
        str(tmp_path / "out"),
        "-p",
        "data_dir",
        str(tmp_path),
        cwd=project,
        LIGHTBOX_HOME=str(tmp_path / "home"),
    )
    assert done.returncode == 1
    assert "00_data: failed: DataError" in done.stderr
    page = (tmp_path / "out" / "00_data" / "00_data.html").read_text(encoding="utf-8")
    assert "This notebook stopped here" in page
    assert "What the audit found" not in page
    assert (tmp_path / "out" / "report.pdf").is_file()


@pytest.mark.parametrize("inside", [True, False])
def test_the_command_that_is_printed_names_no_folder_of_this_machine(
    project, tmp_path, monkeypatch, inside
):
    from lightbox import build

    seen = {}

    def make(study, folder, *, command, **_):
        seen.update(command=command, folder=folder)
        return build.Bound([], [])

    monkeypatch.setattr(build, "make", make)
    monkeypatch.chdir(project)
    home = project if inside else tmp_path
    study = home / "params" / "demo"
    if not inside:
        shutil.copytree(project / "params" / "demo", study)
    (tmp_path / "data").mkdir()
    words = ["--only", "00", "--out", str(home / "reports/x")]
    words += ["-p", "data_dir", str(tmp_path / "data"), "-p", "seed", "3"]
    done = CliRunner().invoke(main, ["report", str(study), *words, "--to", "html"])
    assert done.exit_code == 0, done.output
    assert seen["folder"] == home / "reports/x"
    assert str(tmp_path) not in seen["command"]
    assert str(project) not in seen["command"]
    study, out = ("params/demo", "reports/x") if inside else ("<study>", "<out>")
    assert shlex.split(seen["command"]) == (
        f"lightbox report {study} --only 00 --out {out} "
        "-p data_dir <data_dir> -p seed 3 --to html"
    ).split(" ")


def test_import_and_help_are_quick_because_the_libraries_wait():
    code = (
        "import sys, lightbox, lightbox.cli\n"
        "try: lightbox.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print({'torch', 'pandas', 'numpy', 'rich', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr


def test_the_help_says_what_each_command_says_of_itself():
    context = click.Context(main)
    listed = " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    for name in main.list_commands(context):
        line = main.get_command(context, name).get_short_help_str(WIDTH)
        assert f" {name} {line}" in listed


def test_every_name_of_the_package_is_found_and_hidden_by_no_module(project):
    """Importing `lightbox.x` sets `lightbox.x`, whatever was meant by the name."""
    modules = {path.stem for path in (project / "lib" / "lightbox").glob("*")}
    assert not modules & set(lightbox_package.__all__)
    for name in set(lightbox_package.__all__) - {"__version__"}:
        assert callable(getattr(lightbox_package, name)), name


def test_the_wheel_holds_what_is_no_python(project, tmp_path, offline_uv):
    uv, environment = offline_uv
    done = subprocess.run(
        [uv, "build", "--wheel", "--out-dir", str(tmp_path), str(project)],
        env=environment,
        capture_output=True,
        text=True,
    )
    if "network was disabled" in done.stderr:
        pytest.skip("the package cache of this machine lacks hatchling")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    folder = project / "lib"
    wanted = {
        path.relative_to(folder).as_posix()
        for path in (folder / "lightbox").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= held
    kinds = {Path(name).suffix for name in wanted}
    assert {".pyi", ".po", ".otf", ".woff2", ".typ", ".lua", ".css"} <= kinds
