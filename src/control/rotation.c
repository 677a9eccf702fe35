/* From one authority to the next, in steps that each wait for the files of the one before. */
#include "control/rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void chainsi_rotation_done(chainsi_rotation *rotation)
{
    chainsi_pair_done(&rotation->issuer);
    chainsi_pair_done(&rotation->next);
    free(rotation->old);
    *rotation = (chainsi_rotation){ 0 };
}

chainsi_rotation_state chainsi_rotation_get_state(const chainsi_rotation *rotation)
{
    return rotation->next.key ? CHAINSI_ROTATION_TRUSTING
           : rotation->old    ? CHAINSI_ROTATION_RETIRING
                              : CHAINSI_ROTATION_STEADY;
}

const char *chainsi_rotation_state_name(chainsi_rotation_state state)
{
    static const char *const names[] = { "steady", "trusting", "retiring" };
    return names[state];
}

/* While the next one waits for everybody to trust it, what issues has ended, as when no controller ran for long: what it
 * issues has ended, too, so that there is nothing to wait for. */
static bool has_ended(const chainsi_rotation *rotation, int64_t now_s)
{
    return rotation->next.key && chainsi_certificate_end(rotation->issuer.certificate) <= now_s;
}

bool chainsi_rotation_is_due(const chainsi_rotation *rotation, int64_t now_s)
{
    if (chainsi_rotation_get_state(rotation) == CHAINSI_ROTATION_STEADY)
        return !rotation->issuer.key ||
               chainsi_certificate_is_due(rotation->issuer.certificate, now_s);
    if (has_ended(rotation, now_s))
        return true;
    return rotation->settled_s && now_s - rotation->settled_s >= CHAINSI_ROTATION_SPREAD_S;
}

bool chainsi_rotation_go_on(chainsi_rotation *rotation, const char *chain, int64_t now_s,
                            int64_t life_s)
{
    switch (chainsi_rotation_get_state(rotation)) {
    case CHAINSI_ROTATION_STEADY:
        /* The first one of all has nobody to make place for it. */
        if (!chainsi_authority_make(chain, now_s, life_s,
                                    rotation->issuer.certificate ? &rotation->next
                                                                 : &rotation->issuer))
            return false;
        break;
    case CHAINSI_ROTATION_TRUSTING:
        rotation->old = rotation->issuer.certificate;
        rotation->issuer.certificate = NULL;
        chainsi_pair_done(&rotation->issuer);
        rotation->issuer = rotation->next;
        rotation->next = (chainsi_pair){ 0 };
        break;
    case CHAINSI_ROTATION_RETIRING:
        free(rotation->old);
        rotation->old = NULL;
        break;
    }
    rotation->settled_s = 0;
    return true;
}

/* A time that is still to come is of a clock that was wrong. */
void chainsi_rotation_settle(chainsi_rotation *rotation, bool settled, int64_t now_s)
{
    if (!settled)
        rotation->settled_s = 0;
    else if (!rotation->settled_s || rotation->settled_s > now_s)
        rotation->settled_s = now_s;
}

const chainsi_pair *chainsi_rotation_signer(const chainsi_rotation *rotation)
{
    return rotation->issuer.key || !rotation->next.key ? &rotation->issuer : &rotation->next;
}

bool chainsi_rotation_accepts(const chainsi_rotation *rotation, const char *certificate,
                              const char *const *names, size_t name_count)
{
    return (rotation->issuer.certificate &&
            chainsi_certificate_is_for(certificate, rotation->issuer.certificate, names,
                                       name_count)) ||
           (rotation->next.certificate &&
            chainsi_certificate_is_for(certificate, rotation->next.certificate, names, name_count));
}

char *chainsi_rotation_bundle(const chainsi_rotation *rotation)
{
    const char *issuer = rotation->issuer.certificate, *next = rotation->next.certificate;
    char *bundle;
    if (asprintf(&bundle, "%s%s%s", issuer ? issuer : "", next ? next : "",
                 rotation->old ? rotation->old : "") < 0)
        abort();
    return bundle;
}
