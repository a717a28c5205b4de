from __future__ import annotations

import pytest
import torch
from torch import nn

from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.supernet.make import load_supernet, make_supernet

PATH = (1, 0, 1, 2)


def test_a_subnet_alone_gives_the_path_s_logits_and_shares_nothing(space: ChainSpace) -> None:
    supernet = make_supernet(space, torch.Generator().manual_seed(0)).eval()
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    alone = supernet.extract(PATH)
    with torch.no_grad():
        assert torch.equal(alone(images), supernet(images, PATH))
        assert not torch.equal(alone(images), supernet(images, (0, 0, 0, 0)))
        for parameter in supernet.parameters():
            parameter.zero_()
        assert alone(images).abs().sum() > 0
    assert set(alone.state_dict()) == set(space.build(PATH).state_dict())


def test_every_choice_has_a_block_of_its_own(space: ChainSpace) -> None:
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    assert tuple(len(choices) for choices in supernet.blocks) == space.num_choices
    assert isinstance(supernet.block(1, 2), nn.Identity)


def test_weights_come_from_the_generator(space: ChainSpace) -> None:
    one, same, other = (make_supernet(space, torch.Generator().manual_seed(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stem.0.weight"], other["stem.0.weight"])


def test_weights_of_another_space_are_refused(space: ChainSpace) -> None:
    other = ChainSpace("other", (1, 8, 8), 3, 5, space.stages, space.operations)
    weights = make_supernet(other, torch.Generator().manual_seed(0)).state_dict()
    with pytest.raises(ArchatlasError, match=r"do not fit the space 'tiny'.*train_supernet"):
        load_supernet(space, weights)
    weights = make_supernet(space, torch.Generator().manual_seed(3)).state_dict()
    assert torch.equal(load_supernet(space, weights).stem[0].weight, weights["stem.0.weight"])
