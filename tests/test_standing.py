"""The standings on the pages of theory: each claim of the ledger on one page, as the ledger has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proofs_check.ledger import claims
from tests.pages import program

ROOT = Path(__file__).resolve().parent.parent


STANDING = program("standing")
LEDGER = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
PAGES = [("theory", page) for page in STANDING.FAMILIES] + [("", page) for page in STANDING.PAPERS]


def test_the_ledger_is_read_whole() -> None:
    """The page is held current by the tests of the ledger: names and verdicts are those of the claims."""
    known = STANDING.rows(LEDGER)
    assert {name: verdict for name, (_, verdict) in known.items()} == {
        name: claim.documented.value for name, claim in claims().items()
    }


def test_every_claim_is_in_one_family() -> None:
    named = [name for names in STANDING.FAMILIES.values() for name in names]
    assert sorted(named) == sorted(claims())
    STANDING.check(STANDING.FAMILIES, STANDING.PAPERS, set(claims()))


@pytest.mark.parametrize(
    ("families", "papers", "fault"),
    [
        ({"one": ["a"]}, {}, "in no family: b"),
        ({"one": ["a"], "two": ["a", "b"]}, {}, "in two families, or twice in one: a"),
        ({"one": ["a", "b", "b"]}, {}, "in two families, or twice in one: b"),
        ({"one": ["a", "b", "c"]}, {}, "no claim of the ledger: c"),
        ({"one": ["a", "b"]}, {"paper": ["d"]}, "no claim of the ledger: d"),
        ({"one": ["a", "b"]}, {"paper": ["a", "a"]}, "names a claim twice: paper"),
    ],
)
def test_saboteur_a_wrong_list_is_refused(
    families: dict[str, list[str]], papers: dict[str, list[str]], fault: str
) -> None:
    STANDING.check({"one": ["a", "b"]}, {"paper": ["a"]}, {"a", "b"})
    with pytest.raises(ValueError, match=f"^{fault}$"):
        STANDING.check(families, papers, {"a", "b"})


def test_the_tables_say_what_the_ledger_says(tmp_path: Path) -> None:
    """Row for row, counted by hand once; and every link leads to a section of the ledger."""
    written = {path.stem: path.read_text(encoding="utf-8") for path in STANDING.write(tmp_path)}
    assert set(written) == {
        "families",
        *(f"standing_{page}" for page, names in (STANDING.FAMILIES | STANDING.PAPERS).items() if names),
    }
    assert written["standing_zonal"].rstrip().endswith("\n\n2 proved, 2 enclosed.")
    anchors = {f"/ledger.md#{name.lower()}" for name in re.findall(r"^## (\w+)$", LEDGER, re.MULTILINE)}
    for page, names in (STANDING.FAMILIES | STANDING.PAPERS).items():
        if names:
            table = written[f"standing_{page}"]
            rows = [
                line.replace("](/ledger.md#", "](#") for line in table.split("\n") if line.startswith("| [")
            ]
            assert len(rows) == len(names) and all(row in LEDGER for row in rows)
            assert re.findall(r"^\| \[(\w+)\]", table, re.MULTILINE) == list(names)
            assert set(re.findall(r"\]\(([^)]*)\)", table)) <= anchors


@pytest.mark.parametrize(("folder", "page"), PAGES, ids=[page for _, page in PAGES])
def test_every_page_shows_its_standing(folder: str, page: str) -> None:
    """A page with claims includes its table and no other; one without says itself how things stand."""
    text = (ROOT / "docs" / folder / f"{page}.md").read_text(encoding="utf-8")
    up = "../" if folder else ""
    included = re.findall(r"^```\{include\} (\S*standing_\S*)$", text, re.MULTILINE)
    if (STANDING.FAMILIES | STANDING.PAPERS)[page]:
        assert included == [f"{up}generated/standing_{page}.md"]
    else:
        assert not included and "\n## What is established\n" in text


def test_the_index_lists_every_family() -> None:
    text = (ROOT / "docs" / "theory" / "index.md").read_text(encoding="utf-8")
    listed = re.search(r"```\{toctree\}\n(?::[^\n]*\n)*\n(.*?)\n```", text, re.DOTALL)
    assert listed is not None and listed[1].split("\n") == list(STANDING.FAMILIES)
    assert {path.stem for path in (ROOT / "docs" / "theory").glob("*.md")} == {"index", *STANDING.FAMILIES}


def test_every_page_of_theory_has_a_picture_that_the_build_draws() -> None:
    """Pictures shown and pictures drawn are the same (read from the source, nothing is drawn here)."""
    source = (ROOT / "docs" / "pictures.py").read_text(encoding="utf-8")
    drawn = set(re.findall(r"^        (?:papers|lemmas)\.(\w+),$", source, re.MULTILINE))
    pages = [page for page in (ROOT / "docs").rglob("*.md") if not {"_build", "atlas"} & set(page.parts)]
    shown = {page: set(re.findall(r"\bgenerated/(\w+)\.svg", page.read_text("utf-8"))) for page in pages}
    assert set().union(*shown.values()) == drawn
    assert all(shown[ROOT / "docs" / "theory" / f"{page}.md"] for page in STANDING.FAMILIES)
