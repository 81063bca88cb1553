/* Gradients of window_attention.c. The weights are computed again, one cell and one head at a time.
 *
 *   dP = dOut v^T,   dL = P (dP - sum_j P dP),   dq = dL k,   dk = dL^T q,   dv = P^T dOut,   dbias = sum of dL
 *
 * with P the weights, q and k of unit length (q times the scale). The cells of one image and head are added up by one
 * thread in their order, hence the result does not depend on the number of threads.
 */
#include "window_cell.h"

enum { CHANNELS = 4 };

typedef struct {
    float *keys, *inverses, *key_rows; /* of unit length: transposed; 1 / lengths; (candidates, padded) */
    float *values;                     /* transposed */
    float *weights, *slopes;           /* (candidates / STRIP, slots, STRIP): P and dL */
    float *queries, *factors;          /* (slots, padded), (slots) */
    float *grads, *share, *mixed;      /* dOut (slots, padded), (slots), (QUERIES, padded) */
    float *grad_keys, *grad_values;    /* transposed, (candidates / STRIP, padded, STRIP) */
} Room;

static int make_room(const Shape *s, Room *r) {
    size_t columns = s->width * s->candidates, rows = s->padded * s->candidates, logits = s->slots * s->candidates;
    size_t nodes = s->slots * s->padded;
    size_t sizes[] = {columns, s->candidates, rows,  columns,  logits,               logits, nodes,
                      s->slots, nodes,        s->slots, QUERIES * s->padded, rows, rows};
    float **places[] = {&r->keys,    &r->inverses, &r->key_rows, &r->values, &r->weights,   &r->slopes,     &r->queries,
                        &r->factors, &r->grads,    &r->share,    &r->mixed,  &r->grad_keys, &r->grad_values};
    return divide_room(sizeof sizes / sizeof *sizes, sizes, places);
}

/* the weights of QUERIES queries are divided by their sum; slopes become dL, which is added to grad_bias */
static void differentiate(const Shape *s, const Room *r, int64_t i, float *grad_bias) {
    vf sum[QUERIES][TILE], dot[QUERIES];
    for (int k = 0; k < QUERIES; k++) dot[k] = all(0);
    for (int64_t j = 0; j < s->candidates; j += STRIP) {
        multiply(s, r->grads + i * s->padded, r->values + j * s->width, sum);
        for (int k = 0; k < QUERIES; k++)
            for (int t = 0; t < TILE; t++) {
                int64_t place = j * s->slots + (i + k) * STRIP + t * LANES;
                vf weight = load(r->weights + place) * r->share[i + k];
                dot[k] += weight * sum[k][t];
                store(r->weights + place, weight);
                store(r->slopes + place, sum[k][t]);
            }
    }
    for (int k = 0; k < QUERIES; k++) {
        float mean = total(dot[k]);
        for (int64_t j = 0; j < s->candidates; j += LANES) {
            int64_t place = j / STRIP * STRIP * s->slots + (i + k) * STRIP + j % STRIP;
            vf slope = load(r->weights + place) * (load(r->slopes + place) - mean);
            float *bias = grad_bias + (i + k) * s->candidates + j;
            store(r->slopes + place, slope);
            store(bias, load(bias) + slope);
        }
    }
}

/* columns += rows^T weights, for every strip; CHANNELS channels at a time */
static void spread(const Shape *s, const float *weights, const float *rows, float *columns) {
    for (int64_t strip = 0; strip < s->candidates / STRIP; strip++)
        for (int64_t c = 0; c < s->width; c += CHANNELS) {
            float *place = columns + (strip * s->padded + c) * STRIP;
            vf sum[CHANNELS][TILE];
            for (int k = 0; k < CHANNELS; k++)
                for (int t = 0; t < TILE; t++) sum[k][t] = load(place + k * STRIP + t * LANES);
            for (int64_t i = 0; i < s->slots; i++)
                for (int t = 0; t < TILE; t++) {
                    vf weight = load(weights + (strip * s->slots + i) * STRIP + t * LANES);
                    for (int k = 0; k < CHANNELS; k++) sum[k][t] += weight * rows[i * s->padded + c + k];
                }
            for (int k = 0; k < CHANNELS; k++)
                for (int t = 0; t < TILE; t++) store(place + k * STRIP + t * LANES, sum[k][t]);
        }
}

/* the gradient at a row from the gradient at its unit row; returns their inner product */
static float unit_backward(int64_t width, const float *row, float inverse, const float *grad, float *out) {
    float dot = 0;
    for (int64_t c = 0; c < width; c++) dot += row[c] * inverse * grad[c];
    for (int64_t c = 0; c < width; c++) out[c] = (grad[c] - row[c] * inverse * dot) * inverse;
    return dot;
}

