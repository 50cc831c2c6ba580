"""Progress: one line in a terminal, a widget in Jupyter, a few lines elsewhere."""

import os
import pty
import subprocess
import sys
import termios

from jupyter_client.manager import start_new_kernel

WORK = (
    "from lightbox.base.progress import track\n"
    "for _ in track(range(200), 'decoding', 200, 'images'): pass\n"
)


def test_a_pipe_gets_a_few_lines():
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"decoding: {count}/200 images" for count in (50, 100, 150, 200)
    ]
    assert done.stderr == ""


def test_a_terminal_gets_one_line():
    main, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    text = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:  # the other end closed
            break
        if not part:
            break
        text += part
    assert process.wait() == 0
    assert b"decoding" in text
    assert b"\n" not in text


def in_a_kernel(allow_stdin):
    """Run the work as a front end does that can (or cannot) ask its user."""
    manager, client = start_new_kernel(kernel_name="python3")
    messages = []
    try:
        client.execute_interactive(
            WORK,
            allow_stdin=allow_stdin,
            output_hook=messages.append,
            stdin_hook=lambda message: None,
            timeout=120,
        )
    finally:
        manager.shutdown_kernel(now=True)
    return messages


def test_jupyter_gets_a_widget():
    shown = [m["content"]["data"] for m in in_a_kernel(True) if "data" in m["content"]]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)


def test_a_headless_kernel_gets_a_few_lines():
    messages = in_a_kernel(False)
    text = "".join(m["content"].get("text", "") for m in messages)
    assert text.count("\n") == 4
    assert not any("data" in m["content"] for m in messages)
