/* Builds: which Chainlets a program needs, and the steps that make it. The files beside do the
 * steps; see build_state.h for their order. */
#include "compiler/build_state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------
 * the state */

static void report(chainsi_build *build, const char *hint, const char *what, const char *path)
{
    int error = errno;
    chainsi_diagnostics_add(build->diagnostics, CHAINSI_SEVERITY_ERROR, (chainsi_position){ 0 },
                            hint, "%s '%s': %s", what, path, strerror(error));
}

const char *chainsi_build_path(chainsi_build *build, const char *path)
{
    if (path[0] == '/')
        return path;
    return chainsi_arena_printf(&build->arena, "%s/%s", build->model->folder, path);
}

bool chainsi_build_make_folder(chainsi_build *build, const char *folder)
{
    char *path = chainsi_arena_strdup(&build->arena, chainsi_build_path(build, folder));
    for (char *at = path + strlen(build->model->folder); at; at = strchr(at + 1, '/')) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (*path && mkdir(path, 0777) && errno != EEXIST) {
            report(build, NULL, "can't make the folder", path);
            return false;
        }
        *at = '/';
    }
    if (mkdir(path, 0777) && errno != EEXIST) {
        report(build, NULL, "can't make the folder", path);
        return false;
    }
    return true;
}

bool chainsi_build_save(chainsi_build *build, chainsi_writer *writer, const char *path)
{
    bool good = chainsi_writer_save(writer, chainsi_build_path(build, path));
    if (!good)
        report(build, NULL, "can't write", path);
    chainsi_writer_done(writer);
    return good;
}

bool chainsi_build_ninja(chainsi_build *build, const char *manifest, const char *const *targets,
                         size_t count)
{
    return chainsi_ninja_run(&build->toolchain, build->model->folder,
                             chainsi_arena_printf(&build->arena, "%s/%s", build->out, manifest),
                             targets, count, build->options->quiet);
}

bool chainsi_build_is_current(chainsi_build *build, const char *manifest, const char *target)
{
    int status;
    const char *command = chainsi_arena_printf(
        &build->arena, "cd %s && %s -f %s/%s -n %s",
        chainsi_shell_quote(&build->arena, build->model->folder), build->toolchain.ninja,
        build->out, manifest, chainsi_shell_quote(&build->arena, target));
    const char *said = chainsi_shell_output(&build->arena, command, &status);
    return !status && strstr(said, "no work to do");
}

typedef void (*generator)(chainsi_writer *writer, const chainsi_model_chainlet *chainlet);

static bool generate(chainsi_build *build)
{
    static const struct {
        const char *suffix;
        generator write;
        bool unit, guard; /* only where there is a source; only for C++ and CUDA */
    } files[] = {
        { "call.h", chainsi_generate_call, false, false },
        { "types.c", chainsi_generate_types, false, false },
        { "stub.c", chainsi_generate_stub, false, false },
        { "glue.c", chainsi_generate_glue, true, false },
        { "guard.cc", chainsi_generate_guard, true, true },
    };
    for (size_t i = 0; i < build->model->chainlet_count; i++) {
        const chainsi_model_chainlet *chainlet = build->model->chainlets[i];
        bool guarded = chainlet->language == CHAINSI_LANGUAGE_CXX ||
                       chainlet->language == CHAINSI_LANGUAGE_CUDA;
        for (size_t j = 0; j < sizeof files / sizeof *files; j++) {
            if ((files[j].unit && chainlet->external) || (files[j].guard && !guarded))
                continue;
            chainsi_writer writer = { 0 };
            files[j].write(&writer, chainlet);
            if (!chainsi_build_save(build, &writer,
                                    chainsi_arena_printf(&build->arena, "%s/%s.%s",
                                                         CHAINSI_GENERATED, chainlet->c_name,
                                                         files[j].suffix)))
                return false;
        }
    }
    return true;
}

