"""Which folders below a folder of images are splits, and which folder holds the classes.

Others' data sets come in more layouts than one: a folder around everything, `training_set` in the place of `train`, a
folder in one of the same name. What can mean one thing only is read so; what may mean another is refused.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from archatlas.errors import ArchatlasError
from archatlas.images.splitting import SPLIT_NAMES, SPLITS

_log = logging.getLogger(__name__)

_EITHER = "validation or test"
_UNLABELLED = "without labels"
_ROLES = {
    **{word: SPLITS[split] for word, split in SPLIT_NAMES.items()},
    **dict.fromkeys(("eval", "evaluation"), _EITHER),
    **dict.fromkeys(("pred", "predict", "prediction", "predictions", "unlabelled", "unlabeled"), _UNLABELLED),
}
_BETWEEN_WORDS = re.compile(r"[\W\d_]+|(?<=[a-z])(?=[A-Z])")
_MOST_NAMED = 5
_WANTED = "`train` (and `test`) with one sub-folder per class in it"


def role_of(name: str) -> str | None:
    """What a folder is by a word of its name: a split, one that may be either of two, or images without labels.

    ``training_set``, ``seg_test`` and ``trainingSet`` have such words; None where there is none, or several differ.
    """
    words = (word.lower().removesuffix("set") for word in _BETWEEN_WORDS.split(name))
    roles = {_ROLES[word] for word in words if word in _ROLES}
    return roles.pop() if len(roles) == 1 else None


def sub_folders(folder: Path) -> list[str]:
    """Names of the folders in a folder that are the user's, sorted."""
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and visible(entry.name))


def visible(name: str) -> bool:
    """Whether a file or a folder is the user's: not hidden, nor where a file system puts what it has repaired."""
    return not name.startswith((".", "__")) and name != "lost+found"


@dataclass(frozen=True)
class Layout:
    """Where classes lie, by paths below the source with forward slashes.

    ``inside`` is the folder in which everything is, empty for the source itself. ``splits`` maps the folder that holds
    the classes of a given split to the split's name; where it is empty classes lie in ``inside``.
    """

    inside: str
    splits: dict[str, str]

    @property
    def holders(self) -> Collection[str]:
        """The folders that hold class folders."""
        return self.splits or [self.inside]

    def split_of(self, path: str) -> str | None:
        """The split whose folder the path lies in; None if it is in none, or none is given."""
        return next((split for holder, split in self.splits.items() if path.startswith(f"{holder}/")), None)

    def within(self, path: str) -> list[str]:
        """The parts of a path below the folder that holds classes, the class first; none where it lies elsewhere."""
        for holder in self.holders:
            if not holder or path.startswith(f"{holder}/"):
                return path.removeprefix(f"{holder}/").split("/")
        return []

    def class_of(self, path: str) -> str | None:
        """The class folder of a file; None if it is in none."""
        parts = self.within(path)
        return parts[0] if len(parts) > 1 else None


def layout_of(root: Path, images: Sequence[str], metadata: Sequence[str]) -> Layout:
    """The layout of ``root``, in which images and metadata files have these paths.

    Where there are metadata files, which may say what the classes are, folders are splits by their whole name alone.
    Raises `ArchatlasError` if folders are called like splits, and are not laid out like those.
    """
    tree = _Tree(root, images, metadata)
    inside = tree.inside("") or ""
    if inside:
        _log.info("everything in `%s` lies in `%s`: classes are looked for there", root, inside)
    return Layout(inside, tree.splits(inside))


