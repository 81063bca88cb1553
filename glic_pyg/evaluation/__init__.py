"""Rate and distortion measured from real files, beside classical codecs and published results."""
