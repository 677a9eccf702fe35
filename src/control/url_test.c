#include "control/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void reads_what_can_be_fetched(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        chainsi_url_scheme scheme;
        const char *shown, *path;
    } cases[] = {
        { "http://localhost", CHAINSI_URL_HTTP, "http://localhost/", NULL },
        { "HTTPS://h:8443/a?b=c#d", CHAINSI_URL_HTTPS, "https://h:8443/a?b=c", NULL },
        { "http://h?b", CHAINSI_URL_HTTP, "http://h/?b", NULL },
        { "http://user:w@rd@[::1]:80/x@y", CHAINSI_URL_HTTP, "http://[::1]:80/x@y", NULL },
        { "http://[fe80::1%25lo]/", CHAINSI_URL_HTTP, "http://[fe80::1%25lo]/", NULL },
        { "http://m\xc3\xbcnster.example:65535/", CHAINSI_URL_HTTP,
          "http://m\xc3\xbcnster.example:65535/", NULL },
        { "http://h:/", CHAINSI_URL_HTTP, "http://h:/", NULL },
        { "file:///a%20b%25", CHAINSI_URL_FILE, "file:///a%20b%25", "/a b%" },
        { "file:/a", CHAINSI_URL_FILE, "file:///a", "/a" },
        { "file://localhost/a?b#c", CHAINSI_URL_FILE, "file:///a?b", "/a" },
        { "file:///a%2", CHAINSI_URL_FILE, "file:///a%2", "/a%2" },
        { "file:///a%zz", CHAINSI_URL_FILE, "file:///a%zz", "/a%zz" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_url url = { 0 };
        if (!chainsi_url_read(cases[i].text, &url))
            fail_msg("'%s' is one", cases[i].text);
        assert_int_equal(url.scheme, cases[i].scheme);
        assert_string_equal(url.shown, cases[i].shown);
        assert_int_equal(!url.path, !cases[i].path);
        if (url.path)
            assert_string_equal(url.path, cases[i].path);
        chainsi_url_done(&url);
    }
}

static void refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "x",
        "http:",
        "http://",
        "http:///path",
        "http:h",
        "https:/h/",
        "//h/",
        "ftp://h/",
        "http://h h/",
        "http://h/a b",
        "http://h/\r\nX: y",
        "http://h/\x7f",
        "http://user@/",
        "http://:80/",
        "http://h:65536/",
        "http://h:1a/",
        "http://h:99999999999999999999/",
        "http://[/",
        "http://[]/",
        "http://[::1/",
        "http://[::g]/",
        "http://[::1]x/",
        "http://[1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20]/",
        "http://a|b/",
        "http://a\\b/",
        "http://a%2fb/",
        "file:",
        "file:a",
        "file://",
        "file://elsewhere/a",
        "file:///a%00b",
        "unix:/run/x",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_url url = { 0 };
        if (chainsi_url_read(cases[i], &url))
            fail_msg("'%s' is none", cases[i]);
        assert_null(url.shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_can_be_fetched),
        cmocka_unit_test(refuses_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
