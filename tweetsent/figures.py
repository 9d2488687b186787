"""Pictures of results, as PNG bytes, readable on a phone."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tweetsent.labels import LABELS, Label
from tweetsent.metrics import Reliability
from tweetsent.records import Trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_INCHES, _DPI = 5.4, 160
_BLUE, _ORANGE, _GREY, _LIGHT = "#2f6fb0", "#d9822b", "#8a8a8a", "#c9c9c9"
_MOST_DATES = 7
LABEL_COLORS = {Label.NEGATIVE: _ORANGE, Label.NEUTRAL: _LIGHT, Label.POSITIVE: _BLUE}
"""Told apart by the colour-blind too."""


def confusion_png(
    matrix: np.ndarray, *, title: str, rows: str = "Gerçek", columns: str = "Tahmin"
) -> bytes:
    """A confusion matrix with counts and the share of each row.

    `matrix` is (3, 3) counts in label order, rows = truth.
    """
    figure = _figure(height_inches=5.0)
    _confusion(figure.add_subplot(), matrix, title, rows, columns)
    return _png(figure)


def comparison_png(before: np.ndarray, after: np.ndarray, *, title: str) -> bytes:
    """Two confusion matrices (3, 3) of the same rows, the old model's above the new one's."""
    figure = _figure(height_inches=9.5)
    upper, lower = figure.subplots(2, 1)
    figure.suptitle(title, fontsize=14)
    _confusion(upper, before, "Şimdiki model", "Gerçek", "Tahmin")
    _confusion(lower, after, "Yeni model", "Gerçek", "Tahmin")
    return _png(figure)


def reliability_png(after: Reliability, *, title: str, before: Reliability | None = None) -> bytes:
    """A reliability diagram: accuracy against confidence, and how many rows each bin holds.

    `after` is as the model answers; `before`, where it is known, the same rows without temperature
    scaling. Guo et al. 2017, arXiv:1706.04599, figures 1 and 4.
    """
    from matplotlib.ticker import MaxNLocator

    figure = _figure(height_inches=6.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    edges = np.linspace(0.0, 1.0, len(after.counts) + 1)
    width = edges[1] - edges[0]
    now = "Kalibrasyondan sonra" if before else "Model"
    upper.plot([0, 1], [0, 1], color=_GREY, linestyle="--", label="Kusursuz")
    upper.bar(
        edges[:-1], after.accuracy, width, align="edge", color=_BLUE, alpha=0.3, edgecolor="white"
    )
    if before:
        _points(upper, before, marker="s", color=_ORANGE, label="Kalibrasyondan önce")
    _points(upper, after, marker="o", color=_BLUE, label=now)
    bars = lower.bar(edges[:-1], after.counts, width, align="edge", color=_BLUE, edgecolor="white")
    lower.bar_label(bars, [str(count) if count else "" for count in after.counts], fontsize=10)
    lower.margins(y=0.25)
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    # The most probable of three labels has at least a third.
    lower.set_xlim(edges[np.flatnonzero(edges <= 1 / len(LABELS))[-1]], 1.0)
    upper.set_ylim(0.0, 1.02)
    upper.yaxis.set_major_formatter(_percent)
    lower.xaxis.set_major_formatter(_percent)
    upper.set_ylabel("Doğruluk", fontsize=13)
    lower.set_ylabel("Satır", fontsize=13)
    lower.set_xlabel("Güven", fontsize=13)
    was = f" (önce {_decimal(before.ece)})" if before else ""
    _title(upper, title, f"ECE {_decimal(after.ece)}{was}")
    # Beside the axes, since the points of a small file may lie anywhere.
    figure.legend(fontsize=10, loc="outside lower center", ncols=3, columnspacing=1.0)
    for axes in (upper, lower):
        axes.tick_params(labelsize=11)
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    return _png(figure)


def learning_curves_png(
    steps: Sequence[tuple[int, float]], scores: Mapping[str, Sequence[tuple[float, float]]]
) -> bytes:
    """Training loss (step, loss) above the macro-F1 (step, score) of each validation file."""
    from matplotlib.ticker import MaxNLocator

    figure = _figure(height_inches=6.0)
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.plot([step for step, _ in steps], [loss for _, loss in steps], color=_BLUE, marker=".")
    for name, points in scores.items():
        lower.plot([step for step, _ in points], [score for _, score in points], "o-", label=name)
    upper.set_title("Öğrenme eğrileri", fontsize=14)
    upper.set_ylabel("Eğitim kaybı", fontsize=13)
    upper.set_ylim(bottom=0.0)
    lower.set_ylabel("Makro-F1", fontsize=13)
    lower.set_xlabel("Adım", fontsize=13)
    lower.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    lower.set_xlim(left=0)
    measured = [score for points in scores.values() for _, score in points]
    if measured:
        # Room around a single point, and no values that no score can have.
        lower.set_ylim(max(0.0, min(measured) - 0.05), min(1.02, max(measured) + 0.05))
        lower.legend(fontsize=10, loc="best")
    for axes in (upper, lower):
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace(".", ","))
        axes.tick_params(labelsize=11)
        axes.grid(alpha=0.3)
    return _png(figure)


def trend_png(trend: Trend, *, title: str) -> bytes:
    """Messages by label over the time, and below, where users judged some, the accuracy."""
    from matplotlib.ticker import MaxNLocator

    is_judged = trend.corrections > 0
    periods = np.arange(len(trend.starts))
    figure = _figure(height_inches=6.0 if is_judged.any() else 4.0)
    if is_judged.any():
        upper, lower = figure.subplots(2, 1, sharex=True)
        share = trend.confirmations[is_judged] / trend.corrections[is_judged]
        lower.plot(periods[is_judged], share, "o-", color=_BLUE, clip_on=False)
        lower.set_ylim(0.0, 1.0)
        lower.yaxis.set_major_formatter(_percent)
        lower.set_ylabel("Doğruluk", fontsize=13)
    else:
        lower = upper = figure.subplots()
    base = np.zeros(len(periods), dtype=int)
    for column, label in enumerate(LABELS):
        counts = trend.predictions[:, column]
        upper.bar(periods, counts, 0.8, bottom=base, color=LABEL_COLORS[label], label=label.turkish)
        base += counts
    _title(upper, title)
    upper.set_ylabel("Mesaj", fontsize=13)
    upper.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    upper.set_ylim(0, 1.05 * base.max())
    shown = periods[:: -(-len(periods) // _MOST_DATES)]
    lower.set_xticks(shown, [f"{trend.starts[index]:%d.%m}" for index in shown])
    lower.set_xlim(-0.6, len(periods) - 0.4)
    lower.set_xlabel("Haftanın ilk günü (UTC)" if trend.is_weekly else "Gün (UTC)", fontsize=13)
    figure.legend(fontsize=12, loc="outside lower center", ncols=3, columnspacing=1.0)
    for axes in figure.axes:
        axes.tick_params(labelsize=12)
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    return _png(figure)


def confidence_png(counts: np.ndarray, *, title: str) -> bytes:
    """How many predictions the model made with which confidence; `counts` over parts of 0 to 1."""
    from matplotlib.ticker import MaxNLocator

    figure = _figure(height_inches=4.0)
    axes = figure.add_subplot()
    edges = np.linspace(0.0, 1.0, len(counts) + 1)
    axes.bar(edges[:-1], counts, edges[1], align="edge", color=_BLUE, edgecolor="white")
    # The most probable of three labels has at least a third.
    axes.set_xlim(edges[np.flatnonzero(edges <= 1 / len(LABELS))[-1]], 1.0)
    axes.xaxis.set_major_formatter(_percent)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("Güven", fontsize=13)
    axes.set_ylabel("Mesaj", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    _title(axes, title)
    return _png(figure)


def distribution_png(counts: Mapping[Label, int], *, title: str) -> bytes:
    """How many texts have each label, with the shares."""
    figure = _figure(height_inches=4.5)
    axes = figure.add_subplot()
    values = [counts.get(label, 0) for label in LABELS]
    total = max(sum(values), 1)
    colors = [LABEL_COLORS[label] for label in LABELS]
    bars = axes.bar([label.turkish for label in LABELS], values, color=colors, width=0.7)
    shares = [f"{value:,}\n%{100 * value / total:.0f}".replace(",", ".") for value in values]
    axes.bar_label(bars, shares, fontsize=14, padding=3)
    axes.margins(y=0.2)
    axes.tick_params(axis="x", labelsize=14, length=0)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    _title(axes, title)
    return _png(figure)


def _confusion(axes: "Axes", matrix: np.ndarray, title: str, rows: str, columns: str) -> None:
    totals = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    names = [label.turkish for label in LABELS]
    axes.set_xticks(range(3), names, fontsize=12)
    axes.set_yticks(range(3), names, fontsize=12, rotation=90, va="center")
    axes.set_xlabel(columns, fontsize=13)
    axes.set_ylabel(rows, fontsize=13)
    _title(axes, title)
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


def _figure(height_inches: float) -> "Figure":
    # The object interface keeps no global state, so threads may draw at the same time.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_INCHES, height_inches), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _title(axes: "Axes", *lines: str) -> None:
    """In letters as small as the longest line needs."""
    size = min(14.0, 14.0 * 38 / max(map(len, lines)))
    axes.set_title("\n".join(lines), fontsize=size)


def _points(axes: "Axes", values: Reliability, *, marker: str, color: str, label: str) -> None:
    filled = values.counts > 0
    axes.plot(
        values.confidence[filled],
        values.accuracy[filled],
        marker,
        color=color,
        label=label,
        clip_on=False,  # those at 0 and 1 lie on the frame
        zorder=3,
    )


def _percent(value: float, _: object) -> str:
    return f"%{100 * value:.0f}"


def _decimal(value: float) -> str:
    return f"{value:.3f}".replace(".", ",")
