"""What Hydra is told about sweeps: where jobs go, which there are, and the table at the end."""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from glic_pyg.cli.sweep_chain import NEIGHBOUR
from glic_pyg.cli.sweep_table import TABLE, as_markdown, write_plan, write_table

__all__ = ["Sweep"]


class Sweep(Callback):
    """Plans a sweep before it starts and prints its table after it has ended; looks at the name of a run.

    A job's folder is named after what is swept, e.g. ``loss.lmbda=0.0018,source.alpha=0.01``, so that
    a sweep that is started again, perhaps with more values, finds what it has done.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a name that leads out of the folder of all runs, before Hydra makes a folder of it.

        Raises:
            SystemExit: it does.
        """
        try:
            name = Path(str(config.name))
        except OmegaConfBaseException:  # Hydra itself is about to say what is wrong with it
            return
        if not name.parts or name.is_absolute() or ".." in name.parts:
            command, runs = config.hydra.job.name, config.paths.runs
            raise SystemExit(
                f"glic {command}: name={name} must be the name of a folder inside paths.runs={runs}."
            )

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Name the folders and keep the list of jobs.

        Raises:
            SystemExit: the jobs should go to a cluster that cannot be reached from here, or all at once
                although each needs the one before.
        """
        if config.hydra.launcher._target_.endswith("SlurmLauncher") and not shutil.which("srun"):
            raise SystemExit("glic: there is no srun here; start the sweep on a machine of the cluster.")
        self.on_run_start(config)
        one_by_one = config.hydra.launcher._target_.endswith("BasicLauncher")
        overrides = _overrides(config)
        if f"start_from={NEIGHBOUR}" in config.hydra.overrides.task and not one_by_one:
            raise SystemExit(
                f"glic: with start_from={NEIGHBOUR} one job follows the other; leave hydra/launcher out."
            )
        fixed = ",".join(f"'{o.key_or_group}'" for o in overrides if not o.is_sweep_override())
        with read_write(config), open_dict(config):
            config.hydra.overrides.hydra.append(f"hydra.job.config.override_dirname.exclude_keys=[{fixed}]")
        folder = Path(config.hydra.sweep.dir)
        write_plan(folder, _jobs(overrides))
        write_table(folder)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the table, name what is not finished, and end with code 1 if there is such a job."""
        folder = Path(config.hydra.sweep.dir)
        rows = write_table(folder)
        print(f"\n{as_markdown(rows)}\nEvery setting and metric: {folder / TABLE}.csv")
        unfinished = {name: record for name, record in rows.items() if record.status != "finished"}
        for name, record in unfinished.items():
            reason = f": {record.reason}" if record.reason else ""
            print(f"not finished: {name}, {record.status}{reason}", file=sys.stderr)
        if unfinished:
            raise SystemExit(1)


def _overrides(config: DictConfig) -> list[Override]:
    """What defines the sweep, from configuration and command line; the last setting of a key counts."""
    params = config.hydra.sweeper.get("params") or {}
    typed: Any = OmegaConf.to_container(
        config.hydra.overrides.task, resolve=False
    )  # with ${...} as it stands
    texts = [f"{key}={value}" for key, value in params.items()] + typed
    parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(texts)
    return list({override.get_key_element(): override for override in parsed}.values())


def _jobs(overrides: list[Override]) -> dict[str, list[str]]:
    """Every job's overrides by its folder; empty for sweepers that decide as they go."""
    if any(o.is_sweep_override() and not o.is_discrete_sweep() for o in overrides):
        return {}
    swept = [o.is_sweep_override() for o in overrides]
    jobs = itertools.product(*(_choices(override) for override in overrides))
    return {",".join(sorted(itertools.compress(job, swept))): list(job) for job in jobs}


def _choices(override: Override) -> list[str]:
    key = override.get_key_element()
    if override.is_sweep_override():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]
