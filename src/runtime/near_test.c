/* Calls to a Chainlet that is near: where they go when a slot is free there, and when none is. The rules that hold for
 * every call are checked at this distance as at all others (runtime/distances_test.c and those beside it). */
#include <dirent.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "runtime/call_test_support.h"
#include "runtime/near.h"
#include "runtime/traffic.h"

enum { LARGE = 1024 * 1024 };

/* echo: gives back what it is given, and stays until it is released if that is "stay". */
typedef struct echo_values {
    const char *text;
} echo_values;

static const chainsi_field echo_fields[] = {
    { CHAINSI_FIELD(echo_values, text, &chainsi_type_string) },
};
static const chainsi_type echo_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(echo_values), .fields = echo_fields, .field_count = 1
};
static const chains_config echo_config = { .concurrency = 1 };
static const chainsi_interface echo_interface = {
    .name = "echo",
    .c_name = "echo",
    .file = "echo.h",
    .line = 7,
    .fingerprint = 0x6563686f,
    .input = &echo_type,
    .output = &echo_type,
    .config = &echo_config,
};
static atomic_bool stays, released;

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return &released;
}

static chains_status run(void *self, chains_ctx *ctx, const void *input, void *output, void *stream)
{
    (void)self, (void)ctx, (void)stream;
    *(echo_values *)output = *(const echo_values *)input;
    const bool staying = !strcmp(((const echo_values *)input)->text, "stay");
    atomic_store(&stays, staying);
    while (staying && !atomic_load(&released))
        usleep(200);
    return CHAINS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation echo_implementation = {
    .interface = &echo_interface, .create = create, .run = run, .destroy = destroy
};
static const chainsi_node echo_node = { .implementation = &echo_implementation };

static int open_near(void **state)
{
    fixture_at = DISTANCE_NEAR;
    fixture_slots = 1;
    fixture_node = &echo_node;
    atomic_store(&released, false);
    atomic_store(&stays, false);
    return open_fixture(state);
}

static char *make_large(void)
{
    char *text = calloc(1, LARGE + 1);
    assert_non_null(text);
    memset(text, 'x', LARGE);
    return text;
}

/* A call with a ctx of its own. */
typedef struct call {
    fixture *made;
    const char *text;
    pthread_t thread;
} call;

static void *make_echo(void *user)
{
    const call *it = user;
    chains_ctx *ctx = chains_open(NULL);
    ctx->process->generated = true;
    const echo_values input = { it->text };
    const char *answer = NULL;
    void *const outputs[] = { &answer };
    if (chainsi_call(it->made->callee, ctx, &input, outputs, NULL) != CHAINS_OK)
        fail_msg("%s", chains_last_error(ctx)->message);
    assert_string_equal(answer, it->text);
    chains_close(ctx);
    return NULL;
}

static void what_is_large_is_shared_with_who_is_near(void **state)
{
    char *text = make_large();
    const chainsi_traffic before = chainsi_traffic_read();
    make_echo(&(call){ .made = *state, .text = text });
    const chainsi_traffic after = chainsi_traffic_read();
    assert_true(after.socket - before.socket < LARGE);
    assert_true(after.shared - before.shared >= LARGE);
    free(text);
}

/* The same call, while the only slot is taken: the text lies beside the message, and has to go by TCP. */
static void where_no_slot_is_free_it_goes_by_tcp(void **state)
{
    fixture *made = *state;
    char *text = make_large();
    call first = { .made = made, .text = "stay" }, second = { .made = made, .text = text };
    pthread_create(&first.thread, NULL, make_echo, &first);
    while (!atomic_load(&stays))
        usleep(200);
    pthread_create(&second.thread, NULL, make_echo, &second);
    chainsi_server_counters counters = { 0 };
    while (!counters.waiting) {
        usleep(200);
        chainsi_server_read_counters(atomic_load(&made->service.server), &counters);
    }
    atomic_store(&released, true);
    pthread_join(second.thread, NULL);
    pthread_join(first.thread, NULL);
    free(text);
}

/* What a replica that was killed has left, and what is no replica's. */
static void a_folder_with_other_things(void **state)
{
    fixture *made = *state;
    char path[128], why[256];
    snprintf(path, sizeof path, "%s/near/0123456789abcdef.board", made->folder);
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX, .path = path };
    int fd = chainsi_address_listen(&address, 1, why, sizeof why);
    assert_true(fd >= 0);
    close(fd);
    char other[128];
    snprintf(other, sizeof other, "%s/near/fedcba9876543210.board", made->folder);
    address.path = other;
    fd = chainsi_address_listen(&address, 1, why, sizeof why); /* it says nothing */
    make_echo(&(call){ .made = made, .text = "a" });
    close(fd);
    char users[160]; /* which isn't even a socket */
    snprintf(users, sizeof users, "%s/near/a-file-of-somebody-else.txt", made->folder);
    FILE *file = fopen(users, "w");
    assert_non_null(file);
    fclose(file);
    /* Whoever starts there next removes them, and nothing else. */
    char folder[80];
    snprintf(folder, sizeof folder, "%s/near", made->folder);
    chainsi_seat seat;
    int direct;
    chainsi_near_offer *offer = chainsi_near_offer_new(folder, 1, &seat, &direct, why, sizeof why);
    assert_non_null(offer);
    int files = 0;
    DIR *listed = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listed));)
        files += entry->d_name[0] != '.';
    closedir(listed);
    assert_int_equal(files, 5); /* two of each replica, and that of somebody else */
    assert_int_equal(unlink(users), 0);
    chainsi_near_offer_free(offer);
    close(direct);
}

