/* Gradients of window_attention.c. The weights are computed again, a strip of nodes of one cell and one head at a time.
 *
 *   dP = dOut v^T,   dL = P (dP - sum_j P dP),   dq = dL k,   dk = dL^T q,   dv = P^T dOut,   dbias = sum of dL
 *
 * with P the weights, q and k of unit length (q times the scale). The cells of one image and head are added up by one
 * thread in their order, hence the result does not depend on the number of threads. That thread first brings together
 * what belongs to the head.
 */
#include "window_cell.h"

enum { SPREAD_ROWS = 2 * TILE };

typedef struct {
    float *q, *k, *v, *out;                         /* of all nodes, (nodes, padded): unit q and k, v, dOut */
    float *grad_q, *grad_k, *grad_v;                /* (nodes, padded), at the unit q and k */
    float *q_inverses, *k_inverses;                 /* (nodes) 1 / lengths */
    float *keys, *values, *grad_keys, *grad_values; /* of a cell, (candidates, padded) */
    float *weights, *slopes;                        /* (candidates, STRIP): P and dL */
    float *queries, *grads, *mixed;                 /* (padded, STRIP): q, dOut, dq */
    float *query_rows, *grad_rows;                  /* (STRIP, padded): q, dOut */
} Room;

static int make_room(const Shape *s, int64_t nodes, Room *r) {
    size_t head = nodes * s->padded, rows = s->candidates * s->padded, strip = s->padded * STRIP;
    size_t logits = s->candidates * STRIP;
    size_t sizes[] = {head, head, head, head, head, head, head, nodes, nodes, rows, rows, rows, rows, logits, logits,
                      strip, strip, strip, strip, strip};
    float **places[] = {&r->q, &r->k, &r->v, &r->out, &r->grad_q, &r->grad_k, &r->grad_v, &r->q_inverses, &r->k_inverses,
                        &r->keys, &r->values, &r->grad_keys, &r->grad_values, &r->weights, &r->slopes,
                        &r->queries, &r->grads, &r->mixed, &r->query_rows, &r->grad_rows};
    return divide_room(sizeof sizes / sizeof *sizes, sizes, places);
}

/* the weights of a strip are divided by their sum; slopes become dL, which is added to grad_bias (candidates, slots) */
static void differentiate(const Shape *s, const Room *r, const vf inverse[TILE], float *grad_bias) {
    vf sum[ROWS][TILE], dot[TILE];
    for (int t = 0; t < TILE; t++) dot[t] = all(0);
    for (int64_t j = 0; j < s->candidates; j += ROWS) {
        multiply(s, r->values + j * s->padded, r->grads, sum);
        for (int i = 0; i < ROWS; i++)
            for (int t = 0; t < TILE; t++) {
                int64_t place = (j + i) * STRIP + t * LANES;
                vf weight = load(r->weights + place) * inverse[t];
                dot[t] += weight * sum[i][t];
                store(r->weights + place, weight);
                store(r->slopes + place, sum[i][t]);
            }
    }
    for (int64_t j = 0; j < s->candidates; j++)
        for (int t = 0; t < TILE; t++) {
            int64_t place = j * STRIP + t * LANES;
            vf slope = load(r->weights + place) * (load(r->slopes + place) - dot[t]);
            float *bias = grad_bias + j * s->slots + t * LANES;
            store(r->slopes + place, slope);
            store(bias, load(bias) + slope);
        }
}

/* SPREAD_ROWS candidates' rows += the strip's rows (STRIP, padded), weighted */
static inline void spread(const Shape *s, const float *weights, const float *rows, float *to) {
    for (int64_t c = 0; c < s->padded; c += 2 * LANES) {
        vf sum[SPREAD_ROWS][2];
        for (int k = 0; k < SPREAD_ROWS; k++)
            for (int p = 0; p < 2; p++) sum[k][p] = load(to + k * s->padded + c + p * LANES);
        for (int64_t i = 0; i < STRIP; i++)
            for (int p = 0; p < 2; p++) {
                vf row = load(rows + i * s->padded + c + p * LANES);
                for (int k = 0; k < SPREAD_ROWS; k++) sum[k][p] += row * weights[k * STRIP + i];
            }
        for (int k = 0; k < SPREAD_ROWS; k++)
            for (int p = 0; p < 2; p++) store(to + k * s->padded + c + p * LANES, sum[k][p]);
    }
}

