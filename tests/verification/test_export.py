from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

import archatlas
from archatlas.costs.parameters import LatencyParameters
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.networks.onnx_file import strip_traces
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.documents import describe_space, space_of
from archatlas.spaces.presets import preset
from archatlas.supernet.make import make_supernet
from archatlas.verification.export import export_winners, onnx_differs, path_and_extract_differ
from archatlas.verification.export_parameters import ExportParameters
from archatlas.verification.standalone import make_standalone, save_network

IMAGES = ImageDescription(
    class_names=("ant", "bee", "cow"), channels=3, image_size=9, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25),
    splits={"train": 8, "validation": 4, "test": 4}, source="folder animals",
)  # fmt: skip
SPACE = ChainSpace(
    "small", IMAGES.input_shape, 3, 4, (Stage(6, 2, 2),),
    tuple(Operation.parse(name) for name in ("k3e1", "k5e3", "skip")), squeeze_excitation=True,
)  # fmt: skip
WINNER = "k5e3-skip"
TRAIN_IMAGES = torch.randint(0, 256, (80, *IMAGES.input_shape), generator=torch.Generator().manual_seed(4)).byte()


@pytest.fixture(scope="module")
def supernet():
    """A super-network whose batch norms have seen images."""
    made = make_supernet(SPACE, torch.Generator().manual_seed(1)).train()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for choices in SPACE.enumerate_networks(0, SPACE.networks).tolist():
            made(torch.randn(16, *IMAGES.input_shape, generator=generator), choices)
    return made.eval()


@pytest.fixture(scope="module")
def weights(supernet):
    return supernet.extract(SPACE.parse([WINNER])[0].tolist()).state_dict()


def export(folder, winners, weights, supernet, **parameters):
    return export_winners(
        winners,
        {"small": lambda: weights},
        {"seed_0": supernet.state_dict},
        space=SPACE,
        images=IMAGES,
        train_images=TRAIN_IMAGES,
        parameters=ExportParameters(**parameters),
        latency=LatencyParameters(calls=10),
        folder=folder,
        seed=0,
    )


WINNERS = [
    {"budget": "small", "status": "found", "architecture": WINNER},
    {"budget": "impossible", "status": "none", "architecture": None, "reason": "every finalist was too slow"},
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory, supernet, weights):
    folder = tmp_path_factory.mktemp("run") / "networks"
    return folder, export(folder, WINNERS, weights, supernet)


@pytest.fixture(scope="module")
def network(exported):
    return archatlas.load_network(exported[0] / "small")


def test_the_summary_says_what_was_written_and_how_exactly_it_agrees(exported):
    folder, summary = exported
    entry = summary["budgets"]["small"]
    assert entry["status"] == "exported"
    assert entry["files"] == [
        "small/network.safetensors",
        "small/network.json",
        "small/network.onnx",
        "small/predict.py",
    ]
    assert all((folder / file).is_file() for file in entry["files"])
    assert 0 <= entry["max_abs_difference_supernet"] <= 1e-4
    assert 0 <= entry["max_abs_difference_onnx"] <= 1e-4
    assert summary["max_abs_difference"] == max(entry["max_abs_difference_supernet"], entry["max_abs_difference_onnx"])
    assert summary["budgets"]["impossible"] == {"status": "skipped", "reason": "every finalist was too slow"}
    assert sorted(path.name for path in folder.iterdir()) == ["small"]
    assert sorted(path.name for path in (folder / "small").iterdir()) == [
        "network.json", "network.onnx", "network.safetensors", "predict.py",
    ]  # fmt: skip
    json.dumps(summary)


def test_the_loaded_network_computes_what_was_trained(network, weights):
    trained = SPACE.build(SPACE.parse([WINNER])[0])
    trained.load_state_dict(weights)
    images = torch.randint(0, 256, (5, *IMAGES.input_shape), dtype=torch.uint8)
    with torch.no_grad():
        wanted = trained.eval()(normalise(images, IMAGES))
        given = network(images.float() / 255)
    assert torch.allclose(given, wanted, atol=1e-5)
    assert not network.training
    assert network.class_names == IMAGES.class_names
    assert network.document.archatlas_version == archatlas.__version__
    assert set(network.state_dict()) == {f"network.{name}" for name in weights}


