"""What installs Lightbox: the lock, the conda file, the make targets."""

import re
import subprocess
import tomllib

import pytest
import yaml


def test_the_conda_file_installs_what_its_pip_section_names(
    project, tmp_path, offline_uv
):
    """Conda hands the pip section to pip as a requirements file beside the yml."""
    dependencies = yaml.safe_load((project / "environment.yml").read_text())[
        "dependencies"
    ]
    section = next(d["pip"] for d in dependencies if isinstance(d, dict))
    uv, environment = offline_uv
    venv = tmp_path / "venv"
    subprocess.run([uv, "venv", "--quiet", str(venv)], check=True, env=environment)
    named = tmp_path / "pip.txt"
    named.write_text(
        "\n".join(section).replace("requirements.lock", f"{project}/requirements.lock")
    )
    python = str(venv / "bin" / "python")
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, "-r", str(named)],
        env=environment,
        capture_output=True,
        text=True,
    )
    if "network was disabled" in done.stderr:
        pytest.skip("the package cache of this machine lacks a wheel of the lock")
    assert done.returncode == 0, done.stderr
    # The second line of the file's own instructions, then a first sign of life.
    source = ["--no-deps", "--editable", str(project)]
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, *source],
        check=True,
        env=environment,
    )
    done = subprocess.run(
        [str(venv / "bin" / "lightbox"), "--version"], capture_output=True, text=True
    )
    assert done.stdout.startswith("lightbox")


def test_the_lock_has_a_hash_for_everything_and_names_no_address(project):
    lock = (project / "requirements.lock").read_text()
    pins = re.findall(r"^[\w.-]+==[^\n]*", lock, flags=re.M)
    blocks = re.split(r"^(?=[\w.-]+==)", lock, flags=re.M)[1:]
    assert len(pins) == len(blocks) > 50
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock


def test_the_lock_has_every_dependency(project):
    about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    extras = about["optional-dependencies"]
    wanted = [*about["dependencies"], *extras["lab"], *extras["dev"]]
    names = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in wanted}
    lock = (project / "requirements.lock").read_text()
    locked = set(re.findall(r"^([\w.-]+)==", lock, flags=re.M))
    assert names <= locked


def test_a_second_make_starts_at_once(project):
    """Nothing is installed again when the environment is newer than the lock."""
    if not (project / ".venv" / ".lightbox-ready").exists():
        pytest.skip("the environment was not made by make")
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "report"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [".venv/bin/lightbox", "report", "params/demo"]
