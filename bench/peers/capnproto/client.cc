// Cap'n Proto's client: client ENTRY WORKER. One event loop; a caller is a chain of promises.
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "../load.h"
#include "peers.capnp.h"

namespace
{

struct Connection {
    kj::Own<kj::AsyncIoStream> stream;
    kj::Own<capnp::TwoPartyClient> client;
    Chain::Client chain;
};

kj::AsyncIoContext *io;
const char *entry_path, *worker_path;

// Connections are made when they are first needed: a cold worker has no entry.
Chain::Client &chain_for(load_kind kind)
{
    static std::unique_ptr<Connection> connections[2];
    std::unique_ptr<Connection> &connection = connections[kind == LOAD_HOP];
    if (!connection) {
        const char *path = kind == LOAD_HOP ? worker_path : entry_path;
        auto address =
            io->provider->getNetwork().parseAddress(kj::str("unix:", path)).wait(io->waitScope);
        auto stream = address->connect().wait(io->waitScope);
        auto client = kj::heap<capnp::TwoPartyClient>(*stream);
        Chain::Client chain = client->bootstrap().castAs<Chain>();
        connection.reset(new Connection{ kj::mv(stream), kj::mv(client), kj::mv(chain) });
    }
    return connection->chain;
}

kj::Promise<void> call(Chain::Client &chain, const load_job &job, const payload &what)
{
    switch (job.kind) {
    case LOAD_BYTES: {
        auto request = chain.bytesRequest();
        request.setData(kj::arrayPtr(what.blob, sizeof what.blob));
        return request.send().then([&what](auto &&reply) {
            if (!payload_is_sample(&what, reply.getSample().begin(), reply.getSample().size()))
                load_fail("wrong sample");
        });
    }
    case LOAD_DOUBLES: {
        auto request = chain.numbersRequest();
        request.setValues(kj::arrayPtr(what.doubles, PAYLOAD_DOUBLES));
        return request.send().then([&what](auto &&reply) {
            if (!payload_is_sum(&what, reply.getSum()))
                load_fail("wrong sum");
        });
    }
    case LOAD_FAN: {
        auto request = chain.fanRequest();
        request.setText(what.small);
        request.setCount(job.width);
        return request.send().then([&job](auto &&reply) {
            if (reply.getMatched() != job.width)
                load_fail("%d of %d answers", reply.getMatched(), job.width);
        });
    }
    default: {
        const char *text = job.kind == LOAD_ECHO ? what.echo : what.small;
        auto request = chain.echoRequest();
        request.setText(text);
        return request.send().then([text](auto &&reply) {
            load_expect_text(text, reply.getText().begin(), reply.getText().size());
        });
    }
    }
}

kj::Promise<void> call_on(Chain::Client &chain, const load_job &job, payload &what)
{
    load_stamp(&what, job.kind);
    int64_t start = load_now();
    return call(chain, job, what).then([&chain, &job, &what, start]() -> kj::Promise<void> {
        int64_t now = load_now();
        load_record(now - start);
        if (now >= job.ends_ns)
            return kj::READY_NOW;
        return call_on(chain, job, what);
    });
}

void run(const load_job *job)
{
    static std::vector<std::unique_ptr<payload>> payloads;
    while (payloads.size() < static_cast<size_t>(job->callers)) {
        payloads.emplace_back(new payload);
        payload_init(payloads.back().get(), payloads.size());
    }
    Chain::Client &chain = chain_for(job->kind);
    auto callers = kj::heapArrayBuilder<kj::Promise<void>>(static_cast<size_t>(job->callers));
    for (size_t i = 0; i < callers.capacity(); i++)
        callers.add(call_on(chain, *job, *payloads[i]));
    kj::joinPromises(callers.finish()).wait(io->waitScope);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 3)
        load_fail("client ENTRY WORKER");
    kj::AsyncIoContext context = kj::setupAsyncIo();
    io = &context;
    entry_path = argv[1];
    worker_path = argv[2];
    load_peer peer = {};
    peer.run = run;
    _Exit(load_main(&peer));
}
