/* The check of the resources against the database, before httpd starts. */
#include "config/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_user.h>
#include <http_config.h>
#include <http_log.h>
#include <unixd.h>

#include "store/store.h"

APLOG_USE_MODULE(batch);

/* How long the parent waits for the child, and the child for a lock of the database. */
#define PARENT_PATIENCE apr_time_from_sec(15)
#define CHILD_PATIENCE  apr_time_from_sec(5)

/* More than this is not read of what the child says. */
#define REPORT_BYTES (64 * 1024)

/*
 * The child says one thing a line: the index of the settings, a letter, and for people a sentence.
 */
#define SAYS_SOUND       'S'
#define SAYS_UNREACHABLE 'U'
#define SAYS_WRONG       'W'
#define SAYS_DOUBTFUL    'D'

/* ---- In the child ---------------------------------------------------------------------------- */

/* Where the child reports, and about which settings. */
struct report {
    int fd;
    int index;
    apr_pool_t *ptemp;
};

static void say(const struct report *report, char what, const char *text)
{
    char *line = apr_psprintf(report->ptemp, "%d %c %s", report->index, what, text);
    apr_size_t length = strlen(line);
    apr_size_t done = 0;
    char *c;

    for (c = line; *c; c++) {
        if (apr_iscntrl(*c)) {
            *c = ' ';
        }
    }
    line[length++] = '\n'; /* in place of the NUL */
    while (done < length) {
        ssize_t written = write(report->fd, line + done, length - done);
        if (written < 0 && errno != EINTR) {
            return; /* the parent has lost its patience */
        }
        done += written > 0 ? (apr_size_t)written : 0;
    }
}

/* The name whose groups apply: as configured, since several names may share one id. */
static const char *child_user_name(apr_pool_t *ptemp)
{
    char *name;

    if (ap_unixd_config.user_name[0] != '#') {
        return ap_unixd_config.user_name;
    }
    return apr_uid_name_get(&name, ap_unixd_config.user_id, ptemp) == APR_SUCCESS ? name : NULL;
}

/* As mod_unixd does for httpd's children. 0, or errno. */
static int become_child_user(apr_pool_t *ptemp)
{
    const char *name;

    if (geteuid() != 0) {
        return 0;
    }
    name = child_user_name(ptemp);
    if (setgid(ap_unixd_config.group_id) || (name ? initgroups(name, ap_unixd_config.group_id)
                                                  : setgroups(1, &ap_unixd_config.group_id))) {
        return errno;
    }
    if (ap_unixd_config.chroot_dir &&
        (chdir(ap_unixd_config.chroot_dir) || chroot(ap_unixd_config.chroot_dir) || chdir("/"))) {
        return errno;
    }
    return setuid(ap_unixd_config.user_id) ? errno : 0;
}

/* The parent's handlers would take this process for httpd itself. */
static void reset_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGWINCH, SIGCHLD, SIGALRM};
    size_t i;

    for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        signal(signals[i], SIG_DFL);
    }
    /* Should the parent die first. */
    alarm((unsigned)apr_time_sec(PARENT_PATIENCE) + 1);
}

static void say_problems(const struct report *report, char what, const batch_resource_t *resource,
                         const batch_problems_t *problems)
{
    int i;

    for (i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);
        say(report, what,
            apr_psprintf(report->ptemp, "%s:%d: <BatchResource %s>: %s: %s", resource->file,
                         resource->line, resource->name, problem->field, problem->message));
    }
}

/* Says all that is wrong with one resource, or may be: 1 sound, 0 not. */
static int check_resource(const struct report *report, batch_store_t *store,
                          const batch_resource_t *resource)
{
    batch_problems_t *problems = batch_problems_make(report->ptemp);
    batch_error_t err = {0};
    batch_problems_t *doubts = batch_problems_make(report->ptemp);
    apr_status_t rv;

    rv = batch_store_check_resource(store, resource, problems, &err, report->ptemp);
    say_problems(report, SAYS_WRONG, resource, problems);
    if (rv == APR_SUCCESS && !problems->nelts) {
        rv = batch_store_doubt_resource(store, resource, doubts, &err, report->ptemp);
        say_problems(report, SAYS_DOUBTFUL, resource, doubts);
    }
    if (rv != APR_SUCCESS && !problems->nelts) {
        say(report, SAYS_UNREACHABLE, err.message ? err.message : "unknown reason");
    }
    return rv == APR_SUCCESS && !problems->nelts;
}

static void check_settings(const struct report *report, const batch_settings_t *settings)
{
    batch_store_config_t config = {0};
    batch_store_t *store;
    batch_error_t err = {0};
    apr_hash_index_t *hi;
    apr_status_t rv;
    int sound = 1;

    config.driver = settings->driver;
    config.params = settings->params;
    config.max_connections = 1;
    config.patience = CHILD_PATIENCE;
    config.may_create = 1;
    rv = batch_store_create(&store, &config, &err, report->ptemp);
    if (rv != APR_SUCCESS) {
        say(report, rv == APR_ENOTIMPL ? SAYS_WRONG : SAYS_UNREACHABLE,
            apr_psprintf(report->ptemp, "BatchDBDriver %s: %s", settings->driver,
                         err.message ? err.message : "the driver cannot be used"));
        return;
    }
    rv = batch_store_migrate(store, &err, report->ptemp);
    if (rv != APR_SUCCESS) {
        say(report, SAYS_UNREACHABLE, err.message ? err.message : "unknown reason");
        return;
    }
    for (hi = apr_hash_first(report->ptemp, settings->resources); hi; hi = apr_hash_next(hi)) {
        sound = check_resource(report, store, apr_hash_this_val(hi)) && sound;
    }
    if (sound) {
        say(report, SAYS_SOUND, "");
    }
    batch_store_destroy(store);
}

