/* SPDX-License-Identifier: MIT */
/* gather.c - see gather.h. */
#include "read/gather.h"

#include "base/coding.h"
#include "table/block.h"

/* Blocks that lie side by side are read at once, up to here: what a device serves in one go. */
#define JOINED_BYTES_MAX ((size_t)64 << 10)
/* A larger extent is a large block's, and is read alone. */
#define EXTENT_BYTES_MAX ((size_t)PT_BLOCK_BYTES_LARGE + 64)
/* Reads begin when so many blocks are wanted: soon, but neighbours are to meet before. */
#define BEGIN_TOGETHER 8u
/* Of the memory of the store. */
#define MEMORY_SHARE 64u

/* One read under way, and who waits for its bytes, in the order in which they lie. A block that is
 * read alone is read to where it stays. */
typedef struct gathered {
    pt_read_job job;
    pt_table *table;
    pt_gather_list gets;
    size_t own_bytes; /* what it reads into, unless that is a block's own place */
    uint8_t bytes[];
} gathered;

/* ---- lists ---- */

static void list_init(pt_gather_list *l)
{
    l->first = NULL;
    l->end = &l->first;
    l->count = 0;
}

static void push(pt_gather_list *l, pt_gather_get *f)
{
    f->next = NULL;
    *l->end = f;
    l->end = &f->next;
    l->count++;
}

static pt_gather_get *pop(pt_gather_list *l)
{
    pt_gather_get *f = l->first;
    if (f == NULL)
        return NULL;
    l->first = f->next;
    l->count--;
    if (l->first == NULL)
        l->end = &l->first;
    return f;
}

static void move_all(pt_gather_list *from, pt_gather_list *to)
{
    for (pt_gather_get *f; (f = pop(from)) != NULL;)
        push(to, f);
}

/* By table and place, so that neighbours meet. There are 64 at the most. */
static void push_sorted(pt_gather_list *l, pt_gather_get *f)
{
    pt_gather_get **at = &l->first;
    while (*at != NULL &&
           ((uintptr_t)(*at)->wanted.table < (uintptr_t)f->wanted.table ||
            ((*at)->wanted.table == f->wanted.table && (*at)->wanted.offset < f->wanted.offset)))
        at = &(*at)->next;
    f->next = *at;
    if (f->next == NULL)
        l->end = &f->next;
    *at = f;
    l->count++;
}

/* ---- memory ---- */

static void *take_memory(pt_gather *g, size_t size)
{
    void *p = pt_alloc(g->s->env, size);
    if (p == NULL)
        return NULL;
    g->bytes += size;
    atomic_fetch_add_explicit(&g->s->reader_bytes, size, memory_order_relaxed);
    return p;
}

static void give_memory(pt_gather *g, void *p, size_t size)
{
    g->bytes -= size;
    atomic_fetch_sub_explicit(&g->s->reader_bytes, size, memory_order_relaxed);
    pt_free(g->s->env, p);
}

/* ---- gets come and go ---- */

void pt_gather_init(pt_gather *g, pt_store *s, const pt_read_options *options, pt_view *view,
                    uint64_t seq, uint32_t keyspace)
{
    g->s = s;
    g->options = options;
    g->view = view;
    g->seq = seq;
    g->keyspace = keyspace;
    g->reads = NULL;
    g->count = g->reading = g->bytes = 0;
    g->bytes_max = s->settings.memory_bytes / MEMORY_SHARE;
    g->count_max = pt_min_u64(PT_GATHER_GETS, 1 + g->bytes_max / PT_BLOCK_PAGE);
    list_init(&g->ready);
    list_init(&g->wanting);
    list_init(&g->alone);
    list_init(&g->waiting);
}

void pt_gather_done(pt_gather *g)
{
    PT_ASSERT(g->count == 0 && g->bytes == 0, "I10: every get that began has ended");
    if (g->reads != NULL)
        pt_reads_pool_give(&g->s->reads, g->reads);
}

