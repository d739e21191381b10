"""A network's raw tensors through what a vendor's documents say about them, without the vendor's service."""

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
    """Turn raw tensors into predictions, as the post_processings of a Deepomatic version say.

    Parameters
    ----------
    version, specification : Record or dict
        The documents, as `xplain.read` or as a JSON parser gives them.
    tensors : mapping of str to array_like or torch.Tensor
        The network's outputs for one image, without the batch dimension.
    image_size : tuple of int, optional
        (height, width) of the image in pixels, for those who draw the boxes or convert them to pixels.
    order : {"xyxy", "yxyx"}
        Of the boxes of a ``direct_output``: as documented, or as TensorFlow's networks have it.
    max_predictions : int
        How many predictions of an output are reported, and how many that are discarded.

    Returns
    -------
    Explanation
        For each output those that are predicted, then those that are discarded, of which the score is below the
        threshold. It can be written in the format ``"deepomatic"``.

    Raises
    ------
    DocumentError
        If a document is malformed, or the version does not go with the specification.
    InputError
        If a tensor is missing or of another shape, or holds what cannot be a score, a label or a box.

    Notes
    -----
    `xplain.models.raw.steps` says what is done with the tensors, and what of that is inferred.

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
    outcomes, boxes = _outcomes(version, specification, tensors, order, max_predictions)
    height, width = (None, None) if image_size is None else image_size
    predictions = tuple(
        replace(prediction, attributes={"output": index}) if index else prediction
        for index, outcome in enumerate(outcomes)
        for prediction in (*outcome.predicted, *outcome.discarded)
    )
    task = "object-detection" if boxes else "image-classification"
    return Explanation(task, Source("image", height=height, width=width), predictions)


def trace(
    version: Record | Mapping[str, Any],
    specification: Record | Mapping[str, Any],
    tensors: Mapping[str, Any],
    *,
    order: str = "xyxy",
    max_predictions: int = 100,
) -> tuple[Trace, ...]:
    """Say of every candidate in raw tensors why `postprocess` reports it or not.

    Parameters
    ----------
    version, specification, tensors, order, max_predictions
        As for `postprocess`.

    Returns
    -------
    tuple of xplain.models.raw.trace.Trace
        For each output the candidates in the order of its tensors: dropped for a low score, suppressed by another one
        that overlaps it by so much, discarded, predicted, or beyond the maximum.

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
    version: Any, specification: Any, tensors: Mapping[str, Any], order: str, most: int
) -> tuple[list[Outcome], bool]:
    """Carry out every post-processing, and say whether any makes boxes."""
    from xplain.models.raw import steps

    fields = _fields(version, "version", ("version", "post_processings"))
    outputs = _fields(specification, "specification", ("specification",))
    for problem in mismatches(fields, outputs):
        raise DocumentError(problem.message, path=problem.path, format="deepomatic")
    outcomes = []
    boxes = False
    for document, output in zip(fields["post_processings"], outputs["outputs"], strict=True):
        step = _step(document, order)
        boxes |= isinstance(step, steps.Detection)
        labels = [(label["id"], label["name"]) for label in output["labels"]["labels"]]
        exclusive = output["labels"]["exclusive"]
        outcomes.append(steps.postprocess(step, labels, tensors, exclusive=exclusive, max_predictions=most))
    return outcomes, boxes


def _fields(document: Any, name: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a valid document."""
    fields = document.fields if isinstance(document, Record) else document
    if not isinstance(fields, Mapping):
        raise InputError(f"{name} must be a Record or a dict, got {type(document).__name__}")
    found = formatters.from_document(dict(fields), "deepomatic")
    if not isinstance(found, Record) or found.kind not in kinds:
        got = found.kind if isinstance(found, Record) else "results"
        raise InputError(f"{name} must be a {name} of Deepomatic, got {got}")
    return found.fields


def _step(document: Mapping[str, Any], order: str) -> Classification | Detection:
    """Turn an entry of post_processings into what is to be done."""
    from xplain.models.raw.steps import Anchored, Classification, Detection, Direct, Yolo

    if document.get("classification") is not None:
        step = document["classification"]
        return Classification(step["output_tensor"], step.get("thresholds"))
    step = document["detection"]
    output: Anchored | Direct | Yolo
    if step.get("anchored_output") is not None:
        names = step["anchored_output"]
        output = Anchored(names["anchors_tensor"], names["scores_tensor"], names["offsets_tensor"])
    elif step.get("direct_output") is not None:
        names = step["direct_output"]
        output = Direct(names["boxes_tensor"], names["scores_tensor"], names["classes_tensor"], order)
    else:
        output = Yolo(step["yolo_output"]["output_tensor"], step["yolo_output"]["anchors"])
    return Detection(
        output,
        step.get("thresholds"),
        nms_threshold=step["nms_threshold"],
        discard_threshold=step.get("discard_threshold") or 0.0,
        normalize_wrt_tensor=step.get("normalize_wrt_tensor") or "",
    )
