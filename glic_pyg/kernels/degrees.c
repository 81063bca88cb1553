/* Degrees scaled to a budget (glic_pyg/graph/degree.py). All numbers are whole and below 2^52, and so exact in doubles: the
 * sums do not depend on the order of their terms.
 */
#include "vector.h"

enum { WIDTH = 8 };
typedef double vd __attribute__((vector_size(WIDTH * 8)));
typedef int64_t vl __attribute__((vector_size(WIDTH * 8)));

/* One row in whole vectors, zeros at the end. */
typedef struct { vd *values, *lower, *upper; int64_t vectors; } Degrees;

static inline vd choose(vl yes, vd a, vd b) { return (vd)(((vl)a & yes) | ((vl)b & ~yes)); }

/* clamp(floor(factor * values), lower, upper), for products from 0 to 2^52 */
static inline vd scaled(Degrees row, int64_t i, double factor) {
    const double to_integer = 4503599627370496.0; /* 2^52: adding it rounds to whole numbers */
    vd product = row.values[i] * factor, rounded = product + to_integer - to_integer;
    vd whole = rounded - choose(rounded > product, (vd){0} + 1.0, (vd){0});
    whole = choose(whole < row.lower[i], row.lower[i], whole);
    return choose(whole > row.upper[i], row.upper[i], whole);
}

static inline double scaled_sum(Degrees row, double factor) {
    vd sums = {0};
    for (int64_t i = 0; i < row.vectors; i++) sums += scaled(row, i, factor);
    double sum = 0;
    for (int lane = 0; lane < WIDTH; lane++) sum += sums[lane];
    return sum;
}

static void read_whole(vd *out, const int64_t *in, int64_t places) {
    for (int64_t j = 0; j < places; j++) ((double *)out)[j] = (double)in[j];
}

/* clamp(floor(factor * values), lower, upper) with the largest factor up to `high` whose sum stays in the budget of the
 * row; values, lower, upper, out (rows, places), high and budget (rows). A piece of work is a row. */
int scale_degrees(const double *values, const int64_t *lower, const int64_t *upper, const double *high,
                  const int64_t *budget, int64_t *out, int64_t first, int64_t last, int64_t places, int64_t steps) {
    Degrees row = {.vectors = (places + WIDTH - 1) / WIDTH};
    size_t bytes = (row.vectors + 1) * sizeof(vd);
    row.values = aligned_alloc(sizeof(vd), 3 * bytes);
    if (!row.values) return 1;
    memset(row.values, 0, 3 * bytes);
    row.lower = row.values + row.vectors + 1, row.upper = row.lower + row.vectors + 1;
    for (int64_t i = first; i < last; i++) {
        memcpy(row.values, values + i * places, places * sizeof(double));
        read_whole(row.lower, lower + i * places, places);
        read_whole(row.upper, upper + i * places, places);
        double bottom = 0, top = high[i];
        for (int64_t step = 0; step < steps; step++) {
            double factor = (bottom + top) / 2;
            if (scaled_sum(row, factor) > (double)budget[i]) top = factor;
            else bottom = factor;
        }
        for (int64_t k = 0; k < row.vectors; k++) row.values[k] = scaled(row, k, bottom);
        for (int64_t j = 0; j < places; j++) out[i * places + j] = (int64_t)((double *)row.values)[j];
    }
    free(row.values);
    return 0;
}
