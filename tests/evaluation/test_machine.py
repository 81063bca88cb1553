import torch

from glic_pyg.evaluation.machine import this_machine


def test_what_matters_is_there() -> None:
    machine = this_machine()
    assert machine.threads == torch.get_num_threads() and machine.cores >= 1 and machine.cpu
    assert f"{machine.threads} threads" in str(machine) and torch.__version__ in str(machine)
