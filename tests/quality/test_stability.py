import numpy as np
import pytest

from tests.support import refuses
from xplain.errors import InputError
from xplain.quality import max_sensitivity, randomisation

torch = pytest.importorskip("torch")


def test_max_sensitivity_is_that_of_captum(captum):
    image = np.random.default_rng(0).random((2, 5, 5))
    batches = []

    def explain(batch):
        batches.append(np.array(batch))
        return np.tanh(batch).sum(axis=1)

    ours = max_sensitivity(explain, image, radius=0.1, samples=6, seed=2, batch_size=4)
    assert [len(batch) for batch in batches] == [1, 4, 2]
    changed = torch.as_tensor(np.concatenate(batches[1:]))
    assert (changed - torch.as_tensor(image)).abs().max() <= 0.1 * np.ptp(image)
    oracle = captum.sensitivity_max(
        lambda x: (torch.tanh(x[0]).sum(dim=1),),
        torch.as_tensor(image)[None],
        perturb_func=lambda x, perturb_radius: (changed,),
        n_perturb_samples=6,
        max_examples_per_batch=6,
    )
    assert ours.max_sensitivity == pytest.approx(float(oracle[0]))
    assert ours == max_sensitivity(explain, image, radius=0.1, samples=6, seed=2)
    assert ours != max_sensitivity(explain, image, radius=0.1, samples=6, seed=3)


def test_a_map_that_does_not_heed_its_input_is_steady_and_bytes_stay_bytes():
    photo = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)

    def explain(batch):
        assert batch.dtype == np.uint8
        return np.ones((len(batch), 4, 4))

    assert max_sensitivity(explain, photo).max_sensitivity == 0


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 2)
    )


def test_layers_become_random_from_the_last_and_the_module_is_restored_bit_for_bit():
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    changed = []

    def explain():
        state = module.state_dict()
        changed.append({name[0] for name in state if not torch.equal(state[name], before[name])})
        module[1].running_mean.add_(1.0)  # what a careless method does
        return module[0].weight.detach().numpy().reshape(6, 6)

    result = randomisation(module, explain, stages=3)
    after = module.state_dict()
    assert result.layers == ("4", "1", "0")
    assert [layers - {"1"} for layers in changed] == [set(), {"4"}, {"4"}, {"4", "0"}]
    assert result.correlations[:2] == (pytest.approx(1), pytest.approx(1))  # this map reads the first layer only
    assert abs(result.correlations[2]) < 0.6
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert result == randomisation(module, explain, stages=3)


def test_the_module_is_restored_when_the_method_fails_and_no_map_is_none():
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    calls = []

    def fails():
        calls.append(1)
        if len(calls) > 1:
            raise ZeroDivisionError
        return np.eye(3)

    with pytest.raises(ZeroDivisionError):
        randomisation(module, fails)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    maps = iter([np.eye(3), None, np.ones((3, 3))])
    result = randomisation(module, lambda: next(maps), stages=2)
    assert (result.layers, result.correlations, result.absolute) == (("1", "0"), (None, None), (None, None))


def test_zeros_have_no_relative_change():
    assert max_sensitivity(lambda batch: 0 * batch, np.arange(3.0), seed=1).to_json() == {
        "max_sensitivity": None, "radius": 0.02, "samples": 10, "seed": 1
    }  # fmt: skip


def test_wrong_arguments_are_refused():
    with refuses(InputError, "radius must be positive and the image's numbers must differ"):
        max_sensitivity(lambda batch: batch, np.ones(3))
    with refuses(InputError, "module must have parameters to make random, got none"):
        randomisation(torch.nn.ReLU(), lambda: np.eye(2))
    with refuses(InputError, "explain must return a map of the trained module, got None"):
        randomisation(network(), lambda: None)
    with refuses(InputError, "stages must be an integer >= 1, got 0"):
        randomisation(network(), lambda: np.eye(2), stages=0)
