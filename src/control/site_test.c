/* Which hosts and origins are ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/site.h"

static const char *const names[] = { "chains.example" };
static const chainsi_site site = { .names = names, .name_count = 1 };

static void test_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool ours;
    } cases[] = {
        { "localhost", true },
        { "localhost:8600", true },
        { "LOCALHOST", true },
        { "localhost.", true },
        { "hello.localhost:1", true },
        { "127.0.0.1:8600", true },
        { "192.0.2.7", true },
        { "[::1]:8600", true },
        { "[2001:db8::1]", true },
        { "chains.example", true },
        { "Chains.Example:443", true },
        { "evil.example", false },
        { "notlocalhost", false },
        { "localhost.evil.example", false },
        { "chains.example.evil.example", false },
        { "xchains.example", false },
        { "127.0.0.1.evil.example", false },
        { "127.1", false },
        { "[::1].evil.example", false },
        { "[::1", false },
        { "", false },
        { ":8600", false },
        { ".", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (chainsi_site_is_ours(&site, (chainsi_slice){ cases[i].host, strlen(cases[i].host) }) !=
            cases[i].ours)
            fail_msg("%s", cases[i].host);
    char longest[256];
    memset(longest, 'a', sizeof longest);
    assert_false(chainsi_site_is_ours(&site, (chainsi_slice){ longest, sizeof longest }));
}

static bool takes(const char *method, const char *headers, char why[256])
{
    char text[512];
    int size = snprintf(text, sizeof text, "%s / HTTP/1.1\r\n%s\r\n", method, headers);
    chainsi_http_scan scan = { 0 };
    chainsi_http_request request;
    chainsi_http_refusal refusal;
    assert_int_equal(chainsi_http_parse_request(text, (size_t)size, &scan, &request, &refusal),
                     size);
    why[0] = 0;
    return chainsi_site_takes(&site, &request, why, 256);
}

static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const char *method, *headers, *why; /* NULL: it is taken */
    } cases[] = {
        { "POST", "Host: localhost:8600\r\n", NULL },
        { "POST", "Host: localhost:8600\r\nOrigin: http://localhost:8600\r\n", NULL },
        { "POST", "Host: chains.example\r\nOrigin: HTTPS://Chains.example\r\n", NULL },
        { "GET", "Host: localhost\r\nOrigin: https://evil.example\r\n", NULL },
        { "HEAD", "Host: localhost\r\nOrigin: null\r\n", NULL },
        { "GET", "Host: evil.example\r\n", "--allow-host" },
        { "POST", "Host: evil.example\r\nOrigin: http://evil.example\r\n", "--allow-host" },
        { "POST", "Host: localhost\r\nOrigin: https://evil.example\r\n", "evil.example" },
        { "POST", "Host: localhost:8600\r\nOrigin: http://localhost:3000\r\n", "localhost:3000" },
        { "POST", "Host: localhost:8600\r\nOrigin: http://localhost\r\n", "Origin" },
        { "POST", "Host: localhost\r\nOrigin: null\r\n", "Origin" },
        { "DELETE", "Host: localhost\r\nOrigin: file://localhost\r\n", "Origin" },
        { "POST", "Host: localhost\r\nSec-Fetch-Site: same-origin\r\n", NULL },
        { "POST", "Host: localhost\r\nSec-Fetch-Site: none\r\n", NULL },
        { "GET", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", NULL },
        { "POST", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site" },
        { "DELETE", "Host: localhost\r\nSec-Fetch-Site: same-site\r\n", "same-site" },
        { "PATCH", "Host: localhost\r\nOrigin: https://evil.example\r\n", "Origin" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[256];
        bool taken = takes(cases[i].method, cases[i].headers, why);
        if (taken != !cases[i].why || (!taken && !strstr(why, cases[i].why)))
            fail_msg("%s %s: %s", cases[i].method, cases[i].headers, why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