/* One strip: writes its rows of grad_q, adds to grad_bias and to the gradients of the room's candidates. */
static void attend_backward(const Shape *s, const Room *r, const float *bias, const int32_t *edges, const int64_t *ids,
                            float *grad_bias) {
    vf largest[TILE], sum[TILE];
    for (int t = 0; t < TILE; t++) sum[t] = all(0);
    gather_columns(s, r->q, s->padded, ids, r->queries);
    compare(s, r->keys, r->queries, bias, edges, r->weights, largest);
    exponentiate(r->weights, s->candidates, largest, sum);
    gather_columns(s, r->out, s->padded, ids, r->grads);
    for (int t = 0; t < TILE; t++) sum[t] = share(sum[t]);
    differentiate(s, r, sum, grad_bias);
    gather(s, r->q, s->padded, ids, STRIP, r->query_rows);
    gather(s, r->out, s->padded, ids, STRIP, r->grad_rows);
    memset(r->mixed, 0, s->padded * STRIP * sizeof(float));
    for (int64_t j = 0; j < s->candidates; j += SPREAD_ROWS) {
        spread(s, r->weights + j * STRIP, r->grad_rows, r->grad_values + j * s->padded);
        spread(s, r->slopes + j * STRIP, r->query_rows, r->grad_keys + j * s->padded);
    }
    for (int64_t j = 0; j < s->candidates; j += BLOCK) {
        int64_t count = s->candidates - j < BLOCK ? s->candidates - j : BLOCK;
        mix(s, r->slopes + j * STRIP, r->keys + j * s->padded, count, r->mixed);
    }
    scatter_columns(s, r->mixed, ids, s->padded, r->grad_q);
}

/* adds the candidates' rows */
static void scatter(const Shape *s, const float *rows, const int64_t *ids, float *to) {
    for (int64_t j = 0; j < s->candidates; j++, rows += s->padded) {
        if (!is_real(s, ids[j])) continue;
        float *row = to + (ids[j] - s->first) * s->padded;
        for (int64_t c = 0; c < s->padded; c += LANES) store(row + c, load(row + c) + load(rows + c));
    }
}

/* what is computed from, and what is written */
typedef struct {
    const float *q, *kv, *scale, *bias;
    const int64_t *ids, *sources;
    const int32_t *edges;
    const int64_t *order;
    const float *grad_out;
    float *grad_q, *grad_kv;
    double *grad_scale;
    float *grad_bias;
    int64_t cells; /* an image */
} Problem;

/* one head's part of rows of all heads, pitch apart, as (nodes, padded) */
static void take_head(const Shape *s, const float *from, int64_t pitch, float *rows) {
    for (int64_t row = s->first; row < s->rows; row++, rows += s->padded)
        memcpy(rows, from + row * pitch, s->width * sizeof(float));
}

/* the gradient at rows from the one at their unit rows, written as one head's part; returns the inner products' sum */
static double put_unit_gradient(const Shape *s, const float *unit, const float *inverses, float *grads, float scale,
                                int64_t pitch, float *to) {
    double sum = 0;
    for (int64_t row = s->first; row < s->rows; row++, unit += s->padded, grads += s->padded) {
        float dot = dot_rows(s, unit, grads) / (scale * scale), inverse = *inverses++ * scale;
        for (int64_t c = 0; c < s->padded; c += LANES)
            store(grads + c, (load(grads + c) - load(unit + c) * dot) * inverse);
        memcpy(to + row * pitch, grads, s->width * sizeof(float));
        sum += dot * scale;
    }
    return sum;
}

