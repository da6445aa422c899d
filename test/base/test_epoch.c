/* SPDX-License-Identifier: MIT */
/* test_epoch.c - nothing is released while a reader may see it, and everything is in the end. */
#include "world/test.h"

#include "base/epoch.h"

typedef struct thing {
    pt_retired retired;
    int released;
    pt_epoch *retire_also_in; /* retires `also` from inside its own release */
    struct thing *also;
} thing;

static void release_thing(pt_retired *r)
{
    thing *t = PT_CONTAINER(r, thing, retired);
    t->released++;
    if (t->also != NULL)
        pt_epoch_retire(t->retire_also_in, &t->also->retired, release_thing);
}

TEST(a_retired_thing_waits_for_the_readers_that_may_see_it)
{
    pt_epoch e;
    pt_epoch_init(&e);
    thing a = {.released = 0}, b = {.released = 0};
    pt_epoch_collect(&e);
    unsigned before = pt_epoch_enter(&e);
    pt_epoch_retire(&e, &a.retired, release_thing);
    unsigned between = pt_epoch_enter(&e);
    pt_epoch_retire(&e, &b.retired, release_thing);
    unsigned after = pt_epoch_enter(&e);
    pt_epoch_collect(&e);
    assert_int_equal(a.released + b.released, 0);
    pt_epoch_exit(&e, before);
    pt_epoch_collect(&e);
    assert_int_equal(a.released, 1); /* `between` came after a was unlinked */
    assert_int_equal(b.released, 0);
    pt_epoch_exit(&e, between);
    pt_epoch_collect(&e);
    assert_int_equal(b.released, 1);
    pt_epoch_exit(&e, after);
    pt_epoch_collect(&e);
    assert_int_equal(a.released + b.released, 2);
    pt_epoch_done(&e);
}

TEST(an_epoch_has_passed_when_its_readers_have_left)
{
    pt_epoch e;
    pt_epoch_init(&e);
    uint64_t first = pt_epoch_advance(&e);
    assert_true(pt_epoch_passed(&e, first));
    unsigned slot = pt_epoch_enter(&e);
    assert_true(pt_epoch_passed(&e, first)); /* once passed, passed for ever */
    uint64_t second = pt_epoch_advance(&e);
    assert_int_equal(second, first + 1);
    unsigned later = pt_epoch_enter(&e);
    assert_int_not_equal(later, slot);
    assert_false(pt_epoch_passed(&e, second));
    pt_epoch_exit(&e, slot);
    assert_true(pt_epoch_passed(&e, second));
    pt_epoch_exit(&e, later);
    pt_epoch_done(&e);
}

TEST(readers_beyond_the_slots_hold_back_release_too)
{
    pt_epoch e;
    pt_epoch_init(&e);
    unsigned slots[PT_EPOCH_SLOTS + 3];
    bool seen[PT_EPOCH_SLOTS + 1] = {false};
    for (size_t i = 0; i < PT_COUNT_OF(slots); i++) {
        slots[i] = pt_epoch_enter(&e);
        assert_true(slots[i] <= PT_EPOCH_SLOTS);
        assert_true(slots[i] == PT_EPOCH_SLOTS || !seen[slots[i]]);
        seen[slots[i]] = true;
    }
    thing a = {.released = 0};
    pt_epoch_retire(&e, &a.retired, release_thing);
    for (size_t i = 0; i < PT_COUNT_OF(slots); i++) {
        pt_epoch_collect(&e);
        assert_int_equal(a.released, 0);
        pt_epoch_exit(&e, slots[i]);
    }
    pt_epoch_collect(&e);
    assert_int_equal(a.released, 1);
    pt_epoch_done(&e);
}

TEST(done_releases_everything_also_what_releases_retire)
{
    pt_epoch e;
    pt_epoch_init(&e);
    thing c = {.released = 0};
    thing b = {.also = &c, .retire_also_in = &e};
    thing a = {.also = &b, .retire_also_in = &e};
    pt_epoch_retire(&e, &a.retired, release_thing);
    pt_epoch_done(&e);
    assert_int_equal(a.released + b.released + c.released, 3);
}

/* ---- stress: readers follow a few shared pointers that writers keep replacing ---- */

#define SHARED       4
#define LIVE         0x11ee11ee11ee11eeULL
#define POISON       0xdeaddeaddeaddeadULL
#define READ_ROUNDS  60000
#define WRITE_ROUNDS 20000

typedef struct object {
    pt_retired retired;
    uint64_t words[8]; /* all LIVE, or all POISON once released */
} object;

typedef struct arena {
    pt_epoch epoch;
    _Atomic(object *) shared[SHARED];
    atomic_ulong poisoned_reads;
    atomic_ulong made, released;
} arena;

static arena *stress_arena_of(object *o)
{
    arena *a;
    memcpy(&a, &o->words[7], sizeof a);
    return a;
}

static object *make_object(arena *a)
{
    object *o = malloc(sizeof *o);
    PT_ASSERT(o != NULL, "there is memory");
    for (int i = 0; i < 7; i++)
        o->words[i] = LIVE;
    memcpy(&o->words[7], &a, sizeof a);
    atomic_fetch_add(&a->made, 1);
    return o;
}

static void release_object(pt_retired *r)
{
    object *o = PT_CONTAINER(r, object, retired);
    atomic_fetch_add(&stress_arena_of(o)->released, 1);
    /* volatile: the poison is written although the memory is given back */
    for (volatile uint64_t *w = o->words; w < o->words + 7; w++)
        *w = POISON;
    free(o);
}

static void *read_all_the_time(void *arg)
{
    arena *a = arg;
    for (unsigned i = 0; i < READ_ROUNDS; i++) {
        unsigned slot = pt_epoch_enter(&a->epoch);
        object *o = atomic_load_explicit(&a->shared[i % SHARED], memory_order_acquire);
        for (int w = 0; w < 7; w++)
            if (o->words[w] != LIVE)
                atomic_fetch_add(&a->poisoned_reads, 1);
        pt_epoch_exit(&a->epoch, slot);
    }
    return NULL;
}

static void *replace_all_the_time(void *arg)
{
    arena *a = arg;
    for (unsigned i = 0; i < WRITE_ROUNDS; i++) {
        object *old =
            atomic_exchange_explicit(&a->shared[i % SHARED], make_object(a), memory_order_acq_rel);
        pt_epoch_retire(&a->epoch, &old->retired, release_object);
        if (i % 4 == 0)
            pt_epoch_collect(&a->epoch);
    }
    return NULL;
}

TEST(readers_never_see_what_was_released)
{
    static arena a;
    memset(&a, 0, sizeof a);
    pt_epoch_init(&a.epoch);
    for (int i = 0; i < SHARED; i++)
        atomic_init(&a.shared[i], make_object(&a));
    pthread_t threads[6];
    for (size_t i = 0; i < PT_COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i % 3 == 2 ? replace_all_the_time : read_all_the_time, &a),
                         0);
    for (size_t i = 0; i < PT_COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&a.poisoned_reads), 0);
    for (int i = 0; i < SHARED; i++)
        pt_epoch_retire(&a.epoch, &atomic_load(&a.shared[i])->retired, release_object);
    pt_epoch_done(&a.epoch);
    assert_int_equal(atomic_load(&a.made), atomic_load(&a.released));
}
