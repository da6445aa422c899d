/* SPDX-License-Identifier: MIT */
/*
 * idle.c - a store left alone settles to one run per partition and then uses no CPU at all.
 *
 *   idle DIR THREADS
 *
 * Writes, overwrites and deletes, then only looks: from event to event of the store until no
 * partition has a slice above its bottom run and no event came for a second, in which the log gets
 * its last mark. Then it waits for one more event, in vain, and counts CPU time and voluntary
 * context switches of the other threads meanwhile. Exit code 0 when there were none and one write
 * afterwards is synced and readable.
 *
 * That nothing happens shows in a span of time only, so this is a proof (make proof-idle) and not
 * in the test suite.
 */
#include "peat.h"
#include "usage.h"
#include "world/random.h"

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#define RECORDS      200000u
#define SETTLE_S_MAX 60u /* without an event while there is work */
#define QUIET_S      1u  /* more than the half second after which the log gets its mark */
#define MEASURED_S   3u
#define EVENTS_MAX   100000u /* a store that does not come to rest ends the program */

static void must(peat_rc rc, const char *what)
{
    if (rc >= 0)
        return;
    (void)fprintf(stderr, "idle: %s: %s\n", what, peat_rc_name(rc));
    exit(1);
}

static void on_event(void *ctx, const peat_event *event)
{
    (void)event;
    (void)sem_post((sem_t *)ctx);
}

/* Takes one event; false when none came. */
static bool event_within(sem_t *events, unsigned seconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    int rc;
    while ((rc = sem_timedwait(events, &until)) != 0 && errno == EINTR)
        ;
    return rc == 0;
}

static void write_all(peat_db *db)
{
    char key[32], value[128];
    memset(value, 'x', sizeof value);
    for (uint64_t i = 0; i < RECORDS; i++) {
        uint64_t k = rng_hash(i) % (RECORDS / 2);
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
    sem_t events;
    peat_host host = {.size = sizeof host, .event_fn = on_event, .event_ctx = &events};
    peat_options o = {.size = sizeof o, .memory_bytes = (size_t)8 << 20, .host = &host};
    if (argc != 3) {
        (void)fprintf(stderr, "usage: idle DIR THREADS\n");
        return 2;
    }
    o.threads = atoi(argv[2]);
    if (sem_init(&events, 0, 0) != 0)
        return 2;
    if (peat_open(argv[1], &o, &db, &error) != PEAT_OK) {
        (void)fprintf(stderr, "idle: %s\n", error.message);
        return 1;
    }
    write_all(db);
    unsigned n = 0;
    for (bool again = true; again;) { /* what was in memory may become slices in the quiet second */
        for (must(peat_stats(db, &s), "stats");
             s.slices != 0 && event_within(&events, SETTLE_S_MAX);)
            must(peat_stats(db, &s), "stats");
        again = s.slices == 0;
        while (n < EVENTS_MAX && event_within(&events, QUIET_S))
            n++;
        must(peat_stats(db, &s), "stats");
        again = again && s.slices != 0 && n < EVENTS_MAX;
    }
    usage before = measure();
    bool quiet = !event_within(&events, MEASURED_S);
    usage after = measure();
    must(peat_stats(db, &s), "stats");
    (void)printf("threads %d: %" PRIu64 " partitions, %" PRIu64 " slices, log %" PRIu64
                 " KiB; in %u s %s, %" PRIu64 " ticks, %" PRIu64 " context switches\n",
                 o.threads, s.partitions, s.slices, s.log_bytes / 1024, MEASURED_S,
                 quiet ? "no event" : "an event", after.ticks - before.ticks,
                 after.switches - before.switches);
    must(peat_put(db, &sync, peat_str("last"), peat_str("one")), "put");
    must(peat_exists(db, NULL, peat_str("last")), "exists");
    must(peat_close(db), "close");
    (void)sem_destroy(&events);
    bool idle = quiet && after.ticks == before.ticks && after.switches == before.switches;
    return s.slices == 0 && idle ? 0 : 1;
}