@pytest.mark.parametrize("name", ["", "network.json", "network.safetensors"])
def test_folder_and_files_load_alike(exported, network, name):
    again = archatlas.load_network(str(exported[0] / "small" / name))
    x = torch.rand(2, *IMAGES.input_shape)
    with torch.no_grad():
        assert torch.equal(again(x), network(x))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_onnx_file_takes_any_batch_of_raw_pixels(exported, network, batch):
    path = str(exported[0] / "small" / "network.onnx")
    session = onnxruntime.InferenceSession(path)
    pixels = torch.rand(batch, *IMAGES.input_shape)
    (logits,) = session.run(["logits"], {"pixels": pixels.numpy()})
    with torch.no_grad():
        assert np.abs(logits - network(pixels).numpy()).max() <= 1e-4
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["class_names"]) == list(IMAGES.class_names)
    assert told["architecture"] == WINNER
    assert "RGB in 0..1; not normalised" in told["input"]
    assert onnx.load(path).opset_import[0].version == 18


def test_no_exported_file_says_anything_of_this_machine(tmp_path, supernet, weights, told_of_machine):
    folder = tmp_path / "networks"
    export(folder, WINNERS, weights, supernet, int8=True, calibration_images=16)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    assert len(files) == 5
    assert {file.name: told for file in files if (told := told_of_machine(file))} == {}
    # The weights are most of the file.
    content = (folder / "small" / "network.onnx").read_bytes()
    assert b".py" not in content
    assert len(content) < 10_000 + sum(one.numel() * one.element_size() for one in weights.values())


def test_traces_are_taken_out_at_any_depth():
    """Of functions and of subgraphs too, which these networks do not have."""
    place = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1], doc_string="/home/someone/a.py")
    node = onnx.helper.make_node("Identity", ["x"], ["y"], doc_string="/home/someone/b.py")
    graph = onnx.helper.make_graph([node], "inner", [], [place], doc_string="/home/someone/c.py")
    both = onnx.helper.make_node("If", ["x"], ["z"], then_branch=graph, else_branch=graph)
    function = onnx.helper.make_function("d", "f", ["x"], ["y"], [node], [onnx.helper.make_opsetid("", 18)])
    function.metadata_props.add(key="trace", value="/home/someone/d.py")
    model = onnx.helper.make_model(onnx.helper.make_graph([both], "outer", [place], []), functions=[function])
    assert model.SerializeToString().count(b"someone") == 9
    strip_traces(model)
    assert b"someone" not in model.SerializeToString()


def test_predict_gives_a_name_and_a_probability(network, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    recognition = network.predict(pixels)
    with torch.no_grad():
        logits = network(torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)[None])[0]
    assert list(recognition.probabilities) == list(IMAGES.class_names)
    assert sum(recognition.probabilities.values()) == pytest.approx(1)
    assert recognition.name == IMAGES.class_names[int(logits.argmax())]
    assert recognition.probability == pytest.approx(float(logits.softmax(0).max()))
    name, probability = recognition
    assert (name, probability) == (recognition.name, recognition.probability)
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    opened = Image.open(path)
    for image in (path, str(path), opened, Image.fromarray(pixels), pixels.astype(np.float64) / 255):
        assert network.predict(image) == recognition
    assert opened.size == (9, 9), "the caller's image stays open"
    assert network.predict(pixels[:, :, 0]).probabilities == network.predict(pixels[:, :, :1]).probabilities


def test_images_are_brought_to_size_as_in_training(network, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    upright = Image.fromarray(pixels)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    assert network.predict(tmp_path / "turned.png") == network.predict(upright)
    assert network.predict(Image.open(tmp_path / "turned.png")) == network.predict(upright)
    assert network.pixels_of(upright).shape == (1, 3, 9, 9)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("nowhere.png", "nowhere.png cannot be read"),
        (np.zeros((4, 4, 7), dtype=np.uint8), r"must have shape \[h, w\]"),
        (np.full((4, 4), 300.0), r"uint8, or float in 0..1, but got float64 in 300.0..300.0"),
        (17, r"a path, a PIL image or a NumPy array, but got \(int\)"),
    ],
)
def test_what_is_no_image_is_refused(network, image, message):
    with pytest.raises(ArchatlasError, match=message):
        network.predict(image)


def test_a_damaged_image_is_named(network, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, "PNG")
    (tmp_path / "half.png").write_bytes(buffer.getvalue()[:2000])
    with pytest.raises(ArchatlasError, match=r"half.png cannot be read"):
        network.predict(tmp_path / "half.png")


def _copy(exported, tmp_path):
    for name in ("network.json", "network.safetensors"):
        (tmp_path / name).write_bytes((exported[0] / "small" / name).read_bytes())
    return tmp_path


