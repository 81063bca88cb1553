"""Images on disk and on the net: finding, measuring, decoding, fetching."""