/* All that the child does; it leaves no trace but its lines in the pipe. */
static void child_main(int fd, const batch_settings_t *const *settings, int count,
                       apr_pool_t *ptemp)
{
    struct report report = {fd, 0, ptemp};
    char reason[120];
    int wrong;

    reset_signals();
    wrong = become_child_user(ptemp);
    for (; report.index < count; report.index++) {
        if (wrong) {
            say(&report, SAYS_UNREACHABLE,
                apr_psprintf(ptemp, "cannot become the user that httpd's children run as: %s",
                             apr_strerror(wrong, reason, sizeof(reason))));
        } else if (!apr_hash_count(settings[report.index]->resources)) {
            say(&report, SAYS_SOUND, "");
        } else {
            check_settings(&report, settings[report.index]);
        }
    }
}

/* ---- In the parent --------------------------------------------------------------------------- */

/* Reads until the child closes its end, or until deadline; in ptemp. */
static char *read_report(int fd, apr_time_t deadline, apr_pool_t *ptemp)
{
    char *text = apr_palloc(ptemp, REPORT_BYTES + 1);
    apr_size_t length = 0;

    while (length < REPORT_BYTES) {
        apr_interval_time_t left = deadline - apr_time_now();
        struct pollfd wait = {fd, POLLIN, 0};
        ssize_t got;

        if (left <= 0 || poll(&wait, 1, (int)apr_time_as_msec(left) + 1) == 0) {
            break;
        }
        got = read(fd, text + length, REPORT_BYTES - length);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        length += got > 0 ? (apr_size_t)got : 0;
    }
    text[length] = '\0';
    return text;
}

/* Logs a line; 1 if httpd must not start because of it. */
static int judge_line(batch_soundness_e *soundness, const char *line, int count, server_rec *s)
{
    char *rest;
    apr_int64_t index = apr_strtoi64(line, &rest, 10);

    if (*rest != ' ' || index < 0 || index >= count || !rest[1] || rest[2] != ' ') {
        return 0;
    }
    if (rest[1] == SAYS_SOUND) {
        soundness[index] = BATCH_SOUND;
        return 0;
    }
    if (rest[1] == SAYS_WRONG) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "MB0205: %s", rest + 3);
        return 1;
    }
    if (rest[1] == SAYS_DOUBTFUL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "MB0209: %s", rest + 3);
        return 0;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                 "MB0206: the database cannot be asked about the resources, batches are refused "
                 "with 503 until it can: %s",
                 rest + 3);
    return 0;
}

static apr_status_t judge_report(batch_soundness_e *soundness, char *text, int count, server_rec *s)
{
    int wrong = 0;
    char *line;
    char *end;

    for (line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        wrong |= judge_line(soundness, line, count, s);
    }
    return wrong ? BATCH_EINVALID : APR_SUCCESS;
}

/* Ends the child where it has not ended by itself; 1 if it did all that it should. */
static int reap(pid_t child)
{
    int status = 0;
    pid_t got;

    kill(child, SIGKILL); /* without effect on one that has ended: it waits to be reaped */
    do {
        got = waitpid(child, &status, 0);
    } while (got < 0 && errno == EINTR);
    return got == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

apr_status_t batch_startup_check(batch_soundness_e *soundness,
                                 const batch_settings_t *const *settings, int count, server_rec *s,
                                 apr_pool_t *ptemp)
{
    unsigned resources = 0;
    char *text;
    pid_t child;
    int ends[2];
    int i;

    for (i = 0; i < count; i++) {
        soundness[i] = BATCH_UNKNOWN;
        resources += apr_hash_count(settings[i]->resources);
    }
    if (!resources) {
        return APR_SUCCESS;
    }
    if (pipe2(ends, O_CLOEXEC)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, errno, s,
                     "MB0207: the resources cannot be checked: no pipe");
        return APR_SUCCESS;
    }
    child = fork();
    if (child == 0) {
        close(ends[0]);
        child_main(ends[1], settings, count, ptemp);
        _exit(0);
    }
    close(ends[1]);
    if (child < 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, errno, s,
                     "MB0207: the resources cannot be checked: no process");
        close(ends[0]);
        return APR_SUCCESS;
    }
    text = read_report(ends[0], apr_time_now() + PARENT_PATIENCE, ptemp);
    close(ends[0]);
    if (!reap(child)) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            "MB0208: the check of the resources did not end within %d seconds, or crashed: "
            "those that it left out are checked when they are first used",
            (int)apr_time_sec(PARENT_PATIENCE));
    }
    return judge_report(soundness, text, count, s);
}
