#include "rpc/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rpc/limits.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        chainsi_address_kind kind;
        const char *path, *host, *authority;
        int port;
    } cases[] = {
        { "unix:/run/x", CHAINSI_ADDRESS_UNIX, "/run/x", NULL, "localhost", 0 },
        { "http://h", CHAINSI_ADDRESS_HTTP, "", "h", "h", 80 },
        { "http://h:8080/", CHAINSI_ADDRESS_HTTP, "", "h", "h:8080", 8080 },
        { "http://127.0.0.1:0", CHAINSI_ADDRESS_HTTP, "", "127.0.0.1", "127.0.0.1:0", 0 },
        { "HTTP://[::1]:65535/a/b//", CHAINSI_ADDRESS_HTTP, "/a/b", "::1", "[::1]:65535", 65535 },
        { "https://api.example.org/v1", CHAINSI_ADDRESS_HTTPS, "/v1", "api.example.org",
          "api.example.org", 443 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        chainsi_address address;
        char why[256] = "";
        if (!chainsi_address_parse(cases[i].text, &address, why, sizeof why))
            fail_msg("%s: %s", cases[i].text, why);
        assert_int_equal(address.kind, cases[i].kind);
        assert_string_equal(address.path, cases[i].path);
        if (cases[i].host)
            assert_string_equal(address.host, cases[i].host);
        else
            assert_null(address.host);
        assert_string_equal(address.authority, cases[i].authority);
        assert_int_equal(address.port, cases[i].port);
        chainsi_address_done(&address);
    }
}

static void test_no_addresses(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "unix:",
        "/run/x",
        "ftp://h",
        "http://",
        "http:///x",
        "http://:1",
        "http://h:",
        "http://h:x",
        "http://h:65536",
        "http://h:123456",
        "http://h:1x",
        "http://u@h",
        "http://h?x",
        "http://h/x?y",
        "http://h/a b",
        "http://[::1",
        "http://[]",
        "http://h\r\n",
        "http://h/\n",
        "http://::1",
        "http://h#x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        chainsi_address address = { .port = 7 };
        char why[256] = "";
        if (chainsi_address_parse(texts[i], &address, why, sizeof why))
            fail_msg("'%s' is taken for an address", texts[i]);
        assert_true(why[0] != 0);
        assert_int_equal(address.port, 7);
    }
}

/* Listens at text, connects, and sends a byte. */
static void talk(const char *text)
{
    chainsi_address address;
    char why[512] = "";
    assert_true(chainsi_address_parse(text, &address, why, sizeof why));
    int listening = chainsi_address_listen(&address, 1, why, sizeof why);
    if (listening < 0)
        fail_msg("%s", why);
    /* In use is an error, left over is not. */
    assert_int_equal(chainsi_address_listen(&address, 1, why, sizeof why), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_non_null(strstr(why, address.path));
    close(listening);
    struct stat there;
    assert_int_equal(stat(address.path, &there), 0);
    listening = chainsi_address_listen(&address, 1, why, sizeof why);
    if (listening < 0)
        fail_msg("%s", why);
    int there_fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
    if (there_fd < 0)
        fail_msg("%s", why);
    int here_fd = accept(listening, NULL, NULL);
    char byte = 0;
    assert_int_equal(send(there_fd, "x", 1, 0), 1);
    assert_int_equal(recv(here_fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
    close(here_fd);
    close(there_fd);
    close(listening);
    /* Nobody listens any more. */
    assert_int_equal(chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(unlink(address.path), 0);
    chainsi_address_done(&address);
}

/* A path in folder whose length is size. */
static void make_path(char *text, const char *folder, size_t size)
{
    int prefix = sprintf(text, "unix:%s/", folder);
    memset(text + prefix, 'n', size - (size_t)prefix + 5);
    text[size + 5] = 0;
}

static void test_long_paths(void **state)
{
    (void)state;
    char folder[] = "/tmp/chains-address-XXXXXX", text[1024];
    assert_non_null(mkdtemp(folder));
    /* Up to sun_path's end, over it, and with a name that alone is longer than that. */
    static const size_t sizes[] = { 50, 106, 107, 108, 109, 110, 130, 250 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        make_path(text, folder, sizes[i]);
        talk(text);
    }
    /* A deep folder. */
    char deep[700];
    size_t size = (size_t)snprintf(deep, sizeof deep, "%s/", folder);
    memset(deep + size, 'd', 200);
    deep[size + 200] = 0;
    assert_int_equal(mkdir(deep, 0700), 0);
    snprintf(text, sizeof text, "unix:%s/s", deep);
    talk(text);
    assert_int_equal(rmdir(deep), 0);
    /* Nothing is left over. */
    assert_int_equal(rmdir(folder), 0);
}

static void test_other_files_are_kept(void **state)
{
    (void)state;
    char path[] = "/tmp/chains-address-XXXXXX", text[64], why[256];
    int file = mkstemp(path);
    assert_true(file >= 0);
    snprintf(text, sizeof text, "unix:%s", path);
    chainsi_address address;
    assert_true(chainsi_address_parse(text, &address, why, sizeof why));
    assert_int_equal(chainsi_address_listen(&address, 1, why, sizeof why), -1);
    assert_int_equal(access(path, F_OK), 0);
    chainsi_address_done(&address);
    close(file);
    unlink(path);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static void test_tcp(void **state)
{
    (void)state;
    chainsi_address address;
    char why[256], text[64];
    assert_true(chainsi_address_parse("http://127.0.0.1:0", &address, why, sizeof why));
    int listening = chainsi_address_listen(&address, 1, why, sizeof why);
    assert_true(listening >= 0);
    chainsi_address_done(&address);
    assert_true(chainsi_address_of(listening, text, sizeof text));
    assert_true(chainsi_address_parse(text, &address, why, sizeof why));
    int fd = chainsi_address_connect(&address, chainsi_now_ns() + INT64_C(30000000000), NULL, why,
                                     sizeof why);
    assert_true(fd >= 0);
    /* A host that goes without a word is noticed, unless what is sent may wait for its reader. */
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), CHAINSI_HOST_PROBE_S);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), CHAINSI_HOST_LOST_MS);
    chainsi_address_limit_sending(fd, false);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    /* The port is in use now. */
    assert_int_equal(chainsi_address_listen(&address, 1, why, sizeof why), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    close(listening);
    chainsi_address_done(&address);
    assert_true(chainsi_address_parse("https://127.0.0.1:0", &address, why, sizeof why));
    assert_int_equal(chainsi_address_listen(&address, 1, why, sizeof why), -1);
    chainsi_address_done(&address);
}

static void test_deadline_in_the_past(void **state)
{
    (void)state;
    /* Nothing is at this end of TEST-NET-1: only the deadline ends the attempt, or no route does. */
    chainsi_address address;
    char why[256] = "";
    assert_true(chainsi_address_parse("http://192.0.2.1:9", &address, why, sizeof why));
    assert_int_equal(chainsi_address_connect(&address, 1, NULL, why, sizeof why), -1);
    assert_true(why[0] != 0);
    chainsi_address_done(&address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_no_addresses),
        cmocka_unit_test(test_long_paths), cmocka_unit_test(test_other_files_are_kept),
        cmocka_unit_test(test_tcp),        cmocka_unit_test(test_deadline_in_the_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
