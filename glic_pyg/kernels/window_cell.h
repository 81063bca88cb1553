/* What the passes of window attention share: a strip of nodes of one cell and one head, up to the weights.
 *
 * A vector holds one value of LANES nodes. What belongs to the nodes of a strip is kept transposed, STRIP nodes a row;
 * a candidate's row is read as it lies and its values are broadcast. So a sum over candidates is never one over the lanes
 * of a vector, and the weights (candidates, STRIP) are walked through in order.
 */
#include "vector.h"

enum { TILE = LANES == 16 ? 4 : 2, STRIP = TILE * LANES, ROWS = 4 };
enum { BLOCK = 64 }; /* candidates whose weights are used while they are in the first cache */
static const float NORM_FLOOR = 1e-12f, NO_EDGE = -3e38f, LEAST_LOGIT = -1e38f;

typedef struct {
    int64_t first, rows;  /* ids of real nodes, first..rows-1; any other is a padding node, all zeros, or a filler, not written */
    int64_t slots;        /* nodes a cell, a multiple of STRIP */
    int64_t candidates;   /* candidates a cell, a multiple of ROWS */
    int64_t heads, width; /* of each head */
    int64_t padded;       /* width of a candidate's row in working memory; zeros at the end */
} Shape;

static inline int64_t padded_width(int64_t width) { return (width + 2 * LANES - 1) / (2 * LANES) * 2 * LANES; }

/* asks for the next head's part of a row, which will be read soon */
static inline void prefetch(const Shape *s, const float *row) {
    __builtin_prefetch(row + s->width);
    __builtin_prefetch(row + 2 * s->width - 1);
}

static inline float inverse_length(float squares) { return 1 / fmaxf(sqrtf(squares), NORM_FLOOR); }

static inline int is_real(const Shape *s, int64_t id) { return id >= s->first && id < s->rows; }

/* so many rows, pitch apart, as rows (count, padded) whose ends are zero already; zeros for padding nodes and fillers */
static inline void gather(const Shape *s, const float *from, int64_t pitch, const int64_t *ids, int64_t count,
                          float *rows) {
    size_t bytes = s->width * sizeof(float);
    for (int64_t j = 0; j < count; j++, rows += s->padded) {
        if (!is_real(s, ids[j])) {
            memset(rows, 0, bytes);
            continue;
        }
        const float *row = from + (ids[j] - s->first) * pitch;
        memcpy(rows, row, bytes);
        prefetch(s, row);
    }
}

static inline float dot_rows(const Shape *s, const float *a, const float *b) {
    vf sum = all(0);
    for (int64_t c = 0; c < s->padded; c += LANES) sum += load(a + c) * load(b + c);
    return total(sum);
}

/* rows (count, padded) become of unit length; their inverse lengths are kept where there is room for them */
static inline void unit_rows(const Shape *s, int64_t count, float *rows, float *inverses) {
    for (int64_t j = 0; j < count; j++, rows += s->padded) {
        float inverse = inverse_length(dot_rows(s, rows, rows));
        for (int64_t c = 0; c < s->padded; c += LANES) store(rows + c, load(rows + c) * inverse);
        if (inverses) inverses[j] = inverse;
    }
}

/* the rows of a strip's nodes transposed, (padded, STRIP); zeros for fillers */
static inline void gather_columns(const Shape *s, const float *from, int64_t pitch, const int64_t *ids,
                                  float *columns) {
    memset(columns, 0, s->padded * STRIP * sizeof(float));
    for (int64_t i = 0; i < STRIP; i++) {
        if (!is_real(s, ids[i])) continue;
        const float *row = from + (ids[i] - s->first) * pitch;
        prefetch(s, row);
        for (int64_t c = 0; c < s->width; c++) columns[c * STRIP + i] = row[c];
    }
}

static inline void scatter_columns(const Shape *s, const float *columns, const int64_t *ids, int64_t pitch, float *to) {
    for (int64_t i = 0; i < STRIP; i++) {
        if (!is_real(s, ids[i])) continue;
        float *row = to + (ids[i] - s->first) * pitch;
        for (int64_t c = 0; c < s->width; c++) row[c] = columns[c * STRIP + i];
    }
}

