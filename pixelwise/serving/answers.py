"""Answers to a labelled picture: a label map, an overlay, or run lengths."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import Depends, Query, Request, Response

from pixelwise.data.image_codec import encode_picture
from pixelwise.reporting.label_images import Palette, encode_label, overlay
from pixelwise.serving.models import Served
from pixelwise.serving.rle import Counts, list_segments

Output = Literal["labels", "overlay", "rle"]
JSON, PNG = "application/json", "image/png"
# The answer 200 in the API's description.
LABELLED: dict[int | str, dict[str, Any]] = {200: {"content": {PNG: {}, JSON: {}}}}


@dataclass(frozen=True)
class Form:
    """The form of an answer that a request asks for."""

    output: Output
    counts: Counts


async def choose_form(
    request: Request,
    output: Annotated[Output | None, Query(description="default: rle if JSON is accepted, else labels")] = None,
    counts: Annotated[Counts, Query(description="format of the run lengths of rle")] = "uncompressed",
) -> Form:
    """The form of the answer: from the query, else from the header Accept, else a label map."""
    accepts_json = JSON in request.headers.get("accept", "").lower()
    return Form(output or ("rle" if accepts_json else "labels"), counts)


AnswerForm = Annotated[Form, Depends(choose_form)]


@dataclass(frozen=True)
class Labelled:
    """A picture (H, W, 3), its prediction (H, W), the names and colours of the classes, and the model.

    confidence: the mean over the pixels; None if it was not computed.
    """

    image: np.ndarray
    prediction: np.ndarray
    names: tuple[str, ...]
    palette: Palette
    served: Served
    confidence: float | None = None


def make_response(form: Form, labelled: Labelled) -> Response:
    """The response of the chosen form."""
    prediction, names, served = labelled.prediction, labelled.names, labelled.served
    headers = make_headers(names, served)
    if form.output == "rle":
        document = {
            "model": {"name": served.name, "version": served.version, "sha256": served.sha256},
            "size": list(prediction.shape),
            "classes": list(names),
            "segments": list_segments(prediction, names, form.counts),
        }
        return Response(json.dumps(document), media_type=JSON, headers=headers)
    if form.output == "overlay":
        content = encode_picture(overlay(labelled.image, prediction, labelled.palette))
    else:
        content = encode_label(prediction, labelled.palette)
    return Response(content, media_type=PNG, headers=headers)


def make_headers(names: tuple[str, ...], served: Served) -> dict[str, str]:
    """Headers that name the model and the classes. Classes are a JSON list: value i of a label map is the i-th."""
    return {
        # A header may hold ASCII only.
        "X-Pixelwise-Classes": json.dumps(names),
        "X-Pixelwise-Model": json.dumps(served.name).strip('"'),
        "X-Pixelwise-Version": served.version or "",
        "X-Pixelwise-SHA256": served.sha256,
    }
