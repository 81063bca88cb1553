/* What the passes of edge attention share: one head's rows side by side, and inner products with LANES of them at once. */
#include "vector.h"

#define INLINE static inline __attribute__((always_inline))

/* vectors a row of one head can have; each gets loops of its own, so that a row stays in registers */
#define FOR_VECTORS(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(8) CASE(16)
enum { MOST_VECTORS = 16 };
static const float LEAST_LOGIT = -3e38f;

static inline int64_t vectors_of(int64_t features) {
    int64_t vectors = (features + LANES - 1) / LANES;
    return vectors <= 6 ? vectors : vectors <= 8 ? 8 : MOST_VECTORS;
}

/* one head's part of so many rows, pitch apart, to places `apart` apart; what follows a row's features stays as it is */
static inline void take_head(const float *from, int64_t count, int64_t pitch, int64_t features, float *to, int64_t apart) {
    for (int64_t row = 0; row < count; row++) memcpy(to + row * apart, from + row * pitch, features * sizeof(float));
}

static inline void put_head(const float *from, int64_t count, int64_t apart, int64_t features, float *to, int64_t pitch) {
    for (int64_t row = 0; row < count; row++) memcpy(to + row * pitch, from + row * apart, features * sizeof(float));
}

/* the sum over the lanes of each of LANES vectors, in their order */
static inline vf totals(vf sums[LANES]) {
#if defined(__clang__)
    vf all_totals;
    for (int i = 0; i < LANES; i++) all_totals[i] = total(sums[i]);
    return all_totals;
#else
    vi lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    for (int half = LANES / 2; half; half /= 2) {
        vi second = (lane & half) != 0; /* lanes that take the second vector of a pair */
        vi same = lane + (second & LANES), other = (lane ^ half) + (second & LANES);
        for (int i = 0; i < half; i++)
            sums[i] = __builtin_shuffle(sums[i], sums[i + half], same) +
                      __builtin_shuffle(sums[i], sums[i + half], other);
    }
    return sums[0];
#endif
}

/* the sources of up to LANES edges, the last one again in lanes that have no edge; returns which have one */
static inline vi take_sources(const int64_t *source, int64_t count, int64_t ids[LANES]) {
    vi edge;
    for (int64_t i = 0; i < LANES; i++) {
        ids[i] = source[i < count ? i : count - 1];
        edge[i] = i < count ? -1 : 0;
    }
    return edge;
}

/* inner products of a row of so many vectors with the rows of LANES sources, `apart` apart */
INLINE vf products(int vectors, const vf *row, const float *rows, int64_t apart, const int64_t ids[LANES]) {
    vf sums[LANES];
    for (int i = 0; i < LANES; i++) {
        const float *other = rows + ids[i] * apart;
        sums[i] = row[0] * load(other);
        for (int c = 1; c < vectors; c++) sums[i] += row[c] * load(other + c * LANES);
    }
    return totals(sums);
}

/* the bias of up to LANES edges by their entries; 0 where there are none */
static inline vf biases(const float *table, const int16_t *entry, int64_t count) {
    vf bias = all(0);
    if (entry)
        for (int64_t i = 0; i < LANES; i++) bias[i] = table[entry[i < count ? i : count - 1]];
    return bias;
}
