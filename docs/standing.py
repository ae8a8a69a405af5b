"""What stands how: the claims of the ledger by page of theory, cut from the ledger's own page.

``FAMILIES`` puts each claim on one page of ``docs/theory``; ``PAPERS`` names those that a page about a paper
speaks of too. The build writes ``generated/standing_<page>.md`` for each, which the page includes, and
``generated/families.md`` with one line for each family.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "generated"

FAMILIES: dict[str, tuple[str, ...]] = {
    "duals": ("deriv_dual_eq_derivative_dual",),
    "mehler": ("dual_eq_mehler_sum", "taylor_kernel_eq_hermite_sum"),
    "zonal": (
        "monomial_eigenvalue_eq",
        "dot_product_posDef_iff_parities",
        "zonal_posDef_iff_parities",
        "zonal_circle_posDef_iff_progressions",
    ),
    "depth": (),
    "certified": (),
    "ridge": (
        "isPolynomial_of_ridge_dependency",
        "degree_le_of_ridge_dependency",
        "ridge_degree_bound_sharp",
        "abs_ridge_dependency_on_line",
    ),
    "null_spaces": (
        "ker_ntk_eq_ker_nngp",
        "null_iff_line_polynomials",
        "nullity_of_reflections",
        "nullity_relu_collinear",
        "rank_linear_le_succ_dim",
        "rank_ntk_le_of_polynomial",
        "rank_ntk_eq_monomials",
    ),
    "propagation": (
        "hadamard_posDef",
        "ntk_one_layer_posDef",
        "nngp_posDef_succ",
        "ntk_posDef_succ",
        "ntk_posDef_of_bias",
        "ntk_posDef_of_nonproportional",
        "posDef_iff_distinct_of_bias",
        "posDef_of_nondegenerate_layer",
        "posDef_iff_of_deep",
        "nngp_posDef_of_jump",
    ),
    "least_eigenvalues": (
        "lambda_min_ntk_ge_add",
        "lambda_min_sum_ge_blocks",
        "lambda_min_ge_khatri_rao",
        "lambda_min_ge_gershgorin_tail",
        "sigma_min_ge_sub_of_weyl",
        "matrix_chernoff_half",
    ),
    "finite_networks": (
        "ntk_eq_sum_hadamard",
        "rank_finite_ntk_le_ceilings",
        "lambda_min_grows_with_widths",
        "path_length_le_of_pl",
        "certified_width_grows_below_square",
        "first_step_eq_ntk",
        "quadratic_eq_zero_of_antisymmetric",
        "change_eq_pairing",
        "pairing_scaling_invariant",
        "gradient_step_eq_regularised_minimiser",
    ),
}
"""Pages of ``docs/theory``, in the order of reading; each claim on exactly one."""

PAPERS: dict[str, tuple[str, ...]] = {
    "positivity": (
        "ntk_posDef_of_bias",
        "ntk_posDef_of_nonproportional",
        "isPolynomial_of_ridge_dependency",
        "ntk_one_layer_posDef",
        "ntk_posDef_succ",
        "rank_ntk_le_of_polynomial",
    ),
    "memorization": (
        "ntk_eq_sum_hadamard",
        "rank_finite_ntk_le_ceilings",
        "lambda_min_sum_ge_blocks",
        "lambda_min_grows_with_widths",
    ),
    "overparameterization": (
        "path_length_le_of_pl",
        "sigma_min_ge_sub_of_weyl",
        "lambda_min_ge_khatri_rao",
        "matrix_chernoff_half",
        "certified_width_grows_below_square",
    ),
    "escape": (
        "taylor_kernel_eq_hermite_sum",
        "monomial_eigenvalue_eq",
        "quadratic_eq_zero_of_antisymmetric",
        "first_step_eq_ntk",
    ),
    "banach": (
        "change_eq_pairing",
        "pairing_scaling_invariant",
        "gradient_step_eq_regularised_minimiser",
    ),
}
"""Pages about a paper, and the claims of the ledger that they speak of."""

HEAD = "| claim | statement in words | checked here | in general |\n|---|---|---|---|"
ROW = re.compile(r"^\| \[(\w+)\]\(#\w+\) \| .* \| (\w+) \| .* \|$", re.MULTILINE)
ORDER = ("proved", "enclosed", "supported", "undecided", "refuted")


def rows(ledger: str) -> dict[str, tuple[str, str]]:
    """Row and verdict of each claim in the summary of the ledger; links lead to the ledger from any page."""
    return {found[1]: (found[0].replace("](#", "](/ledger.md#"), found[2]) for found in ROW.finditer(ledger)}


def check(
    families: Mapping[str, Iterable[str]], papers: Mapping[str, Iterable[str]], known: set[str]
) -> None:
    """ValueError unless each known claim is in one family, and papers name known claims, each once."""
    count = Counter(name for names in families.values() for name in names)
    twice = sorted(name for name, times in count.items() if times > 1)
    named = set(count).union(*papers.values())
    repeated = sorted(page for page, names in papers.items() if len(set(names)) < len(list(names)))
    for fault, names in (
        ("no claim of the ledger", sorted(named - known)),
        ("in no family", sorted(known - set(count))),
        ("in two families, or twice in one", twice),
        ("names a claim twice", repeated),
    ):
        if names:
            raise ValueError(f"{fault}: {', '.join(names)}")


def counted(verdicts: Iterable[str]) -> str:
    """As in "4 proved, 3 enclosed, 1 supported"."""
    count = Counter(verdicts)
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in ORDER if count[verdict])


def table(names: Iterable[str], known: Mapping[str, tuple[str, str]]) -> str:
    """The rows of these claims, and how many of them stand how."""
    found = [known[name] for name in names]
    lines = [HEAD, *(row for row, _ in found)]
    return "\n".join(lines) + f"\n\n{counted(verdict for _, verdict in found)}.\n"


def summary(known: Mapping[str, tuple[str, str]]) -> str:
    """One line for each family: the page, and what the ledger has of it."""
    lines = ["| page | claims of the ledger |", "|---|---|"]
    for page, names in FAMILIES.items():
        standing = counted(known[name][1] for name in names) or "none: see the page"
        lines.append(f"| [](/theory/{page}.md) | {standing} |")
    return "\n".join(lines) + "\n"


def write(folder: Path = FOLDER) -> list[Path]:
    """The tables of all pages, from ``docs/ledger.md`` as it is."""
    known = rows((DOCS / "ledger.md").read_text(encoding="utf-8"))
    check(FAMILIES, PAPERS, set(known))
    pages = {f"standing_{page}": table(names, known) for page, names in (FAMILIES | PAPERS).items() if names}
    folder.mkdir(exist_ok=True)
    written = []
    for name, text in (pages | {"families": summary(known)}).items():
        path = folder / f"{name}.md"
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