/* columns (count, STRIP) are multiplied by one factor a node */
static inline void scale_columns(int64_t count, float *columns, const vf factors[TILE]) {
    for (int64_t c = 0; c < count; c++)
        for (int t = 0; t < TILE; t++) {
            float *place = columns + c * STRIP + t * LANES;
            store(place, load(place) * factors[t]);
        }
}

/* inner products of ROWS rows with a strip of columns */
static inline void multiply(const Shape *s, const float *rows, const float *columns, vf sum[ROWS][TILE]) {
    for (int i = 0; i < ROWS; i++)
        for (int t = 0; t < TILE; t++) sum[i][t] = all(0);
    for (int64_t c = 0; c < s->width; c++)
        for (int t = 0; t < TILE; t++) {
            vf column = load(columns + c * STRIP + t * LANES);
            for (int i = 0; i < ROWS; i++) sum[i][t] += column * rows[i * s->padded + c];
        }
}

/* columns (padded, STRIP) += sums of so many candidates' rows, weighted; CHANNELS of them at a time */
static inline void mix(const Shape *s, const float *weights, const float *rows, int64_t count, float *columns) {
    enum { CHANNELS = 4 };
    for (int64_t c = 0; c < s->width; c += CHANNELS) {
        vf sum[CHANNELS][TILE];
        for (int k = 0; k < CHANNELS; k++)
            for (int t = 0; t < TILE; t++) sum[k][t] = load(columns + (c + k) * STRIP + t * LANES);
        for (int64_t j = 0; j < count; j++)
            for (int t = 0; t < TILE; t++) {
                vf weight = load(weights + j * STRIP + t * LANES);
                for (int k = 0; k < CHANNELS; k++) sum[k][t] += weight * rows[j * s->padded + c + k];
            }
        for (int k = 0; k < CHANNELS; k++)
            for (int t = 0; t < TILE; t++) store(columns + (c + k) * STRIP + t * LANES, sum[k][t]);
    }
}

/* Logits of a strip and all candidates into weights, (candidates, STRIP), and each node's largest, or LEAST_LOGIT.
 * bias (candidates, slots) points at the strip; for edges see window_edges.c. */
static inline void compare(const Shape *s, const float *keys, const float *queries, const float *bias,
                           const int32_t *edges, float *weights, vf largest[TILE]) {
    vf sum[ROWS][TILE];
    for (int t = 0; t < TILE; t++) largest[t] = all(LEAST_LOGIT);
    for (int64_t j = 0; j < s->candidates; j += ROWS) {
        multiply(s, keys + j * s->padded, queries, sum);
        for (int i = 0; i < ROWS; i++)
            for (int t = 0; t < TILE; t++) {
                vi edge = (load_words(edges + (j + i) * LANES) & (1 << t)) != 0;
                vf logit = pick(edge, sum[i][t] + load(bias + (j + i) * s->slots + t * LANES), all(NO_EDGE));
                largest[t] = pick(logit > largest[t], logit, largest[t]);
                store(weights + (j + i) * STRIP + t * LANES, logit);
            }
    }
}

/* weights of so many candidates become exp(logit - largest), 0 where there is no edge, and are added to sum */
static inline void exponentiate(float *weights, int64_t count, const vf largest[TILE], vf sum[TILE]) {
    for (int64_t j = 0; j < count; j++)
        for (int t = 0; t < TILE; t++) {
            float *place = weights + j * STRIP + t * LANES;
            vf weight = exponential(load(place) - largest[t]);
            sum[t] += weight;
            store(place, weight);
        }
}

/* what a sum of weights is divided by, inverse; 0 for a node without edges */
static inline vf share(vf sum) { return pick(sum == 0, all(0), 1 / sum); }

/* The end of the cells that follow order[start], before stop, and have the same candidates. */
static inline int64_t same_sources(const Shape *s, const int64_t *sources, const int64_t *order, int64_t start,
                                   int64_t stop) {
    const int64_t *first = sources + order[start] * s->candidates;
    int64_t next = start + 1;
    size_t bytes = s->candidates * sizeof *first;
    while (next < stop && !memcmp(first, sources + order[next] * s->candidates, bytes)) next++;
    return next;
}
