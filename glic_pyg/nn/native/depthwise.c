/* Gradients of a depthwise convolution at its weight and bias, LANES channels at a time.
 *
 *   grad_weight[ky, kx, c] = sum over b, i, j of grad[b, i, j, c] x[b, i + ky - missing, j + kx - side / 2, c]
 *
 * Maps as rows of channels; x is zero beyond its border. One thread sums up a group of channels in order, hence the
 * result does not depend on the number of threads.
 */
#include "vector.h"

enum { MOST_SIDE = 5, GROUP = 16 };

typedef struct {
    const float *x, *grad;    /* (images, rows, width, channels) and (images, height, width, channels) */
    int64_t height, width, channels;
    int64_t rows, missing;    /* height + side - 1 = rows + 2 missing */
} Maps;

/* what one place of grad adds to the sums of one row; near the border some places of x are missing */
static inline void add_place(const Maps *m, const float *x, const float *grad, int64_t i, int64_t j, int side,
                             int near_border, vf sums[MOST_SIDE * MOST_SIDE], vf *bias) {
    vf slope = load(grad + (i * m->width + j) * m->channels);
    *bias += slope;
    for (int ky = 0; ky < side; ky++)
        for (int kx = 0; kx < side; kx++) {
            int64_t row = i + ky - m->missing, column = j + kx - side / 2;
            if (near_border && (row < 0 || row >= m->rows || column < 0 || column >= m->width)) continue;
            sums[ky * side + kx] += slope * load(x + (row * m->width + column) * m->channels);
        }
}

/* one row of grad, at the channels where x and grad point */
static inline void add_row(const Maps *m, const float *x, const float *grad, int64_t i, int side, vf *total,
                           vf *total_bias) {
    vf sums[MOST_SIDE * MOST_SIDE], bias = all(0);
    int whole = i >= m->missing && i - m->missing + side <= m->rows;
    int64_t first = whole && side / 2 < m->width ? side / 2 : m->width, last = m->width - side / 2, j = 0;
    for (int k = 0; k < side * side; k++) sums[k] = all(0);
    for (; j < first; j++) add_place(m, x, grad, i, j, side, 1, sums, &bias);
    for (; j < last; j++) add_place(m, x, grad, i, j, side, 0, sums, &bias);
    for (; j < m->width; j++) add_place(m, x, grad, i, j, side, 1, sums, &bias);
    for (int k = 0; k < side * side; k++) total[k] += sums[k];
    *total_bias += bias;
}

static inline void add_maps(const Maps *m, int64_t images, int64_t channel, int side, float *grad_weight,
                            float *grad_bias) {
    vf total[MOST_SIDE * MOST_SIDE], bias = all(0);
    int64_t row = m->width * m->channels;
    for (int k = 0; k < side * side; k++) total[k] = all(0);
    for (int64_t b = 0; b < images; b++)
        for (int64_t i = 0; i < m->height; i++)
            add_row(m, m->x + b * m->rows * row + channel, m->grad + b * m->height * row + channel, i, side, total, &bias);
    for (int k = 0; k < side * side; k++) store(grad_weight + k * m->channels + channel, total[k]);
    store(grad_bias + channel, bias);
}

/* The groups first..last-1 of GROUP channels, at least as many in all; the last group may overlap the one before.
 * grad_weight (side, side, channels), grad_bias (channels); side 3 or 5; missing rows above and below each x. */
int depthwise_backward(const float *x, const float *grad, float *grad_weight, float *grad_bias, int64_t first,
                       int64_t last, int64_t images, int64_t height, int64_t width, int64_t channels, int64_t side,
                       int64_t missing) {
    Maps maps = {x, grad, height, width, channels, height + side - 1 - 2 * missing, missing};
    for (int64_t group = first; group < last; group++) {
        int64_t start = (group + 1) * GROUP > channels ? channels - GROUP : group * GROUP;
        for (int64_t channel = start; channel < start + GROUP; channel += LANES)
            if (side == 3)
                add_maps(&maps, images, channel, 3, grad_weight, grad_bias);
            else
                add_maps(&maps, images, channel, 5, grad_weight, grad_bias);
    }
    return 0;
}
