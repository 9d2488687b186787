"""Pictures of results, as PNG bytes, readable on a phone."""

import io

import numpy as np

from tweetsent.labels import LABELS


def confusion_png(
    matrix: np.ndarray, *, title: str, rows: str = "Gerçek", columns: str = "Tahmin"
) -> bytes:
    """A confusion matrix with counts and the share of each row.

    `matrix` is (3, 3) counts in label order, rows = truth.
    """
    # The object interface keeps no global state, so threads may draw at the same time.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    totals = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    figure = Figure(figsize=(5.4, 5.0), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    names = [label.turkish for label in LABELS]
    axes.set_xticks(range(3), names, fontsize=12)
    axes.set_yticks(range(3), names, fontsize=12, rotation=90, va="center")
    axes.set_xlabel(columns, fontsize=13)
    axes.set_ylabel(rows, fontsize=13)
    axes.set_title(title, fontsize=14)
    for row in range(3):
        for column in range(3):
            axes.text(
                column,
                row,
                f"{int(matrix[row, column])}\n%{100 * share[row, column]:.0f}",
                ha="center",
                va="center",
                fontsize=14,
                color="white" if share[row, column] > 0.5 else "black",
            )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
