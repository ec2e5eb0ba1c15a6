"""Classes and splits of pictures that are known by their paths alone: in an archive or a bucket."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping

from components.example_gen.reading import layout
from components.example_gen.reading.source import FILES, Item, Source

Parts = tuple[str, ...]


def arrange(
    root: str, shown: str, kind: str, found: Mapping[Parts, Item], folders: Iterable[Parts] = ()
) -> Source:
    """The source that visible files and folders make.

    Folders that hold all pictures are passed over, and what lies beside them is not looked at.

    Args:
        root: where all of it is.
        shown: what messages call that.
        kind: of the source.
        found: files by the parts of their paths, without labels yet.
        folders: parts of the paths of folders, which may be empty.

    Raises:
        UserError: it is not laid out as one folder of pictures per class.
    """
    pictures = {parts: item for parts, item in found.items() if layout.is_picture(parts[-1])}
    top = _depth_of_top(pictures)
    top_parts = next(iter(pictures), ())[:top]
    inside = defaultdict(set)
    for parts in {*folders, *(parts[:-1] for parts in found)}:
        if parts[:top] != top_parts:  # beside the pictures, as the rest of a repository is
            continue
        for depth in range(top, len(parts)):
            inside["/".join(parts[top:depth])].add(parts[depth])
    outside = defaultdict(list)
    for parts in pictures:
        outside["/".join(parts[top:-1])].append(parts[-1])

    def subfolders(folder: str) -> list[str]:
        if outside[folder]:
            where = f"{folder} of {shown}" if folder else shown
            raise layout.pictures_outside_classes(where, sorted(outside[folder]))
        return sorted(inside[folder])

    classes = {
        folder: (layout.class_name(name, "class folder"), split)
        for folder, name, split in layout.class_folders(shown, subfolders)
    }
    depth = next(iter(classes)).count("/") + 1
    items = []
    for parts, item in pictures.items():
        label, split = classes["/".join(parts[top : top + depth])]
        name = "/".join(parts[top:])
        items.append(dataclasses.replace(item, path=name, label=label, split=split))
    items.sort(key=lambda item: item.path.encode(errors="surrogateescape"))
    filled = {"/".join(parts[top : top + depth]) for parts in pictures}
    for folder in classes:
        if folder not in filled:
            raise layout.empty_class(f"{folder} of {shown}")
    if kind == FILES:  # which are opened by their paths
        root = "/".join((root, *top_parts))
    return Source(
        root=root,
        classes=layout.check_classes(shown, items),
        items=tuple(items),
        ignored=len(found) - len(pictures),
        kind=kind,
    )


def _depth_of_top(pictures: Iterable[Parts]) -> int:
    """Number of folders around all pictures that are neither a class nor a split."""
    paths = list(pictures)
    depth = 0
    while paths and all(len(parts) >= depth + 3 for parts in paths):
        names = {parts[depth] for parts in paths}
        if len(names) > 1 or names.pop().lower() in layout.SPLIT_NAMES:
            break
        depth += 1
    return depth
