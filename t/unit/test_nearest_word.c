/* Words that are nearly right: which ones a person may have meant as a known one, and which not. */
/* needs: nothing */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"
#include "text/nearest_word.h"

static const char *const known[] = {
    "mode",        "action",      "resource",           "data",  "ids",   "atomic",
    "dry_run",     "max_removed", "max_errors",         "start", "query", "form_id",
    "save_upload", "properties",  "duplicate_handling", "via",   NULL};

static const char *meant(const char *word)
{
    const char *found = batch_word_meant(word, strlen(word), known);

    return found ? found : "-";
}

static int apart(const char *a, const char *b)
{
    return batch_word_distance(a, strlen(a), b, strlen(b));
}

static void test_distance(apr_pool_t *p)
{
    is_number(apart("", ""), 0, "nothing and nothing");
    is_number(apart("", "abc"), 3, "nothing and three letters");
    is_number(apart("kitten", "sitting"), 3, "two changed, one added");
    is_number(apart("abcd", "abdc"), 1, "two letters swapped are one step");
    is_number(apart("ca", "abc"), 3, "no letter is changed twice");
    is_number(apart("Mode", "mODE"), 0, "case is no letter");
    is_number(apart("n\xc3\xa4he", "nahe"), 1, "a letter of several bytes is one");
    is_number(apart("a_b", "ab"), 1, "what joins words is a letter here");
    ok(apart("x", apr_psprintf(p, "%0200d", 1)) == BATCH_WORD_FAR,
       "a word that is too long is near to none");
}

static void test_meant(void)
{
    static const struct {
        const char *word;
        const char *meant;
    } cases[] = {
        /* Case, and what joins words. */
        {"dryRun", "dry_run"},
        {"dry-run", "dry_run"},
        {"DRY_RUN", "dry_run"},
        {"dryrun", "dry_run"},
        {"_dry_run", "dry_run"},
        {"dry run", "dry_run"},
        {"dry.run", "dry_run"},
        {"maxRemoved", "max_removed"},
        {"Mode", "mode"},
        {"saveUpload", "save_upload"},
        {"duplicateHandling", "duplicate_handling"},
        /* A letter away. */
        {"atomc", "atomic"},
        {"modes", "mode"},
        {"mod", "mode"},
        {"moed", "mode"},
        {"date", "data"},
        {"id", "ids"},
        {"stat", "start"},
        {"querry", "query"},
        {"actoin", "action"},
        {"\xc3\xa0tomic", "atomic"},
        /* Two letters away, of words of more than five. */
        {"maxRemove", "max_removed"},
        {"mx_removd", "max_removed"},
        {"drey_runs", "dry_run"},
        {"resorces", "resource"},
        {"propertys", "properties"},
        {"atom", "atomic"},
        /* Another language, and shortened. */
        {"modus", "mode"},
        {"Modus", "mode"},
        {"dry", "dry_run"},
        /* Nothing of ours. */
        {"note", "-"},
        {"color", "-"},
        {"colour", "-"},
        {"wish", "-"},
        {"priority", "-"},
        {"state", "-"},
        {"stats", "-"},
        {"status", "-"},
        {"type", "-"},
        {"name", "-"},
        {"x", "-"},
        {"", "-"},
        {"___", "-"},
        {"dry_run_all", "-"},
        {"max_deleted", "-"},
        /* The known words themselves. */
        {"dry_run", "-"},
        {"mode", "-"},
        {"ids", "-"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        is_string(meant(cases[i].word), cases[i].meant, cases[i].word);
    }
    is_string(batch_word_meant("max_removed\0", 12, known), "max_removed", "a NUL is a letter");
    is_string(meant("max_error"), "max_errors", "the nearest one");
    is_string(meant("\xff\xfe\x80\x80\x80"), "-", "bytes that are no UTF-8");
}

static const char *nearest(const char *wanted, const char *const *names, apr_pool_t *p)
{
    batch_near_t near;

    batch_near_init(&near, wanted, p);
    for (; *names; names++) {
        batch_near_offer(&near, *names, strlen(*names));
    }
    return batch_near_words(&near);
}

static void test_near(apr_pool_t *p)
{
    static const char *const columns[] = {"name", "email", "phone", "notes", "names",
                                          "nime", "names", "",      NULL};
    static const char *const none[] = {NULL};

    is_string(nearest("Name", columns, p), "; did you mean \"name\", \"names\" or \"nime\"?",
              "the nearest three, each once");
    is_string(nearest("fone", columns, p), "; did you mean \"phone\"?", "one");
    is_string(nearest("tracking_number", columns, p), "", "none");
    is_string(nearest("name", none, p), "", "none was offered");
    is_string(nearest(apr_psprintf(p, "%09000d", 1), columns, p), "", "a very long one");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_distance(p);
    test_meant();
    test_near(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
