/* GPUs: finding them (this program plays NVML), and giving them away, against every way there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/folder_test_support.h"
#include "control/gpu.h"
#include "control/home.h"

/* --- a machine with NVML: the functions that the daemon looks for, exported by this program */

typedef struct fake_device {
    const char *name, *uuid; /* NULL: the call fails */
} fake_device;

static struct {
    int init_code, count_code;
    unsigned count;
    fake_device devices[4];
    unsigned running; /* inits without their shutdown */
} nvml;

int nvmlInit_v2(void);
int nvmlInit_v2(void)
{
    nvml.running += nvml.init_code == 0;
    return nvml.init_code;
}

int nvmlShutdown(void);
int nvmlShutdown(void)
{
    nvml.running--;
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = nvml.count;
    return nvml.count_code;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = &nvml.devices[index];
    return 0;
}

static int give_text(const char *text, char *to, unsigned size)
{
    if (!text)
        return 15; /* "GPU is lost" */
    assert_true(strlen(text) < size);
    strcpy(to, text);
    return 0;
}

int nvmlDeviceGetName(const fake_device *device, char *name, unsigned size);
int nvmlDeviceGetName(const fake_device *device, char *name, unsigned size)
{
    return give_text(device->name, name, size);
}

int nvmlDeviceGetUUID(const fake_device *device, char *uuid, unsigned size);
int nvmlDeviceGetUUID(const fake_device *device, char *uuid, unsigned size)
{
    return give_text(device->uuid, uuid, size);
}

int nvmlDeviceGetMemoryInfo(const fake_device *device, unsigned long long memory[3]);
int nvmlDeviceGetMemoryInfo(const fake_device *device, unsigned long long memory[3])
{
    (void)device;
    memory[0] = 24ULL << 30;
    memory[1] = 23ULL << 30;
    memory[2] = 1ULL << 30;
    return 0;
}

const char *nvmlErrorString(int code);
const char *nvmlErrorString(int code)
{
    return code == 9 ? "Driver Not Loaded" : "Unknown Error";
}

static void asks_nvml(void **state)
{
    (void)state;
    nvml.count = 3;
    nvml.devices[0] = (fake_device){ "NVIDIA A10G", "GPU-aaaa" };
    nvml.devices[1] = (fake_device){ NULL, NULL };
    nvml.devices[2] = (fake_device){ "NVIDIA H100 80GB HBM3", NULL };
    chainsi_gpu_sources sources = { .nvml = NULL, .folder = folder };
    chainsi_gpus gpus;
    chainsi_gpus_find(&sources, &gpus);
    assert_int_equal(gpus.count, 2);
    assert_string_equal(gpus.items[0].name, "NVIDIA A10G");
    assert_string_equal(gpus.items[0].uuid, "GPU-aaaa");
    assert_int_equal(gpus.items[0].index, 0);
    assert_int_equal(gpus.items[0].memory_bytes, 24ULL << 30);
    assert_string_equal(gpus.items[1].name, "NVIDIA H100 80GB HBM3");
    assert_string_equal(gpus.items[1].uuid, "");
    assert_int_equal(gpus.items[1].index, 2);
    chainsi_gpus_done(&gpus);

    sources.visible = "2";
    chainsi_gpus_find(&sources, &gpus);
    assert_int_equal(gpus.count, 1);
    assert_int_equal(gpus.items[0].index, 2);
    chainsi_gpus_done(&gpus);

    nvml.count = 0;
    sources.visible = NULL;
    chainsi_gpus_find(&sources, &gpus);
    assert_int_equal(gpus.count, 0);
    assert_string_equal(gpus.why, "the NVIDIA driver has no device");
    chainsi_gpus_done(&gpus);
    assert_int_equal(nvml.running, 0);
}

