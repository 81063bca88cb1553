"""One number for every use of chance in training, a function of the step alone."""

import numpy as np


def step_seed(seed: int, step: int, *path: int) -> int:
    """Seed of one random draw, which depends on nothing but its arguments.

    All randomness of a run hangs on (seed, step, ...), so a resumed run needs no stored generator
    state, and the order of images is the same with any number of workers.

    Args:
        seed: the run's seed, >= 0.
        step: number of optimizer steps done before.
        path: further indices, e.g. the sample's place in its batch or the rank.

    Returns:
        An unsigned 64-bit integer.
    """
    return int(np.random.SeedSequence([seed, step, *path]).generate_state(1, np.uint64)[0])
