"""The peers, each as its own documentation writes it: one timed fit a process.

Run by `peers.py` with the peers' interpreter; prints one line of JSON. Every peer
is left at its defaults (float32, NCHW) but for the number of loader processes,
which is two, and starts after one untimed step of the same network.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms

WORKERS = 2
RATE = 1e-4


def build(frozen: bool) -> nn.Module:
    """Make a ResNet-18 with two outputs; frozen, only its head trains."""
    network = models.resnet18(weights=None)
    for weight in network.parameters():
        weight.requires_grad = not frozen
    network.fc = nn.Linear(network.fc.in_features, 2)
    return network


def loaders(folder: Path, size: int, batch: int) -> dict[str, DataLoader]:
    """Decode, resize and normalise in worker processes, at every epoch."""
    change = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    return {
        split: DataLoader(
            datasets.ImageFolder(str(folder / split), change),
            batch_size=batch,
            shuffle=split == "train",
            num_workers=WORKERS,
        )
        for split in ("train", "val")
    }


def tutorial(folder: Path, size: int, batch: int, epochs: int, frozen: bool) -> float:
    """Time the loop of PyTorch's transfer learning tutorial.

    Source: pytorch.org/tutorials/beginner/transfer_learning_tutorial, with Adam in
    place of SGD and without its learning rate schedule.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build(frozen).to(device)
    criterion = nn.CrossEntropyLoss()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=RATE)
    loading = loaders(folder, size, batch)
    best = 0.0
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as kept:
        path = Path(kept) / "best.pt"
        torch.save(model.state_dict(), path)
        for _ in range(epochs):
            for phase in ("train", "val"):
                model.train(phase == "train")
                running_loss = running_corrects = 0.0
                for inputs, labels in loading[phase]:
                    inputs, labels = inputs.to(device), labels.to(device)
                    optimizer.zero_grad()
                    with torch.set_grad_enabled(phase == "train"):
                        outputs = model(inputs)
                        _, preds = torch.max(outputs, 1)
                        loss = criterion(outputs, labels)
                        if phase == "train":
                            loss.backward()
                            optimizer.step()
                    running_loss += loss.item() * inputs.size(0)
                    running_corrects += torch.sum(preds == labels.data).item()
                accuracy = running_corrects / len(loading[phase].dataset)
                if phase == "val" and accuracy > best:
                    best = accuracy
                    torch.save(model.state_dict(), path)
        model.load_state_dict(torch.load(path))
    return time.perf_counter() - started


def lightning(folder: Path, size: int, batch: int, epochs: int, frozen: bool) -> float:
    """Time Lightning's `Trainer.fit`, its checkpoints and its log included."""
    import lightning as lit

    class Module(lit.LightningModule):
        def __init__(self):
            super().__init__()
            self.model, self.criterion = build(frozen), nn.CrossEntropyLoss()

        def training_step(self, given, _):
            loss = self.criterion(self.model(given[0]), given[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, given, _):
            logits = self.model(given[0])
            self.log("val_loss", self.criterion(logits, given[1]))
            accuracy = (logits.argmax(1) == given[1]).float().mean()
            self.log("val_accuracy", accuracy, prog_bar=True)

        def configure_optimizers(self):
            weights = [p for p in self.parameters() if p.requires_grad]
            return torch.optim.Adam(weights, lr=RATE)

    loading = loaders(folder, size, batch)
    with tempfile.TemporaryDirectory() as kept:
        trainer = lit.Trainer(max_epochs=epochs, default_root_dir=kept)
        started = time.perf_counter()
        trainer.fit(Module(), loading["train"], loading["val"])
        return time.perf_counter() - started


def fastai(folder: Path, size: int, batch: int, epochs: int, frozen: bool) -> float:
    """Time fastai's `Learner.fit` on its own vision learner."""
    from fastai.vision import all as fast

    data = fast.ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="val",
        item_tfms=fast.Resize(size, method="squish"),
        bs=batch,
        num_workers=WORKERS,
    )
    learner = fast.vision_learner(
        data, models.resnet18, pretrained=False, metrics=fast.accuracy, lr=RATE
    )
    if frozen:
        learner.freeze()
    else:
        learner.unfreeze()
    started = time.perf_counter()
    learner.fit(epochs)
    return time.perf_counter() - started


def warm_up(size: int, batch: int) -> None:
    """Take one step, so that no system pays for the first use of the kernels."""
    network = build(frozen=False)
    if torch.cuda.is_available():
        network = network.cuda()
    inputs = torch.rand(batch, 3, size, size).to(next(network.parameters()).device)
    network(inputs).sum().backward()


SYSTEMS = {"tutorial": tutorial, "lightning": lightning, "fastai": fastai}


def main() -> None:
    """Time one system and print the seconds per epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--frozen", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(0)
    warm_up(given.size, given.batch)
    seconds = SYSTEMS[given.system](
        given.folder, given.size, given.batch, given.epochs, given.frozen
    )
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
