"""Conjectures replayed: the statement read again, and the kernels computed anew from the activation's
formula.

``statement`` reads the text; ``shape`` and ``masses`` turn the activation into Hermite coefficients with
bounds; ``duals`` makes kernels of them; ``terms`` and ``rules`` evaluate a statement and say what proves it.
"""
