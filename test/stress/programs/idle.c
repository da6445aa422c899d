/* SPDX-License-Identifier: MIT */
/*
 * idle.c - a store left alone settles to one run per partition and then uses no CPU at all.
 *
 *   idle DIR THREADS
 *
 * Writes, overwrites and deletes, then only looks: waits until no partition has a slice above its
 * bottom run, lets a second pass, and counts CPU time and voluntary context switches of the other
 * threads for three more. Exit code 0 when both are 0 and one write afterwards is synced and
 * readable.
 */
#include "peat.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORDS      200000u
#define SETTLE_S_MAX 60u
#define MEASURED_S   3u

static void must(peat_rc rc, const char *what)
{
    if (rc >= 0)
        return;
    (void)fprintf(stderr, "idle: %s: %s\n", what, peat_rc_name(rc));
    exit(1);
}

static uint64_t number_in(const char *path, const char *field, unsigned word)
{
    char line[1024];
    uint64_t n = 0;
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *p = field != NULL ? line : strrchr(line, ')');
        if (p == NULL || (field != NULL && strncmp(line, field, strlen(field)) != 0))
            continue;
        for (unsigned i = 0; p != NULL && i < word; i++)
            p = strpbrk(p + 1, " \t");
        n = p != NULL ? strtoull(p, NULL, 10) : 0;
    }
    if (f != NULL)
        (void)fclose(f);
    return n;
}

typedef struct usage {
    uint64_t ticks, switches;
} usage;

/* Of all threads but this one. */
static usage measure(void)
{
    usage u = {0};
    struct dirent *e;
    DIR *d = opendir("/proc/self/task");
    while (d != NULL && (e = readdir(d)) != NULL) {
        char path[300];
        if (e->d_name[0] == '.' || atol(e->d_name) == syscall(SYS_gettid))
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
        u.switches += number_in(path, "voluntary_ctxt_switches", 1);
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/stat", e->d_name);
        u.ticks += number_in(path, NULL, 12) + number_in(path, NULL, 13);
    }
    if (d != NULL)
        (void)closedir(d);
    return u;
}

static void write_all(peat_db *db)
{
    char key[32], value[128];
    memset(value, 'x', sizeof value);
    for (uint64_t i = 0; i < RECORDS; i++) {
        uint64_t k = i * UINT64_C(0x9e3779b97f4a7c15) % (RECORDS / 2);
        peat_slice key_bytes = peat_bytes(key, (size_t)snprintf(key, sizeof key, "%010" PRIu64, k));
        must(i % 11 == 0 ? peat_delete(db, NULL, key_bytes)
                         : peat_put(db, NULL, key_bytes, peat_bytes(value, i % sizeof value)),
             "put");
    }
}

int main(int argc, char **argv)
{
    peat_db *db = NULL;
    peat_error error;
    peat_statistics s = {.size = sizeof s};
    peat_write_options sync = {.size = sizeof sync, .sync = true};
    peat_options o = {.size = sizeof o, .memory_bytes = (size_t)8 << 20};
    if (argc != 3) {
        (void)fprintf(stderr, "usage: idle DIR THREADS\n");
        return 2;
    }
    o.threads = atoi(argv[2]);
    if (peat_open(argv[1], &o, &db, &error) != PEAT_OK) {
        (void)fprintf(stderr, "idle: %s\n", error.message);
        return 1;
    }
    write_all(db);
    unsigned waited = 0;
    for (must(peat_stats(db, &s), "stats"); s.slices != 0 && waited < SETTLE_S_MAX; waited++) {
        (void)sleep(1);
        must(peat_stats(db, &s), "stats");
    }
    (void)sleep(1);
    usage before = measure();
    (void)sleep(MEASURED_S);
    usage after = measure();
    must(peat_stats(db, &s), "stats");
    (void)printf("threads %d: settled after %u s, %" PRIu64 " partitions, %" PRIu64
                 " slices, log %" PRIu64 " KiB; in %u s %" PRIu64 " ticks, %" PRIu64
                 " context switches\n",
                 o.threads, waited, s.partitions, s.slices, s.log_bytes / 1024, MEASURED_S,
                 after.ticks - before.ticks, after.switches - before.switches);
    must(peat_put(db, &sync, peat_str("last"), peat_str("one")), "put");
    must(peat_exists(db, NULL, peat_str("last")), "exists");
    must(peat_close(db), "close");
    return s.slices == 0 && after.ticks == before.ticks && after.switches == before.switches ? 0
                                                                                             : 1;
}
