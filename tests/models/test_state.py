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
