"""The errors a user can meet, each one line: what, what is allowed, what next."""

import difflib
from collections.abc import Iterable


class LightboxError(Exception):
    """A mistake in the input or the surroundings that the user can mend.

    In a notebook it is shown as one line, without the library's traceback:
    the message is written for the person who typed the parameter.
    """

    def _render_traceback_(self) -> list[str]:
        """Show one line in IPython, which calls this hook when it is there."""
        return [f"{type(self).__name__}: {self}"]


class ParameterError(LightboxError):
    """A parameter with an unknown name, a wrong type or a value out of range."""


class DataError(LightboxError):
    """Images or label files that are missing, damaged or inconsistent."""


class WeightsError(LightboxError):
    """Pretrained weights that are unknown, damaged or not on this machine."""


class ReportError(LightboxError):
    """A notebook that cannot be executed or rendered."""


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """Suggest the nearest allowed name: ``"; did you mean 'x'?"``, or nothing."""
    near = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
