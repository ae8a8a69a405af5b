"""The atlas: one entry per activation, in the manner of a handbook of functions."""

from analytic_ntk.atlas.articles import Article
from analytic_ntk.atlas.entry import Entry, entry

__all__ = ["Article", "Entry", "entry"]
