// gRPC's client: client ENTRY WORKER sync|callback. Callers are threads that make synchronous calls, or chains of callbacks.
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "../load.h"
#include "wire.h"

namespace
{

std::unique_ptr<peers::Chain::Stub> entry, worker;

peers::Chain::Stub *stub_for(load_kind kind)
{
    return kind == LOAD_HOP ? worker.get() : entry.get();
}

void expect_ok(const grpc::Status &status)
{
    if (!status.ok())
        load_fail("%s", status.error_message().c_str());
}

const char *text_of(const payload &what, load_kind kind)
{
    return kind == LOAD_ECHO ? what.echo : what.small;
}

void expect_sample(const payload &what, const peers::Data &reply)
{
    if (!payload_is_sample(&what, reply.data().data(), reply.data().size()))
        load_fail("wrong sample");
}

void expect_sum(const payload &what, const peers::Sum &reply)
{
    if (!payload_is_sum(&what, reply.sum()))
        load_fail("wrong sum");
}

void expect_matched(int width, const peers::FanReply &reply)
{
    if (reply.matched() != width)
        load_fail("%d of %d answers", reply.matched(), width);
}

// Requests that are made anew for each call, and replies.
struct Messages {
    peers::Text text, text_reply;
    peers::Data data, data_reply;
    peers::Values values;
    peers::Sum sum;
    peers::FanRequest fan;
    peers::FanReply fan_reply;

    void fill(const load_job &job, const payload &what)
    {
        switch (job.kind) {
        case LOAD_BYTES:
            data.set_data(what.blob, sizeof what.blob);
            break;
        case LOAD_DOUBLES:
            values.mutable_values()->Assign(what.doubles, what.doubles + PAYLOAD_DOUBLES);
            break;
        case LOAD_FAN:
            fan.set_text(what.small);
            fan.set_count(job.width);
            break;
        default:
            text.set_text(text_of(what, job.kind));
        }
    }

    void check(const load_job &job, const payload &what) const
    {
        switch (job.kind) {
        case LOAD_BYTES:
            expect_sample(what, data_reply);
            break;
        case LOAD_DOUBLES:
            expect_sum(what, sum);
            break;
        case LOAD_FAN:
            expect_matched(job.width, fan_reply);
            break;
        default:
            load_expect_text(text_of(what, job.kind), text_reply.text().data(),
                             text_reply.text().size());
        }
    }
};

// ---------------------------------------------------------------------------------------------------------------------
// threads

void *open_caller(load_kind)
{
    return new Messages;
}

void close_caller(void *caller)
{
    delete static_cast<Messages *>(caller);
}

void call(void *caller, const load_job *job, const payload *what)
{
    auto *messages = static_cast<Messages *>(caller);
    peers::Chain::Stub *stub = stub_for(job->kind);
    grpc::ClientContext context;
    messages->fill(*job, *what);
    switch (job->kind) {
    case LOAD_BYTES:
        expect_ok(stub->Bytes(&context, messages->data, &messages->data_reply));
        break;
    case LOAD_DOUBLES:
        expect_ok(stub->Numbers(&context, messages->values, &messages->sum));
        break;
    case LOAD_FAN:
        expect_ok(stub->Fan(&context, messages->fan, &messages->fan_reply));
        break;
    default:
        expect_ok(stub->Echo(&context, messages->text, &messages->text_reply));
    }
    messages->check(*job, *what);
}

// ---------------------------------------------------------------------------------------------------------------------
// callbacks

struct Loop {
    const load_job *job;
    std::mutex lock;
    std::condition_variable changed;
    int running;
};

// One caller: when a call ends, its callback starts the next.
struct Caller {
    Loop *loop;
    payload what;
    Messages messages;
    std::unique_ptr<grpc::ClientContext> context;
    int64_t start_ns;

    void start()
    {
        const load_job &job = *loop->job;
        peers::Chain::Stub *stub = stub_for(job.kind);
        load_stamp(&what, job.kind);
        context.reset(new grpc::ClientContext);
        start_ns = load_now();
        messages.fill(job, what);
        auto done = [this](grpc::Status status) { end(status); };
        switch (job.kind) {
        case LOAD_BYTES:
            stub->async()->Bytes(context.get(), &messages.data, &messages.data_reply, done);
            break;
        case LOAD_DOUBLES:
            stub->async()->Numbers(context.get(), &messages.values, &messages.sum, done);
            break;
        case LOAD_FAN:
            stub->async()->Fan(context.get(), &messages.fan, &messages.fan_reply, done);
            break;
        default:
            stub->async()->Echo(context.get(), &messages.text, &messages.text_reply, done);
        }
    }

    void end(const grpc::Status &status)
    {
        expect_ok(status);
        messages.check(*loop->job, what);
        int64_t now = load_now();
        load_record(now - start_ns);
        if (now < loop->job->ends_ns) {
            start();
            return;
        }
        std::lock_guard<std::mutex> guard(loop->lock);
        if (--loop->running == 0)
            loop->changed.notify_one();
    }
};

void run(const load_job *job)
{
    Loop loop;
    loop.job = job;
    loop.running = job->callers;
    static std::vector<std::unique_ptr<Caller>> callers;
    while (callers.size() < static_cast<size_t>(job->callers)) {
        callers.emplace_back(new Caller);
        payload_init(&callers.back()->what, callers.size());
    }
    for (int i = 0; i < job->callers; i++) {
        callers[static_cast<size_t>(i)]->loop = &loop;
        callers[static_cast<size_t>(i)]->start();
    }
    std::unique_lock<std::mutex> guard(loop.lock);
    loop.changed.wait(guard, [&] { return loop.running == 0; });
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4)
        load_fail("client ENTRY WORKER sync|callback");
    entry = peers::Chain::NewStub(channel_to(argv[1]));
    worker = peers::Chain::NewStub(channel_to(argv[2]));
    load_peer peer = {};
    if (strcmp(argv[3], "callback") == 0) {
        peer.run = run;
    } else {
        peer.open = open_caller;
        peer.close = close_caller;
        peer.call = call;
    }
    return load_main(&peer);
}
