/* Characters that nobody sees, and names without them. */
/* needs: nothing */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "text/invisible.h"

static apr_pool_t *pool;

static void is_invisible(const char *text, const char *words, const char *visible)
{
    /* Memory of its own, so that a tool sees a read beside it. */
    apr_size_t length = strlen(text);
    char *copy = malloc(length + !length);

    memcpy(copy, text, length);
    is_string(batch_invisible_words(copy, length, pool), words, words ? words : "all is seen");
    is_string(batch_visible_text(copy, length, pool), visible, "what is seen of it");
    free(copy);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    is_invisible("", NULL, "");
    is_invisible("name", NULL, "name");
    is_invisible("a name", NULL, "a name");
    is_invisible("Stra\xc3\x9f"
                 "e \xf0\x9f\x98\x80",
                 NULL,
                 "Stra\xc3\x9f"
                 "e \xf0\x9f\x98\x80");
    is_invisible("\xef\xbb\xbfname",
                 "the invisible character U+FEFF (byte order mark) at its start", "name");
    is_invisible("name\xc2\xa0", "the invisible character U+00A0 (no-break space) at its end",
                 "name");
    is_invisible("n\xc3\xa4m\xe2\x80\x8b"
                 "e",
                 "the invisible character U+200B (zero width space) as its character 4",
                 "n\xc3\xa4me");
    is_invisible("name ", "the invisible character U+0020 (space) at its end", "name");
    is_invisible("  a b \t", "the invisible character U+0020 (space) at its start", "a b");
    is_invisible("na\nme", "the invisible character U+000A (line feed) as its character 3", "name");
    is_invisible("na\x01me", "the invisible character U+0001 as its character 3", "name");
    is_invisible("\xe2\x80\x8e\xe2\x80\x8f",
                 "the invisible character U+200E (left-to-right mark) at its start", "");
    is_invisible("   ", "the invisible character U+0020 (space) at its start", "");
    is_invisible("\xef\xb8\x8f", "the invisible character U+FE0F (variation selector) at its start",
                 "");
    is_invisible("\xff\xc2", NULL, "\xff\xc2");
    is_invisible("x\xef\xbb", NULL, "x\xef\xbb");
    is_invisible("\xc2 \xe2\x80x", NULL, "\xc2 \xe2\x80x");
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}
