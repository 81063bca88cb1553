/* Gradients of a depthwise convolution at its weight and bias, LANES channels at a time.
 *
 *   grad_weight[ky, kx, c] = sum over b, i, j of grad[b, i, j, c] x[b, i + ky - padding, j + kx - side / 2, c]
 *
 * Maps as rows of channels; x is zero beyond its border. One thread sums up a group of channels in order, hence the
 * result does not depend on the number of threads.
 */
#include "vector.h"

enum { MOST_SIDE = 5, GROUP = 16 };

typedef struct {
    const float *x, *grad;    /* (images, rows, width, channels) and (images, height, width, channels) */
    int64_t rows, padding;    /* of x; height + side - 1 = rows + 2 padding */
    int64_t height, width, channels;
} Maps;

/* what one place of grad adds to the sums of one row; near the border some places of x are padding */
static inline void add_place(const Maps *m, const float *x, const float *grad, int64_t i, int64_t j, int side,
                             int near_border, vf sums[MOST_SIDE * MOST_SIDE], vf *bias) {
    vf slope = load(grad + (i * m->width + j) * m->channels);
    *bias += slope;
    for (int ky = 0; ky < side; ky++)
        for (int kx = 0; kx < side; kx++) {
            int64_t row = i + ky - m->padding, column = j + kx - side / 2;
            if (near_border && (row < 0 || row >= m->rows || column < 0 || column >= m->width)) continue;
            sums[ky * side + kx] += slope * load(x + (row * m->width + column) * m->channels);
        }
}

/* one row of grad, at the channels where x, grad and total (taps + 1, GROUP) point */
static inline void add_row(const Maps *m, const float *x, const float *grad, int64_t i, int side, float *total) {
    vf sums[MOST_SIDE * MOST_SIDE], bias = all(0);
    int whole = i >= m->padding && i - m->padding + side <= m->rows;
    int64_t first = whole && side / 2 < m->width ? side / 2 : m->width, last = m->width - side / 2, j = 0;
    for (int k = 0; k < side * side; k++) sums[k] = all(0);
    for (; j < first; j++) add_place(m, x, grad, i, j, side, 1, sums, &bias);
    for (; j < last; j++) add_place(m, x, grad, i, j, side, 0, sums, &bias);
    for (; j < m->width; j++) add_place(m, x, grad, i, j, side, 1, sums, &bias);
    for (int k = 0; k < side * side; k++) store(total + k * GROUP, load(total + k * GROUP) + sums[k]);
    total += side * side * GROUP;
    store(total, load(total) + bias);
}

static inline int64_t first_channel(const Maps *m, int64_t group) {
    return (group + 1) * GROUP > m->channels ? m->channels - GROUP : group * GROUP;
}

/* Adds up to total, (last - first, side * side + 1, GROUP): the bias last. Row by row, so that each is read from memory
 * once for all channels. */
static inline void add_maps(const Maps *m, int64_t images, int64_t first, int64_t last, int side, float *total) {
    int64_t row = m->width * m->channels, kept = (side * side + 1) * GROUP;
    for (int64_t b = 0; b < images; b++)
        for (int64_t i = 0; i < m->height; i++)
            for (int64_t group = first; group < last; group++)
                for (int64_t lane = 0; lane < GROUP; lane += LANES) {
                    int64_t channel = first_channel(m, group) + lane;
                    add_row(m, m->x + b * m->rows * row + channel, m->grad + b * m->height * row + channel, i, side,
                            total + (group - first) * kept + lane);
                }
}

/* The groups first..last-1 of GROUP channels, at least as many in all; the last group may overlap the one before.
 * grad_weight (side, side, channels), grad_bias (channels); side 3 or 5; padding rows above and below each x.
 * Returns 0, or 1 where memory is short. */
int depthwise_backward(const float *x, const float *grad, float *grad_weight, float *grad_bias, int64_t first,
                       int64_t last, int64_t images, int64_t rows, int64_t padding, int64_t height, int64_t width,
                       int64_t channels, int64_t side) {
    Maps maps = {x, grad, rows, padding, height, width, channels};
    int64_t taps = side * side, kept = (taps + 1) * GROUP;
    float *total = calloc((last - first) * kept, sizeof(float));
    if (!total) return 1;
    if (side == 3)
        add_maps(&maps, images, first, last, 3, total);
    else
        add_maps(&maps, images, first, last, 5, total);
    for (int64_t group = first; group < last; group++)
        for (int64_t k = 0; k <= taps; k++) {
            float *to = k < taps ? grad_weight + k * channels : grad_bias;
            memcpy(to + first_channel(&maps, group), total + (group - first) * kept + k * GROUP, GROUP * sizeof(float));
        }
    free(total);
    return 0;
}
