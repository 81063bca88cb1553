/* The masks of cells as window_cell.h reads them: words (candidates, LANES) a strip of nodes, where bit t of a word is
 * the edge to node t * LANES + lane; at most one word for two places of the mask. */
#include "window_cell.h"

/* mask (cells, slots, candidates), 0 or 1; words (cells, slots / STRIP, candidates, LANES); the cells first..last-1 */
int window_edges(const uint8_t *mask, int32_t *words, int64_t first, int64_t last, int64_t slots, int64_t candidates) {
    for (int64_t strip = first * slots / STRIP; strip < last * slots / STRIP; strip++)
        for (int64_t lane = 0; lane < LANES; lane++)
            for (int64_t j = 0; j < candidates; j++) {
                int32_t word = 0;
                for (int t = 0; t < TILE; t++) word |= mask[(strip * STRIP + t * LANES + lane) * candidates + j] << t;
                words[(strip * candidates + j) * LANES + lane] = word;
            }
    return 0;
}
