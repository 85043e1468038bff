"""Runs mnist_scratch.ipynb from top to bottom and keeps the outputs in it, for after a change.

    python notebooks/execute.py

Needs gradus, matplotlib, nbclient and ipykernel; with the program `gradus` on the PATH its cell has an
output, too. The file keeps nothing of the machine or of the day but what the cells print.
"""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("mnist_scratch.ipynb")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def executed(path=NOTEBOOK, **kernel):
    """The notebook with the outputs of a run; `kernel` goes to the new process (`env`, `cwd`)."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=None, record_timing=False, coalesce_streams=True
    )
    client.execute(**{"cwd": str(path.parent), **kernel})
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
