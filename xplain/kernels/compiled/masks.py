"""Numba kernels of perturbation masks; ``_masks_numpy`` has the same functions in NumPy.

The inner loop reads four rows and writes one, all of which stay in the L1 cache, so that a mask is never stored: LLVM
turns it into vector code. It multiplies and adds in the order of the twin, since fused operations round differently.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xplain.kernels.jit import kernel


@kernel
def fade(
    across: npt.NDArray[np.float32],
    first: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    difference: npt.NDArray[np.float32],
    behind: npt.NDArray[np.float32],
    out: npt.NDArray[Any],
) -> None:
    """Write faded copies; the arguments are those of ``_masks_numpy.fade``."""
    last = across.shape[1] - 1
    for i in range(out.shape[0]):
        for y in range(out.shape[2]):
            k = first[i, y]
            upper, lower = across[i, k], across[i, min(k + 1, last)]
            one, other = weights[i, y, 0], weights[i, y, 1]
            for c in range(out.shape[1]):
                change, rest, row = difference[c, y], behind[c, y], out[i, c, y]
                for x in range(row.size):
                    row[x] = (one * upper[x] + other * lower[x]) * change[x] + rest[x]
