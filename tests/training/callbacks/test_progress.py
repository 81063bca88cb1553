"""What a run tells while it goes on: a bar on a terminal, lines in a file."""

import logging
import re

import pytest

from glic_pyg.training.callbacks.progress import ProgressLog, RunBar


def test_a_line_has_rate_quality_and_time_left(make_module, make_data, make_trainer, caplog) -> None:
    with caplog.at_level(logging.INFO, "glic_pyg"):
        make_trainer(4, callbacks=[ProgressLog(2)]).fit(make_module(), make_data(4))
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("step")]
    figures = r"train/bpp [\d.e+]+  train/psnr [-\d.e+]+  [\d.]+ s/step  \d+:\d\d:\d\d left"
    assert len(lines) == 2
    for step, line in zip((2, 4), lines, strict=True):
        assert re.fullmatch(rf"step {step}/4  {figures}", line)
    assert lines[1].endswith("0:00:00 left")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_bar_has_rate_quality_and_time_left(make_module, make_data, make_trainer, capsys) -> None:
    bar = RunBar(refresh_rate=1)
    module = make_module()
    trainer = make_trainer(3, callbacks=[bar], enable_progress_bar=True)
    seen = []
    module.end_step, end = lambda: (end(), seen.append(bar.get_metrics(trainer, module))), module.end_step
    trainer.fit(module, make_data(3))
    assert {"bpp", "psnr"} <= set(seen[-1])
    assert all(re.fullmatch(r"-?\d+\.\d{3}", value) for value in seen[-1].values())
    columns = {type(column).__name__: column for column in bar.configure_columns(trainer)}
    assert "CustomTimeColumn" in columns and columns["CustomBarColumn"].bar_width < 20
    assert "Training" in capsys.readouterr().out
