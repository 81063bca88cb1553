/* The normal distribution's integral and density, as in Abramowitz and Stegun 7.1.26 (what torch uses too): the integral's
 * error is below 1e-7, that of float32. */
#ifndef GLIC_NORMAL_H
#define GLIC_NORMAL_H
#include "vector.h"

typedef struct {
    vf integral, density;
} Normal;

static inline Normal normal(vf u) {
    vf magnitude = (vf)((vi)u & 0x7fffffff), t = 1.0f / (1.0f + 0.3275911f * 0.70710678f * magnitude);
    vf bell = exponential(-0.5f * u * u), series = all(1.061405429f);
    const float terms[] = {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f};
    for (int k = 0; k < 4; k++) series = series * t + terms[k];
    vf tail = 0.5f * series * t * bell;
    return (Normal){pick(u < 0, tail, 1.0f - tail), 0.39894228f * bell};
}

#endif