static bool take_lock(chainsi_build *build)
{
    const char *path = chainsi_build_path(build, CHAINSI_GENERATED "/lock");
    build->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (build->lock < 0) {
        report(build, NULL, "can't write", path);
        return false;
    }
    while (flock(build->lock, LOCK_EX))
        if (errno != EINTR)
            return false;
    return true;
}

bool chainsi_build_begin(chainsi_build *build, const chainsi_model *model,
                         const chainsi_build_options *options, chainsi_diagnostics *diagnostics)
{
    *build = (chainsi_build){
        .model = model, .options = options, .diagnostics = diagnostics, .lock = -1
    };
    build->out = options->sanitize ? CHAINSI_GENERATED "/sanitize" : CHAINSI_GENERATED;
    if (!chainsi_support_find(&build->support, &build->arena) ||
        access(build->support.library, R_OK)) {
        chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, (chainsi_position){ 0 },
                                "install chains whole, or build it with `make`",
                                "libchains.a is not where 'chains' expects it, in ../lib beside "
                                "its own folder");
        return false;
    }
    chainsi_toolchain_find(&build->toolchain, &build->arena);
    chainsi_buffer dirs = { 0 };
    for (size_t i = 0; i < model->include_dir_count; i++)
        chainsi_buffer_printf(&dirs, " -I%s",
                              chainsi_shell_quote(&build->arena, model->include_dirs[i]));
    chainsi_buffer_printf(&dirs, " -I%s",
                          chainsi_shell_quote(&build->arena, build->support.include_dir));
    build->include_dirs = chainsi_arena_copy(&build->arena, dirs.data, dirs.size);
    chainsi_buffer_done(&dirs);
    return chainsi_build_make_folder(build, CHAINSI_GENERATED) && take_lock(build) &&
           chainsi_build_make_folder(build, build->out) && generate(build) &&
           chainsi_build_find_units(build) && chainsi_build_write_parts(build) &&
           chainsi_build_write_commands(build);
}

void chainsi_build_done(chainsi_build *build)
{
    if (build->lock >= 0)
        close(build->lock);
    chainsi_arena_done(&build->arena);
}

/* ------------------------------------------------------------------------------------------------
 * fakes */

