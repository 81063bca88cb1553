import base64
import io
import re

import numpy as np
from PIL import Image

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.map_colours import map_colours
from glic_pyg.inspection.notebook_view import notebook_view


def test_a_graph_and_a_block_show_their_maps(graphs: BlockGraphs) -> None:
    local = graphs.graphs["local"]
    shown = local._repr_html_()
    assert "local graph" in shown and "1,024 nodes" in shown and f"{len(local.source):,} edges" in shown
    pictures = re.findall(r"base64,([^']+)", shown)
    degree = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[1]))))
    assert np.array_equal(degree, np.uint8(map_colours(local.degree) * 255))
    assert graphs._repr_html_().count("<img ") == 3 and "g_a stage 2" in graphs._repr_html_()


def test_names_are_text() -> None:
    assert "<b>" not in notebook_view("<b>", {"<b>": "<b>"}, {"<b>": np.ones((2, 2))})
