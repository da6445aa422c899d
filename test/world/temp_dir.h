/* SPDX-License-Identifier: MIT */
/* temp_dir.h - a fresh directory of the real file system for each test, removed with all in it. */
#ifndef TEST_WORLD_TEMP_DIR_H
#define TEST_WORLD_TEMP_DIR_H

#include "world/test.h"

static inline int temp_dir_new(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char path[200];
    (void)snprintf(path, sizeof path, "%.150s/peat-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    *state = mkdtemp(path) != NULL ? strdup(path) : NULL;
    return *state != NULL ? 0 : -1;
}

static inline int temp_dir_end(void **state)
{
    char command[250];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    free(*state);
    return system(command);
}

#define TEST_IN_DIR(name) TEST_WITH(name, const char *root, temp_dir_new, temp_dir_end)

#endif
