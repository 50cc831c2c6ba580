"""Pretrained weights: which, from where, checked, with their preprocessing."""

from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from lightbox.base.errors import ParameterError, WeightsError, did_you_mean
from lightbox.base.files import checksum
from lightbox.networks.architectures import OWN

NO_WEIGHTS = "none"
# Networks with auxiliary outputs, which are left out: a report compares main heads.
AUXILIARY = {"googlenet", "inception_v3"}


@dataclass(frozen=True)
class Preprocessing:
    """What the weights expect of an image.

    Attributes:
        mean: Per-channel mean in [0, 1]; None where the training split decides.
        std: Per-channel standard deviation, likewise.
        interpolation: `bilinear` or `bicubic`.
    """

    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    interpolation: str


def resolve_weights(model: str, weights: str) -> WeightsEnum | Path | None:
    """Find what a weights parameter means for one network.

    Args:
        weights: `none`; an entry such as `IMAGENET1K_V1` (or `DEFAULT`), with or
            without its enum's name before it; or a state dict in a `.pth`,
            `.pt` or `.safetensors` file.

    Raises:
        ParameterError: There is no such entry for this network.
        WeightsError: The file does not exist.
    """
    if weights == NO_WEIGHTS or model in OWN:
        return None  # our own networks have no published weights
    if Path(weights).suffix in {".pth", ".pt", ".safetensors"}:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise WeightsError(f"weights = {weights!r}: no such file; see its path")
        return path
    enum = torchvision.models.get_model_weights(model)
    entry = weights.removeprefix(f"{enum.__name__}.")
    if entry in enum.__members__:
        return enum[entry]
    have = [NO_WEIGHTS, *enum.__members__]
    raise ParameterError(
        f"weights = {weights!r}: {model} has {', '.join(have)}"
        f"{did_you_mean(entry, have)}"
    )


def weights_name(model: str, weights: str) -> str:
    """Name weights in full: an enum's entry, not `DEFAULT`, or a file and its hash."""
    found = resolve_weights(model, weights)
    if found is None:
        return NO_WEIGHTS
    if isinstance(found, Path):
        return f"{found.name}@sha256:{checksum(found)[:16]}"
    return str(found)


def preprocessing(model: str, weights: str, channels: int) -> Preprocessing:
    """Take mean, standard deviation and interpolation from the weights enum.

    Args:
        channels: Of the images. One channel takes the mean of the three means and of
            the three deviations, to go with summed kernels.
    """
    found = resolve_weights(model, weights)
    if found is None:
        return Preprocessing(None, None, "bilinear")
    if isinstance(found, Path):
        found = torchvision.models.get_model_weights(model).DEFAULT
    preset = found.transforms()
    mean, std = tuple(preset.mean), tuple(preset.std)
    if channels == 1:
        mean, std = (sum(mean) / 3,), (sum(std) / 3,)
        if model in AUXILIARY:
            mean, std = (0.5,), (0.5,)
    return Preprocessing(mean, std, preset.interpolation.value)


def state_dict(source: WeightsEnum | Path) -> dict[str, Tensor]:
    """Read weights from a file, or through torch's checkpoint cache and download.

    Raises:
        WeightsError: They are not here and cannot be fetched, or are damaged.
    """
    if isinstance(source, Path):
        if source.suffix == ".safetensors":
            return load_file(source)
        return _read_pth(source)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / Path(source.url).name
    if not path.exists():
        try:
            return source.get_state_dict(progress=False, check_hash=True)
        except (URLError, OSError) as error:
            raise WeightsError(
                f"{source} is not on this machine and could not be fetched ({error}). "
                f"Where there is a network, download {source.url} and put it here as "
                f"{path}; or set weights: none to train from random weights"
            ) from None
        except RuntimeError as error:
            raise WeightsError(f"{source}: {error}; try again") from None
    # torch checks the hash in the name on download only; a file that was put
    # there by hand, or cut short, is checked here.
    promised = path.stem.rsplit("-", 1)[-1]
    if not checksum(path).startswith(promised):
        raise WeightsError(
            f"{path} is damaged or not what its name says: its SHA-256 does not begin "
            f"with {promised}; delete it and fetch {source.url} again"
        )
    return _read_pth(path)


def _read_pth(path: Path) -> dict[str, Tensor]:
    """Load a state dict without running code from the file."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever pickle and zip raise
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} is no readable state dict: {reason}") from None


def load(
    network: nn.Module, state: dict[str, Tensor], *, head: str, source: str
) -> None:
    """Copy weights in, but for heads: the main one is replaced, others are left out.

    Args:
        state: Tensors by name; those of the head may be missing or of other classes.

    Raises:
        WeightsError: They are not this network's.
    """
    heads = f"{head}."
    try:
        backbone = {k: v for k, v in state.items() if not k.startswith(heads)}
        missing, unexpected = network.load_state_dict(backbone, strict=False)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{source} does not fit this network: {reason}") from None
    missing = [name for name in missing if not name.startswith(heads)]
    left_over = [name for name in unexpected if not name.lower().startswith("aux")]
    if missing or left_over:
        name = (missing or left_over)[0]
        raise WeightsError(
            f"{source} does not fit this network: {len(missing)} tensors missing, "
            f"{len(left_over)} unknown, the first is {name}"
        )
