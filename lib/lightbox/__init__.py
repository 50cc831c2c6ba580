"""Lightbox: from a folder of medical images to a report on transfer learning.

A notebook needs only this: `section = lightbox.start(<stem>, globals())`, then the
figures, tables and sentences that `__init__.pyi` lists. Names are imported when they
are first used, so that `import lightbox` is instant and torch is loaded by what needs
it. No wing may have the name of one of them: importing it would hide the function.
"""

from importlib import import_module
from typing import Any

import lazy_loader

__version__ = "0.1.0"

_named, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
_MODULES = {"summary": "sections.summary"}
__all__ = ["__version__", *_names, *_MODULES]


def __getattr__(name: str) -> Any:
    """Import what has the name (PEP 562)."""
    if name in _MODULES:
        return import_module(f"lightbox.{_MODULES[name]}")
    return _named(name)
