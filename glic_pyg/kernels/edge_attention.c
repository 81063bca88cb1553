/* Attention along the edges of any graph, one node and head at a time.
 *
 *   out_i = sum_j softmax_j(q_i k_j + table[entry_ij]) v_j     over the sources j of the edges start_i..stop_i-1
 *
 * and 0 if there are none. What nn/edge_attention.py does with chunks of edges, fused. A node and head is computed alone,
 * hence the result does not depend on the number of threads.
 */
#include "edge_rows.h"

/* One node: count edges, q (vectors * LANES), kv (sources, 2 * vectors * LANES) keys beside values, weights (count,
 * rounded up to LANES) working memory. Writes out (vectors * LANES); returns the logarithm of the exponentials' sum. */
INLINE float attend(int vectors, int64_t count, const float *q, const float *kv, const float *table,
                    const int64_t *source, const int16_t *entry, float *weights, float *out) {
    int64_t padded = vectors * LANES, apart = 2 * padded, ids[LANES];
    vf row[MOST_VECTORS], sums[MOST_VECTORS], largest = all(LEAST_LOGIT), sum = all(0);
    for (int c = 0; c < vectors; c++) row[c] = load(q + c * LANES), sums[c] = all(0);
    for (int64_t e = 0; e < count; e += LANES) {
        vi edge = take_sources(source + e, count - e, ids);
        vf logit = products(vectors, row, kv, apart, ids) + biases(table, entry ? entry + e : 0, count - e);
        logit = pick(edge, logit, all(LEAST_LOGIT));
        largest = pick(logit > largest, logit, largest);
        store(weights + e, logit);
    }
    float top = LEAST_LOGIT;
    for (int i = 0; i < LANES; i++) top = largest[i] > top ? largest[i] : top;
    for (int64_t e = 0; e < count; e += LANES) {
        vf weight = exponential(load(weights + e) - top);
        sum += weight;
        store(weights + e, weight);
    }
    for (int64_t e = 0; e < count; e++) {
        const float *value = kv + source[e] * apart + padded;
        for (int c = 0; c < vectors; c++) sums[c] += load(value + c * LANES) * weights[e];
    }
    float whole = total(sum);
    for (int c = 0; c < vectors; c++) store(out + c * LANES, sums[c] / whole);
    return top + logf(whole);
}

/* The pieces first..last-1; piece head * nodes + node is one node and head. q and out (nodes, heads, features), k and v
 * (sources, heads, features), table (heads, entries), entry (edges) or none, lse (heads, nodes). The caller has checked
 * that start, stop, source and entry are in range. Returns 0, or 1 where memory is short. */
int edge_attention(const float *q, const float *k, const float *v, const float *table, const int64_t *start,
                   const int64_t *stop, const int64_t *source, const int16_t *entry, float *out, float *lse,
                   int64_t first, int64_t last, int64_t nodes, int64_t sources, int64_t entries, int64_t heads,
                   int64_t features) {
    int64_t vectors = vectors_of(features), padded = vectors * LANES, pitch = heads * features, most = 0;
    float *kv, *weights, *row, *mixed;
    for (int64_t piece = first; piece < last; piece++) {
        int64_t count = stop[piece % nodes] - start[piece % nodes];
        most = count > most ? count : most;
    }
    size_t sizes[] = {sources * 2 * padded, most + LANES, padded, padded};
    float **places[] = {&kv, &weights, &row, &mixed};
    if (!divide_room(4, sizes, places)) return 1;
    for (int64_t piece = first, ready = -1; piece < last; piece++) {
        int64_t head = piece / nodes, node = piece % nodes, edge = start[node], count = stop[node] - edge;
        float *place = out + node * pitch + head * features;
        if (count <= 0) {
            memset(place, 0, features * sizeof(float));
            lse[piece] = 0;
            continue;
        }
        if (ready != head) {
            take_head(k + head * features, sources, pitch, features, kv, 2 * padded);
            take_head(v + head * features, sources, pitch, features, kv + padded, 2 * padded);
            ready = head;
        }
        memcpy(row, q + node * pitch + head * features, features * sizeof(float));
        switch (vectors) {
#define CASE(N) \
    case N: \
        lse[piece] = attend(N, count, row, kv, table + head * entries, source + edge, entry ? entry + edge : 0, \
                            weights, mixed); \
        break;
            FOR_VECTORS(CASE)
        }
        memcpy(place, mixed, features * sizeof(float));
    }
    free(kv);
    return 0;
}
