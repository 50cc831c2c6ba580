"""Lightbox against the limit and what people use today: one command, three tables.

    make bench                     # or: .venv/bin/python tests/benchmarks/peers.py
    .venv/bin/python tests/benchmarks/peers.py --repeats 1 --size 64 --train 64

Real radiographs (../shared/data), ResNet-18 without weights, 224 px, batch 32, 512
images to train on and 128 to validate on. Every measurement is a process of its
own; the systems take turns, so that a slow minute of the machine meets all of them.
Every system begins after one untimed step, but for "first call". A ratio is that of
one turn; the tables give medians over turns. The peers live in an environment of
their own below .venv, made on the first call.
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from comparing_systems import TITLES, compared, shown, write_down
from PIL import Image

from lightbox.base import paths
from lightbox.base.progress import Progress
from lightbox.runs.environment import hardware
from lightbox.training.devices import resolve

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
REAL = PROJECT / ".." / "shared" / "data" / "chest_xray"
CLASSES = ("NORMAL", "PNEUMONIA")
ORIGINAL = (1600, 1200)  # pixels; about what the published radiographs have
TUNED = ("limit", "lightbox", "first", "tutorial", "lightning", "fastai")
FROZEN = ("frozen", "tutorial", "fastai")


def environment() -> Path:
    """Give the peers' interpreter, installing what their requirements name."""
    folder = PROJECT / ".venv" / "peers"
    wanted = HERE / "peers-requirements.txt"
    python, mark = folder / "bin" / "python", folder / "requirements.sha256"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not (mark.exists() and mark.read_text() == digest):
        uv = str(PROJECT / ".venv" / "bin" / "uv")
        venv = [uv, "venv", "--quiet", "--clear", "--python", sys.executable]
        subprocess.run([*venv, str(folder)], check=True)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode"]
        install += ["--python", str(python), "--requirement", str(wanted)]
        subprocess.run(install, check=True)
        mark.write_text(digest)
    return python


