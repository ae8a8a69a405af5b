"""The ledger: one file per statement, named as the statement is.

Each module of this folder whose name has no leading underscore holds one ``CLAIM``. The modules with an
underscore are what the checks share: exact linear algebra, exact kernels of polynomials, the cells of an
arrangement, certified Gram matrices, points.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules

from proofs_check.claim import Claim


@lru_cache(maxsize=1)
def claims() -> dict[str, Claim]:
    """Every claim by its name, in alphabetical order; found by reading the folder.

    >>> "ntk_posDef_of_bias" in claims()
    True
    """
    names = sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))
    return {name: _claim(name) for name in names}


def _claim(name: str) -> Claim:
    claim = import_module(f"{__name__}.{name}").CLAIM
    if not isinstance(claim, Claim) or claim.name != name:
        raise TypeError(f"proofs_check/ledger/{name}.py must hold the claim {name} as CLAIM")
    return claim
