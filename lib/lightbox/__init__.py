"""Lightbox: from a folder of medical images to a report on transfer learning.

A notebook needs only this: `section = lightbox.start(<stem>, globals())`, then the
figures, tables and sentences that `__init__.pyi` lists. Names are imported when they
are first used, so that `import lightbox` is instant and torch is loaded by what needs
it. No wing may have the name of one of them: importing it would hide the function.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = ["__version__", *_names]
