"""Denoise an image with a GFABlock: layers that pass messages along the graphs of their own input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from glic_pyg.nn import GFABlock

IMAGE = Path(__file__).parents[1] / "data" / "samples" / "city.png"


class Denoiser(nn.Module):
    """What a local and a mesh layer find in similar places is taken away from the noisy image."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.enter, self.leave = nn.Conv2d(3, channels, 3, padding=1), nn.Conv2d(channels, 3, 3, padding=1)
        self.block = GFABlock(channels, expansion=2, depth=2, heads=4)
        nn.init.zeros_(self.leave.weight)

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - self.leave(self.block(self.enter(noisy)))


def main(steps: int = 150, crop: int = 48, noise: float = 0.1) -> tuple[float, float]:
    """Train on crops of one half of the image; mean squared error on the other, before and after."""
    torch.manual_seed(0)
    pixels = np.array(Image.open(IMAGE).convert("RGB"))
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    half = image.shape[3] // 2
    model = Denoiser()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(steps):
        row, column = (int(torch.randint(0, n - crop, ())) for n in (image.shape[2], half))
        clean = image[:, :, row : row + crop, column : column + crop]
        optimizer.zero_grad()
        nn.functional.mse_loss(model(clean + noise * torch.randn_like(clean)), clean).backward()
        optimizer.step()
    clean = image[:, :, :96, half : half + 96]
    noisy = clean + noise * torch.randn_like(clean)
    with torch.no_grad():
        errors = [nn.functional.mse_loss(found, clean).item() for found in (noisy, model(noisy))]
    return errors[0], errors[1]


if __name__ == "__main__":
    before, after = main()
    print(f"mean squared error {before:.4f} before, {after:.4f} after")
