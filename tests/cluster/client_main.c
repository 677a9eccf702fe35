/* src/cluster for tests in Python: does what lines of standard input say, and says what came of it in a line of JSON each.
 *
 *   client [--kubeconfig FILE] [--context NAME] [--namespace NAME] VERB
 *   show                        {"server", "namespace", "origin"}
 *   ask                         METHOD PATIENCE_S PATH [TYPE FILE]       a line each
 *   apply                       PATIENCE_S FILE                         a line each
 *   follow PATH                 until standard input ends
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/object.h"
#include "schema/json.h"

static void say(chainsi_buffer *line)
{
    chainsi_buffer_add_byte(line, '\n');
    fwrite(line->data, 1, line->size, stdout);
    fflush(stdout);
    chainsi_buffer_done(line);
}

static void add(chainsi_buffer *line, const char *name, const char *value)
{
    chainsi_buffer_add_text(line, line->size ? "," : "{");
    chainsi_json_write_text(line, name);
    chainsi_buffer_add_byte(line, ':');
    chainsi_json_write_text(line, value);
}

static void say_answer(chains_status status, chainsi_cluster_answer *answer)
{
    chainsi_buffer line = { 0 };
    add(&line, "status", chains_status_name(status));
    add(&line, "reason", answer->reason);
    add(&line, "why", answer->why);
    chainsi_buffer_printf(&line, ",\"http\":%d,\"body\":", answer->status);
    chainsi_json_write_string(&line, (char *)answer->body.data, answer->body.size);
    chainsi_buffer_add_byte(&line, '}');
    say(&line);
}

static chainsi_buffer read_file(const char *path)
{
    chainsi_buffer text = { 0 };
    FILE *file = fopen(path, "re");
    if (!file)
        exit(3);
    for (size_t got; (got = fread(chainsi_buffer_reserve(&text, 65536), 1, 65536, file)) > 0;)
        text.size += got;
    fclose(file);
    return text;
}

static void ask(chainsi_cluster *cluster, bool applies)
{
    static char line[65536], path[32768], file[4096], type[256], method[16];
    chainsi_cluster_answer answer = { 0 };
    double patience_s;
    while (fgets(line, sizeof line, stdin)) {
        chainsi_buffer body = { 0 };
        chains_status status;
        if (applies && sscanf(line, "%lf %4095s", &patience_s, file) == 2) {
            body = read_file(file);
            status = chainsi_cluster_apply(cluster, (char *)body.data, body.size, NULL, patience_s,
                                           &answer);
        } else {
            int count = sscanf(line, "%15s %lf %32767s %255s %4095s", method, &patience_s, path,
                               type, file);
            if (count < 3)
                exit(3);
            if (count == 5)
                body = read_file(file);
            status = chainsi_cluster_ask(cluster, method, path, count == 5 ? type : NULL, body.data,
                                         body.size, patience_s, &answer);
        }
        say_answer(status, &answer);
        chainsi_buffer_done(&body);
    }
    chainsi_cluster_answer_done(&answer);
}

/* --------------------------------------------------------------------------------------------
 * following */

static atomic_bool stop;

static void *wait_for_end(void *unused)
{
    (void)unused;
    char some[64];
    while (read(0, some, sizeof some) > 0)
        ;
    atomic_store(&stop, true);
    return NULL;
}

static void on_object(void *user, bool gone, const char *object, size_t size)
{
    (void)user;
    chainsi_arena arena = { 0 };
    chainsi_object read;
    chainsi_buffer line = { 0 };
    bool good = chainsi_object_read(object, size, &arena, &read);
    add(&line, gone ? "gone" : "object", good ? read.metadata.name : NULL);
    add(&line, "version", good ? read.metadata.resource_version : NULL);
    add(&line, "label", good ? chainsi_object_label(&read, "color") : NULL);
    chainsi_buffer_printf(&line, ",\"size\":%zu}", size);
    say(&line);
    chainsi_arena_done(&arena);
}

static void on_list(void *user, bool begin)
{
    (void)user;
    chainsi_buffer line = { 0 };
    add(&line, "list", begin ? "begin" : "end");
    chainsi_buffer_add_byte(&line, '}');
    say(&line);
}

static void on_trouble(void *user, const char *why)
{
    (void)user;
    chainsi_buffer line = { 0 };
    add(&line, "trouble", why);
    chainsi_buffer_add_byte(&line, '}');
    say(&line);
}

static void follow(chainsi_cluster *cluster, const char *path)
{
    pthread_t thread;
    chainsi_cluster_watch watch = { path, on_object, on_list, on_trouble, NULL };
    if (pthread_create(&thread, NULL, wait_for_end, NULL) != 0)
        exit(3);
    chainsi_cluster_follow(cluster, &watch, &stop);
    pthread_join(thread, NULL);
}

static void show(const chainsi_cluster *cluster)
{
    chainsi_buffer line = { 0 };
    add(&line, "server", chainsi_cluster_server(cluster));
    add(&line, "namespace", chainsi_cluster_name_space(cluster));
    add(&line, "origin", chainsi_cluster_origin(cluster));
    chainsi_buffer_add_byte(&line, '}');
    say(&line);
}

int main(int argc, char **argv)
{
    chainsi_cluster_options options = { 0 };
    char why[1024];
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2)
        *(!strcmp(argv[at], "--kubeconfig") ? &options.kubeconfig
          : !strcmp(argv[at], "--context")  ? &options.context
                                            : &options.name_space) = argv[at + 1];
    chainsi_cluster *cluster = chainsi_cluster_open(&options, why, sizeof why);
    if (!cluster) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    const char *verb = at < argc ? argv[at] : "show";
    if (!strcmp(verb, "follow") && at + 1 < argc)
        follow(cluster, argv[at + 1]);
    else if (!strcmp(verb, "show"))
        show(cluster);
    else
        ask(cluster, !strcmp(verb, "apply"));
    chainsi_cluster_close(cluster);
    return 0;
}
