"""What a network answers, and how good the answers are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.training.fabric import evaluation_mode, prepare_process, threads_restored, torch_device
from archatlas.training.parameters import DeviceParameters


def logits_of(
    network: nn.Module,
    images: ImageSplit,
    description: ImageDescription,
    *,
    device: DeviceParameters,
    batch_size: int = 512,
) -> Tensor:
    """Logits ``[n, classes]`` (float32, on the CPU) in eval mode; the network is handed back as it was."""
    place = torch_device(device)
    was_training, home = network.training, device_of(network)
    network.to(place).eval()
    parts: list[Tensor] = []
    try:
        with threads_restored(), evaluation_mode(place, device.precision):
            prepare_process(device)
            for start in range(0, len(images), batch_size):
                batch = normalise(images.images[start : start + batch_size].to(place), description)
                if device.channels_last:
                    batch = batch.contiguous(memory_format=torch.channels_last)
                parts.append(network(batch).float().cpu())
    finally:
        network.to(home).train(was_training)
    return torch.cat(parts) if parts else torch.empty(0, description.num_classes)


def device_of(network: nn.Module) -> torch.device:
    """Where the network's parameters are (the CPU if it has none)."""
    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def accuracy_and_log_loss(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Share of images whose largest logit is the label's, and mean cross-entropy in nats. NaN without images."""
    if len(labels) == 0:
        return float("nan"), float("nan")
    accuracy = (logits.argmax(dim=1) == labels).double().mean()
    return float(accuracy), float(functional.cross_entropy(logits.double(), labels))
