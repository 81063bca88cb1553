/* Depthwise convolution of rows of channels, LANES channels at a time, alone or with the gate that follows it.
 *
 *   out[b, i, j, c] = bias[c] + sum over ky, kx of weight[ky, kx, c] x[b, i + ky - above, j + kx - side / 2, c]
 *
 * x is zero beyond its border. Each value is computed alone, hence the result does not depend on how rows are shared
 * between threads.
 */
#include "normal.h"

enum { COLUMNS = 4 }; /* neighbouring places that share what is read */

typedef struct {
    int64_t rows, above;              /* of x; those of the halo above it that it lacks */
    int64_t height, width, channels;  /* of the result */
} Maps;

/* count places of a row of the result from column j, at the channels where x, weight and bias point */
static inline __attribute__((always_inline)) void convolve(const Maps *m, const float *x, const float *weight,
                                                           const float *bias, int64_t i, int64_t j, int count,
                                                           int side, int near_border, vf *sum) {
    for (int t = 0; t < count; t++) sum[t] = bias ? load(bias) : all(0);
    for (int ky = 0; ky < side; ky++) {
        int64_t row = i + ky - m->above;
        if (row < 0 || row >= m->rows) continue;
        for (int kx = 0; kx < side; kx++) {
            vf tap = load(weight + (ky * side + kx) * m->channels);
            for (int t = 0; t < count; t++) {
                int64_t column = j + t + kx - side / 2;
                if (near_border && (column < 0 || column >= m->width)) continue;
                sum[t] += tap * load(x + (row * m->width + column) * m->channels);
            }
        }
    }
}

/* What one call works on; u and, with a gate, v. */
typedef struct {
    Maps maps;
    const float *u, *v, *weight_u, *weight_v, *bias;
    float *out;
} Problem;

/* count places of row i of an image's result */
static inline __attribute__((always_inline)) void some_places(const Problem *p, int64_t image, int64_t i, int64_t j,
                                                              int count, int side, int near_border) {
    const Maps *m = &p->maps;
    int64_t from = image * m->rows * m->width * m->channels;
    float *out = p->out + ((image * m->height + i) * m->width + j) * m->channels;
    for (int64_t group = 0; group < m->channels; group += LANES) {
        int64_t c = group + LANES > m->channels ? m->channels - LANES : group;
        vf u[COLUMNS], v[COLUMNS];
        convolve(m, p->u + from + c, p->weight_u + c, p->bias ? p->bias + c : NULL, i, j, count, side, near_border, u);
        if (p->v) convolve(m, p->v + from + c, p->weight_v + c, NULL, i, j, count, side, near_border, v);
        for (int t = 0; t < count; t++)
            store(out + t * m->channels + c, p->v ? u[t] * normal(u[t]).integral * v[t] : u[t]);
    }
}

static inline __attribute__((always_inline)) void one_row(const Problem *p, int64_t image, int64_t i, int side) {
    int64_t width = p->maps.width, j = 0;
    while (j < width) {
        if (j >= side / 2 && j + COLUMNS + side / 2 <= width) {
            some_places(p, image, i, j, COLUMNS, side, 0);
            j += COLUMNS;
        } else
            some_places(p, image, i, j++, 1, side, 1);
    }
}

/* Rows first..last-1 of the results of all images, (images * height, width, channels); as many channels as LANES or more.
 * Maps (images, rows, width, channels), weights (side, side, channels), side 3 or 5; v and bias may be missing. With v the
 * result is GELU(convolved u) (convolved v). */
int depthwise(const float *u, const float *v, const float *weight_u, const float *weight_v, const float *bias, float *out,
              int64_t first, int64_t last, int64_t rows, int64_t above, int64_t height, int64_t width, int64_t channels,
              int64_t side) {
    Problem p = {{rows, above, height, width, channels}, u, v, weight_u, weight_v, bias, out};
    for (int64_t row = first; row < last; row++)
        if (side == 3)
            one_row(&p, row / height, row % height, 3);
        else
            one_row(&p, row / height, row % height, 5);
    return 0;
}
