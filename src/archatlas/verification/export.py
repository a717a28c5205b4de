"""Winners as files that serve elsewhere, and the checks that they compute what was measured here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archatlas.costs.parameters import LatencyParameters
from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.images.predict import DRAFT_FACTOR
from archatlas.networks.feature_maps import FeatureShape, GivesFeatures
from archatlas.networks.onnx_file import write_onnx
from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.make import load_supernet
from archatlas.supernet.protocol import Supernet
from archatlas.verification.export_parameters import ExportParameters
from archatlas.verification.int8 import write_int8
from archatlas.verification.members import is_mobilenet, member_of
from archatlas.verification.onnx_run import ONNX, session_of
from archatlas.verification.standalone import (
    DOCUMENT,
    WEIGHTS,
    StandaloneNetwork,
    load_network,
    make_standalone,
    save_network,
)

SCRIPT = "predict.py"

Loader = Callable[[], Mapping[str, Tensor]]
Json = dict[str, Any]


def export_winners(
    winners: Sequence[Json],
    winner_weights: Mapping[str, Loader],
    supernets: Mapping[str, Loader],
    *,
    space: SearchSpace,
    images: ImageDescription,
    train_images: Tensor,
    parameters: ExportParameters,
    latency: LatencyParameters,
    folder: Path,
    seed: int,
) -> Json:
    """Write ``<folder>/<budget>/network.{safetensors,json,onnx}`` and ``predict.py`` of every winner, and compare them.

    Args:
        winners: rows of the search's answer after verification.
        winner_weights: by budget, loads the weights of its winner.
        supernets: by seed, loads the weights of a super-network.
        space: of the winners.
        images: what the networks were trained on.
        train_images: uint8 ``[n, c, h, w]``, of which some calibrate networks in eight bits (``parameters.int8``).
        parameters: of the export.
        latency: how files are timed where there are two of a network.
        folder: empty, or made; worth nothing if this raises, since a network is written before it is checked.
        seed: of the images that the forms of a network are compared on.

    Returns:
        ``max_abs_difference`` (of a logit, over all checks; None if nothing was exported) and ``budgets``: by name
        status (``exported``, ``skipped``), reason, files (paths in ``folder``), and max_abs_difference_supernet and
        _onnx; and ``int8`` (see ``write_int8``) where it was asked for.

    Raises:
        ArchatlasError: two forms of a network differ by more than the tolerance, or a winner's weights are missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loaded = [load_supernet(space, load()) for _, load in sorted(supernets.items())] if _any_found(winners) else []
    budgets: Json = {}
    for winner in winners:
        budget = str(winner["budget"])
        if winner["status"] != "found":
            budgets[budget] = {"status": "skipped", "reason": str(winner.get("reason") or "there is no winner")}
            continue
        if budget not in winner_weights:
            raise ArchatlasError(
                f"there are no weights of the winner of `{budget}`: run `kedro run --pipelines verify_candidates` again"
            )
        name = str(winner["architecture"])
        member = member_of(space, name)
        size = member.space.input_shape[-1]
        network = make_standalone(member.space, member.network, winner_weights[budget](), images.at(size), budget)
        # A scaled MobileNet is no path of the super-networks.
        choices = None if is_mobilenet(name) else space.parse([name])[0].tolist()
        entry = export_network(network, choices, loaded, parameters, folder / budget, seed)
        if parameters.int8:
            entry["int8"] = write_int8(
                folder / budget / ONNX, train_images, size, parameters.calibration_images, latency, seed
            )
            entry["files"].append(entry["int8"]["file"])
        budgets[budget] = entry
    differences = [
        entry[key]
        for entry in budgets.values()
        for key in ("max_abs_difference_supernet", "max_abs_difference_onnx")
        if entry.get(key) is not None
    ]
    return {"max_abs_difference": max(differences, default=None), "budgets": budgets}


def _any_found(winners: Sequence[Json]) -> bool:
    return any(winner["status"] == "found" for winner in winners)


def export_network(
    network: StandaloneNetwork,
    choices: Sequence[int] | None,
    supernets: Sequence[Supernet],
    parameters: ExportParameters,
    folder: Path,
    seed: int,
) -> Json:
    """Write one network into ``folder`` and check it; an entry of ``budgets`` as ``export_winners`` returns it."""
    images = network.document.images
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(parameters.check_images, *images.input_shape, generator=generator)
    name = f"{network.document.architecture} (budget `{network.document.budget}`)"
    # The same pixels as the network itself sees them: normalised.
    seen = (pixels - network.mean) / network.std
    paths = [] if choices is None else [path_and_extract_differ(one, choices, seen) for one in supernets]
    path_difference = max(paths, default=None)
    if path_difference is not None:
        what = f"the subnet extracted from the super-network and its path through the super-network, {name}"
        _require(path_difference, parameters, what)
    save_network(network, folder)
    shapes = network.feature_shapes if parameters.features else ()
    maps = [feature_name(shape) for shape in shapes]
    write_onnx(
        WithFeatures(network) if shapes else network, images.input_shape, folder / ONNX,
        opset=parameters.opset, names=("pixels", "logits", *maps), metadata=_metadata(network, shapes),
    )  # fmt: skip
    script = resources.files("archatlas.images").joinpath(SCRIPT).read_text(encoding="utf-8")
    (folder / SCRIPT).write_text(script, encoding="utf-8")
    onnx_difference = onnx_differs(folder / ONNX, load_network(folder), pixels)
    _require(onnx_difference, parameters, f"the ONNX file and the stand-alone network, {name}")
    if shapes:
        differ = features_differ(folder / ONNX, load_network(folder), pixels)
        _require(differ, parameters, f"maps of the ONNX file and of the stand-alone network, {name},", "values")
    return {
        "status": "exported",
        "reason": None,
        "files": [f"{folder.name}/{file}" for file in (WEIGHTS, DOCUMENT, ONNX, SCRIPT)],
        "max_abs_difference_supernet": path_difference,
        "max_abs_difference_onnx": onnx_difference,
        **({"features": [shape._asdict() for shape in shapes]} if shapes else {}),
    }


