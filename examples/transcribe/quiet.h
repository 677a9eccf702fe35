/* Finding pauses in speech. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Where to cut: the middle of the quietest stretch of a fifth of a second among `count` samples at
 * 16 kHz, as an index from 0 to count. Of stretches that are equally quiet the one nearest to the
 * middle. The middle itself where there are too few samples to choose. The same samples always give
 * the same answer. */
size_t quietest_point(const int16_t *samples, size_t count);
