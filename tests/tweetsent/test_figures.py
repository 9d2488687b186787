import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageChops

from tweetsent.figures import (
    comparison_png,
    confidence_png,
    confusion_png,
    distribution_png,
    learning_curves_png,
    reliability_png,
    trend_png,
)
from tweetsent.labels import Label
from tweetsent.metrics import Reliability
from tweetsent.records import Trend

MATRIX = np.array([[8, 1, 1], [2, 5, 3], [0, 0, 10]])
AFTER = Reliability(
    counts=np.array([0, 0, 4, 6]),
    confidence=np.array([0, 0, 0.6, 0.9]),
    accuracy=np.array([0, 0, 0.5, 1.0]),
)
BEFORE = Reliability(
    counts=np.array([0, 0, 1, 9]),
    confidence=np.array([0, 0, 0.7, 0.99]),
    accuracy=np.array([0, 0, 0.0, 0.9]),
)
STEPS = [(20, 1.1), (40, 0.7), (60, 0.4)]
SCORES = {"bir.csv": [(30, 0.6), (60, 0.7)], "iki.csv": [(30, 0.8), (60, 0.85)]}

TREND = Trend(
    starts=tuple(date(2026, 11, day) for day in range(1, 31)),
    is_weekly=False,
    predictions=np.arange(90).reshape(30, 3),
    corrections=np.array([4, 0, 2] * 10),
    confirmations=np.array([4, 0, 1] * 10),
)
UNJUDGED = replace(TREND, corrections=np.zeros(30, int), confirmations=np.zeros(30, int))


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def test_the_picture_is_a_png_of_a_phones_size() -> None:
    picture = Image.open(io.BytesIO(confusion_png(MATRIX, title="Karışıklık")))
    assert (picture.format, picture.size) == ("PNG", (864, 800))


def test_the_picture_shows_the_numbers_and_the_title() -> None:
    first = opened(confusion_png(MATRIX, title="Başlık"))
    same_shares = opened(confusion_png(10 * MATRIX, title="Başlık"))
    other_title = opened(confusion_png(MATRIX, title="Öteki"))
    assert ImageChops.difference(first, same_shares).getbbox() is not None
    assert ImageChops.difference(first, other_title).getbbox() is not None


def test_a_stronger_diagonal_is_darker() -> None:
    diagonal = opened(confusion_png(np.diag([9, 9, 9]), title="t")).convert("L")
    empty = opened(confusion_png(np.zeros((3, 3), dtype=int), title="t")).convert("L")
    assert np.asarray(diagonal).mean() < np.asarray(empty).mean()


def ink(png: bytes) -> tuple[int, int, int, int] | None:
    """The box around everything that is drawn."""
    picture = opened(png)
    return ImageChops.difference(picture, Image.new("RGB", picture.size, "white")).getbbox()


@pytest.mark.parametrize(
    "title", ["kısa", "a_long_name_of_a_file_that_someone_exported_in_2031_v3"]
)
def test_nothing_is_cut_off(title: str) -> None:
    for png in (
        confusion_png(MATRIX, title=title),
        reliability_png(AFTER, title=title, before=BEFORE),
        learning_curves_png(STEPS, SCORES),
        trend_png(TREND, title=title),
    ):
        box, (width, height) = ink(png), opened(png).size
        assert box is not None
        assert min(box[0], box[1], width - box[2], height - box[3]) > 0


def test_a_reliability_diagram_is_a_png_of_a_phones_size() -> None:
    picture = Image.open(io.BytesIO(reliability_png(AFTER, title="t", before=BEFORE)))
    assert (picture.format, picture.size) == ("PNG", (864, 960))


def test_a_reliability_diagram_shows_counts_and_what_was_before() -> None:
    drawn = [
        opened(reliability_png(AFTER, title="t")),
        opened(reliability_png(AFTER, title="t", before=BEFORE)),
        opened(reliability_png(replace(AFTER, counts=10 * AFTER.counts), title="t")),
        opened(reliability_png(AFTER, title="u")),
    ]
    for first, second in combinations(drawn, 2):
        assert ImageChops.difference(first, second).getbbox() is not None


def test_learning_curves_are_a_png_of_a_phones_size() -> None:
    picture = Image.open(io.BytesIO(learning_curves_png(STEPS, SCORES)))
    assert (picture.format, picture.size) == ("PNG", (864, 960))


def test_learning_curves_show_loss_and_scores() -> None:
    drawn = [
        opened(learning_curves_png(STEPS, SCORES)),
        opened(learning_curves_png([*STEPS, (80, 0.3)], SCORES)),
        opened(learning_curves_png(STEPS, {"bir.csv": SCORES["bir.csv"]})),
    ]
    for first, second in combinations(drawn, 2):
        assert ImageChops.difference(first, second).getbbox() is not None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("steps", "scores"), [([], {}), ([(1, 1.0)], {"a": [(1, 0.0)]})])
def test_a_run_too_short_for_a_curve_is_drawn_all_the_same(
    steps: list[tuple[int, float]], scores: dict[str, list[tuple[float, float]]]
) -> None:
    assert opened(learning_curves_png(steps, scores)).size == (864, 960)


def test_a_trend_is_a_png_of_a_phones_size_and_lower_where_nothing_was_judged() -> None:
    assert opened(trend_png(TREND, title="t")).size == (864, 960)
    assert opened(trend_png(UNJUDGED, title="t")).size == (864, 640)


def test_a_trend_shows_messages_judgements_and_the_kind_of_its_periods() -> None:
    drawn = [
        opened(trend_png(TREND, title="t")),
        opened(trend_png(replace(TREND, predictions=TREND.predictions[::-1]), title="t")),
        opened(trend_png(replace(TREND, confirmations=TREND.corrections), title="t")),
        opened(trend_png(replace(TREND, is_weekly=True), title="t")),
    ]
    for first, second in combinations(drawn, 2):
        assert ImageChops.difference(first, second).getbbox() is not None


def test_a_distribution_shows_its_numbers_on_a_phones_width_also_of_nothing() -> None:
    counts = {Label.NEGATIVE: 4321, Label.POSITIVE: 40}
    first, other, empty = (
        opened(distribution_png(numbers, title="Duygular"))
        for numbers in (counts, counts | {Label.POSITIVE: 41}, {})
    )
    assert first.width == other.width == empty.width == 864
    assert ImageChops.difference(first, other).getbbox() is not None


def test_threads_may_draw_together() -> None:
    expected = confusion_png(MATRIX, title="t")
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: confusion_png(MATRIX, title="t"), range(8)))
    assert pictures == [expected] * 8


def test_two_models_are_drawn_one_above_the_other_on_a_phones_width() -> None:
    other = np.rot90(MATRIX)
    picture = Image.open(io.BytesIO(comparison_png(MATRIX, other, title="305 satır")))
    single = Image.open(io.BytesIO(confusion_png(MATRIX, title="t")))
    assert picture.width == single.width
    assert 1.5 * single.height < picture.height < 2.2 * single.height
    swapped = comparison_png(other, MATRIX, title="305 satır")
    assert np.array(Image.open(io.BytesIO(swapped))).shape == np.array(picture).shape
    assert (np.array(Image.open(io.BytesIO(swapped))) != np.array(picture)).any()


def test_confidences_are_drawn_on_a_phones_width_also_of_none() -> None:
    few, none = (opened(confidence_png(np.full(20, count), title="Güven")) for count in (3, 0))
    assert few.width == none.width == 864
    assert ImageChops.difference(few, none).getbbox() is not None
