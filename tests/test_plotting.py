import numpy as np

from glic_pyg.plotting import map_colours, percentile_limits


def test_more_is_brighter_and_outliers_do_not_matter() -> None:
    values = np.linspace(0, 10, 400).reshape(20, 20)
    colours = map_colours(values).sum(-1).ravel()
    assert (np.diff(colours) >= -1e-6).all() and colours[-1] > colours[0] + 1
    values[3, 3] = 1e6
    assert percentile_limits(values)[1] < 11


def test_a_flat_map_has_one_colour() -> None:
    assert len(np.unique(map_colours(np.ones((4, 5))).reshape(-1, 3), axis=0)) == 1
