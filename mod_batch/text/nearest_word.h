/*
 * Words that are nearly the same: what a person may have meant by a word that is not known.
 *
 * Two questions are asked. "Is this one of ours, misspelt?" decides whether a request is refused,
 * so its answer has to be certain (batch_word_meant). "Which of these is it most like?" only helps
 * who reads a message, so that more may be near (batch_near_t).
 */
#ifndef BATCH_TEXT_NEAREST_WORD_H
#define BATCH_TEXT_NEAREST_WORD_H

#include "batch.h"

/** Letters of a word that are compared; a longer word is near to none. */
#define BATCH_WORD_LETTERS 48

/** How far apart two words are that have nothing to do with each other. */
#define BATCH_WORD_FAR 1000

/**
 * Letters to change, add, take away or swap with their neighbour until one word is the other
 * (Damerau-Levenshtein, no letter changed twice), whatever the case of letters in ASCII. A letter
 * is a character of UTF-8. BATCH_WORD_FAR where a word has over BATCH_WORD_LETTERS letters.
 */
int batch_word_distance(const char *a, apr_size_t a_length, const char *b, apr_size_t b_length);

/**
 * The known word that was meant by one that is not known: it is equal but for case, '_', '-', '.'
 * and spaces, or it is a letter away, two where the known word has more than five. Where several
 * are so, the nearest, and of these the first. NULL: none was meant, the word is itself known, or
 * has one letter only.
 * @param word    length bytes, whatever they are
 * @param known   the known words, NULL behind the last
 */
const char *batch_word_meant(const char *word, apr_size_t length, const char *const *known);

/** 1 if the word is one of the known ones (NULL behind the last), letter by letter. */
int batch_word_is_known(const char *word, apr_size_t length, const char *const *known);

/* ---- The names that are most like another ---------------------------------------------------- */

/** How many are named. */
#define BATCH_NEAREST 3

/** The names that are nearest to a wanted one, of those that were offered. */
typedef struct batch_near {
    const char *wanted;
    const char *names[BATCH_NEAREST]; /* the nearest first; NULL behind them */
    int distances[BATCH_NEAREST];
    apr_pool_t *p;
} batch_near_t;

/** Begins. wanted is kept by reference; names are copied into p. */
void batch_near_init(batch_near_t *near, const char *wanted, apr_pool_t *p);

/** Offers a name. */
void batch_near_offer(batch_near_t *near, const char *name, apr_size_t length);

/** "; did you mean "a", "b" or "c"?", in the pool, or "" where no name is near. */
const char *batch_near_words(const batch_near_t *near);

#endif
