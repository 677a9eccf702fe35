/* Runs a fuzzer's function over files: each argument is a file, or a folder of files. Folders that do
 * not exist hold none. Fails if there was nothing to run. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    uint8_t *data = NULL;
    size_t size = 0, part;
    do { /* to the exact size in the end, so that reading beyond it is seen */
        data = realloc(data, size + 4096);
        if (!data)
            abort();
        part = fread(data + size, 1, 4096, file);
        size += part;
    } while (part);
    fclose(file);
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        abort();
    memcpy(exact, data, size);
    free(data);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return true;
}

static int count;
static bool failed;

static void run_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return;
    if (!S_ISDIR(status.st_mode)) {
        failed |= !run_file(path);
        count++;
        return;
    }
    struct dirent **entries;
    int entry_count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < entry_count; i++) {
        if (entries[i]->d_name[0] != '.') {
            char *inner = NULL;
            if (asprintf(&inner, "%s/%s", path, entries[i]->d_name) < 0)
                abort();
            run_path(inner);
            free(inner);
        }
        free(entries[i]);
    }
    if (entry_count >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    fprintf(stderr, "%d files\n", count);
    return failed || count == 0;
}
