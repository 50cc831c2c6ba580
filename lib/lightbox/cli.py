"""The command line: `lightbox report`."""

import os
import shlex
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from lightbox.base.errors import LightboxError, ParameterError

FORMATS = ("html", "pdf", "docx")
WIDTH = 100  # of what a command says of itself in one line
# Commands whose modules take a second to import, which `--help` does not wait for:
# the module, and the first line of what the command says of itself.
ELSEWHERE = {
    "audit": (
        "printed.command",
        "Say which numbers of a printed TABLE cannot be true.",
    ),
    "runs": ("runs.command", "The runs that are kept: list, show, verify, gc."),
}


class Group(click.Group):
    """Shows a user's mistake as one line, not as a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands of all modules."""
        return sorted([*super().list_commands(ctx), *ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command of another module."""
        if cmd_name in ELSEWHERE:
            module = import_module(f"lightbox.{ELSEWHERE[cmd_name][0]}")
            return getattr(module, cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands without importing them."""
        lines = {
            name: command.get_short_help_str(WIDTH)
            for name, command in self.commands.items()
        }
        lines |= {name: line for name, (_, line) in ELSEWHERE.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(lines.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; end with status 2 on a user's mistake."""
        try:
            return super().invoke(ctx)
        except LightboxError as error:
            click.echo(f"lightbox: {error}", err=True)
            ctx.exit(getattr(error, "exit_code", 2))


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lightbox")
def main() -> None:
    """From a folder of medical images to a course report on transfer learning."""


@main.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def bench(options: tuple[str, ...]) -> None:
    """Time training on this machine, in about two minutes (from a clone)."""
    import subprocess

    from lightbox.base import paths

    script = paths.project() / "tests/benchmarks/bench.py"
    if not script.is_file():
        raise ParameterError(f"{script} does not exist: run from a clone of Lightbox")
    raise SystemExit(subprocess.call([sys.executable, str(script), *options]))


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--only",
    multiple=True,
    metavar="00",
    help="Only the notebooks whose name begins so; may be given again.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the report goes [reports/<study>].",
)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    type=(str, str),
    multiple=True,
    metavar="NAME VALUE",
    help="Set a parameter, its value written as YAML: -p models '[resnet18]'.",
)
@click.option(
    "--to",
    "formats",
    default="html,pdf",
    show_default=True,
    metavar="FORMATS",
    help=f"Any of {', '.join(FORMATS)}, comma-separated.",
)
def report(
    study: Path,
    only: tuple[str, ...],
    out: Path | None,
    parameters: tuple[tuple[str, str], ...],
    formats: str,
) -> None:
    """Execute the notebooks of STUDY and bind their report.

    STUDY is a folder of YAML files, such as params/demo. Finished runs are taken
    from the store; a notebook that fails is rendered up to where it failed, the
    others are done, and the exit status is 1.
    """
    from rich.console import Console

    from lightbox import build
    from lightbox.base import paths
    from lightbox.display.provenance import portable
    from lightbox.settings import studies

    wanted = _formats(formats)
    chosen = studies.load(study).only(only).override(_overrides(parameters))
    chosen = chosen.validated(Path.cwd())
    folder = (out or paths.reports() / chosen.name).resolve()
    again = ["lightbox", "report", portable(str(chosen.folder), "study")]
    again += [word for stem in only for word in ("--only", stem)]
    again += ["--out", portable(str(folder), "out")] if out else []
    for name, text in parameters:
        again += ["-p", name, portable(text, name)]
    again += ["--to", formats] if wanted != ("html", "pdf") else []
    console = Console(stderr=True, highlight=False)
    started = time.perf_counter()
    done = build.make(
        chosen,
        folder,
        formats=wanted,
        command=shlex.join(again),
        console=console,
    )
    for path in done.files:
        console.print(f"  {os.path.relpath(path)}", markup=False)
    seconds = time.perf_counter() - started
    if done.failed:
        raise click.ClickException(
            f"{', '.join(done.failed)} failed; the report shows where ({seconds:.0f} s)"
        )
    console.print(f"The report is ready, in {seconds:.0f} s.")


def _formats(text: str) -> tuple[str, ...]:
    """Read `--to`."""
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    wrong = [name for name in wanted if name not in FORMATS]
    if wrong:
        raise ParameterError(f"--to {wrong[0]!r}: there are {', '.join(FORMATS)}")
    return wanted


def _overrides(given: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Read the values of `-p` as YAML."""
    import yaml

    values = {}
    for name, text in given:
        try:
            values[name] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ParameterError(
                f"-p {name} {text!r}: the value is no YAML; quote it, as in '[a, b]'"
            ) from None
    return values
