"""What a codec is worth: the only PSNR, MS-SSIM and bpp of this package, classical codecs beside them."""
