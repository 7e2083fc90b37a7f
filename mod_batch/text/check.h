/*
 * Assertions. A struct that travels as void *, or through many hands, has a number of its kind, its
 * magic, from when it is made until it is over. Whoever takes it looks whether it is one:
 *
 *     struct worker {
 *         unsigned magic; // WORKER_MAGIC
 *         …
 *     };
 *     struct worker *worker = BATCH_CAST(struct worker, baton, WORKER_MAGIC);
 *
 * In every build: it costs a comparison. A struct that is another one, or is over, would be written
 * to all the same: the process ends instead, with a line in the log, and the batch goes on in
 * another.
 */
#ifndef BATCH_TEXT_CHECK_H
#define BATCH_TEXT_CHECK_H

/** Ends the process unless object is a struct with that magic. */
#define BATCH_CHECK(object, wanted)                                                                \
    do {                                                                                           \
        if (__builtin_expect(!(object) || (object)->magic != (wanted), 0)) {                       \
            batch_check_failed(#object, #wanted, __FILE__, __LINE__);                              \
        }                                                                                          \
    } while (0)

/** A void * as the struct of that type, which is checked. */
#define BATCH_CAST(type, pointer, wanted)                                                          \
    ({                                                                                             \
        type *cast_ = (pointer);                                                                   \
        if (__builtin_expect(!cast_ || cast_->magic != (wanted), 0)) {                             \
            batch_check_failed(#pointer, #wanted, __FILE__, __LINE__);                             \
        }                                                                                          \
        cast_;                                                                                     \
    })

/** Says where it was, on the standard error, and aborts. */
void batch_check_failed(const char *object, const char *wanted, const char *file, int line)
    __attribute__((noreturn, cold));

#endif