class WithFeatures(nn.Module):
    """An exported network that gives its maps beside the logits."""

    def __init__(self, network: StandaloneNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Pixels ``[b, c, h, w]`` to the logits ``[b, classes]`` and the map of each stride, the largest first."""
        network = self.network.network
        assert isinstance(network, GivesFeatures)
        maps = network.features(self.network.normalised(pixels))
        return network.head(maps[-1]), *maps


def feature_name(shape: FeatureShape) -> str:
    """What an ONNX file calls the map of a stride."""
    return f"features_stride_{shape.stride}"


def path_and_extract_differ(supernet: Supernet, choices: Sequence[int], images: Tensor) -> float:
    """Largest difference of a logit between a path through the super-network and the subnet taken out of it."""
    supernet.eval()
    with torch.no_grad():
        path = supernet(images, choices)
        alone = supernet.extract(choices).eval()(images)
    return float((path - alone).abs().max())


def onnx_differs(path: Path, network: nn.Module, pixels: Tensor) -> float:
    """Largest difference of a logit between onnxruntime and the module, on all images at once and on one alone."""
    session, differences = session_of(path), []
    for batch in (pixels, pixels[:1]):
        with torch.no_grad():
            wanted = network(batch).numpy()
        (given,) = session.run(["logits"], {"pixels": batch.numpy()})
        differences.append(float(np.abs(given - wanted).max()))
    return max(differences)


def features_differ(path: Path, network: StandaloneNetwork, pixels: Tensor) -> float:
    """Largest difference of a value of a map between onnxruntime and the module, in largest values of the map."""
    names = [feature_name(shape) for shape in network.feature_shapes]
    with torch.no_grad():
        wanted = [one.values.numpy() for one in network.features(pixels)]
    given = session_of(path).run(names, {"pixels": pixels.numpy()})
    return max(
        float(np.abs(one - other).max() / max(np.abs(other).max(), 1.0))
        for one, other in zip(given, wanted, strict=True)
    )


def _require(difference: float, parameters: ExportParameters, what: str, of: str = "logits") -> None:
    # Not `difference > tolerance`: NaN must not pass.
    if not difference <= parameters.tolerance:
        raise ArchatlasError(
            f"export: {of} of {what} differ by {difference:.3g}, more than `export.tolerance` "
            f"{parameters.tolerance:.3g}. Nothing is exported. Non-finite weights, or a super-network trained "
            "under other parameters, are usual causes."
        )


def _metadata(network: StandaloneNetwork, shapes: Sequence[FeatureShape] = ()) -> dict[str, str]:
    """What the file says of itself; ``preprocessing`` is all that ``predict.py`` asks for beside ``class_names``."""
    images = network.document.images
    preprocessing = {
        "size": images.image_size,
        **({"prepared_size": images.prepared_size} if images.prepared_size else {}),
        "channels": images.channels,
        "aspect": images.aspect,
        "jpeg_draft_factor": DRAFT_FACTOR,
        "resize": "Pillow, bilinear, anti-aliased",
        "grey": "luma of ITU-R BT.601",
        "exif_rotation": "applied",
        "transparency": "on white",
        "bits": images.bits,
        "sixteen_bits": f"divided by {2 ** (images.bits - 8)}",
        "scale": "divided by 255",
    }
    colours = "grey" if images.channels == 1 else "RGB"
    return {
        "archatlas_version": network.document.archatlas_version,
        "architecture": network.document.architecture,
        "budget": network.document.budget,
        "class_names": json.dumps(images.class_names),
        "preprocessing": json.dumps(preprocessing),
        "input": (
            f"pixels: float32 [batch, {images.channels}, {images.image_size}, {images.image_size}], {colours} in 0..1; "
            f"not normalised: that is inside; images that are not square: {images.aspect}"
        ),
        "output": "logits: float32 [batch, classes], in the order of class_names; softmax gives probabilities",
        **({"features": json.dumps({feature_name(shape): shape._asdict() for shape in shapes})} if shapes else {}),
    }
