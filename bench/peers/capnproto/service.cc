// Cap'n Proto's services, one event loop each, on the listening socket 3: service (the worker), or service PATH (the entry;
// its worker is at PATH).
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include "../payload.h"
#include "peers.capnp.h"

namespace
{

class Worker final : public Chain::Server
{
    kj::Promise<void> echo(EchoContext context) override
    {
        context.getResults().setText(context.getParams().getText());
        return kj::READY_NOW;
    }

    kj::Promise<void> bytes(BytesContext context) override
    {
        capnp::Data::Reader data = context.getParams().getData();
        size_t pages = (data.size() + PAYLOAD_PAGE_BYTES - 1) / PAYLOAD_PAGE_BYTES;
        payload_sample(data.begin(), data.size(),
                       context.getResults().initSample(static_cast<unsigned>(pages)).begin());
        return kj::READY_NOW;
    }

    kj::Promise<void> numbers(NumbersContext context) override
    {
        double sum = 0;
        for (double value : context.getParams().getValues())
            sum += value;
        context.getResults().setSum(sum);
        return kj::READY_NOW;
    }
};

class Entry final : public Chain::Server
{
  public:
    explicit Entry(Chain::Client worker) : worker_(kj::mv(worker))
    {
    }

  private:
    kj::Promise<void> echo(EchoContext context) override
    {
        auto request = worker_.echoRequest();
        request.setText(context.getParams().getText());
        return request.send().then(
            [context](auto &&reply) mutable { context.getResults().setText(reply.getText()); });
    }

    kj::Promise<void> bytes(BytesContext context) override
    {
        auto request = worker_.bytesRequest();
        request.setData(context.getParams().getData());
        return request.send().then(
            [context](auto &&reply) mutable { context.getResults().setSample(reply.getSample()); });
    }

    kj::Promise<void> numbers(NumbersContext context) override
    {
        auto request = worker_.numbersRequest();
        request.setValues(context.getParams().getValues());
        return request.send().then(
            [context](auto &&reply) mutable { context.getResults().setSum(reply.getSum()); });
    }

    kj::Promise<void> fan(FanContext context) override
    {
        auto calls = kj::heapArrayBuilder<kj::Promise<int>>(
            static_cast<size_t>(context.getParams().getCount()));
        for (size_t i = 0; i < calls.capacity(); i++) {
            auto request = worker_.echoRequest();
            request.setText(context.getParams().getText());
            calls.add(request.send().then([context](auto &&reply) mutable -> int {
                return reply.getText() == context.getParams().getText();
            }));
        }
        return kj::joinPromises(calls.finish()).then([context](kj::Array<int> same) mutable {
            int matched = 0;
            for (int each : same)
                matched += each;
            context.getResults().setMatched(matched);
        });
    }

    Chain::Client worker_;
};

void serve(kj::AsyncIoContext &io, Chain::Client service)
{
    capnp::TwoPartyServer server(kj::mv(service));
    auto listener = io.lowLevelProvider->wrapListenSocketFd(3);
    server.listen(*listener).wait(io.waitScope);
}

} // namespace

int main(int argc, char **argv)
{
    kj::AsyncIoContext io = kj::setupAsyncIo();
    if (argc == 1) {
        serve(io, kj::heap<Worker>());
        return 0;
    }
    auto address =
        io.provider->getNetwork().parseAddress(kj::str("unix:", argv[1])).wait(io.waitScope);
    auto stream = address->connect().wait(io.waitScope);
    capnp::TwoPartyClient client(*stream);
    serve(io, kj::heap<Entry>(client.bootstrap().castAs<Chain>()));
}
