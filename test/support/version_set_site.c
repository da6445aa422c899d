/* SPDX-License-Identifier: MIT */
/* version_set_site.c - see version_set_site.h. */
#include "support/version_set_site.h"

#define CACHE_BYTES ((size_t)1 << 16)

bool version_set_site_open(version_set_site *s, sim_env *sim, const char *dir)
{
    memset(s, 0, sizeof *s);
    s->sim = sim;
    s->env = sim_peat(sim);
    pt_sink_init(&s->sink);
    pt_epoch_init(&s->epoch);
    if (s->env->dir_open(s->env->ctx, dir, PEAT_ENV_DIR_CREATE, &s->dir) != 0 ||
        pt_cache_new(s->env, &s->epoch, CACHE_BYTES, &s->cache) != PEAT_OK)
        return false;
    pt_open_tables_init(&s->open_tables, s->env, s->dir, &s->sink, &s->epoch, s->cache);
    return true;
}

bool version_set_site_new(version_set_site *s, sim_env *sim, const char *dir)
{
    return version_set_site_open(s, sim, dir) &&
           pt_version_set_create(&s->version_set, &s->open_tables, 7, 0, false) == PEAT_OK;
}

void version_set_site_close(version_set_site *s)
{
    pt_version_set_done(&s->version_set);
    pt_open_tables_done(&s->open_tables);
    pt_epoch_done(&s->epoch);
    pt_cache_free(s->cache);
    s->env->dir_close(s->env->ctx, s->dir);
    pt_sink_done(&s->sink);
}
