/* SPDX-License-Identifier: MIT
 *
 * queue_libuv.c - a queue in a loop of libuv: a timer submits, the queue's descriptor tells when to
 * collect. Without libuv it is not built.
 *
 * It prints
 *
 *     10 puts durable, in 10 beats of a timer
 *     beat 3 was kept
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // for uv.h
#endif
#include <peat_queue.h>
#include <uv.h>

#include <stdio.h>
#include <string.h>

#define STORE "queue_libuv.peat"
#define BEATS 10
#define GET   BEATS // the tag of the get; a put's is its number

typedef struct program {
    peat_queue *queue;
    uv_timer_t timer;
    uv_poll_t poll;
    unsigned beats, durable;
    peat_rc rc;
} program;

// The loop ends when its handles have been closed.
static void finish(program *p, peat_rc rc)
{
    p->rc = rc;
    if (!uv_is_closing((uv_handle_t *)&p->timer))
        uv_close((uv_handle_t *)&p->timer, NULL);
    if (!uv_is_closing((uv_handle_t *)&p->poll))
        uv_close((uv_handle_t *)&p->poll, NULL); // the descriptor stays the queue's
}

static void on_beat(uv_timer_t *timer)
{
    program *p = (program *)timer->data;
    char key[32];
    peat_write_options durable = PEAT_INIT(peat_write_options);
    durable.sync = true;
    snprintf(key, sizeof key, "beat %u", p->beats);
    peat_rc rc =
        peat_queue_put(p->queue, NULL, &durable, peat_str(key), peat_str("kept"), p->beats);
    if (rc == PEAT_QUEUE_FULL)
        return; // with the next beat
    if (rc != PEAT_OK)
        finish(p, rc);
    else if (++p->beats == BEATS)
        uv_timer_stop(timer);
}

// The last put is durable: one more operation. Its answer is the end.
static peat_rc on_done(program *p, const peat_completion *done)
{
    if (done->rc != PEAT_OK)
        return done->rc;
    if (done->tag != GET) {
        p->durable++;
        if (p->durable < BEATS)
            return PEAT_OK;
        printf("%u puts durable, in %u beats of a timer\n", p->durable, p->beats);
        return peat_queue_get(p->queue, NULL, NULL, peat_str("beat 3"), GET);
    }
    printf("beat 3 was %.*s\n", (int)done->value.size, (const char *)done->value.data);
    return PEAT_END;
}

// Readable: all there is is collected. The loop asks again as long as the descriptor is readable.
static void on_readable(uv_poll_t *poll, int status, int events)
{
    program *p = (program *)poll->data;
    peat_completion done[8];
    size_t n = 0;
    peat_rc rc = status < 0 ? PEAT_IO : peat_queue_poll(p->queue, done, 8, 0, &n);
    (void)events;
    if (rc == PEAT_TIMEOUT || rc == PEAT_END) // it was readable for nothing
        return;
    for (size_t i = 0; rc == PEAT_OK && i < n; i++)
        rc = on_done(p, &done[i]);
    if (rc != PEAT_OK)
        finish(p, rc == PEAT_END ? PEAT_OK : rc);
}

static peat_rc run(program *p)
{
    uv_loop_t loop;
    if (uv_loop_init(&loop) != 0)
        return PEAT_IO;
    p->timer.data = p->poll.data = p;
    bool begun = uv_timer_init(&loop, &p->timer) == 0 &&
                 uv_poll_init(&loop, &p->poll, peat_queue_fd(p->queue)) == 0 &&
                 uv_timer_start(&p->timer, on_beat, 0, 1) == 0 &&
                 uv_poll_start(&p->poll, UV_READABLE, on_readable) == 0;
    if (begun)
        uv_run(&loop, UV_RUN_DEFAULT);
    return begun && uv_loop_close(&loop) == 0 ? p->rc : PEAT_IO;
}

int main(void)
{
    program p;
    peat_db *db = NULL;
    peat_error error;
    memset(&p, 0, sizeof p);
    if (peat_open(STORE, NULL, &db, &error) != PEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    peat_rc rc = peat_queue_open(db, NULL, &p.queue);
    if (rc == PEAT_OK)
        rc = run(&p);
    if (rc < 0)
        fprintf(stderr, STORE ": %s\n", peat_rc_text(rc));
    peat_queue_close(p.queue);
    peat_rc closed = peat_close(db);
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
