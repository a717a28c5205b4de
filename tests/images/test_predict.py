"""The script of an exported folder: on its own, and with the pixels that archatlas sees."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import archatlas
from archatlas.errors import ArchatlasError
from archatlas.images import predict
from archatlas.images.description import ImageDescription
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.verification.export import export_network
from archatlas.verification.export_parameters import ExportParameters
from archatlas.verification.standalone import make_standalone

from ..deep_images import deep_png


def photo(width: int, height: int, channels: int = 3) -> Image.Image:
    """A smooth pattern with noise: what a decoder or a filter that differs would change."""
    generator = np.random.default_rng(width * height)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / (9 + c)) + np.cos(y / (5 + c)) for c in range(channels)], axis=-1)
    values = 128 + 50 * waves + generator.normal(0, 20, waves.shape)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    turned = Image.Exif()
    turned[0x0112] = 6
    photo(400, 400).save(folder / "square.jpg", quality=90)
    photo(400, 250).save(folder / "wide.jpg", quality=75)
    photo(120, 400).convert("L").save(folder / "grey.jpg")
    photo(300, 200).save(folder / "turned.jpg", exif=turned)
    photo(90, 70, 4).save(folder / "clear.png")
    photo(90, 70).quantize(16).save(folder / "palette.png")
    Image.fromarray(np.arange(40 * 30, dtype=np.uint16).reshape(40, 30) * 50).save(folder / "deep.png")
    Image.fromarray(np.arange(40 * 30, dtype=np.uint16).reshape(40, 30) * 3).save(folder / "twelve_bits.png")
    return sorted(folder.iterdir())


@pytest.fixture(
    scope="module",
    params=[(3, "crop", None, 16), (3, "pad", None, 12), (1, "stretch", None, 12), (3, "crop", 33, 16)],
    ids=str,
)
def exported(request, tmp_path_factory) -> Path:
    channels, aspect, prepared_size, bits = request.param
    folder = tmp_path_factory.mktemp("networks") / "small"
    images = ImageDescription(
        class_names=("ant", "bee", "cow"), channels=channels, image_size=20, mean=(0.4,) * channels,
        std=(0.2,) * channels, splits={"train": 8}, source="folder animals", aspect=aspect, prepared_size=prepared_size,
        bits=bits,
    )  # fmt: skip
    space = ChainSpace("small", images.input_shape, 3, 4, (Stage(6, 1, 2),), (Operation.parse("k3e1"),))
    torch.manual_seed(3)
    network = space.build([0])
    # Logits that tell images apart.
    network.head.classifier.weight.data *= 30
    made = make_standalone(space, "k3e1", network.state_dict(), images, "small")
    export_network(made, [0], [], ExportParameters(), folder, 0)
    return folder


def script_of(folder: Path):
    specification = importlib.util.spec_from_file_location("exported_predict", folder / "predict.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_script_sees_exactly_the_pixels_that_archatlas_sees(exported, files):
    network, script = archatlas.load_network(exported), script_of(exported)
    session = onnxruntime.InferenceSession(str(exported / "network.onnx"))
    form = json.loads(session.get_modelmeta().custom_metadata_map["preprocessing"])
    assert form["jpeg_draft_factor"] == script.DRAFT_FACTOR
    for file in files:
        with Image.open(file) as image:
            pixels = script.pixels_of(image, form)
        assert np.array_equal(pixels[None].astype(np.float32) / 255, network.pixels_of(file).numpy()), file.name


def test_the_script_stands_alone_and_says_what_archatlas_says(exported, files, tmp_path):
    # Nothing of archatlas can be imported there, and the folder is another.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    blocked = tmp_path / "archatlas"
    blocked.mkdir()
    (blocked / "__init__.py").write_text("raise ImportError")
    environment["PYTHONPATH"] = str(tmp_path)
    command = [sys.executable, str(exported / "predict.py"), *map(str, files)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    network = archatlas.load_network(exported)
    told = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in told] == [str(file) for file in files]
    for (_, name, probability), file in zip(told, files, strict=True):
        recognition = network.predict(file)
        assert name == recognition.name
        assert float(probability) == pytest.approx(recognition.probability, abs=1e-4)


def test_images_are_refused_from_the_same_size_as_in_training(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken, refused = tmp_path / "taken.png", tmp_path / "refused.png"
    photo(1000, 1000).save(taken)
    photo(1001, 1000).save(refused)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # That of Pillow is nobody's here.
    network, script = archatlas.load_network(exported), script_of(exported)
    for module in (predict, script):
        assert module.MOST_MEGAPIXELS == 400
        monkeypatch.setattr(module, "MOST_MEGAPIXELS", 1)
    assert network.predict(taken).name in network.class_names
    told = "refused.png cannot be read: more than the 1 megapixels that an image may have"
    with pytest.raises(ArchatlasError, match=told):
        network.predict(refused)
    monkeypatch.setattr(sys, "argv", ["predict.py", str(taken), str(refused)])
    with pytest.raises(SystemExit, match=told):
        script.main()
    assert capsys.readouterr().out.startswith(str(taken))
    assert Image.MAX_IMAGE_PIXELS == 100


def test_colours_of_sixteen_bits_are_read_where_images_of_training_used_them_all(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, script, values = archatlas.load_network(exported), script_of(exported), np.asarray(photo(30, 30))
    deep, shallow = tmp_path / "deep.png", tmp_path / "shallow.png"
    deep.write_bytes(deep_png(values.astype(np.uint16) << 8 | 0x7F))
    Image.fromarray(values).save(shallow)
    monkeypatch.setattr(sys, "argv", ["predict.py", str(deep)])
    if network.document.images.bits == 16:
        assert torch.equal(network.pixels_of(deep), network.pixels_of(shallow))
        assert torch.equal(network.pixels_of(Image.open(deep)), network.pixels_of(shallow))
        return
    told = "cannot be read: colours of 16 bits, of which 12 are in use .*: save it with 8 bits a channel"
    for image in (deep, Image.open(deep)):
        with pytest.raises(ArchatlasError, match=told):
            network.pixels_of(image)
    with pytest.raises(SystemExit, match=told):
        script.main()


def test_the_own_limit_ends_with_the_last_that_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    first, second = predict.own_limit(), predict.own_limit()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert Image.MAX_IMAGE_PIXELS == 200_000_000
    second.__exit__(None, None, None)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_the_script_imports_only_what_it_names(repository):
    source = (repository / "src/archatlas/images/predict.py").read_text()
    lines = [line.split() for line in source.splitlines()]
    imported = {line[1].split(".")[0] for line in lines if line[:1] in (["import"], ["from"])}
    assert imported - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "PIL"}
