/* The parts of programs: for each Chainlet its types, its stub, and its unit, which is the author's
 * objects with their glue and static libraries, linked by themselves with one symbol left visible.
 *
 * One manifest describes the parts of all Chainlets, whatever is asked for, so that what was built
 * for one program is there for the next. */
#include "compiler/build_state.h"

#include <string.h>

const char *chainsi_build_part(chainsi_build *build, const chainsi_model_chainlet *chainlet,
                               const char *part)
{
    return chainsi_arena_printf(&build->arena, "%s/obj/%s.%s.o", build->out, chainlet->c_name,
                                part);
}

void chainsi_build_rules(chainsi_build *build, chainsi_writer *writer, const char *name)
{
    const chainsi_toolchain *tools = &build->toolchain;
    chainsi_arena *arena = &build->arena;
    const char *sanitize = build->options->sanitize ? " -fsanitize=address,undefined" : "";
    chainsi_writer_line(writer, "# Written by chains; changes are lost.");
    chainsi_writer_line(writer, "ninja_required_version = 1.8");
    chainsi_writer_line(writer, "builddir = %s/ninja/%s", build->out, name);
    chainsi_writer_line(writer, "cc = %s", chainsi_ninja_value(arena, tools->cc));
    chainsi_writer_line(writer, "cxx = %s", chainsi_ninja_value(arena, tools->cxx));
    chainsi_writer_line(writer, "nvcc = %s -ccbin %s",
                        chainsi_ninja_value(arena, tools->nvcc ? tools->nvcc : "nvcc"),
                        chainsi_ninja_value(arena, chainsi_shell_quote(arena, tools->cxx)));
    chainsi_writer_line(writer, "objcopy = %s", chainsi_ninja_value(arena, tools->objcopy));
    chainsi_writer_line(writer, "nm = %s", chainsi_ninja_value(arena, tools->nm));
    const char *internal = chainsi_shell_quote(arena, build->support.internal_include_dir);
    chainsi_writer_line(writer,
                        "generated = -std=gnu11 -O2 -g -fPIE -ffunction-sections -fdata-sections "
                        "-I%s%s%s",
                        CHAINSI_GENERATED, chainsi_ninja_value(arena, build->include_dirs),
                        sanitize);
    chainsi_writer_line(writer, "internal = -I%s", chainsi_ninja_value(arena, internal));

    static const struct {
        const char *name, *compiler, *depfile;
    } compilers[] = { { "cc", "$cc", "-MMD -MF" },
                      { "cxx", "$cxx", "-MMD -MF" },
                      { "nvcc", "$nvcc", "-MMD -MF" } };
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
        chainsi_writer_blank(writer);
        chainsi_writer_open(writer, "rule %s", compilers[i].name);
        chainsi_writer_line(writer, "command = %s %s $out.d $words -c $in -o $out",
                            compilers[i].compiler, compilers[i].depfile);
        chainsi_writer_line(writer, "depfile = $out.d");
        chainsi_writer_line(writer, "deps = gcc");
        chainsi_writer_line(writer, "description = compiling $in");
        writer->depth--;
    }

    /* A relocatable link resolves what templates and inline functions share, so that no group of
     * one Chainlet meets that of another; then its symbols are made local. GNU's unique symbols
     * stay global whatever objcopy is told unless they are weak first. */
    const char *machine_code = tools->cc_is_clang ? "" : " -flinker-output=nolto-rel";
    static const struct {
        const char *name, *weaken;
    } links[] = {
        { "unit", "" },
        { "unit_unique", " && $nm $out.all | sed -n 's/^[0-9a-f]* u //p' > $out.unique && { [ ! -s "
                         "$out.unique ] || $objcopy --weaken-symbols=$out.unique $out.all; }" },
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        chainsi_writer_blank(writer);
        chainsi_writer_open(writer, "rule %s", links[i].name);
        chainsi_writer_line(writer,
                            "command = $cc -r -nostdlib%s -Wl,--force-group-allocation -o $out.all "
                            "$in $archives%s && $objcopy $keep $out.all $out && rm -f $out.all",
                            machine_code, links[i].weaken);
        chainsi_writer_line(writer, "description = linking $chainlet by itself");
        writer->depth--;
    }

    chainsi_writer_blank(writer);
    chainsi_writer_open(writer, "rule weaken");
    chainsi_writer_line(writer, "command = $objcopy $names $in $out");
    chainsi_writer_line(writer, "description = preparing $in");
    writer->depth--;

    chainsi_writer_blank(writer);
    chainsi_writer_open(writer, "rule program");
    chainsi_writer_line(writer,
                        "command = $driver -pie -O2 -Wl,--gc-sections -Wl,--as-needed%s%s "
                        "-o $out $in $libs",
                        sanitize, chainsi_ninja_value(arena, CHAINSI_LIBRARY_LINK_WORDS));
    chainsi_writer_line(writer, "description = linking $out");
    writer->depth--;
}

