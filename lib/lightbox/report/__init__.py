"""From executed notebooks to a report: HTML, PDF and DOCX.

One direction: `blocks` reads a notebook, `markdown` composes one document of
one or several notebooks, `html`, `pdf` and `docx` have `pandoc` write it and finish it.
`exporters` (for nbconvert) and `book` (for the bound report) sit on top.
"""
