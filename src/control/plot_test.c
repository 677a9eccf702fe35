/* The picture of a simulation: complete, and finite numbers whatever happened. That it is well-formed
 * is looked at by the test of `chains simulate`. */
#include "control/plot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static size_t count(const char *text, const char *word)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        found++;
    return found;
}

/* The picture of a run, as text in svg. */
static const char *draw(const char *load_text, double duration_s, chainsi_buffer *svg)
{
    char why[256];
    chainsi_load *load = chainsi_load_read(load_text, why, sizeof why);
    assert_non_null(load);
    chainsi_simulation_options options = {
        .scaling = chainsi_scaling_options_of(NULL),
        .load = load,
        .duration_s = duration_s,
        .service_s = 10,
        .concurrency = 2,
        .decide_s = 1,
    };
    options.scaling.max_replicas = CHAINSI_SCALING_MOST;
    chainsi_simulation *simulation = chainsi_simulation_run(&options);
    chainsi_plot_simulation(simulation, &options, "a <b> & \"c\"", "under it", svg);
    chainsi_buffer_add_byte(svg, '\0');
    chainsi_simulation_free(simulation);
    chainsi_load_free(load);
    return (const char *)svg->data;
}

static void every_panel_is_drawn(void **state)
{
    (void)state;
    static const struct {
        const char *load;
        double duration_s;
        const char *last_tick;
    } cases[] = { { "step:0,50@60", 1800, ">30 min<" },
                  { "0", 10, ">10 s<" },
                  { "0.001", 86400, ">24 h<" },
                  { "60000", 600, ">10 min<" },
                  { "daily:1..2", 864000, ">10 d<" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_buffer svg = { 0 };
        const char *text = draw(cases[i].load, cases[i].duration_s, &svg);
        assert_int_equal(count(text, "<svg "), 1);
        assert_int_equal(count(text, "class=\"panel\""), 3);
        assert_int_equal(count(text, "class=\"line "), 4);
        assert_int_equal(count(text, "nan") + count(text, "inf"), 0);
        assert_int_equal(count(text, cases[i].last_tick), 1);
        assert_non_null(strstr(text, "a &lt;b&gt; &amp; &quot;c&quot;"));
        assert_int_equal(count(text, "http"), 1); /* the namespace: nothing comes from elsewhere */
        chainsi_buffer_done(&svg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_panel_is_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
