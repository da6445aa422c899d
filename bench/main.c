/* SPDX-License-Identifier: MIT */
/* main.c - peat-bench: choose between one engine, several, and a comparison. */
#include "compare.h"
#include "engine.h"
#include "options.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

static void list(void)
{
    const pb_engine *e;
    printf("engines:");
    for (size_t i = 0; (e = pb_engine_at(i)); i++)
        printf(" %s", e->name);
    printf("\nworkloads:\n");
    pb_workload_list();
}

int main(int argc, char **argv)
{
    pb_options options;
    int rc = pb_options_parse(argc, argv, &options);
    if (rc != 0)
        return rc;
    if (options.help) {
        pb_options_help();
        return 0;
    }
    if (options.list) {
        list();
        return 0;
    }
    if (*options.compare)
        return pb_compare(&options, argc, argv);
    if (strchr(options.engines, ','))
        return pb_run_each(&options, argc, argv);
    const pb_engine *engine = pb_engine_find(options.engines);
    if (!engine) {
        fprintf(stderr, "peat-bench: no engine '%s' in this build; try --list\n", options.engines);
        return 2;
    }
    return pb_run_engine(&options, engine);
}
