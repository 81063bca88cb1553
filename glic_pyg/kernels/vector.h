/* Vectors of floats in plain C with GNU vector types, so that any CPU with GCC or Clang can have them. */
#ifndef GLIC_VECTOR_H
#define GLIC_VECTOR_H
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
typedef uint32_t vu __attribute__((vector_size(LANES * 4))); /* for sums and shifts of bits, which may wrap */

static const float LEAST_EXPONENT = -87.0f;

static inline vf load(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
static inline void store(float *p, vf v) { memcpy(p, &v, sizeof v); }
static inline vf all(float x) { return x - (vf){0}; }
static inline vi load_words(const int32_t *p) { vi v; memcpy(&v, p, sizeof v); return v; }
static inline vf pick(vi yes, vf a, vf b) { return (vf)(((vi)a & yes) | ((vi)b & ~yes)); }

static inline float total(vf v) {
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += v[lane];
    return sum;
}

/* e^x for x <= 0, to about one unit in the last place; 0 where that is below e^-87, NaN for NaN. */
static inline vf exponential(vf x) {
    const float to_integer = 12582912.0f; /* 3 * 2^22: adding it rounds to whole numbers */
    vf shifted = x * 1.44269504f + to_integer, n = shifted - to_integer;
    vf r = x - n * 0.693359375f + n * 2.12194440e-4f, e = all(1.0f / 5040);
    const float series[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    for (int k = 0; k < 7; k++) e = e * r + series[k];
    return (vf)(((vu)e + ((vu)shifted << 23)) & ~(vu)(x < LEAST_EXPONENT));
}

/* One allocation for several arrays of so many floats, zeros, each on a line of the cache; 0 where memory is short.
 * Arrays of round sizes do not start at the same place of a page: a load near an earlier store's place of another page
 * would wait for it. */
static inline size_t staggered(size_t floats) { return (floats + 15) / 16 * 16 + 9 * 16; }

static inline int divide_room(int count, const size_t *sizes, float **places[]) {
    size_t floats = 0;
    for (int i = 0; i < count; i++) floats += staggered(sizes[i]);
    float *room = aligned_alloc(64, floats * sizeof(float));
    if (!room) return 0;
    memset(room, 0, floats * sizeof(float));
    for (int i = 0; i < count; i++) {
        *places[i] = room;
        room += staggered(sizes[i]);
    }
    return 1;
}

#endif
