"""The command `lightbox bench`."""

import statistics

import click
from rich.console import Console
from rich.table import Table


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="After which no further turn begins.",
)
@click.option(
    "--size",
    type=click.IntRange(32, 512),
    default=224,
    show_default=True,
    help="Side of the images, pixels.",
)
def bench(seconds: float, size: int) -> None:
    """Time training on this machine, in about two minutes.

    ResNet-18 on generated radiographs: steps on a batch that is in memory already
    (the limit), Lightbox with its data, validation and checkpoints, and the loop of
    PyTorch's tutorial. They take turns; medians are shown.
    """
    from lightbox import bench as benchmark

    console = Console(highlight=False)
    found = benchmark.measure(seconds=seconds, size=size)
    table = Table(title=found.hardware, title_justify="left")
    table.add_column("system", no_wrap=True)
    for heading in ("s/epoch", "images/s", "to limit", "to Lightbox"):
        table.add_column(heading, justify="right")
    titles = {
        "limit": "limit, batch in memory",
        "lightbox": "Lightbox",
        "plain": "PyTorch tutorial loop",
    }
    for name, title in titles.items():
        middle = statistics.median(getattr(found, name))
        table.add_row(
            title,
            f"{middle:.2f}",
            f"{found.images / middle:.0f}",
            f"{found.ratio(name, 'limit'):.2f} x",
            f"{found.ratio(name, 'lightbox'):.2f} x",
        )
    console.print(table)
    epochs = benchmark.FROZEN_EPOCHS
    plain = epochs * statistics.median(found.plain)
    console.print(
        f"Lightbox trains within {found.ratio('lightbox', 'limit'):.2f} x of what this "
        f"machine can do, {found.ratio('plain', 'lightbox'):.1f} x as fast as the "
        f"plain loop (medians of {len(found.limit)} turns, {found.images} images an "
        f"epoch). {epochs} epochs with a frozen backbone take {found.frozen:.1f} s; "
        f"training all layers for as long in the plain loop takes {plain:.0f} s. One "
        f"process decodes {found.decoded:.0f} images a second."
    )
