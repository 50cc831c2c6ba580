"""Ctrl-C and SIGTERM: what was started ends, and a line says how to go on."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

from lightbox.base.errors import LightboxError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
KERNEL = "ipykernel_launcher"  # in the command line of every kernel
PATIENCE = 8.0  # seconds that kernels have to end by themselves
AGAIN = 0.5  # seconds between two interrupts of a kernel, which ignores one at rest


class StopRequested(LightboxError):  # noqa: N818 - no mistake
    """The user or the system asked the command to stop, by a signal's number."""

    def __init__(self, number: int):
        super().__init__(
            f"stopped by {signal.Signals(number).name}; every finished run and epoch "
            "is kept: type the same command again to go on"
        )
        self.exit_code = 128 + number  # as shells write it


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGINT and SIGTERM end a command in order.

    Raises:
        StopRequested: In place of the KeyboardInterrupt, when all that this
            process had started has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is told of signals
        return
    given: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if given:
            return  # it is stopping already
        given.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        end_children()
        raise StopRequested(given[0] if given else signal.SIGINT) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_children() -> None:
    """End every process that this one started: kernels in order, then the rest."""
    children = psutil.Process().children(recursive=True)
    kernels = [child for child in children if _is_kernel(child)]
    until = time.monotonic() + PATIENCE
    # An interrupted cell ends its notebook, whose client then ends the kernel.
    while kernels and time.monotonic() < until:
        for kernel in kernels:
            with suppress(psutil.NoSuchProcess):
                kernel.send_signal(signal.SIGINT)
        _, kernels = psutil.wait_procs(kernels, timeout=AGAIN)
    _, left = psutil.wait_procs(children, timeout=AGAIN)
    for child in left:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(left, timeout=AGAIN)


def _is_kernel(process: psutil.Process) -> bool:
    """Tell a kernel by its command line."""
    try:
        return any(KERNEL in word for word in process.cmdline())
    except psutil.Error:
        return False
