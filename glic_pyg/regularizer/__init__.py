"""Source entropy models q_theta(x | x_hat) and the regularizer that is made of them (arXiv 2411.16727)."""

from glic_pyg.runtime import declare_torchvision_operators

declare_torchvision_operators()  # else CompressAI cannot be imported beside some builds of torch
