// gRPC's synchronous server: sync_service (the worker), or sync_service PATH (the entry; its worker is at PATH).
#include <vector>

#include "wire.h"

namespace
{

class Worker final : public peers::Chain::Service
{
    grpc::Status Echo(grpc::ServerContext *, const peers::Text *request,
                      peers::Text *reply) override
    {
        reply->set_text(request->text());
        return grpc::Status::OK;
    }
    grpc::Status Bytes(grpc::ServerContext *, const peers::Data *request,
                       peers::Data *reply) override
    {
        answer_bytes(*request, reply);
        return grpc::Status::OK;
    }
    grpc::Status Numbers(grpc::ServerContext *, const peers::Values *request,
                         peers::Sum *reply) override
    {
        answer_numbers(*request, reply);
        return grpc::Status::OK;
    }
};

class Entry final : public peers::Chain::Service
{
  public:
    explicit Entry(const char *path) : worker_(peers::Chain::NewStub(channel_to(path)))
    {
    }

  private:
    grpc::Status Echo(grpc::ServerContext *, const peers::Text *request,
                      peers::Text *reply) override
    {
        grpc::ClientContext context;
        return worker_->Echo(&context, *request, reply);
    }
    grpc::Status Bytes(grpc::ServerContext *, const peers::Data *request,
                       peers::Data *reply) override
    {
        grpc::ClientContext context;
        return worker_->Bytes(&context, *request, reply);
    }
    grpc::Status Numbers(grpc::ServerContext *, const peers::Values *request,
                         peers::Sum *reply) override
    {
        grpc::ClientContext context;
        return worker_->Numbers(&context, *request, reply);
    }
    grpc::Status Fan(grpc::ServerContext *, const peers::FanRequest *request,
                     peers::FanReply *reply) override
    {
        peers::Text text;
        text.set_text(request->text());
        std::vector<Call> calls(static_cast<size_t>(request->count()));
        grpc::CompletionQueue queue;
        for (Call &call : calls) {
            call.reader = worker_->AsyncEcho(&call.context, text, &queue);
            call.reader->Finish(&call.reply, &call.status, &call);
        }
        void *tag;
        bool fine;
        for (size_t i = 0; i < calls.size(); i++)
            queue.Next(&tag, &fine);
        int matched = 0;
        for (const Call &call : calls) {
            if (!call.status.ok())
                return call.status;
            matched += call.reply.text() == text.text();
        }
        reply->set_matched(matched);
        return grpc::Status::OK;
    }

    // One of a fan-out: through a completion queue, which is how many calls are made from one thread.
    struct Call {
        grpc::ClientContext context;
        peers::Text reply;
        grpc::Status status;
        std::unique_ptr<grpc::ClientAsyncResponseReader<peers::Text>> reader;
    };

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
