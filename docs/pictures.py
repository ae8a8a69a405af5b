"""The pictures of the pages, drawn when the pages are built: ``python docs/pictures.py`` draws them too.

Everything shown is computed by the package at that moment; nothing is read from a file. How it looks is in
``figures.mplstyle``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import lemma_pictures as lemmas
import paper_pictures as papers
from matplotlib.figure import Figure
from style import save

FOLDER = Path(__file__).resolve().parent / "generated"

PICTURES: dict[str, Callable[[], Figure]] = {
    picture.__name__: picture
    for picture in (
        papers.tour,
        papers.near_polynomials,
        papers.bounds,
        papers.banach,
        papers.escape,
        papers.overparameterization,
        papers.memorization,
        lemmas.duals,
        lemmas.mehler,
        lemmas.zonal,
        lemmas.depth,
        lemmas.ridge,
        lemmas.null_spaces,
        lemmas.propagation,
        lemmas.least_eigenvalues,
        lemmas.finite_networks,
        lemmas.certified,
    )
}


def draw(run: Callable[..., Iterable[Path]] = map, folder: Path = FOLDER) -> Iterable[Path]:
    """Write every picture as SVG; ``run`` is ``map``, or that of a pool, which has begun before one asks."""
    folder.mkdir(exist_ok=True)
    return run(save, [folder / f"{name}.svg" for name in PICTURES], PICTURES.values())


if __name__ == "__main__":
    for written in draw():
        print(written)
