"""Estimators of scikit-learn as they are: labels, probabilities and values are the library's own."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest, RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import SVC, LinearSVC

import xplain
from tests.support import refuses
from xplain.errors import AttributionError, InputError

TEXTS = ["good film", "great film", "bad film", "awful plot", "good plot", "bad acting", "fine film", "dull plot"]
LIKED = ["pos", "pos", "neg", "neg", "pos", "neg", "pos", "neg"]
TEXT = "a good and great film"


def trained(*steps, labels=LIKED):
    return make_pipeline(*steps).fit(TEXTS, labels)


REVIEWS = trained(TfidfVectorizer(), LogisticRegression(C=100))


def by_label(predictions):
    return {prediction.name: prediction.score for prediction in predictions}


def own(pipeline, text=TEXT):
    return dict(zip(pipeline.classes_, pipeline.predict_proba([text])[0], strict=True))


@pytest.mark.parametrize(
    "model",
    [
        REVIEWS,
        REVIEWS.predict_proba,
        xplain.TextClassifier(REVIEWS),
        xplain.TextClassifier(REVIEWS.predict_proba, labels=["neg", "pos"]),
        xplain.TextClassifier(lambda texts: REVIEWS.predict_proba(texts), labels=["neg", "pos"]),
        xplain.TextClassifier(xplain.models.Endpoint(REVIEWS.predict_proba), labels=["neg", "pos"]),
    ],
)
def test_probabilities_are_the_library_s_own_to_the_last_bit(model):
    assert by_label(xplain.predict(model, TEXT)) == own(REVIEWS)
    e = xplain.explain(model, TEXT)
    assert by_label(e.predictions) == own(REVIEWS)
    assert e.attributions[0].target.name == "pos"
    quality = e.attributions[0].quality
    assert quality["baseline_score"] == pytest.approx(own(REVIEWS, "")["pos"], abs=1e-12)
    total = sum(word.score for word in e.attributions[0].evidence.words)
    assert total == pytest.approx(own(REVIEWS)["pos"] - own(REVIEWS, "")["pos"], abs=1e-6)
    assert e.provenance.preprocessing["output"] == "probability"


def test_many_kinds_of_classifier_give_their_own_probabilities():
    for classifier in (MultinomialNB(), RandomForestClassifier(10, random_state=0), KNeighborsClassifier(3)):
        pipeline = trained(CountVectorizer(), classifier)
        assert by_label(xplain.predict(pipeline, TEXT)) == own(pipeline)
    numbers = trained(CountVectorizer(), MultinomialNB(), labels=[3, 3, 1, 1, 3, 1, 2, 2])
    assert by_label(xplain.predict(numbers, TEXT)) == {str(label): score for label, score in own(numbers).items()}
    union = trained(
        FeatureUnion([("words", CountVectorizer()), ("letters", CountVectorizer(analyzer="char"))]), MultinomialNB()
    )
    assert by_label(xplain.predict(union, TEXT)) == own(union)


@pytest.mark.parametrize("classifier", [LinearSVC(), SGDClassifier(random_state=0)])
def test_one_decision_for_two_labels_is_that_of_the_second(classifier):
    pipeline = trained(CountVectorizer(), classifier)
    for text, best in ((TEXT, "pos"), ("a bad and awful plot", "neg")):
        (decision,) = pipeline.decision_function([text])
        assert by_label(xplain.predict(pipeline, text)) == {"pos": decision, "neg": -decision}
        e = xplain.explain(pipeline, text)
        assert e.attributions[0].target.name == best == pipeline.predict([text])[0]
        assert e.attributions[0].target.score == abs(decision)
        assert e.provenance.preprocessing == {"output": "value"}


def test_decisions_of_a_linear_classifier_are_shared_out_by_its_weights():
    pipeline = trained(CountVectorizer(), LinearSVC())
    vectorizer, classifier = (step for _, step in pipeline.steps)
    weights = dict(zip(vectorizer.get_feature_names_out(), classifier.coef_[0], strict=True))
    e = xplain.explain(pipeline, "good plot", target="pos")
    scores = {word.text: word.score for word in e.attributions[0].evidence.words}
    assert scores == pytest.approx({word: weights[word] for word in ("good", "plot")}, abs=1e-6)


def test_several_decisions_are_values():
    pipeline = trained(CountVectorizer(), LinearSVC(), labels=[*"abcabcab"])
    decisions = dict(zip("abc", pipeline.decision_function([TEXT])[0], strict=True))
    assert by_label(xplain.predict(pipeline, TEXT)) == decisions
    proba = by_label(xplain.predict(REVIEWS.decision_function, TEXT))
    assert proba["pos"] == REVIEWS.decision_function([TEXT])[0]


def test_log_probabilities_are_logits():
    assert by_label(xplain.predict(REVIEWS.predict_log_proba, TEXT)) == pytest.approx(own(REVIEWS))


def test_regressions_are_values():
    stars = trained(CountVectorizer(), Ridge(), labels=[94.0, 80, 3, 2, 50, 5, 40, 20])
    for model in (stars, stars.predict, xplain.TextClassifier(stars, labels=["stars"])):
        e = xplain.explain(model, TEXT)
        assert e.predictions[0].score == stars.predict([TEXT])[0] > 1
        total = sum(word.score for word in e.attributions[0].evidence.words)
        assert total == pytest.approx(stars.predict([TEXT])[0] - stars.predict([""])[0], abs=1e-4)


def test_several_labels_at_once_are_independent():
    many = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [1, 0], [0, 1], [1, 1], [0, 0]])
    rest = trained(CountVectorizer(), OneVsRestClassifier(LogisticRegression()), labels=many)
    assert by_label(xplain.predict(rest, TEXT)) == dict(zip("01", rest.predict_proba([TEXT])[0], strict=True))
    outputs = trained(CountVectorizer(), MultiOutputClassifier(LogisticRegression()), labels=many)
    expected = [of_output[0, 1] for of_output in outputs.predict_proba([TEXT])]
    assert by_label(xplain.predict(outputs, TEXT)) == dict(zip("01", expected, strict=True))


DIGITS = load_digits()
FOREST = RandomForestClassifier(10, random_state=0).fit(DIGITS.data, DIGITS.target)


def test_arrays_of_as_many_numbers_as_features_are_photos():
    e = xplain.explain(FOREST, DIGITS.images[7], window=2, stride=2)
    assert by_label(e.predictions)["7"] == FOREST.predict_proba(DIGITS.data[7:8])[0, 7]
    assert e.attributions[0].evidence.values.shape == (8, 8)
    covered = DIGITS.images[7].copy()
    covered[2:4, 4:6] = 0
    change = e.attributions[0].target.score - FOREST.predict_proba(covered.reshape(1, -1))[0, 7]
    assert e.attributions[0].evidence.values[2, 4] == pytest.approx(change)


def test_grey_and_coloured_photos_are_laid_out_as_they_were_in_training():
    rng = np.random.default_rng(0)
    colours, greys = (
        rng.integers(0, 256, (20, 4, 6, 3)).astype(np.uint8),
        rng.integers(0, 256, (20, 4, 6)).astype(np.uint8),
    )
    for photos in (colours, greys):
        forest = RandomForestClassifier(5, random_state=0).fit(photos.reshape(20, -1), np.arange(20) % 2)
        expected = forest.predict_proba(photos[:1].reshape(1, -1))[0]
        assert by_label(xplain.predict(forest, photos[0])) == dict(zip("01", expected, strict=True))


def test_windows_of_recordings_are_features_too():
    rng = np.random.default_rng(0)
    windows = rng.standard_normal((30, 2, 10)).astype(np.float32)
    classifier = SVC().fit(windows.reshape(30, -1), np.arange(30) % 3)
    model = xplain.SignalClassifier(classifier, sample_rate_hz=5, window=10, axes=["x", "y"])
    expected = classifier.decision_function(windows[:2].reshape(2, -1))
    best = model.predict(np.concatenate(windows[:2], axis=1), top=1)
    assert [each.score for each in best] == pytest.approx(expected.max(axis=1))
    e = xplain.explain(model, windows[0])
    assert e.attributions[0].evidence.values.shape == (2, 10)


VOTING = VotingClassifier([("a", LogisticRegression())])


@pytest.mark.parametrize(
    ("model", "x", "fragments"),
    [
        (REVIEWS.predict, TEXT, ("got LogisticRegression, whose predict gives labels only; use its predict_proba",)),
        (VOTING, TEXT, ("got VotingClassifier, whose predict gives labels only; train it",)),
        (FOREST, TEXT, ("got RandomForestClassifier; wrap it: xplain.TextClassifier(model)",)),
        (FOREST, np.zeros((9, 9)), ("got RandomForestClassifier; wrap it: xplain.ImageClassifier(model",)),
        (FOREST, np.zeros((1, 640)), ("wrap it: xplain.SignalClassifier(model, ", "sample_rate_hz=..., window=...)")),
        (
            xplain.ImageClassifier(FOREST),
            np.zeros((9, 9)),
            ("input must hold the 64 numbers that the model was trained with, got (9, 9, 1)",),
        ),
    ],
)
def test_what_gives_no_scores_or_takes_something_else_is_refused(model, x, fragments):
    with refuses(InputError, *fragments):
        xplain.explain(model, x)


def test_searches_and_ensembles_around_a_pipeline_are_estimators_too():
    search = GridSearchCV(REVIEWS, {"logisticregression__C": [1, 10]}, cv=2).fit(TEXTS, LIKED)
    assert by_label(xplain.predict(search, TEXT)) == own(search)
    assert by_label(xplain.predict(search, "good")) == own(search, "good")
    calibrated = CalibratedClassifierCV(trained(CountVectorizer(), LinearSVC()), cv=2).fit(TEXTS, LIKED)
    assert by_label(xplain.explain(calibrated, TEXT).predictions) == own(calibrated)


def test_an_estimator_that_was_not_trained_says_so():
    with refuses(AttributionError, "got NotFittedError"):
        xplain.predict(make_pipeline(CountVectorizer(), LogisticRegression()), TEXT)


def test_labels_of_boosting_libraries_may_be_a_list():
    class Boosted:
        def __init__(self):
            self.classes_ = ["no", "yes"]

        def predict(self, rows):
            return ["yes" for _ in rows]

        def predict_proba(self, rows):
            return np.array([[0.25, 0.75]] * len(rows))

    assert by_label(xplain.predict(Boosted(), "any text")) == {"yes": 0.75, "no": 0.25}


def test_labels_in_another_order_would_name_each_score_wrongly():
    with refuses(InputError, "labels must be in the order of the model's classes_, ['neg', 'pos'], got ['pos', 'neg']"):
        xplain.TextClassifier(REVIEWS.predict_proba, labels=["pos", "neg"])
    renamed = xplain.TextClassifier(REVIEWS, labels=["bored", "liked"])
    assert by_label(renamed.predict(TEXT))["liked"] == own(REVIEWS)["pos"]


def test_anomaly_detectors_give_a_value():
    forest = IsolationForest(n_estimators=5, random_state=0).fit(DIGITS.data)
    model = xplain.ImageClassifier(forest, labels=["normal"])
    assert model.predict(DIGITS.images[0])[0].score == forest.decision_function(DIGITS.data[:1])[0]
