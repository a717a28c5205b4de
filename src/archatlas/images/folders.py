"""How a folder of images is laid out: a sub-folder per class, perhaps below a folder per split."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archatlas.errors import ArchatlasError
from archatlas.images.kinds import HEIF, suffixes_not_read, suffixes_read
from archatlas.images.splitting import SPLIT_NAMES, SPLITS
from archatlas.storage.walk import walk

_log = logging.getLogger(__name__)

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_NAMED = 5


@dataclass(frozen=True)
class LeftOut:
    """An image file that no split has: its path below the source, its class (empty if it has none), and why."""

    file: str
    class_name: str
    reason: str


@dataclass(frozen=True)
class ImageFolder:
    """What lies in a folder. Paths are relative to ``root``, with forward slashes, sorted.

    ``split_folders`` maps a folder that holds a given split to the split's name; it is empty if classes lie directly
    in ``root``. An empty class folder counts among ``class_folders``: it is a class with too few images, not no class.
    ``images`` can be links that lead nowhere: such a file is damaged like others. ``left_out`` are those that cannot be
    images of a class whatever is in them.
    """

    root: Path
    images: tuple[str, ...]
    metadata: tuple[str, ...]
    class_folders: tuple[str, ...]
    split_folders: dict[str, str]
    left_out: tuple[LeftOut, ...] = ()

    def split_of(self, path: str) -> str | None:
        """The split whose folder the path lies in; None if no splits are given."""
        return self.split_folders.get(path.split("/")[0])

    def metadata_files(self) -> dict[str, list[str]]:
        """Absolute paths of the metadata files of each split; ``train`` alone if no split is given."""
        files: dict[str, list[str]] = {}
        for path in self.metadata:
            files.setdefault(self.split_of(path) or "train", []).append(str(self.root / path))
        return files

    def class_of(self, path: str) -> str | None:
        """The class folder of a file: the first below ``root``, or below the split's folder; None if it is in none."""
        top, *below = path.split("/")
        if top not in self.split_folders:
            return top if below and not self.split_folders else None
        return below[0] if len(below) > 1 else None


def list_folder(root: Path) -> ImageFolder:
    """The layout of ``root``. Hidden files and folders (``.x``, ``__x``) are passed over, and ``lost+found``.

    Folders called train, validation (valid, val, dev) and test are splits if there is one for training and it holds
    class folders; else they are classes like the others. What is left out is named in a warning. Raises
    `ArchatlasError` if there are no images.
    """
    if not root.is_dir():
        raise ArchatlasError(f"images.path is `{root}`, a file: give the folder that holds one sub-folder per class")
    found, odd = _files_below(root)
    images = [path for path in found if Path(path).name not in METADATA]
    if not images:
        raise ArchatlasError(
            f"no images in `{root}`: it must hold one sub-folder with images per class, or folders `train` and `test` "
            f"that do{_kinds(odd)}"
        )
    metadata = [path for path in found if Path(path).name in METADATA]
    splits = _split_folders(root, bool(metadata))
    if splits:
        outside = [path for path in images if path.split("/")[0] not in splits]
        odd |= dict.fromkeys(outside, "it lies outside the folders of splits")
        images = sorted(set(images) - set(outside))
        metadata = [path for path in metadata if path.split("/")[0] in splits]
    classes = sorted({name for top in splits or [""] for name in _sub_folders(root / top)})
    folder = ImageFolder(root, tuple(images), tuple(metadata), tuple(classes), splits)
    left_out = tuple(LeftOut(path, folder.class_of(path) or "", reason) for path, reason in sorted(odd.items()))
    warn_of(left_out)
    return replace(folder, left_out=left_out)


def all_below(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """What ``walk`` gives of folders that are not hidden; `ArchatlasError` for one that cannot be listed.

    Images in it would be missing.
    """
    try:
        yield from walk(root, visible)
    except OSError as error:
        raise ArchatlasError(
            f"the folder `{error.filename}` cannot be listed ({error.strerror}), and images in it would be missing: "
            "give it rights to be read, or move it out of `images.path`"
        ) from error


def warn_of(left_out: Sequence[LeftOut]) -> None:
    """Say how many files are left out, which for example, and why: a warning for each reason."""
    for reason, count in Counter(one.reason for one in left_out).items():
        named = [f"`{one.file}`" for one in left_out if one.reason == reason][:_NAMED]
        more = f" and {count - len(named)} more" if count > len(named) else ""
        _log.warning("%d image file%s left out: %s%s (%s)", count, "s" * (count > 1), ", ".join(named), more, reason)


def _files_below(root: Path) -> tuple[list[str], dict[str, str]]:
    """Paths below ``root``, sorted: images and metadata files; and what looks like an image but is not read: why."""
    read = suffixes_read()
    not_read = suffixes_not_read(read)
    found, odd = [], {}
    for folder, _, files in all_below(root):
        inside = folder.relative_to(root)
        for name in filter(visible, files):
            suffix, path, relative = Path(name).suffix.lower(), Path(folder, name), (inside / name).as_posix()
            if suffix in not_read:
                odd[relative] = _no_reader(suffix)
            elif suffix in read or name in METADATA:
                if _is_another_thing(path):  # Opening a named pipe would wait for who writes to it.
                    odd[relative] = "it is not a regular file"
                else:
                    found.append(relative)
    return sorted(found), odd


def _is_another_thing(path: Path) -> bool:
    """Whether what is there is no regular file; what this user may not look at is one, until it is opened."""
    try:
        return path.exists() and not path.is_file()
    except PermissionError:
        return False


def _no_reader(suffix: str) -> str:
    remedy = "install pillow-heif to read it" if suffix in HEIF else "convert it to PNG or JPEG"
    return f"there is no reader for {suffix} files: {remedy}"


def _kinds(odd: dict[str, str]) -> str:
    kinds = sorted(set(odd.values()))
    return f". {len(odd)} image files are not read: {'; '.join(kinds)}" if kinds else ""


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
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and visible(entry.name))


def visible(name: str) -> bool:
    """Whether a file or a folder is the user's: not hidden, nor where a file system puts what it has repaired."""
    return not name.startswith((".", "__")) and name != "lost+found"
