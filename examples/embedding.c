/* SPDX-License-Identifier: MIT
 *
 * embedding.c - the store in a program that has rules of its own: its allocator, a count of what is
 * written, no threads but the program's, events, and an application id. doc/environment.md says
 * what an environment has to keep to.
 *
 * It prints
 *
 *     recovery
 *     flush
 *     0 units of work were left, bytes were written: yes
 *     a store of another application: this is not a store, or not one of this application
 *     memory that did not come back: 0
 */
#include <peat.h>
#include <peat_env.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE  "embedding.peat"
#define APP_ID 0x50656174u

// The members may be called from any thread, several at once. This program opens its stores without
// threads and makes its calls from one, so that plain counters do; others need atomic ones.
typedef struct my_env {
    peat_env env;
    const peat_env *real;
    unsigned long long written; // bytes, to files
    long blocks;                // of memory, that are in use
} my_env;

static void *my_alloc(void *ctx, size_t size)
{
    my_env *me = (my_env *)ctx;
    void *p = malloc(size); // or the program's own; NULL makes the call return PEAT_NOMEM
    me->blocks += p != NULL;
    return p;
}

static void *my_resize(void *ctx, void *p, size_t size)
{
    my_env *me = (my_env *)ctx;
    void *moved = realloc(p, size);
    me->blocks += p == NULL && moved != NULL;
    return moved;
}

static void my_release(void *ctx, void *p)
{
    my_env *me = (my_env *)ctx;
    me->blocks -= p != NULL;
    free(p);
}

static int my_write(void *ctx, peat_env_file *file, uint64_t offset, const void *buf, size_t n)
{
    my_env *me = (my_env *)ctx;
    int e = me->real->file_write(me->real->ctx, file, offset, buf, n);
    if (e == 0)
        me->written += n;
    return e; // 0 or an errno value
}

static void my_env_init(my_env *me)
{
    memset(me, 0, sizeof *me);
    me->real = peat_env_default();
    me->env = *me->real;
    me->env.size = sizeof me->env; // of the header this was compiled with
    me->env.ctx = me;
    me->env.alloc = my_alloc; // these three stay together
    me->env.resize = my_resize;
    me->env.release = my_release;
    me->env.file_write = my_write;
    me->env.file_store = NULL; // or some bytes would go around my_write
}

// Called when something has ended, by the thread where it happened.
static void print_event(void *ctx, const peat_event *event)
{
    (void)ctx;
    if (event->kind != PEAT_EVENT_SYNC) // how many there are depends on the time
        printf("%s\n", peat_event_name(event->kind));
}

static peat_rc open_with(my_env *me, uint32_t app_id, peat_db **ret_db, peat_error *ret_error)
{
    peat_host host = PEAT_INIT(peat_host);
    peat_options options = PEAT_OPTIONS_INIT;
    host.env = &me->env;
    host.event_fn = print_event;
    host.app_id = app_id; // of a new store; an old one must have the same
    options.host = &host;
    options.threads = PEAT_THREADS_NONE; // puts and peat_work do what is due
    return peat_open(STORE, &options, ret_db, ret_error);
}

// Background work is done when the program has the time for it.
static peat_rc use(peat_db *db, my_env *me)
{
    static char value[1000];
    peat_buf buf = PEAT_BUF_INIT;
    size_t units = 0;
    peat_rc rc = peat_put(db, NULL, peat_str("a"), peat_bytes(value, sizeof value));
    if (rc == PEAT_OK)
        rc = peat_get(db, NULL, peat_str("a"), &buf);
    peat_buf_free(&buf); // before the environment ends
    if (rc == PEAT_OK)
        rc = peat_flush(db);
    if (rc == PEAT_OK)
        rc = peat_work(db, 10, &units);
    if (rc == PEAT_OK)
        printf("%u units of work were left, bytes were written: %s\n", (unsigned)units,
               me->written > sizeof value ? "yes" : "no");
    return rc;
}

int main(void)
{
    my_env me;
    peat_db *db = NULL;
    peat_error error;
    my_env_init(&me);
    if (open_with(&me, APP_ID, &db, &error) != PEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    peat_rc rc = use(db, &me);
    if (rc < 0 && peat_call_error(db, &error) < 0)
        fprintf(stderr, STORE ": %s\n", error.message);
    peat_rc closed = peat_close(db);
    peat_rc other = open_with(&me, APP_ID + 1, &db, &error);
    printf("a store of another application: %s\n", peat_rc_text(other));
    printf("memory that did not come back: %ld\n", me.blocks);
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && other == PEAT_NOT_STORE && me.blocks == 0 &&
                   removed == PEAT_OK
               ? 0
               : 1;
}
