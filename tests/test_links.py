"""Links that lead out of the pages have a shape that lasts; whether they answer, ``-b linkcheck`` asks.

A link within the pages to what is not there is an error of the build; nothing is loaded from elsewhere.
"""

from __future__ import annotations

import builtins
import importlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import pytest

import analytic_ntk
import proofs_check
from analytic_ntk import errors
from analytic_ntk.atlas.references import ACTIVATIONS, ARTICLES_STAND_ON

ROOT = Path(__file__).resolve().parent.parent
MADE = {"_build", "atlas", "generated"}
SOURCES = sorted(
    [
        ROOT / "README.md",
        *(p for p in (ROOT / "docs").rglob("*.md") if MADE.isdisjoint(p.relative_to(ROOT).parts)),
        *(p for package in ("analytic_ntk", "proofs_check") for p in (ROOT / package).rglob("*.py")),
    ]
)

ADDRESS = re.compile(r"\b(?:https?|ftp)://[^\s<>\"'`)\]]+")
LINK = re.compile(
    r"https://(?:arxiv\.org/abs/\d{4}\.\d{4,5}|doi\.org/10\.\d{4,9}/\S+|[a-z]+\.readthedocs\.io)"
)
NAMESPACE = re.compile(r"http://www\.w3\.org/\S+")
OWN = re.compile(r"http://(?:127\.0\.0\.1|localhost)\S*|\S*\{\S*")
"""What is no link: the name of an XML language, the address of a page served here, a form to be filled."""

ARXIV = re.compile(r"\d{4}\.\d{4,5}")
DOI = re.compile(r"10\.\d{4,9}/[-\w.()/]+")


def astray(addresses: Iterable[str]) -> list[str]:
    """What is neither a lasting link nor an address of our own."""
    allowed = (LINK, NAMESPACE, OWN)
    return [a for a in addresses if not any(shape.fullmatch(a.rstrip(".,;:")) for shape in allowed)]


def outside(text: str) -> list[str]:
    return ADDRESS.findall(text)


def identifiers(text: str) -> list[str]:
    """What is written after the word arXiv, where digits follow."""
    return re.findall(r"arXiv[: ]+(\d[\w.]*\w)", text)


def test_links_have_a_lasting_shape() -> None:
    count = 0
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        found = outside(text)
        assert astray(found) == [], source
        assert [name for name in identifiers(text) if not ARXIV.fullmatch(name)] == [], source
        count += sum(LINK.fullmatch(a.rstrip(".,;:")) is not None for a in found)
    assert count >= 5


@pytest.mark.parametrize(
    "link",
    [
        "http://arxiv.org/abs/2404.12928",
        "https://arxiv.org/pdf/2404.12928",
        "https://arxiv.org/abs/2404.129",
        "https://example.com",
        "https://dx.doi.org/10.1000/1",
        "https://doi.org/12.1000/1",
    ],
)
def test_saboteur_links_of_another_shape(link: str) -> None:
    assert astray(outside(f"see [there]({link}).")) == [link]


def test_references_are_whole_and_their_identifiers_have_their_shape() -> None:
    known = [r for r in ACTIVATIONS.values() if r is not None]
    known += [r for references in ARTICLES_STAND_ON.values() for r in references]
    assert len({r.title for r in known}) == len(set(known))
    for reference in known:
        assert reference.authors and reference.title and reference.where + reference.arxiv
        assert 1800 < reference.year < 2030
        assert not reference.doi or DOI.fullmatch(reference.doi), reference
        assert not reference.arxiv or ARXIV.fullmatch(reference.arxiv), reference
        if reference.arxiv:  # the first four digits are the month in which it was put there
            year, month = 2000 + int(reference.arxiv[:2]), int(reference.arxiv[2:4])
            assert 1 <= month <= 12 and reference.year - 3 <= year <= reference.year, reference
        assert astray(link for _, link in reference.links) == []


