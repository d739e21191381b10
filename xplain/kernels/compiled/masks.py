"""Numba kernel of perturbation masks; `xplain.kernels.plain.masks` has the same function in NumPy.

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
    background: npt.NDArray[np.float32],
    out: npt.NDArray[Any],
) -> None:
    """Write an image faded by each mask; arguments as for `xplain.kernels.plain.masks.fade`."""
    last = across.shape[1] - 1
    for i in range(out.shape[0]):
        for y in range(out.shape[2]):
            k = first[i, y]
            upper, lower = across[i, k], across[i, min(k + 1, last)]
            upper_weight, lower_weight = weights[i, y, 0], weights[i, y, 1]
            for c in range(out.shape[1]):
                change, base, row = difference[c, y], background[c, y], out[i, c, y]
                for x in range(row.size):
                    row[x] = (upper_weight * upper[x] + lower_weight * lower[x]) * change[x] + base[x]
