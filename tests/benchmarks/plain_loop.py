"""The yardstick: the loop of PyTorch's transfer learning tutorial."""

import time
from pathlib import Path

import torch
from limit import RATE, synchronize
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

WORKERS = 2  # loader processes


def plain_epoch(
    network: nn.Module,
    folder: Path,
    *,
    train: list[Path],
    val: list[Path],
    size: int,
    batch_size: int,
    device: str,
) -> float:
    """Time an epoch of float32 training and validation as the tutorial writes it.

    Every image is decoded again in a loader process, and the loss is read at every
    step. One untimed step comes first.

    Args:
        network: Takes one channel; on the device; changed in place.
        folder: Holds a folder of images per class.
        train: Files below it to train on, with repetitions if need be.
        val: Files below it to validate on.
        size: Side of the images, pixels.
        batch_size: Images per step.
        device: `cpu`, `cuda` or `mps`.

    Returns:
        Seconds.

    Source: pytorch.org/tutorials/beginner/transfer_learning_tutorial, with Adam in
    place of SGD and no learning rate schedule.
    """
    change = transforms.Compose(
        [transforms.Resize((size, size)), transforms.Grayscale(), transforms.ToTensor()]
    )
    images = datasets.ImageFolder(str(folder), change)
    place = {Path(path): index for index, (path, _) in enumerate(images.samples)}
    phases = [
        (
            training,
            DataLoader(
                Subset(images, [place[path] for path in files]),
                batch_size=batch_size,
                shuffle=training,
                num_workers=WORKERS,
            ),
        )
        for training, files in ((True, train), (False, val))
    ]
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    network(torch.rand(batch_size, 1, size, size, device=device)).sum().backward()
    synchronize(device)
    started = time.perf_counter()
    for training, loader in phases:
        network.train(training)
        loss_sum = 0.0
        for inputs, labels in loader:
            inputs, labels = inputs.to(device), labels.to(device)
            optimizer.zero_grad()
            with torch.set_grad_enabled(training):
                loss = criterion(network(inputs), labels)
                if training:
                    loss.backward()
                    optimizer.step()
            loss_sum += loss.item() * len(inputs)
    synchronize(device)
    return time.perf_counter() - started
