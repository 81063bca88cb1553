/* GELU(u) v and its gradients, in one pass over memory. Each value is computed alone, hence the result does not depend on
 * how they are shared between threads.
 */
#include "normal.h"

/* out may be v */
static inline void gate_lanes(const float *u, const float *v, float *out) {
    vf value = load(u);
    store(out, value * normal(value).integral * load(v));
}

static inline void gate_lanes_backward(const float *u, const float *v, const float *grad, float *grad_u, float *grad_v,
                                       float *out) {
    vf value = load(u), factor = load(v), slope = load(grad);
    Normal n = normal(value);
    vf gelu = value * n.integral;
    store(grad_u, slope * factor * (n.integral + value * n.density));
    store(grad_v, slope * gelu);
    store(out, gelu * factor);
}

/* The values first..last-1 of arrays of one size; a part of LANES at the end goes through memory of its own. */
int gate(const float *u, const float *v, float *out, int64_t first, int64_t last) {
    int64_t i = first;
    for (; i + LANES <= last; i += LANES) gate_lanes(u + i, v + i, out + i);
    float rest[2][LANES] = {{0}};
    size_t bytes = (last - i) * sizeof(float);
    memcpy(rest[0], u + i, bytes);
    memcpy(rest[1], v + i, bytes);
    gate_lanes(rest[0], rest[1], rest[1]);
    memcpy(out + i, rest[1], bytes);
    return 0;
}

/* from the gradient at out: those at u and v, and out again */
int gate_backward(const float *u, const float *v, const float *grad, float *grad_u, float *grad_v, float *out,
                  int64_t first, int64_t last) {
    int64_t i = first;
    for (; i + LANES <= last; i += LANES) gate_lanes_backward(u + i, v + i, grad + i, grad_u + i, grad_v + i, out + i);
    float rest[6][LANES] = {{0}};
    size_t bytes = (last - i) * sizeof(float);
    memcpy(rest[0], u + i, bytes);
    memcpy(rest[1], v + i, bytes);
    memcpy(rest[2], grad + i, bytes);
    gate_lanes_backward(rest[0], rest[1], rest[2], rest[3], rest[4], rest[5]);
    memcpy(grad_u + i, rest[3], bytes);
    memcpy(grad_v + i, rest[4], bytes);
    memcpy(out + i, rest[5], bytes);
    return 0;
}
