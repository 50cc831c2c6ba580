"""The notebooks' prose in Chinese: complete, and shaped like the English."""

import json
import re
import subprocess
from copy import deepcopy
from pathlib import Path

import nbformat
import pypandoc
import pytest
import yaml
from fontTools.ttLib import TTFont

from lightbox.base.errors import ReportError
from lightbox.base.words import is_cjk, translated

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def file_of(path):
    return path.parent / "zh" / f"{path.stem}.yaml"


def prose(notebook):
    """The Markdown by id."""
    return {c.id: c.source for c in notebook.cells if c.cell_type == "markdown"}


def shapes(texts):
    """What pandoc, which writes the reports, sees in each text but its words."""
    source = "\n\n---\n\n".join(texts.values())
    done = subprocess.run(
        [pypandoc.get_pandoc_path(), "--from=gfm+tex_math_dollars", "--to=json"],
        input=source,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    found = [new_shape()]
    for block in json.loads(done.stdout)["blocks"]:
        if block["t"] == "HorizontalRule":
            found.append(new_shape())
        else:
            look(block, found[-1])
    return dict(zip(texts, found, strict=True))


def new_shape():
    return {
        "headings": [],
        "formulas": set(),
        "code": set(),
        "links": set(),
        "strong": 0,
        "emphasis": 0,
        "leftover": set(),
    }


def look(node, shape):
    if isinstance(node, list):
        for child in node:
            look(child, shape)
        return
    if not isinstance(node, dict):
        return
    kind, content = node.get("t"), node.get("c")
    if kind == "Header":
        shape["headings"].append(content[0])
    elif kind == "Math":
        shape["formulas"].add((content[0]["t"], " ".join(content[1].split())))
    elif kind in ("Code", "CodeBlock"):
        shape["code"].add(content[1])
    elif kind == "Link":
        shape["links"].add(content[2][0])
    elif kind == "Strong":
        shape["strong"] += 1
    elif kind == "Emph":
        shape["emphasis"] += 1
    elif kind == "Str":
        shape["leftover"] |= set(re.findall(r"\*+|`|\$", content))
    look(content, shape)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def pair(request):
    """English and Chinese of one notebook, by id."""
    english = prose(nbformat.read(request.param, as_version=4))
    return english, yaml.safe_load(file_of(request.param).read_text(encoding="utf-8"))


def test_every_cell_has_its_translation_and_no_other(pair):
    english, chinese = pair
    missing = [name for name in english if name not in chinese]
    assert not missing, f"no translation in notebooks/zh of the cells {missing}"
    left = [name for name in chinese if name not in english]
    assert not left, f"translations in notebooks/zh of no cell: {left}"


def test_the_translation_is_chinese(pair):
    _, chinese = pair
    assert [name for name, text in chinese.items() if not any(map(is_cjk, text))] == []


def test_headings_formulas_code_and_emphasis_are_the_english_ones(pair):
    english, chinese = pair
    both = [name for name in english if name in chinese]
    expected = shapes({name: english[name] for name in both})
    found = shapes({name: chinese[name] for name in both})
    for name in both:
        assert found[name] == expected[name], f"cell {name}: {chinese[name]}"


def test_no_line_ends_between_ideographs(pair):
    """A browser would show a space there."""
    _, chinese = pair
    for name, text in chinese.items():
        for one, two in re.findall(r"(\S)\n(\S)", text):
            assert not any(map(is_cjk, one + two)), f"cell {name}: {one}|{two}"


def test_one_heading_has_one_translation_in_all_notebooks():
    names: dict[str, set[str]] = {}
    for path in NOTEBOOKS:
        english = prose(nbformat.read(path, as_version=4))
        chinese = yaml.safe_load(file_of(path).read_text(encoding="utf-8"))
        for name in english.keys() & chinese.keys():
            pairs = zip(
                re.findall(r"^##+ (.+)$", english[name], flags=re.M),
                re.findall(r"^##+ (.+)$", chinese[name], flags=re.M),
                strict=True,
            )
            for one, two in pairs:
                names.setdefault(one, set()).add(two)
    assert {one: two for one, two in names.items() if len(two) > 1} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_markdown_changes_and_the_given_notebook_stays(path):
    notebook = nbformat.read(path, as_version=4)
    before = deepcopy(notebook)
    chinese = translated(notebook, path, "zh")
    assert notebook == before
    texts = yaml.safe_load(file_of(path).read_text(encoding="utf-8"))
    found = prose(chinese)
    for name, text in texts.items():
        assert found[name] == text.rstrip("\n")
    assert len(chinese.cells) == len(notebook.cells)
    for one, two in zip(notebook.cells, chinese.cells, strict=True):
        if one.cell_type == "markdown":
            two.source = one.source
    assert chinese == notebook
    nbformat.validate(chinese)


def test_english_and_a_notebook_without_translations_stay(tmp_path):
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    assert translated(notebook, NOTEBOOKS[0], "en") == notebook
    assert translated(notebook, tmp_path / "own.ipynb", "zh") == notebook


def own(folder, *sources, translations):
    """A notebook of the user's, its cells named a, b, … and its translations."""
    path = folder / "own.ipynb"
    (folder / "zh").mkdir()
    (folder / "zh" / "own.yaml").write_text(translations, encoding="utf-8")
    cells = [
        nbformat.v4.new_markdown_cell(source, id=name)
        for name, source in zip("abc", sources, strict=False)
    ]
    return nbformat.v4.new_notebook(cells=cells), path


def test_a_cell_without_a_translation_or_in_chinese_already_stays(tmp_path):
    notebook, path = own(
        tmp_path,
        "One.",
        "Two.\n",
        "我自己的文字，用 `torch` 寫成。",
        translations="a: |\n  一。\nc: |\n  三。\n",
    )
    assert list(prose(translated(notebook, path, "zh")).values()) == [
        "一。",
        "Two.\n",
        "我自己的文字，用 `torch` 寫成。",
    ]


@pytest.mark.parametrize(
    ("translations", "message"),
    [
        ("a: [", r"own\.yaml is no readable YAML"),
        ("- a\n- b\n", "ids of cells and their texts are needed"),
        ("a: 1\n", "ids of cells and their texts are needed"),
        ("", "ids of cells and their texts are needed"),
    ],
)
def test_translations_that_cannot_be_used_are_named(tmp_path, translations, message):
    notebook, path = own(tmp_path, "One.", translations=translations)
    with pytest.raises(ReportError, match=message):
        translated(notebook, path, "zh")


def test_every_chinese_character_of_ours_is_in_the_bundled_font(project):
    fonts = project / "lib/lightbox/display/fonts"
    known = TTFont(fonts / "NotoSansCJKtc-Regular.otf").getBestCmap()
    library = [
        path
        for path in (project / "lib").rglob("*.py")
        # Headings of tables that others typed, in simplified characters too.
        if path.name not in {"numbers.py", "cut_fonts.py"}
    ]
    files = [*library, *(project / "notebooks").rglob("*.yaml")]
    missing = {
        (character, path.name)
        for path in files
        for character in path.read_text(encoding="utf-8")
        if is_cjk(character) and ord(character) not in known
    }
    assert not missing
