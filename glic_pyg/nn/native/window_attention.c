/* Cosine attention inside windows, one cell and one head at a time, in the first two caches.
 *
 *   out_i = sum_j softmax_j(scale cos(q_i, k_j) + bias_ij) v_j     over the candidates j that the mask keeps
 *
 * What nn/window_attention.py does with whole tensors, fused: keys are gathered once a cell and head, transposed and
 * set to unit length on the way; logits of four queries live in registers and one strip of memory. Plain C with GNU
 * vector types, so that any CPU with GCC or Clang can have it; each cell is computed alone, hence the result does not
 * depend on how the cells are shared between threads.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
typedef float vf __attribute__((vector_size(LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));

enum { QUERIES = 4, TILE = LANES == 16 ? 4 : 2, STRIP = TILE * LANES, PARTS = 2, MOST_WIDTH = 256 };
static const float NORM_FLOOR = 1e-12f, LEAST_EXPONENT = -87.0f, NO_EDGE = -3e38f;

typedef struct {
    int64_t rows;       /* real nodes; an id at or above is a phantom, all zeros, or a filler, not written */
    int64_t slots;      /* nodes a cell, a multiple of QUERIES */
    int64_t candidates; /* candidates a cell, a multiple of STRIP */
    int64_t heads, width; /* of each head */
} Shape;

/* what one cell and head needs: see the functions that fill it */
typedef struct {
    float *keys, *values, *weights, *queries, *mixed, *share;
    int64_t padded; /* width of a row of values, a multiple of PARTS * LANES */
} Room;

