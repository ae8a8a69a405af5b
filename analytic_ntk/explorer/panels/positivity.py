"""Whether the kernel is strictly positive definite, with the certificate."""

from __future__ import annotations

from analytic_ntk import certificate
from analytic_ntk.errors import DomainError, UndecidedError
from analytic_ntk.explorer.panel import Captioned, Download, Panel, Subject
from analytic_ntk.explorer.subject import NETWORK, network_line, network_of
from analytic_ntk.explorer.view import DOMAINS, View
from analytic_ntk.network import Network
from analytic_ntk.positivity import Decision, Domain, Positivity, decide
from analytic_ntk.report.sections import Table

MOST_STEPS, LONG = 40, 400


def compute(view: View) -> Panel:
    """The verdict on all finite sets of points of a domain, the reasons, and the file that shows it."""
    network = network_of(view)
    found = decide(network, view.dim, Domain[view.domain.upper().replace("-", "_")])
    notes = [f"{network_line(view)}; {DOMAINS[view.domain]} in R^{view.dim}; NNGP and NTK alike."]
    notes += [f"Missing: {found.missing}."] if found.missing else []
    downloads: tuple[Download, ...] = ()
    if found.verdict is not Positivity.UNDECIDED:
        downloads, said = _certificate(network, found)
        notes += said
    kind, headline = {
        Positivity.STRICTLY_POSITIVE: ("proved", "Strictly positive definite"),
        Positivity.SINGULAR: ("proved", "Singular: there are points with a null vector"),
        Positivity.UNDECIDED: ("undecided", "Undecided"),
    }[found.verdict]
    steps = tuple((s.layer, s.fact, s.reference) for s in found.steps[:MOST_STEPS])
    tables = [
        Captioned("Reasons, layer by layer", Table(("layer", "what holds", "by"), steps, numeric=False))
    ]
    return Panel(
        (kind,),
        headline,
        tuple(notes),
        tables=tuple(tables if steps else ()) + _counterexample(found),
        downloads=downloads,
    )


def _certificate(network: Network, found: Decision) -> tuple[tuple[Download, ...], list[str]]:
    try:
        text = certificate.of_decision(network, found).text()
    except (DomainError, UndecidedError) as error:
        return (), [f"No certificate: {error}."]
    note = (
        "“proofs-check verify certificate.json” checks the certificate; it shares no code with this package."
    )
    return (Download("certificate.json", "application/json", text.encode(), "Certificate"),), [note]


def _counterexample(found: Decision) -> tuple[Captioned, ...]:
    example = found.counterexample
    if example is None or not example.null_vectors:
        return ()
    rows = tuple(
        (_short("(" + ", ".join(map(str, point)) + ")"), _short(str(weight)))
        for point, weight in zip(example.points, example.null_vectors[0], strict=True)
    )
    table = Table(("point", "weight"), rows, numeric=False)
    return (Captioned("Points and a null vector: the weighted sum of features is 0", table),)


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]} … ({len(text)} characters: see the certificate)"


SUBJECT = Subject(
    "positivity",
    "Strict positivity",
    "Can the kernel tell any data apart? A proof, with a certificate to hand over.",
    (*NETWORK, "dim", "domain"),
    compute,
)
