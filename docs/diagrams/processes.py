#!/usr/bin/env python3
"""Draws processes-light.svg and processes-dark.svg: the processes and the paths between them.

usage: docs/diagrams/processes.py [--check]

Without an option both files are written beside this script. --check writes nothing and fails when a
file is not what would be written.
"""
import pathlib
import sys
from xml.sax.saxutils import escape

FOLDER = pathlib.Path(__file__).resolve().parent
WIDTH, HEIGHT = 960, 484
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
PALETTES = {
    "light": {
        "back": "#ffffff", "text": "#1f2328", "faint": "#59636e", "line": "#59636e", "node": "#d1d9e0",
        "ours": "#ddf4ff", "ours-edge": "#0969da", "other": "#f6f8fa", "other-edge": "#818b98",
        "secret": "#fff8c5", "secret-edge": "#9a6700", "token": "#9a6700", "tls": "#1a7f37",
    },
    "dark": {
        "back": "#0d1117", "text": "#f0f6fc", "faint": "#9198a1", "line": "#9198a1", "node": "#3d444d",
        "ours": "#121d2f", "ours-edge": "#4493f8", "other": "#151b23", "other-edge": "#656c76",
        "secret": "#272115", "secret-edge": "#d29922", "token": "#d29922", "tls": "#3fb950",
    },
}


class Drawing:
    """An SVG that is built from boxes, paths and texts in one palette."""

    def __init__(self, name: str):
        self.colour = PALETTES[name]
        self.parts: list[str] = []

    def box(self, kind: str, x: int, y: int, width: int, height: int, title: str, *lines: str) -> None:
        """A process or a part outside, with a title and what it holds."""
        fill, edge = self.colour[kind], self.colour[f"{kind}-edge"]
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" '
            f'stroke="{edge}" stroke-width="1.5"/>'
        )
        top = y + height / 2 - 8 * len(lines) + 5
        self.text(x + width / 2, top, title, weight=600)
        for number, line in enumerate(lines, 1):
            self.text(x + width / 2, top + 17 * number, line, size=12, colour="faint")

    def text(self, x, y, text, size=14, colour="text", anchor="middle", weight=400) -> None:
        """One line of text."""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" '
            f'text-anchor="{anchor}" fill="{self.colour[colour]}">{escape(text)}</text>'
        )

    def path(self, points, label="", at=None, colour="line", dashed=False, both=False, anchor="middle") -> None:
        """An arrow through the points, with a label at a place of its own."""
        line = " ".join(f"{x},{y}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        start = f' marker-start="url(#{colour})"' if both else ""
        self.parts.append(
            f'<polyline points="{line}" fill="none" stroke="{self.colour[colour]}" stroke-width="1.5"'
            f'{dash}{start} marker-end="url(#{colour})"/>'
        )
        if label:
            self.text(*at, label, size=12, colour=colour if colour != "line" else "faint", anchor=anchor)

    def svg(self) -> str:
        """The whole file."""
        markers = "".join(
            f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="{self.colour[name]}"/></marker>'
            for name in ("line", "token", "tls")
        )
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="{escape(FONT)}" role="img" aria-label="The processes of '
            f'bao-kms-provider and the communication paths between them">'
        )
        return "\n".join([head, f"<defs>{markers}</defs>", *self.parts, "</svg>"]) + "\n"


def draw(name: str) -> str:
    """The picture in one palette."""
    d = Drawing(name)
    d.parts.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{d.colour["back"]}"/>')
    d.parts.append(
        f'<rect x="236" y="16" width="528" height="452" rx="12" fill="none" stroke="{d.colour["node"]}" '
        f'stroke-width="1.5"/>'
    )
    d.text(252, 40, "bao-kms-provider on one control-plane node", size=12, colour="faint", anchor="start")

    d.box("other", 16, 76, 160, 64, "kube-apiserver", "envelope encryption")
    d.box("other", 16, 196, 160, 64, "monitoring", "/metrics  /live  /ready")
    d.box("other", 824, 132, 120, 84, "OpenBao", "The Transit key", "never leaves it.")

    d.box("ours", 290, 64, 190, 96, "supervisor", "KMS socket, health, registry", "sees no token,", "reads no credential")
    d.box("ours", 572, 64, 150, 64, "worker 0", "own token, own TLS")
    d.box("ours", 572, 176, 150, 64, "worker 1", "own token, own TLS")
    d.box("secret", 290, 218, 190, 56, "key registry", "hash chain on disk")
    d.box("ours", 290, 360, 190, 64, "spawner", "starts the other processes")
    d.box("ours", 562, 296, 170, 64, "auth agent", "logs in, hands tokens out")
    d.box("secret", 562, 400, 170, 56, "credential", "JWT, client secret or HSM")

    d.path([(176, 100), (290, 100)], "KMS v2", (206, 92), both=True)
    d.path([(176, 228), (206, 228), (206, 136), (290, 136)], "HTTP", (200, 180), anchor="end")
    d.path([(480, 88), (572, 88)], "requests", (526, 80), both=True)
    d.path([(480, 112), (520, 112), (520, 208), (572, 208)], both=True)
    d.path([(480, 144), (500, 144), (500, 336), (562, 336)], "status", (494, 300), both=True, anchor="end")
    d.path([(385, 160), (385, 218)], "persists", (393, 194), anchor="start")
    d.path([(290, 148), (264, 148), (264, 392), (290, 392)], "start, kill", (272, 328), both=True, anchor="start")
    d.path([(647, 296), (647, 240)], "tokens", (640, 273), colour="token", anchor="end")
    d.path([(732, 312), (750, 312), (750, 104), (722, 104)], colour="token")
    d.path([(647, 400), (647, 360)], "read at login", (654, 385), anchor="start")
    d.path([(722, 84), (884, 84), (884, 132)], "TLS", (800, 76), colour="tls", both=True)
    d.path([(722, 196), (824, 196)], "TLS", (790, 188), colour="tls", both=True)
    d.path([(732, 340), (884, 340), (884, 216)], "TLS, login", (806, 332), colour="tls", both=True)
    return d.svg()


def main(arguments: list[str]) -> int:
    """Writes or checks both files."""
    stale = []
    for name in PALETTES:
        file = FOLDER / f"processes-{name}.svg"
        if arguments == ["--check"]:
            stale += [] if file.exists() and file.read_text() == draw(name) else [file.name]
        else:
            file.write_text(draw(name))
    if stale:
        print(f"{', '.join(stale)}: not what {pathlib.Path(__file__).name} draws; run it and commit the result")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
