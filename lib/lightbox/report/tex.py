"""TeX in Markdown cells: what Jupyter shows and pandoc alone would lose."""

import re
from collections.abc import Iterable

ENVIRONMENTS = "align|aligned|alignat|equation|gather|multline|eqnarray|split|cases"
DEFINITION = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator)\*?\s*"
    r"(?:\{\s*\\[A-Za-z]+\s*\}|\\[A-Za-z]+)\s*(?:\[\d\])?\s*(?=\{)"
)


def prepare(text: str) -> str:
    r"""Wrap bare LaTeX environments in `$$`, as Jupyter shows them.

    Args:
        text: Markdown of one cell.

    Returns:
        The same with every `\begin{align} … \end{align}` that stands outside
        code and outside `$$` inside `$$`.
    """
    pattern = re.compile(
        r"(?P<code>^(?P<fence>```+|~~~+).*?^(?P=fence)|`[^`\n]+`)"
        r"|(?P<math>\$\$.*?\$\$)"
        rf"|(?P<bare>\\begin\{{(?P<name>(?:{ENVIRONMENTS})\*?)\}}.*?\\end\{{(?P=name)\}})",
        flags=re.S | re.M,
    )
    return pattern.sub(
        lambda m: f"$${_unblank(m[0])}$$" if m["bare"] else m[0],
        text,
    )


def _unblank(tex: str) -> str:
    """A blank line would end the formula."""
    return re.sub(r"\n\s*\n", "\n", tex)


def macros(texts: Iterable[str]) -> list[dict[str, str]]:
    """Collect macro definitions; pandoc knows one only in its own formula.

    Args:
        texts: Markdown of all cells.

    Returns:
        For each definition its `tex`, and a Lua `pattern` that finds it.
    """
    found: dict[str, None] = {}
    for text in texts:
        for match in DEFINITION.finditer(text):
            found[text[match.start() : _closing(text, match.end())]] = None
    return [{"tex": tex, "pattern": re.sub(r"(\W)", r"%\1", tex)} for tex in found]


def _closing(text: str, start: int) -> int:
    """The index after the brace that closes the one at `start`."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] == "{" and text[i - 1] != "\\":
            depth += 1
        elif text[i] == "}" and text[i - 1] != "\\":
            depth -= 1
            if depth == 0:
                return i + 1
    return len(text)
