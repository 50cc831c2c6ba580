"""The README's recipes for a network, a loss, a data set and a section, followed."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

LONGEST = 10  # lines of a recipe that are typed

# What somebody does who has followed all four: a run of the new network, under the
# new loss, on the new set, in the new section.
USED = """
import lightbox as lb
from lightbox.sections.section import Section
from lightbox.settings.parameters import validate

values = {"dataset": "skin", "data_dir": %r, "models": ["tiny"], "image_size": 32,
          "strategies": ["fine_tuning"], "loss": "mae", "epochs": 1}
section = Section("06_mine", validate("06_mine", values))
runs = section.train()
accuracy = runs.scores(runs.best)["accuracy"]
print(lb.best_name(runs), "|", section.data.card.title, "|", accuracy)
"""


def recipes(project):
    """The README's `Add a …` parts: what to change, by file, in the order given."""
    readme = (project / "README.md").read_text(encoding="utf-8")
    found = {}
    for title, part in re.findall(
        r"^### Add (a .+?)$(.+?)(?=^#|\Z)", readme, re.M | re.S
    ):
        diff = re.search(r"^```diff\n(.+?)^```", part, re.M | re.S)[1]
        changes = re.split(r"^(?=lib/)", diff, flags=re.M)
        found[title] = [change.split("\n", 1) for change in changes if change]
    return found


def follow(root, file, lines):
    """Apply one change: kept and removed lines must stand there once, as written."""
    kept = [line for line in lines.splitlines() if line]
    old = "".join(f"{line[1:]}\n" for line in kept if line[0] in " -")
    new = "".join(f"{line[1:]}\n" for line in kept if line[0] in " +")
    path = root / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if old:
        assert text.count(old) == 1, f"{file} has no longer:\n{old}"
        path.write_text(text.replace(old, new), encoding="utf-8")
    else:
        path.write_text(text + new, encoding="utf-8")


@pytest.fixture
def images(tmp_path):
    """Twelve images of each of two classes in each split, told apart by brightness."""
    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for level, name in ((60, "melanoma"), (190, "mole")):
            folder = tmp_path / "skin" / split / name
            folder.mkdir(parents=True)
            for number in range(12):
                pixels = random.integers(0, 60, (40, 40, 3)) + level
                image = Image.fromarray(pixels.astype(np.uint8))
                image.save(folder / f"{split}{number}.png")
    return tmp_path / "skin"


def test_there_are_four_and_each_is_short(project):
    found = recipes(project)
    assert list(found) == ["a network", "a loss", "a data set", "a section"]
    for title, changes in found.items():
        typed = [line for _, lines in changes for line in lines.splitlines()]
        assert 0 < sum(line.startswith("+") for line in typed) <= LONGEST, title


def test_followed_they_work_together(project, images, tmp_path):
    root = tmp_path / "clone"
    shutil.copytree(project / "lib", root / "lib")
    for changes in recipes(project).values():
        for file, lines in changes:
            follow(root, file, lines)
    done = subprocess.run(
        [sys.executable, "-c", USED % str(images)],
        env=os.environ
        | {"PYTHONPATH": str(root / "lib"), "LIGHTBOX_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    name, title, accuracy = done.stdout.strip().splitlines()[-1].split(" | ")
    assert "tiny" in name.lower()
    assert title == "Skin lesions"
    assert 0 <= float(accuracy) <= 1
