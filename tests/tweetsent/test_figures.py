import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageChops

from tweetsent.figures import confusion_png

MATRIX = np.array([[8, 1, 1], [2, 5, 3], [0, 0, 10]])


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


def test_threads_may_draw_together() -> None:
    expected = confusion_png(MATRIX, title="t")
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: confusion_png(MATRIX, title="t"), range(8)))
    assert pictures == [expected] * 8
