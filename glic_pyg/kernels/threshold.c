/* Which candidates each node keeps: those whose similarity exceeds a threshold of its own (glic_pyg/graph/threshold.py).
 * The arrays: similarity (groups, rows, places), degrees (groups, rows), mask (groups, rows, places), and valid
 * (groups, places) or 0, where 0 marks a place that is no candidate. A piece of work is a row.
 */
#include "vector.h"

enum { CHAINS = 4 };

/* A row and what its whole vectors need: -INFINITY, which exceeds nothing, at its end and where there is no candidate. */
typedef struct { float *values; int64_t size; } Row;

static int allocate(Row *row, int64_t places) {
    row->size = (places + CHAINS * LANES - 1) / (CHAINS * LANES) * (CHAINS * LANES);
    row->values = malloc(row->size * sizeof(float));
    for (int64_t j = 0; row->values && j < row->size; j++) row->values[j] = -INFINITY;
    return row->values != 0;
}

static void fetch(Row row, const float *similarity, const uint8_t *valid, int64_t places) {
    memcpy(row.values, similarity, places * sizeof(float));
    for (int64_t j = 0; valid && j < places; j++)
        if (!valid[j]) row.values[j] = -INFINITY;
}

static inline int64_t count_above(Row row, float threshold) {
    vi count[CHAINS] = {{0}};
    for (int64_t j = 0; j < row.size; j += CHAINS * LANES)
        for (int c = 0; c < CHAINS; c++) count[c] -= load(row.values + j + c * LANES) > threshold;
    vi sums = count[0] + count[1] + count[2] + count[3];
    int32_t sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
    return sum;
}

/* the smallest value that exceeds the threshold, INFINITY if there is none */
static inline float next_above(Row row, float threshold) {
    vf least = all(INFINITY);
    for (int64_t j = 0; j < row.size; j += LANES) {
        vf value = load(row.values + j);
        least = pick((value > threshold) & (value < least), value, least);
    }
    float result = INFINITY;
    for (int lane = 0; lane < LANES; lane++) result = least[lane] < result ? least[lane] : result;
    return result;
}

/* the smallest value above -INFINITY and the largest one; several at a time, since each comparison waits for the last */
static inline void find_range(Row row, float *low, float *high) {
    vf least[CHAINS], most[CHAINS];
    for (int c = 0; c < CHAINS; c++) least[c] = all(INFINITY), most[c] = all(-INFINITY);
    for (int64_t j = 0; j < row.size; j += CHAINS * LANES)
        for (int c = 0; c < CHAINS; c++) {
            vf value = load(row.values + j + c * LANES);
            least[c] = pick((value < least[c]) & (value > -INFINITY), value, least[c]);
            most[c] = pick(value > most[c], value, most[c]);
        }
    *low = INFINITY, *high = -INFINITY;
    for (int c = 0; c < CHAINS; c++)
        for (int lane = 0; lane < LANES; lane++) {
            *low = least[c][lane] < *low ? least[c][lane] : *low;
            *high = most[c][lane] > *high ? most[c][lane] : *high;
        }
}

static inline void write(Row row, float threshold, uint8_t *restrict mask, int64_t places) {
    const float *restrict values = row.values;
    for (int64_t j = 0; j < places; j++) mask[j] = values[j] > threshold;
}

enum { STEPS = 20 }; /* of the search, after which it goes from value to value: few rows need that, with equal values */

/* A threshold that at most `wanted` values exceed, and how many of the values equal to it are to be kept beside those.
 * In turn the next one to try lies where it would be if the values were spread evenly, and in the middle. */
static float find(Row row, int64_t wanted, int64_t *equals) {
    float low, high;
    find_range(row, &low, &high);
    int64_t most = count_above(row, low), least = 0; /* values above low, more than wanted, and above high */
    *equals = wanted - most;
    if (*equals >= 0) return low;
    for (int step = 0; step < STEPS && least != wanted; step++) {
        float share = step % 2 ? 0.5f : (float)(most - wanted) / (most - least);
        float between = low * (1 - share) + high * share;
        int64_t count = count_above(row, between);
        if (count <= wanted) high = between, least = count;
        else low = between, most = count;
    }
    *equals = 0;
    while (least != wanted) {
        low = next_above(row, low);
        int64_t count = count_above(row, low);
        if (count > wanted) continue;
        *equals = wanted - count;
        return low;
    }
    return high;
}

/* The `degrees` largest values of each row, the first of equals first. */
int keep_top(const float *similarity, const float *degrees, const uint8_t *valid, uint8_t *mask, int64_t first, int64_t last,
             int64_t rows, int64_t places) {
    Row row;
    if (!allocate(&row, places)) return 1;
    for (int64_t i = first; i < last; i++) {
        uint8_t *kept = mask + i * places;
        fetch(row, similarity + i * places, valid ? valid + i / rows * places : 0, places);
        int64_t equals, wanted = degrees[i] < places ? (int64_t)fmaxf(degrees[i], 0) : places;
        float threshold = find(row, wanted, &equals);
        write(row, threshold, kept, places);
        for (int64_t j = 0; j < places && equals > 0; j++)
            if (row.values[j] == threshold) kept[j] = 1, equals--;
    }
    free(row.values);
    return 0;
}

/* The values above a threshold that moves between `low` and 1 for some steps, up while more than `degrees` exceed it. */
int bisect(const float *similarity, const float *degrees, const float *start, const float *low, const uint8_t *valid,
           uint8_t *mask, int64_t first, int64_t last, int64_t rows, int64_t places, int64_t steps) {
    Row row;
    if (!allocate(&row, places)) return 1;
    for (int64_t i = first; i < last; i++) {
        fetch(row, similarity + i * places, valid ? valid + i / rows * places : 0, places);
        float threshold = start[i], bottom = low[i], top = 1;
        for (int64_t step = 0; step < steps; step++) {
            if ((float)count_above(row, threshold) > degrees[i]) bottom = threshold;
            else top = threshold;
            threshold = (bottom + top) * 0.5f;
        }
        write(row, threshold, mask + i * places, places);
    }
    free(row.values);
    return 0;
}
