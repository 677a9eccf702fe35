# A program built by hand with pkg-config, from the build tree and from an installation that was moved; the installed chains.
. "$(dirname "$0")/support.sh"
build=$(dirname "$chains")
take menu
cat >main.c <<'END'
#include "menu.h"
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    setenv("COOK_STYLE", "hand-made", 1);
    chains_ctx *ctx = chains_open(NULL);
    cook *kitchen = cook_new(ctx);
    menu *chain = menu_new(ctx, kitchen);
    const char *meal = NULL;
    chains_status status = menu_run_remote(chain, ctx, "soup", &meal);
    printf("%s %s\n", chains_status_name(status), meal);
    menu_free(chain);
    cook_free(kitchen);
    chains_close(ctx);
}
END

by_hand() { # FOLDER OF chains.pc
    rm -f by_hand
    words=$(PKG_CONFIG_PATH=$1 pkg-config --cflags chains)
    libs=$(PKG_CONFIG_PATH=$1 pkg-config --libs chains)
    # shellcheck disable=SC2086
    cc -std=gnu11 -Wall -Werror $words main.c menu.c cook.c $libs -o by_hand || fail "cc with chains.pc of $1"
    expect 'OK hand-made soup' ./by_hand
}

by_hand "$build"
DESTDIR=$scratch/staged cmake --install "$build" --prefix /opt/chains >"$scratch/output" 2>&1 ||
    fail "$(cat "$scratch/output")"
mv "$scratch/staged/opt/chains" "$scratch/moved"
by_hand "$scratch/moved/lib/pkgconfig"
expect '"plain soup"' "$scratch/moved/bin/chains" run
finish