def _edit(folder, **fields):
    document = json.loads((folder / "network.json").read_text()) | fields
    (folder / "network.json").write_text(json.dumps(document))


@pytest.mark.parametrize("name", ["network.json", "network.safetensors"])
@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_a_truncated_file_is_refused(exported, tmp_path, name, part):
    folder = _copy(exported, tmp_path)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(ArchatlasError, match=f"{name} is damaged"):
        archatlas.load_network(folder)


@pytest.mark.parametrize("name", ["network.json", "network.safetensors"])
def test_a_missing_file_is_named(exported, tmp_path, name):
    folder = _copy(exported, tmp_path)
    (folder / name).unlink()
    with pytest.raises(ArchatlasError, match=f"there is no file .*{name}"):
        archatlas.load_network(folder)
    with pytest.raises(ArchatlasError, match="there is no file"):
        archatlas.load_network(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "other"}, "does not describe a network of archatlas"),
        ({"format_version": 2}, "format version 2, but this archatlas reads version 1"),
        ({"architecture": "k3e1-k3e1"}, "does not hold the weights of k3e1-k3e1"),
        ({"architecture": "k9e9"}, "is not the name of an architecture"),
        ({"space": {"kind": "cell"}}, "must be of kind `chain`"),
        ({"space": {"kind": "chain"}}, "description of the space is damaged"),
        ({"images": {}}, "is damaged"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(exported, tmp_path, fields, message):
    folder = _copy(exported, tmp_path)
    _edit(folder, **fields)
    with pytest.raises(ArchatlasError, match=message):
        archatlas.load_network(folder)


def test_weights_that_are_not_finite_are_not_exported(tmp_path, supernet, weights):
    broken = {name: tensor.clone() for name, tensor in weights.items()}
    broken["head.classifier.bias"][0] = float("nan")
    with pytest.raises(ArchatlasError, match=r"weights that are no finite numbers \(head.classifier.bias\)"):
        export(tmp_path / "networks", WINNERS, broken, supernet)


def test_a_supernet_whose_path_is_not_what_is_extracted_is_refused(tmp_path, supernet, weights):
    class Broken(type(supernet)):
        def extract(self, choices):
            alone = super().extract(choices)
            with torch.no_grad():
                alone.head.classifier.bias += 1e-3
            return alone

    from archatlas.verification.export import export_network

    broken = Broken.of(SPACE, torch.Generator().manual_seed(0))
    choices = SPACE.parse([WINNER])[0].tolist()
    assert path_and_extract_differ(broken, choices, torch.rand(2, *IMAGES.input_shape)) == pytest.approx(1e-3, rel=0.01)
    made = make_standalone(SPACE, WINNER, weights, IMAGES, "small")
    with pytest.raises(ArchatlasError, match="the subnet extracted from the super-network and its path"):
        export_network(made, choices, [supernet, broken], ExportParameters(), tmp_path / "small", 0)


def test_a_differing_onnx_file_is_noticed(exported, network):
    weights = {name: tensor * 1.01 for name, tensor in network.network.state_dict().items()}
    other = make_standalone(SPACE, WINNER, weights, IMAGES, "small")
    pixels = torch.rand(4, *IMAGES.input_shape)
    assert onnx_differs(exported[0] / "small" / "network.onnx", network, pixels) <= 1e-4
    assert onnx_differs(exported[0] / "small" / "network.onnx", other, pixels) > 1e-4


def test_nothing_found_exports_nothing(tmp_path, supernet, weights):
    summary = export(tmp_path / "networks", WINNERS[1:], weights, supernet)
    assert summary["max_abs_difference"] is None
    assert list(summary["budgets"]) == ["impossible"]
    assert list((tmp_path / "networks").iterdir()) == []
    with pytest.raises(ArchatlasError, match="no weights of the winner of `other`"):
        export(tmp_path, [{**WINNERS[0], "budget": "other"}], weights, supernet)
    with pytest.raises(ArchatlasError, match="does not hold the weights"):
        export(tmp_path, WINNERS, {}, supernet)


@pytest.mark.parametrize("name", ["digits", "mobile", "nas_bench_macro"])
def test_a_space_survives_its_description(name):
    space = preset(name, (3, 32, 32), 10)
    assert space_of(json.loads(json.dumps(describe_space(space)))) == space


def test_saving_again_gives_the_same_bytes(network, exported, tmp_path):
    save_network(network, tmp_path)
    for name in ("network.json", "network.safetensors"):
        assert (tmp_path / name).read_bytes() == (exported[0] / "small" / name).read_bytes()


def test_importing_the_package_loads_nothing_heavy(repository):
    code = (
        "import sys, archatlas; heavy = {'torch', 'pandas', 'kedro', 'sklearn'} & set(sys.modules); "
        "assert not heavy, heavy; print(archatlas.__version__, callable(archatlas.load_network))"
    )
    environment = os.environ | {"PYTHONPATH": str(repository / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [archatlas.__version__, "True"], done.stderr
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = archatlas.nothing


def test_images_of_a_split_are_predicted_as_they_were_trained_on(network):
    split = ImageSplit(
        torch.randint(0, 256, (3, *IMAGES.input_shape), dtype=torch.uint8), torch.zeros(3, dtype=torch.long)
    )
    with torch.no_grad():
        wanted = network.network(normalise(split.images, IMAGES)).softmax(1)
    for image, probabilities in zip(split.images, wanted, strict=True):
        given = network.predict(image.permute(1, 2, 0).numpy())
        assert list(given.probabilities.values()) == pytest.approx(probabilities.tolist(), abs=1e-5)


def test_a_network_gives_the_map_at_the_end_of_each_stride(network):
    pixels = torch.rand(2, 3, 20, 12, generator=torch.Generator().manual_seed(5))
    assert network.feature_shapes == ((4, 1), (6, 2))
    maps = network.features(pixels)
    assert [(one.channels, one.stride, tuple(one.values.shape)) for one in maps] == [
        (4, 1, (2, 4, 20, 12)), (6, 2, (2, 6, 10, 6)),
    ]  # fmt: skip
    torch.testing.assert_close(network.network.head(maps[-1].values), network(pixels))


def in_whole_numbers(state):
    """Weights whose sums and products are exact in float32, in whatever order: batch norms do nothing."""
    generator = torch.Generator().manual_seed(6)
    exact = {}
    for name, tensor in state.items():
        if name.endswith("running_var"):
            exact[name] = torch.full_like(tensor, 1 - 1e-5)
        elif tensor.ndim > 1:
            exact[name] = torch.randint(-1, 2, tensor.shape, generator=generator).float()
        else:
            exact[name] = torch.ones_like(tensor) if name.endswith("1.weight") else torch.zeros_like(tensor)
    return exact


def test_maps_of_the_onnx_file_are_those_of_the_network_to_the_bit(tmp_path):
    from archatlas.verification.export import export_network

    space = ChainSpace("plain", (1, 8, 8), 3, 4, (Stage(4, 1, 1), Stage(6, 2, 2)), SPACE.operations)
    images = IMAGES.model_copy(update={"channels": 1, "image_size": 8, "mean": (0.5,), "std": (0.5,)})
    weights = in_whole_numbers(space.build(space.parse(["k3e1_k5e3-k3e1"])[0]).state_dict())
    made = make_standalone(space, "k3e1_k5e3-k3e1", weights, images, "small")
    entry = export_network(made, None, [], ExportParameters(features=True), tmp_path / "small", 0)
    shapes = [{"channels": 4, "stride": 1}, {"channels": 6, "stride": 2}]
    assert entry["features"] == shapes
    session = onnxruntime.InferenceSession(tmp_path / "small" / "network.onnx")
    names = [one.name for one in session.get_outputs()]
    assert names == ["logits", "features_stride_1", "features_stride_2"]
    told = json.loads(session.get_modelmeta().custom_metadata_map["features"])
    assert list(told.values()) == shapes
    # 16 places are averaged: their mean is exact, too, however a processor divides.
    pixels = torch.randint(0, 2, (3, 1, 8, 8), generator=torch.Generator().manual_seed(7)).float()
    loaded = archatlas.load_network(tmp_path / "small")
    with torch.no_grad():
        wanted = [loaded(pixels), *(one.values for one in loaded.features(pixels))]
    given = session.run(names, {"pixels": pixels.numpy()})
    assert [float(one.abs().max()) > 0 for one in wanted] == [True] * 3
    for one, other in zip(given, wanted, strict=True):
        np.testing.assert_array_equal(one, other.numpy())
    image = tmp_path / "image.png"
    Image.new("L", (9, 9)).save(image)
    script = [sys.executable, str(tmp_path / "small" / "predict.py"), str(image)]
    assert loaded.predict(image).name in subprocess.run(script, capture_output=True, text=True, check=True).stdout
