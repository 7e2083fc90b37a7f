/*
 * Characters that nobody sees: what programs put into names of columns, and people cannot find.
 */
#ifndef BATCH_TEXT_INVISIBLE_H
#define BATCH_TEXT_INVISIBLE_H

#include "batch.h"

/**
 * Names the first invisible character of a text in UTF-8, and where it is, as in 'the invisible
 * character U+00A0 (no-break space) at its end', in p; NULL where there is none. A space counts at
 * the start and at the end only. Bytes that are not UTF-8 are passed over.
 */
const char *batch_invisible_words(const char *text, apr_size_t length, apr_pool_t *p);

/** The text without them, in p; its length is strlen. A byte NUL ends it. */
char *batch_visible_text(const char *text, apr_size_t length, apr_pool_t *p);

#endif