static inline vf load(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
static inline void store(float *p, vf v) { memcpy(p, &v, sizeof v); }
static inline vf all(float x) { return x - (vf){0}; }
static inline vf pick(vi yes, vf a, vf b) { return (vf)(((vi)a & yes) | ((vi)b & ~yes)); }

/* e^x for x <= 0, to about one unit in the last place; 0 is not reached, e^-87 is the least value. */
static inline vf exponential(vf x) {
    x = pick(x < LEAST_EXPONENT, all(LEAST_EXPONENT), x);
    const float to_integer = 12582912.0f; /* 3 * 2^22: adding it rounds to whole numbers */
    vf shifted = x * 1.44269504f + to_integer, n = shifted - to_integer;
    vf r = x - n * 0.693359375f + n * 2.12194440e-4f, e = all(1.0f / 5040);
    const float series[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    for (int k = 0; k < 7; k++) e = e * r + series[k];
    return (vf)((vi)e + (((vi)shifted) << 23));
}

static inline vf inverse(vf squares) {
    vf length = squares;
    for (int lane = 0; lane < LANES; lane++) length[lane] = sqrtf(length[lane]);
    return 1.0f / pick(length > NORM_FLOOR, length, all(NORM_FLOOR));
}

/* the room's keys (tiles, width, STRIP), of unit length, and values (candidates, padded) */
static void gather(const Shape *s, const float *kv, const int64_t *ids, const Room *room) {
    static const float phantom[MOST_WIDTH];
    for (int64_t j = 0; j < s->candidates; j += LANES) {
        const float *key[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            int real = ids[j + lane] < s->rows;
            key[lane] = real ? kv + ids[j + lane] * 2 * s->heads * s->width : phantom;
            float *value = room->values + (j + lane) * room->padded;
            memcpy(value, real ? key[lane] + s->heads * s->width : phantom, s->width * sizeof(float));
            memset(value + s->width, 0, (room->padded - s->width) * sizeof(float));
        }
        float *columns = room->keys + j / STRIP * STRIP * s->width + j % STRIP;
        vf squares = all(0);
        for (int64_t c = 0; c < s->width; c++) {
            vf column;
            for (int lane = 0; lane < LANES; lane++) column[lane] = key[lane][c];
            squares += column * column;
            store(columns + c * STRIP, column);
        }
        vf unit = inverse(squares);
        for (int64_t c = 0; c < s->width; c++) store(columns + c * STRIP, load(columns + c * STRIP) * unit);
    }
}

/* logits of QUERIES queries and all candidates into weights, and each query's largest */
static void multiply(const Shape *s, const float *q, const float *keys, const float *bias, const uint8_t *mask,
                     float *weights, float *largest) {
    vf most[QUERIES];
    for (int i = 0; i < QUERIES; i++) most[i] = all(NO_EDGE);
    for (int64_t j = 0; j < s->candidates; j += STRIP) {
        vf sum[QUERIES][TILE];
        for (int i = 0; i < QUERIES; i++)
            for (int t = 0; t < TILE; t++) sum[i][t] = all(0);
        for (int64_t c = 0; c < s->width; c++)
            for (int t = 0; t < TILE; t++) {
                vf key = load(keys + j * s->width + c * STRIP + t * LANES);
                for (int i = 0; i < QUERIES; i++) sum[i][t] += key * q[i * s->width + c];
            }
        for (int i = 0; i < QUERIES; i++) {
            int64_t place = i * s->candidates + j;
            int32_t kept[STRIP];
            for (int k = 0; k < STRIP; k++) kept[k] = mask[place + k];
            for (int t = 0; t < TILE; t++) {
                vi edge;
                memcpy(&edge, kept + t * LANES, sizeof edge);
                vf logit = pick(edge != 0, sum[i][t] + load(bias + place + t * LANES), all(NO_EDGE));
                most[i] = pick(logit > most[i], logit, most[i]);
                store(weights + place + t * LANES, logit);
            }
        }
    }
    for (int i = 0; i < QUERIES; i++) {
        largest[i] = most[i][0];
        for (int lane = 1; lane < LANES; lane++) largest[i] = fmaxf(largest[i], most[i][lane]);
    }
}

/* weights become exp(logit - largest), 0 where there is no edge; returns their sum */
static float normalise(const Shape *s, float *weights, float largest) {
    vf sum = all(0);
    for (int64_t j = 0; j < s->candidates; j += LANES) {
        vf logit = load(weights + j);
        vf weight = pick(logit > NO_EDGE, exponential(logit - largest), all(0));
        sum += weight;
        store(weights + j, weight);
    }
    float total = 0;
    for (int lane = 0; lane < LANES; lane++) total += sum[lane];
    return total;
}

/* QUERIES rows of out: the weighted sums of the values, PARTS vectors of channels at a time */
static void mix(const Shape *s, const float *weights, const float *values, int64_t padded, float *mixed) {
    for (int64_t first = 0; first < padded; first += PARTS * LANES) {
        vf sum[QUERIES][PARTS] = {{{0}}};
        for (int64_t j = 0; j < s->candidates; j++)
            for (int p = 0; p < PARTS; p++) {
                vf value = load(values + j * padded + first + p * LANES);
                for (int i = 0; i < QUERIES; i++) sum[i][p] += value * weights[i * s->candidates + j];
            }
        for (int i = 0; i < QUERIES; i++)
            for (int p = 0; p < PARTS; p++) store(mixed + i * padded + first + p * LANES, sum[i][p]);
    }
}

/* unit queries (QUERIES, width) times the scale; zeros for fillers */
static void unit_queries(const Shape *s, const float *q, const int64_t *ids, float scale, float *queries) {
    for (int i = 0; i < QUERIES; i++) {
        const float *from = q + ids[i] * s->heads * s->width;
        float squares = 0;
        for (int64_t c = 0; c < s->width && ids[i] < s->rows; c++) squares += from[c] * from[c];
        float unit = scale / fmaxf(sqrtf(squares), NORM_FLOOR);
        for (int64_t c = 0; c < s->width; c++) queries[i * s->width + c] = ids[i] < s->rows ? from[c] * unit : 0;
    }
}

/* One cell and head. Keys are done with before values are touched, so that each has the first cache to itself. */
static void attend(const Shape *s, const float *q, const Room *room, const float *bias, const uint8_t *mask,
                   const int64_t *ids, float scale, float *out) {
    for (int64_t i = 0; i < s->slots; i += QUERIES) {
        float largest[QUERIES], *weights = room->weights + i * s->candidates;
        unit_queries(s, q, ids + i, scale, room->queries);
        multiply(s, room->queries, room->keys, bias + i * s->candidates, mask + i * s->candidates, weights, largest);
        for (int k = 0; k < QUERIES; k++)
            room->share[i + k] = 1 / normalise(s, weights + k * s->candidates, largest[k]);
    }
    for (int64_t i = 0; i < s->slots; i += QUERIES) {
        mix(s, room->weights + i * s->candidates, room->values, room->padded, room->mixed);
        for (int k = 0; k < QUERIES; k++)
            for (int64_t c = 0; c < s->width && ids[i + k] < s->rows; c++)
                out[ids[i + k] * s->heads * s->width + c] = room->mixed[k * room->padded + c] * room->share[i + k];
    }
}

static int make_room(const Shape *s, Room *room) {
    int64_t step = PARTS * LANES, padded = (s->width + step - 1) / step * step;
    size_t keys = s->width * s->candidates, values = padded * s->candidates, weights = s->slots * s->candidates;
    size_t bytes = (keys + values + weights + QUERIES * (s->width + padded) + s->slots) * sizeof(float);
    float *place = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!place) return 0;
    *room = (Room){place, place + keys, place + keys + values, 0, 0, 0, padded};
    room->queries = room->weights + weights;
    room->mixed = room->queries + QUERIES * s->width;
    room->share = room->mixed + QUERIES * padded;
    return 1;
}

static int share_sources(const int64_t *sources, int64_t a, int64_t b, int64_t candidates) {
    return !memcmp(sources + a * candidates, sources + b * candidates, candidates * sizeof *sources);
}

/* The cells order[first..last-1]; neighbours there that have the same candidates share one gathering of them.
 * q (rows, heads*width), kv (rows, 2*heads*width) keys then values, bias (heads, slots, candidates), nodes (cells,
 * slots), sources (cells, candidates), mask (cells, slots, candidates) with at least one edge a node.
 * Returns 0, or 1 where memory is short. */
int window_attention(const float *q, const float *kv, const float *scale, const float *bias, const int64_t *nodes,
                     const int64_t *sources, const uint8_t *mask, const int64_t *order, float *out, int64_t first,
                     int64_t last, int64_t rows, int64_t slots, int64_t candidates, int64_t heads, int64_t width) {
    Shape s = {rows, slots, candidates, heads, width};
    Room room;
    if (!make_room(&s, &room)) return 1;
    for (int64_t next, start = first; start < last; start = next) {
        for (next = start + 1; next < last && share_sources(sources, order[start], order[next], candidates);) next++;
        for (int64_t head = 0; head < heads; head++) {
            gather(&s, kv + head * width, sources + order[start] * candidates, &room);
            for (int64_t k = start; k < next; k++)
                attend(&s, q + head * width, &room, bias + head * slots * candidates,
                       mask + order[k] * slots * candidates, nodes + order[k] * slots, scale[head], out + head * width);
        }
    }
    free(room.keys);
    return 0;
}
