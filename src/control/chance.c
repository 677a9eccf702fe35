/* Random numbers by splitmix64, and distributions from them. Small means are drawn by adding up
 * probabilities, which is exact; large ones by the normal distribution, whose error is then below what
 * a simulation could show. */
#include "control/chance.h"

#include <math.h>

static const double large_mean = 50;

static uint64_t draw(chainsi_chance *chance)
{
    uint64_t z = chance->seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double chainsi_chance_share(chainsi_chance *chance)
{
    return (double)(draw(chance) >> 11) * 0x1p-53;
}

double chainsi_chance_normal(chainsi_chance *chance)
{
    double radius = sqrt(-2 * log(1 - chainsi_chance_share(chance)));
    return radius * cos(2 * M_PI * chainsi_chance_share(chance));
}

static int64_t draw_normal(chainsi_chance *chance, double mean, double variance, double most)
{
    double number = round(mean + sqrt(variance) * chainsi_chance_normal(chance));
    return number < 0 ? 0 : number > most ? (int64_t)most : (int64_t)number;
}

int64_t chainsi_chance_poisson(chainsi_chance *chance, double mean)
{
    if (!(mean > 0))
        return 0;
    if (mean >= large_mean)
        return draw_normal(chance, mean, mean, 1e18);
    double probability = exp(-mean), left = chainsi_chance_share(chance);
    int64_t count = 0;
    /* The sum of all probabilities may miss 1 by a rounding. */
    while (left >= probability && probability > 0) {
        left -= probability;
        probability *= mean / (double)++count;
    }
    return count;
}

int64_t chainsi_chance_binomial(chainsi_chance *chance, int64_t count, double share)
{
    if (count <= 0 || !(share > 0))
        return 0;
    if (share >= 1)
        return count;
    if (share > 0.5)
        return count - chainsi_chance_binomial(chance, count, 1 - share);
    double all = (double)count, mean = all * share;
    if (mean >= large_mean)
        return draw_normal(chance, mean, mean * (1 - share), all);
    double probability = exp(all * log1p(-share)), left = chainsi_chance_share(chance);
    int64_t happened = 0;
    while (left >= probability && happened < count) {
        left -= probability;
        probability *= (all - (double)happened) / (double)(happened + 1) * share / (1 - share);
        happened++;
    }
    return happened;
}
