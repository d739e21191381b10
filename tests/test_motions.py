"""A network on real recordings: classified, explained, kept, drawn."""

import numpy as np
import pytest

import xplain
from tests import motions


@pytest.fixture(scope="module")
def explained():
    return xplain.explain(motions.classifier(stride=50), motions.outing(), target="Running")


def test_activities_are_recognised():
    values, activities = motions.recordings("TEST")
    model = motions.classifier()
    found = [model.predict(recording, top=1)[0].name for recording in values]
    assert np.mean([one == activity for one, activity in zip(found, activities, strict=True)]) >= 0.9


def test_running_is_explained_by_the_time_of_running(explained):
    (attribution,) = explained.attributions
    values, quality = attribution.evidence.values, attribution.quality
    each = values.sum(axis=0).reshape(4, 100).sum(axis=1)
    assert each.argmax() == motions.LABELS.index("Running")
    assert values.sum() == pytest.approx(quality["score"] - quality["baseline_score"], rel=0.01)
    assert quality["windows"] == 7
    assert quality["windows_per_reading"] == [1, 2]


def test_methods_agree_on_when(explained):
    def over_time(e):
        return e.attributions[0].evidence.values.sum(axis=0).reshape(40, 10).sum(axis=1)

    model, recording = motions.classifier(stride=50), motions.outing()
    for method, options in (("occlusion", {}), ("kernel-shap", {"budget": 300}), ("deep-lift", {})):
        other = xplain.explain(model, recording, method, target="Running", **options)
        assert np.corrcoef(over_time(explained), over_time(other))[0, 1] > 0.8, method
    noise = xplain.explain(model, recording, "random", target="Running")
    assert abs(np.corrcoef(over_time(explained), over_time(noise))[0, 1]) < 0.5


def test_a_document_keeps_it_and_is_drawn_without_the_model(explained, tmp_path):
    xplain.write(explained, tmp_path / "outing.json")
    kept = xplain.read(tmp_path / "outing.json")
    assert kept == explained
    assert [p.name for p in kept.predictions[::4]][::2] == motions.LABELS
    truth = [motions.LABELS[i // 2] for i in range(7)]
    drawn = xplain.render(kept, signal=motions.outing(), expected=truth)
    assert np.array_equal(drawn.pixels, xplain.render(explained, expected=truth).pixels)
    assert any(f" on {axis}. " in drawn.alt for axis in motions.AXES)
