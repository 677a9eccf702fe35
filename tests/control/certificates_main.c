/* control/certificates.h for tests: does what lines of standard input say, until they end.
 *
 *   certificates [look_s] [authority_life_s] [certificate_life_s]       the cluster is that of $KUBECONFIG
 *   add CHAIN CONFIG_MAP UID OBJECT...
 *   remove CONFIG_MAP
 *   at SECONDS            what the time is from now on
 * Prints a line "identity CHAIN" and then the three texts, and a line "end", for each that the front door is told. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/certificates.h"

static _Atomic int64_t at_s;
static chainsi_certificates *certificates;

static int64_t now_s(void)
{
    return at_s ? at_s : (int64_t)time(NULL);
}

static void on_identity(void *user, const chainsi_front_identity *identity)
{
    (void)user;
    printf("identity %s\n%s%s%send\n", identity->chain, identity->certificate, identity->key,
           identity->authorities);
    fflush(stdout);
}

static void add(char *rest)
{
    char services[4096] = "[", *object;
    chainsi_certificates_version version = {
        .chain = strsep(&rest, " "),
        .config_map = strsep(&rest, " "),
        .uid = strsep(&rest, " "),
        .version_label = "v1",
        .services = services,
    };
    version.chain_label = version.chain;
    while ((object = strsep(&rest, " ")))
        snprintf(services + strlen(services), sizeof services - strlen(services),
                 "%s{\"name\":\"x\",\"object\":\"%s\"}", services[1] ? "," : "", object);
    strcat(services, "]");
    if (!chainsi_certificates_add(certificates, &version))
        exit(3);
}

static void obey(char *line)
{
    char *verb = strsep(&line, " ");
    if (!strcmp(verb, "add"))
        add(line);
    else if (!strcmp(verb, "remove"))
        chainsi_certificates_remove(certificates, line);
    else if (!strcmp(verb, "at"))
        at_s = strtoll(line, NULL, 10);
    else
        exit(3);
}

static char input[65536];
static size_t filled;

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
    (void)handle;
    (void)wanted;
    *room = uv_buf_init(input + filled, (unsigned)(sizeof input - filled));
}

static void on_input(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    (void)data;
    if (size < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    filled += (size_t)size;
    for (char *end; (end = memchr(input, '\n', filled));) {
        size_t used = (size_t)(end - input) + 1;
        *end = 0;
        obey(input);
        memmove(input, input + used, filled - used);
        filled -= used;
    }
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    uv_pipe_t pipe;
    char why[512];
    chainsi_cluster *cluster =
        chainsi_cluster_open(&(chainsi_cluster_options){ NULL, NULL, NULL }, why, sizeof why);
    if (!cluster) {
        fprintf(stderr, "%s\n", why);
        return 2;
    }
    uv_loop_init(&loop);
    certificates = chainsi_certificates_start(
        &loop, &(chainsi_certificates_options){
                   .cluster = cluster,
                   .on_identity = on_identity,
                   .look_s = argc > 1 ? strtod(argv[1], NULL) : 0,
                   .authority_life_s = argc > 2 ? strtoll(argv[2], NULL, 10) : 0,
                   .certificate_life_s = argc > 3 ? strtoll(argv[3], NULL, 10) : 0,
                   .now_s = now_s,
               });
    uv_pipe_init(&loop, &pipe, 0);
    uv_pipe_open(&pipe, 0);
    uv_read_start((uv_stream_t *)&pipe, give_room, on_input);
    uv_run(&loop, UV_RUN_DEFAULT);
    chainsi_certificates_stop(certificates);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    chainsi_cluster_close(cluster);
    return 0;
}
