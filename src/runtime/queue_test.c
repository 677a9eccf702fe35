/* How many calls may wait, and that the kernel lets just as many. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/queue.h"

static void unset_is_twice_the_slots_and_at_least_64(void **state)
{
    (void)state;
    assert_int_equal(chainsi_queue_most(NULL), 64);
    assert_int_equal(chainsi_queue_most(&(chains_config){ 0 }), 64);
    assert_int_equal(chainsi_queue_most(&(chains_config){ .concurrency = 32 }), 64);
    assert_int_equal(chainsi_queue_most(&(chains_config){ .concurrency = 33 }), 66);
    assert_int_equal(chainsi_queue_most(&(chains_config){ .concurrency = 10,
                                                          .autoscaling = { .max_replicas = 12 } }),
                     240);
    assert_int_equal(chainsi_queue_most(&(chains_config){ .concurrency = 10,
                                                          .autoscaling = { .min_replicas = 12 } }),
                     240);
    assert_int_equal(
        chainsi_queue_most(&(chains_config){ .concurrency = 10, .batch = { .max_size = 8 } }), 160);
    assert_int_equal(chainsi_queue_most(&(chains_config){ .concurrency = INT_MAX,
                                                          .batch = { .max_size = INT_MAX },
                                                          .autoscaling = { INT_MAX, INT_MAX } }),
                     CHAINSI_QUEUE_MOST);
}

static void what_is_said_holds(void **state)
{
    (void)state;
    assert_int_equal(chainsi_queue_most(&(chains_config){ .max_queue = 1, .concurrency = 100 }), 1);
    assert_int_equal(chainsi_queue_most(&(chains_config){ .max_queue = -1 }), CHAINSI_QUEUE_MOST);
    assert_int_equal(chainsi_queue_most(&(chains_config){ .max_queue = INT_MAX }),
                     CHAINSI_QUEUE_MOST);
}

static int dial(const struct sockaddr_un *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)name, sizeof *name) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void the_kernel_keeps_to_it(void **state)
{
    (void)state;
    char folder[] = "/tmp/chains-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "%s/calls", folder);
    for (int most = 1; most <= 5; most += 2) {
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[5];
        assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
        assert_int_equal(listen(listener, chainsi_queue_backlog(most)), 0);
        for (int i = 0; i < most; i++)
            assert_true((fds[i] = dial(&name)) >= 0);
        assert_int_equal(dial(&name), -1);
        assert_int_equal(errno, EAGAIN);
        int taken = accept(listener, NULL, NULL), another = dial(&name);
        assert_true(another >= 0);
        close(taken);
        close(another);
        for (int i = 0; i < most; i++)
            close(fds[i]);
        close(listener);
        unlink(name.sun_path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unset_is_twice_the_slots_and_at_least_64),
        cmocka_unit_test(what_is_said_holds),
        cmocka_unit_test(the_kernel_keeps_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