static void write_compile(chainsi_build *build, chainsi_writer *writer, const char *rule,
                          const char *object, const char *source, const char *words)
{
    chainsi_writer_open(writer, "build %s: %s %s", chainsi_ninja_path(&build->arena, object), rule,
                        chainsi_ninja_path(&build->arena, source));
    chainsi_writer_line(writer, "words = %s", words);
    writer->depth--;
}

static void write_generated(chainsi_build *build, chainsi_writer *writer, const chainsi_unit *unit,
                            const char *part)
{
    const char *source = chainsi_arena_printf(&build->arena, "%s/%s.%s.c", CHAINSI_GENERATED,
                                              unit->chainlet->c_name, part);
    const char *words =
        chainsi_arena_printf(&build->arena, "$generated $internal%s",
                             chainsi_ninja_value(&build->arena, unit->header_flags));
    write_compile(build, writer, "cc", chainsi_build_part(build, unit->chainlet, part), source,
                  words);
}

static bool is_guarded(const chainsi_model_chainlet *chainlet)
{
    return chainlet->language == CHAINSI_LANGUAGE_CXX ||
           chainlet->language == CHAINSI_LANGUAGE_CUDA;
}

static void write_guard(chainsi_build *build, chainsi_writer *writer, const chainsi_unit *unit)
{
    const char *source = chainsi_arena_printf(&build->arena, "%s/%s.guard.cc", CHAINSI_GENERATED,
                                              unit->chainlet->c_name);
    chainsi_source guard = { source, CHAINSI_LANGUAGE_CXX, NULL };
    chainsi_unit plain = *unit;
    if (unit->chainlet->language == CHAINSI_LANGUAGE_CUDA)
        plain.cflags = ""; /* they are nvcc's; what headers need is in header_flags */
    write_compile(
        build, writer, "cxx", chainsi_build_part(build, unit->chainlet, "guard"), source,
        chainsi_ninja_value(&build->arena, chainsi_build_compile_words(build, &plain, &guard)));
}

/* The functions of Chainlets that share a source with this one. Weak, they give way to their stubs,
 * so that calls to them go where calls to a Chainlet go. */
static const char *weaken_words(chainsi_build *build, const chainsi_unit *unit)
{
    static const char *const functions[] = { "new", "run_remote", "free", "healthy", "run_batch" };
    chainsi_buffer words = { 0 };
    for (size_t i = 0; i < unit->cohabitant_count; i++)
        for (size_t j = 0; j < sizeof functions / sizeof *functions; j++)
            chainsi_buffer_printf(&words, " --weaken-symbol=%s_%s", unit->cohabitants[i]->c_name,
                                  functions[j]);
    const char *text = chainsi_arena_copy(&build->arena, words.data, words.size);
    chainsi_buffer_done(&words);
    return text;
}

