/* SPDX-License-Identifier: MIT */
/*
 * sanitizer.h - what a test leaves out under a sanitizer, which makes it several times slower: of a
 * sample, most; the plain build runs all of it.
 */
#ifndef TEST_WORLD_SANITIZER_H
#define TEST_WORLD_SANITIZER_H

/* gcc says it one way, clang the other. */
#ifdef __SANITIZE_ADDRESS__
#define TEST_ADDRESS_SANITIZER 1
#elif defined(__SANITIZE_THREAD__)
#define TEST_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_ADDRESS_SANITIZER 1
#elif __has_feature(thread_sanitizer)
#define TEST_THREAD_SANITIZER 1
#endif
#endif

#ifdef TEST_ADDRESS_SANITIZER
#define TEST_SAMPLE(plain, address, thread) (address)
#elif defined(TEST_THREAD_SANITIZER)
#define TEST_SAMPLE(plain, address, thread) (thread)
#else
#define TEST_SAMPLE(plain, address, thread) (plain)
#endif

/* For what one thread does: ThreadSanitizer sees nothing there, and takes minutes. */
#define TEST_NOT_FOR_THREADS()                                                                     \
    do {                                                                                           \
        if (TEST_SAMPLE(0, 0, 1))                                                                  \
            skip();                                                                                \
    } while (0)

#endif
