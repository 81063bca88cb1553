/* Cosine attention inside windows, a strip of nodes of one cell and one head at a time, in the first two caches.
 *
 *   out_i = sum_j softmax_j(scale cos(q_i, k_j) + bias_ij) v_j     over the candidates j that the mask keeps
 *
 * and 0 if it keeps none. What nn/attention_in_blocks.py does with whole tensors, fused. Each cell is computed alone, hence the result does not
 * depend on how the cells are shared between threads.
 */
#include "window_cell.h"

typedef struct {
    float *keys, *values;   /* (candidates, padded); keys of unit length */
    float *weights;         /* (candidates, STRIP) */
    float *queries, *mixed; /* (padded, STRIP) */
} Room;

static int make_room(const Shape *s, Room *r) {
    size_t rows = s->candidates * s->padded, columns = s->padded * STRIP;
    size_t sizes[] = {rows, rows, s->candidates * STRIP, columns, columns};
    float **places[] = {&r->keys, &r->values, &r->weights, &r->queries, &r->mixed};
    return divide_room(sizeof sizes / sizeof *sizes, sizes, places);
}

/* columns (width, STRIP) become of length scale */
static inline void scale_queries(const Shape *s, float scale, float *columns) {
    vf factors[TILE];
    for (int t = 0; t < TILE; t++) {
        vf squares = all(0);
        for (int64_t c = 0; c < s->width; c++) {
            vf value = load(columns + c * STRIP + t * LANES);
            squares += value * value;
        }
        for (int lane = 0; lane < LANES; lane++) factors[t][lane] = scale * inverse_length(squares[lane]);
    }
    scale_columns(s->width, columns, factors);
}

/* One strip and head; bias points at the strip. */
static void attend(const Shape *s, const Room *r, const float *q, const float *bias, const int32_t *edges,
                   const int64_t *ids, float scale, float *out) {
    vf largest[TILE], sum[TILE];
    gather_columns(s, q, s->heads * s->width, ids, r->queries);
    scale_queries(s, scale, r->queries);
    for (int t = 0; t < TILE; t++) sum[t] = all(0);
    compare(s, r->keys, r->queries, bias, edges, r->weights, largest);
    memset(r->mixed, 0, s->padded * STRIP * sizeof(float));
    for (int64_t j = 0; j < s->candidates; j += BLOCK) {
        int64_t count = s->candidates - j < BLOCK ? s->candidates - j : BLOCK;
        exponentiate(r->weights + j * STRIP, count, largest, sum);
        mix(s, r->weights + j * STRIP, r->values + j * s->padded, count, r->mixed);
    }
    for (int t = 0; t < TILE; t++) sum[t] = share(sum[t]);
    scale_columns(s->width, r->mixed, sum);
    scatter_columns(s, r->mixed, ids, s->heads * s->width, out);
}

/* The cells order[first..last-1]; neighbours there that have the same candidates share one gathering of them.
 * q (images * nodes, heads * width), kv (images * nodes, 2 * heads * width) keys then values, bias (heads, candidates,
 * slots), ids (images * cells, slots) of the nodes, sources (images * cells, candidates), edges as of window_edges.
 * Returns 0, or 1 where memory is short. */
int window_attention(const float *q, const float *kv, const float *scale, const float *bias, const int64_t *ids,
                     const int64_t *sources, const int32_t *edges, const int64_t *order, float *out, int64_t first,
                     int64_t last, int64_t images, int64_t nodes, int64_t cells, int64_t slots, int64_t candidates,
                     int64_t heads, int64_t width) {
    Shape s = {0, images * nodes, slots, candidates, heads, width, padded_width(width)};
    int64_t pitch = 2 * heads * width, logits = slots * candidates;
    Room room;
    (void)cells;
    if (!make_room(&s, &room)) return 1;
    for (int64_t next, start = first; start < last; start = next) {
        const int64_t *from = sources + order[start] * candidates;
        next = same_sources(&s, sources, order, start, last);
        for (int64_t head = 0; head < heads; head++) {
            gather(&s, kv + head * width, pitch, from, candidates, room.keys);
            unit_rows(&s, candidates, room.keys, NULL);
            gather(&s, kv + (heads + head) * width, pitch, from, candidates, room.values);
            for (int64_t k = start; k < next; k++)
                for (int64_t i = 0; i < slots; i += STRIP)
                    attend(&s, &room, q + head * width, bias + head * logits + i,
                           edges + (order[k] * slots + i) * candidates / TILE, ids + order[k] * slots + i, scale[head],
                           out + head * width);
        }
    }
    free(room.keys);
    return 0;
}
