"""Draws the graph of blocks: as text for other tools (dot, mermaid), or laid out by ourselves (svg, html)."""
