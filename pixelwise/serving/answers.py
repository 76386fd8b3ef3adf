"""Answers to a labelled picture: a label map, an overlay, or run lengths."""

import json
from typing import Literal

import numpy as np
from starlette.responses import Response

from pixelwise.data.image_codec import encode_picture
from pixelwise.reporting.label_images import encode_label, overlay
from pixelwise.serving.models import Served
from pixelwise.serving.rle import Counts, list_segments

Output = Literal["labels", "overlay", "rle"]
JSON, PNG = "application/json", "image/png"


def choose_output(output: Output | None, accept: str) -> Output:
    """The wanted output: from the query, else from the header Accept, else a label map."""
    return output or ("rle" if JSON in accept.lower() else "labels")


def make_response(
    output: Output, counts: Counts, image: np.ndarray, prediction: np.ndarray, served: Served
) -> Response:
    """The response for `image` (H, W, 3) and its `prediction` (H, W), which `served` made."""
    if output == "rle":
        document = {
            "model": {"name": served.name, "version": served.version, "sha256": served.sha256},
            "size": list(prediction.shape),
            "classes": list(served.segmenter.names),
            "segments": list_segments(prediction, served.segmenter.names, counts),
        }
        return Response(json.dumps(document), media_type=JSON, headers=make_headers(served))
    palette = served.segmenter.palette
    if output == "overlay":
        content = encode_picture(overlay(image, prediction, palette))
    else:
        content = encode_label(prediction, palette)
    return Response(content, media_type=PNG, headers=make_headers(served))


def make_headers(served: Served) -> dict[str, str]:
    """Headers that name the model and its classes. Classes are a JSON list: value i of a label map is the i-th."""
    return {
        # A header may hold ASCII only.
        "X-Pixelwise-Classes": json.dumps(served.segmenter.names),
        "X-Pixelwise-Model": json.dumps(served.name).strip('"'),
        "X-Pixelwise-Version": served.version or "",
        "X-Pixelwise-SHA256": served.sha256,
    }
