"""Attribution: which parts of an input speak for a prediction.

`METHODS` lists the methods, `run` computes them, `cost` says what that would cost, and `refusals` which of them
cannot explain a model. A method is a
function of a `Run`: one input, its targets, and counted passes through the model. The engine behind it owns what all
methods need, so that each is only its formula: the model in evaluation mode and left as it was, gradients, batches that
fit into memory, seeds.

A method is one function for every kind of input, which supplies what differs: baselines, players, places to cover (see
`kinds` and `engine.supplies`). The table is data, and importing this package does not import torch.
"""

from xplain.attributions.costs import Cost
from xplain.attributions.dispatch import cost, refusals, run
from xplain.attributions.engine.run import Run
from xplain.attributions.info import MethodInfo
from xplain.attributions.table import METHODS, Method

__all__ = ["METHODS", "Cost", "Method", "MethodInfo", "Run", "cost", "refusals", "run"]
