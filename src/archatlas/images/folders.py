"""How a folder of images is laid out: a sub-folder per class, perhaps below a folder per split."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archatlas.errors import ArchatlasError
from archatlas.images.kinds import HEIF, suffixes_not_read, suffixes_read
from archatlas.images.layout import Layout, layout_of, role_of, sub_folders, visible
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

    An empty class folder counts among ``class_folders``: it is a class with too few images, not no class.
    ``images`` can be links that lead nowhere: such a file is damaged like others. ``left_out`` are those that cannot be
    images of a class whatever is in them.
    """

    root: Path
    images: tuple[str, ...]
    metadata: tuple[str, ...]
    class_folders: tuple[str, ...]
    layout: Layout
    left_out: tuple[LeftOut, ...] = ()

    def metadata_files(self) -> dict[str, list[str]]:
        """Absolute paths of the metadata files of each split; ``train`` alone if no split is given."""
        files: dict[str, list[str]] = {}
        for path in self.metadata:
            files.setdefault(self.layout.split_of(path) or "train", []).append(str(self.root / path))
        return files


def list_folder(root: Path) -> ImageFolder:
    """What lies in ``root``, by its layout (`layout_of`). What is left out is named in a warning.

    So are hidden files and folders (``.x``, ``__x``) and ``lost+found``, as far as these folders hold images. Raises
    `ArchatlasError` if there are no images, or their folders may be classes or splits.
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
    layout = layout_of(root, images, metadata)
    if layout.splits:
        outside = [path for path in images if layout.split_of(path) is None]
        odd |= dict.fromkeys(outside, "it lies outside the folders of splits")
        images = sorted(set(images) - set(outside))
        metadata = [path for path in metadata if layout.split_of(path) is not None]
    classes = sorted({name for holder in layout.holders for name in sub_folders(root / holder)})
    folder = ImageFolder(root, tuple(images), tuple(metadata), tuple(classes), layout)
    if not metadata:
        _check_below_classes(folder)
    named = {path: layout.class_of(path) or "" for path in odd}
    left_out = tuple(
        LeftOut(path, named[path] if named[path] in classes else "", reason) for path, reason in sorted(odd.items())
    )
    warn_of(left_out)
    return replace(folder, left_out=left_out)


def all_below(root: Path, enters: Callable[[str], bool] = visible) -> Iterator[tuple[Path, list[str], list[str]]]:
    """What ``walk`` gives of folders whose names ``enters`` takes; `ArchatlasError` for one that cannot be listed.

    Images in it would be missing, unless it is hidden.
    """

    def unlisted(error: OSError) -> None:
        if _hidden_in(Path(error.filename).relative_to(root)) is None:
            raise error

    try:
        yield from walk(root, enters, unlisted)
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
    for folder, _, files in all_below(root, enters=lambda name: True):
        inside = folder.relative_to(root)
        hidden = _hidden_in(inside)
        for name in filter(visible, files):
            suffix, path, relative = Path(name).suffix.lower(), Path(folder, name), (inside / name).as_posix()
            if hidden is not None:
                if suffix in read:
                    odd[relative] = f"the folder `{hidden}` is passed over for its name: rename it if it is to be read"
            elif suffix in not_read:
                odd[relative] = _no_reader(suffix)
            elif suffix in read or name in METADATA:
                if _is_another_thing(path):  # Opening a named pipe would wait for who writes to it.
                    odd[relative] = "it is not a regular file"
                else:
                    found.append(relative)
    return sorted(found), odd


def _hidden_in(inside: Path) -> str | None:
    """The first hidden folder on the way to a folder; None if all are visible."""
    return next((name for name in inside.parts if not visible(name)), None)


def _check_below_classes(folder: ImageFolder) -> None:
    """Say what becomes of folders in class folders, where these may be meant for classes or splits."""
    below: dict[str, set[str]] = {name: set() for name in folder.class_folders}
    for path in folder.images:
        parts = folder.layout.within(path)
        if len(parts) > 2:
            below[parts[0]].add(parts[1])
    shared = sorted(set.intersection(*below.values())) if below else []
    if len(shared) < 2:
        return
    named = ", ".join(f"`{name}`" for name in shared[:_NAMED]) + ", ..." * (len(shared) > _NAMED)
    if len(below) == 1:
        raise ArchatlasError(
            f"only one class (`{folder.class_folders[0]}`) was found in `{folder.root}`, and two at least are needed: "
            f"if the folders in it are the classes ({named}), give that folder as images.path"
        )
    if len([name for name in shared if role_of(name)]) > 1:
        _log.warning(
            "every class folder holds %s, which are not taken for splits: images are shared out anew. To keep splits "
            "have `train/CLASS` and `test/CLASS` in the place of `CLASS/train` and `CLASS/test`",
            named,
        )
    else:
        _log.warning(
            "every class folder holds %s, and all in a class folder is of that class: if these are the classes, give "
            "one of the folders that hold them as images.path",
            named,
        )


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
