"""Measure an explanation (`evaluate`), and compare several methods on one prediction (`compare`).

Every comparison ends with control methods, which do not ask the model: where a method does not beat them, its maps say
no more about the model than noise does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xplain import _check
from xplain.errors import AttributionError, InputError
from xplain.evaluation.measures import (
    DEFAULT_MEASURES,
    MEASURES,
    Subject,
    choose_measures,
    measure,
    options_by_name,
    row,
)
from xplain.explanation import Comparison, Explanation

if TYPE_CHECKING:
    from xplain.models import Detector, ImageClassifier, Segmenter

    ImageModel = ImageClassifier | Detector | Segmenter


#: Methods that do not ask the model, with which every comparison ends.
CONTROLS = ("random", "sobel", "centre")

Measures = Iterable[str] | Mapping[str, Mapping[str, Any]]


def evaluate(
    model: ImageModel,
    explanation: Explanation,
    input: Any = None,
    *,
    measures: Measures = DEFAULT_MEASURES,
    region: Any = None,
    output: str | None = None,
    batch_size: int | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Explanation:
    """Measure how good the heat maps of an explanation are.

    Parameters
    ----------
    model : ImageClassifier, Detector or Segmenter
        What was explained.
    explanation : Explanation
        Of an image, with heat maps.
    input : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor, optional
        The image; what the explanation holds of it if left out.
    measures : iterable of str, or mapping of str to mapping
        Keys of `xplain.evaluation.MEASURES`; a mapping gives the knobs of each, those of the function of
        `xplain.quality`: ``{"deletion": {"substrate": "blur"}, "insertion": {}}``.
    region : Box, Mask or array_like, optional
        Where the object to find is, for ``"localisation"``, which is measured if a region is given.
    output : {"probability", "logit", "similarity"}, optional
        Which score the curves follow. Left out: a classifier's probability, a detection's similarity, what a segmenter
        returns.
    batch_size : int, optional
        Images in one call of the model; chosen for speed and memory if left out.
    inputs : mapping, optional
        Further inputs of the model, as for `xplain.explain`.

    Returns
    -------
    Explanation
        A copy, with the results under the measures' names in `Attribution.quality`, each with its knobs.

    Raises
    ------
    InputError
        If there is no heat map, or an argument is wrong.
    UnknownNameError
        If there is no such measure or knob.
    AttributionError
        If a measure asks the model for what it has not.

    Examples
    --------
    >>> import numpy as np, xplain
    >>> model = xplain.ImageClassifier(lambda images: images[:, :2, :2].mean(axis=(1, 2, 3))[:, None] / 255,
    ...                                output="probability")
    >>> photo = np.full((4, 4, 3), 255, np.uint8)
    >>> explanation = xplain.explain(model, photo, method="occlusion", window=2, stride=2)
    >>> explanation = evaluate(model, explanation, measures={"deletion": {"steps": 4}})
    >>> explanation.attributions[0].quality["deletion"]["scores"]
    [1.0, 0.0, 0.0, 0.0, 0.0]
    """
    model = _image_model(model, input, inputs)
    if not isinstance(explanation, Explanation):
        raise _check.wrong("explanation", "an Explanation", explanation)
    knobs = choose_measures(measures, region)
    content = explanation.source.content if input is None else input
    if content is None:
        raise InputError("input must be given for an explanation that does not hold its image, got None")
    prepared = model.prepare(content)
    attributions = tuple(
        measure(Subject(model, explanation, attribution, prepared, region, output, batch_size), knobs)
        for attribution in explanation.attributions
    )
    return replace(explanation, attributions=attributions)


def compare(
    model: ImageModel,
    input: Any,
    methods: Iterable[str] | Mapping[str, Mapping[str, Any]],
    target: Any = None,
    *,
    measures: Measures = DEFAULT_MEASURES,
    region: Any = None,
    output: str | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Callable[[str], object] | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Comparison:
    """Explain one prediction by several methods and by the controls, and measure each.

    Parameters
    ----------
    model : ImageClassifier, Detector or Segmenter
        What predicts.
    input : path, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
        An image.
    methods : iterable of str, or mapping of str to mapping
        Keys of `xplain.methods`; a mapping gives the options of each.
    target : int, str or Prediction, optional
        What to explain, one thing; the best prediction if left out.
    measures, region, output, batch_size
        As for `evaluate`.
    seed : int
        Of the methods' random numbers.
    progress : callable, optional
        Called with the name of each method before it runs.
    inputs : mapping, optional
        Further inputs of the model, as for `xplain.explain`.

    Returns
    -------
    Comparison
        Its last explanations are those of ``random``, ``sobel`` and ``centre``: a method that does not beat them says
        nothing.

    Raises
    ------
    InputError
        If an argument is wrong, or ``target`` is several things.
    UnknownNameError
        If there is no such method, option, measure or knob.

    Examples
    --------
    >>> import numpy as np, xplain
    >>> def left(images):
    ...     return images[:, :, :4].mean(axis=(1, 2, 3))[:, None] / 255
    >>> photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    >>> model = xplain.ImageClassifier(left, ["left"], output="probability")
    >>> compared = compare(model, photo, {"occlusion": {"window": 1, "stride": 1}})
    >>> [row["method"] for row in compared.rows()]
    ['occlusion', 'random', 'sobel', 'centre']
    >>> deletion = [row["deletion"] for row in compared.rows()]
    >>> deletion[0] < min(deletion[1:])
    True
    """
    from xplain import attributions
    from xplain.attributions.kinds.scoring import target_of

    model = _image_model(model, input, inputs)
    options = options_by_name("methods", methods)
    for name in options:
        _check.known("method", name, attributions.METHODS)
    knobs = choose_measures(measures, region)
    prepared = model.prepare(input)
    explanations: list[Explanation] = []
    refused: dict[str, str] = {}
    shared: dict[str, Any] = {}
    # A control comes first, to fix what all methods explain: it costs nothing.
    (control,) = attributions.run(model, [prepared], [target], method="random", seed=seed, batch_size=batch_size)
    if len(control.attributions) != 1:
        raise InputError(f"target must be one thing to explain, got {len(control.attributions)}")
    common_target = target_of(model, control.attributions[0].target)
    for name in dict.fromkeys([*(name for name in options if name not in CONTROLS), *CONTROLS]):
        if progress is not None:
            progress(name)
        arguments = {"seed": seed, "batch_size": batch_size, **options.get(name, {})}
        try:
            (explanation,) = attributions.run(model, [prepared], [common_target], method=name, **arguments)
        except AttributionError as error:
            refused[name] = str(error)
            continue
        (attribution,) = explanation.attributions
        subject = Subject(model, explanation, attribution, prepared, region, output, batch_size, shared, arguments)
        explanations.append(replace(explanation, attributions=(measure(subject, knobs),)))
    return Comparison(
        tuple(explanations),
        tuple(row(explanation, knobs) for explanation in explanations),
        _notes(explanations[-1], knobs),
        refused,
    )


def _image_model(model: Any, input: Any, further: Any) -> ImageClassifier | Detector | Segmenter:
    from xplain.models import Detector, ImageClassifier, Segmenter, as_model

    model = as_model(model, input)
    if not isinstance(model, (ImageClassifier, Detector, Segmenter)):
        raise _check.wrong("model", "an ImageClassifier, a Detector or a Segmenter to measure heat maps", model)
    given: ImageClassifier | Detector | Segmenter = model if further is None else model.with_inputs(further)
    given.refuse_missing_inputs()
    return given


def _notes(explanation: Explanation, measures: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the headings of each measure and how to read them; any explanation will do, all have the same knobs."""
    quality = explanation.attributions[0].quality
    return tuple((", ".join(MEASURES[name].columns), _note(name, quality[name])) for name in measures)


def _note(name: str, result: Mapping[str, Any]) -> str:
    """Return how to read a measure, and the knobs that its numbers depend on, as a result holds them."""
    entry = MEASURES[name]
    keys = [key for key in (*entry.knobs, "area", "output") if key in result]
    knobs = [f"{key} {result[key]:.3g}" if isinstance(result[key], float) else f"{key} {result[key]}" for key in keys]
    return " · ".join([entry.note, *knobs])
