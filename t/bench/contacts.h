/* The contacts of `make bench`: how many there are, and a reader of bodies for the bare programs.
 */
#ifndef BATCH_BENCH_CONTACTS_H
#define BATCH_BENCH_CONTACTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum contact_column { CONTACT_ID, CONTACT_CUSTOM = 5, CONTACT_COLUMNS };

static const char *const contact_names[CONTACT_COLUMNS] = {"id",    "name", "email",
                                                           "phone", "team", "custom"};

/* Bytes within the body, with a NUL behind them. NULL: not there. */
typedef struct contact_text {
    char *bytes;
    size_t length;
} contact_text_t;

typedef struct contact {
    contact_text_t columns[CONTACT_COLUMNS];
} contact_t;

static inline double contact_milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline void contact_die(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

/* The whole file, with a NUL behind it; never freed. */
static inline char *contact_body(size_t *length, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *bytes;

    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    *length = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*length + 1);
    if (!bytes || fread(bytes, 1, *length, file) != *length) {
        contact_die("cannot read the body");
    }
    bytes[*length] = '\0';
    fclose(file);
    return bytes;
}

/* A string of JSON, from behind its quote: unescaped in its place. Where it goes on after it. */
static inline char *contact_json_string(contact_text_t *text, char *at)
{
    char *to = text->bytes = at;

    for (;;) {
        char *stop = at + strcspn(at, "\"\\");

        if (to != at) {
            memmove(to, at, (size_t)(stop - at));
        }
        to += stop - at;
        if (*stop != '\\') {
            text->length = (size_t)(to - text->bytes);
            *to = '\0';
            return stop + 1;
        }
        *to++ = stop[1] == 'n' ? '\n' : stop[1];
        at = stop + 2;
    }
}

/* Any other value, as it stands. */
static inline char *contact_json_raw(contact_text_t *text, char *at)
{
    int depth = 0;

    text->bytes = at;
    for (;; at++) {
        if (*at == '"') {
            while (*++at != '"') {
                at += *at == '\\';
            }
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (depth && (*at == '}' || *at == ']')) {
            depth--;
        } else if (!depth && (*at == ',' || *at == '}')) {
            text->length = (size_t)(at - text->bytes);
            return at;
        }
    }
}

/* The next object of an array without blanks; NULL behind the last. */
static inline char *contact_json(contact_t *contact, char *at)
{
    memset(contact, 0, sizeof(*contact));
    if (*at != '{') {
        return NULL;
    }
    while (*at != '}') {
        contact_text_t name;
        int column = 0;

        at = contact_json_string(&name, at + 2) + 1;
        while (column < CONTACT_COLUMNS && strcmp(contact_names[column], name.bytes) != 0) {
            column++;
        }
        if (column == CONTACT_COLUMNS) {
            contact_die("an item has another member");
        }
        at = *at == '"' ? contact_json_string(&contact->columns[column], at + 1)
                        : contact_json_raw(&contact->columns[column], at);
    }
    return at + (at[1] == ',' ? 2 : 1);
}

/* The next row of CSV, its quotes taken away in its place; NULL behind the last. */
static inline char *contact_csv(contact_t *contact, char *at)
{
    int column;

    for (column = 0; *at && column < CONTACT_COLUMNS; column++) {
        contact_text_t *text = &contact->columns[column];
        char *to = text->bytes = at;

        if (*at == '"') {
            for (at++; *at != '"' || at[1] == '"'; at++) {
                at += *at == '"';
                *to++ = *at;
            }
            at++;
        } else {
            at += strcspn(at, ",\r");
            to = at;
        }
        text->length = (size_t)(to - text->bytes);
        at += *at == '\r' ? 2 : 1;
        *to = '\0';
    }
    return column ? at : NULL;
}

/* All items of a body: a CSV file with a header, or JSON with an array in it. */
static inline contact_t *contacts_read(size_t *count, char *body)
{
    size_t room = 1024;
    contact_t *contacts = malloc(room * sizeof(*contacts));
    int csv = !strncmp(body, "id,", 3);
    char *at = csv ? strchr(body, '\n') + 1 : strchr(body, '[') + 1;

    *count = 0;
    while (contacts) {
        at = csv ? contact_csv(&contacts[*count], at) : contact_json(&contacts[*count], at);
        if (!at) {
            return contacts;
        }
        if (++*count == room) {
            room *= 2;
            contacts = realloc(contacts, room * sizeof(*contacts));
        }
    }
    contact_die("no memory");
    return NULL;
}

static inline int contact_by_number(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

/* Prints the percentiles 50 and 99 and the largest of some times in ms, which it puts in order. */
static inline void contact_percentiles(double *times, size_t count)
{
    qsort(times, count, sizeof(*times), contact_by_number);
    printf("%.3f %.3f %.3f", times[count / 2], times[count * 99 / 100], times[count - 1]);
}

#endif
