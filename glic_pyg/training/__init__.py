"""Training of codecs: LightningModule, data module, loss, schedules and callbacks."""
