from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.networks.blocks import initialise
from archatlas.spaces.chain import ChainSpace
from archatlas.training.evaluate import accuracy_and_log_loss, logits_of
from archatlas.training.parameters import DeviceParameters

CPU = DeviceParameters(accelerator="cpu")


def test_accuracy_and_log_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    accuracy, log_loss = accuracy_and_log_loss(logits, torch.tensor([1, 0]))
    assert accuracy == 0.5
    assert log_loss == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert all(math.isnan(value) for value in accuracy_and_log_loss(logits[:0], torch.empty(0, dtype=torch.int64)))


def test_logits_are_those_of_eval_mode_in_the_images_order(
    space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    network = space.build([0, 1, 0, 1])
    initialise(network, torch.Generator().manual_seed(0))
    network.train()
    logits = logits_of(network, images, description, device=CPU, batch_size=10)
    assert network.training
    with torch.no_grad():
        expected = network.eval()(normalise(images.images, description))
    torch.testing.assert_close(logits, expected)
    low = logits_of(network, images, description, device=DeviceParameters(accelerator="cpu", precision="bf16-mixed"))
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, expected, atol=0.1, rtol=0.1)
    assert not torch.equal(low, expected)


def test_no_images_give_no_logits(description: ImageDescription) -> None:
    none = ImageSplit(torch.empty(0, 1, 8, 8, dtype=torch.uint8), torch.empty(0, dtype=torch.int64))
    assert logits_of(nn.Identity(), none, description, device=CPU).shape == (0, 3)
