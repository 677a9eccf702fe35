/* Means and deviations of what is drawn, and that a seed says it all. */
#include "control/chance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DRAWS = 200000 };

/* The mean of so many draws is within five of its own deviations, and the variance within 5 %. */
static void check(double sum, double squares, double mean, double variance)
{
    double found = sum / DRAWS, spread = squares / DRAWS - found * found;
    assert_true(fabs(found - mean) < 5 * sqrt(variance / DRAWS) + 1e-12);
    assert_true(fabs(spread - variance) < 0.05 * variance + 1e-12);
}

static void poisson_has_its_mean_and_variance(void **state)
{
    (void)state;
    const double means[] = { 0.01, 0.5, 3, 49, 51, 1000, 1e6 };
    for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
        chainsi_chance chance = { i };
        double sum = 0, squares = 0;
        for (int k = 0; k < DRAWS; k++) {
            double number = (double)chainsi_chance_poisson(&chance, means[i]);
            assert_true(number >= 0);
            sum += number, squares += number * number;
        }
        check(sum, squares, means[i], means[i]);
    }
    chainsi_chance chance = { 1 };
    assert_int_equal(chainsi_chance_poisson(&chance, 0), 0);
    assert_int_equal(chainsi_chance_poisson(&chance, -1), 0);
    assert_int_equal(chainsi_chance_poisson(&chance, (double)NAN), 0);
}

static void binomial_has_its_mean_and_variance(void **state)
{
    (void)state;
    static const struct {
        int64_t count;
        double share;
    } cases[] = { { 1, 0.3 },       { 10, 0.05 },   { 10, 0.95 },    { 200, 0.5 },
                  { 100000, 1e-5 }, { 1000, 0.05 }, { 1000, 0.999 }, { 100000, 0.05 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_chance chance = { i };
        double sum = 0, squares = 0;
        for (int k = 0; k < DRAWS; k++) {
            int64_t number = chainsi_chance_binomial(&chance, cases[i].count, cases[i].share);
            assert_true(number >= 0 && number <= cases[i].count);
            sum += (double)number, squares += (double)number * (double)number;
        }
        double mean = (double)cases[i].count * cases[i].share;
        check(sum, squares, mean, mean * (1 - cases[i].share));
    }
    chainsi_chance chance = { 1 };
    assert_int_equal(chainsi_chance_binomial(&chance, 7, 1), 7);
    assert_int_equal(chainsi_chance_binomial(&chance, 7, 0), 0);
    assert_int_equal(chainsi_chance_binomial(&chance, 0, 0.5), 0);
}

static void a_seed_says_it_all(void **state)
{
    (void)state;
    chainsi_chance one = { 42 }, same = { 42 }, other = { 43 };
    int different = 0;
    for (int i = 0; i < 1000; i++) {
        double share = chainsi_chance_share(&one);
        assert_true(share >= 0 && share < 1);
        assert_true(share == chainsi_chance_share(&same));
        different += share != chainsi_chance_share(&other);
    }
    assert_int_equal(different, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poisson_has_its_mean_and_variance),
        cmocka_unit_test(binomial_has_its_mean_and_variance),
        cmocka_unit_test(a_seed_says_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
