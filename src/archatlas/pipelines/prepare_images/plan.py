"""What prepare_images will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Images are read and resized, some 2,000 a second."""
    images, table = ahead.settings.images, ahead.settings.table
    if table is not None:
        return Plan(f"no images: accuracies are looked up in the public table {table.name}", 1.0)
    to = f"{images.image_size} x {images.image_size}" if images.image_size else "what suits images and time"
    count = sum(ahead.description.splits.values()) if ahead.description else None
    return Plan(f"{images.source}, resized to {to}", None if count is None else max(1.0, count / 2000))