/* The path of the only replica's socket of calls. */
static void find_socket(const fixture *made, char path[160])
{
    char folder[80];
    snprintf(folder, sizeof folder, "%s/near", made->folder);
    DIR *listed = opendir(folder);
    assert_non_null(listed);
    for (struct dirent *entry; (entry = readdir(listed));)
        if (entry->d_name[0] != '.' && !strchr(entry->d_name, '.'))
            snprintf(path, 160, "%s/%.16s", folder, entry->d_name);
    closedir(listed);
}

static int open_near_with_any_umask(void **state)
{
    const mode_t before = umask(0);
    const int status = open_near(state);
    umask(before);
    return status;
}

static void its_sockets_are_for_one_user(void **state)
{
    char path[160] = "";
    struct stat about;
    find_socket(*state, path);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

/* Another user's socket under a replica's name: nothing is said to it. */
static void what_others_put_in_its_place_is_not_called(void **state)
{
    enum { NOBODY = 65534 };
    char path[160] = "", why[256];
    if (geteuid() != 0)
        skip();
    find_socket(*state, path);
    assert_int_equal(unlink(path), 0);
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX, .path = path };
    const int listening = chainsi_address_listen(&address, 1, why, sizeof why);
    assert_true(listening >= 0);
    assert_int_equal(seteuid(NOBODY), 0);
    assert_int_equal(listen(listening, 1), 0); /* whoever does that is the other end */
    assert_int_equal(seteuid(0), 0);
    make_echo(&(call){ .made = *state, .text = "a secret" });
    const int taken = accept(listening, NULL, NULL);
    assert_true(taken >= 0);
    char byte;
    assert_int_equal(recv(taken, &byte, 1, MSG_DONTWAIT), 0);
    close(taken);
    close(listening);
}

static void a_folder_that_cannot_be_used(void **state)
{
    (void)state;
    chainsi_seat seat;
    int fd;
    char why[256] = "", path[CHAINSI_NEAR_PATH + 2];
    assert_null(chainsi_near_offer_new("/nowhere/near", 1, &seat, &fd, why, sizeof why));
    assert_string_equal(why, "/nowhere/near: No such file or directory");
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    assert_null(chainsi_near_offer_new(path, 1, &seat, &fd, why, sizeof why));
    assert_non_null(strstr(why, "File name too long"));
    chainsi_near *near = chainsi_near_new(path);
    int next = 0;
    assert_null(chainsi_near_take(near, &next));
    chainsi_near_free(near);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_near, close_fixture)
    const struct CMUnitTest tests[] = {
        TEST(what_is_large_is_shared_with_who_is_near),
        TEST(where_no_slot_is_free_it_goes_by_tcp),
        TEST(a_folder_with_other_things),
        cmocka_unit_test_setup_teardown(its_sockets_are_for_one_user, open_near_with_any_umask,
                                        close_fixture),
        TEST(what_others_put_in_its_place_is_not_called),
        TEST(a_folder_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