bool pt_gather_has_room(const pt_gather *g)
{
    return g->count == 0 || (g->count < g->count_max && g->bytes < g->bytes_max);
}

peat_rc pt_gather_add(pt_gather *g, size_t number, peat_slice key)
{
    size_t size = PT_KEYSPACE_BYTES + key.size;
    pt_gather_get *f = (pt_gather_get *)take_memory(g, sizeof *f + size);
    if (f == NULL)
        return PEAT_NOMEM;
    f->number = number;
    pt_put_be32(f->key, g->keyspace);
    if (key.size != 0)
        memcpy(f->key + PT_KEYSPACE_BYTES, key.data, key.size);
    pt_get_begin_at(&f->get, g->s, g->options, pt_slice_of(f->key, size), g->view, g->seq);
    push(&g->ready, f);
    g->count++;
    return PEAT_OK;
}

void pt_gather_end(pt_gather *g, pt_gather_get *f)
{
    size_t size = sizeof *f + f->get.key.size;
    pt_get_end(&f->get);
    give_memory(g, f, size);
    g->count--;
}

/* ---- reads ---- */

/* Without help: what is not gathered, and what is left when there is no memory to gather. */
static void read_alone(pt_gather *g, pt_gather_get *f)
{
    PT_DCHECK(g->reading == 0, "who may have to wait has no reads under way");
    pt_get_read_alone(&f->get);
    push(&g->ready, f);
}

static void supply(pt_gather *g, pt_gather_get *f, peat_rc rc, pt_slice bytes)
{
    pt_get_supply(&f->get, rc, bytes);
    push(&g->ready, f);
}

/* The first of those that want, and its neighbours: out of the list, into one read. */
static gathered *take_neighbours(pt_gather *g)
{
    const pt_gather_get *first = g->wanting.first, *last = first;
    size_t size = first->wanted.size;
    while (last->next != NULL && last->next->wanted.table == first->wanted.table &&
           last->next->wanted.offset == first->wanted.offset + size &&
           size + last->next->wanted.size <= JOINED_BYTES_MAX) {
        last = last->next;
        size += last->wanted.size;
    }
    uint8_t *room = last == first ? first->wanted.room : NULL;
    size_t own = room == NULL ? size : 0;
    gathered *r = (gathered *)take_memory(g, sizeof *r + own);
    if (r == NULL)
        return NULL;
    r->own_bytes = own;
    r->job = (pt_read_job){
        .offset = first->wanted.offset, .buf = own != 0 ? r->bytes : room, .size = size};
    r->table = first->wanted.table;
    list_init(&r->gets);
    for (pt_gather_get *f = NULL; f != last;) {
        f = pop(&g->wanting);
        push(&r->gets, f);
    }
    return r;
}

/* The bytes have come, or have not: then each of several tries by itself, so that one bad place
 * fails only who needs it. */
static void hand_out(pt_gather *g, gathered *r)
{
    const pt_read_job *j = &r->job;
    peat_rc rc = pt_table_read_end(r->table, j->offset, j->size, "block", j->error, j->done);
    bool several = r->gets.count > 1;
    const uint8_t *at = (const uint8_t *)j->buf;
    g->reading--;
    for (pt_gather_get *f; (f = pop(&r->gets)) != NULL; at += f->wanted.size) {
        if (rc != PEAT_OK && several)
            push(&g->alone, f);
        else
            supply(g, f, rc, pt_slice_of(at, f->wanted.size));
    }
    give_memory(g, r, sizeof *r + r->own_bytes);
}

/* While no read is under way files may be opened, which may take waiting. */
static void open_files(pt_gather *g)
{
    pt_gather_list all;
    list_init(&all);
    move_all(&g->wanting, &all);
    pt_table *opened = NULL;
    for (pt_gather_get *f; (f = pop(&all)) != NULL;) {
        peat_rc rc = f->wanted.table != opened ? pt_table_open_file(f->wanted.table) : PEAT_OK;
        opened = rc == PEAT_OK ? f->wanted.table : NULL;
        if (rc == PEAT_OK)
            push_sorted(&g->wanting, f);
        else
            supply(g, f, rc, (pt_slice){0});
    }
}

