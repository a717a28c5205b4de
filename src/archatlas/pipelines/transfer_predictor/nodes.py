"""The nodes that make the transferable predictor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.transfer.parameters import TransferParameters


def known_files(parameters: Mapping[str, Any]) -> list[Path]:
    """For ``depends_on``: the files that are read; what is missing is told when it is."""
    from archatlas.errors import ArchatlasError
    from archatlas.transfer.tables import files_of

    try:
        return files_of(TransferParameters.model_validate(parameters["transfer"]))
    except ArchatlasError:
        return []


@depends_on(files=(known_files,))
def read_known_networks(transfer: TransferParameters) -> pd.DataFrame:
    """A row per network: name, source, family, accuracies as normal quantiles, features of its computation graph."""
    from archatlas.transfer.tables import read_known

    return read_known(transfer).table()


def learn_from_known(known_networks: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """The predictor as arrays; what was predicted of each network that was left out; and what that comes to."""
    import torch

    from archatlas.transfer.known import KnownNetworks
    from archatlas.transfer.predictor import learn
    from archatlas.transfer.summary import summarise

    predictor, left_out = learn(KnownNetworks.from_table(known_networks))
    state = {name: torch.tensor(values) for name, values in predictor.state().items()}
    return state, left_out, summarise(left_out)
