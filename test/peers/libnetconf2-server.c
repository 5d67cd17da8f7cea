/* A NETCONF server on libnetconf2 with a candidate and a running tree of one small module. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libyang/libyang.h>
#include <nc_server.h>

static const char module_text[] =
    "module peer {"
    "  yang-version 1.1; namespace \"urn:example:peer\"; prefix p;"
    "  container port {"
    "    leaf name { type string { length 1..32; } }"
    "    leaf mtu { type uint16 { range 64..9216; } }"
    "    leaf note { type string; }"
    "  }"
    "}";

static struct ly_ctx *ctx;
static struct lyd_node *running, *candidate;
static uint32_t holder;

/* A commit that waits for its confirm; `before` is the tree that it replaced. */
static struct {
    int is_armed;
    uint32_t session;
    time_t deadline;
    char *persist;
    struct lyd_node *before;
} pending;

static volatile sig_atomic_t over;

static void end(int signal)
{
    (void)signal;
    over = 1;
}

static struct lyd_node *copy_of(const struct lyd_node *tree)
{
    struct lyd_node *copy = NULL;

    if (tree) {
        lyd_dup_siblings(tree, NULL, LYD_DUP_RECURSIVE, &copy);
    }
    return copy;
}

static void replace(struct lyd_node **tree, struct lyd_node *by)
{
    lyd_free_all(*tree);
    *tree = by;
}

static void disarm(void)
{
    replace(&pending.before, NULL);
    free(pending.persist);
    memset(&pending, 0, sizeof pending);
}

static void revert(void)
{
    replace(&running, copy_of(pending.before));
    replace(&candidate, copy_of(running));
    disarm();
}

static struct lyd_node *input(const struct lyd_node *rpc, const char *name)
{
    struct lyd_node *child;

    LY_LIST_FOR(lyd_child(rpc), child) {
        if (!strcmp(LYD_NAME(child), name)) {
            return child;
        }
    }
    return NULL;
}

static struct nc_server_reply *refusal(NC_ERR tag, const char *text)
{
    struct lyd_node *error = tag == NC_ERR_LOCK_DENIED
            ? nc_err(ctx, tag, holder)
            : nc_err(ctx, tag, NC_ERR_TYPE_APP);

    nc_err_set_msg(error, text, "en");
    return nc_server_reply_err(error);
}

static struct nc_server_reply *get_config(struct lyd_node *rpc)
{
    struct lyd_node *source = lyd_child(input(rpc, "source")), *output, *data;
    int of_candidate = source && !strcmp(LYD_NAME(source), "candidate");

    lyd_dup_single(rpc, NULL, 0, &output);
    data = copy_of(of_candidate ? candidate : running);
    lyd_new_any(output, NULL, "data", data, LYD_ANYDATA_DATATREE,
            LYD_NEW_VAL_OUTPUT | LYD_NEW_ANY_USE_VALUE, NULL);
    return nc_server_reply_data(output, NC_WD_EXPLICIT, NC_PARAMTYPE_FREE);
}

static struct nc_server_reply *edit_config(struct lyd_node *rpc, uint32_t session)
{
    struct lyd_node_any *config = (struct lyd_node_any *)input(rpc, "config");
    struct lyd_node *edit = NULL;
    char *text = NULL;
    LY_ERR result;

    if (holder && holder != session) {
        return refusal(NC_ERR_IN_USE, "the candidate is locked by another session");
    }
    if (!config || lyd_any_value_str(&config->node, &text)) {
        return refusal(NC_ERR_OP_FAILED, "there is no configuration");
    }
    result = lyd_parse_data_mem(ctx, text, LYD_XML, LYD_PARSE_STRICT | LYD_PARSE_ONLY, 0, &edit);
    free(text);
    if (result) {
        return refusal(NC_ERR_INVALID_VALUE, ly_last_errmsg());
    }
    lyd_merge_siblings(&candidate, edit, LYD_MERGE_DESTRUCT);
    return nc_server_reply_ok();
}

static struct nc_server_reply *commit(struct lyd_node *rpc, uint32_t session)
{
    struct lyd_node *timeout = input(rpc, "confirm-timeout"), *persist = input(rpc, "persist");
    struct lyd_node *named = input(rpc, "persist-id");
    const char *id = named ? lyd_get_value(named) : "";

