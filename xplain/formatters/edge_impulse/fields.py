"""The fields of Edge Impulse's objects: what is required and of which type, as the vendor's own SDK has it.

Each reader gives the object as plain JSON values. null stands for absent; unknown keys are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from xplain.errors import DocumentError
from xplain.formatters.core.places import At
from xplain.formatters.core.wire import (
    Field,
    Reader,
    array,
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


def fields(make: Callable[[Json], Json] | None = None, /, **known: Reader[Any]) -> Reader[Json]:
    """Make a reader of an object: known keys are checked, others kept, and what is null is left out."""

    def whole(rest: Json, **found: Any) -> Json:
        value = {key: one for key, one in {**rest, **found}.items() if one is not None}
        return value if make is None else make(value)

    return record(whole, rest={}, **known)


def items(item: Reader[Any]) -> Reader[list[Any]]:
    """Make a reader of an array of one kind of thing, as a list."""
    read = array(item)
    return lambda at: list(read(at))


def _number(at: At) -> int:
    """Read the number of a sample, which becomes part of names."""
    value = integer()(at)
    if value.bit_length() > 53:
        raise at.rejected("an integer of at most 53 bits")
    return value


def _finite(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def scores(at: At) -> dict[str, float]:
    """Read an object of numbers; a document holds one for each window."""
    return {key: value if _finite(value) else number(at[key]) for key, value in mapping(at).items()}


def _row(at: At) -> list[float]:
    values = at.value if isinstance(at.value, list) else array(number)(at)
    return [value if _finite(value) else number(at[i]) for i, value in enumerate(values)]


def _matrix(at: At) -> list[list[float]]:
    """Read rows of numbers, all of one length."""
    rows: list[list[float]] = items(_row)(at)
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise at[i].rejected(f"an array of {len(rows[0])}, as the first row")
    return rows


def extent(at: At) -> float:
    """Read a width or height, which is never negative."""
    value = number(at)
    if value < 0:
        raise at.rejected("a number of at least 0")
    return value


def _rectangle(at: At) -> list[float]:
    """Read x, y, width and height."""
    if not isinstance(at.value, list) or len(at.value) != 4:
        raise at.rejected("an array of x, y, width and height")
    return [(number, number, extent, extent)[i](at[i]) for i in range(4)]


def _ordered(first: str, last: str) -> Callable[[Json], Json]:
    def check(value: Json) -> Json:
        if value[last] < value[first]:
            problem = At(value)[last].problem(f"at least {first}")
            raise DocumentError(problem.message, path=problem.path)
        return value

    return check


_LABELS = items(
    fields(
        _ordered("startIndex", "endIndex"),
        startIndex=integer(0),
        endIndex=integer(0),
        label=string,
    )
)
_SENSORS = items(fields(name=string, units=string, index=nullable(integer(0))))
_SIZE = fields(width=integer(0), height=integer(0))
_CHART = choice("chart", "image", "video", "table")
_STREAM = fields(
    index=integer(0),
    chartType=_CHART,
    intervalMs=number,
    frequencyHz=number,
    sensors=_SENSORS,
    valuesCount=integer(0),
    totalLengthMs=number,
    imageDimensions=nullable(_SIZE),
)
SAMPLE = fields(
    id=_number,
    filename=string,
    signatureValidate=boolean,
    signatureMethod=nullable(string),
    signatureKey=nullable(string),
    created=time,
    lastModified=time,
    category=string,
    coldstorageFilename=string,
    label=string,
    intervalMs=number,
    frequency=number,
    originalIntervalMs=number,
    originalFrequency=number,
    deviceName=nullable(string),
    deviceType=string,
    sensors=_SENSORS,
    valuesCount=integer(0),
    totalLengthMs=nullable(number),
    added=time,
    boundingBoxes=items(fields(label=string, x=integer(), y=integer(), width=integer(0), height=integer(0))),
    boundingBoxesType=choice("object_detection", "constrained_object_detection"),
    chartType=_CHART,
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
    structuredLabelsList=nullable(items(string)),
    createdBySyntheticDataJobId=nullable(integer()),
    imageDimensions=nullable(_SIZE),
    datastreams=nullable(items(_STREAM)),
    videoUrl=nullable(string),
    videoUrlFull=nullable(string),
)

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
    dsp=items(integer()),
    title=string,
    description=nullable(string),
    createdBy=nullable(string),
    createdAt=nullable(time),
    trainingProcessor=nullable(choice("cpu", "gpu")),
)
_SCORED_BOXES = items(fields(label=string, x=number, y=number, width=extent, height=extent, score=number))
_ANOMALY = fields(
    boxes=nullable(_SCORED_BOXES), scores=nullable(_matrix), meanScore=nullable(number), maxScore=nullable(number)
)


def _counted(value: Json) -> Json:
    for key in ("labels", "scores"):
        if key in value and len(value[key]) != len(value["boxes"]):
            boxes = len(value["boxes"])
            raise DocumentError(f"must hold one for each of {boxes} boxes, got {len(value[key])}", path=f"$.{key}")
    return value


_STRUCTURED = fields(
    _counted,
    boxes=items(_rectangle),
    labels=nullable(items(string)),
    scores=items(number),
    mAP=number,
    f1=number,
    precision=number,
    recall=number,
    debugInfoJson=nullable(string),
)
_DETAILS = fields(
    boxes=nullable(items(items(number))),
    labels=nullable(items(number)),
    scores=nullable(items(number)),
    mAP=nullable(number),
    f1=nullable(number),
)
_THRESHOLD = fields(
    key=string,
    description=string,
    helpText=string,
    value=either("a number or a string", number, string),
    suggestedValue=nullable(number),
    suggestedValueText=nullable(string),
)
BLOCK = fields(
    learnBlock=_LEARN_BLOCK,
    result=items(scores),
    anomalyResult=nullable(items(_ANOMALY)),
    structuredResult=nullable(items(_STRUCTURED)),
    minimumConfidenceRating=number,
    details=nullable(items(_DETAILS)),
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
    thresholds=nullable(items(_THRESHOLD)),
    isMultiLabel=nullable(boolean),
    intervalMs=nullable(number),
    frequencyHz=nullable(number),
    resultCount=nullable(integer(0)),
    labelMapResult=nullable(items(table(string))),
    labelMapScores=nullable(items(table(scores))),
)
"""What one learn block says of a sample."""

MODEL_RESULT = fields(sampleId=_number, sample=SAMPLE, classifications=items(BLOCK))
"""What all learn blocks say of a sample."""

_PREDICTION = fields(
    _ordered("startMs", "endMs"),
    sampleId=_number,
    startMs=number,
    endMs=number,
    label=nullable(string),
    prediction=string,
    predictionCorrect=nullable(boolean),
    expectedAnomalyOutcome=nullable(string),
    f1Score=nullable(number),
    anomalyScores=nullable(_matrix),
    boundingBoxes=nullable(_SCORED_BOXES),
    labelMapPredictions=nullable(table(string)),
)
PREDICTIONS = items(_PREDICTION)
"""What is decided of each window."""

_SUMMARY = fields(good=integer(0), bad=integer(0))
_METRIC = fields(
    name=string, value=string, fullPrecisionValue=number, tooltipText=nullable(string), link=nullable(string)
)

PAGE = fields(
    success=boolean,
    error=nullable(string),
    result=items(MODEL_RESULT),
    predictions=PREDICTIONS,
    totalCount=nullable(integer(0)),
)
"""A page of a job."""

ACCURACY = fields(
    totalSummary=_SUMMARY,
    summaryPerClass=table(_SUMMARY),
    confusionMatrixValues=table(scores),
    allLabels=items(string),
    accuracyScore=nullable(number),
    balancedAccuracyScore=nullable(number),
    anomalyAccuracyScore=nullable(number),
    noAnomalyAccuracyScore=nullable(number),
    mseScore=nullable(number),
)
JOB = fields(
    success=boolean,
    error=nullable(string),
    result=items(MODEL_RESULT),
    predictions=PREDICTIONS,
    accuracy=ACCURACY,
    additionalMetricsByLearnBlock=items(
        fields(learnBlockId=integer(), learnBlockName=string, additionalMetrics=items(_METRIC))
    ),
    availableVariants=items(choice("int8", "float32", "akida")),
    noResultsBecauseThresholdsChanged=nullable(string),
)
"""The result of a job."""

_PAYLOAD = fields(
    device_name=nullable(string),
    device_type=string,
    sensors=_SENSORS,
    values=items(items(number)),
    cropStart=nullable(integer()),
    cropEnd=nullable(integer()),
    intervalMs=nullable(number),
    frequencyHz=nullable(number),
)
RAW_SAMPLE = fields(
    sample=SAMPLE,
    payload=_PAYLOAD,
    totalPayloadLength=integer(0),
    datastreamPayloads=nullable(
        items(fields(index=integer(0), payload=_PAYLOAD, totalPayloadLength=nullable(integer(0))))
    ),
)
"""A sample with its readings."""

IMPORTANCE = fields(
    success=boolean,
    error=nullable(string),
    hasFeatureImportance=boolean,
    labels=Field(table(fields(features=items(fields(axis=string, importance=number))))),
)
"""How important the features of a block are for each label."""
