"""The command ``proofs-check``.

Exit codes: 0 accepted, proved, or all as documented; 2 wrong usage; 3 refused, refuted, or not as documented;
4 a file could not be read or written; 5 undecided; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from proofs_check import cli_conjecture, cli_ledger

REFUSED, UNREADABLE = 3, 4

app = typer.Typer(
    help="Statements about neural kernels, checked.",
    epilog="Exit codes: 0 accepted, proved or as documented, 2 wrong usage, 3 refused, refuted or not as "
    "documented, 4 a file could not be read or written, 5 undecided, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _main() -> None:
    pass


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Certificates (JSON).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay certificates with ball and rational arithmetic only."""
    from proofs_check.replay.verify import verify_file

    rows, code = [], 0
    for path in files:
        try:
            report = verify_file(path)
        except OSError as error:
            print(f"error: {error.strerror or error}: {path}", file=sys.stderr)
            code = UNREADABLE
            continue
        rows.append(
            {"file": str(path), "accepted": report.accepted, "kind": report.kind, "text": report.text}
        )
        if not as_json:
            print(f"{path}: {report}")
        if not report.accepted and code == 0:
            code = REFUSED
    if as_json:
        print(json.dumps(rows, indent=2))
    if code:
        raise typer.Exit(code)


cli_ledger.attach(app)
app.command()(cli_conjecture.conjecture)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
