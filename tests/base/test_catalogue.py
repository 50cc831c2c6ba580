"""The catalogue: complete, nothing stale, fields and Markdown as in the English."""

import ast
import json
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from string import Formatter

import nbformat
import numpy as np
import pypandoc
import pytest
from babel.messages.pofile import read_po
from fontTools.ttLib import TTFont

from lightbox.base.errors import ParameterError
from lightbox.base.words import (
    in_language,
    is_cjk,
    language,
    set_language,
    translated,
)

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


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


def messages(project):
    """The catalogue's entries but its header."""
    with (project / "lib/lightbox/locale/zh_TW.po").open("rb") as lines:
        return [message for message in read_po(lines, locale="zh_TW") if message.id]


@pytest.fixture(scope="module")
def entries(project):
    """English and Chinese of every entry, both forms of a plural."""
    return {
        str(english): np.atleast_1d(message.string)[0]
        for message in messages(project)
        for english in np.atleast_1d(message.id)
    }


@pytest.fixture(scope="module")
def cells():
    """The Markdown cells of all notebooks by their id."""
    return {
        name: text
        for path in NOTEBOOKS
        for name, text in prose(nbformat.read(path, as_version=4)).items()
    }


def test_nothing_is_untranslated_or_stale(project):
    tool = [sys.executable, project / "lib/tools/catalogue.py", "--check"]
    done = subprocess.run(tool, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[:3000]


def test_the_check_names_what_is_missing_and_what_is_stale(project, tmp_path):
    (tmp_path / "said.py").write_text('_("new {count}")\nngettext("a", "b", 2)\n')
    file = tmp_path / "zh_TW.po"
    file.write_text('msgid "old"\nmsgstr "舊"\n', encoding="utf-8")
    tool = [sys.executable, project / "lib/tools/catalogue.py", "--file", file]
    done = subprocess.run([*tool, "--check", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "untranslated: 'new {count}'" in done.stdout
    assert "untranslated: ('a', 'b')" in done.stdout
    assert "stale: 'old'" in done.stdout
    subprocess.run([*tool, tmp_path], check=True)
    assert "old" not in file.read_text(encoding="utf-8")


def test_fields_are_those_of_the_english(project):
    """A field that a translation invents would stop the report in Chinese alone."""
    wrong = {}
    for message in messages(project):
        english, chinese = np.atleast_1d(message.id), np.atleast_1d(message.string)
        if "$" in english[0]:  # braces of formulas
            continue
        one, two = (
            {n for text in texts for _, n, _, _ in Formatter().parse(text) if n}
            for texts in (english, chinese)
        )
        if not two <= one:
            wrong[english[0]] = two - one
    assert wrong == {}


def test_no_translation_is_left_in_the_library(project):
    found = {
        path.name
        for path in (project / "lib/lightbox").rglob("*.py")
        if any(map(is_cjk, path.read_text(encoding="utf-8")))
    }
    assert found == set()


def test_what_says_binds_no_underscore(project):
    """`for _, x in …` in a function that calls `_(…)` would hide the catalogue."""
    wrong = []
    for path in (project / "lib/lightbox").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
                underscores = {type(n.ctx) for n in names if n.id == "_"}
                if {ast.Load, ast.Store} <= underscores:
                    wrong.append(f"{path.name}:{node.name}")
    assert wrong == []


def test_the_prose_is_translated_and_shaped_like_the_english(cells, entries):
    chinese = {name: entries[text] for name, text in cells.items()}
    assert [n for n, text in chinese.items() if not any(map(is_cjk, text))] == []
    expected, found = shapes(cells), shapes(chinese)
    for name in cells:
        assert found[name] == expected[name], f"cell {name}: {chinese[name]}"


def test_no_line_ends_between_ideographs(entries):
    """A browser would show a space there."""
    for text in entries.values():
        for one, two in re.findall(r"(\S)\n(\S)", text):
            assert not any(map(is_cjk, one + two)), f"{one}|{two}: {text}"


def test_one_heading_has_one_translation_in_all_notebooks(cells, entries):
    names: dict[str, set[str]] = {}
    for text in cells.values():
        pairs = zip(
            re.findall(r"^##+ (.+)$", text, flags=re.M),
            re.findall(r"^##+ (.+)$", entries[text], flags=re.M),
            strict=True,
        )
        for one, two in pairs:
            names.setdefault(one, set()).add(two)
    assert {one: two for one, two in names.items() if len(two) > 1} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_markdown_changes_and_the_given_notebook_stays(path):
    notebook = nbformat.read(path, as_version=4)
    before = deepcopy(notebook)
    chinese = translated(notebook, "zh")
    assert notebook == before
    assert translated(notebook, "en") == notebook
    assert len(chinese.cells) == len(notebook.cells)
    for one, two in zip(notebook.cells, chinese.cells, strict=True):
        if one.cell_type == "markdown":
            assert any(map(is_cjk, two.source))
            two.source = one.source
    assert chinese == notebook
    nbformat.validate(chinese)


def test_a_cell_that_was_rewritten_or_added_stays():
    texts = ["My own words.", "我自己的文字，用 `torch` 寫成。"]
    cells = [nbformat.v4.new_markdown_cell(text) for text in texts]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert list(prose(translated(notebook, "zh")).values()) == texts


def test_an_unknown_language_is_refused_with_a_hint():
    with pytest.raises(ParameterError, match=r"'zhh' is not known.*did you mean 'zh'"):
        set_language("zhh")


def test_a_language_holds_within_its_block():
    with in_language("zh"):
        assert language() == "zh"
        with pytest.raises(RuntimeError), in_language("en"):
            raise RuntimeError
        assert language() == "zh"
    assert language() == "en"


def test_every_chinese_character_of_ours_is_in_the_bundled_font(project, entries):
    font = project / "lib/lightbox/display/fonts/NotoSansCJKtc-Regular.otf"
    known = TTFont(font).getBestCmap()
    missing = {
        (character, text)
        for text in entries.values()
        for character in text
        if is_cjk(character) and ord(character) not in known
    }
    assert not missing
