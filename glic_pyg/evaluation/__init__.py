"""What a codec is worth: MS-SSIM and bpp, measured from real files, and classical codecs beside it."""
