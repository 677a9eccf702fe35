// gRPC's callback server: callback_service (the worker), or callback_service PATH (the entry; its worker is at PATH).
#include <atomic>
#include <functional>
#include <vector>

#include "wire.h"

namespace
{

// The calls of a fan-out, through the stub's callback interface. done is called with the number of equal answers, or a failure.
class Fan
{
  public:
    Fan(peers::Chain::Stub *worker, const peers::FanRequest &request,
        std::function<void(const grpc::Status &, int)> done)
        : left_(request.count()), calls_(static_cast<size_t>(request.count())),
          done_(std::move(done))
    {
        request_.set_text(request.text());
        size_t count = calls_.size();
        for (size_t i = 0; i < count; i++) {
            Call &call = calls_[i];
            worker->async()->Echo(&call.context, &request_, &call.reply,
                                  [this, &call](grpc::Status status) {
                                      call.status = std::move(status);
                                      if (left_.fetch_sub(1) == 1)
                                          finish();
                                  });
        }
    }

  private:
    struct Call {
        grpc::ClientContext context;
        peers::Text reply;
        grpc::Status status;
    };

    void finish()
    {
        int matched = 0;
        for (const Call &call : calls_) {
            if (!call.status.ok()) {
                std::move(done_)(call.status, 0);
                delete this;
                return;
            }
            matched += call.reply.text() == request_.text();
        }
        done_(grpc::Status::OK, matched);
        delete this;
    }

    peers::Text request_;
    std::atomic<int> left_;
    std::vector<Call> calls_;
    std::function<void(const grpc::Status &, int)> done_;
};

class Worker final : public peers::Chain::CallbackService
{
    grpc::ServerUnaryReactor *Echo(grpc::CallbackServerContext *context, const peers::Text *request,
                                   peers::Text *reply) override
    {
        reply->set_text(request->text());
        return finish(context);
    }
    grpc::ServerUnaryReactor *Bytes(grpc::CallbackServerContext *context,
                                    const peers::Data *request, peers::Data *reply) override
    {
        answer_bytes(*request, reply);
        return finish(context);
    }
    grpc::ServerUnaryReactor *Numbers(grpc::CallbackServerContext *context,
                                      const peers::Values *request, peers::Sum *reply) override
    {
        answer_numbers(*request, reply);
        return finish(context);
    }

    static grpc::ServerUnaryReactor *finish(grpc::CallbackServerContext *context)
    {
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

class Entry final : public peers::Chain::CallbackService
{
  public:
    explicit Entry(const char *path) : worker_(peers::Chain::NewStub(channel_to(path)))
    {
    }

  private:
    // A call to the worker ends the call to the entry.
    template <class Request, class Reply>
    grpc::ServerUnaryReactor *
    hand_on(void (peers::Chain::StubInterface::async_interface::*method)(
                grpc::ClientContext *, const Request *, Reply *, std::function<void(grpc::Status)>),
            grpc::CallbackServerContext *context, const Request *request, Reply *reply)
    {
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        auto *call = new grpc::ClientContext;
        (worker_->async()->*method)(call, request, reply, [reactor, call](grpc::Status status) {
            reactor->Finish(status);
            delete call;
        });
        return reactor;
    }

    using Async = peers::Chain::StubInterface::async_interface;

    grpc::ServerUnaryReactor *Echo(grpc::CallbackServerContext *context, const peers::Text *request,
                                   peers::Text *reply) override
    {
        return hand_on<peers::Text, peers::Text>(&Async::Echo, context, request, reply);
    }
    grpc::ServerUnaryReactor *Bytes(grpc::CallbackServerContext *context,
                                    const peers::Data *request, peers::Data *reply) override
    {
        return hand_on<peers::Data, peers::Data>(&Async::Bytes, context, request, reply);
    }
    grpc::ServerUnaryReactor *Numbers(grpc::CallbackServerContext *context,
                                      const peers::Values *request, peers::Sum *reply) override
    {
        return hand_on<peers::Values, peers::Sum>(&Async::Numbers, context, request, reply);
    }
    grpc::ServerUnaryReactor *Fan(grpc::CallbackServerContext *context,
                                  const peers::FanRequest *request, peers::FanReply *reply) override
    {
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        new class Fan(worker_.get(), *request,
                      [reactor, reply](const grpc::Status &status, int matched) {
                          reply->set_matched(matched);
                          reactor->Finish(status);
                      });
        return reactor;
    }

    std::unique_ptr<peers::Chain::Stub> worker_;
};

} // namespace

int main(int argc, char **argv)
{
    if (argc > 1) {
        Entry entry(argv[1]);
        serve(&entry);
    }
    Worker worker;
    serve(&worker);
}
