/* The vault: what a Chainlet is handed, what it isn't, and why nothing can be. */
#include "store_test_support.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "control/sealing.h"
#include "control/store_keys.h"
#include "control/vault.h"

static chainsi_vault *vault;

static int make_vault(void **state)
{
    if (make_store(state) != 0)
        return -1;
    vault = chainsi_vault_new(home, store);
    return 0;
}

static int free_vault(void **state)
{
    close_store();
    chainsi_vault_free(vault);
    vault = NULL;
    return remove_home(state);
}

typedef struct put {
    const char *name;
    chains_bytes sealed;
} put;

static chains_status put_secret(chainsi_database *database, void *arguments)
{
    const put *it = arguments;
    return chainsi_stored_secret_put(database, it->name, it->sealed);
}

static void set(const char *chain, const char *name, const char *value)
{
    put it = { .name = chainsi_vault_kept_name(chain, name, &arena) };
    if (chainsi_vault_seal(vault, it.name, value, strlen(value), &arena, &it.sealed, why,
                           sizeof why) != CHAINS_OK)
        fail_msg("%s", why);
    assert_int_equal(change(put_secret, &it), CHAINS_OK);
}

/* What a Chainlet of that chain that names these two gets, as text; NULL: why says why it gets none. */
static const char *handed(const char *chain, const char *first, const char *second)
{
    static char text[4096];
    const char *names[] = { first, second };
    chains_string_list list = { names, second ? 2 : 1 };
    chains_status status;
    int fd = chainsi_vault_open(vault, chain, &list, &status, why, sizeof why);
    if (fd < 0) {
        assert_int_not_equal(status, CHAINS_OK);
        return NULL;
    }
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    assert_true(size > 0);
    text[size] = 0;
    /* Nobody who has it can change it. */
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    return text;
}

static void hands_out_what_is_named(void **state)
{
    (void)state;
    set(NULL, "token", "t\xc3\xb6p \"secret\"\n");
    set(NULL, "other", "o");
    assert_string_equal(handed("x", "token", NULL), "{\"token\":\"t\xc3\xb6p \\\"secret\\\"\\n\"}");
    assert_string_equal(handed("x", "other", "token"),
                        "{\"other\":\"o\",\"token\":\"t\xc3\xb6p \\\"secret\\\"\\n\"}");
    set(NULL, "other", "changed");
    assert_string_equal(handed("x", "other", NULL), "{\"other\":\"changed\"}");
    assert_null(handed("x", "token", "absent"));
    assert_string_equal(why,
                        "the secret 'absent' is not set; set it with `chains secret set absent`");
}

static void a_chains_own_goes_first(void **state)
{
    (void)state;
    set(NULL, "token", "of all");
    set("x", "token", "of x");
    set("x", "mine", "of x alone");
    assert_string_equal(handed("x", "token", NULL), "{\"token\":\"of x\"}");
    assert_string_equal(handed("y", "token", NULL), "{\"token\":\"of all\"}");
    assert_string_equal(handed("x", "mine", NULL), "{\"mine\":\"of x alone\"}");
    assert_null(handed("y", "mine", NULL));
}

static chains_status seal(const char *value, size_t size)
{
    chains_bytes sealed;
    return chainsi_vault_seal(vault, "x", value, size, &arena, &sealed, why, sizeof why);
}

static void takes_text_up_to_its_limit(void **state)
{
    (void)state;
    char *text = malloc(CHAINSI_SECRET_MOST + 1);
    assert_non_null(text);
    memset(text, 'x', CHAINSI_SECRET_MOST + 1);
    assert_int_equal(seal(text, CHAINSI_SECRET_MOST), CHAINS_OK);
    assert_int_equal(seal(text, CHAINSI_SECRET_MOST + 1), CHAINS_INVALID_ARGUMENT);
    free(text);
    assert_int_equal(seal("", 0), CHAINS_INVALID_ARGUMENT);
    assert_int_equal(seal("a\0b", 3), CHAINS_INVALID_ARGUMENT);
    assert_int_equal(seal("\xff", 1), CHAINS_INVALID_ARGUMENT);
    assert_non_null(strstr(why, "base64"));
}

