"""Two processes (gloo, on the CPU) train to the weights of one with the same batches.

They add up gradients in another order. Adam divides by the size of a gradient, so where one is about 0 the
rounding of float32 becomes a part of a step; after 6 steps of up to 1e-2 weights differ by less than 1e-4.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from glic_pyg.errors import TrainingError
from tests.training.tiny_codec import TinyCodec
from tests.training.two_processes import everything

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def trained(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of one process and of two."""
    folder = tmp_path_factory.mktemp("two_processes")
    shutil.copytree(image_folder, folder / "images")
    work = (
        "import sys; from glic_pyg import runtime; runtime.prepare(); "
        "from tests.training.two_processes import everything; everything(sys.argv[1])"
    )
    two = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    command = [sys.executable, *two, sys.executable, "-c", work, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    everything(folder)
    return folder


def checkpoint(folder: Path, run: str) -> dict[str, Any]:
    return torch.load(folder / run / "last.ckpt", weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "half", "resumed", "skipped", "started"])
def test_two_train_what_one_trains(trained: Path, kind: str) -> None:
    one, two = checkpoint(trained, f"alone-{kind}"), checkpoint(trained, f"ddp-{kind}")
    assert one["global_step"] == two["global_step"] == {"resumed": 6, "started": 2}.get(kind, 4)
    assert one["state_dict"].keys() == two["state_dict"].keys()
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, rtol=0, atol=TOLERANCE, msg=name)


@pytest.mark.slow
def test_weights_have_moved_much_further(trained: Path) -> None:
    torch.manual_seed(3)
    start, end = TinyCodec().state_dict(), checkpoint(trained, "alone-plain")["state_dict"]
    for name in ("g_a.weight", "g_s.weight", "bottleneck.quantiles"):
        assert (end[f"model.{name}"] - start[name]).abs().mean() > 50 * TOLERANCE


@pytest.mark.slow
def test_exported_weights_are_whole(trained: Path) -> None:
    exported = torch.load(trained / "ddp-plain/weights.pt", weights_only=True)
    average = checkpoint(trained, "alone-plain")["state_dict"]
    assert exported.keys() == {name for name, _ in TinyCodec().named_parameters()}
    for name, value in exported.items():
        expected = average[f"ema.module.{name}"]
        torch.testing.assert_close(value, expected, rtol=0, atol=TOLERANCE, msg=name)


@pytest.fixture
def group_of_one() -> Iterator[None]:
    """Undoes what DDP begins in this process: the process group, and environment variables."""
    with patch.dict(os.environ):
        yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("group_of_one")
def test_ddp_that_would_exchange_nothing_is_refused(make_module, make_data, make_trainer) -> None:
    with pytest.raises(TrainingError, match="trainer=ddp"):
        make_trainer(2, strategy="ddp").fit(make_module(), make_data(2))
