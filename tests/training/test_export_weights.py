from pathlib import Path

import torch

from glic_pyg.training.export_weights import ExportWeights
from tests.training.conftest import states_equal


def test_average_is_exported_with_its_card(make_module, make_data, make_trainer, tmp_path: Path) -> None:
    written = []

    def save(path: Path, model: torch.nn.Module, card: dict) -> None:
        torch.save(model.state_dict(), path)
        written.append(card)

    module, target = make_module(ema_decay=0.9), tmp_path / "out" / "tiny.pt"
    trainer = make_trainer(
        4, val_check_interval=2, callbacks=[ExportWeights(str(target), save, {"lmbda": 0.01})]
    )
    trainer.fit(module, make_data(4, validate=True))
    assert [card["step"] for card in written] == [2, 4, 4]
    assert written[-1]["lmbda"] == 0.01
    assert written[-1]["val/psnr"] > 0
    exported = torch.load(target, weights_only=True)
    assert states_equal(exported, module.ema.model.state_dict())
    assert not states_equal(exported, module.model.state_dict())
    assert [path.name for path in target.parent.iterdir()] == ["tiny.pt"]
