"""How a folder of images is laid out: a sub-folder per class, perhaps below a folder per split."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from archatlas.errors import ArchatlasError
from archatlas.images.splitting import SPLIT_NAMES, SPLITS

_log = logging.getLogger(__name__)

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


@dataclass(frozen=True)
class ImageFolder:
    """What lies in a folder. Paths are relative to ``root``, with forward slashes, sorted.

    ``split_folders`` maps a folder that holds a given split to the split's name; it is empty if classes lie directly
    in ``root``. An empty class folder counts among ``class_folders``: it is a class with too few images, not no class.
    """

    root: Path
    images: tuple[str, ...]
    metadata: tuple[str, ...]
    class_folders: tuple[str, ...]
    split_folders: dict[str, str]

    def files(self) -> dict[str, list[str]]:
        """Absolute paths of the images and metadata files of each split; ``train`` alone if no split is given."""
        files: dict[str, list[str]] = {}
        for path in (*self.images, *self.metadata):
            split = self.split_folders.get(path.split("/")[0], "train")
            files.setdefault(split, []).append(str(self.root / path))
        return files


def list_folder(root: Path) -> ImageFolder:
    """The layout of ``root``. Hidden files and folders (``.x``, ``__x``) are passed over.

    Folders called train, validation (valid, val, dev) and test are splits if there is one for training and it holds
    class folders; else they are classes like the others. Raises `ArchatlasError` if there are no images.
    """
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder as Reader

    if not root.is_dir():
        raise ArchatlasError(f"images.path is `{root}`, a file: give the folder that holds one sub-folder per class")
    images, metadata = [], []
    for folder, below, files in os.walk(root, followlinks=True):
        below[:] = sorted(name for name in below if _visible(name) and not _leads_back(Path(folder, name)))
        inside = Path(folder).relative_to(root)
        for name in filter(_visible, files):
            if Path(name).suffix.lower() in Reader.EXTENSIONS:
                images.append((inside / name).as_posix())
            elif name in _METADATA:
                metadata.append((inside / name).as_posix())
    if not images:
        raise ArchatlasError(
            f"no images in `{root}`: it must hold one sub-folder with images per class, or folders `train` and `test` "
            "that do"
        )
    splits = _split_folders(root, bool(metadata))
    if splits:
        outside = [path for path in images if path.split("/")[0] not in splits]
        if outside:
            _log.warning("%d images outside the folders of splits are left out, such as %s", len(outside), outside[0])
        images = sorted(set(images) - set(outside))
        metadata = [path for path in metadata if path.split("/")[0] in splits]
    classes = sorted({name for top in splits or [""] for name in _sub_folders(root / top)})
    return ImageFolder(root, tuple(sorted(images)), tuple(sorted(metadata)), tuple(classes), splits)


def class_of_path(root: Path, path: str, split_folders: dict[str, str]) -> str:
    """The class folder of an image: the first below ``root``, or below the split's folder."""
    parts = path.split("/")
    below = parts[1:] if parts[0] in split_folders else parts
    if len(below) < 2:
        raise ArchatlasError(
            f"the image `{path}` in `{root}` lies in no class folder: there must be one sub-folder per class"
        )
    return below[0]


def _split_folders(root: Path, has_metadata: bool) -> dict[str, str]:
    named = {name: SPLITS[SPLIT_NAMES[name.lower()]] for name in _sub_folders(root) if name.lower() in SPLIT_NAMES}
    labelled = {name: split for name, split in named.items() if has_metadata or _sub_folders(root / name)}
    if "train" in labelled.values():
        for name in sorted(set(named) - set(labelled)):
            _log.warning("`%s` is left out: it has no class folders, so its images have no labels", name)
        return labelled
    if named and set(named) == set(_sub_folders(root)):
        raise ArchatlasError(
            f"`{root}` has only the folders {', '.join(sorted(named))}, and no training folder with one sub-folder per "
            "class: give folders of classes, or `train` (and `test`) with folders of classes in it"
        )
    return {}


def _sub_folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and _visible(entry.name))


def _leads_back(folder: Path) -> bool:
    """Whether it is a link to a folder that it lies in, which a walk would never leave."""
    return folder.is_symlink() and folder.resolve() in folder.parent.resolve().joinpath("x").parents


def _visible(name: str) -> bool:
    return not name.startswith((".", "__"))