static void says_why_there_is_none(void **state)
{
    (void)state;
    nvml.init_code = 9;
    chainsi_gpu_sources sources = { .nvml = NULL, .folder = folder };
    chainsi_gpus gpus;
    chainsi_gpus_find(&sources, &gpus);
    assert_int_equal(gpus.count, 0);
    assert_string_equal(gpus.why, "NVML says: Driver Not Loaded");
    chainsi_gpus_done(&gpus);
    nvml.init_code = 0;
    nvml.count_code = 999;
    chainsi_gpus_find(&sources, &gpus);
    assert_string_equal(gpus.why, "NVML says: Unknown Error");
    assert_int_equal(nvml.running, 0);
    chainsi_gpus_done(&gpus);
    nvml.count_code = 0;
    sources.nvml = "libthere-is-none.so.1";
    chainsi_gpus_find(&sources, &gpus);
    assert_int_equal(gpus.count, 0);
    assert_string_equal(gpus.why, "libthere-is-none.so.1 isn't installed");
    chainsi_gpus_done(&gpus);
    sources.nvml = "libc.so.6"; /* a library that has none of the functions */
    chainsi_gpus_find(&sources, &gpus);
    assert_string_equal(gpus.why, "libc.so.6 is too old");
    chainsi_gpus_done(&gpus);
}

static void write_information(const char *address, const char *text)
{
    char *device = chainsi_path("%s/%s", folder, address);
    char *path = chainsi_path("%s/information", device);
    assert_true(chainsi_make_folders(device));
    assert_true(chainsi_write_file(path, text, strlen(text)));
    free(path);
    free(device);
}

static void reads_what_the_driver_has_in_proc(void **state)
{
    (void)state;
    write_information("0000:65:00.0", "Model: \t\t Tesla T4\nIRQ:   \t\t 24\n"
                                      "GPU UUID: \t GPU-\?\?\?\?\?\?\?\?-\?\?\?\?\n");
    write_information("0000:17:00.0", "Model: \t\t NVIDIA A10G\nGPU UUID: \t GPU-1234\n"
                                      "Device Minor: \t 0\nGPU Excluded:\t No\n");
    write_information("0000:99:00.0", "IRQ: 1\n");
    chainsi_gpu_sources sources = { .nvml = "libthere-is-none.so.1", .folder = folder };
    chainsi_gpus gpus;
    chainsi_gpus_find(&sources, &gpus);
    assert_int_equal(gpus.count, 2);
    assert_string_equal(gpus.items[0].name, "NVIDIA A10G");
    assert_string_equal(gpus.items[0].uuid, "GPU-1234");
    assert_int_equal(gpus.items[0].index, 0);
    assert_string_equal(gpus.items[1].name, "Tesla T4");
    assert_string_equal(gpus.items[1].uuid, "");
    assert_int_equal(gpus.items[1].index, 1);
    chainsi_gpus_done(&gpus);
}

static void reads_information_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "Model: \t NVIDIA A10G\nGPU UUID: \t GPU-1234";
    for (size_t size = 0; size < sizeof text; size++) {
        char part[sizeof text] = { 0 };
        memcpy(part, text, size);
        chainsi_gpu gpu = { .index = 5 };
        bool read = chainsi_gpu_read_information(part, &gpu);
        assert_int_equal(read, size > strlen("Model: \t "));
        assert_int_equal(strncmp(gpu.name, "NVIDIA A10G", strlen(gpu.name)), 0);
        assert_int_equal(strncmp(gpu.uuid, "GPU-1234", strlen(gpu.uuid)), 0);
        assert_int_equal(gpu.index, 5);
    }
    char longer[2 * CHAINSI_GPU_TEXT + 16] = "Model: ";
    memset(longer + 7, 'x', 2 * CHAINSI_GPU_TEXT);
    chainsi_gpu gpu = { 0 };
    assert_true(chainsi_gpu_read_information(longer, &gpu));
    assert_int_equal(strlen(gpu.name), CHAINSI_GPU_TEXT - 1);
}

/* --- a machine made up: names, in the order of the devices */

