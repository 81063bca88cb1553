/* Cosine attention inside windows, one cell and one head at a time, in the first two caches.
 *
 *   out_i = sum_j softmax_j(scale cos(q_i, k_j) + bias_ij) v_j     over the candidates j that the mask keeps
 *
 * What nn/window_attention.py does with whole tensors, fused. Each cell is computed alone, hence the result does not
 * depend on how the cells are shared between threads.
 */
#include "window_cell.h"

typedef struct {
    float *keys, *inverses;   /* of unit length, transposed; 1 / their lengths */
    float *values;            /* (candidates, padded) */
    float *weights;           /* (candidates / STRIP, slots, STRIP) */
    float *queries, *factors; /* (slots, padded), (slots) */
    float *share, *mixed;     /* (slots), (QUERIES, padded) */
} Room;

static int make_room(const Shape *s, Room *room) {
    size_t sizes[] = {s->width * s->candidates, s->candidates, s->padded * s->candidates, s->slots * s->candidates,
                      s->slots * s->padded, s->slots, s->slots, QUERIES * s->padded};
    float **places[] = {&room->keys, &room->inverses, &room->values, &room->weights, &room->queries, &room->factors, &room->share,
                        &room->mixed};
    return divide_room(sizeof sizes / sizeof *sizes, sizes, places);
}

/* One cell and head. Keys are done with before values are touched, so that each has the first cache to itself. */
static void attend(const Shape *s, const float *q, const Room *r, const float *bias, const uint8_t *mask,
                   const int64_t *ids, float scale, float *out) {
    weigh(s, q, r->keys, bias, mask, ids, scale, r->queries, r->factors, r->weights, r->share);
    for (int64_t i = 0; i < s->slots; i += QUERIES) {
        mix(s, r->weights + i * STRIP, r->values, r->mixed);
        for (int k = 0; k < QUERIES; k++)
            for (int64_t c = 0; c < s->width && ids[i + k] < s->rows; c++)
                out[ids[i + k] * s->heads * s->width + c] = r->mixed[k * s->padded + c] * r->share[i + k];
    }
}

/* The cells order[first..last-1]; neighbours there that have the same candidates share one gathering of them.
 * q (rows, heads*width), kv (rows, 2*heads*width) keys then values, bias (heads, slots, candidates), nodes (cells,
 * slots), sources (cells, candidates), mask (cells, slots, candidates) with at least one edge a node.
 * Returns 0, or 1 where memory is short. */
int window_attention(const float *q, const float *kv, const float *scale, const float *bias, const int64_t *nodes,
                     const int64_t *sources, const uint8_t *mask, const int64_t *order, float *out, int64_t first,
                     int64_t last, int64_t rows, int64_t slots, int64_t candidates, int64_t heads, int64_t width) {
    Shape s = {rows, slots, candidates, heads, width, padded_width(width)};
    Room room;
    if (!make_room(&s, &room)) return 1;
    for (int64_t next, start = first; start < last; start = next) {
        const int64_t *from = sources + order[start] * candidates;
        for (next = start + 1; next < last && share_sources(&s, sources, order[start], order[next]);) next++;
        for (int64_t head = 0; head < heads; head++) {
            gather_columns(&s, kv + head * width, from, room.keys, room.inverses);
            gather_rows(&s, kv + (heads + head) * width, from, NULL, room.values);
            for (int64_t k = start; k < next; k++)
                attend(&s, q + head * width, &room, bias + head * slots * candidates,
                       mask + order[k] * slots * candidates, nodes + order[k] * slots, scale[head], out + head * width);
        }
    }
    free(room.keys);
    return 0;
}
