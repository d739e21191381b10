import http.server
import json
import threading
import urllib.error
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest

import xplain
from tests.support import refuses
from xplain.errors import AttributionError, InputError
from xplain.models import Detector, Endpoint, ImageClassifier, SignalClassifier, TextClassifier

PHOTO = np.full((8, 8, 3), 255, np.uint8)


class Server:
    """Scores images by their light, fails at some calls, and remembers how many inputs each call had."""

    def __init__(self, fails=(), error=ConnectionError):
        self.fails, self.error = fails, error
        self.sizes = []

    def __call__(self, images):
        self.sizes.append(len(images))
        if len(self.sizes) - 1 in self.fails:
            raise self.error("reset by peer")
        return [[1 - image.mean() / 255, image.mean() / 255] for image in images]


@pytest.fixture
def pauses(monkeypatch):
    seconds = []
    monkeypatch.setattr("xplain.models.adapters.endpoint.time.sleep", seconds.append)
    return seconds


def test_a_batch_is_cut_to_what_the_server_takes_at_once():
    server = Server()
    endpoint = Endpoint(server, most=3)
    images = np.stack([np.full((2, 2, 3), 25 * i, np.uint8) for i in range(8)])
    np.testing.assert_array_equal(endpoint(images), Server()(images))
    assert server.sizes == [3, 3, 2]
    assert endpoint.calls == 3


def test_explanations_are_those_of_the_function_itself():
    bare = ImageClassifier(Server(), output="probability")
    behind = ImageClassifier(Endpoint(Server(), most=5), output="probability")
    for method in ("occlusion", "rise"):
        options = {"n_samples": 40} if method == "rise" else {"window": 2, "stride": 2}
        expected, actual = (xplain.explain(model, PHOTO, method, **options) for model in (bare, behind))
        np.testing.assert_array_equal(actual.attributions[0].evidence.values, expected.attributions[0].evidence.values)
    assert behind.name == "Server"
    assert ImageClassifier(Endpoint(Server(), name="light")).name == "light"


def test_a_failed_call_is_repeated_after_growing_pauses(pauses):
    endpoint = Endpoint(Server(fails=(0, 1)), wait=0.5)
    assert endpoint(PHOTO[None]).tolist() == [[0.0, 1.0]]
    assert pauses == [0, 0.5, 1.0]
    assert endpoint.calls == 3


def test_a_server_that_keeps_failing_is_given_up(pauses):
    endpoint = Endpoint(Server(fails=range(9)), retries=3)
    with refuses(AttributionError, "endpoint must answer within 4 calls, got ConnectionError: reset by peer") as _:
        endpoint(PHOTO[None])
    assert endpoint.calls == 4
    assert pauses == [0, 1, 2, 4]


def test_other_errors_are_the_caller_s_at_once(pauses):
    endpoint = Endpoint(Server(fails=(0,), error=KeyError))
    with pytest.raises(KeyError, match="reset by peer"):
        endpoint(PHOTO[None])
    assert endpoint.calls == 1
    patient = Endpoint(Server(fails=(0,), error=KeyError), retry_on=(OSError, LookupError))
    assert patient(PHOTO[None]).shape == (1, 2)


def test_the_budget_holds_for_all_calls(pauses):
    model = ImageClassifier(Endpoint(Server(), most=2, budget=5), output="probability")
    assert repr(model.function) == "Endpoint(Server, 0 of 5 calls)"
    with refuses(AttributionError, "budget must cover all calls of the endpoint, got 5", "fewer evaluations"):
        xplain.explain(model, PHOTO, "occlusion", window=2, stride=2)
    assert model.function.calls == 5
    with refuses(AttributionError, "budget must cover"):
        model.predict(PHOTO)
    failing = Endpoint(Server(fails=range(9)), retries=9, budget=2)
    with refuses(AttributionError, "budget must cover all calls of the endpoint, got 2"):
        failing(PHOTO[None])


def test_threads_share_the_budget():
    endpoint = Endpoint(Server(), budget=20)

    def work():
        for _ in range(10):
            endpoint(PHOTO[None])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert endpoint.calls == 20
    assert repr(endpoint) == "Endpoint(Server, 20 of 20 calls)"


@pytest.mark.parametrize(
    ("answer", "got"),
    [([[0.5]], "got 1"), ({"scores": [1, 2]}, "got dict"), (0.5, "got float"), ("ok", "got str")],
)
def test_an_answer_for_each_input_is_needed(answer, got):
    with refuses(InputError, "endpoint must return an answer for each of 2 inputs", got):
        Endpoint(lambda batch: answer)(np.stack([PHOTO, PHOTO]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"most": 0}, "most must be an integer >= 1, got 0"),
        ({"retries": -1}, "retries must be an integer >= 0, got -1"),
        ({"retry_on": "OSError"}, "retry_on must be a type of exception or a tuple of them, got 'OSError'"),
        ({"wait": -1.0}, "wait must be a number >= 0, got -1.0"),
        ({"budget": 0}, "budget must be an integer >= 1, got 0"),
    ],
)
def test_wrong_settings_are_refused(arguments, message):
    with refuses(InputError, message):
        Endpoint(Server(), **arguments)
    with refuses(InputError, "function must be a function, got 3"):
        Endpoint(3)


