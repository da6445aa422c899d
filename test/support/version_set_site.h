/* SPDX-License-Identifier: MIT */
/* version_set_site.h - a directory of the simulated disk with all that a version set needs around
 * it. */
#ifndef TEST_SUPPORT_CATALOG_SITE_H
#define TEST_SUPPORT_CATALOG_SITE_H

#include "support/sim_env.h"
#include "version/version_set.h"

typedef struct version_set_site {
    sim_env *sim;
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_epoch epoch;
    pt_cache *cache;
    pt_open_tables open_tables;
    pt_version_set version_set; /* to be created or opened on `open_tables` */
} version_set_site;

/* False when there is no directory or no memory; then only what was made is left. */
bool version_set_site_open(version_set_site *s, sim_env *sim, const char *dir);
/* The same with a new store, whose number is 7. */
bool version_set_site_new(version_set_site *s, sim_env *sim, const char *dir);
void version_set_site_close(version_set_site *s);

#endif
