"""Plots that a notebook shows: the results of `plot_curves` and similar methods."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gradus import _core

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

__all__ = ["Plot"]


class Plot:
    """A plot as SVG. A notebook shows it if it is the value of a cell's last line.

    The SVG loads nothing from elsewhere, and is light or dark like the reader's system.

    Parameters
    ----------
    svg : str
        The text of the SVG document.

    Attributes
    ----------
    svg : str
        The same.

    Examples
    --------
    >>> from gradus import MLPClassifier, datasets
    >>> X, y = datasets.digits(500, seed=1)
    >>> model = MLPClassifier((16,), normalization="unit", max_iter=5, random_state=0).fit(X, y)
    >>> plot = model.plot_confusion(X, y)
    >>> plot.svg[:4]
    '<svg'
    >>> plot.save("confusion.svg")  # doctest: +SKIP
    """

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def save(self, path: str | PathLike[str]) -> None:
        """Write the SVG file.

        Parameters
        ----------
        path : str or path-like
            Must end in ``.svg``; an existing file is replaced.

        Raises
        ------
        ValueError
            If the name has a different ending.
        """
        path = os.fspath(path)
        if os.path.splitext(path)[1].lower() != ".svg":
            raise ValueError(
                f"{path!r} must end in .svg: plots are saved as SVG. For a PNG or PDF, save an SVG "
                "and export it from a browser or a vector graphics editor"
            )
        _core.write_file(path, self.svg.encode())

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Plot: {len(self.svg):,} characters of SVG>"


def beside(svgs: Sequence[str], title: str) -> str:
    """Return SVG documents side by side, as one."""
    if len(svgs) == 1:
        return svgs[0]
    from xml.etree import ElementTree

    roots = [ElementTree.fromstring(svg) for svg in svgs]
    parts = []
    left = 0.0
    for svg, root in zip(svgs, roots, strict=True):
        parts.append(f'<g transform="translate({left:g} 0)">\n{svg}</g>\n')
        left += float(root.get("width"))
    height = max(float(root.get("height")) for root in roots)
    # A group, because each part has its own description for screen readers.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="group" aria-label="{title}" '
        f'viewBox="0 0 {left:g} {height:g}" width="{left:g}" height="{height:g}">\n'
        f"<title>{title}</title>\n{''.join(parts)}</svg>\n"
    )
