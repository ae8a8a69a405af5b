"""Reading a certificate file and replaying it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from proofs_check.replay.expression import Refusal
from proofs_check.replay.kinds import KINDS

FORMAT, VERSION = "analytic-ntk certificate", 1
MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class Report:
    """Whether a certificate was accepted; the statement it proves, or why it was refused."""

    accepted: bool
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{'accepted' if self.accepted else 'refused'}: {self.text}"

    def _repr_html_(self) -> str:
        word, _, text = str(self).partition(": ")
        return f"<p><b>{word}</b>: {escape(text)}</p>"


def verify(certificate: Any) -> Report:
    """Replay a certificate (the parsed JSON); never raises on bad content.

    >>> verify({"format": "something else"}).text
    "the format is not 'analytic-ntk certificate'"
    """
    kind = ""
    try:
        if not isinstance(certificate, dict):
            raise Refusal("the content is no object")
        if certificate.get("format") != FORMAT:
            raise Refusal(f"the format is not {FORMAT!r}")
        if type(version := certificate.get("version")) is not int or version != VERSION:
            raise Refusal(f"the version is not {VERSION}")
        if certificate.get("sha256") != seal(certificate):
            raise Refusal("the checksum does not match: the content was changed")
        given = certificate.get("kind")
        if not isinstance(given, str) or given not in KINDS:
            raise Refusal(f"the kind is none of {', '.join(KINDS)}")
        kind = given
        body = {k: v for k, v in certificate.items() if k not in ("format", "version", "kind", "sha256")}
        return Report(True, kind, KINDS[kind](body))
    except Refusal as refusal:
        return Report(False, kind, str(refusal))
    except (RecursionError, OverflowError, ZeroDivisionError, MemoryError) as error:
        return Report(False, kind, f"the content cannot be evaluated ({type(error).__name__})")


def seal(certificate: dict[str, Any]) -> str:
    """The SHA-256 of everything but the field ``sha256``, in canonical JSON: guards against slips, not
    against a forger, whom the replay stops."""
    content = {k: v for k, v in certificate.items() if k != "sha256"}
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Refusal("the content is no JSON") from error
    return hashlib.sha256(text.encode()).hexdigest()


def verify_file(path: Path) -> Report:
    """The same for a file of at most 5 MB. Raises :class:`OSError` if it cannot be read."""
    with path.open("rb") as file:  # a device has no size, but no end either
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return Report(False, "", f"the file is larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8")
        return verify(json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats))
    except UnicodeDecodeError:
        return Report(False, "", "the file is not UTF-8 text")
    except Refusal as refusal:
        return Report(False, "", str(refusal))
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        return Report(False, "", f"the file is not JSON ({str(error)[:80]})")


def _no_constant(name: str) -> None:
    raise Refusal(f"the file holds {name}")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refusal("a field stands twice")
    return found