def test_the_readme_leads_to_files_that_are_there() -> None:
    found = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) > 5
    assert [target for target in found if not (ROOT / target).is_file()] == []


def test_a_link_to_what_is_not_there_is_an_error_of_the_build(tmp_path: Path) -> None:
    """With the settings of ``docs/conf.py`` that decide it."""
    pytest.importorskip("myst_nb")
    settings = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    assert "suppress_warnings" not in settings and "myst_heading_anchors = 2" in settings
    assert "sphinx -W" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    given = ["extensions=myst_nb", "myst_heading_anchors=2", "nb_execution_mode=off"]
    command = [sys.executable, "-m", "sphinx", "-C", "-W", "--keep-going", "-q", "-b", "html"]
    command += [part for setting in given for part in ("-D", setting)]

    def built(links: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "index.md").write_text(f"# Page\n\n(there)=\n## Part\n\n{links}\n")
        made = [*command, ".", "made"]
        return subprocess.run(made, cwd=tmp_path, capture_output=True, text=True, timeout=100)

    assert built("[part](index.md#part) [there](#there) [page](index.md)").returncode == 0
    lost = [
        "[](index.md#lost-1)",
        "[](#lost-2)",
        "[](lost-3.md)",
        "![](lost-4.svg)",
        "{download}`lost-5.txt`",
    ]
    done = built("\n\n".join(lost))
    assert done.returncode != 0
    for n in range(1, 6):
        assert f"lost-{n}" in done.stderr


def test_what_is_loaded_from_elsewhere_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
    local = pytest.importorskip("local")
    for text in (
        '<script async src="https://cdn.example/x.js"></script>',
        '<img alt="" src="//host/x.png" />',
        '<link rel="stylesheet" href="https://fonts.example/css" />',
        '@import "https://fonts.example/css";',
        "src: url(https://fonts.example/x.woff2)",
    ):
        assert len(local.from_elsewhere(text)) == 1
    for text in (
        '<a href="https://arxiv.org/abs/2404.12928">arXiv</a>',
        '<link rel="stylesheet" href="_static/x.css" /><script src="_static/x.js"></script>',
        '<link rel="canonical" href="https://host/page.html" />',
    ):
        assert local.from_elsewhere(text) == []


# ------------------------------------------------------------------------------------ names in docstrings


ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`[~.]*([^`]+)`")


def modules() -> Iterator[ModuleType]:
    for package in (analytic_ntk, proofs_check):
        for info in walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                yield importlib.import_module(info.name)


def is_there(name: str, module: ModuleType) -> bool:
    """From the module, one of its classes, its package, the errors, the builtins, or by its full path."""
    own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    for place in (module, *own, errors, builtins):
        value = place
        for part in name.split("."):
            value = getattr(value, part, None)
        if value is not None or name in getattr(place, "__annotations__", {}):
            return True
    return any(_reached(path) for path in (name, f"{module.__name__.rpartition('.')[0]}.{name}"))


def _reached(path: str) -> bool:
    head, _, last = path.rpartition(".")
    try:
        importlib.import_module(path)
    except ImportError:
        if not head:
            return False
        try:
            return hasattr(importlib.import_module(head), last)
        except ImportError:
            above, _, name = head.rpartition(".")
            return bool(above) and hasattr(getattr(sys.modules.get(above), name, None), last)
    return True


def test_docstrings_name_what_is_there() -> None:
    count, lost = 0, []
    for module in modules():
        assert module.__file__ is not None
        for name in ROLE.findall(Path(module.__file__).read_text(encoding="utf-8")):
            count += 1
            if not is_there(name, module):
                lost.append(f"{module.__name__}: {name}")
    assert lost == [] and count > 100


def test_saboteur_a_name_that_is_not_there() -> None:
    assert is_there("DomainError", errors) and is_there("analytic_ntk.network.Network.gram", errors)
    for name in ("DomianError", "analytic_ntk.network.Network.grma", "analytic_ntk.netwrok", "Network.grma"):
        assert not is_there(name, errors)
