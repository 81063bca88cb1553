"""What a user of the training room can be told."""


class TrainingError(ValueError):
    """The run cannot go on as configured; the message is one sentence for the user."""
