"""Names that try to run code, through a whole report and a real browser."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from browser import opened
from faults.images import make_folder

SCRIPT = "<script>alert(1)<script>"
SHELL = "`touch hacked` $(touch hacked) ; touch hacked"
TYPST = '#read("secret.txt") ]} @fig-no $x$'
PANDOC = "![x](secret.txt) \\input{secret.txt} <b onclick=alert(2)>"
HOSTILE = (SCRIPT, SHELL, TYPST, PANDOC)
SECRET = "TOPSECRET"
SMALL = {
    "models": ["shufflenet_v2_x0_5"],
    "strategies": ["fine_tuning"],
    "weights": "none",
    "epochs": 1,
    "batch_size": 8,
    "image_size": 32,
}


def squeezed(text: str) -> str:
    """Leave out white space, which pages break lines with."""
    return "".join(text.split())


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report whose data, title and author all have hostile names."""
    root = tmp_path_factory.mktemp("hostile")
    images = make_folder(root / "images")
    for split in ("train", "test"):
        for label, name in {"dark": SCRIPT, "light": TYPST}.items():
            folder = (images / split / label).rename(images / split / name)
            for number, (path, extra) in enumerate(
                zip(sorted(folder.iterdir()), HOSTILE * 9, strict=False)
            ):
                path.rename(folder / f"{extra.replace('/', '')}{number}.png")
    study = root / "params" / "study"
    study.mkdir(parents=True)
    common = {"title": TYPST + SCRIPT, "author": SHELL, "course": PANDOC, "seed": 0}
    common |= {"dataset": "folder", "data_dir": str(images), "image_size": 32}
    sections = {"common": common, "00_data": {}}
    sections["01_feature_extraction_vs_fine_tuning"] = SMALL
    for name, values in sections.items():
        (study / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for folder in (root, images, study):
        (folder / "secret.txt").write_text(SECRET, encoding="utf-8")
    program = Path(sys.executable).with_name("lightbox")
    done = subprocess.run(
        [program, "report", study, "--out", root / "out", "--to", "html,pdf,docx"],
        cwd=root,
        env=os.environ | {"LIGHTBOX_HOME": str(root / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return root


def test_hostile_names_stay_text(report, tell):
    page_file = report / "out" / "report.html"
    with opened(page_file) as (page, asked, said):
        assert asked == said == []
        assert page.locator("script, iframe, object, embed").count() == 0
        handlers = "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes])"
        names = page.evaluate(f"{handlers}.map(a => a.name)")
        assert not [name for name in names if name.startswith("on")]
        shown = squeezed(page.locator("body").inner_text())
    pdf = subprocess.run(
        ["pdftotext", "-layout", report / "out" / "report.pdf", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with zipfile.ZipFile(report / "out" / "report.docx") as docx:
        document = docx.read("word/document.xml").decode()
    for text in (page_file.read_text("utf-8"), pdf, document):
        assert SECRET not in text
    for name in (SCRIPT, TYPST):
        assert squeezed(name) in shown
    assert squeezed(SHELL) in shown
    assert "#read(" in squeezed(pdf)
    assert "alert(1)" in squeezed(pdf)
    hacked = [path for path in report.rglob("hacked*") if path.suffix != ".png"]
    assert hacked == []
    tell("hostile names, in HTML, PDF and DOCX", 3 * len(HOSTILE), 0, 0, "stayed text")


def test_nothing_outside_is_read_and_nobody_is_called(report, tmp_path, tell):
    """Render the executed notebooks again without a network."""
    isolated = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*isolated, "true"], capture_output=True).returncode:
        pytest.skip("this user may not leave the network")
    stem = "01_feature_extraction_vs_fine_tuning"
    for kind in ("html", "pdf", "docx"):
        done = subprocess.run(
            [
                *isolated,
                *(sys.executable, "-m", "nbconvert", "--to", f"lightbox-{kind}"),
                *(report / "out" / stem / f"{stem}.ipynb", "--output-dir", tmp_path),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert (tmp_path / f"{stem}.{kind}").stat().st_size > 10_000
    tell("rendering without a network", 3, 0, 0, "all rendered")