static void write_unit(chainsi_build *build, chainsi_writer *writer, const chainsi_unit *unit)
{
    chainsi_arena *arena = &build->arena;
    chainsi_buffer inputs = { 0 };
    for (size_t i = 0; i < unit->source_count; i++) {
        const chainsi_source *source = &unit->sources[i];
        const char *rule = source->language == CHAINSI_LANGUAGE_C      ? "cc"
                           : source->language == CHAINSI_LANGUAGE_CUDA ? "nvcc"
                                                                       : "cxx";
        const char *object = source->object;
        write_compile(build, writer, rule, object, source->path,
                      chainsi_ninja_value(arena, chainsi_build_compile_words(build, unit, source)));
        if (unit->cohabitant_count) {
            const char *weak = chainsi_arena_printf(arena, "%s.weak.o", object);
            chainsi_writer_open(writer, "build %s: weaken %s", chainsi_ninja_path(arena, weak),
                                chainsi_ninja_path(arena, object));
            chainsi_writer_line(writer, "names =%s", weaken_words(build, unit));
            writer->depth--;
            object = weak;
        }
        chainsi_buffer_printf(&inputs, " %s", chainsi_ninja_path(arena, object));
    }
    const char *name = unit->chainlet->c_name;
    for (size_t i = 0; i < unit->cohabitant_count; i++)
        chainsi_buffer_printf(
            &inputs, " %s",
            chainsi_ninja_path(arena, chainsi_build_part(build, unit->cohabitants[i], "stub")));
    write_generated(build, writer, unit, "glue");
    chainsi_buffer_printf(
        &inputs, " %s",
        chainsi_ninja_path(arena, chainsi_build_part(build, unit->chainlet, "glue")));
    if (is_guarded(unit->chainlet)) {
        write_guard(build, writer, unit);
        chainsi_buffer_printf(
            &inputs, " %s",
            chainsi_ninja_path(arena, chainsi_build_part(build, unit->chainlet, "guard")));
    }
    if (unit->archive_count)
        chainsi_buffer_add_text(&inputs, " |");
    for (size_t i = 0; i < unit->archive_count; i++)
        chainsi_buffer_printf(&inputs, " %s", chainsi_ninja_path(arena, unit->archive_paths[i]));
    /* Our own objects have no unique symbols; archives, and what link time optimization makes, do. */
    bool may_be_unique = unit->archive_count || unit->uses_lto;
    chainsi_writer_open(writer, "build %s: unit%s%.*s", chainsi_ninja_path(arena, unit->object),
                        may_be_unique ? "_unique" : "", (int)inputs.size,
                        (const char *)inputs.data);
    chainsi_writer_line(writer, "chainlet = %s", name);
    chainsi_writer_line(writer, "keep = --keep-global-symbol=chains_%s_implementation", name);
    if (unit->archive_count)
        chainsi_writer_line(writer, "archives = -Wl,--start-group%s -Wl,--end-group",
                            chainsi_ninja_value(arena, unit->archives));
    writer->depth--;
    chainsi_buffer_done(&inputs);
}

bool chainsi_build_write_parts(chainsi_build *build)
{
    chainsi_writer writer = { 0 };
    chainsi_build_rules(build, &writer, "parts");
    for (size_t i = 0; i < build->model->chainlet_count; i++) {
        const chainsi_unit *unit = &build->units[i];
        chainsi_writer_blank(&writer);
        chainsi_writer_line(&writer, "# %s", unit->chainlet->c_name);
        write_generated(build, &writer, unit, "types");
        write_generated(build, &writer, unit, "stub");
        if (!unit->chainlet->external && !unit->obstacle)
            write_unit(build, &writer, unit);
    }
    return chainsi_build_save(build, &writer,
                              chainsi_arena_printf(&build->arena, "%s/build.ninja", build->out));
}

bool chainsi_build_make_parts(chainsi_build *build, const bool *types, const bool *stubs,
                              const bool *units)
{
    size_t count = build->model->chainlet_count, target_count = 0, most = count * 2;
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        const chainsi_unit *unit = &build->units[i];
        most += unit->source_count + 1;
        if (units[i] && unit->obstacle) {
            chainsi_diagnostics_add(build->diagnostics, CHAINSI_SEVERITY_ERROR,
                                    unit->chainlet->position, unit->obstacle_hint, "%s",
                                    unit->obstacle);
            good = false;
        }
    }
    if (!good)
        return false;
    /* First what is compiled, then a look at it, so that what is wrong is said in our words. */
    const char **targets = chainsi_arena_array(&build->arena, most, sizeof *targets);
    for (size_t i = 0; i < count; i++) {
        if (types[i])
            targets[target_count++] = chainsi_build_part(build, build->units[i].chainlet, "types");
        if (stubs[i])
            targets[target_count++] = chainsi_build_part(build, build->units[i].chainlet, "stub");
        for (size_t j = 0; units[i] && j < build->units[i].source_count; j++)
            targets[target_count++] = build->units[i].sources[j].object;
    }
    if (!chainsi_build_ninja(build, "build.ninja", targets, target_count))
        return false;
    target_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!units[i])
            continue;
        good = chainsi_build_check_unit(build, &build->units[i]) && good;
        targets[target_count++] = build->units[i].object;
    }
    return good && chainsi_build_ninja(build, "build.ninja", targets, target_count);
}
