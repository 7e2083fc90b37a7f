#include "text/nearest_word.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "text/utf8.h"

/** A known word of up to this many letters may be missed by one letter only, a longer one by two.
 */
#define SHORT_WORD 5

/*
 * Words that nobody gets to by a slip of the finger, but by another language or by shortening;
 * written as letters_read leaves them.
 */
static const struct other_word {
    const char *word;
    const char *meant;
} other_words[] = {
    {"modus", "mode"},
    {"dry", "dry_run"},
};

/** A word as letters that can be compared. */
typedef struct letters {
    apr_uint32_t at[BATCH_WORD_LETTERS];
    int count;
} letters_t;

/** Reads letters in lower case; 0 if there are too many. plain: without what joins words. */
static int letters_read(letters_t *letters, const char *word, apr_size_t length, int plain)
{
    const char *end = word + length;

    letters->count = 0;
    if (length > 4 * BATCH_WORD_LETTERS) {
        return 0;
    }
    while (word < end) {
        apr_uint32_t letter = (unsigned char)apr_tolower(*word);

        for (word++; word < end && batch_utf8_continues(*word); word++) {
            letter = letter << 8 | (unsigned char)*word;
        }
        if (plain && (letter == '_' || letter == '-' || letter == '.' || letter == ' ')) {
            continue;
        }
        if (letters->count == BATCH_WORD_LETTERS) {
            return 0;
        }
        letters->at[letters->count++] = letter;
    }
    return 1;
}

/** 1 if in both words the two letters before i and j are the same ones, swapped. */
static int are_swapped(const letters_t *a, int i, const letters_t *b, int j)
{
    return i > 1 && j > 1 && a->at[i - 1] == b->at[j - 2] && a->at[i - 2] == b->at[j - 1];
}

static int distance(const letters_t *a, const letters_t *b)
{
    int rows[3][BATCH_WORD_LETTERS + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];

    for (int j = 0; j <= b->count; j++) {
        last[j] = j;
    }
    for (int i = 1; i <= a->count; i++) {
        int *next = before;

        now[0] = i;
        for (int j = 1; j <= b->count; j++) {
            int best = last[j - 1] + (a->at[i - 1] != b->at[j - 1]);

            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (are_swapped(a, i, b, j) && before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
        before = last;
        last = now;
        now = next;
    }
    return last[b->count];
}

int batch_word_distance(const char *a, apr_size_t a_length, const char *b, apr_size_t b_length)
{
    letters_t left, right;

    if (!letters_read(&left, a, a_length, 0) || !letters_read(&right, b, b_length, 0)) {
        return BATCH_WORD_FAR;
    }
    return distance(&left, &right);
}

/* ---- What was meant -------------------------------------------------------------------------- */

int batch_word_is_known(const char *word, apr_size_t length, const char *const *known)
{
    for (; *known; known++) {
        if (strlen(*known) == length && !memcmp(*known, word, length)) {
            return 1;
        }
    }
    return 0;
}

/** The known word that one of other_words stands for, or NULL. */
static const char *other_word(const letters_t *word, const char *const *known)
{
    for (size_t i = 0; i < sizeof(other_words) / sizeof(*other_words); i++) {
        letters_t other;

        letters_read(&other, other_words[i].word, strlen(other_words[i].word), 1);
        if (other.count == word->count && !distance(&other, word)) {
            for (const char *const *at = known; *at; at++) {
                if (!strcmp(*at, other_words[i].meant)) {
                    return *at;
                }
            }
        }
    }
    return NULL;
}

const char *batch_word_meant(const char *word, apr_size_t length, const char *const *known)
{
    const char *meant = NULL;
    letters_t wanted;
    int nearest = 3;

    if (!letters_read(&wanted, word, length, 1) || wanted.count < 2 ||
        batch_word_is_known(word, length, known)) {
        return NULL;
    }
    for (const char *const *at = known; *at; at++) {
        letters_t letters;
        int allowed, far;

        letters_read(&letters, *at, strlen(*at), 1);
        allowed = letters.count > SHORT_WORD ? 2 : 1;
        if (letters.count - wanted.count > allowed || wanted.count - letters.count > allowed) {
            continue;
        }
        far = distance(&wanted, &letters);
        /* Of a word of one or two letters a change leaves nothing that could be told from others.
         */
        if (far <= allowed && far < nearest && (!far || letters.count > 2)) {
            nearest = far;
            meant = *at;
        }
    }
    return meant ? meant : other_word(&wanted, known);
}

/* ---- The nearest ones ------------------------------------------------------------------------ */

void batch_near_init(batch_near_t *near, const char *wanted, apr_pool_t *p)
{
    memset(near, 0, sizeof(*near));
    near->wanted = wanted;
    near->p = p;
}

/** The place of a name that is that far, behind those that are as near; BATCH_NEAREST for none. */
static int place_of(const batch_near_t *near, int far)
{
    int place = 0;

    while (place < BATCH_NEAREST && near->names[place] && near->distances[place] <= far) {
        place++;
    }
    return place;
}

void batch_near_offer(batch_near_t *near, const char *name, apr_size_t length)
{
    apr_size_t wanted = strlen(near->wanted);
    int far, place;

    if (!length) {
        return;
    }
    far = batch_word_distance(near->wanted, wanted, name, length);
    if (far == BATCH_WORD_FAR || far > 1 + (int)((wanted > length ? wanted : length) / 3)) {
        return;
    }
    for (int i = 0; i < BATCH_NEAREST && near->names[i]; i++) {
        if (strlen(near->names[i]) == length && !memcmp(near->names[i], name, length)) {
            return;
        }
    }
    place = place_of(near, far);
    if (place == BATCH_NEAREST) {
        return;
    }
    for (int i = BATCH_NEAREST - 1; i > place; i--) {
        near->names[i] = near->names[i - 1];
        near->distances[i] = near->distances[i - 1];
    }
    near->names[place] = apr_pstrmemdup(near->p, name, length);
    near->distances[place] = far;
}

const char *batch_near_words(const batch_near_t *near)
{
    const char *words = "";

    for (int i = 0; i < BATCH_NEAREST && near->names[i]; i++) {
        int last = i + 1 == BATCH_NEAREST || !near->names[i + 1];

        words = apr_pstrcat(near->p, words,
                            !i     ? "; did you mean "
                            : last ? " or "
                                   : ", ",
                            "\"", near->names[i], "\"", last ? "?" : "", NULL);
    }
    return words;
}
