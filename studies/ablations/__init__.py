"""``make ablations``: what each choice in GLIC's graphs is worth, at small scale, beside the paper."""
