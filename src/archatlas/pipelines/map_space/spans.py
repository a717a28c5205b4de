"""Where a large atlas is kept while it is made, and until when."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol

    from archatlas.kedro_ext.records import NodeRecord


def folder_of_spans(work_folder: Path) -> Path:
    """The folder of all that `map_space` keeps of its work."""
    return work_folder / "map_space"


class SpansHook:
    """Delete that folder once the atlas stands among the results: until then a kill or a full disk needs it again."""

    @hook_impl
    def after_node_settled(self, record: NodeRecord, catalog: CatalogProtocol[Any, Any]) -> None:
        if "atlas" in record.outputs:
            shutil.rmtree(folder_of_spans(catalog["work_folder"].load()), ignore_errors=True)
