"""Source entropy models q_theta(x | x_hat) and the regularizer that is made of them (arXiv 2411.16727)."""
