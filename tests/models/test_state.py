"""Evaluation mode as a loan."""

import torch

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
