"""Looking into a model that was handed over: its graphs as arrays, and figures of them."""
