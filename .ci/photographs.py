"""Make small folders of photograph-like images, in the two layouts that people have: `python .ci/photographs.py DIR`.

`DIR/shapes`: one folder per class, 120 images. `DIR/given_splits`: train, validation and test, classes 6 to 1 unequal.
Sizes differ, some are grey, one is rotated by its EXIF data, and one is transparent.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("circle", "cross", "square", "triangle")


def draw(shape: str, generator: np.random.Generator) -> Image.Image:
    """One shape of some colour at some place on a noisy ground."""
    width, height = (int(side) for side in generator.integers(40, 120, 2))
    ground = generator.integers(0, 256, 3) * 0.5 + generator.normal(0, 25, (height, width, 3))
    image = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    pen, colour = ImageDraw.Draw(image), tuple(int(value) for value in generator.integers(120, 256, 3))
    radius = int(min(width, height) * generator.uniform(0.25, 0.4))
    x, y = (int(generator.integers(radius, side - radius + 1)) for side in (width, height))
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    elif shape == "triangle":
        pen.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=colour)
    else:
        pen.line((box[0], y, box[2], y), fill=colour, width=max(radius // 3, 2))
        pen.line((x, box[1], x, box[3]), fill=colour, width=max(radius // 3, 2))
    return image


def write(folder: Path, shape: str, count: int, generator: np.random.Generator) -> None:
    """So many images of a class; the first ones are a grey, a turned and a transparent one."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, options, suffix = draw(shape, generator), {}, "jpg"
        if number == 0:
            image = image.convert("L")
        elif number == 1:
            options["exif"] = image.getexif()
            options["exif"][0x0112] = 6  # The camera was held upright.
        elif number == 2:
            image.putalpha(200)
            suffix = "png"
        image.save(folder / f"{shape}_{number:03d}.{suffix}", **options)


def main() -> None:
    root, generator = Path(sys.argv[1]), np.random.default_rng(0)
    for shape in SHAPES:
        write(root / "shapes" / shape, shape, 30, generator)
    for split, most in (("train", 60), ("validation", 18), ("test", 18)):
        for number, shape in enumerate(SHAPES):
            write(root / "given_splits" / split / shape, shape, max(most // (1 + 2 * number), 3), generator)


if __name__ == "__main__":
    main()
