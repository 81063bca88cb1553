"""Training of codecs: LightningModule, data module, loss, schedules and callbacks."""

from glic_pyg.runtime import declare_torchvision_operators

declare_torchvision_operators()  # else CompressAI cannot be imported beside some builds of torch
