/* SPDX-License-Identifier: MIT */
/* catalog_site.h - a directory of the simulated disk with all that a catalog needs around it. */
#ifndef TEST_SUPPORT_CATALOG_SITE_H
#define TEST_SUPPORT_CATALOG_SITE_H

#include "support/sim_env.h"
#include "version/catalog.h"

typedef struct catalog_site {
    sim_env *sim;
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_epoch epoch;
    pt_cache *cache;
    pt_shelf shelf;
    pt_catalog catalog; /* to be created or opened on `shelf` */
} catalog_site;

/* False when there is no directory or no memory; then only what was made is left. */
bool catalog_site_open(catalog_site *s, sim_env *sim, const char *dir);
void catalog_site_close(catalog_site *s);

#endif
