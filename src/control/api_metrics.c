/* GET /metrics: what all processes and the daemon count, as one Prometheus text. */
#include "control/own_metrics.h"
#include "control/route.h"
#include "control/scrape.h"

/* Who asks; in the exchange's arena. */
typedef struct asker {
    const chainsi_routes *routes;
    chainsi_exchange *exchange;
    chainsi_scrape *scrape;
} asker;

static bool shows(void *user, const char *chain)
{
    const asker *who = user;
    return chainsi_route_shows(who->routes, who->exchange, chain);
}

static void write_own(void *user, chainsi_buffer *out)
{
    asker *who = user;
    chainsi_own_metrics_write(who->routes, shows, who, out);
}

static void compose(const void *settings, const chainsi_scraped *first, chainsi_buffer *out)
{
    (void)settings;
    chainsi_exposition_write(&first->source, out);
}

static void on_end(void *user, const chainsi_buffer *text)
{
    asker *who = user;
    who->exchange->on_gone = NULL;
    chainsi_exchange_answer(who->exchange, 200, "text/plain; version=0.0.4; charset=utf-8", NULL,
                            text->data, text->size);
}

static void on_gone(chainsi_exchange *exchange)
{
    asker *who = exchange->user;
    chainsi_scrape_cancel(who->scrape);
}

void chainsi_route_metrics(chainsi_routes *routes, chainsi_exchange *exchange,
                           const chainsi_names *names)
{
    (void)names;
    asker *who = chainsi_arena_alloc(&exchange->arena, sizeof *who);
    *who = (asker){ routes, exchange, NULL };
    exchange->user = who;
    exchange->on_gone = on_gone;
    who->scrape = chainsi_scrape_start(&(chainsi_scrape_options){
        .registry = routes->registry,
        .shows = shows,
        .write_own = write_own,
        .compose = compose,
        .on_end = on_end,
        .user = who,
    });
}
