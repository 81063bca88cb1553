import io

import numpy as np
from PIL import Image

from glic_pyg.inspection.crops import crop_figure, detailed_corner


def test_detail_is_found() -> None:
    picture = np.full((120, 200, 3), 80, np.uint8)
    picture[60:100, 120:160] = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
    assert detailed_corner(picture, 40) == (60, 120)
    assert detailed_corner(picture[:, :, 0], 40) == (60, 120)


def test_a_picture_smaller_than_the_crop() -> None:
    assert detailed_corner(np.zeros((10, 12, 3), np.uint8), 40) == (0, 0)


def test_crops_stand_side_by_side() -> None:
    red, blue = (np.zeros((50, 60, 3), np.uint8) for _ in range(2))
    red[..., 0], blue[10:30, 20:40, 2] = 255, 255
    data = crop_figure({"One": (red, "first"), "Two": (blue, "second")}, (10, 20), 20)
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    middle = shown[shown.shape[0] // 2]
    left, right = np.split(middle, [len(middle) // 2])
    assert ((left == (255, 0, 0)).all(1)).mean() > 0.8  # all of the panel is the crop
    assert ((right == (0, 0, 255)).all(1)).mean() > 0.8
