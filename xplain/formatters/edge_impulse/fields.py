"""The fields of Edge Impulse's objects: which are required and of which type, as in the vendor's own SDK.

Each reader returns the object as plain JSON values, not as values of xplain: a document is first checked and then
interpreted as a whole, since its scores, windows and figures stand in different objects. null means absent; unknown
fields are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xplain.errors import DocumentError
from xplain.explanation.outcomes import ANOMALY
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
    between,
    boolean,
    choice,
    either,
    integer,
    mapping,
    nullable,
    number,
    record,
    string,
    table,
    time,
)

FORMAT = "edge-impulse"

Json = dict[str, Any]

#: Integers of more bits have no exact float.
_MAX_BITS = 53
#: Relative difference between a rate and the interval between readings that is rounding only.
_RATE_TOLERANCE = 0.01
_ROUNDING = 1e-6


# Combining readers.


def fields(make: Callable[[Json], Json] | None = None, /, **known: Reader[Any]) -> Reader[Json]:
    """Make a reader of an object: known fields are checked, unknown ones kept, and those that are null left out.

    ``make`` may check or change the object.
    """

    def merge(rest: Json, **checked: Any) -> Json:
        document = {key: value for key, value in {**rest, **checked}.items() if value is not None}
        return document if make is None else make(document)

    return record(merge, rest={}, **known)


def list_of(item: Reader[Any]) -> Reader[list[Any]]:
    """Make a reader of an array whose elements are all read alike; unlike `array`, it returns a list."""
    read = array(item)
    return lambda at: list(read(at))


def _check_order(first: str, last: str) -> Callable[[Json], Json]:
    """Make a check that one field is not below another."""

    def check(document: Json) -> Json:
        if document[last] < document[first]:
            problem = At(document)[last].problem(f"at least {first}")
            raise DocumentError(problem.message, path=problem.path)
        return document

    return check


# Numbers.


def _read_sample_number(at: At) -> int:
    """Read the number of a sample, which becomes part of names."""
    value = integer()(at)
    if value.bit_length() > _MAX_BITS:
        raise at.rejected(f"an integer of at most {_MAX_BITS} bits")
    return value


def _is_finite_float(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def scores(at: At) -> dict[str, float]:
    """Read an object of numbers."""
    # A document holds one for each window: it is read without the detour over `table`.
    return {key: value if _is_finite_float(value) else number(at[key]) for key, value in mapping(at).items()}


def _read_row(at: At) -> list[float]:
    values = at.value if isinstance(at.value, list) else array(number)(at)
    return [value if _is_finite_float(value) else number(at[i]) for i, value in enumerate(values)]


def _read_matrix(at: At) -> list[list[float]]:
    """Read rows of numbers, all of one length."""
    rows: list[list[float]] = list_of(_read_row)(at)
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise at[i].rejected(f"an array of {len(rows[0])}, as the first row")
    return rows


def extent(at: At) -> float:
    """Read a width or height, which is not negative."""
    value = number(at)
    if value < 0:
        raise at.rejected("a number of at least 0")
    return value


def _read_corners(at: At) -> list[float]:
    """Read the upper, left, lower and right edge of a box."""
    if not isinstance(at.value, list) or len(at.value) != 4:
        raise at.rejected("an array of ymin, xmin, ymax and xmax")
    corners = [number(at[i]) for i in range(4)]
    for first, last, axis in ((0, 2, "y"), (1, 3, "x")):
        if corners[last] < corners[first]:
            raise at[last].rejected(f"at least {axis}min, {corners[first]!r}")
    return corners


def _read_rectangle(at: At) -> list[float]:
    """Read x, y, width and height."""
    if not isinstance(at.value, list) or len(at.value) != 4:
        raise at.rejected("an array of x, y, width and height")
    return [(number, number, extent, extent)[i](at[i]) for i in range(4)]


# Samples.

_LABELS = list_of(
    fields(
        _check_order("startIndex", "endIndex"),
        startIndex=integer(0),
        endIndex=integer(0),
        label=string,
    )
)
_SENSORS = list_of(fields(name=string, units=string, index=nullable(integer(0))))
_SIZE = fields(width=integer(0), height=integer(0))
TRUTHS = list_of(fields(label=string, x=integer(), y=integer(), width=integer(0), height=integer(0)))
"""The objects that are really in an image, in pixels."""

_CHART_TYPE = choice("chart", "image", "video", "table")


def _check_rates(interval: str, rate: str) -> Callable[[Json], Json]:
    """Make a check that an interval in milliseconds and a rate in Hz say the same, where both are known."""

    def check(document: Json) -> Json:
        milliseconds, hertz = document.get(interval, 0), document.get(rate, 0)
        if milliseconds and hertz and not math.isclose(milliseconds * hertz, 1000, rel_tol=_RATE_TOLERANCE):
            problem = At(document)[interval].problem(f"1000 / {rate}, {1000 / hertz:.6g}")
            raise DocumentError(problem.message, path=problem.path)
        return document

    return check


_STREAM = fields(
    _check_rates("intervalMs", "frequencyHz"),
    index=integer(0),
    chartType=_CHART_TYPE,
    intervalMs=extent,
    frequencyHz=extent,
    sensors=_SENSORS,
    valuesCount=integer(0),
    totalLengthMs=extent,
    imageDimensions=nullable(_SIZE),
)


def _check_both_rates(sample: Json) -> Json:
    sample = _check_rates("intervalMs", "frequency")(sample)
    return _check_rates("originalIntervalMs", "originalFrequency")(sample)


SAMPLE = fields(
    _check_both_rates,
    id=_read_sample_number,
    filename=string,
    signatureValidate=boolean,
    signatureMethod=nullable(string),
    signatureKey=nullable(string),
    created=time,
    lastModified=time,
    category=string,
    coldstorageFilename=string,
    label=string,
    intervalMs=extent,
    frequency=extent,
    originalIntervalMs=extent,
    originalFrequency=extent,
    deviceName=nullable(string),
    deviceType=string,
    sensors=_SENSORS,
    valuesCount=integer(0),
    totalLengthMs=nullable(extent),
    added=time,
    boundingBoxes=TRUTHS,
    boundingBoxesType=choice("object_detection", "constrained_object_detection"),
    chartType=_CHART_TYPE,
    thumbnailVideo=nullable(string),
    thumbnailVideoFull=nullable(string),
    isDisabled=boolean,
    isProcessing=boolean,
    processingJobId=nullable(integer()),
    processingError=boolean,
    processingErrorString=nullable(string),
    isCropped=boolean,
    metadata=nullable(table(string)),
    projectId=integer(),
    projectOwnerName=nullable(string),
    projectName=nullable(string),
    projectLabelingMethod=nullable(choice("single_label", "object_detection", "label_map")),
    sha256Hash=string,
    structuredLabels=nullable(_LABELS),
    structuredLabelsList=nullable(list_of(string)),
    createdBySyntheticDataJobId=nullable(integer()),
    imageDimensions=nullable(_SIZE),
    datastreams=nullable(list_of(_STREAM)),
    videoUrl=nullable(string),
    videoUrlFull=nullable(string),
)


# Learn blocks.

_LEARN_BLOCK = fields(
    id=integer(1),
    type=choice(
        "anomaly",
        "anomaly-gmm",
        "keras",
        "keras-transfer-image",
        "keras-transfer-kws",
        "keras-object-detection",
        "keras-regression",
        "keras-akida",
        "keras-akida-transfer-image",
        "keras-akida-object-detection",
        "keras-visual-anomaly",
        "keras-freeform",
        "keras-anomaly",
        "vlm",
    ),
    name=string,
    dsp=list_of(integer()),
    title=string,
    description=nullable(string),
    createdBy=nullable(string),
    createdAt=nullable(time),
    trainingProcessor=nullable(choice("cpu", "gpu")),
)
_SCORED_BOXES = list_of(fields(label=string, x=number, y=number, width=extent, height=extent, score=number))
_ANOMALY = fields(
    boxes=nullable(_SCORED_BOXES), scores=nullable(_read_matrix), meanScore=nullable(number), maxScore=nullable(number)
)


def _check_count(detected: Json) -> Json:
    """Check that there is one label and one score for each box."""
    boxes = len(detected.get("boxes", []))
    for key in ("labels", "scores", "labelNames"):
        if key in detected and len(detected[key]) != boxes:
            got = len(detected[key])
            raise DocumentError(f"must hold one for each of {boxes} boxes, got {got}", path=f"$.{key}")
    return detected


_FRACTION = between(0, 1)


_STRUCTURED = fields(
    _check_count,
    boxes=list_of(_read_rectangle),
    labels=nullable(list_of(string)),
    scores=list_of(number),
    mAP=_FRACTION,
    f1=_FRACTION,
    precision=_FRACTION,
    recall=_FRACTION,
    debugInfoJson=nullable(string),
)
_DETAILS = fields(
    _check_count,
    boxes=nullable(list_of(_read_corners)),
    labels=nullable(list_of(number)),
    scores=nullable(list_of(number)),
    mAP=nullable(_FRACTION),
    f1=nullable(_FRACTION),
    labelNames=nullable(list_of(string)),
)
_THRESHOLD = fields(
    key=string,
    description=string,
    helpText=string,
    value=either("a number or a string", number, string),
    suggestedValue=nullable(number),
    suggestedValueText=nullable(string),
)


def is_confidence(score: float) -> bool:
    """Whether a score is one from 0 to 1, but for the rounding of single precision."""
    return -_ROUNDING <= score <= 1 + _ROUNDING


#: Blocks whose numbers are confidences.
_CLASSIFIERS = (
    "keras",
    "keras-transfer-image",
    "keras-transfer-kws",
    "keras-akida",
    "keras-akida-transfer-image",
)


def _check_block(block: Json) -> Json:
    """Check that confidences are fractions (scores of anomalies have no range), and the rate of the windows."""
    if block["learnBlock"]["type"] in _CLASSIFIERS:
        for i, window in enumerate(block["result"]):
            for label, score in window.items():
                if label != ANOMALY and not is_confidence(score):
                    problem = At(block)["result"][i][label].problem("a confidence from 0 to 1")
                    raise DocumentError(problem.message, path=problem.path)
    return _check_rates("intervalMs", "frequencyHz")(block)


BLOCK = fields(
    _check_block,
    learnBlock=_LEARN_BLOCK,
    result=list_of(scores),
    anomalyResult=nullable(list_of(_ANOMALY)),
    structuredResult=nullable(list_of(_STRUCTURED)),
    minimumConfidenceRating=number,
    details=nullable(list_of(_DETAILS)),
    objectDetectionLastLayer=nullable(
        choice(
            "mobilenet-ssd",
            "fomo",
            "yolov2-akida",
            "yolov5",
            "yolov5v5-drpai",
            "yolox",
            "yolov7",
            "yolo-pro",
            "tao-retinanet",
            "tao-ssd",
            "tao-yolov3",
            "tao-yolov4",
            "yolov11",
            "yolov11-abs",
            "paddleocr-detector",
            "qc-face-det-lite",
            "qc-yolox",
        )
    ),
    expectedLabels=_LABELS,
    expectedAnomalyOutcome=nullable(_LABELS),
    thresholds=nullable(list_of(_THRESHOLD)),
    isMultiLabel=nullable(boolean),
    intervalMs=nullable(extent),
    frequencyHz=nullable(extent),
    resultCount=nullable(integer(0)),
    labelMapResult=nullable(list_of(table(string))),
    labelMapScores=nullable(list_of(table(scores))),
)
"""The results of one learn block for a sample."""

MODEL_RESULT = fields(sampleId=_read_sample_number, sample=SAMPLE, classifications=list_of(BLOCK))
"""A sample and the results of all learn blocks for it."""


# Jobs.

_PREDICTION = fields(
    _check_order("startMs", "endMs"),
    sampleId=_read_sample_number,
    startMs=number,
    endMs=number,
    label=nullable(string),
    prediction=string,
    predictionCorrect=nullable(boolean),
    expectedAnomalyOutcome=nullable(string),
    f1Score=nullable(_FRACTION),
    anomalyScores=nullable(_read_matrix),
    boundingBoxes=nullable(_SCORED_BOXES),
    labelMapPredictions=nullable(table(string)),
)
PREDICTIONS = list_of(_PREDICTION)
"""The decision for each window."""

_SUMMARY = fields(good=integer(0), bad=integer(0))
_METRIC = fields(
    name=string, value=string, fullPrecisionValue=number, tooltipText=nullable(string), link=nullable(string)
)

PAGE = fields(
    success=boolean,
    error=nullable(string),
    result=list_of(MODEL_RESULT),
    predictions=PREDICTIONS,
    totalCount=nullable(integer(0)),
)
"""A page of the results of a job."""

_PERCENTAGE = between(0, 100)


def _check_labels(accuracy: Json) -> Json:
    """Check that labels are listed where there is a matrix of them."""
    if accuracy["confusionMatrixValues"] and not accuracy["allLabels"]:
        raise DocumentError("must hold the labels of confusionMatrixValues, got none", path="$.allLabels")
    return accuracy


ACCURACY = fields(
    _check_labels,
    totalSummary=_SUMMARY,
    summaryPerClass=table(_SUMMARY),
    confusionMatrixValues=table(scores),
    allLabels=list_of(string),
    accuracyScore=nullable(_PERCENTAGE),
    balancedAccuracyScore=nullable(_PERCENTAGE),
    anomalyAccuracyScore=nullable(_PERCENTAGE),
    noAnomalyAccuracyScore=nullable(_PERCENTAGE),
    mseScore=nullable(extent),
)
"""The figures of a job."""


def _check_metrics(job: Json) -> Json:
    """Check that figures of learn blocks are of blocks that have results."""
    known = {block["learnBlock"]["id"] for result in job["result"] for block in result["classifications"]}
    for i, metrics in enumerate(job["additionalMetricsByLearnBlock"]):
        if known and metrics["learnBlockId"] not in known:
            problem = At(job)["additionalMetricsByLearnBlock"][i]["learnBlockId"].problem("that of a learn block")
            raise DocumentError(problem.message, path=problem.path)
    return job


JOB = fields(
    _check_metrics,
    success=boolean,
    error=nullable(string),
    result=list_of(MODEL_RESULT),
    predictions=PREDICTIONS,
    accuracy=ACCURACY,
    additionalMetricsByLearnBlock=list_of(
        fields(learnBlockId=integer(), learnBlockName=string, additionalMetrics=list_of(_METRIC))
    ),
    availableVariants=list_of(choice("int8", "float32", "akida")),
    noResultsBecauseThresholdsChanged=nullable(string),
)
"""All results of a job."""


# Other documents.

_PAYLOAD = fields(
    device_name=nullable(string),
    device_type=string,
    sensors=_SENSORS,
    values=list_of(list_of(number)),
    cropStart=nullable(integer()),
    cropEnd=nullable(integer()),
    intervalMs=nullable(extent),
    frequencyHz=nullable(extent),
)
RAW_SAMPLE = fields(
    sample=SAMPLE,
    payload=_PAYLOAD,
    totalPayloadLength=integer(0),
    datastreamPayloads=nullable(
        list_of(fields(index=integer(0), payload=_PAYLOAD, totalPayloadLength=nullable(integer(0))))
    ),
)
"""A sample with its raw readings."""

IMPORTANCE = fields(
    success=boolean,
    error=nullable(string),
    hasFeatureImportance=boolean,
    labels=Field(table(fields(features=list_of(fields(axis=string, importance=number))))),
)
"""How important the features of a learn block are for each label."""
