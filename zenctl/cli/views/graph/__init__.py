"""Draws the graph of blocks: as text for other tools (dot, mermaid), or laid out by ourselves (svg, html).

The layout is our own: Graphviz is a program that users would have to install, and grandalf, the one layered layout in
pure Python, is under the GPL and knows no frames around modules.
"""
