# What only compilers and objects tell, in the form of all diagnostics, at the place in the source.
. "$(dirname "$0")/support.sh"

# The author's compiler, as it says it.
take menu
sed -i 's/self->kitchen = kitchen/self->kitchn = kitchen/' menu.c
refuse 1 'menu.c:10:11: error:' "$chains" build
[ "$(grep -c 'ninja\|FAILED\|-std=' "$scratch/output")" = 0 ] || fail "more than the compiler's: $(cat "$scratch/output")"

# Undefined symbols, as the linker says it.
take menu
sed -i 's/    CHAINS_TRY/    extern void nowhere(void);\n    nowhere();\n    CHAINS_TRY/' menu.c
refuse 1 "undefined reference to \`nowhere'" "$chains" build

refuse_any() { # WANTED: said by check (2), which reads sources as far as it can, or by build (1)
    rc=0
    "$chains" build >"$scratch/output" 2>&1 || rc=$?
    [ "$rc" = 1 ] || [ "$rc" = 2 ] || fail "exit status $rc"
    grep -q -F -e "$1" "$scratch/output" || fail "did not say '$1', but: $(cat "$scratch/output")"
}

# Another Chainlet's _new, where it takes the object to see it.
take menu
sed -i 's/CHAINLET(menu,/CHAINLET(menu, .sources = { "more.c" },/' menu.h
cat >more.c <<'END'
#include "menu.h"
/* cook_new( in a comment is no call */
cook *make(chains_ctx *ctx) __asm__("cook_new");
cook *make_it(chains_ctx *ctx);
cook *make_it(chains_ctx *ctx)
{
    return make(ctx);
}
END
refuse 1 "menu.h:5:10: error: 'menu' calls 'cook_new', which only the program that holds 'cook' may do" "$chains" build
sed -i 's/return make(/return cook_new(/' more.c
refuse_any "more.c:7:12: error: "

# A call without the dependency.
take menu
sed -i 's/menu_new(chains_ctx \*ctx, cook \*kitchen)/menu_new(chains_ctx *ctx)/' menu.h menu.c
sed -i 's/self->kitchen = kitchen;/self->kitchen = NULL;/' menu.c
refuse_any "menu.c:"
refuse_any "cook_run_remote"
refuse_any "hint: take 'cook *cook' as a parameter of 'menu_new'"

# A function that nobody has declared; and without braces, a list of one word.
take menu
sed -i 's/CHAINLET(cook,/CHAINLET(cook, .cflags = "-DWORD",/' cook.h
sed -i '1a static void stir(void)\n{\n    strange_spoon();\n}' cook.c
refuse_any "cook.c:4:5: error: implicit declaration of function"
if grep -q -e braces -e "undefined reference" "$scratch/output"; then
    fail "more was said: $(cat "$scratch/output")"
fi

# A definition that is missing.
take menu
sed -i '/^void cook_free/,$d' cook.c
refuse_any "cook.h:9:6: error: 'cook_free' is declared, but not defined"

take menu
sed -i 's/CHAINLET(cook,/CHAINLET(cook, .batch.max_size = 8,/' cook.h
cat >>cook.h <<'END'
chains_status cook_run_batch(cook *self, chains_ctx *const calls[], size_t count,
                             const char *const dish[], const char *meal[]);
END
refuse_any "'cook_run_batch' is declared, but not defined"

# Another Chainlet's batch, which is the runtime's to call.
take menu
sed -i 's/CHAINLET(cook,/CHAINLET(cook, .batch.max_size = 8,/' cook.h
cat >>cook.h <<'END'
chains_status cook_run_batch(cook *self, chains_ctx *const calls[], size_t count,
                             const char *const dish[], const char *meal[]);
END
cat >>cook.c <<'END'
chains_status cook_run_batch(cook *self, chains_ctx *const calls[], size_t count,
                             const char *const dish[], const char *meal[])
{
    for (size_t i = 0; i < count; i++)
        CHAINS_TRY(cook_run_remote(self, calls[i], dish[i], &meal[i]));
    return CHAINS_OK;
}
END
"$chains" build
sed -i 's/cook_run_remote(self->kitchen, ctx, /cook_run_batch(self->kitchen, \&ctx, 1, \&/' menu.c
refuse_any "hint: call 'cook_run_remote': calls that arrive together run as a batch by themselves"

# C++ without extern "C".
take menu
mv cook.c cook.cc
sed -i 's/return chains_alloc(ctx, sizeof(cook));/return static_cast<cook *>(chains_alloc(ctx, sizeof(cook)));/' cook.cc
refuse_any "cook.cc:10:7: error: "
refuse_any 'hint: write '
take menu
sed -i 's/CHAINLET(cook,/CHAINLET(cook, .sources = { "more.cc" },/' cook.h
sed -i '/^void cook_free/,$d' cook.c
cat >more.cc <<'END'
#include "cook.h"
void cook_free(cook *)
{
}
END
refuse_any "more.cc:2:6: error: "
refuse_any 'extern "C" { #include "cook.h" }'

# Nothing of the tools is left over: repaired, it builds.
sed -i 's/#include "cook.h"/extern "C" {\n#include "cook.h"\n}/' more.cc
expect '"plain soup"' "$chains" run
finish
