"""Predictions from the raw tensors of a network, as a Deepomatic version post-processes them, without the service.

A version says which tensors hold scores and boxes, and a specification names the labels. Both are translated to the
steps of `xplain.models.raw.steps`, which do the arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xplain import formatters
from xplain.errors import DocumentError, InputError
from xplain.explanation import Explanation, Record, Source
from xplain.formatters.deepomatic.objects import mismatches

if TYPE_CHECKING:
    from xplain.models.raw.steps import Classification, Detection, Outcome
    from xplain.models.raw.trace import Trace


def postprocess(
    version: Record | Mapping[str, Any],
    specification: Record | Mapping[str, Any],
    tensors: Mapping[str, Any],
    *,
    image_size: tuple[int, int] | None = None,
    order: str = "xyxy",
    max_predictions: int = 100,
) -> Explanation:
    """Turn raw tensors into predictions with the post_processings of a Deepomatic version.

    Parameters
    ----------
    version, specification : Record or dict
        The documents, as `xplain.read` or a JSON parser returns them.
    tensors : mapping of str to array_like or torch.Tensor
        The network's outputs for one image, without the batch dimension.
    image_size : tuple of int, optional
        (height, width) of the image in pixels, which is needed to draw the boxes or to convert them to pixels.
    order : {"xyxy", "yxyx"}
        Order of the coordinates of a ``direct_output``: as documented, or as in networks of TensorFlow.
    max_predictions : int
        The most predictions of an output that are reported, and the most that are discarded.

    Returns
    -------
    Explanation
        For each output the predicted ones, then the discarded ones, whose scores are below their thresholds. It can be
        written in the format ``"deepomatic"``.

    Raises
    ------
    DocumentError
        If a document is malformed, or the version does not fit the specification.
    InputError
        If a tensor is missing, has another shape, or holds values that are no scores, labels or boxes.

    Notes
    -----
    `xplain.models.raw.steps` documents the arithmetic, and which of it is inferred. A label is present if its score is
    at least its threshold: the vendor's API reference says "greater", the tests of its Python client say "at least".

    Examples
    --------
    >>> labels = {"labels": [{"id": 4, "name": "cat"}, {"id": 7, "name": "dog"}], "exclusive": True, "roi": "NONE"}
    >>> specification = {"name": "pets", "outputs": [{"labels": labels}]}
    >>> step = {"classification": {"output_tensor": "prob", "thresholds": [0.5, 0.5]}}
    >>> version = {"spec_id": 1, "network_id": 2, "post_processings": [step]}
    >>> e = postprocess(version, specification, {"prob": [0.2, 0.8]})
    >>> [(p.name, p.score, p.score >= p.threshold) for p in e.predictions]
    [('dog', 0.8, True), ('cat', 0.2, False)]
    """
    outcomes, has_boxes = _outcomes(version, specification, tensors, order, max_predictions)
    height, width = (None, None) if image_size is None else image_size
    predictions = tuple(
        replace(prediction, attributes={"output": index}) if index else prediction
        for index, outcome in enumerate(outcomes)
        for prediction in (*outcome.predicted, *outcome.discarded)
    )
    task = "object-detection" if has_boxes else "image-classification"
    return Explanation(task, Source("image", height=height, width=width), predictions)


def trace(
    version: Record | Mapping[str, Any],
    specification: Record | Mapping[str, Any],
    tensors: Mapping[str, Any],
    *,
    order: str = "xyxy",
    max_predictions: int = 100,
) -> tuple[Trace, ...]:
    """Explain for every candidate in raw tensors why `postprocess` reports it or not.

    Parameters
    ----------
    version, specification, tensors, order, max_predictions
        As for `postprocess`.

    Returns
    -------
    tuple of xplain.models.raw.trace.Trace
        For each output the candidates in the order of its tensors: dropped for a low score, suppressed by an
        overlapping candidate, discarded, predicted, or beyond the maximum.

    Examples
    --------
    >>> labels = {"labels": [{"id": 4, "name": "cat"}], "exclusive": True, "roi": "BBOX"}
    >>> boxes = {"boxes_tensor": "boxes", "scores_tensor": "scores", "classes_tensor": "classes"}
    >>> step = {"detection": {"direct_output": boxes, "thresholds": [0.6], "nms_threshold": 0.5}}
    >>> tensors = {"boxes": [[0, 0, 1, 0.5], [0, 0, 1, 0.6]], "scores": [0.7, 0.9], "classes": [4, 4]}
    >>> outputs = {"name": "cats", "outputs": [{"labels": labels}]}
    >>> for candidate in trace({"spec_id": 1, "network_id": 2, "post_processings": [step]}, outputs, tensors)[0]:
    ...     print(candidate)
    cat 0.700 suppressed by 1 with overlap 0.833
    cat 0.900 predicted
    """
    outcomes, _ = _outcomes(version, specification, tensors, order, max_predictions)
    return tuple(outcome.trace for outcome in outcomes)


def _outcomes(
    version: Any, specification: Any, tensors: Mapping[str, Any], order: str, max_predictions: int
) -> tuple[list[Outcome], bool]:
    """Run the post-processing of every output; the second value is whether any of them finds boxes."""
    from xplain.models.raw import steps

    version_fields = _fields(version, "version", ("version", "post_processings"))
    specification_fields = _fields(specification, "specification", ("specification",))
    for problem in mismatches(version_fields, specification_fields):
        raise DocumentError(problem.message, path=problem.path, format="deepomatic")
    outcomes = []
    has_boxes = False
    outputs = specification_fields["outputs"]
    for post_processing, output in zip(version_fields["post_processings"], outputs, strict=True):
        step = _step(post_processing, order)
        has_boxes |= isinstance(step, steps.Detection)
        labels = [(label["id"], label["name"]) for label in output["labels"]["labels"]]
        exclusive = output["labels"]["exclusive"]
        outcome = steps.postprocess(step, labels, tensors, exclusive=exclusive, max_predictions=max_predictions)
        outcomes.append(outcome)
    return outcomes, has_boxes


def _fields(document: Any, name: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a document, after a check that it is valid and of one of these kinds."""
    fields = document.fields if isinstance(document, Record) else document
    if not isinstance(fields, Mapping):
        raise InputError(f"{name} must be a Record or a dict, got {type(document).__name__}")
    value = formatters.from_document(dict(fields), "deepomatic")
    if not isinstance(value, Record) or value.kind not in kinds:
        kind = value.kind if isinstance(value, Record) else "results"
        raise InputError(f"{name} must be a {name} of Deepomatic, got {kind}")
    return value.fields


def _step(post_processing: Mapping[str, Any], order: str) -> Classification | Detection:
    """Translate an entry of post_processings to a step."""
    from xplain.models.raw.steps import Anchored, Classification, Detection, Direct, Yolo

    if post_processing.get("classification") is not None:
        classification = post_processing["classification"]
        return Classification(classification["output_tensor"], classification.get("thresholds"))
    detection = post_processing["detection"]
    output: Anchored | Direct | Yolo
    if detection.get("anchored_output") is not None:
        names = detection["anchored_output"]
        output = Anchored(names["anchors_tensor"], names["scores_tensor"], names["offsets_tensor"])
    elif detection.get("direct_output") is not None:
        names = detection["direct_output"]
        output = Direct(names["boxes_tensor"], names["scores_tensor"], names["classes_tensor"], order)
    else:
        output = Yolo(detection["yolo_output"]["output_tensor"], detection["yolo_output"]["anchors"])
    return Detection(
        output,
        detection.get("thresholds"),
        nms_threshold=detection["nms_threshold"],
        discard_threshold=detection.get("discard_threshold") or 0.0,
        normalize_wrt_tensor=detection.get("normalize_wrt_tensor") or "",
    )
