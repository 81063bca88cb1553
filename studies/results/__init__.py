"""Rate and distortion on Kodak and out of domain: measured, set beside published points, written to docs/."""