static chainsi_gpus machine(const char *const *names, size_t count)
{
    chainsi_gpus gpus = { .items = calloc(count + 1, sizeof *gpus.items), .count = count };
    assert_non_null(gpus.items);
    for (size_t i = 0; i < count; i++) {
        chainsi_gpu *gpu = &gpus.items[i];
        snprintf(gpu->name, sizeof gpu->name, "%s", names[i]);
        snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%c%c%c", (char)('a' + i), (char)('a' + i),
                 (char)('a' + i));
        gpu->index = (unsigned)i;
    }
    return gpus;
}

static void leaves_what_the_daemon_may_use(void **state)
{
    (void)state;
    static const char *const names[] = { "a", "b", "c" };
    static const struct {
        const char *visible, *left; /* numbers in order */
    } cases[] = {
        { "0", "0" },
        { "2,0", "20" },
        { "1, 2", "12" },
        { "0,0,1", "01" },
        { "GPU-bbb,gpu-a", "10" },
        { "1,7,2", "1" }, /* nothing counts behind what is no device */
        { "-1", "" },
        { "", "" },
        { "NoDevFiles", "" },
        { "0x,1", "" },
        { "1,", "1" },
        { ",1", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_gpus gpus = machine(names, 3);
        chainsi_gpus_leave_visible(&gpus, cases[i].visible);
        char left[8] = "";
        for (size_t d = 0; d < gpus.count && d + 1 < sizeof left; d++)
            left[d] = (char)('0' + gpus.items[d].index);
        if (strcmp(left, cases[i].left) != 0)
            fail_msg("CUDA_VISIBLE_DEVICES=%s leaves \"%s\"", cases[i].visible, left);
        assert_int_equal(!gpus.count, strstr(gpus.why, "hides all") != NULL);
        chainsi_gpus_done(&gpus);
    }
}

static void matches_words(void **state)
{
    (void)state;
    static const struct {
        const char *name, *kind;
        bool is;
    } cases[] = {
        { "NVIDIA A10G", "A10G", true },
        { "NVIDIA A10G", "a10g", true },
        { "NVIDIA A10G", "A10", false },
        { "NVIDIA A100-SXM4-40GB", "A10", false },
        { "NVIDIA A100-SXM4-40GB", "A100", true },
        { "NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb", true },
        { "NVIDIA A100-SXM4-40GB", "00", false },
        { "NVIDIA A10G", "NVIDIA", true },
        { "NVIDIA A10G", "any", true },
        { "NVIDIA A10G", "ANY", true },
        { "NVIDIA A10G", "", false },
        { "NVIDIA A10G", "NVIDIA A10G with more", false },
        { "Tesla T4", "T4", true },
        { "AA10G A10G", "A10G", true },
        { "Company", "any", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_gpu gpu = { 0 };
        snprintf(gpu.name, sizeof gpu.name, "%s", cases[i].name);
        if (chainsi_gpu_is(&gpu, cases[i].kind) != cases[i].is)
            fail_msg("\"%s\" and %s", cases[i].name, cases[i].kind);
    }
}

static void refuses_with_what_there_is(void **state)
{
    (void)state;
    static const char *const names[] = { "NVIDIA A10G", "Tesla T4", "NVIDIA A10G" };
    const char *owners[3] = { NULL };
    char why[512];
    chainsi_gpu_request one = { "poem/phi 0", "A10G", 1 }, any = { "poem/phi 0", "any", 1 };
#define INSTEAD                                                                                    \
    "`chains deploy --fake FILE.c` puts a fake in its place (deploying to a cluster that has "     \
    "others, `--target kubernetes`, is not there yet)"
    chainsi_gpus none = { .why = "libnvidia-ml.so.1 isn't installed" };
    assert_false(chainsi_gpus_assign(&none, owners, &one, 1, why, sizeof why));
    assert_string_equal(why, "poem/phi 0 needs a GPU of the kind A10G, and there is none here "
                             "(libnvidia-ml.so.1 isn't installed): " INSTEAD);
    assert_false(chainsi_gpus_assign(&none, owners, &any, 1, why, sizeof why));
    assert_string_equal(why, "poem/phi 0 needs a GPU, and there is none here "
                             "(libnvidia-ml.so.1 isn't installed): " INSTEAD);
    assert_true(chainsi_gpus_assign(&none, owners, NULL, 0, why, sizeof why));

    chainsi_gpus gpus = machine(names, 3);
    chainsi_gpu_request other = { "poem/phi 0", "H100", 1 };
    assert_false(chainsi_gpus_assign(&gpus, owners, &other, 1, why, sizeof why));
    assert_string_equal(why,
                        "poem/phi 0 needs a GPU of the kind H100, and here there is 2 x NVIDIA "
                        "A10G, Tesla T4: " INSTEAD);
    chainsi_gpu_request many = { "poem/phi 0", "A10G", 3 };
    assert_false(chainsi_gpus_assign(&gpus, owners, &many, 1, why, sizeof why));
    assert_string_equal(why, "poem/phi 0 needs 3 GPUs of the kind A10G, and here there is 2 x "
                             "NVIDIA A10G, Tesla T4: " INSTEAD);
    owners[0] = "song/sing 1";
    chainsi_gpu_request two[] = { { "poem/phi 0", "A10G", 1 }, { "poem/phi 1", "A10G", 1 } };
    assert_false(chainsi_gpus_assign(&gpus, owners, two, 2, why, sizeof why));
    assert_string_equal(why, "poem/phi 1 needs a GPU of the kind A10G, and too few are free: "
                             "song/sing 1 has NVIDIA A10G (number 0), poem/phi 0 has NVIDIA A10G "
                             "(number 2)");
    assert_null(owners[2]); /* all or nothing */
    chainsi_gpus_release(&gpus, owners, "song/sing 1");
    assert_true(chainsi_gpus_assign(&gpus, owners, two, 2, why, sizeof why));
    assert_string_equal(owners[0], "poem/phi 0");
    assert_string_equal(owners[2], "poem/phi 1");
    assert_null(owners[1]);
    chainsi_gpus_done(&gpus);
}

static void gives_alike_and_leaves_the_rare(void **state)
{
    (void)state;
    static const char *const names[] = { "T4", "A10G", "A10G" };
    chainsi_gpus gpus = machine(names, 3);
    const char *owners[3] = { NULL };
    char why[512];
    /* Two of one name, though the first free ones aren't. */
    chainsi_gpu_request two = { "x", "any", 2 };
    assert_true(chainsi_gpus_assign(&gpus, owners, &two, 1, why, sizeof why));
    assert_null(owners[0]);
    chainsi_gpus_release(&gpus, owners, "x");
    /* Three of any name, if need be. */
    chainsi_gpu_request three = { "x", "any", 3 };
    assert_true(chainsi_gpus_assign(&gpus, owners, &three, 1, why, sizeof why));
    chainsi_gpus_release(&gpus, owners, "x");
    /* The first could have the T4, which the second needs. */
    chainsi_gpu_request both[] = { { "x", "any", 1 }, { "y", "T4", 1 } };
    assert_true(chainsi_gpus_assign(&gpus, owners, both, 2, why, sizeof why));
    assert_string_equal(owners[0], "y");
    chainsi_gpus_done(&gpus);
}

static void tells_processes_which_are_theirs(void **state)
{
    (void)state;
    static const char *const names[] = { "T4", "A10G", "A10G" };
    chainsi_gpus gpus = machine(names, 3);
    const char *owners[3] = { "x", "y", "x" };
    chainsi_buffer entries = { 0 };
    assert_int_equal(chainsi_gpus_environment(&gpus, owners, "x", &entries), 1);
    assert_string_equal((char *)entries.data, "CUDA_VISIBLE_DEVICES=GPU-aaa,GPU-ccc");
    entries.size = 0;
    assert_int_equal(chainsi_gpus_environment(&gpus, owners, "nobody", &entries), 1);
    assert_string_equal((char *)entries.data, "CUDA_VISIBLE_DEVICES=");
    entries.size = 0;
    gpus.items[1].uuid[0] = 0;
    assert_int_equal(chainsi_gpus_environment(&gpus, owners, "x", &entries), 2);
    assert_string_equal((char *)entries.data, "CUDA_VISIBLE_DEVICES=0,2");
    assert_string_equal((char *)entries.data + strlen((char *)entries.data) + 1,
                        "CUDA_DEVICE_ORDER=PCI_BUS_ID");
    chainsi_buffer_done(&entries);
    chainsi_gpus_done(&gpus);
}

/* --- every way to assign, against the plan */

enum { MOST_DEVICES = 5, MOST_REQUESTS = 4 };

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

/* Whether the requests from `from` on can be met, `needed` more of that one first. */
static bool can_be_met(const chainsi_gpus *gpus, const char **owners,
                       const chainsi_gpu_request *requests, size_t count, size_t from,
                       size_t needed, size_t first)
{
    if (from == count)
        return true;
    if (!needed)
        return can_be_met(gpus, owners, requests, count, from + 1,
                          from + 1 < count ? requests[from + 1].count : 0, 0);
    for (size_t d = first; d < gpus->count; d++) {
        if (owners[d] || !chainsi_gpu_is(&gpus->items[d], requests[from].kind))
            continue;
        owners[d] = "tried";
        bool met = can_be_met(gpus, owners, requests, count, from, needed - 1, d + 1);
        owners[d] = NULL;
        if (met)
            return true;
    }
    return false;
}

static void assigns_whenever_it_can_be_done(void **state)
{
    (void)state;
    static const char *const names[] = { "NVIDIA A10G", "NVIDIA H100", "Tesla T4" };
    static const char *const kinds[] = { "any", "A10G", "H100", "T4", "NVIDIA" };
    static const char *const replicas[MOST_REQUESTS] = { "r 0", "r 1", "r 2", "r 3" };
    size_t met_count = 0, failed_count = 0;
    for (int round = 0; round < 20000; round++) {
        const char *chosen[MOST_DEVICES], *owners[MOST_DEVICES], *before[MOST_DEVICES];
        size_t device_count = draw(MOST_DEVICES + 1);
        for (size_t d = 0; d < device_count; d++) {
            chosen[d] = names[draw(3)];
            owners[d] = before[d] = draw(4) ? NULL : "another";
        }
        chainsi_gpus gpus = machine(chosen, device_count);
        chainsi_gpu_request requests[MOST_REQUESTS];
        size_t request_count = draw(MOST_REQUESTS + 1);
        for (size_t r = 0; r < request_count; r++)
            requests[r] = (chainsi_gpu_request){ replicas[r], kinds[draw(5)], 1 + draw(2) };
        char why[1024] = "";
        bool met = can_be_met(&gpus, owners, requests, request_count, 0,
                              request_count ? requests[0].count : 0, 0);
        assert_int_equal(
            chainsi_gpus_assign(&gpus, owners, requests, request_count, why, sizeof why), met);
        assert_int_equal(!met, why[0] != 0);
        for (size_t d = 0; d < device_count; d++)
            if (!met || before[d])
                assert_ptr_equal(owners[d], before[d]);
        for (size_t r = 0; met && r < request_count; r++) {
            size_t got = 0;
            for (size_t d = 0; d < device_count; d++) {
                if (owners[d] != requests[r].owner)
                    continue;
                assert_true(chainsi_gpu_is(&gpus.items[d], requests[r].kind));
                got++;
            }
            assert_int_equal(got, requests[r].count);
        }
        met_count += met;
        failed_count += !met;
        chainsi_gpus_done(&gpus);
    }
    assert_true(met_count > 1000 && failed_count > 1000); /* both were tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(asks_nvml, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(says_why_there_is_none, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(reads_what_the_driver_has_in_proc, make_folder,
                                        remove_folder),
        cmocka_unit_test(reads_information_cut_anywhere),
        cmocka_unit_test(leaves_what_the_daemon_may_use),
        cmocka_unit_test(matches_words),
        cmocka_unit_test(refuses_with_what_there_is),
        cmocka_unit_test(gives_alike_and_leaves_the_rare),
        cmocka_unit_test(tells_processes_which_are_theirs),
        cmocka_unit_test(assigns_whenever_it_can_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
