/* SPDX-License-Identifier: MIT
 *
 * queue_epoll.c - an event loop of one thread, by epoll: requests come from a pipe, where a server
 * would have its sockets, and their answers from a queue. It sleeps while neither has any.
 *
 * It prints
 *
 *     apple: green
 *     banana: none
 *     cherry: red
 *     3 requests answered
 */
#include <peat_queue.h>

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define STORE         "queue_epoll.peat"
#define REQUESTS      3
#define NAME_MAX_SIZE 15

typedef struct request {
    char name[NAME_MAX_SIZE + 1];
    char answer[32];
} request;

typedef struct server {
    peat_queue *queue;
    int loop, pipe;
    request requests[REQUESTS];
    unsigned begun, answered;
} server;

// Level-triggered. Both are only looked at: the queue's descriptor is the queue's own.
static bool watch(server *s, int fd)
{
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.fd = fd;
    return epoll_ctl(s->loop, EPOLL_CTL_ADD, fd, &event) == 0;
}

// A request is a name of 15 bytes. Its get is under way when this returns, or has ended already.
static peat_rc take_request(server *s)
{
    request *r = &s->requests[s->begun];
    if (read(s->pipe, r->name, NAME_MAX_SIZE) != NAME_MAX_SIZE)
        return PEAT_IO;
    return peat_queue_get(s->queue, NULL, NULL, peat_str(r->name), s->begun++);
}

// Until there is nothing more. The descriptor may be readable once for nothing: PEAT_TIMEOUT.
static peat_rc take_answers(server *s)
{
    peat_completion done[8];
    size_t n;
    peat_rc rc;
    while ((rc = peat_queue_poll(s->queue, done, 8, 0, &n)) == PEAT_OK) {
        for (size_t i = 0; i < n; i++) {
            request *r = &s->requests[done[i].tag];
            if (done[i].rc < 0)
                return done[i].rc;
            snprintf(r->answer, sizeof r->answer, "%.*s",
                     done[i].rc == PEAT_OK ? (int)done[i].value.size : 4,
                     done[i].rc == PEAT_OK ? (const char *)done[i].value.data : "none");
            s->answered++;
        }
    }
    return rc == PEAT_TIMEOUT || rc == PEAT_END ? PEAT_OK : rc;
}

static peat_rc serve(server *s)
{
    struct epoll_event events[2];
    int queue_fd = peat_queue_fd(s->queue); // the same at each call
    peat_rc rc = watch(s, queue_fd) && watch(s, s->pipe) ? PEAT_OK : PEAT_IO;
    while (rc == PEAT_OK && s->answered < REQUESTS) {
        int n = epoll_wait(s->loop, events, 2, -1);
        for (int i = 0; rc == PEAT_OK && i < n; i++)
            rc = events[i].data.fd == queue_fd ? take_answers(s) : take_request(s);
    }
    for (unsigned i = 0; rc == PEAT_OK && i < REQUESTS; i++)
        printf("%s: %s\n", s->requests[i].name, s->requests[i].answer);
    if (rc == PEAT_OK)
        printf("%u requests answered\n", s->answered);
    return rc;
}

// What clients would do.
static bool send_requests(int pipe)
{
    static const char *const names[REQUESTS] = {"apple", "banana", "cherry"};
    char name[NAME_MAX_SIZE];
    bool sent = true;
    for (unsigned i = 0; i < REQUESTS; i++) {
        memset(name, 0, sizeof name);
        memcpy(name, names[i], strlen(names[i]));
        sent = sent && write(pipe, name, sizeof name) == (ssize_t)sizeof name;
    }
    return sent;
}

static peat_rc run(peat_db *db)
{
    server s;
    int ends[2];
    memset(&s, 0, sizeof s);
    if (pipe(ends) != 0)
        return PEAT_IO;
    s.pipe = ends[0];
    s.loop = epoll_create1(0);
    peat_rc rc = s.loop >= 0 && send_requests(ends[1]) ? PEAT_OK : PEAT_IO;
    if (rc == PEAT_OK)
        rc = peat_queue_open(db, NULL, &s.queue);
    if (rc == PEAT_OK)
        rc = serve(&s);
    peat_queue_close(s.queue); // its descriptor leaves the loop with it
    if (s.loop >= 0)
        close(s.loop);
    close(ends[0]);
    close(ends[1]);
    return rc;
}

int main(void)
{
    peat_db *db = NULL;
    peat_error error;
    if (peat_open(STORE, NULL, &db, &error) != PEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    peat_rc rc = peat_put(db, NULL, peat_str("apple"), peat_str("green"));
    if (rc == PEAT_OK)
        rc = peat_put(db, NULL, peat_str("cherry"), peat_str("red"));
    if (rc == PEAT_OK)
        rc = run(db);
    if (rc < 0)
        fprintf(stderr, STORE ": %s\n", peat_rc_text(rc));
    peat_rc closed = peat_close(db);
    peat_rc removed = peat_destroy(STORE, &error);
    return rc == PEAT_OK && closed == PEAT_OK && removed == PEAT_OK ? 0 : 1;
}