/* Each is small enough, and escaped they are too large together. */
static void hands_out_no_more_than_a_process_reads(void **state)
{
    (void)state;
    char *text = malloc(CHAINSI_SECRET_MOST);
    const char *names[] = { "a", "b", "c" };
    assert_non_null(text);
    memset(text, 1, CHAINSI_SECRET_MOST - 1);
    text[CHAINSI_SECRET_MOST - 1] = 0;
    for (int i = 0; i < 3; i++)
        set(NULL, names[i], text);
    free(text);
    chains_status status;
    int fd =
        chainsi_vault_open(vault, "x", &(chains_string_list){ names, 2 }, &status, why, sizeof why);
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    assert_true(info.st_size <= CHAINSI_VAULT_MOST_HANDED);
    close(fd);
    assert_int_equal(
        chainsi_vault_open(vault, "x", &(chains_string_list){ names, 3 }, &status, why, sizeof why),
        -1);
    assert_int_equal(status, CHAINS_FAILED_PRECONDITION);
    assert_string_equal(why, "its secrets are larger than 1024 KiB together");
}

static const char *redacted(const char *text)
{
    static char told[256];
    chainsi_buffer out = { 0 };
    chainsi_redaction stream = { 0 };
    chainsi_redact(chainsi_vault_redactor(vault), &stream, text, strlen(text), &out);
    chainsi_redact_end(chainsi_vault_redactor(vault), &stream, &out);
    snprintf(told, sizeof told, "%.*s", (int)out.size, (const char *)out.data);
    chainsi_buffer_done(&out);
    return told;
}

static void keeps_out_of_logs_what_was_handed_out(void **state)
{
    (void)state;
    set(NULL, "token", "hunter2\n");
    assert_string_equal(redacted("it is hunter2"), "it is hunter2");
    assert_non_null(handed("x", "token", NULL));
    assert_string_equal(redacted("it is hunter2"), "it is [redacted:token]");
    set(NULL, "token", "hunter3");
    assert_non_null(handed("x", "token", NULL));
    assert_string_equal(redacted("hunter2, hunter3"), "[redacted:token], [redacted:token]");

    /* What somebody else has handed out, by the descriptor. */
    const char *names[] = { "token" };
    chains_status status;
    int fd =
        chainsi_vault_open(vault, "x", &(chains_string_list){ names, 1 }, &status, why, sizeof why);
    chainsi_vault_free(vault);
    vault = chainsi_vault_new(home, store);
    assert_string_equal(redacted("hunter3"), "hunter3");
    chainsi_vault_recall(vault, fd);
    assert_string_equal(redacted("hunter3"), "[redacted:token]");
    close(fd);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    chainsi_vault_recall(vault, null);
    close(null);
}

static void says_why_nothing_can_be_opened(void **state)
{
    (void)state;
    chainsi_api_service service = { .name = "phi" };
    const char *names[] = { "token" };
    service.secrets = (chains_string_list){ names, 1 };
    chainsi_api_deploy deploy = { .chain = "x", .services = { &service, 1 } };
    set(NULL, "token", "hunter2");
    assert_int_equal(chainsi_vault_check(vault, &deploy, why, sizeof why), CHAINS_OK);
    names[0] = "absent";
    assert_int_equal(chainsi_vault_check(vault, &deploy, why, sizeof why),
                     CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(why, "phi: the secret 'absent' is not set"));
    names[0] = "token";

    /* Another process, without the key: nothing is sealed with another one instead. */
    char *key = chainsi_path("%s/secret.key", home);
    assert_int_equal(unlink(key), 0);
    chainsi_vault_free(vault);
    vault = chainsi_vault_new(home, store);
    assert_int_equal(chainsi_vault_check(vault, &deploy, why, sizeof why),
                     CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(why, "secret.key"));
    assert_int_equal(seal("x", 1), CHAINS_FAILED_PRECONDITION);
    assert_int_not_equal(access(key, F_OK), 0);
    free(key);
}

static void knows_names(void **state)
{
    (void)state;
    static const char *const good[] = { "a", "0", "hf_token", "a-b", "A" };
    static const char *const bad[] = { "", "_a", "-", "a/b", "a.b", "\xc3\xa9", "a b", "a\n" };
    char long_name[65];
    memset(long_name, 'a', sizeof long_name);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(chainsi_vault_is_name(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(chainsi_vault_is_name(bad[i]));
    long_name[64] = 0;
    assert_false(chainsi_vault_is_name(long_name));
    long_name[63] = 0;
    assert_true(chainsi_vault_is_name(long_name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hands_out_what_is_named, make_vault, free_vault),
        cmocka_unit_test_setup_teardown(a_chains_own_goes_first, make_vault, free_vault),
        cmocka_unit_test_setup_teardown(takes_text_up_to_its_limit, make_vault, free_vault),
        cmocka_unit_test_setup_teardown(hands_out_no_more_than_a_process_reads, make_vault,
                                        free_vault),
        cmocka_unit_test_setup_teardown(keeps_out_of_logs_what_was_handed_out, make_vault,
                                        free_vault),
        cmocka_unit_test_setup_teardown(says_why_nothing_can_be_opened, make_vault, free_vault),
        cmocka_unit_test(knows_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
