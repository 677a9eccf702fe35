/* Loudness is the energy of frames of 10 ms; a stretch is a run of frames, and slides by one. */
#include "quiet.h"

enum { FRAME = 160, STRETCH_FRAMES = 20 };

static uint64_t measure_frame(const int16_t *samples)
{
    uint64_t energy = 0;
    for (size_t i = 0; i < FRAME; i++)
        energy += (uint64_t)((int64_t)samples[i] * samples[i]);
    return energy;
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

size_t quietest_point(const int16_t *samples, size_t count)
{
    size_t frames = count / FRAME;
    if (frames <= STRETCH_FRAMES)
        return count / 2;

    uint64_t energy = 0;
    for (size_t i = 0; i < STRETCH_FRAMES; i++)
        energy += measure_frame(samples + i * FRAME);
    uint64_t least = energy;
    size_t best = 0, middle = (frames - STRETCH_FRAMES) / 2;
    for (size_t first = 1; first + STRETCH_FRAMES <= frames; first++) {
        energy += measure_frame(samples + (first + STRETCH_FRAMES - 1) * FRAME);
        energy -= measure_frame(samples + (first - 1) * FRAME);
        if (energy < least ||
            (energy == least && distance(first, middle) < distance(best, middle))) {
            least = energy;
            best = first;
        }
    }
    return (best + STRETCH_FRAMES / 2) * FRAME;
}
