"""How many inputs go through a model at once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from xplain.errors import AttributionError, XplainError
from xplain.explanation import _check

__all__ = ["Batches", "batch_size"]

Result = TypeVar("Result")

#: The largest activation of a whole batch that is still fast: on a CPU it has to stay in the caches, where each of 4
#: photos through a mobile network costs a third of each of 32; a GPU has to be filled instead.
_WORKING_SET = {"cpu": 24 * 2**20, "gpu": 2**30}
_MOST = 256
_CPU_MEMORY = 2**30


def batch_size(peak: int, total: int, device: str, memory: int | None) -> int:
    """Choose how many inputs to evaluate together.

    The choice depends on the model and the memory budget only. Timing a few sizes would choose a little better, but
    sums in batches of another size differ in their last bits, and two runs are to give the same bytes.

    Parameters
    ----------
    peak, total : int
        Bytes of the largest activation and of all activations of one input.
    device : str
        Where the model is: ``"cpu"``, or anything else for an accelerator.
    memory : int or None
        Bytes that activations may take; None is 1 GiB on a CPU and a quarter of an accelerator's memory.

    Returns
    -------
    int
        At least 1; a power of two.
    """
    most = min(_MOST, _WORKING_SET["cpu" if device == "cpu" else "gpu"] // max(peak, 1))
    if memory is None:
        memory = _CPU_MEMORY if device == "cpu" else _quarter_of_gpu(device)
    fitting = max(1, min(most, memory // max(total, 1)))
    return 1 << (fitting.bit_length() - 1)


def _quarter_of_gpu(device: str) -> int:
    torch = sys.modules["torch"]
    if not device.startswith("cuda"):
        return 4 * _CPU_MEMORY
    return int(torch.cuda.get_device_properties(device).total_memory) // 4


class Batches:
    """Evaluates inputs in batches, and in smaller ones from the moment that memory runs out.

    Parameters
    ----------
    size : int
        Inputs in a batch, at least 1.
    """

    def __init__(self, size: int) -> None:
        self.size = _check.integer("batch_size", size, least=1)

    def map(self, function: Callable[[Any], Result], batch: Any) -> Iterator[tuple[slice, Result]]:
        """Apply a function to a batch in parts of at most ``size``.

        Parameters
        ----------
        function : callable
            Takes ``batch[start:stop]``.
        batch : numpy.ndarray or torch.Tensor
            Inputs along the first axis.

        Yields
        ------
        (slice, object)
            Rows of the batch, in order, and what the function returns for them.

        Raises
        ------
        AttributionError
            If memory does not suffice for a single input.
        """
        start = 0
        while start < len(batch):
            stop = min(start + self.size, len(batch))
            try:
                result = function(batch[start:stop])
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                if stop - start == 1:
                    raise AttributionError(
                        f"memory must suffice for one input at a time, got: {error}; use a smaller input or model"
                    ) from error
                self.size = (stop - start) // 2
            else:
                yield slice(start, stop), result
                start = stop
                continue
            # Only here, after the exception is gone, are the tensors that its traceback held free.
            _release()


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, XplainError):
        return False
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        part in text for part in ("out of memory", "not enough memory", "can't allocate memory")
    )


def _release() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
