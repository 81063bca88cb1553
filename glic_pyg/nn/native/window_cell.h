/* What the forward and the backward pass of window attention share: one cell and one head, up to the weights.
 *
 * Candidates are taken STRIP at a time; a strip of some rows that are read by channel is kept transposed, (width, STRIP),
 * and the weights of a cell are kept strip by strip, (candidates / STRIP, slots, STRIP), so that each piece of work walks
 * through memory in order.
 */
#include "vector.h"

enum { QUERIES = 4, TILE = LANES == 16 ? 4 : 2, STRIP = TILE * LANES, PARTS = 2, MOST_WIDTH = 256 };
static const float NORM_FLOOR = 1e-12f, NO_EDGE = -3e38f;

typedef struct {
    int64_t rows;         /* real nodes; an id at or above is a phantom, all zeros, or a filler, not written */
    int64_t slots;        /* nodes a cell, a multiple of QUERIES */
    int64_t candidates;   /* candidates a cell, a multiple of STRIP */
    int64_t heads, width; /* of each head */
    int64_t padded;       /* width of a row in working memory, a multiple of PARTS * LANES; zeros at the end */
} Shape;

static inline int64_t padded_width(int64_t width) {
    int64_t step = PARTS * LANES;
    return (width + step - 1) / step * step;
}

static inline vf inverse(vf squares) {
    vf length = squares;
    for (int lane = 0; lane < LANES; lane++) length[lane] = sqrtf(length[lane]);
    return 1.0f / pick(length > NORM_FLOOR, length, all(NORM_FLOOR));
}

/* The candidates' rows, zeros for phantoms, transposed strip by strip; of unit length if lengths are wanted,
 * whose inverses are then kept. */
static inline void gather_columns(const Shape *s, const float *from, const int64_t *ids, float *columns,
                                  float *inverses) {
    static const float phantom[MOST_WIDTH];
    for (int64_t j = 0; j < s->candidates; j += LANES) {
        const float *row[LANES];
        for (int lane = 0; lane < LANES; lane++)
            row[lane] = ids[j + lane] < s->rows ? from + ids[j + lane] * 2 * s->heads * s->width : phantom;
        float *place = columns + j / STRIP * STRIP * s->width + j % STRIP;
        vf squares = all(0);
        for (int64_t c = 0; c < s->width; c++) {
            vf column;
            for (int lane = 0; lane < LANES; lane++) column[lane] = row[lane][c];
            squares += column * column;
            store(place + c * STRIP, column);
        }
        if (!inverses) continue;
        vf unit = inverse(squares);
        for (int64_t c = 0; c < s->width; c++) store(place + c * STRIP, load(place + c * STRIP) * unit);
        store(inverses + j, unit);
    }
}

/* the same rows as they lie, (candidates, padded), each times its factor if there are factors */
static inline void gather_rows(const Shape *s, const float *from, const int64_t *ids, const float *factors,
                               float *rows) {
    for (int64_t j = 0; j < s->candidates; j++, rows += s->padded) {
        const float *row = from + ids[j] * 2 * s->heads * s->width;
        memset(rows, 0, s->padded * sizeof(float));
        for (int64_t c = 0; c < s->width && ids[j] < s->rows; c++) rows[c] = factors ? row[c] * factors[j] : row[c];
    }
}

/* inner products of QUERIES rows with a strip of columns */
static inline void multiply(const Shape *s, const float *rows, const float *columns, vf sum[QUERIES][TILE]) {
    for (int i = 0; i < QUERIES; i++)
        for (int t = 0; t < TILE; t++) sum[i][t] = all(0);
    for (int64_t c = 0; c < s->width; c++)
        for (int t = 0; t < TILE; t++) {
            vf column = load(columns + c * STRIP + t * LANES);
            for (int i = 0; i < QUERIES; i++) sum[i][t] += column * rows[i * s->padded + c];
        }
}