def radiographs(folder: Path, counts: dict[str, int]) -> None:
    """Copy evenly spaced images of both classes: the same files for everyone."""
    sources = {"train": "train", "val": "test", "test": "test"}
    for split, count in counts.items():
        for label in CLASSES:
            found = sorted((REAL / sources[split] / label).iterdir())
            # Odd and even ones, so that val and test share no image.
            found = found[split == "test" :: 2]
            half = count // 2
            (folder / split / label).mkdir(parents=True)
            for i in range(half):
                shutil.copy(found[i * len(found) // half], folder / split / label)


def enlarged(folder: Path, count: int) -> None:
    """Write radiographs of their original size under `count` names."""
    folder.mkdir()
    source = sorted((REAL / "train" / "PNEUMONIA").iterdir())
    kinds = min(count, 50)
    for i in range(count):
        path = folder / f"{i:05}.jpeg"
        if i < kinds:
            with Image.open(source[i]) as image:
                image.convert("L").resize(ORIGINAL).save(path, quality=90)
        else:
            os.link(folder / f"{i % kinds:05}.jpeg", path)


def measure(
    python: Path | str, script: str, *words: object, **env: str
) -> dict[str, object]:
    """Run one measurement in a process of its own."""
    command = [str(python), str(HERE / script), *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | env, cwd=PROJECT
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


class Bench:
    """Takes turns among systems and keeps every number."""

    def __init__(self, given: argparse.Namespace, work: Path):
        self.given, self.images = given, work / "radiographs"
        self.work, self.python = work, environment()
        self.home = work / "home"

    def take(self, system: str, epochs: int, *, frozen: bool) -> float:
        """Time one system once."""
        given = self.given
        words = ["--size", given.size, "--batch", given.batch, "--epochs", epochs]
        if system in {"limit", "lightbox", "first", "frozen"}:
            home = self.home
            if system == "first":
                home = Path(tempfile.mkdtemp(dir=self.work))
            env = {"LIGHTBOX_HOME": str(home)}
            found = measure(
                sys.executable, "ours.py", system, self.images, *words, **env
            )
        else:
            words += ["--frozen"] if frozen else []
            found = measure(self.python, "systems.py", system, self.images, *words)
        return float(found["seconds"])

    def turns(
        self, systems: tuple[str, ...], repeats: int, epochs: int, *, frozen: bool
    ) -> dict[str, list[float]]:
        """Let every system take its turn, each time beginning with another."""
        seconds: dict[str, list[float]] = {name: [] for name in systems}
        label = f"{epochs} epochs, {'frozen' if frozen else 'all layers'}"
        with Progress(label, repeats * len(systems), "runs") as progress:
            for turn in range(repeats):
                shift = turn % len(systems)
                for name in (*systems[shift:], *systems[:shift]):
                    value = self.take(name, epochs, frozen=frozen)
                    seconds[name].append(value)
                    progress.advance(note=f"{TITLES[name]} {value:.1f} s")
        return seconds


def import_seconds() -> float:
    """Time `import lightbox` beyond the interpreter's own start."""

    def start(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    pairs = [(start("import lightbox"), start("pass")) for _ in range(5)]
    return statistics.median(mine - bare for mine, bare in pairs)


def others(bench: Bench) -> list[dict[str, object]]:
    """Measure decoding, growth and the import."""
    given, rows = bench.given, []

    def row(name: str, seconds: float, ratio: float | None) -> None:
        empty = {"to_limit": None, "to_lightbox": ratio}
        facts = {"seconds": seconds, "lowest": seconds, "highest": seconds}
        rows.append({"table": "other", "system": name, **facts, **empty})

    folder = bench.work / "enlarged"
    enlarged(folder, given.decode)
    words = ("decode", folder, "--size", given.size)
    one = measure(sys.executable, "ours.py", *words, LOKY_MAX_CPU_COUNT="1")
    many = measure(sys.executable, "ours.py", *words)
    fast, slow = float(many["seconds"]), float(one["seconds"])
    row(f"decode {given.decode}, all cores", fast, 1.0)
    row(f"decode {given.decode}, one process", slow, slow / fast)
    first = None
    for count in given.growth:
        words = ("growth", bench.work, "--size", 64, "--images", count)
        found = float(measure(sys.executable, "ours.py", *words)["seconds"])
        first = first or found / count
        row(f"epoch of {count} at 64 px, per image", found, found / count / first)
    row("import lightbox", import_seconds(), None)
    return rows


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns [5]")
    parser.add_argument("--frozen-repeats", type=int, help="turns [as --repeats]")
    parser.add_argument("--epochs", type=int, default=1, help="fine-tuning [1]")
    parser.add_argument("--frozen-epochs", type=int, default=10, help="[10]")
    parser.add_argument("--size", type=int, default=224, help="pixels [224]")
    parser.add_argument("--batch", type=int, default=32, help="images a step [32]")
    parser.add_argument("--train", type=int, default=512, help="images [512]")
    parser.add_argument("--val", type=int, default=128, help="images [128]")
    parser.add_argument("--decode", type=int, default=3000, help="images [3000]")
    parser.add_argument(
        "--growth", type=int, nargs="*", default=[1000, 4000, 16000], help="images"
    )
    parser.add_argument("--tables", default="tuned,frozen,other", help="[all three]")
    parser.add_argument("--out", type=Path, help="folder [data/benchmarks]")
    given = parser.parse_args()
    if not REAL.is_dir():
        raise SystemExit("the real radiographs (../shared/data) are not here")
    compute = resolve()
    machine = f"{hardware(compute.device)}, {compute.precision} (peers: float32)"
    rows, raw, text = [], {}, [machine, ""]
    wanted = set(given.tables.split(","))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        counts = {"train": given.train, "val": given.val, "test": 16}
        radiographs(work / "radiographs", counts)
        bench = Bench(given, work)
        bench.take("limit", 1, frozen=False)  # decodes: not counted
        if "tuned" in wanted:
            raw["tuned"] = bench.turns(TUNED, given.repeats, given.epochs, frozen=False)
            rows += (found := compared("tuned", raw["tuned"], "lightbox", "limit"))
            title = f"Fine-tuning, {given.epochs} epoch(s), medians of {given.repeats}"
            text.append(shown(title, found))
        if "frozen" in wanted:
            repeats = given.frozen_repeats or given.repeats
            epochs = given.frozen_epochs
            raw["frozen"] = bench.turns(FROZEN, repeats, epochs, frozen=True)
            rows += (found := compared("frozen", raw["frozen"], "frozen", None))
            title = f"Frozen backbone, {epochs} epochs, medians of {repeats}"
            text.append(shown(title, found))
        if "other" in wanted:
            rows += (found := others(bench))
            text.append(shown("Decoding, growth, import (ratio to the first)", found))
    facts = {"hardware": machine, "seconds": raw, "rows": rows}
    facts["arguments"] = {name: str(value) for name, value in vars(given).items()}
    out = given.out or paths.data() / "benchmarks"
    write_down(out, facts)
    print("\n".join(text))
    print(f"Written to {os.path.relpath(out)}: peers.json, peers.csv")


if __name__ == "__main__":
    main()
