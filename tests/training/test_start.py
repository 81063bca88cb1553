"""A run from scratch is set up from pictures; a resumed one is left alone."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from glic_pyg.training.batch import Batch
from glic_pyg.training.start import StartFromPictures


def run(global_step: int) -> tuple[list[Tensor], nn.Module]:
    """Calls the callback as Lightning would; returns what the start got, and the averaged model."""
    dataset = [Batch(torch.full((2, 3, 4, 4), 51 * step, dtype=torch.uint8), ()) for step in range(5)]
    trainer = SimpleNamespace(global_step=global_step, train_dataloader=SimpleNamespace(dataset=dataset))
    model, average = nn.Linear(2, 2), nn.Linear(2, 2)
    module = SimpleNamespace(model=model, device="cpu")
    module.restart_average = lambda: average.load_state_dict(model.state_dict())
    got: list[Tensor] = []

    def start(codec: nn.Linear, x: Tensor) -> None:
        got.append(x)
        nn.init.constant_(codec.weight, 7)

    StartFromPictures(start, batches=3).on_train_start(trainer, module)  # type: ignore[arg-type]
    return got, average


def test_new_run_starts_from_its_first_batches() -> None:
    [x], average = run(global_step=0)
    assert x.shape == (6, 3, 4, 4)
    torch.testing.assert_close(x[:, 0, 0, 0], torch.tensor([0, 0, 0.2, 0.2, 0.4, 0.4]))
    assert (average.weight == 7).all()


def test_resumed_run_is_left_alone() -> None:
    got, average = run(global_step=1)
    assert got == []
    assert not (average.weight == 7).all()
