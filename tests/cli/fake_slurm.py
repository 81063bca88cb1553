"""A SLURM of one machine: enough of sbatch, srun and sacct to run a script, or a sweep of submitit's, here.

Installed as three programs that call this file with their own name first.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

JOB = "4242"
PROGRAMS = ("sbatch", "srun", "sacct")


def install(folder: Path) -> dict[str, str]:
    """Make the programs, and ``glic``, in a folder; returns environment variables to run with them."""
    folder.mkdir()
    lines = {name: f'exec {sys.executable} {__file__} {name} "$@"' for name in PROGRAMS}
    lines["glic"] = f'exec {sys.executable} -m glic_pyg "$@"'
    lines["torchrun"] = f'exec {sys.executable} -m torch.distributed.run "$@"'
    for name, line in lines.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def sbatch(arguments: list[str]) -> int:
    """Run a batch script, or each task of its array, in the background."""
    script = Path(arguments[-1])
    if "--in-background" not in arguments:
        again = [sys.executable, __file__, "sbatch", "--in-background", str(script)]
        subprocess.Popen(again, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"Submitted batch job {JOB}")
        return 0
    text = script.read_text()
    tasks = re.search(r"--ntasks-per-node=(\d+)", text)
    job = {"SLURM_JOB_ID": JOB, "SLURM_JOB_NAME": "glic", "SLURM_NTASKS": tasks[1] if tasks else "1"}
    job |= {"SLURM_NTASKS_PER_NODE": job["SLURM_NTASKS"], "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0"}
    job |= {"SLURM_JOB_NODELIST": "localhost", "SLURM_NODELIST": "localhost", "SLURM_NNODES": "1"}
    array = re.search(r"--array=0-(\d+)", text)
    for task in range(int(array[1]) + 1) if array else [None]:
        place = {} if task is None else {"SLURM_ARRAY_JOB_ID": JOB, "SLURM_ARRAY_TASK_ID": str(task)}
        subprocess.run(["bash", str(script)], env={**os.environ, **job, **place})
    return 0


def srun(arguments: list[str]) -> int:
    """Run a command once for each task of the job."""
    while arguments[0].startswith("-"):
        with_value = arguments[0] in ("--output", "--error")
        arguments = arguments[1 + with_value :]
    ranks = range(int(os.environ.get("SLURM_NTASKS", "1")))
    environments = [{**os.environ, "SLURM_PROCID": str(r), "SLURM_LOCALID": str(r)} for r in ranks]
    tasks = [subprocess.Popen(arguments, env=environment) for environment in environments]
    return max(task.wait() for task in tasks)


def sacct(arguments: list[str]) -> int:
    """The state of every job: it runs, until its result is there."""
    print("JobID|State|NodeList")
    for task in range(8):
        print(f"{JOB}_{task}|RUNNING|localhost")
    return 0


if __name__ == "__main__":
    sys.exit({"sbatch": sbatch, "srun": srun, "sacct": sacct}[sys.argv[1]](sys.argv[2:]))
