"""What has been computed for a variance is kept: a sorted table of keys with a row of results for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MOST_KEYS = 50_000


class Memo:
    """Rows of ``width`` numbers by variance; forgets everything when it has grown beyond ``most`` keys."""

    def __init__(self, width: int, most: int = MOST_KEYS) -> None:
        self.width = width
        self.most = most
        self._keys = np.empty(0)
        self._rows = np.empty((0, width))

    def get(self, keys: Array, compute: Callable[[Array], Array]) -> Array:
        """The rows of distinct ascending ``keys``; those not known yet are computed together."""
        place, known = self._find(keys)
        if not np.all(known):
            missing = keys[~known]
            rows = compute(missing)
            if len(self._keys) + len(missing) > self.most:
                if len(keys) > self.most:
                    known_rows = self._rows[place[known]]
                    result = np.empty((len(keys), self.width))
                    result[known], result[~known] = known_rows, rows
                    return result
                keep = place[known]
                self._keys, self._rows = self._keys[keep], self._rows[keep]
            order = np.argsort(np.concatenate([self._keys, missing]), kind="stable")
            self._keys = np.concatenate([self._keys, missing])[order]
            self._rows = np.concatenate([self._rows, rows])[order]
            place, _ = self._find(keys)
        return self._rows[place]

    def _find(self, keys: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        if not len(self._keys):
            return np.zeros(len(keys), dtype=np.intp), np.zeros(len(keys), dtype=bool)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return place, self._keys[place] == keys
