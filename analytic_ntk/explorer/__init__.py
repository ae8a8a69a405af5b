"""The explorer: one network looked at from many sides, on a local page.

A :class:`~analytic_ntk.explorer.view.View` is what one looks at, as plain values; it is read from the address
and written to it. A *panel* is a pure function of a view: text, tables, formulas, pictures and files, and the
kind of each answer. Panels know nothing of browsers: the server shows them, ``--export`` writes them.
"""

from analytic_ntk.explorer.panel import Panel, Subject
from analytic_ntk.explorer.view import Reading, View, read

__all__ = ["Panel", "Reading", "Subject", "View", "read"]
