#!/usr/bin/env python3
"""Runs the notebooks of docs/ on the demo's lake and compares what they show with what they hold.

    pip install nbclient nbformat ipykernel pandas
    notebooks.py TRAILLAKE [--write]

With --write the notebooks are given what they show now.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import nbclient
import nbformat

from server import Server

NOTEBOOKS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "notebooks"


def shown(cell):
    """What a cell shows, as text; how a frame is drawn in HTML is pandas's own affair."""
    return [output.get("text") or output["data"]["text/plain"] for output in cell.get("outputs", [])]


def run(path, write):
    held = nbformat.read(path, as_version=4)
    ran = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(ran, timeout=120, kernel_name="python3").execute()
    for cell in ran.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "data" in output:
                output["data"].pop("text/html", None)
    if write:
        nbformat.write(ran, path)
        return
    cells = [(old, new) for old, new in zip(held.cells, ran.cells) if old.cell_type == "code"]
    assert any(shown(old) for old, _ in cells), f"{path.name} holds no output"
    for old, new in cells:
        assert shown(old) == shown(new), (
            f"{path.name} shows something else:\n{old.source}\nheld:\n{shown(old)}\n"
            f"now:\n{shown(new)}")
    print(f"{path.name}: {len(cells)} cells show what they hold")


def main():
    traillake = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([traillake, "demo"], cwd=folder, check=True, capture_output=True)
        lake = f"{folder}/traillake-demo/lake"
        with Server(traillake, lake, f"{folder}/state") as server:
            os.environ["TRAILLAKE_URL"] = server.url
            for path in sorted(NOTEBOOKS.glob("*.ipynb")):
                run(path, "--write" in sys.argv)


if __name__ == "__main__":
    main()