    if (pending.is_armed) {
        if (pending.persist ? strcmp(pending.persist, id) : pending.session != session) {
            return refusal(NC_ERR_INVALID_VALUE, "another confirmed commit is waiting");
        }
        disarm();
    } else if (named) {
        return refusal(NC_ERR_INVALID_VALUE, "no confirmed commit of that name is waiting");
    }
    if (input(rpc, "confirmed")) {
        pending.is_armed = 1;
        pending.session = session;
        pending.deadline = time(NULL) + (timeout ? atoi(lyd_get_value(timeout)) : 600);
        pending.persist = persist ? strdup(lyd_get_value(persist)) : NULL;
        pending.before = copy_of(running);
    }
    replace(&running, copy_of(candidate));
    return nc_server_reply_ok();
}

static struct nc_server_reply *cancel(struct lyd_node *rpc, uint32_t session)
{
    struct lyd_node *named = input(rpc, "persist-id");
    const char *id = named ? lyd_get_value(named) : "";

    if (!pending.is_armed ||
            (pending.persist ? strcmp(pending.persist, id) : pending.session != session)) {
        return refusal(NC_ERR_INVALID_VALUE, "no such confirmed commit is waiting");
    }
    revert();
    return nc_server_reply_ok();
}

static struct nc_server_reply *answer(struct lyd_node *rpc, struct nc_session *session)
{
    const char *name = LYD_NAME(rpc);
    uint32_t id = nc_session_get_id(session);

    if (!strcmp(name, "lock")) {
        if (holder && holder != id) {
            return refusal(NC_ERR_LOCK_DENIED, "the candidate is locked");
        }
        holder = id;
    } else if (!strcmp(name, "unlock")) {
        holder = 0;
    } else if (!strcmp(name, "discard-changes")) {
        replace(&candidate, copy_of(running));
    } else if (!strcmp(name, "get-config")) {
        return get_config(rpc);
    } else if (!strcmp(name, "edit-config")) {
        return edit_config(rpc, id);
    } else if (!strcmp(name, "commit")) {
        return commit(rpc, id);
    } else if (!strcmp(name, "cancel-commit")) {
        return cancel(rpc, id);
    } else if (!strcmp(name, "close-session")) {
        return nc_clb_default_close_session(rpc, session);
    } else {
        return refusal(NC_ERR_OP_NOT_SUPPORTED, "this server does nothing of the kind");
    }
    return nc_server_reply_ok();
}

/* RFC 6241: the end of a session releases its lock, and reverts its unnamed commit. */
static void left(struct nc_session *session)
{
    uint32_t id = nc_session_get_id(session);

    if (holder == id) {
        holder = 0;
        replace(&candidate, copy_of(running));
    }
    if (pending.is_armed && !pending.persist && pending.session == id) {
        revert();
    }
}

static int configure(char **argv)
{
    static const char *features[] = {
        "candidate", "confirmed-commit", "rollback-on-error", "validate", NULL
    };
    struct lyd_node *config = NULL;

    return nc_server_init() || nc_server_init_ctx(&ctx) ||
            nc_server_config_load_modules(&ctx) ||
            lys_set_implemented(ly_ctx_get_module_implemented(ctx, "ietf-netconf"), features) ||
            lys_parse_mem(ctx, module_text, LYS_IN_YANG, NULL) ||
            nc_server_config_add_address_port(ctx, "here", NC_TI_SSH, "127.0.0.1",
                    (uint16_t)atoi(argv[1]), &config) ||
            nc_server_config_add_ssh_hostkey(ctx, "here", "key", argv[2], NULL, &config) ||
            nc_server_config_add_ssh_user_pubkey(ctx, "here", "linkseal", "login", argv[3],
                    &config) ||
            nc_server_config_setup_data(config);
}

int main(int argc, char **argv)
{
    struct nc_pollsession *sessions;
    struct nc_session *session;
    int told;

    if (argc != 4 || configure(argv)) {
        fprintf(stderr, "usage: %s PORT HOST-KEY LOGIN.pub (or it cannot be served)\n", argv[0]);
        return 1;
    }
    signal(SIGTERM, end);
    nc_set_global_rpc_clb(answer);
    sessions = nc_ps_new();
    puts("ready");
    fflush(stdout);
    while (!over) {
        if (nc_accept(0, ctx, &session) == NC_MSG_HELLO) {
            nc_ps_add_session(sessions, session);
        }
        told = nc_ps_poll(sessions, 20, &session);
        if (told & NC_PSPOLL_SESSION_TERM) {
            left(session);
            nc_ps_del_session(sessions, session);
            nc_session_free(session, NULL);
        } else if (told & NC_PSPOLL_SSH_CHANNEL &&
                nc_ps_accept_ssh_channel(sessions, &session) == NC_MSG_HELLO) {
            nc_ps_add_session(sessions, session);
        }
        if (told & NC_PSPOLL_NOSESSIONS) {
            nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
        }
        if (pending.is_armed && time(NULL) >= pending.deadline) {
            revert();
        }
    }
    return 0;
}
