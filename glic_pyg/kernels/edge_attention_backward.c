/* Gradients of edge_attention.c. The weights are computed again from the logarithms that the forward pass kept:
 *
 *   P_ij = exp(L_ij - lse_i),   dL_ij = P_ij (dOut_i v_j - dOut_i out_i),
 *   dq_i = sum_j dL_ij k_j,   dk_j = sum_i dL_ij q_i,   dv_j = sum_i P_ij dOut_i,   dtable = sum of dL by entry
 *
 * The edges of one head are added up by one thread in their order, hence nothing is written by two threads and the
 * result does not depend on their number.
 */
#include "edge_rows.h"

typedef struct {
    float *kv, *grad_kv; /* (sources, 2 * padded): keys beside values */
    float *q, *grad, *grad_q;
} Room;

/* One node: count edges, its q, dOut and dOut out; adds to grad_kv and grad_table and writes grad_q. */
INLINE void attend_backward(int vectors, int64_t count, const Room *r, float lse, float dot, const float *table,
                            const int64_t *source, const int16_t *entry, double *grad_table) {
    int64_t padded = vectors * LANES, apart = 2 * padded, ids[LANES];
    vf row[MOST_VECTORS], grad[MOST_VECTORS], sums[MOST_VECTORS];
    for (int c = 0; c < vectors; c++)
        row[c] = load(r->q + c * LANES), grad[c] = load(r->grad + c * LANES), sums[c] = all(0);
    for (int64_t e = 0; e < count; e += LANES) {
        vi edge = take_sources(source + e, count - e, ids);
        vf logit = products(vectors, row, r->kv, apart, ids) + biases(table, entry ? entry + e : 0, count - e);
        vf weight = pick(edge, exponential(logit - lse), all(0));
        vf slope = weight * (products(vectors, grad, r->kv + padded, apart, ids) - dot);
        for (int64_t i = 0; i < LANES && i < count - e; i++) {
            const float *key = r->kv + ids[i] * apart;
            float *grad_key = r->grad_kv + ids[i] * apart, w = weight[i], s = slope[i];
            for (int c = 0; c < vectors; c++) {
                float *place = grad_key + c * LANES;
                sums[c] += load(key + c * LANES) * s;
                store(place, load(place) + row[c] * s);
                store(place + padded, load(place + padded) + grad[c] * w);
            }
            if (entry) grad_table[entry[e + i]] += s;
        }
    }
    for (int c = 0; c < vectors; c++) store(r->grad_q + c * LANES, sums[c]);
}

/* The heads first..last-1; see edge_attention for the shapes. grad_table (heads, entries) comes as zeros.
 * Returns 0, or 1 where memory is short. */
int edge_attention_backward(const float *q, const float *k, const float *v, const float *table, const int64_t *start,
                            const int64_t *stop, const int64_t *source, const int16_t *entry, const float *out,
                            const float *lse, const float *grad_out, float *grad_q, float *grad_k, float *grad_v,
                            double *grad_table, int64_t first, int64_t last, int64_t nodes, int64_t sources,
                            int64_t entries, int64_t heads, int64_t features) {
    int64_t vectors = vectors_of(features), padded = vectors * LANES, pitch = heads * features;
    Room room;
    size_t sizes[] = {sources * 2 * padded, sources * 2 * padded, padded, padded, padded};
    float **places[] = {&room.kv, &room.grad_kv, &room.q, &room.grad, &room.grad_q};
    if (!divide_room(5, sizes, places)) return 1;
    for (int64_t head = first; head < last; head++) {
        int64_t offset = head * features;
        size_t bytes = features * sizeof(float);
        take_head(k + offset, sources, pitch, features, room.kv, 2 * padded);
        take_head(v + offset, sources, pitch, features, room.kv + padded, 2 * padded);
        memset(room.grad_kv, 0, sources * 2 * padded * sizeof(float));
        for (int64_t node = 0; node < nodes; node++) {
            int64_t edge = start[node], count = stop[node] - edge, place = node * pitch + offset;
            if (count <= 0) {
                memset(grad_q + place, 0, bytes);
                continue;
            }
            float dot = 0;
            for (int64_t c = 0; c < features; c++) dot += grad_out[place + c] * out[place + c];
            memcpy(room.q, q + place, bytes);
            memcpy(room.grad, grad_out + place, bytes);
            switch (vectors) {
#define CASE(N) \
    case N: \
        attend_backward(N, count, &room, lse[head * nodes + node], dot, table + head * entries, source + edge, \
                        entry ? entry + edge : 0, grad_table + head * entries); \
        break;
                FOR_VECTORS(CASE)
            }
            memcpy(grad_q + place, room.grad_q, bytes);
        }
        put_head(room.grad_kv, sources, 2 * padded, features, grad_k + offset, pitch);
        put_head(room.grad_kv + padded, sources, 2 * padded, features, grad_v + offset, pitch);
    }
    free(room.kv);
    return 0;
}