/* One cell and head: writes the cell's rows of grad_q, adds to grad_scale, grad_bias and the room's columns. */
static void attend_backward(const Shape *s, const float *q, const float *grad_out, const Room *r, const float *bias,
                            const uint8_t *mask, const int64_t *ids, float scale, float *grad_q, float *grad_bias,
                            double *grad_scale) {
    weigh(s, q, r->keys, bias, mask, ids, scale, r->queries, r->factors, r->weights, r->share);
    memset(r->grads, 0, s->slots * s->padded * sizeof(float));
    for (int64_t i = 0; i < s->slots; i++)
        if (ids[i] < s->rows)
            memcpy(r->grads + i * s->padded, grad_out + ids[i] * s->heads * s->width, s->width * sizeof(float));
    for (int64_t i = 0; i < s->slots; i += QUERIES) differentiate(s, r, i, grad_bias);
    spread(s, r->weights, r->grads, r->grad_values);
    spread(s, r->slopes, r->queries, r->grad_keys);
    for (int64_t i = 0; i < s->slots; i += QUERIES) {
        mix(s, r->slopes + i * STRIP, r->key_rows, r->mixed);
        for (int k = 0; k < QUERIES; k++) {
            if (ids[i + k] >= s->rows) continue;
            int64_t place = ids[i + k] * s->heads * s->width;
            float *grad = r->mixed + k * s->padded, inverse = r->factors[i + k] / scale;
            *grad_scale += unit_backward(s->width, q + place, inverse, grad, grad_q + place);
            for (int64_t c = 0; c < s->width; c++) grad_q[place + c] *= scale;
        }
    }
}

/* adds transposed strips to the candidates' rows */
static void scatter(const Shape *s, const float *columns, const int64_t *ids, float *rows) {
    for (int64_t j = 0; j < s->candidates; j++) {
        const float *column = columns + j / STRIP * STRIP * s->padded + j % STRIP;
        float *row = rows + ids[j] * 2 * s->heads * s->width;
        for (int64_t c = 0; c < s->width && ids[j] < s->rows; c++) row[c] += column[c * STRIP];
    }
}

/* What is computed from, and what is written: see window_attention for the shapes; per_image cells an image.
 * grad_kv comes as zeros, and so do grad_scale (images, heads) and grad_bias (images, heads, slots, candidates), parts of
 * the gradients. order keeps the cells of an image together. */
typedef struct {
    const float *q, *kv, *scale, *bias;
    const int64_t *nodes, *sources;
    const uint8_t *mask;
    const int64_t *order;
    const float *grad_out;
    float *grad_q, *grad_kv;
    double *grad_scale;
    float *grad_bias;
    int64_t per_image;
} Problem;

/* all cells of one image and head */
static void one_head(const Shape *s, const Problem *p, const Room *r, int64_t image, int64_t head) {
    int64_t offset = head * s->width, logits = s->slots * s->candidates, part = image * s->heads + head;
    int64_t stop = (image + 1) * p->per_image, values = s->heads * s->width;
    for (int64_t next, start = image * p->per_image; start < stop; start = next) {
        const int64_t *from = p->sources + p->order[start] * s->candidates;
        for (next = start + 1; next < stop && share_sources(s, p->sources, p->order[start], p->order[next]);) next++;
        gather_columns(s, p->kv + offset, from, r->keys, r->inverses);
        gather_rows(s, p->kv + offset, from, r->inverses, r->key_rows);
        gather_columns(s, p->kv + values + offset, from, r->values, NULL);
        memset(r->grad_keys, 0, s->candidates * s->padded * sizeof(float));
        memset(r->grad_values, 0, s->candidates * s->padded * sizeof(float));
        for (int64_t k = start; k < next; k++) {
            int64_t cell = p->order[k];
            attend_backward(s, p->q + offset, p->grad_out + offset, r, p->bias + head * logits, p->mask + cell * logits,
                            p->nodes + cell * s->slots, p->scale[head], p->grad_q + offset, p->grad_bias + part * logits,
                            p->grad_scale + part);
        }
        scatter(s, r->grad_keys, from, p->grad_kv + offset);
        scatter(s, r->grad_values, from, p->grad_kv + values + offset);
    }
}

/* grad_kv of one image and head holds the gradient at unit keys: it becomes the one at keys */
static void finish_keys(const Shape *s, const Problem *p, int64_t first, int64_t last, int64_t head) {
    for (int64_t row = first; row < last; row++) {
        int64_t place = (row * 2 * s->heads + head) * s->width;
        const float *key = p->kv + place;
        float squares = 0, *grad = p->grad_kv + place;
        for (int64_t c = 0; c < s->width; c++) squares += key[c] * key[c];
        unit_backward(s->width, key, 1 / fmaxf(sqrtf(squares), NORM_FLOOR), grad, grad);
    }
}

/* The tasks first..last-1; task image * heads + head is one head of one image. Returns 0, or 1 where memory is short. */
int window_attention_backward(const Problem *problem, int64_t first, int64_t last, int64_t images, int64_t rows,
                              int64_t slots, int64_t candidates, int64_t heads, int64_t width) {
    Shape s = {rows, slots, candidates, heads, width, padded_width(width)};
    Room room;
    if (!make_room(&s, &room)) return 1;
    for (int64_t task = first; task < last; task++) {
        int64_t image = task / heads, head = task % heads, nodes = rows / images;
        one_head(&s, problem, &room, image, head);
        finish_keys(&s, problem, image * nodes, (image + 1) * nodes, head);
    }
    free(room.keys);
    return 0;
}
