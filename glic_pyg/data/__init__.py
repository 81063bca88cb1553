"""Data sets of images: finding, indexing, decoding, downloading."""
