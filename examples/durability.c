/* SPDX-License-Identifier: MIT
 *
 * durability.c - what survives what. A writer is killed in the middle of its work; then the store
 * is opened again, as by the next start of the program.
 *
 *                         killed process     power cut, crashed kernel
 *   default               nothing is lost    may lose the last sync_interval_ms of writes
 *   write with sync       nothing is lost    nothing is lost
 *   options.no_log        all since the last peat_flush, for both
 *
 * It prints
 *
 *     killed: the put is there
 *     killed: the put with sync is there
 *     killed: the put before peat_sync is there
 *     without a log, killed: the put before peat_flush is there
 *     without a log, killed: the put after it is lost
 */
#define _POSIX_C_SOURCE 200809L // fork, kill

#include <peat.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE "durability.peat"

// Writes, and never closes the store.
static peat_rc write_and_die(bool no_log)
{
    peat_options options = PEAT_OPTIONS_INIT;
    peat_write_options durable = PEAT_WRITE_OPTIONS_INIT;
    peat_db *db = NULL;
    options.no_log = no_log;
    options.sync_interval_ms = 50; // what has no sync of its own is on disk at most this much later
    durable.sync = true;
    peat_rc rc = peat_open(STORE, &options, &db, NULL);
    if (rc == PEAT_OK && !no_log) {
        rc = peat_put(db, &durable, peat_str("put with sync"), peat_str("on disk by now"));
        if (rc == PEAT_OK) // many cheap writes, then one sync for all of them
            rc = peat_put(db, NULL, peat_str("put before peat_sync"), peat_str("a"));
        if (rc == PEAT_OK)
            rc = peat_sync(db);
        if (rc == PEAT_OK)
            rc = peat_put(db, NULL, peat_str("put"), peat_str("b"));
    } else if (rc == PEAT_OK) { // for loads that can be repeated
        rc = peat_put(db, NULL, peat_str("put before peat_flush"), peat_str("c"));
        if (rc == PEAT_OK)
            rc = peat_flush(db);
        if (rc == PEAT_OK)
            rc = peat_put(db, NULL, peat_str("put after it"), peat_str("d"));
    }
    if (rc == PEAT_OK)
        (void)kill(getpid(), SIGKILL); // no handler, no clean-up, no close
    return rc;                         // an error, or the signal did not come
}

// In a process of its own: a forked child may not use handles of its parent, which has none here.
static peat_rc kill_a_writer(bool no_log)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(write_and_die(no_log) == PEAT_OK ? 2 : 1);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return PEAT_IO;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? PEAT_OK : PEAT_IO;
}

static peat_rc look_for(peat_db *db, const char *key)
{
    bool there = false;
    peat_rc rc = peat_has(db, NULL, peat_str(key), &there);
    if (rc == PEAT_OK)
        printf("the %s is %s\n", key, there ? "there" : "lost");
    return rc;
}

static peat_rc look_after_a_kill(bool no_log)
{
    static const char *const with_log[] = {"put", "put with sync", "put before peat_sync"};
    static const char *const without[] = {"put before peat_flush", "put after it"};
    size_t count = no_log ? 2 : 3;
    peat_db *db = NULL;
    peat_error error;
    peat_rc rc = peat_open(STORE, NULL, &db, &error); // recovers what the killed one left
    if (rc != PEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return rc;
    }
    for (size_t i = 0; rc == PEAT_OK && i < count; i++) {
        printf(no_log ? "without a log, killed: " : "killed: ");
        rc = look_for(db, no_log ? without[i] : with_log[i]);
    }
    peat_rc closed = peat_close(db);
    return rc == PEAT_OK ? closed : rc;
}

int main(void)
{
    peat_error error;
    peat_rc rc = kill_a_writer(false);
    if (rc == PEAT_OK)
        rc = look_after_a_kill(false);
    if (rc == PEAT_OK)
        rc = kill_a_writer(true);
    if (rc == PEAT_OK)
        rc = look_after_a_kill(true);
    if (rc != PEAT_OK)
        fprintf(stderr, STORE ": %s\n", peat_rc_text(rc));
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