/* Fills in a file that a process here would open by `given`. */
static bool describe_fake(chainsi_build *build, chainsi_fake_file *file, const char *given,
                          bool is_test)
{
    char absolute[PATH_MAX];
    if (!realpath(given, absolute)) {
        report(build, NULL, "can't read", given);
        return false;
    }
    size_t folder_size = strlen(build->model->folder);
    bool inside =
        !strncmp(absolute, build->model->folder, folder_size) && absolute[folder_size] == '/';
    *file = (chainsi_fake_file){ .is_test = is_test };
    file->path =
        chainsi_arena_strdup(&build->arena, inside ? absolute + folder_size + 1 : absolute);
    const char *dot = strrchr(file->path, '.');
    file->is_cxx = dot && (!strcmp(dot, ".cc") || !strcmp(dot, ".cpp"));
    char *name = chainsi_arena_strdup(&build->arena, file->path);
    for (char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
            *at = '-';
    file->folder = chainsi_arena_printf(&build->arena, "%s/fakes/%s", build->out, name);
    file->object = chainsi_arena_printf(&build->arena, "%s/alone.o", file->folder);
    file->linked = chainsi_arena_printf(&build->arena, "%s/linked.o", file->folder);
    return true;
}

/* The fakes of the options, compiled; NULL with *failed set if one can't be. */
static chainsi_fake_file *take_fakes(chainsi_build *build, bool *failed)
{
    size_t count = build->options->fake_count;
    chainsi_fake_file *files = chainsi_arena_array(&build->arena, count + 1, sizeof *files);
    bool *compiled = chainsi_arena_array(&build->arena, count + 1, sizeof *compiled);
    *failed = false;
    for (size_t i = 0; i < count; i++)
        *failed = !describe_fake(build, &files[i], build->options->fakes[i], false) || *failed;
    if (*failed || !chainsi_build_compile_fakes(build, files, count, compiled)) {
        *failed = true;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        bool any = false;
        for (size_t j = 0; j < build->model->chainlet_count; j++)
            any = any || chainsi_fake_defines(&files[i], build->model->chainlets[j]);
        chainsi_position position = { .file = files[i].path, .line = 1, .column = 1, .length = 1 };
        if (any)
            continue;
        *failed = true;
        chainsi_diagnostics_add(build->diagnostics, CHAINSI_SEVERITY_ERROR, position,
                                "define NAME_run_remote for the Chainlet that it stands for",
                                "'%s' is a fake of no Chainlet", files[i].path);
    }
    return files;
}

static const chainsi_fake_file *fake_of(const chainsi_fake_file *files, size_t count,
                                        const chainsi_model_chainlet *chainlet)
{
    for (size_t i = 0; i < count; i++)
        if (chainsi_fake_defines(&files[i], chainlet))
            return &files[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------------------
 * plans */

/* What one program is made of while it is planned. */
typedef struct planning {
    chainsi_build *build;
    const chainsi_fake_file *fakes;
    size_t fake_count;
    bool services;  /* a dependency is in the program only if it is co-located */
    bool *included; /* by index */
} planning;

static bool is_remote(const planning *p, const chainsi_model_chainlet *chainlet)
{
    const chainsi_build_options *options = p->build->options;
    for (size_t i = 0; i < options->remote_count; i++)
        if (!strcmp(options->remote[i], chainlet->c_name) ||
            !strcmp(options->remote[i], chainlet->wire_name))
            return true;
    return false;
}

static bool is_called_locally(const planning *p, const chainsi_model_dependency *dependency)
{
    if (p->services)
        return dependency->options.colocate && !dependency->chainlet->external;
    if (is_remote(p, dependency->chainlet))
        return false;
    return !dependency->chainlet->external ||
           fake_of(p->fakes, p->fake_count, dependency->chainlet);
}

static void include(planning *p, const chainsi_model_chainlet *chainlet)
{
    if (p->included[chainlet->index])
        return;
    p->included[chainlet->index] = true;
    if (fake_of(p->fakes, p->fake_count, chainlet))
        return;
    for (size_t i = 0; i < chainlet->dependency_count; i++)
        if (is_called_locally(p, &chainlet->dependencies[i]))
            include(p, chainlet->dependencies[i].chainlet);
}

static planning begin_planning(chainsi_build *build, const chainsi_fake_file *fakes,
                               size_t fake_count, bool services)
{
    return (
        planning){ build, fakes, fake_count, services,
                   chainsi_arena_array(&build->arena, build->model->chainlet_count, sizeof(bool)) };
}

/* The plan of what was included, in the model's order: callees first. */
static chainsi_program_plan finish_plan(planning *p, chainsi_program_kind kind, const char *folder,
                                        const char *binary)
{
    chainsi_arena *arena = &p->build->arena;
    const chainsi_model *model = p->build->model;
    chainsi_program_node *nodes = chainsi_arena_array(arena, model->chainlet_count, sizeof *nodes);
    const chainsi_fake_file **fakes = chainsi_arena_array(arena, p->fake_count + 1, sizeof *fakes);
    chainsi_program_plan plan = {
        .kind = kind, .folder = folder, .binary = binary, .nodes = nodes, .fakes = fakes
    };
    for (size_t i = 0; i < model->chainlet_count; i++) {
        if (!p->included[i])
            continue;
        const chainsi_model_chainlet *chainlet = model->chainlets[i];
        chainsi_program_node *node = &nodes[plan.node_count++];
        node->chainlet = chainlet;
        const chainsi_fake_file *fake = fake_of(p->fakes, p->fake_count, chainlet);
        node->fake = fake != NULL;
        if (fake) {
            bool known = false;
            for (size_t j = 0; j < plan.fake_count; j++)
                known = known || fakes[j] == fake;
            if (!known)
                fakes[plan.fake_count++] = fake;
            continue;
        }
        bool *local = chainsi_arena_array(arena, chainlet->dependency_count + 1, sizeof *local);
        for (size_t j = 0; j < chainlet->dependency_count; j++)
            local[j] = is_called_locally(p, &chainlet->dependencies[j]);
        node->local = local;
    }
    return plan;
}

/* ------------------------------------------------------------------------------------------------
 * services */

/* Marks the Chainlets that are services: the entrypoint, and what services call elsewhere. */
static void mark_services(chainsi_build *build, const chainsi_fake_file *fakes, size_t fake_count,
                          const chainsi_model_chainlet *chainlet, bool *is_service)
{
    if (chainlet->external && !fake_of(fakes, fake_count, chainlet))
        return;
    if (is_service[chainlet->index])
        return;
    is_service[chainlet->index] = true;
    planning p = begin_planning(build, fakes, fake_count, true);
    include(&p, chainlet);
    for (size_t i = 0; i < build->model->chainlet_count; i++) {
        const chainsi_model_chainlet *inside = build->model->chainlets[i];
        if (!p.included[i] || fake_of(fakes, fake_count, inside))
            continue;
        for (size_t j = 0; j < inside->dependency_count; j++)
            if (!is_called_locally(&p, &inside->dependencies[j]))
                mark_services(build, fakes, fake_count, inside->dependencies[j].chainlet,
                              is_service);
    }
}

static void list_dependencies(chainsi_service *service, const chainsi_program_plan *plan,
                              const chainsi_model *model, chainsi_arena *arena)
{
    const chainsi_model_chainlet **list =
        chainsi_arena_array(arena, model->chainlet_count, sizeof *list);
    for (size_t i = 0; i < model->chainlet_count; i++) {
        bool called = false;
        for (size_t j = 0; j < plan->node_count; j++) {
            const chainsi_program_node *node = &plan->nodes[j];
            for (size_t k = 0; node->local && k < node->chainlet->dependency_count; k++)
                called = called || (!node->local[k] && node->chainlet->dependencies[k].chainlet ==
                                                           model->chainlets[i]);
        }
        if (called)
            list[service->dependency_count++] = model->chainlets[i];
    }
    service->dependencies = list;
}

static void list_inside(chainsi_service *service, const chainsi_program_plan *plan,
                        chainsi_arena *arena)
{
    const chainsi_model_chainlet **list =
        chainsi_arena_array(arena, plan->node_count, sizeof *list);
    for (size_t i = 0; i < plan->node_count; i++)
        if (!plan->nodes[i].fake)
            list[service->inside_count++] = plan->nodes[i].chainlet;
    service->inside = list;
}

static bool build_services(chainsi_build *build, chainsi_built *built)
{
    bool failed;
    const chainsi_fake_file *fakes = take_fakes(build, &failed);
    if (failed)
        return false;
    size_t fake_count = build->options->fake_count, most = build->model->chainlet_count;
    bool *is_service = chainsi_arena_array(&build->arena, most, sizeof *is_service);
    mark_services(build, fakes, fake_count, build->model->entrypoint, is_service);
    chainsi_program_plan *plans = chainsi_arena_array(&build->arena, most, sizeof *plans);
    chainsi_service *services = chainsi_arena_array(&built->arena, most, sizeof *services);
    size_t count = 0;
    for (size_t i = 0; i < most; i++) {
        if (!is_service[i])
            continue;
        const chainsi_model_chainlet *chainlet = build->model->chainlets[i];
        planning p = begin_planning(build, fakes, fake_count, true);
        include(&p, chainlet);
        const char *folder =
            chainsi_arena_printf(&build->arena, "%s/services/%s", build->out, chainlet->c_name);
        const char *binary =
            chainsi_arena_printf(&build->arena, "%s/bin/%s", build->out, chainlet->c_name);
        plans[count] = finish_plan(&p, CHAINSI_PROGRAM_SERVICE, folder, binary);
        chainsi_service *service = &services[count];
        service->chainlet = chainlet;
        service->binary = chainsi_arena_strdup(&built->arena, chainsi_build_path(build, binary));
        service->fake = fake_of(fakes, fake_count, chainlet) != NULL;
        list_dependencies(service, &plans[count], build->model, &built->arena);
        list_inside(service, &plans[count], &built->arena);
        count++;
    }
    built->services = services;
    built->service_count = count;
    bool *made = chainsi_arena_array(&build->arena, count, sizeof *made);
    return chainsi_build_make_programs(build, "services.ninja", plans, count, made);
}

chainsi_built *chainsi_build_services(const chainsi_model *model,
                                      const chainsi_build_options *options,
                                      chainsi_diagnostics *diagnostics)
{
    chainsi_built *built = calloc(1, sizeof *built);
    if (!built)
        abort();
    chainsi_build build;
    bool good =
        chainsi_build_begin(&build, model, options, diagnostics) && build_services(&build, built);
    chainsi_build_done(&build);
    if (good)
        return built;
    chainsi_built_free(built);
    return NULL;
}

void chainsi_built_free(chainsi_built *built)
{
    if (!built)
        return;
    chainsi_arena_done(&built->arena);
    free(built);
}

/* ------------------------------------------------------------------------------------------------
 * local programs */

static bool check_remote_names(chainsi_build *build)
{
    bool good = true;
    for (size_t i = 0; i < build->options->remote_count; i++) {
        const chainsi_model_chainlet *chainlet =
            chainsi_model_find(build->model, build->options->remote[i]);
        if (chainlet && chainlet != build->model->entrypoint)
            continue;
        good = false;
        chainsi_diagnostics_add(build->diagnostics, CHAINSI_SEVERITY_ERROR, (chainsi_position){ 0 },
                                NULL,
                                chainlet ? "'%s' is what is run, so it can't be called elsewhere"
                                         : "there is no Chainlet '%s' to be called elsewhere",
                                build->options->remote[i]);
    }
    return good;
}

/* Builds one program and gives its absolute path. */
static const char *make_one(chainsi_build *build, const char *manifest,
                            const chainsi_program_plan *plan, chainsi_arena *arena)
{
    bool made = false;
    if (!chainsi_build_make_programs(build, manifest, plan, 1, &made))
        return NULL;
    return chainsi_arena_strdup(arena, chainsi_build_path(build, plan->binary));
}

const char *chainsi_build_run(const chainsi_model *model, const chainsi_build_options *options,
                              chainsi_diagnostics *diagnostics, chainsi_arena *arena)
{
    chainsi_build build;
    const char *program = NULL;
    bool failed = true;
    if (chainsi_build_begin(&build, model, options, diagnostics) && check_remote_names(&build)) {
        const chainsi_fake_file *fakes = take_fakes(&build, &failed);
        if (!failed) {
            planning p = begin_planning(&build, fakes, options->fake_count, false);
            include(&p, model->entrypoint);
            const char *folder = chainsi_arena_printf(&build.arena, "%s/run", build.out);
            const char *binary = chainsi_arena_printf(&build.arena, "%s/run/program", build.out);
            chainsi_program_plan plan = finish_plan(&p, CHAINSI_PROGRAM_RUN, folder, binary);
            program = make_one(&build, "run.ninja", &plan, arena);
        }
    }
    chainsi_build_done(&build);
    return program;
}

const char *chainsi_build_describer(const chainsi_model *model,
                                    const chainsi_model_chainlet *chainlet,
                                    const chainsi_build_options *options,
                                    chainsi_diagnostics *diagnostics, chainsi_arena *arena)
{
    chainsi_build build;
    const char *program = NULL;
    if (chainsi_build_begin(&build, model, options, diagnostics)) {
        const char *folder =
            chainsi_arena_printf(&build.arena, "%s/describe/%s", build.out, chainlet->c_name);
        const char *binary = chainsi_arena_printf(&build.arena, "%s/program", folder);
        const chainsi_program_node node = { .chainlet = chainlet };
        chainsi_program_plan plan = { .kind = CHAINSI_PROGRAM_DESCRIBER,
                                      .folder = folder,
                                      .binary = binary,
                                      .nodes = &node,
                                      .node_count = 1 };
        program = make_one(&build, "describe.ninja", &plan, arena);
    }
    chainsi_build_done(&build);
    return program;
}

/* Whether the test's code uses the Chainlet without defining it. */
static bool test_uses(const chainsi_fake_file *test, const chainsi_model_chainlet *chainlet)
{
    static const char *const functions[] = { "new", "run_remote", "free", "healthy" };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        char name[512];
        snprintf(name, sizeof name, "%s_%s", chainlet->c_name, functions[i]);
        if (chainsi_symbols_want(&test->symbols, name))
            return true;
    }
    return false;
}

static chainsi_program_plan plan_test(chainsi_build *build, const chainsi_fake_file *test)
{
    planning p = begin_planning(build, test, 1, false);
    for (size_t i = 0; i < build->model->chainlet_count; i++) {
        const chainsi_model_chainlet *chainlet = build->model->chainlets[i];
        bool fake = chainsi_fake_defines(test, chainlet);
        if (fake || (!chainlet->external && test_uses(test, chainlet)))
            include(&p, chainlet);
    }
    const char *binary = chainsi_arena_printf(&build->arena, "%s/program", test->folder);
    chainsi_program_plan plan = finish_plan(&p, CHAINSI_PROGRAM_TEST, test->folder, binary);
    if (!plan.fake_count) { /* the test itself, though it fakes nothing */
        const chainsi_fake_file **only = chainsi_arena_array(&build->arena, 1, sizeof *only);
        only[0] = test;
        plan.fakes = only;
        plan.fake_count = 1;
    }
    return plan;
}

bool chainsi_build_tests(const chainsi_model *model, const chainsi_build_options *options,
                         const char *const *files, size_t count, const char **programs,
                         chainsi_diagnostics *diagnostics, chainsi_arena *arena)
{
    for (size_t i = 0; i < count; i++)
        programs[i] = NULL;
    chainsi_build build;
    bool good = chainsi_build_begin(&build, model, options, diagnostics);
    chainsi_fake_file *tests = chainsi_arena_array(&build.arena, count + 1, sizeof *tests);
    bool *compiled = chainsi_arena_array(&build.arena, count + 1, sizeof *compiled);
    for (size_t i = 0; i < count; i++)
        good = good && describe_fake(&build, &tests[i], files[i], true);
    if (good) {
        bool all = chainsi_build_compile_fakes(&build, tests, count, compiled);
        chainsi_program_plan *plans = chainsi_arena_array(&build.arena, count + 1, sizeof *plans);
        size_t *of = chainsi_arena_array(&build.arena, count + 1, sizeof *of);
        size_t plan_count = 0;
        for (size_t i = 0; i < count; i++) {
            if (!compiled[i])
                continue;
            of[plan_count] = i;
            plans[plan_count++] = plan_test(&build, &tests[i]);
        }
        bool *made = chainsi_arena_array(&build.arena, count + 1, sizeof *made);
        good = chainsi_build_make_programs(&build, "tests.ninja", plans, plan_count, made) && all;
        for (size_t i = 0; i < plan_count; i++)
            if (made[i])
                programs[of[i]] =
                    chainsi_arena_strdup(arena, chainsi_build_path(&build, plans[i].binary));
    }
    chainsi_build_done(&build);
    return good;
}

const char *chainsi_build_url_variable(chainsi_arena *arena, const chainsi_model_chainlet *chainlet)
{
    char *name = chainsi_arena_printf(arena, "CHAINS_%s_URL", chainlet->c_name);
    for (char *at = name; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return name;
}