/* Those whose file was closed meanwhile stay in the list. */
static void begin_reads(pt_gather *g)
{
    pt_gather_list closed;
    list_init(&closed);
    while (g->wanting.count != 0 && (g->reading == 0 || g->bytes < g->bytes_max)) {
        pt_file *file;
        if (!pt_table_read_begin(g->wanting.first->wanted.table, &file)) {
            push(&closed, pop(&g->wanting));
            continue;
        }
        pt_table *t = g->wanting.first->wanted.table;
        gathered *r = take_neighbours(g);
        if (r == NULL) { /* no memory: it ends here */
            pt_table_read_cancel(t);
            supply(g, pop(&g->wanting), PEAT_NOMEM, (pt_slice){0});
            continue;
        }
        r->job.file = file;
        pt_reads_add(g->reads, &r->job);
        g->reading++;
    }
    for (pt_gather_get *f; (f = pop(&closed)) != NULL;)
        push_sorted(&g->wanting, f);
    if (g->reading != 0)
        pt_reads_submit(g->reads);
}

/* What is wanted is under way afterwards, or read. */
static void read_wanted(pt_gather *g, bool wait)
{
    size_t wanted = g->wanting.count;
    if (wanted == 0)
        return;
    if (!wait && wanted < BEGIN_TOGETHER)
        return; /* there may be more soon, and neighbours among them */
    bool few = wanted == 1 && g->reads == NULL;
    if (!few && g->reads == NULL && pt_reads_pool_take(&g->s->reads, &g->reads) != PEAT_OK)
        few = true;
    if (g->reading == 0 && !few)
        open_files(g);
    if (!few)
        begin_reads(g);
    if (few || g->reading == 0)
        move_all(&g->wanting, &g->alone);
}

static void reap(pt_gather *g, bool wait)
{
    pt_read_job *next = pt_reads_reap(g->reads, wait);
    if (next == NULL)
        return;
    while (next != NULL) {
        gathered *r = PT_CONTAINER(next, gathered, job);
        next = next->next;
        hand_out(g, r);
    }
    move_all(&g->waiting, &g->ready);
}

/* ---- all of it ---- */

static bool is_alone(const pt_gather_get *f)
{
    return f->get.lookup.need == PT_FIND_NEED_SECTION || f->wanted.size > EXTENT_BYTES_MAX;
}

/* True: it has ended. */
static bool step(pt_gather *g, pt_gather_get *f)
{
    f->state = pt_get_step(&f->get);
    if (f->state == PT_GET_WAITS) {
        push(&g->waiting, f);
    } else if (f->state == PT_GET_NEEDS) {
        pt_get_wanted_of(&f->get, &f->wanted);
        if (is_alone(f))
            push(&g->alone, f);
        else
            push_sorted(&g->wanting, f);
    } else {
        return true;
    }
    return false;
}

/* Nothing of ours is under way: what was put off has its turn, or else another thread. */
static void catch_up(pt_gather *g)
{
    if (g->alone.count != 0) {
        read_alone(g, pop(&g->alone));
    } else if (g->waiting.count != 0) {
        PT_DCHECK(g->wanting.count == 0, "who waits for others leads no block");
        pt_get_wait(&g->waiting.first->get);
    }
    move_all(&g->waiting, &g->ready);
}

pt_gather_get *pt_gather_next(pt_gather *g, bool wait)
{
    for (;;) {
        for (pt_gather_get *f; (f = pop(&g->ready)) != NULL;)
            if (step(g, f))
                return f;
        read_wanted(g, wait);
        if (g->reading != 0)
            reap(g, wait);
        else if (wait)
            catch_up(g);
        if (g->ready.count == 0 && (!wait || g->count == 0))
            return NULL;
    }
}
