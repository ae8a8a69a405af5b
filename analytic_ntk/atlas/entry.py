"""An entry: all articles about one activation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analytic_ntk import __version__
from analytic_ntk.activation import Activation
from analytic_ntk.atlas.articles import ARTICLES, Article
from analytic_ntk.display import Shown
from analytic_ntk.errors import AnalyticNTKError
from analytic_ntk.report.sections import Section


@dataclass(frozen=True)
class Entry(Shown):
    """What the atlas holds about one activation; ``seconds`` by article."""

    title: str
    articles: tuple[Article, ...]
    version: str

    def _repr_html_(self) -> str:
        return "\n".join(article._repr_html_() for article in self.articles)

    def __getitem__(self, key: str) -> Article:
        for article in self.articles:
            if article.key == key:
                return article
        raise KeyError(f"{key!r}: the articles are {', '.join(a.key for a in self.articles)}")

    def to_json(self) -> dict[str, Any]:
        """The entry in JSON types: exact numbers as text, certified ones with their radius."""
        articles = {a.key: a.data | ({"latex": a.latex} if a.latex else {}) for a in self.articles}
        return {"activation": self.title, "version": self.version} | articles


def entry(activation: Activation, progress: Callable[[str], None] = lambda key: None) -> Entry:
    """The entry of an activation; ``progress`` hears the key of each article.

    An article without an answer says why. Raises :class:`DomainError` for an activation with parameters.

    >>> from analytic_ntk import activations
    >>> found = entry(activations.relu)
    >>> found["edge"].section.table.rows[0]
    ('weight variance', '2', 'exact')
    """
    activation.require_numeric()
    articles = []
    for key, make in ARTICLES.items():
        progress(key)
        articles.append(_answered(key, make, activation))
    return Entry(str(activation), tuple(articles), __version__)


def _answered(key: str, make: Callable[[Activation], Article], activation: Activation) -> Article:
    try:
        return make(activation)
    except AnalyticNTKError as error:
        return Article(key, Section(key.capitalize(), (str(error),)), {"reason": str(error)})
