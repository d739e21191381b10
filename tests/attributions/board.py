"""A run without a model: the methods' own view of the engine, for scores that are plain functions."""

from types import SimpleNamespace

import numpy as np

from xplain.attributions import METHODS, Run
from xplain.attributions.call import all_options
from xplain.attributions.engine.quality import Quality
from xplain.attributions.engine.supplies import compute
from xplain.attributions.kinds.images import Pixels
from xplain.models.geometry import Geometry


def on_pixels(name):
    """A method of the table as a function of a run and of the options that a caller sets for images."""

    def attribute(run, **options):
        entry, supplies = METHODS[name], Pixels("images", run.model.channel_axis).supplies
        return compute(entry.load(), run, supplies, all_options(entry, supplies, options))

    return attribute


def notes_of(run):
    """The notes about the maps of each target of a run."""
    return run.quality.by_target(len(run.targets))


class Board(Run):
    """Scores are ``function(batch) -> (n, T)``, float64 and the same for any batch size.

    uint8 images have their channels last, others first. `calls` counts the inputs that were scored.
    """

    def __init__(self, function, image, seed=0, batch_size=5, geometry=None):
        last = image.dtype == np.uint8
        height, width = image.shape[:2] if last else image.shape[1:]
        self.model = SimpleNamespace(channel_axis=-1 if last else 0)
        self.prepared = SimpleNamespace(array=image, geometry=geometry or Geometry.identity(height, width))
        self.rng = np.random.default_rng(seed)
        self.quality, self._scores_by_digest = Quality(), {}
        self.function, self.batch_size = function, batch_size
        self.own_scores = self._call(image[np.newaxis])[0]
        self.calls = 1

    @property
    def targets(self):
        return tuple(range(len(self.own_scores)))

    @property
    def class_scores(self):
        return self.own_scores

    def each(self, name):
        """What was noted for each target, as an array (T,)."""
        return np.array([notes[name] for notes in notes_of(self)])

    def announce(self, evaluations):
        pass

    def batch_size_for(self, count):
        return self.batch_size

    def evaluate(self, make, count):
        for start in range(0, count, self.batch_size):
            part = slice(start, min(start + self.batch_size, count))
            batch = self._as_input(make(part.start, part.stop))
            self.calls += len(batch)
            yield part, self._call(batch)

    def _call(self, batch):
        # One input at a time: a matrix product over a batch may round differently for another batch size.
        return np.concatenate([self.function(one[np.newaxis]) for one in batch])


def linear(weights, bias=0.0):
    """Scores sum(weights_t * input) + bias for each of T weight arrays (T, *shape)."""
    flat = np.asarray(weights, np.float64).reshape(len(weights), -1)
    return lambda batch: np.asarray(batch, np.float64).reshape(len(batch), -1) @ flat.T + bias
