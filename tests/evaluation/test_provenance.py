import torch

from glic_pyg.evaluation.provenance import provenance, this_machine


def test_what_matters_is_there() -> None:
    machine = this_machine()
    assert machine.threads == torch.get_num_threads() and machine.cores >= 1 and machine.cpu
    assert f"{machine.threads} threads" in str(machine) and torch.__version__ in str(machine)


def test_the_command_can_be_pasted() -> None:
    how = provenance(["glic", "compare", "my photo.png"])
    assert str(how).startswith("command: glic compare 'my photo.png'\nmachine: ")
    assert str(how).endswith(f"\ndate: {how.date}") and len(how.date) == 10