def test_texts_signals_and_detections_pass_through():
    texts = TextClassifier(Endpoint(lambda batch: [[float(t.count("good"))] for t in batch], most=2))
    assert xplain.explain(texts, "a good film", "occlusion").attributions[0].evidence.words[1].score == 1.0
    signals = SignalClassifier(
        Endpoint(lambda windows: windows.mean(axis=2), most=2), sample_rate_hz=10, window=4, output="logit"
    )
    assert signals.predict(np.ones((2, 12), np.float32))
    lamp = {"boxes": [[0, 0, 4, 4]], "labels": [0], "scores": [0.9]}
    detector = Detector(Endpoint(lambda images: [lamp for _ in images], most=2), labels=["lamp"])
    assert detector.predict(PHOTO)[0].name == "lamp"


def test_answers_are_an_array_only_where_they_are_numbers():
    results = [SimpleNamespace(boxes=SimpleNamespace()) for _ in range(3)]
    assert Endpoint(lambda batch: results[: len(batch)], most=2)([1, 2]) == results[:2]
    ragged = [[0.5], [0.5, 0.5]]
    assert Endpoint(lambda batch: ragged)([1, 2]) == ragged
    rows = Endpoint(lambda batch: tuple(np.arange(2.0) for _ in batch))([1, 2])
    assert rows.shape == (2, 2)
    with refuses(InputError, "model output must be numbers (batch, classes), got list"):
        ImageClassifier(Endpoint(lambda batch: ragged)).scores(np.stack([PHOTO, PHOTO]))


def test_a_server_over_http_is_asked_by_a_user_s_function(pauses):
    """It takes at most four images and is not available at its second request."""
    sizes = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            images = np.array(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            sizes.append(len(images))
            answer = json.dumps((images.mean(axis=(1, 2, 3)) / 255)[:, None].tolist()).encode()
            self.send_response(503 if len(sizes) == 2 else 200)
            self.end_headers()
            if len(sizes) != 2:
                self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"

        def ask(images):
            request = urllib.request.Request(address, json.dumps(images.tolist()).encode())
            try:
                with urllib.request.urlopen(request) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                error.close()
                raise

        try:
            endpoint = Endpoint(ask, most=4, budget=10)
            model = ImageClassifier(endpoint, labels=["bright"], output="probability")
            explanation = xplain.explain(model, PHOTO, "occlusion", window=4, stride=4)
        finally:
            server.shutdown()
            thread.join()
    np.testing.assert_allclose(explanation.attributions[0].evidence.values, 1 / 4, rtol=0.1)
    assert max(sizes) <= 4
    assert endpoint.calls == len(sizes) >= 3
    assert 1.0 in pauses


class Session:
    """What `onnxruntime.InferenceSession` is to its caller: names of inputs, and ``run``."""

    def __init__(self, outputs):
        self.outputs = outputs

    def run(self, names, feeds):
        (images,) = feeds.values()
        assert images.dtype == np.float32
        assert images.shape[1:] == (3, 8, 8)
        return [output(images) for output in self.outputs]


def test_a_session_of_onnxruntime_classifies_in_a_lambda():
    session = Session([lambda images: np.stack([-images.mean((1, 2, 3)), images.mean((1, 2, 3))], 1)])
    model = ImageClassifier(
        lambda images: session.run(None, {"input": images})[0],
        labels=["dark", "bright"],
        preprocess=xplain.Preprocess(size=8),
    )
    explanation = xplain.explain(model, PHOTO, "occlusion", window=4, stride=4)
    assert explanation.predictions[0].name == "bright"
    assert explanation.attributions[0].evidence.values.min() > 0


def test_a_session_of_onnxruntime_detects_in_a_lambda():
    """Outputs of one name each for a batch of one, as detectors are often exported."""

    def light(images):
        return images[0].mean()[None]

    session = Session([lambda images: np.array([[0, 0, 4, 4]], np.float32), lambda images: np.array([0]), light])

    def detect(images):
        outputs = [session.run(None, {"image": image[None]}) for image in images]
        return [{"boxes": boxes, "labels": labels, "scores": scores} for boxes, labels, scores in outputs]

    model = Detector(detect, labels=["lamp"], preprocess=xplain.Preprocess(size=8))
    explanation = xplain.explain(model, PHOTO, "d-rise", n_samples=40, cells=4)
    assert explanation.predictions[0].name == "lamp"
    assert explanation.attributions[0].evidence.values.shape == (8, 8)
