"""``comfywatchman graph``."""

from __future__ import annotations

import typer


def run() -> None:
    """Print the cycle as LangGraph draws it (Mermaid)."""
    from comfywatchman.cycle import graph

    typer.echo(graph.build().get_graph().draw_mermaid(), nl=False)
