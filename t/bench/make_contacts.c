/*
 * Makes the contacts of `make bench`: what is in the table before, and what is sent. A row is a
 * function of its number and its revision, so that all files agree with each other.
 *
 * usage: make_contacts base|merge|overwrite|million|delete|small json|csv >FILE
 *   base       the rows 0 to 99,999, of revision 1; all others are of revision 2
 *   merge      50,000 of them and as many new ones
 *   overwrite  80,000 of them and 10,000 new ones
 *   million    all of them and 900,000 new ones
 *   delete     the ids of 10,000 of them
 *   small      1,000 requests of the mode sync, a line each, of ten of them
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE   100000
#define PRIME  7919 /* spreads the rows; it divides none of the numbers below */
#define FIELDS 6

static const char *const given[] = {"Ada", "Bjørn", "Céline", "Dario", "Edyta", "Fatou",
                                    "Gül", "Hana",  "Ivo",    "Jiří",  "Kaya",  "Lena",
                                    "Mio", "Noé",   "Ole",    "Zoë"};
static const char *const family[] = {
    "Andersson", "Bakker", "\"Bo\"",    "Costa", "D'Amico",   "Evans",  "Fonseca", "Grünwald",
    "Horák",     "Ivanov", "Jovanović", "Kim",   "Lindqvist", "Moreau", "Nowak",   "Öztürk"};
static const char *const town[] = {"Aarhus", "Bergen", "Coimbra", "Dresden",
                                   "Évora",  "Gdańsk", "Malmö",   "Turku"};

typedef struct row {
    char fields[FIELDS][256];
} row_t;

static uint64_t mixed(uint64_t number)
{
    number += 0x9e3779b97f4a7c15u;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

static void make_row(row_t *row, unsigned number, int revision)
{
    uint64_t high = mixed(2ull * number), low = mixed(2ull * number + 1), more = mixed(high);

    snprintf(row->fields[0], sizeof(row->fields[0]), "%08x-%04x-4%03x-%04x-%012llx",
             (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
             (unsigned)(low >> 50 | 0x8000), (unsigned long long)(low & 0xffffffffffffu));
    snprintf(row->fields[1], sizeof(row->fields[1]), "%s %s", given[more & 15],
             family[more >> 4 & 15]);
    snprintf(row->fields[2], sizeof(row->fields[2]), "person%u@mail%u.example", number,
             (unsigned)(more >> 8 & 63));
    snprintf(row->fields[3], sizeof(row->fields[3]), "+47 %03u %08u", (unsigned)(more >> 14 & 511),
             (unsigned)(low % 100000000));
    snprintf(row->fields[4], sizeof(row->fields[4]), "team %02u", (unsigned)(more >> 23) % 40);
    snprintf(row->fields[5], sizeof(row->fields[5]),
             "{\"revision\":%d,\"town\":\"%s\",\"labels\":[\"a%u\",\"b%u\"],\"consent\":%s,"
             "\"points\":%u.25,\"remark\":\"first line\\nwith \\\"quotes\\\" and %.*s\"}",
             revision, town[more >> 30 & 7], (unsigned)(more >> 33 & 31),
             (unsigned)(more >> 38 & 31), more >> 43 & 1 ? "true" : "false",
             (unsigned)(more >> 44 & 63), 8 + (int)(more >> 50 & 15), row->fields[0]);
}

static void put_json(const row_t *row, int fields)
{
    static const char *const names[] = {"id", "name", "email", "phone", "team", "custom"};
    const char *at;
    int i;

    for (i = 0; i < fields; i++) {
        printf("%c\"%s\":", i ? ',' : '{', names[i]);
        if (i == 5) {
            fputs(row->fields[i], stdout);
            continue;
        }
        putchar('"');
        for (at = row->fields[i]; *at; at++) {
            if (*at == '"' || *at == '\\') {
                putchar('\\');
            }
            putchar(*at);
        }
        putchar('"');
    }
    putchar('}');
}

static void put_csv(const row_t *row)
{
    const char *at;
    int i;

    for (i = 0; i < FIELDS; i++) {
        int quoted = strpbrk(row->fields[i], "\",\r\n") != NULL;

        fputs(i ? "," : "", stdout);
        fputs(quoted ? "\"" : "", stdout);
        for (at = row->fields[i]; *at; at++) {
            fputs(*at == '"' ? "\"" : "", stdout);
            putchar(*at);
        }
        fputs(quoted ? "\"" : "", stdout);
    }
    fputs("\r\n", stdout);
}

/* count rows, so many of them old, in the order of their numbers or in one that has nothing to do
 * with it. */
static void put_rows(unsigned count, unsigned old, int revision, int csv)
{
    unsigned i;
    row_t row;

    fputs(csv ? "id,name,email,phone,team,custom\r\n" : "[", stdout);
    for (i = 0; i < count; i++) {
        unsigned place = revision == 1 ? i : (unsigned)((uint64_t)i * PRIME % count);

        make_row(&row, place < old ? place * (BASE / old) : BASE + place - old, revision);
        if (csv) {
            put_csv(&row);
        } else {
            fputs(i ? "," : "", stdout);
            put_json(&row, FIELDS);
        }
    }
    fputs(csv ? "" : "]", stdout);
}

static void put_delete(void)
{
    unsigned i;
    row_t row;

    for (i = 0; i < 10000; i++) {
        make_row(&row, (unsigned)((uint64_t)i * PRIME % BASE), 1);
        putchar(i ? ',' : '[');
        put_json(&row, 1);
    }
    putchar(']');
}

static int by_id(const void *left, const void *right)
{
    return strcmp(((const row_t *)left)->fields[0], ((const row_t *)right)->fields[0]);
}

static void put_small(void)
{
    row_t rows[10];
    unsigned i, k;

    for (i = 0; i < 1000; i++) {
        for (k = 0; k < 10; k++) {
            make_row(&rows[k], (unsigned)((uint64_t)(10 * i + k) * PRIME % BASE), 2);
        }
        qsort(rows, 10, sizeof(rows[0]), by_id);
        fputs("{\"mode\":\"sync\",\"action\":\"merge\",\"resource\":\"contact\",\"data\":", stdout);
        for (k = 0; k < 10; k++) {
            putchar(k ? ',' : '[');
            put_json(&rows[k], FIELDS);
        }
        fputs("]}\n", stdout);
    }
}

int main(int argc, char **argv)
{
    int csv = argc > 2 && !strcmp(argv[2], "csv");
    const char *what = argc > 1 ? argv[1] : "";

    if (!strcmp(what, "base")) {
        put_rows(BASE, BASE, 1, csv);
    } else if (!strcmp(what, "merge")) {
        put_rows(BASE, BASE / 2, 2, csv);
    } else if (!strcmp(what, "overwrite")) {
        put_rows(90000, 80000, 2, csv);
    } else if (!strcmp(what, "million")) {
        put_rows(1000000, BASE, 2, csv);
    } else if (!strcmp(what, "delete")) {
        put_delete();
    } else if (!strcmp(what, "small")) {
        put_small();
    } else {
        fprintf(stderr,
                "usage: make_contacts base|merge|overwrite|million|delete|small json|csv\n");
        return 2;
    }
    return fflush(stdout) || ferror(stdout);
}
