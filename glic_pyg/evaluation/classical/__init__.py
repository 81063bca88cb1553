"""Codecs that people use or compare with, each behind one contract; one file a family."""