class _Tree:
    """The folders that hold images or metadata files, by their paths below the root."""

    def __init__(self, root: Path, images: Sequence[str], metadata: Sequence[str]) -> None:
        self.root, self.by_metadata = root, bool(metadata)
        self.of_images, self.of_metadata = ({_folder_of(path) for path in paths} for paths in (images, metadata))
        direct = self.of_images | self.of_metadata
        self.holding = direct | {_path(parent) for path in direct for parent in PurePosixPath(path).parents}

    def below(self, folder: str) -> list[str]:
        """Paths of the folders in a folder."""
        return [f"{folder}/{name}" if folder else name for name in sub_folders(self.root / folder)]

    def inside(self, folder: str) -> str | None:
        """The first folder from ``folder`` downwards that holds several, or splits; None if there is none.

        A folder on the way holds another one alone, and no images: those in it would be of a class.
        """
        below = self.below(folder)
        if len(below) != 1 or folder in self.of_metadata:
            return folder if len(below) > 1 and folder in self.holding else None
        (only,) = below
        within = None if only in self.of_images else self.inside(only)
        if within is not None and _name(only).lower() in SPLIT_NAMES and not self.splits(within):
            return folder
        return within

    def splits(self, folder: str) -> dict[str, str]:
        """The splits in a folder: which folder holds the classes of each; none where they are classes themselves."""
        below = [path for path in self.below(folder) if path in self.holding]
        roles = {path: _ROLES[_name(path).lower()] for path in below if _name(path).lower() in SPLIT_NAMES}
        certain = any(role == "train" and self._labelled(path) for path, role in roles.items())
        if not self.by_metadata:
            by_word = {path: role for path in below if path not in roles and (role := role_of(_name(path)))}
            if not certain and self._are_classes(folder, below, {**by_word, **roles}, named=bool(roles)):
                return {}
            roles |= self._unambiguous(folder, by_word, set(roles.values()))
        elif not certain and set(roles) != set(below):
            return {}
        return self._holders(folder, roles) if roles else {}

    def _are_classes(self, folder: str, below: Sequence[str], roles: dict[str, str], *, named: bool) -> bool:
        """Whether folders are classes whatever words are in their names; those that cannot be either are refused.

        Splits are of several kinds, and nothing but one folder of something else stands beside them.
        """
        others, several = [path for path in below if path not in roles], len(set(roles.values())) > 1
        if len(others) > 1 or (not several and (others or not named)):
            if len(roles) > 1 and not others:
                _log.warning("%s are taken for classes, though they are called like splits", _named(roles))
            return True
        if others:
            raise ArchatlasError(
                f"folders in `{self.root / folder}` are called like splits of the images ({_named(roles)}), and "
                f"{_named(others)} beside them is not: give {_WANTED} and nothing else, or rename them if all are "
                "classes"
            )
        return False

    def _unambiguous(self, folder: str, by_word: dict[str, str], known: set[str]) -> dict[str, str]:
        """Those of the folders with a word in their name that are a split which none is called like."""
        lacking = {"validation", "test"} - known - set(by_word.values())
        meant = min(lacking) if len(lacking) == 1 else _EITHER
        splits = {path: meant if role == _EITHER else role for path, role in by_word.items()}
        added = {path: role for path, role in splits.items() if role not in {*known, _UNLABELLED}}
        for role, count in Counter(added.values()).items():
            named = _named(path for path, own in added.items() if own == role)
            if role == _EITHER and lacking:
                raise ArchatlasError(
                    f"{named} in `{self.root / folder}` may be for validation or for the test: rename it to "
                    "`validation` or `test`"
                )
            if count > 1:
                raise ArchatlasError(
                    f"each of {named} in `{self.root / folder}` may be the {role} split: leave one of them there, or "
                    f"call one `{role}`"
                )
        return {path: role for path, role in added.items() if role != _EITHER}

    def _holders(self, folder: str, roles: dict[str, str]) -> dict[str, str]:
        """The folder that holds the classes of each split; splits without labels are left out."""
        trained = [self._holder(path) for path, role in roles.items() if role == "train" and self._labelled(path)]
        if not trained:
            raise ArchatlasError(
                f"`{self.root / folder}` has only the folders {_named(roles)}, and no training folder with one "
                f"sub-folder per class: give folders of classes, or {_WANTED}. If these are the classes, rename them: "
                "they are called like splits"
            )
        classes = {_name(path) for holder in trained for path in self.below(holder)}
        splits = {}
        for path, role in sorted(roles.items()):
            if self._labelled(path, classes):
                splits[self._holder(path, classes)] = role
            else:
                _log.warning("`%s` is left out: it has no class folders, so its images have no labels", path)
        if any(holder not in roles or _name(holder).lower() not in SPLIT_NAMES for holder in splits):
            _log.info("splits: %s", ", ".join(f"`{holder}` ({role})" for holder, role in splits.items()))
        return splits

    def _labelled(self, split: str, classes: Collection[str] = ()) -> bool:
        """Whether images of a split have labels: not where all lie in one folder that is none of the classes."""
        below = self.below(self._holder(split, classes))
        unknown = bool(classes) and len(below) == 1 and _name(below[0]) not in classes
        return self.by_metadata or (bool(below) and not unknown)

    def _holder(self, split: str, classes: Collection[str] = ()) -> str:
        """The folder of a split that holds its classes: itself, or a folder in it that is all there is."""
        below = self.below(split)
        if self.by_metadata or len(below) != 1 or _name(below[0]) in classes:
            return split
        is_class = below[0] in self.of_images or not self.below(below[0])
        return split if is_class else self._holder(below[0], classes)


def _folder_of(path: str) -> str:
    return _path(PurePosixPath(path).parent)


def _path(folder: PurePosixPath) -> str:
    return "" if folder == PurePosixPath(".") else folder.as_posix()


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _named(paths: Iterable[str]) -> str:
    names = [f"`{_name(path)}`" for path in sorted(paths)]
    return ", ".join(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else "")
