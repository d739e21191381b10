"""Evaluation mode as a loan."""

import numpy as np
import pytest
import torch
from torch import nn

import xplain
from xplain.models.borrowing import evaluation


def module() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Dropout()).train()


def test_a_module_stays_in_evaluation_mode_until_its_last_user_is_done():
    # Two threads of a server: what the first one restores must not change the second one's results.
    net = module()
    first, second = evaluation(net, gradients=True), evaluation(net, gradients=False)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not any(part.training for part in net.modules())
    second.__exit__(None, None, None)
    assert all(part.training for part in net.modules())


def test_modules_that_share_a_part_share_its_loan():
    net = module()
    other = torch.nn.Sequential(net[1])
    with evaluation(other, gradients=False):
        with evaluation(net, gradients=False):
            pass
        assert net.training
        assert net[0].training
        assert not net[1].training
    assert net[1].training


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradients_through_a_normalisation_do_not_depend_on_their_layout(norm, layout):
    """Torch's own are wrong by half of them where maps become tokens behind it, for a batch of one."""

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.patches, self.norm, self.head = nn.Conv2d(3, 16, 4, 4), norm(16), nn.Linear(256, 3)
            if norm is nn.BatchNorm2d:
                self.norm.running_var.uniform_(0.5, 2)

        def forward(self, x):
            tokens = self.norm(self.patches(x).contiguous(memory_format=layout)).flatten(2).transpose(1, 2)
            return self.head(tokens.sin().flatten(1))

    net = Tokens().eval().double()
    photo = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    found = xplain.explain(xplain.ImageClassifier(net), photo, "saliency", target=1, abs=False)
    values, x = found.attributions[0].evidence.values, torch.tensor(photo.transpose(2, 0, 1)[None]).double()
    with torch.no_grad():
        for row, column in ((0, 0), (5, 9), (14, 3)):
            step = torch.zeros_like(x)
            step[0, :, row, column] = 1e-5
            slope = float((net(x + step) - net(x - step))[0, 1]) / 2e-5
            assert values[row, column] == pytest.approx(slope, rel=1e-3)
    assert not any(part._forward_hooks for part in net.modules())


@pytest.mark.parametrize("recurrent", [True, False])
def test_recurrent_layers_are_differentiated_without_cudnn(recurrent):
    """cuDNN refuses gradients of recurrent layers in evaluation mode."""
    enabled = []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.LSTM(2, 3, batch_first=True) if recurrent else nn.Linear(2, 3)

        def forward(self, x):
            enabled.append(torch.backends.cudnn.enabled)
            values = self.part(x.transpose(1, 2))
            return (values[0] if recurrent else values)[:, -1]

    before = torch.backends.cudnn.enabled
    model = xplain.SignalClassifier(Net(), sample_rate_hz=10, window=5)
    xplain.explain(model, np.ones((2, 5), np.float32), "saliency")
    assert enabled[-1] == (before and not recurrent)
    assert torch.backends.cudnn.enabled == before


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_frozen_script_has_no_mode_to_borrow():
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    frozen = torch.jit.freeze(torch.jit.trace(net, torch.zeros(1, 3, 8, 8)))
    found, expected = (
        xplain.explain(xplain.ImageClassifier(each), photo, "saliency", target=1) for each in (frozen, net)
    )
    values = expected.attributions[0].evidence.values
    np.testing.assert_allclose(found.attributions[0].evidence.values, values, atol=1e-6)
