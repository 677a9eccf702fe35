/* What is shown while a deployment is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/deploy_progress.h"

/* A deployment with an asset and two Chainlets, as it is seen in five looks. */
static char *watch(const chainsi_terminal *terminal)
{
    char *text = NULL;
    size_t size = 0;
    chainsi_api_fetched assets = { .files = 1, .bytes = 100, .bytes_done = 50 };
    chainsi_api_chainlet chainlets[] = { { .name = "hand", .state = "starting" },
                                         { .name = "guide", .state = "starting" } };
    const chainsi_api_deployment deployment = { .chainlets = { chainlets, 2 }, .assets = &assets };
    chainsi_deploy_progress progress;
    chainsi_deploy_progress_init(&progress, open_memstream(&text, &size), *terminal, 2);
    for (int64_t look = 0; look < 5; look++) {
        if (look == 1) {
            assets.files_done = 1;
            assets.bytes_done = 100;
        }
        if (look == 3)
            chainlets[0].state = "ready";
        if (look == 4)
            chainlets[1].state = "ready";
        chainsi_deploy_progress_show(&progress, &deployment, look * 1000 * CHAINSI_NS_PER_MS);
    }
    chainsi_deploy_progress_done(&progress);
    fclose(progress.line.out);
    return text;
}

static void lines_where_there_is_no_terminal(void **state)
{
    (void)state;
    char *text = watch(&(chainsi_terminal){ .columns = 80 });
    assert_string_equal(text, "fetching  0 of 1 asset, 50 of 100 B\n"
                              "fetched  1 asset, 100 B\n"
                              "ready  hand\n"
                              "ready  guide\n");
    free(text);
}

static void bars_on_one(void **state)
{
    (void)state;
    char *text = watch(&(chainsi_terminal){ .there = true, .moves = true, .columns = 80 });
    assert_string_equal(
        text, "\rfetching  [###########------------]  0 of 1 asset, 50 of 100 B\033[K"
              "\rfetched  1 asset, 100 B\033[K\n"
              "\rstarting  [-----------------------]  0 of 2 ready, waiting for hand, guide\033[K"
              "\rstarting  [###########------------]  1 of 2 ready, waiting for guide\033[K"
              "\rstarting  [#######################]  2 of 2 ready\033[K"
              "\r\033[K");
    free(text);
}

static void of_another_deployment_nothing(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    chainsi_api_chainlet chainlets[] = { { .name = "hand", .state = "ready" } };
    chainsi_deploy_progress progress;
    chainsi_deploy_progress_init(&progress, open_memstream(&text, &size),
                                 (chainsi_terminal){ .there = false }, 0);
    chainsi_deploy_progress_show(&progress,
                                 &(chainsi_api_deployment){ .chainlets = { chainlets, 1 } }, 0);
    chainsi_deploy_progress_done(&progress);
    fclose(progress.line.out);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_where_there_is_no_terminal),
        cmocka_unit_test(bars_on_one),
        cmocka_unit_test(of_another_deployment_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
