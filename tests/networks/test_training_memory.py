from __future__ import annotations

import pytest
from torch import nn

from archatlas.networks.training_memory import bytes_of_a_step


@pytest.mark.parametrize(
    ("layers", "floats"),
    [
        ([], 2 * 4),  # The images, which the gradient of the weights needs.
        ([nn.ReLU()], 2 * 4 + 2 * 3),
        ([nn.ReLU(), nn.ReLU()], 2 * 4 + 2 * 2 * 3),
        # One tensor, changed where it is.
        ([nn.ReLU(), nn.ReLU(inplace=True)], 2 * 4 + 2 * 3),
        ([nn.ReLU(), nn.Identity()], 2 * 4 + 2 * 3),
    ],
)
def test_what_backward_needs_is_counted_once_beside_the_weights(layers, floats):
    module = nn.Sequential(nn.Linear(4, 3, bias=False), *layers).to("meta")
    assert bytes_of_a_step(module, (4,), images=2, copies_of_weights=3) == 4 * (3 * 4 * 3 + floats)


def test_a_step_grows_with_its_images_alone():
    module = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 4, 1)).to("meta")
    one, two, three = (bytes_of_a_step(module, (3, 16, 16), images, 4) for images in (1, 2, 3))
    assert three - two == two - one
    # The images, and what the convolution, batch norm and the activation make of them, each 8 x 16 x 16.
    assert two - one == 4 * 16 * 16 * (3 + 3 * 8)
