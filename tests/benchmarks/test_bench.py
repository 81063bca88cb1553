"""The measuring machinery, on a model that takes no time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import bench
from benchmarks.bench import HEADER, main, row
from benchmarks.case import Stopwatch, TimedCodec, build_model, measure
from benchmarks.floor import RateMeter, median_run
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.evaluation.provenance import this_machine
from tests.tiny_backbone import TinyBackbone

CASE = {
    "model": "weights/tiny.safetensors", "width": 768, "height": 512, "precision": "bf16", "threads": 2,
    "parameters": 9, "size": 99, "encode_memory": 3e8, "decode_memory": 2e8,
    "flops": {"analysis": 2e11, "synthesis": 1e11, "encode_networks": 1e11, "decode_networks": 1e11},
    "encode": {"seconds": {"whole": 8.0, "analysis": 4.0, "networks": 3.0, "coder": 0.4}, "rate": 1e11},
    "decode": {"seconds": {"whole": 5.0, "synthesis": 2.0, "networks": 2.5, "coder": 0.1}, "rate": 2e11},
}  # fmt: skip


def test_multiples_of_the_floor() -> None:
    cells = row(CASE)
    assert len(cells) == len(HEADER)
    assert cells[:5] == ("tiny", "768×512", "bf16", "4 (2.00×)", "2 (4.00×)")
    assert cells[7:10] == ("0.4 (5.0%)", "0.1 (2.0%)", "8 (2.67×)") and cells[11] == "300"
    assert cells[-2:] == ("100", "200")


def test_the_median_run_and_the_floor_around_it() -> None:
    rates = iter([1.0, 3.0, 5.0, 1.0, 1.0])
    meter = RateMeter(lambda: next(rates))
    runs = [meter.after({"whole": seconds}) for seconds in (4.0, 1.0, 9.0, 7.0)]
    assert [run.rate for run in runs] == [2.0, 4.0, 3.0, 1.0]
    assert median_run(runs) is runs[3], "multiples 8, 4, 27, 7"
    assert median_run(runs[:3]) is runs[0]


def test_parts_are_timed_in_an_ordinary_run() -> None:
    watch, model = Stopwatch(), TinyBackbone()
    codec = ImageCodec(TimedCodec(model, watch), "tiny", "00" * 32)
    image = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    data = codec.encode(image).data
    encoding = watch.take()
    codec.decode(data)
    decoding = watch.take()
    assert data == ImageCodec(model, "tiny", "00" * 32).encode(image).data
    assert set(encoding) == {"analysis", "latents", "coder"}
    assert set(decoding) == {"synthesis", "latents", "coder"}
    assert 0 < encoding["coder"] < encoding["latents"] and watch.take() == {}


def test_an_unknown_model_is_said() -> None:
    with pytest.raises(FileNotFoundError, match=r"give one of .*glic, .*glic_xs, .* or a .safetensors file"):
        build_model("glic_xxl")


@pytest.mark.parametrize("arguments", [["--sizes", "12by3"], ["--precision", "fp8"]])
def test_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_table_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.setattr(
        bench, "run_case", lambda module, arguments: None if "--precision=bf16" in arguments else CASE
    )
    arguments = ["--models", "glic_xs", "--sizes", "256x256", "--json", str(tmp_path / "out.json")]
    assert main([*arguments, "--markdown"]) == 1  # one case failed, the other is reported
    said = capsys.readouterr().out
    assert "| tiny | 768×512 | bf16 | 4 (2.00×) |" in said and "machine: " in said
    assert json.loads((tmp_path / "out.json").read_text())["cases"] == [CASE]


def test_all_cores_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says to torch, e.g. MKL_NUM_THREADS=1, does not matter."""
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr(
        bench, "run_case", lambda _, arguments: asked.append(int(arguments[-1].partition("=")[2])) or CASE
    )
    small = ["--models", "glic_xs", "--sizes", "256x256", "--precision", "bf16"]
    assert main(small) == main([*small, "--threads", "7"]) == 0
    assert asked == [this_machine().cores] * 2 + [7] * 2


@pytest.mark.slow
def test_a_real_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.case.SECONDS", 0.0)
    case = measure("glic_xs", 130, 100, "float32")
    for run in (case.encode, case.decode):
        assert run.seconds["whole"] > sum(s for part, s in run.seconds.items() if part != "whole")
        assert run.rate > 1e9
    assert case.size > 60 and case.encode_memory > 0