/* the cells of one image and head, those with the same candidates together */
static void all_cells(const Shape *s, const Problem *p, const Room *r, int64_t image, int64_t head) {
    int64_t stop = (image + 1) * p->cells, logits = s->slots * s->candidates, bytes = s->candidates * s->padded * 4;
    for (int64_t next, start = image * p->cells; start < stop; start = next) {
        const int64_t *from = p->sources + p->order[start] * s->candidates;
        next = same_sources(s, p->sources, p->order, start, stop);
        gather(s, r->k, s->padded, from, s->candidates, r->keys);
        gather(s, r->v, s->padded, from, s->candidates, r->values);
        memset(r->grad_keys, 0, bytes);
        memset(r->grad_values, 0, bytes);
        for (int64_t k = start; k < next; k++)
            for (int64_t i = 0; i < s->slots; i += STRIP) {
                int64_t node = p->order[k] * s->slots + i;
                attend_backward(s, r, p->bias + head * logits + i, p->edges + node * s->candidates / TILE,
                                p->ids + node, p->grad_bias + (image * s->heads + head) * logits + i);
            }
        scatter(s, r->grad_keys, from, r->grad_k);
        scatter(s, r->grad_values, from, r->grad_v);
    }
}

static void one_head(const Shape *s, const Problem *p, const Room *r, int64_t image, int64_t head) {
    int64_t pitch = s->heads * s->width, offset = head * s->width, nodes = s->rows - s->first;
    float scale = p->scale[head], *grad_keys = p->grad_kv + offset, *grad_values = grad_keys + pitch;
    memset(r->grad_k, 0, nodes * s->padded * sizeof(float));
    memset(r->grad_v, 0, nodes * s->padded * sizeof(float));
    take_head(s, p->q + offset, pitch, r->q);
    take_head(s, p->kv + offset, 2 * pitch, r->k);
    take_head(s, p->kv + pitch + offset, 2 * pitch, r->v);
    take_head(s, p->grad_out + offset, pitch, r->out);
    unit_rows(s, nodes, r->q, r->q_inverses);
    unit_rows(s, nodes, r->k, r->k_inverses);
    for (int64_t i = 0; i < nodes * s->padded; i++) r->q[i] *= scale;
    all_cells(s, p, r, image, head);
    p->grad_scale[image * s->heads + head] =
        put_unit_gradient(s, r->q, r->q_inverses, r->grad_q, scale, pitch, p->grad_q + offset);
    put_unit_gradient(s, r->k, r->k_inverses, r->grad_k, 1, 2 * pitch, grad_keys);
    for (int64_t row = s->first; row < s->rows; row++)
        memcpy(grad_values + row * 2 * pitch, r->grad_v + (row - s->first) * s->padded, s->width * sizeof(float));
}

/* The tasks first..last-1; task image * heads + head is one head of one image. See window_attention for the shapes.
 * grad_scale (images, heads) and grad_bias (images, heads, candidates, slots), parts of the gradients, come as zeros.
 * order keeps the cells of an image together. Returns 0, or 1 where memory is short. */
int window_attention_backward(const float *q, const float *kv, const float *scale, const float *bias, const int64_t *ids,
                              const int64_t *sources, const int32_t *edges, const int64_t *order, const float *grad_out,
                              float *grad_q, float *grad_kv, double *grad_scale, float *grad_bias, int64_t first,
                              int64_t last, int64_t images, int64_t nodes, int64_t cells, int64_t slots,
                              int64_t candidates, int64_t heads, int64_t width) {
    Problem problem = {q, kv, scale, bias, ids, sources, edges, order, grad_out, grad_q, grad_kv, grad_scale, grad_bias,
                       cells};
    Shape s = {0, nodes, slots, candidates, heads, width, padded_width(width)};
    Room room;
    (void)images;
    if (!make_room(&s, nodes, &room)) return 1;
    for (int64_t task = first; task < last; task++) {
        int64_t image = task / heads;
        s.first = image * nodes, s.rows = s.first + nodes;
        one_head(&s, &problem, &room, image, task % heads);
    }
    free(room.q);
    return 0;
}