/* QUERIES rows of weighted sums of the candidates' rows, PARTS vectors of channels at a time */
static inline void mix(const Shape *s, const float *weights, const float *rows, float *mixed) {
    for (int64_t first = 0; first < s->padded; first += PARTS * LANES) {
        vf sum[QUERIES][PARTS] = {{{0}}};
        const float *row = rows + first;
        for (int64_t strip = 0; strip < s->candidates / STRIP; strip++)
            for (int64_t j = 0; j < STRIP; j++, row += s->padded)
                for (int p = 0; p < PARTS; p++) {
                    vf value = load(row + p * LANES);
                    for (int i = 0; i < QUERIES; i++)
                        sum[i][p] += value * weights[(strip * s->slots + i) * STRIP + j];
                }
        for (int i = 0; i < QUERIES; i++)
            for (int p = 0; p < PARTS; p++) store(mixed + i * s->padded + first + p * LANES, sum[i][p]);
    }
}

/* unit queries (QUERIES, padded) times the scale, and scale / length; zeros for fillers */
static inline void unit_queries(const Shape *s, const float *q, const int64_t *ids, float scale, float *queries,
                                float *factors) {
    for (int i = 0; i < QUERIES; i++, queries += s->padded) {
        const float *from = q + ids[i] * s->heads * s->width;
        float squares = 0;
        memset(queries, 0, s->padded * sizeof(float));
        factors[i] = 0;
        if (ids[i] >= s->rows) continue;
        for (int64_t c = 0; c < s->width; c++) squares += from[c] * from[c];
        factors[i] = scale / fmaxf(sqrtf(squares), NORM_FLOOR);
        for (int64_t c = 0; c < s->width; c++) queries[c] = from[c] * factors[i];
    }
}

/* logits of QUERIES queries and all candidates into weights, and each query's largest */
static inline void compare(const Shape *s, const float *queries, const float *keys, const float *bias,
                           const uint8_t *mask, float *weights, float *largest) {
    vf most[QUERIES], sum[QUERIES][TILE];
    for (int i = 0; i < QUERIES; i++) most[i] = all(NO_EDGE);
    for (int64_t j = 0; j < s->candidates; j += STRIP) {
        multiply(s, queries, keys + j * s->width, sum);
        for (int i = 0; i < QUERIES; i++) {
            int32_t kept[STRIP];
            for (int k = 0; k < STRIP; k++) kept[k] = mask[i * s->candidates + j + k];
            for (int t = 0; t < TILE; t++) {
                vi edge;
                memcpy(&edge, kept + t * LANES, sizeof edge);
                vf logit = sum[i][t] + load(bias + i * s->candidates + j + t * LANES);
                logit = pick(edge != 0, logit, all(NO_EDGE));
                most[i] = pick(logit > most[i], logit, most[i]);
                store(weights + j * s->slots + i * STRIP + t * LANES, logit);
            }
        }
    }
    for (int i = 0; i < QUERIES; i++) {
        largest[i] = most[i][0];
        for (int lane = 1; lane < LANES; lane++) largest[i] = fmaxf(largest[i], most[i][lane]);
    }
}

/* one query's weights become exp(logit - largest), 0 where there is no edge; returns their sum */
static inline float normalise(const Shape *s, float *weights, float largest) {
    vf sum = all(0);
    for (int64_t j = 0; j < s->candidates; j += STRIP)
        for (int t = 0; t < TILE; t++) {
            float *place = weights + j * s->slots + t * LANES;
            vf logit = load(place), weight = pick(logit > NO_EDGE, exponential(logit - largest), all(0));
            sum += weight;
            store(place, weight);
        }
    return total(sum);
}

/* One cell and head: unit queries (slots, padded) and their factors (slots), weights not yet divided by their sum,
 * and share (slots), what divides them. */
static inline void weigh(const Shape *s, const float *q, const float *keys, const float *bias, const uint8_t *mask,
                         const int64_t *ids, float scale, float *queries, float *factors, float *weights,
                         float *share) {
    for (int64_t i = 0; i < s->slots; i += QUERIES) {
        float largest[QUERIES];
        unit_queries(s, q, ids + i, scale, queries + i * s->padded, factors + i);
        compare(s, queries + i * s->padded, keys, bias + i * s->candidates, mask + i * s->candidates,
                weights + i * STRIP, largest);
        for (int k = 0; k < QUERIES; k++) share[i + k] = 1 / normalise(s, weights + (i + k) * STRIP, largest[k]);
    }
}

static inline int share_sources(const Shape *s, const int64_t *sources, int64_t a, int64_t b) {
    return !memcmp(sources + a * s->candidates, sources + b * s->candidates, s->candidates * sizeof *sources);
}
